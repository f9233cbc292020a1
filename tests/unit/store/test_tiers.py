"""A local store in front of a shared one: what is read comes near, what is put goes out, nothing is lost."""

from __future__ import annotations

import os
import platform
import threading
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fsspec")

from ipycheckpoint.cache.promises import is_whole
from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import CheckpointWarning, StoreError
from ipycheckpoint.store.base import Store
from ipycheckpoint.store.directory import DirectoryStore
from ipycheckpoint.store.memory import MemoryStore
from ipycheckpoint.store.shared import RemoteStore
from ipycheckpoint.store.tiers import PENDING, TieredStore
from tests.contracts.store_contract import StoreContract, content_of, in_memory, names_of


class Shared:
    """A shared store that counts what it is asked, and can be out of reach or closed to writers."""

    location = "far://away"

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.asked: list[tuple[str, str]] = []
        self.gone = self.closed = False

    def fetch(self, names):
        self._heard("fetch", ",".join(names))
        return {name: bytes(found.view) for name in names if (found := self.store.get(name)) is not None}

    def entries(self, prefix: str = ""):
        return self.store.entries(prefix)

    def __getattr__(self, method: str) -> Any:
        def ask(name: str, *args: Any) -> Any:
            self._heard(method, name)
            return getattr(self.store, method)(name, *args)

        return ask

    def _heard(self, method: str, name: str) -> None:
        self.asked.append((method, name))
        if self.gone:
            raise StoreError(self.location, method, "no route to host")
        if self.closed and method in ("put", "remove", "renew"):
            problem = StoreError(self.location, method, "forbidden")
            raise problem from PermissionError("forbidden")


@pytest.fixture
def shared() -> Shared:
    return Shared()


def tiered(shared: Shared, local: Store | None = None, **more: Any) -> TieredStore:
    return TieredStore(local or MemoryStore(), shared, is_whole, **more)


def blob(content: bytes) -> str:
    return f"blobs/{digest_bytes(content)}"


class _Tiers(StoreContract):
    write: str

    def open(self, path: Path) -> Store:
        return TieredStore(DirectoryStore(path), RemoteStore(in_memory()), is_whole, write=self.write)

    @pytest.mark.parametrize("nbytes", [3, 100_000])
    def test_what_is_old_is_removed_and_what_is_not_stays(self, store, nbytes):
        """What is near is, and it is there still for others."""
        store.put("a", [b"x" * nbytes])
        store.flush()
        assert not store.remove_old("a", 0)
        assert store.remove_old("a", 2**40)
        assert names_of(store) == []
        assert content_of(store, "a") == b"x" * nbytes

    @pytest.mark.parametrize("nbytes", [3, 100_000])
    def test_what_was_renewed_is_not_old_any_more(self, store, nbytes):
        store.put("a", [b"x" * nbytes])
        store.flush()
        [before] = store.entries("a")
        time.sleep(0.01)
        assert store.renew("a", before.modified + 0.001)
        assert not store.remove_old("a", before.modified + 0.001)


class TestThrough(_Tiers):
    write = "through"


class TestBehind(_Tiers):
    write = "behind"

    @pytest.mark.parametrize("nbytes", [10, 1_000_000])
    def test_a_state_tells_whether_what_was_got_is_still_there(self, store, place, nbytes):
        """While something is on its way, states change."""
        put = store.put
        store.put = lambda name, chunks: (put(name, chunks), store.flush())
        super().test_a_state_tells_whether_what_was_got_is_still_there(store, place, nbytes)


def test_what_is_put_is_here_at_once_and_there_soon(shared):
    store = tiered(shared)
    store.put("notes/a", [b"1"])
    assert content_of(store, "notes/a") == b"1"
    assert store.flush(10) == 0
    assert content_of(shared.store, "notes/a") == b"1"


def test_through_it_is_there_when_the_put_returns(shared):
    tiered(shared, write="through").put("a", [b"1"])
    assert content_of(shared.store, "a") == b"1"


def test_what_is_damaged_here_is_never_sent(shared):
    local = MemoryStore()
    shared.store.put(blob(b"right"), [b"right"])
    local.put(blob(b"right"), [b"wrong"])
    local.put(PENDING + blob(b"right"), [f"{platform.node()} 999999999".encode()])
    store = tiered(shared, local)
    with pytest.warns(CheckpointWarning, match="is not sent what is damaged here: blobs/"):
        store._work()
    assert store.left() == []
    assert content_of(shared.store, blob(b"right")) == b"right"


def test_things_arrive_in_the_order_in_which_they_were_put(shared):
    store = tiered(shared)
    names = [f"{kind}/{number}" for number in range(20) for kind in ("pins", "notes")]
    for name in names:
        store.put(name, [b"1"])
    store.flush(10)
    assert [name for method, name in shared.asked if method == "put"] == names


def test_what_was_read_once_is_not_asked_for_again(shared):
    shared.store.put(blob(b"1"), [b"1"])
    store = tiered(shared)
    assert [content_of(store, blob(b"1")) for _ in range(3)] == [b"1"] * 3
    assert shared.asked == [("get", blob(b"1"))]


def test_only_what_is_missing_travels(shared):
    shared.store.put(blob(b"known"), [b"known"])
    store = tiered(shared)
    for content in (b"known", b"new"):
        store.put(blob(content), [content])
    store.flush(10)
    assert [name for method, name in shared.asked if method == "put"] == [blob(b"new")]


def test_what_came_from_there_is_not_sent_back(shared):
    shared.store.put(blob(b"1"), [b"1"])
    store = tiered(shared)
    store.get(blob(b"1"))
    store.renew(blob(b"1"), 0)
    store.flush(10)
    assert {method for method, _ in shared.asked} == {"get"}


def test_many_come_at_once(shared):
    names = [blob(bytes([number])) for number in range(50)]
    for number, name in enumerate(names):
        shared.store.put(name, [bytes([number])])
    store = tiered(shared)
    assert store.bring([*names, "blobs/none"]) == set(names)
    assert [method for method, _ in shared.asked] == ["fetch"]
    assert content_of(store, names[7]) == bytes([7])
    assert len(shared.asked) == 1


def test_what_is_damaged_there_does_not_come_near(shared):
    shared.store.put(blob(b"1"), [b"damaged"])
    store = tiered(shared)
    assert content_of(store, blob(b"1")) == b"damaged"
    assert store.bring([blob(b"1")]) == {blob(b"1")}
    assert names_of(store) == []


def test_a_blob_that_is_damaged_here_is_had_from_there_again(shared):
    store = tiered(shared)
    shared.store.put(blob(b"1"), [b"1"])
    store.local.put(blob(b"1"), [b"damaged"])
    store.remove(blob(b"1"))
    assert content_of(store, blob(b"1")) == b"1"


def test_what_is_removed_is_gone_for_all(shared):
    store = tiered(shared, write="through")
    store.put("pins/a", [b"1"])
    assert store.remove("pins/a")
    assert content_of(shared.store, "pins/a") is None
    assert content_of(store, "pins/a") is None


@pytest.mark.filterwarnings("ignore:far")
@pytest.mark.parametrize("write", ["through", "behind"])
def test_while_it_is_out_of_reach_all_goes_on_here_and_catches_up(shared, write):
    store = tiered(shared, write=write)
    shared.gone = True
    store.put("notes/a", [b"1"])
    assert content_of(store, "notes/a") == b"1"
    assert content_of(store, "notes/b") is None
    assert store.flush(0.3) == 1
    shared.gone, store._rest_until = False, 0.0
    store.contains("notes/c")
    assert store.flush(10) == 0
    assert content_of(shared.store, "notes/a") == b"1"


def test_one_warning_says_that_it_is_out_of_reach(shared):
    store = tiered(shared)
    shared.gone = True
    with pytest.warns(CheckpointWarning, match="far://away can't be reached") as told:
        store.get("a")
    store._rest_until = 0.0
    store.get("a")
    assert len(told) == 1


@pytest.mark.filterwarnings("ignore:far")
def test_what_is_out_of_reach_is_not_asked_again_and_again(shared):
    store = tiered(shared)
    shared.gone = True
    for _ in range(100):
        store.get("a")
    assert len(shared.asked) == 1


@pytest.mark.filterwarnings("ignore:far")
def test_a_member_who_may_only_read_works_here_alone(shared):
    shared.store.put("notes/a", [b"1"])
    shared.closed = True
    store = tiered(shared)
    store.put("notes/b", [b"2"])
    assert store.flush(10) == 0
    assert content_of(store, "notes/a") == b"1"
    assert content_of(store, "notes/b") == b"2"
    store.put("notes/c", [b"3"])
    assert [name for method, name in shared.asked if method == "put"] == ["notes/b"]


@pytest.mark.filterwarnings("ignore:far")
def test_what_a_process_leaves_behind_the_next_one_sends(shared, tmp_path):
    first = tiered(shared, DirectoryStore(tmp_path))
    shared.gone = True
    first.put("notes/a", [b"1"])
    first.flush(0.3)
    shared.gone = False
    second = tiered(shared, DirectoryStore(tmp_path))
    second.get("anything")
    assert second.flush(10) == 0
    assert content_of(shared.store, "notes/a") == b"1"


def test_what_a_living_process_is_to_send_is_left_to_it(shared, tmp_path):
    local = DirectoryStore(tmp_path)
    local.put("notes/a", [b"1"])
    local.put(PENDING + "notes/a", [b"elsewhere 1"])
    store = tiered(shared, local)
    store.catch_up()
    assert store.waiting == 0
    assert store.left() == ["notes/a"]


def test_what_an_earlier_process_of_the_same_number_has_left_is_sent(shared, tmp_path):
    """In a container every process may be number 1."""
    local = DirectoryStore(tmp_path)
    local.put("notes/a", [b"1"])
    local.put(PENDING + "notes/a", [f"{platform.node()} {os.getpid()} earlier".encode()])
    assert tiered(shared, local).flush(10) == 0
    assert content_of(shared.store, "notes/a") == b"1"


def test_what_waits_is_not_pruned(shared):
    store = tiered(shared)
    store.local.put("notes/a", [b"1"])
    store.local.put(PENDING + "notes/a", [b"elsewhere 1"])
    assert not store.remove_old("notes/a", 2**40)


def test_what_is_gone_before_it_was_sent_is_forgotten(shared):
    store = tiered(shared)
    store.local.put(PENDING + "notes/a", [f"{platform.node()} 999999999".encode()])
    store.catch_up()
    assert store.flush(10) == 0


def test_who_puts_very_much_waits_for_the_shared_store(shared, monkeypatch):
    monkeypatch.setattr("ipycheckpoint.store.tiers._MOST_WAITING", 5)
    store = tiered(shared)
    for number in range(100):
        store.put(f"notes/{number}", [b"1"])
        assert store.waiting <= 6


def test_closing_sends_what_waits(shared):
    store = tiered(shared)
    store.put("notes/a", [b"1"])
    store.close()
    assert content_of(shared.store, "notes/a") == b"1"


@pytest.mark.filterwarnings("ignore:far")
def test_closing_says_what_is_left(shared):
    store = tiered(shared)
    shared.gone = True
    store.put("notes/a", [b"1"])
    with pytest.warns(CheckpointWarning, match="1 entry has not reached far://away yet"):
        store.close()


@pytest.mark.filterwarnings("ignore:far")
def test_closing_tries_once_more_what_was_out_of_reach_before(shared):
    store = tiered(shared)
    shared.gone = True
    store.put("notes/a", [b"1"])
    assert store.flush(0.3) == 1
    shared.gone = False
    store.close()
    assert content_of(shared.store, "notes/a") == b"1"


@pytest.mark.filterwarnings("ignore:far")
def test_at_the_end_of_an_interpreter_that_starts_no_threads_the_next_process_sends_what_is_left(shared, monkeypatch):
    """As Python 3.12 ends."""
    parted = []
    store = tiered(shared, parting=lambda: parted.append(True))
    shared.gone = True
    store.put("notes/a", [b"1"])
    assert store.flush(0.3) == 1
    shared.gone, store._rest_until, store._thread = False, 0.0, None
    monkeypatch.setattr(threading.Thread, "start", refuse_to_start)
    with pytest.warns(CheckpointWarning, match="1 entry has not reached"):
        store.close()
    assert parted == [True]
    assert store.waiting == 0
    monkeypatch.undo()
    assert store.flush(10) == 0
    assert content_of(shared.store, "notes/a") == b"1"


def refuse_to_start(thread: threading.Thread) -> None:
    raise RuntimeError("can't create new thread at interpreter shutdown")


@pytest.mark.filterwarnings("ignore:far")
def test_what_stays_out_of_reach_is_asked_less_and_less(shared, monkeypatch):
    store, now = tiered(shared), [0.0]
    monkeypatch.setattr("ipycheckpoint.store.tiers.time.monotonic", lambda: now[0])
    shared.gone = True
    for now[0] in range(0, 3600, 10):
        store.get("a")
    assert len(shared.asked) <= 12


def test_what_is_marked_while_another_thread_sends_it_does_not_stay_marked(shared, monkeypatch):
    """The mark comes after the other one's was taken away: who has set it sees to it that it goes, too."""
    store = tiered(shared)
    put = store.local.put

    def put_late(name, chunks):
        if name.startswith(PENDING):
            store._known[name.removeprefix(PENDING)] = time.monotonic()  # another thread has sent it just now
        put(name, chunks)

    monkeypatch.setattr(store.local, "put", put_late)
    store.put("notes/a", [b"1"])
    assert store.flush(10) == 0
