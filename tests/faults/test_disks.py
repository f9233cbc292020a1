"""Disks that are full, read-only, emptied or reached over a network: the user's values stay, and it is said why."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

import ipycheckpoint as ck
from ipycheckpoint import workspace
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.savefile import read, save
from ipycheckpoint.cache.verify import verify
from ipycheckpoint.errors import CheckpointWarning, StoreError
from ipycheckpoint.store.system import REAL, is_network
from tests.faults.work import KEYRING, draft, key_of, opened, version_in


@contextmanager
def limited(nbytes: int) -> Iterator[None]:
    """A quota: no file grows beyond it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("only root may mount")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Permissions hold for everyone but root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def computes(place: Path) -> Callable[[int], list[int]]:
    @ck.checkpoint(store=str(place))
    def squares(number: int) -> list[int]:
        return [n * n for n in range(number)]

    return squares


def test_on_a_full_disk_every_value_is_returned_and_it_is_said_where_and_why(full_disk: Path) -> None:
    squares = computes(full_disk / "cache")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in [10, 20_000, 200_000, 400_000, 5, 200_000]:
            assert squares(number) == [n * n for n in range(number)]
        workspace.current().cache(full_disk / "cache").close()
    told = "\n".join(str(warning.message) for warning in caught)
    assert str(full_disk / "cache") in told
    assert "No space left on device" in told
    # What is there is whole, and nothing half-written is left.
    cache = Cache.at(full_disk / "cache")
    assert not [finding for finding in verify(cache).findings if finding.is_wrong]
    assert list((full_disk / "cache/files/@new").iterdir()) == []
    cache.close()


def test_on_a_full_disk_a_savefile_stays_the_old_one(full_disk: Path) -> None:
    save(full_disk / "x.ckpt", {"x": b"1" * 300_000}, keyring=KEYRING)
    with pytest.raises(StoreError, match=r"can't write .*x\.ckpt: No space left on device"):
        save(full_disk / "x.ckpt", {"x": os.urandom(900_000)}, keyring=KEYRING)
    assert read(full_disk / "x.ckpt", keyring=KEYRING)["x"] == b"1" * 300_000
    assert [path.name for path in full_disk.iterdir()] == ["x.ckpt"]


def test_a_quota_costs_no_earlier_record(tmp_path: Path) -> None:
    cache = opened(tmp_path / "cache")
    for name in ("tiny_a", "small_a", "large_a"):
        cache.save(draft(name))
    with limited(50_000), warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        with pytest.raises(StoreError, match="File too large"):
            cache.save(draft("large_b"))
        with suppress(StoreError):
            for number in range(20):
                cache.save(draft(f"small_{number}"))
        cache.close()
    assert [version_in(cache, name) for name in ("tiny_a", "small_a", "large_a")] == [0, 0, 0]
    cache.save(draft("large_b"))
    assert version_in(cache, "large_b") == 0
    cache.close()


def test_a_read_only_cache_is_read_and_results_are_not_lost(memory: Path) -> None:
    memory.chmod(0o755)
    place = Path(tempfile.mkdtemp(dir=memory))
    place.chmod(0o755)
    cache = opened(place / "cache")
    for name in ("tiny_a", "large_a"):
        cache.save(draft(name))
    cache.close()
    for path in [place / "cache", *(place / "cache").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with ordinary_user(), warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        cache = opened(place / "cache")
        assert [version_in(cache, name) for name in ("tiny_a", "large_a")] == [0, 0]
        assert len(cache.rows()) == 2
        with pytest.raises(StoreError, match=r"Permission denied|readonly|read-only"):
            cache.save(draft("large_b"))
        assert version_in(cache, "large_b") is None
        cache.close()


DELETIONS: dict[str, Callable[[Path], object]] = {
    "the folder": shutil.rmtree,
    "small.sqlite": lambda place: (place / "small.sqlite").unlink(),
    "its wal": lambda place: (place / "small.sqlite-wal").unlink(missing_ok=True),
    "the catalogue": lambda place: (place / "catalogue.sqlite").unlink(),
    "the locks": lambda place: (place / "locks").unlink(missing_ok=True),
    "all files": lambda place: shutil.rmtree(place / "files"),
    "the blobs": lambda place: shutil.rmtree(place / "files/blobs"),
    "what is being written": lambda place: shutil.rmtree(place / "files/@new"),
}


@pytest.mark.parametrize("what", DELETIONS)
def test_what_is_deleted_while_running_is_missed_and_kept_anew(what: str, tmp_path: Path) -> None:
    cache = opened(tmp_path / "cache")
    names = ("tiny_a", "small_a", "large_a", "long_a")
    for name in names:
        cache.save(draft(name))
    assert [version_in(cache, name) for name in names] == [0] * 4
    DELETIONS[what](tmp_path / "cache")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        # It is there, it is gone, or it is said what is gone.
        for name in names:
            version_in(cache, name)
        for name in names:
            cache.save(draft(name, 1))
        assert [version_in(cache, name) for name in names] == [1] * 4
        assert {row.label for row in cache.rows()} == {f"work.{name}" for name in names}
        cache.close()
        assert [version_in(cache, name) for name in names] == [1] * 4
        cache.close()


def test_a_locked_database_holds_nobody_up_for_long(tmp_path: Path) -> None:
    cache = opened(tmp_path / "cache")
    cache.save(draft("tiny_a"))
    cache.store._rows._wait_seconds = 0.1
    cache.store.close()
    other = sqlite3.connect(tmp_path / "cache/small.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.warns(CheckpointWarning, match="can't be written .*locked"):
        cache.save(draft("tiny_b"))
    other.execute("ROLLBACK")
    other.close()
    assert [version_in(cache, name) for name in ("tiny_a", "tiny_b")] == [0, 0]
    cache.close()


def test_when_the_clock_goes_back_records_stay_and_new_ones_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    cache = opened(tmp_path / "cache")
    cache.save(draft("tiny_a"))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 10 * 365 * 86400)
    cache.save(draft("tiny_b"))
    cache.save(draft("tiny_a", 1))
    assert (version_in(cache, "tiny_a"), version_in(cache, "tiny_b")) == (1, 0)
    cache.count_hit(cache.header(key_of("tiny_a")), 0.1)
    assert {row.label for row in cache.rows()} == {"work.tiny_a", "work.tiny_b"}
    assert verify(cache, fix=True).is_good
    cache.close()


def test_whatever_the_umask_only_the_user_can_read_and_write(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        cache = opened(tmp_path / "deep/cache")
        for name in ("tiny_a", "large_a", "long_a"):
            cache.save(draft(name))
        with ck_flight(tmp_path / "deep/cache"):
            modes = {p: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "deep/cache").rglob("*")}
        cache.close()
        save(tmp_path / "data/x.ckpt", {"x": 1}, keyring=KEYRING)
    finally:
        os.umask(before)
    modes[tmp_path / "deep/cache"] = stat.S_IMODE((tmp_path / "deep/cache").stat().st_mode)
    modes[tmp_path / "data/x.ckpt"] = stat.S_IMODE((tmp_path / "data/x.ckpt").stat().st_mode)
    assert len(modes) > 12
    assert {str(p): oct(mode) for p, mode in modes.items() if mode != (0o700 if p.is_dir() else 0o600)} == {}


@contextmanager
def ck_flight(place: Path) -> Iterator[None]:
    from ipycheckpoint.engine.flight import Flights

    with Flights(place).alone(key_of("tiny_a")):
        yield


class TestNetworks:
    @pytest.mark.parametrize(
        ("line", "network"),
        [
            ("36 35 0:50 / {place} rw - nfs4 server:/x rw", True),
            ("36 35 0:50 / {place} rw,relatime shared:1 - cifs //server/x rw", True),
            ("36 35 0:50 / {place} rw - fuse.sshfs me@server:/ rw", True),
            ("36 35 0:50 / {place} rw - fuseblk /dev/sdb1 rw", False),
            ("36 35 8:1 / {place} rw - ext4 /dev/sda1 rw", False),
            ("36 35 0:50 / {place}/other rw - nfs server:/x rw", False),
            ("36 35 0:50 / {place}x rw - nfs server:/x rw", False),
            ("nonsense", False),
        ],
    )
    def test_what_is_mounted_nearest_decides(self, line: str, network: bool, tmp_path: Path) -> None:
        mounts = tmp_path / "mounts"
        place = tmp_path.resolve() / "data"
        mounts.write_text("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + line.format(place=place) + "\n")
        assert is_network(str(place / "deep" / "cache"), str(mounts)) is network

    def test_spaces_in_a_mount_point_are_read(self, tmp_path: Path) -> None:
        (tmp_path / "mounts").write_text("36 35 0:50 / /my\\040data rw - nfs server:/x rw\n")
        assert is_network("/my data/cache", str(tmp_path / "mounts"))

    def test_where_nobody_tells_it_is_local(self, tmp_path: Path) -> None:
        assert not is_network("/", str(tmp_path / "nothing"))

    def test_there_only_files_are_used_and_none_is_mapped(self, tmp_path: Path) -> None:
        def mapped(*_: int):
            raise AssertionError("mapped")

        cache = opened(tmp_path / "cache", network=True, system=replace(REAL, map=mapped))
        for name in ("tiny_a", "large_a", "long_a"):
            cache.save(draft(name))
            assert version_in(cache, name) == 0
        assert not list((tmp_path / "cache").glob("small*"))
        assert not list((tmp_path / "cache").glob("*-wal"))
        assert not list((tmp_path / "cache").glob("*-shm"))
        assert len(cache.rows()) == 3
        cache.close()

    @pytest.mark.parametrize(("said", "network"), [("1", True), ("off", False), ("", None)])
    def test_a_setting_says_so(self, said: str, network: bool | None, tmp_path: Path) -> None:
        here = workspace.Workspace({"IPYCHECKPOINT_NETWORK": said})
        assert here.network is network
        assert here.cache(tmp_path).store.is_network is bool(network)
