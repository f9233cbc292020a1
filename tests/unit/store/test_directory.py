from __future__ import annotations

import gc
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from ipycheckpoint.errors import CheckpointWarning, StoreError
from ipycheckpoint.store.base import Store
from ipycheckpoint.store.directory import DirectoryStore
from tests.contracts.store_contract import ROOT, SharedStoreContract, content_of


class TestDirectoryStore(SharedStoreContract):
    imports = "from ipycheckpoint.store.directory import DirectoryStore"
    expression = "DirectoryStore({path!r})"

    def open(self, path: Path) -> Store:
        return DirectoryStore(path)


class TestFilesOnly(TestDirectoryStore):
    expression = "DirectoryStore({path!r}, inline_nbytes=0)"

    def open(self, path: Path) -> Store:
        return DirectoryStore(path, inline_nbytes=0)


class TestValuesThatCrossTheLimit(TestDirectoryStore):
    expression = "DirectoryStore({path!r}, inline_nbytes=80)"

    def open(self, path: Path) -> Store:
        return DirectoryStore(path, inline_nbytes=80)


class TestDurable(TestDirectoryStore):
    expression = "DirectoryStore({path!r}, inline_nbytes=1000, durable=True)"

    def open(self, path: Path) -> Store:
        return DirectoryStore(path, inline_nbytes=1000, durable=True)


def files_below(path: Path) -> list[str]:
    return sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that an ordinary user reaches, too."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "cache"


@pytest.fixture
def store(place: Path) -> Iterator[DirectoryStore]:
    store = DirectoryStore(place)
    yield store
    store.close()


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


@contextmanager
def files_no_larger_than(nbytes: int) -> Iterator[None]:
    """What a full disk or a quota does: a write beyond it fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestFolder:
    def test_the_first_put_makes_it_private_unversioned_and_not_backed_up(self, place: Path) -> None:
        store = DirectoryStore(place / "deeper")
        assert not place.exists()
        store.put("a", [b"1"])
        assert stat.S_IMODE((place / "deeper").stat().st_mode) == 0o700
        assert (place / "deeper/.gitignore").read_text() == "*\n"
        assert (place / "deeper/CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")
        store.close()

    def test_a_folder_with_something_else_in_it_stays_under_version_control(self, place: Path) -> None:
        place.mkdir()
        (place / "thesis.tex").write_text("mine")
        store = DirectoryStore(place)
        store.put("a", [b"1"])
        store.put("b", [bytes(100_000)])
        store.close()
        assert not (place / ".gitignore").exists()

    def test_ten_thousand_small_values_are_a_handful_of_files(self, store: DirectoryStore, place: Path) -> None:
        for i in range(10_000):
            store.put(f"records/{i:064x}", [b"x" * 100])
        assert len(list(store.entries("records/"))) == 10_000
        store.close()
        assert files_below(place) == [".gitignore", "CACHEDIR.TAG", "small.sqlite"]

    def test_a_large_value_is_a_file_by_its_own_name(self, store: DirectoryStore, place: Path) -> None:
        store.put("blobs/5f2c", [bytes(100_000)])
        assert (place / "files/blobs/@5f/5f2c").read_bytes() == bytes(100_000)

    def test_files_of_other_programs_are_not_listed(self, store: DirectoryStore, place: Path) -> None:
        store.put("blobs/5f2c", [bytes(100_000)])
        for foreign in ["files/.DS_Store", "files/blobs/Thumbs.db", "files/blobs/@5f/0000", "files/blobs/@5f/5f 2"]:
            (place / foreign).write_text("?")
        assert [entry.name for entry in store.entries()] == ["blobs/5f2c"]

    def test_a_name_has_one_value_whatever_its_sizes_were(self, store: DirectoryStore, place: Path) -> None:
        for nbytes in [10, 100_000, 20, 200_000]:
            store.put("a/b", [bytes(nbytes)])
            assert [(e.name, e.nbytes) for e in store.entries()] == [("a/b", nbytes)]
        store.put("a/b", [b"last"])
        assert store.remove("a/b")
        assert list(store.entries()) == []
        assert store.get("a/b") is None

    def test_a_deleted_folder_is_made_again(self, store: DirectoryStore, place: Path) -> None:
        for _ in range(2):
            store.put("a", [b"1"])
            store.put("b", [bytes(100_000)])
            assert content_of(store, "a") == b"1"
            shutil.rmtree(place)
            assert store.get("a") is None
            assert store.get("b") is None


class TestTemporaryFiles:
    def test_old_ones_are_swept_and_young_ones_are_not(self, store: DirectoryStore, place: Path) -> None:
        new = place / "files/@new"
        new.mkdir(parents=True)
        old, young = f"7-{'0' * 16}", f"8-{'1' * 16}"
        for name, age in [(old, 4000), (young, 10), ("thesis.tex", 4000)]:
            (new / name).write_text("half")
            os.utime(new / name, (time.time() - age,) * 2)
        store.put("a", [bytes(100_000)])
        assert {p.name for p in new.iterdir()} == {young, "thesis.tex"}

    def test_a_put_that_fails_leaves_none_and_keeps_the_value_before(self, store: DirectoryStore, place: Path) -> None:
        store.put("a", [bytes(100_000)])
        with files_no_larger_than(500_000), pytest.raises(StoreError, match=r"can't write a in .*: File too large"):
            store.put("a", [b"2" * 1_000_000])
        assert content_of(store, "a") == bytes(100_000)
        assert list((place / "files/@new").iterdir()) == []

    def test_a_chunk_that_is_no_buffer_leaves_none(self, store: DirectoryStore, place: Path) -> None:
        store.put("a", [bytes(100_000)])
        scattered = memoryview(bytes(400_000))[::2]
        with pytest.raises(BufferError):
            store.put("b", [bytes(100_000), scattered])
        assert list((place / "files/@new").iterdir()) == []


class TestFailures:
    def test_an_error_tells_where_what_and_why(self, store: DirectoryStore, place: Path) -> None:
        place.write_text("in the way")
        with pytest.raises(StoreError) as caught:
            store.put("a", [bytes(100_000)])
        assert caught.value.action == "write"
        assert caught.value.location == f"a in {place}"
        assert caught.value.reason

    @pytest.mark.parametrize("nbytes", [10, 100_000])
    def test_a_folder_that_may_not_be_read_is_an_error_and_no_miss(
        self, store: DirectoryStore, place: Path, nbytes: int
    ) -> None:
        store.put("a", [bytes(nbytes)])
        store.close()
        with ordinary_user() if os.geteuid() == 0 else locked(place):
            for call in [store.get, store.contains, store.remove, lambda name: store.put(name, [b"1"])]:
                with pytest.raises(StoreError, match="Permission denied"):
                    call("a")
            with pytest.raises(StoreError, match="Permission denied"):
                list(store.entries())

    @pytest.mark.parametrize("crashed", [False, True])
    def test_a_read_only_folder_is_read_and_not_written(self, place: Path, crashed: bool) -> None:
        end = "os._exit(0)" if crashed else ""
        code = "store.put('a', [b'1']); store.put('b', [bytes(100_000)])"
        run(f"import os\nstore = DirectoryStore({str(place)!r})\n{code}\n{end}")
        files_before = files_below(place)
        for path in [*place.rglob("*"), place]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        store = DirectoryStore(place)
        with ordinary_user():
            assert content_of(store, "a") == b"1"
            assert content_of(store, "b") == bytes(100_000)
            assert store.get("c") is None
            assert sorted(entry.name for entry in store.entries()) == ["a", "b"]
            for name, nbytes in [("a", 10), ("c", 100_000)]:
                with pytest.raises(StoreError, match="can't write"):
                    store.put(name, [bytes(nbytes)])
            store.close()
        for path in [place, *place.rglob("*")]:
            path.chmod(0o755)
        assert files_below(place) == files_before

    def test_a_small_value_that_sqlite_cant_take_is_a_file(self, store: DirectoryStore, place: Path) -> None:
        store.put("a", [b"1"])
        other = sqlite3.connect(place / "small.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        impatient = DirectoryStore(place)
        assert impatient._rows is not None
        impatient._rows._wait_seconds = 0.05
        with pytest.warns(CheckpointWarning, match="locked"):
            impatient.put("a", [b"2"])
        impatient.put("b", [b"3"])
        assert [content_of(store, name) for name in "ab"] == [b"2", b"3"]
        other.execute("COMMIT")
        other.close()
        impatient.close()
        assert [content_of(store, name) for name in "ab"] == [b"2", b"3"]
        store.put("a", [b"4"])
        assert content_of(store, "a") == b"4"
        assert store.remove("a")
        assert store.get("a") is None

    @pytest.mark.parametrize("damage", ["garbage", "header", "middle", "cut"])
    def test_a_damaged_sqlite_file_is_moved_aside_and_files_stay(self, place: Path, damage: str) -> None:
        names = [f"records/{i:064x}" for i in range(300)]
        code = f"for name in {names}: store.put(name, [bytes(500)])\nstore.put('large', [bytes(100_000)])"
        run(f"store = DirectoryStore({str(place)!r})\n{code}")
        file = place / "small.sqlite"
        data = bytearray(file.read_bytes())
        if damage == "garbage":
            data[:] = os.urandom(len(data))
        elif damage == "header":
            data[:100] = bytes(100)
        elif damage == "middle":
            data[4096:] = os.urandom(len(data) - 4096)
        else:
            del data[5000:]
        file.write_bytes(data)
        store = DirectoryStore(place)
        with pytest.warns(CheckpointWarning, match=r"small.sqlite is damaged .* now .*small.sqlite.damaged"):
            assert store.get(names[0]) is None
        assert content_of(store, "large") == bytes(100_000)
        store.put(names[0], [b"again"])
        assert content_of(DirectoryStore(place), names[0]) == b"again"
        assert (place / "small.sqlite.damaged").read_bytes() == data
        store.close()
        assert {"small-1.sqlite", "small.sqlite.damaged"} < set(files_below(place))

    def test_an_empty_sqlite_file_is_used(self, store: DirectoryStore, place: Path) -> None:
        place.mkdir()
        (place / "small.sqlite").touch()
        assert store.get("a") is None
        store.put("a", [b"1"])
        assert content_of(store, "a") == b"1"

    def test_a_sqlite_file_of_another_version_is_left_alone(self, place: Path) -> None:
        place.mkdir()
        other = sqlite3.connect(place / "small.sqlite")
        other.execute("PRAGMA user_version=99")
        other.close()
        before = (place / "small.sqlite").read_bytes()
        store = DirectoryStore(place)
        with pytest.warns(CheckpointWarning, match="version 99"):
            assert store.get("a") is None
        store.put("a", [b"1"])
        assert content_of(store, "a") == b"1"
        assert (place / "small.sqlite").read_bytes() == before
        with pytest.warns(CheckpointWarning, match="version 99"):
            DirectoryStore(place).put("b", [b"2"])
        assert content_of(store, "b") == b"2"


# Python warns of what we test: forks while other threads are there.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
class TestForksAndThreads:
    def test_a_fork_and_its_parent_both_go_on(self, store: DirectoryStore, place: Path) -> None:
        store.put("before", [b"1"])
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                for i in range(100):
                    store.put(f"child/{i}", [b"2"])
                os._exit(0 if content_of(store, "before") == b"1" else 1)
            os._exit(2)
        for i in range(100):
            store.put(f"parent/{i}", [b"3"])
        assert os.waitpid(child, 0)[1] == 0
        assert len(list(store.entries("child/"))) == 100
        assert len(list(store.entries("parent/"))) == 100

    def test_no_connection_is_carried_into_a_fork(self, store: DirectoryStore, place: Path) -> None:
        store.put("a", [b"1"])
        file = (place / "small.sqlite").stat()
        assert same_file_is_open(file)
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                os._exit(3 if same_file_is_open(file) else 0)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0

    def test_a_store_that_is_dropped_leaves_one_plain_file(self, place: Path) -> None:
        store = DirectoryStore(place)
        store.put("a", [b"1"])
        assert (place / "small.sqlite-wal").exists()
        del store
        gc.collect()
        assert files_below(place) == [".gitignore", "CACHEDIR.TAG", "small.sqlite"]

    def test_a_process_that_ends_leaves_one_plain_file(self, place: Path) -> None:
        run(f"store = DirectoryStore({str(place)!r})\nstore.put('a', [b'1'])")
        assert files_below(place) == [".gitignore", "CACHEDIR.TAG", "small.sqlite"]

    def test_it_is_used_again_after_close(self, store: DirectoryStore) -> None:
        store.put("a", [b"1"])
        store.close()
        assert content_of(store, "a") == b"1"
        store.close()
        store.put("a", [b"2"])
        assert content_of(store, "a") == b"2"


class TestRenewals:
    """What was renewed a moment ago is known without a look, unless anybody else has changed anything."""

    @pytest.mark.parametrize("who", ["we", "another store", "rm"])
    @pytest.mark.filterwarnings("ignore::ipycheckpoint.errors.CheckpointWarning")
    def test_what_was_removed_since_is_not_renewed(self, store: DirectoryStore, place: Path, who: str) -> None:
        store.put("a", [b"1"])
        assert store.renew("a", 0.0)
        if who == "we":
            store.remove("a")
        elif who == "rm":
            shutil.rmtree(place)
        else:
            with closing(DirectoryStore(place)) as other:
                other.remove("a")
        assert not store.renew("a", 0.0)

    @pytest.mark.parametrize("who", ["nobody", "we", "another store", "rm"])
    @pytest.mark.filterwarnings("ignore::ipycheckpoint.errors.CheckpointWarning")
    def test_several_are_surely_there_unless_anybody_has_changed_anything(
        self, store: DirectoryStore, place: Path, who: str
    ) -> None:
        for name in ("a", "b"):
            store.put(name, [b"1"])
            assert store.renew(name, 0.0)
        if who == "we":
            store.remove("a")
        elif who == "rm":
            shutil.rmtree(place)
        elif who == "another store":
            with closing(DirectoryStore(place)) as other:
                other.remove("a")
        assert store.are_surely_renewed(["a", "b"], 0.0) == (who == "nobody")

    def test_nothing_is_surely_there_that_was_not_renewed_here_or_is_too_old(self, store: DirectoryStore) -> None:
        for name in ("a", "b"):
            store.put(name, [b"1"])
        store.renew("a", 0.0)
        assert store.are_surely_renewed(["a"], 0.0)
        assert not store.are_surely_renewed(["a", "b"], 0.0)
        assert not store.are_surely_renewed(["a"], time.time() + 1)

    def test_what_is_older_than_it_may_be_is_renewed_again(self, store: DirectoryStore) -> None:
        store.put("a", [b"1"])
        assert store.renew("a", 0.0)
        time.sleep(0.02)
        limit = time.time()
        assert store.renew("a", limit)
        [entry] = store.entries("a")
        assert entry.modified >= limit


class TestNumbersOfRows:
    def test_each_put_has_a_number_above_all_before(self, store: DirectoryStore) -> None:
        for name in ("a", "b", "a"):
            store.put(name, [b"1"])
        assert [name for _, _, name in store.rows_from(0)] == ["b", "a"]
        assert store.rows_from(0)[-1][:2] == store.newest_row()
        assert [name for _, _, name in store.rows_from(store.newest_row()[0])] == ["a"]

    def test_a_renewal_is_no_put(self, store: DirectoryStore) -> None:
        for name in ("a", "b"):
            store.put(name, [b"1"])
        before = store.rows_from(0)
        assert store.renew("a", time.time())
        assert store.rows_from(0) == before

    def test_a_large_value_has_none(self, store: DirectoryStore) -> None:
        store.put("a", [b"x" * 100_000])
        assert not store.is_row(100_000)
        assert store.rows_from(0) == []

    def test_where_there_is_nothing_there_are_none_and_nothing_is_written(self, place: Path) -> None:
        store = DirectoryStore(place)
        assert (store.rows_from(0), store.newest_row(), store.rows_state()) == ([], None, None)
        assert not place.exists()

    def test_their_numbers_keep_their_order_when_the_file_is_compacted(self, store: DirectoryStore) -> None:
        for number in range(200):
            store.put(f"n{number}", [b"x" * 1000])
        for number in range(0, 200, 2):
            store.remove(f"n{number}")
        before = [name for _, _, name in store.rows_from(0)]
        store.compact()
        assert [name for _, _, name in store.rows_from(0)] == before


def same_file_is_open(file: os.stat_result) -> bool:
    for descriptor in range(256):
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), file):
                return True
    return False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(0o700)


def run(code: str) -> None:
    subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{TestDirectoryStore.imports}\n{code}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
