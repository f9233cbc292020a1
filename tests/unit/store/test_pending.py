"""A file that is prepared is ready, and seen when it is committed: so several appear together or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ipycheckpoint.errors import StoreError
from ipycheckpoint.store.files import LocalFiles
from ipycheckpoint.store.remote import RemoteFiles

if TYPE_CHECKING:
    from ipycheckpoint.store.files import Files


@pytest.fixture(params=["local", "in one step", "by a move"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    if request.param == "local":
        return LocalFiles(tmp_path)
    pytest.importorskip("fsspec")
    return RemoteFiles(f"memory://pending/{tmp_path.name}" if request.param == "in one step" else f"file://{tmp_path}")


def content(files: Files, name: str) -> bytes | None:
    found = files.read(name)
    return None if found is None else bytes(found.view)


def test_it_is_not_seen_before_it_is_committed(files: Files) -> None:
    files.write("a/b", [b"old"])
    pending = files.prepare("a/b", [b"n", b"ew"])
    assert (content(files, "a/b"), [entry.name for entry in files.entries()]) == (b"old", ["a/b"])
    pending.commit()
    assert (content(files, "a/b"), [entry.name for entry in files.entries()]) == (b"new", ["a/b"])


def test_when_it_is_discarded_nothing_is_left(files: Files, tmp_path: Path) -> None:
    files.write("a/b", [b"old"])
    files.prepare("a/b", [b"new"]).discard()
    assert content(files, "a/b") == b"old"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] in ([], ["b"])


def test_discarding_it_after_the_commit_does_nothing(files: Files) -> None:
    pending = files.prepare("a/b", [b"new"])
    pending.commit()
    pending.discard()
    assert content(files, "a/b") == b"new"


@pytest.mark.parametrize("last_step", ["pipe_file", "mv"])
def test_a_last_step_that_fails_says_where_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last_step: str
) -> None:
    fsspec = pytest.importorskip("fsspec")
    url = f"memory://pending/{tmp_path.name}/failing" if last_step == "pipe_file" else f"file://{tmp_path}"
    files = RemoteFiles(url)
    files.write("a/b", [b"old"])
    pending = files.prepare("a/b", [b"new"])

    def fail(self: Any, *args: Any, **kwargs: Any) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr(type(fsspec.core.url_to_fs(url)[0]), last_step, fail)
    with pytest.raises(StoreError, match="a/b: gone"):
        pending.commit()
    assert content(files, "a/b") == b"old"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] in ([], ["b"])
