"""Stores at URLs keep the contract of every Store, and what a protocol raises is told with the URL."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fsspec")

from ipycheckpoint.errors import StoreError, UsageError
from ipycheckpoint.store.base import Store
from ipycheckpoint.store.shared import RemoteStore
from tests.contracts.store_contract import SharedStoreContract, StoreContract, content_of, in_memory, names_of


class TestInMemory(StoreContract):
    def open(self, path: Path) -> Store:
        return RemoteStore(in_memory())

    # It tells when a file was made, and nothing else by which two files can be told apart.
    test_a_state_tells_whether_what_was_got_is_still_there = None
    test_a_state_changes_with_the_size = None

    def test_it_does_not_say_whether_what_was_got_is_still_there(self, store):
        store.put("a", [b"1"])
        assert store.state("a", store.get("a")) is None


class TestOnADisk(SharedStoreContract):
    """What fsspec makes of a disk stands for all protocols without a put in one step."""

    imports = "from ipycheckpoint.store.shared import RemoteStore"
    expression = "[it := RemoteStore('file://' + {path!r}), setattr(it, 'path', {path!r})][0]"

    def open(self, path: Path) -> Store:
        store = RemoteStore(f"file://{path}")
        store.path = path
        return store


@pytest.fixture
def store() -> RemoteStore:
    return RemoteStore(in_memory())


def test_many_are_fetched_at_once_and_those_that_are_not_there_are_left_out(store):
    for number in range(10):
        store.put(f"r/{number}", [bytes([number])])
    assert store.fetch([f"r/{number}" for number in range(5, 15)]) == {f"r/{n}": bytes([n]) for n in range(5, 10)}


@pytest.mark.parametrize("names", [[], ["a"], ["b"], ["a", "b"]])
def test_few_are_fetched_as_well(store, names):
    store.put("a", [b"1"])
    assert store.fetch(names) == {name: b"1" for name in names if name == "a"}


def test_a_renewal_leaves_the_entry_as_it_is(store):
    store.put("a", [b"1"])
    [before] = store.entries()
    time.sleep(0.02)
    assert store.renew("a", time.time())
    [after] = store.entries()
    assert (after.name, after.nbytes) == ("a", 1)
    assert after.modified > before.modified
    assert content_of(store, "a") == b"1"


def test_what_others_have_put_there_is_not_listed(store):
    store.put("records/a", [b"1"])
    store._files.write("records/readme.txt", [b"1"])
    store._files.write("readme.txt", [b"1"])
    assert names_of(store) == ["records/a"]


def test_who_renews_what_is_just_leaving_is_told_what_became_of_it(store):
    """The one who removes it has looked for renewals for the last time; the one who renews it waits for the end."""
    store.put("a", [b"1"])
    store._files.write("@@leaving/@a", [])
    told = []
    renewing = threading.Thread(target=lambda: told.append(store.renew("a", time.time() + 60)))
    renewing.start()
    renewing.join(0.2)
    assert told == []
    store.remove("a")
    store._files.remove("@@leaving/@a")
    renewing.join()
    assert told == [False]


def test_who_was_killed_while_removing_holds_nobody_up_for_ever(store, monkeypatch):
    store.put("a", [b"1"])
    store._files.write("@@leaving/@a", [])
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    assert store.renew("a", later + 60)


def test_what_is_renewed_while_it_is_to_be_removed_stays(store, monkeypatch):
    store.put("a", [b"1"])
    limit = time.time() + 60
    write = store._files.write

    def renewing(name, chunks):
        write(name, chunks)
        if name.startswith("@@leaving"):
            monkeypatch.setattr("ipycheckpoint.store.shared.modified_of", lambda told: limit + 60)

    monkeypatch.setattr(store._files, "write", renewing)
    assert not store.remove_old("a", limit)
    assert store.contains("a")


def test_nothing_is_opened_before_it_is_used() -> None:
    assert RemoteStore("nowhere://x").location == "nowhere://x"


def test_credentials_are_shown_nowhere(gone: Any) -> None:
    gone.message = "the server me:secret@nowhere.invalid is gone"
    store = RemoteStore("sftp://me:secret@nowhere.invalid/cache")
    store._files._connection._opened = (gone, "/cache")
    with pytest.raises(StoreError) as caught:
        store.get("a")
    assert store.location == "sftp://nowhere.invalid/cache"
    assert "secret" not in str(caught.value)
    assert "the server" in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.get("a"),
        lambda store: store.fetch(["a"]),
        lambda store: store.put("a", [b"1"]),
        lambda store: store.contains("a"),
        lambda store: store.remove("a"),
        lambda store: store.renew("a", 0.0),
        lambda store: store.remove_old("a", 0.0),
        lambda store: list(store.entries()),
    ],
)
def test_whatever_a_protocol_raises_is_a_store_error_with_the_url(gone: Any, call: Any) -> None:
    store = RemoteStore("sftp://host/x")
    store._files._connection._opened = (gone, "/x")
    with pytest.raises(StoreError, match=r"sftp://host/x.*is gone"):
        call(store)


def test_without_fsspec_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match=r"pip install 'ipycheckpoint\[remote\]'"):
        RemoteStore("memory://x").get("a")
