"""Files at URLs: in one step where the protocol has that, by a move where it hasn't."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fsspec")

from ipycheckpoint.errors import StoreError, UsageError
from ipycheckpoint.store.files import Files, files_at
from ipycheckpoint.store.remote import RemoteFiles
from tests.contracts.files_contract import FilesContract, content_of, names_in
from tests.contracts.store_contract import in_memory


class TestInMemory(FilesContract):
    def open(self, path: Path) -> Files:
        return RemoteFiles(in_memory())


class TestOnADisk(FilesContract):
    """What fsspec makes of a disk stands for all protocols without a put in one step."""

    def open(self, path: Path) -> Files:
        return RemoteFiles(f"file://{path}")


def test_a_url_gives_remote_files() -> None:
    assert isinstance(files_at("memory://a"), RemoteFiles)


@pytest.mark.parametrize("url", ["memory://a/b/", "memory://a/b"])
def test_its_location_is_the_url(url: str) -> None:
    assert RemoteFiles(url).location == "memory://a/b"


def test_nothing_is_opened_before_it_is_used() -> None:
    assert RemoteFiles("nowhere://x").location == "nowhere://x"


def test_a_protocol_that_nobody_knows_is_a_store_error_that_names_the_url() -> None:
    with pytest.raises(StoreError, match=r"can't open nowhere://x"):
        RemoteFiles("nowhere://x").read("a")


def test_without_fsspec_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match=r"pip install 'ipycheckpoint\[remote\]'"):
        RemoteFiles("memory://x").read("a")


def test_without_the_protocols_own_package_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adlfs", None)
    with pytest.raises(UsageError, match="adlfs"):
        RemoteFiles("abfs://bucket/x").read("a")


@pytest.mark.parametrize(
    ("action", "call"),
    [
        ("write", lambda files: files.write("a", [b"1"])),
        ("read", lambda files: files.read("a")),
        ("list", lambda files: list(files.entries())),
        ("remove", lambda files: files.remove("a")),
    ],
)
def test_whatever_a_protocol_raises_is_a_store_error(gone: Any, action: str, call: Any) -> None:
    files = RemoteFiles("sftp://host/x")
    files._connection._opened = (gone, "/x")
    with pytest.raises(StoreError, match="the server is gone") as caught:
        call(files)
    assert caught.value.action == action
    assert caught.value.location.startswith("sftp://host/x")


def test_a_move_that_fails_leaves_the_old_file_whole_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = RemoteFiles(f"file://{tmp_path}/place")
    files.write("a", [b"old"])
    system, _ = files._connection.root()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the server is gone")

    with monkeypatch.context() as patch:
        patch.setattr(system, "mv", fail)
        with pytest.raises(StoreError):
            files.write("a", [b"new"])
    assert content_of(files, "a") == b"old"
    assert [p.name for p in (tmp_path / "place").iterdir()] == ["a"]


def test_a_root_without_a_name_holds_files_too() -> None:
    files, name = RemoteFiles("memory://"), f"{uuid.uuid4().hex}.ckpt"
    files.write(name, [b"1"])
    assert name in names_in(files)
    assert content_of(files, name) == b"1"
    assert files.remove(name)
