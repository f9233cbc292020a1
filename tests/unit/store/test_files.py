"""Whole files in a directory: durable, private, and never torn."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ipycheckpoint.errors import StoreError, UsageError
from ipycheckpoint.store import files as files_module
from ipycheckpoint.store.files import NEW, Files, LocalFiles, file_at, files_at
from ipycheckpoint.store.system import REAL
from tests.contracts.files_contract import FilesContract, content_of, names_in

ROOT = Path(__file__).parents[3]


class TestLocalFiles(FilesContract):
    def open(self, path: Path) -> Files:
        return LocalFiles(path)


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path / "place")


def listing(files: LocalFiles) -> list[str]:
    """All that lies in the place itself, whoever put it there."""
    return sorted(path.name for path in Path(files.location).iterdir())


def modes(path: Path) -> dict[str, int]:
    return {p.name: stat.S_IMODE(p.stat().st_mode) for p in [path, *path.rglob("*")]}


def test_files_and_the_folders_that_are_made_for_them_are_this_users_alone(files: LocalFiles, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.write("a/b/c.ckpt", [b"1"])
    finally:
        os.umask(before)
    assert modes(tmp_path / "place") == {"place": 0o700, "a": 0o700, "b": 0o700, "c.ckpt": 0o600}


def test_queries_write_nothing(files: LocalFiles, tmp_path: Path) -> None:
    files.read("a/b")
    files.remove("a/b")
    names_in(files)
    assert list(tmp_path.iterdir()) == []


def test_the_bytes_and_then_the_folder_are_synced_before_write_returns(tmp_path: Path) -> None:
    done: list[str] = []

    def fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    def move(source: str, target: str) -> None:
        done.append("rename")
        REAL.replace(source, target)

    LocalFiles(tmp_path, system=replace(REAL, fsync=fsync, replace=move)).write("a", [b"1"])
    assert done == ["file", "rename", "folder"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_whole_and_nothing_else(files: LocalFiles, failing: str) -> None:
    files.write("a", [b"old"])

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StoreError, match=r"can't write .*place/a: No space left on device"):
        LocalFiles(files.location, system=replace(REAL, **{failing: fail})).write("a", [b"new"])
    assert content_of(files, "a") == b"old"
    assert listing(files) == ["a"]


def test_an_interrupted_write_leaves_the_old_file_whole_and_nothing_else(files: LocalFiles) -> None:
    files.write("a", [b"old"])

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalFiles(files.location, system=replace(REAL, fsync=interrupt)).write("a", [b"new"])
    assert content_of(files, "a") == b"old"
    assert listing(files) == ["a"]


def test_a_file_larger_than_may_be_written_is_a_store_error_and_the_old_one_stays(files: LocalFiles) -> None:
    files.write("a", [b"old"])
    program = (
        "import resource, signal, sys\n"
        "from ipycheckpoint.errors import StoreError\n"
        "from ipycheckpoint.store.files import LocalFiles\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n    LocalFiles(sys.argv[1]).write('a', [bytes(1_000_000)])\n"
        "except StoreError as error:\n    print(error.location, error.action)"
    )
    assert run(program, files.location).split() == [f"{files.location}/a", "write"]
    assert content_of(files, "a") == b"old"
    assert listing(files) == ["a"]


def test_a_file_where_a_folder_belongs_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in [tmp_path / "file", tmp_path / "file" / "below"]:
        with pytest.raises(StoreError, match=r"can't write"):
            LocalFiles(place).write("a", [b"1"])
        assert LocalFiles(place).read("a") is None
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_where_the_file_belongs_is_a_store_error(files: LocalFiles) -> None:
    files.write("a/b", [b"1"])
    with pytest.raises(StoreError, match=r"can't write"):
        files.write("a", [b"1"])
    with pytest.raises(StoreError, match=r"can't read"):
        files.read("a")
    assert names_in(files) == ["a/b"]


def test_a_place_that_was_deleted_is_made_again(files: LocalFiles) -> None:
    files.write("a", [b"1"])
    shutil.rmtree(files.location)
    assert files.read("a") is None
    files.write("a", [b"2"])
    assert content_of(files, "a") == b"2"


def test_no_write_or_removal_goes_through_a_link_out_of_the_place(files: LocalFiles, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_text("theirs")
    files.write("inside/a", [b"1"])
    Path(files.location, "link").symlink_to(outside)
    for name in ["link/a", "link/new/a"]:
        with pytest.raises(StoreError, match="symbolic link"):
            files.write(name, [b"2"])
    with pytest.raises(StoreError, match="symbolic link"):
        files.remove("link/a")
    assert {p.name: p.read_text() for p in outside.iterdir()} == {"a": "theirs"}
    assert names_in(files) == ["inside/a"], "nor is it followed when they are listed"


def test_a_link_where_the_file_belongs_is_replaced_not_followed(files: LocalFiles, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("theirs")
    link = Path(files.location, "a")
    link.parent.mkdir()
    link.symlink_to(target)
    files.write("a", [b"mine"])
    assert target.read_text() == "theirs"
    assert not link.is_symlink()


def test_the_place_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    LocalFiles(tmp_path / "link").write("a/b", [b"1"])
    assert (tmp_path / "real" / "a" / "b").read_bytes() == b"1"


def test_a_large_file_is_mapped_and_not_read(files: LocalFiles) -> None:
    nbytes = 1 << 30
    Path(files.location).mkdir()
    with Path(files.location, "a").open("wb") as file:
        file.truncate(nbytes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    content = files.read("a")
    assert content is not None
    assert content.view.nbytes == nbytes
    content.view[-1] = 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"


def test_what_a_killed_process_left_half_written_is_not_listed_and_goes_when_it_is_old(
    files: LocalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write("a", [b"1"])
    for name, age in [("old", 7200), ("young", 60)]:
        left = f"{files.location}/{NEW}{name}"
        Path(left).write_bytes(b"half")
        os.utime(left, (time.time() - age,) * 2)
    assert names_in(files) == ["a"]
    monkeypatch.setattr(files_module, "_swept", {})
    files.write("b", [b"1"])
    assert listing(files) == [f"{NEW}young", "a", "b"]


def test_a_process_killed_at_any_moment_leaves_one_whole_file(files: LocalFiles) -> None:
    program = (
        "import sys\nfrom ipycheckpoint.store.files import LocalFiles\nfiles = LocalFiles(sys.argv[1])\n"
        "for i in range(1, 10**9):\n"
        "    files.write('a', [bytes([i % 251]) * (i % 5 * 100_000 + 1)])\n    print(i, flush=True)"
    )
    for wait in range(12):
        process = start(program, files.location)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait * 0.0017)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        found = content_of(files, "a")
        assert found is not None
        assert found == found[:1] * len(found)
        assert names_in(files) == ["a"]


def test_what_it_does_is_told_as_the_place_was_given_as_long_as_that_leads_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []

    def audit(event: str, path: str) -> None:
        told.append((event, path))

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "audit", audit)
    files = LocalFiles("place")
    files.write("a", [b"1"])
    list(files.entries())
    monkeypatch.chdir(tmp_path / "elsewhere")
    files.read("a")
    assert told == [
        ("ipycheckpoint.write", "place"),
        ("ipycheckpoint.write", "place/a"),
        ("ipycheckpoint.list", "place"),
        ("ipycheckpoint.read", str(tmp_path / "place" / "a")),
    ]


@pytest.mark.parametrize(
    ("place", "location"),
    [
        ("/data/x", "/data/x"),
        (Path("/data/x"), "/data/x"),
        ("file:///data/x", "/data/x"),
        ("local:///data/x", "/data/x"),
        ("file:///data/50%25", "/data/50%25"),
        ("~/x", str(Path.home() / "x")),
        ("", os.getcwd()),
    ],
)
def test_a_path_and_a_url_of_this_machine_are_local(place: str | Path, location: str) -> None:
    found = files_at(place)
    assert isinstance(found, LocalFiles)
    assert found.location == location


@pytest.mark.parametrize(
    ("path", "location", "name"),
    [
        ("/data/x.ckpt", "/data", "x.ckpt"),
        ("x.ckpt", os.getcwd(), "x.ckpt"),
        ("/x.ckpt", "/", "x.ckpt"),
        ("file:///x.ckpt", "/", "x.ckpt"),
        ("a\\b.ckpt", os.getcwd(), "a\\b.ckpt"),
        ("memory://x.ckpt", "memory://", "x.ckpt"),
        ("memory://a/b/x.ckpt", "memory://a/b", "x.ckpt"),
        ("simplecache::s3://bucket/x.ckpt", "simplecache::s3://bucket", "x.ckpt"),
    ],
)
def test_a_file_has_a_place_and_a_name(path: str, location: str, name: str) -> None:
    files, found = file_at(path)
    assert (files.location, found) == (location, name)


@pytest.mark.parametrize("path", ["", "/", "/data/", "memory://", "memory://a/"])
def test_what_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="names no file"):
        file_at(path)


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(program: str, *arguments: str) -> str:
    process = start(program, *arguments)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out
