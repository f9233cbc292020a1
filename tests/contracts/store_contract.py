"""What every Store promises. A Store's test class inherits it and says how the Store is opened.

The tests of `StoreContract` hold for any Store; those of `SharedStoreContract` for one whose bytes outlive the process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipycheckpoint.errors import UsageError
from ipycheckpoint.store.base import Store

ROOT = Path(__file__).parents[2]

NAMES = st.sampled_from(["a", "b/a", "b/c", "b/ab/c", "ab", "b/ab", "records/" + "5f" * 32, "x=1/50%25/-_+.y"])
# Around the limits between small and large values that the subclasses set.
VALUES = st.integers(0, 200).flatmap(lambda n: st.binary(min_size=n, max_size=n))
ACTIONS = st.lists(
    st.one_of(st.tuples(st.just("put"), NAMES, VALUES), st.tuples(st.just("remove"), NAMES, st.just(b""))), max_size=25
)


def snapshot(path: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder below `path`, with size and time."""
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in [path.parent, *path.rglob("*")]}


def in_memory() -> str:
    """The URL of a place in this process's memory that nobody has used before."""
    return f"memory://{uuid.uuid4().hex}"


def names_of(store: Store, prefix: str = "") -> list[str]:
    return sorted(entry.name for entry in store.entries(prefix))


def content_of(store: Store, name: str) -> bytes | None:
    content = store.get(name)
    return None if content is None else bytes(content.view)


class StoreContract:
    def open(self, path: Path) -> Store:
        """A Store whose bytes are in the folder `path`, if it needs one."""
        raise NotImplementedError

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path / "cache"

    @pytest.fixture
    def store(self, place: Path) -> Store:
        return self.open(place)

    def test_what_was_never_put_is_not_there(self, store: Store) -> None:
        assert store.get("a/b") is None
        assert not store.contains("a/b")
        assert not store.remove("a/b")
        assert names_of(store) == []

    # Each subclass is an executor of its own, and they share no state.
    @settings(suppress_health_check=[HealthCheck.differing_executors])
    @given(actions=ACTIONS)
    def test_it_behaves_like_a_dict(self, actions: list[tuple[str, str, bytes]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = self.open(Path(folder) / "cache")
            model: dict[str, bytes] = {}
            for action, name, value in actions:
                if action == "put":
                    store.put(name, [value])
                    model[name] = value
                else:
                    assert store.remove(name) == (model.pop(name, None) is not None)
                assert content_of(store, name) == model.get(name)
            assert {name: content_of(store, name) for name in model} == model
            assert all(store.contains(name) for name in model)
            assert {e.name: e.nbytes for e in store.entries()} == {n: len(v) for n, v in model.items()}
            getattr(store, "close", lambda: None)()

    @pytest.mark.parametrize("nbytes", [0, 1, 1000, 65535, 65536, 65537, 3_000_000])
    def test_bytes_come_back_exactly(self, store: Store, nbytes: int) -> None:
        value = os.urandom(nbytes)
        store.put("a/b", [value])
        assert content_of(store, "a/b") == value

    def test_chunks_of_any_layout_are_put_one_after_the_other(self, store: Store) -> None:
        grid = np.arange(30_000, dtype="<i4").reshape(100, 300)
        empty = np.empty((0, 3))
        for name, part in [("small", grid[:2]), ("large", grid)]:
            store.put(name, [b"<", memoryview(part), memoryview(empty), memoryview(bytearray(b">"))])
            assert content_of(store, name) == b"<" + part.tobytes() + b">"

    def test_no_chunks_are_an_empty_value(self, store: Store) -> None:
        store.put("a", [])
        assert store.contains("a")
        assert content_of(store, "a") == b""

    @pytest.mark.parametrize("nbytes", [10, 1_000_000])
    def test_what_is_got_is_private_and_writable(self, store: Store, nbytes: int) -> None:
        store.put("a", [b"x" * nbytes])
        first, second = store.get("a"), store.get("a")
        assert first is not None
        assert second is not None
        first.view[:2] = b"!!"
        assert bytes(second.view) == b"x" * nbytes
        assert content_of(store, "a") == b"x" * nbytes

    @pytest.mark.parametrize("nbytes", [10, 1_000_000])
    def test_what_was_got_outlives_its_replacement_and_removal(self, store: Store, nbytes: int) -> None:
        store.put("a", [b"1" * nbytes])
        content = store.get("a")
        store.put("a", [b"2" * nbytes])
        store.remove("a")
        assert content is not None
        assert bytes(content.view) == b"1" * nbytes

    @pytest.mark.parametrize("nbytes", [10, 1_000_000])
    def test_a_stamp_changes_with_the_bytes_and_not_without(self, store: Store, nbytes: int) -> None:
        store.put("a", [b"1" * nbytes])
        first, again = store.get("a"), store.get("a")
        store.put("a", [b"2" * nbytes])
        changed = store.get("a")
        assert first is not None
        assert again is not None
        assert changed is not None
        if first.stamp is not None:
            assert first.stamp == again.stamp
            assert first.stamp != changed.stamp

    @pytest.mark.parametrize("nbytes", [10, 1_000_000])
    def test_a_state_tells_whether_what_was_got_is_still_there(self, store: Store, place: Path, nbytes: int) -> None:
        store.put("a", [b"1" * nbytes])
        content = store.get("a")
        assert content is not None
        state = store.state("a", content)
        assert state is not None
        assert store.state("a", content) == state
        store.put("a", [b"2" * nbytes])
        assert store.state("a", content) != state
        store.put("a", [b"1" * nbytes])
        content = store.get("a")
        assert content is not None
        state = store.state("a", content)
        store.remove("a")
        assert store.state("a", content) != state

    @pytest.mark.parametrize(("before", "after"), [(10, 1_000_000), (1_000_000, 10)])
    def test_a_state_changes_with_the_size(self, store: Store, before: int, after: int) -> None:
        store.put("a", [b"1" * before])
        content = store.get("a")
        assert content is not None
        state = store.state("a", content)
        store.put("a", [b"1" * after])
        assert store.state("a", content) != state

    def test_a_listing_is_of_one_prefix(self, store: Store) -> None:
        for name in ["records/ab1", "records/ab2", "records/cd", "recordsx/ab", "blobs/ab1", "records/ab1/deep"]:
            store.put(name, [b"1"])
        assert names_of(store, "records/ab") == ["records/ab1", "records/ab1/deep", "records/ab2"]
        assert names_of(store, "records/") == ["records/ab1", "records/ab1/deep", "records/ab2", "records/cd"]
        assert names_of(store, "nothing") == []

    @pytest.mark.parametrize("large", [False, True])
    def test_a_listing_tells_when_the_value_was_put(self, store: Store, large: bool) -> None:
        store.put("a", [bytes(100_000 if large else 1)])
        (before,) = store.entries()
        store.put("a", [bytes(100_001 if large else 2)])
        (after,) = store.entries()
        assert 1_600_000_000 < before.modified <= after.modified

    @pytest.mark.parametrize(
        "name", ["", "/", "/etc/passwd", "a/", "a//b", "..", "../x", "a/../b", ".", "a/./b", "a/...", "a\\b", "a b",
                 "a\0b", "a\n", "é", "~", "@new/x", "x" * 201]
    )  # fmt: skip
    def test_a_name_that_is_not_safe_is_refused_by_every_method(self, store: Store, name: str) -> None:
        for call in [store.get, store.contains, store.remove, lambda n: store.put(n, [b"1"])]:
            with pytest.raises(UsageError):
                call(name)
        assert names_of(store) == []

    def test_threads_never_see_a_torn_or_missing_value(self, store: Store) -> None:
        values = [bytes([i]) * n for i, n in enumerate([20, 90, 150, 70_000, 40, 200_000])]
        store.put("a", [values[0]])
        done = threading.Event()
        wrong: list[object] = []

        def look() -> None:
            while not done.is_set():
                seen = content_of(store, "a")
                if seen not in values:
                    wrong.append(seen)

        def write(index: int) -> None:
            try:
                for i in range(60):
                    store.put("a", [values[i % len(values)]])
                    store.put(f"own/{index}-{i}", [values[i % len(values)]])
            except Exception as error:
                wrong.append(error)

        readers = [threading.Thread(target=look) for _ in range(2)]
        writers = [threading.Thread(target=write, args=(index,)) for index in range(3)]
        for thread in [*readers, *writers]:
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        for thread in readers:
            thread.join()
        assert wrong == [], wrong[:3]
        assert len(names_of(store, "own/")) == 180

    @pytest.mark.parametrize("nbytes", [3, 100_000])
    def test_what_is_old_is_removed_and_what_is_not_stays(self, store, nbytes):
        store.put("a", [b"x" * nbytes])
        assert not store.remove_old("a", time.time() - 60)
        assert content_of(store, "a") == b"x" * nbytes
        assert store.remove_old("a", time.time() + 60)
        assert content_of(store, "a") is None
        assert names_of(store) == []

    @pytest.mark.parametrize("nbytes", [3, 100_000])
    def test_what_was_renewed_is_not_old_any_more(self, store, nbytes):
        store.put("a", [b"x" * nbytes])
        time.sleep(0.02)
        limit = time.time()
        assert store.renew("a", limit)
        assert not store.remove_old("a", limit)
        assert content_of(store, "a") == b"x" * nbytes

    def test_what_is_young_enough_is_not_written_by_a_renewal(self, store):
        store.put("a", [b"x"])
        [before] = store.entries("a")
        assert store.renew("a", before.modified)
        assert list(store.entries("a")) == [before]

    def test_what_is_not_there_can_be_neither_renewed_nor_removed(self, store):
        assert not store.renew("a", time.time())
        assert not store.remove_old("a", time.time())


class SharedStoreContract(StoreContract):
    imports: str
    """Import statements for another process."""

    expression: str
    """What opens the Store there, with `{path!r}` for its folder."""

    def start(self, place: Path, code: str) -> subprocess.Popen[str]:
        """Another process that runs `code`, with `store` open."""
        lines = [self.imports, f"store = {self.expression.format(path=str(place))}", code]
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", "\n".join(lines)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, place: Path, code: str) -> str:
        process = self.start(place, code)
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert err == ""
        return out

    @pytest.mark.parametrize(
        "change", ["store.put('a', [b'2' * {n}])", "store.remove('a')", "shutil.rmtree(store.path)"]
    )
    @pytest.mark.parametrize("nbytes", [10, 1_000_000])
    def test_a_state_tells_what_other_processes_did(self, store: Store, place: Path, nbytes: int, change: str) -> None:
        store.put("a", [b"1" * nbytes])
        content = store.get("a")
        assert content is not None
        state = store.state("a", content)
        assert state is not None
        self.run(place, "import shutil; " + change.format(n=nbytes))
        assert store.state("a", content) != state

    def test_queries_write_nothing_where_nothing_is(self, store: Store, place: Path) -> None:
        before = snapshot(place)
        store.get("a")
        store.contains("a")
        store.remove("a")
        names_of(store)
        assert not place.exists()
        assert snapshot(place) == before

    def test_queries_write_nothing_where_something_is(self, store: Store, place: Path) -> None:
        self.run(place, "store.put('a', [b'1']); store.put('b', [bytes(100_000)])")
        before = snapshot(place)
        assert content_of(store, "a") == b"1"
        assert content_of(store, "b") == bytes(100_000)
        assert content_of(store, "c") is None
        assert store.contains("a")
        assert not store.remove("c")
        assert names_of(store) == ["a", "b"]
        assert snapshot(place) == before

    def test_another_process_reads_what_this_one_puts(self, store: Store, place: Path) -> None:
        store.put("a", [b"small"])
        store.put("b", [b"large" * 20_000])
        code = "print(bytes(store.get('a').view).decode(), len(store.get('b').view))"
        assert self.run(place, code).split() == ["small", "100000"]

    def test_this_process_sees_what_another_one_puts_replaces_and_removes(self, store: Store, place: Path) -> None:
        store.put("a", [b"1"])
        store.put("b", [b"1"])
        assert content_of(store, "a") == b"1"
        self.run(place, "store.put('a', [b'2']); store.put('c', [b'3']); store.remove('b')")
        assert content_of(store, "a") == b"2"
        assert content_of(store, "c") == b"3"
        assert content_of(store, "b") is None

    def test_several_processes_put_at_once_and_lose_nothing(self, store: Store, place: Path) -> None:
        code = "for i in range(100): store.put(f'p{n}/{i}', [bytes([n]) * i * 3]); store.put('same', [bytes([n]) * 99])"
        processes = [self.start(place, f"n = {n}\n{code}") for n in range(4)]
        for process in processes:
            _, err = process.communicate()
            assert (process.returncode, err) == (0, "")
        assert len(names_of(store, "p")) == 400
        assert all(content_of(store, f"p{n}/{i}") == bytes([n]) * (i * 3) for n in range(4) for i in range(100))
        assert content_of(store, "same") in [bytes([n]) * 99 for n in range(4)]

    def test_a_killed_process_leaves_every_earlier_value_whole(self, store: Store, place: Path) -> None:
        code = (
            "import itertools\n"
            "for i in itertools.count():\n"
            "    nbytes = [10, 70, 100_000][i % 3]\n"
            "    store.put(f'v/{i}', [i.to_bytes(4, 'little') * nbytes])\n"
            "    store.put('again', [i.to_bytes(4, 'little') * nbytes])\n"
            "    print(i, flush=True)"
        )
        process = self.start(place, code)
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 40:
                break
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().split()
        process.communicate()
        last = max([40, *(int(number) for number in rest if number.isdigit())])
        for i in range(last):
            assert content_of(store, f"v/{i}") == i.to_bytes(4, "little") * [10, 70, 100_000][i % 3]
        again = content_of(store, "again")
        assert again is not None
        assert again == again[:4] * (len(again) // 4)
        store.put("after", [b"1"])
        assert content_of(store, "after") == b"1"
