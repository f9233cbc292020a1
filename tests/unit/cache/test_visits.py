"""What members of a group tell of their hits, and what others read of it."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("fsspec")

from ipycheckpoint.cache.cache import Cache, Found
from ipycheckpoint.cache.visits import EVERY_SECONDS, VISITS, Visits, uses
from ipycheckpoint.errors import StoreError
from ipycheckpoint.store.shared import RemoteStore
from tests.contracts.cache_contract import draft, identity, opened
from tests.contracts.store_contract import in_memory, names_of


@pytest.fixture
def shared() -> RemoteStore:
    return RemoteStore(in_memory())


@pytest.fixture
def near(tmp_path):
    cache = opened(tmp_path / "near")
    yield cache
    cache.close()


def used(cache: Cache, name: str, hits: int = 1) -> str:
    header = cache.save(draft(identity(name), 1))
    for _ in range(hits):
        assert isinstance(cache.find(header.key), Found)
        cache.count_hit(header, 0.01)
    return header.key


def test_what_was_used_is_told_with_time_and_count(near, shared):
    key, began = used(near, "x", 3), time.time()
    used(near, "y", 0)
    Visits(near, shared).tell()
    [(told, use)] = uses(shared).items()
    assert (told, use.hits) == (key, 3)
    assert abs(use.last - began) < 60


def test_who_has_used_nothing_tells_nothing(near, shared):
    used(near, "x", 0)
    Visits(near, shared).tell()
    assert names_of(shared) == []


def test_a_member_has_one_entry_and_puts_it_about_once_a_day(near, shared, monkeypatch):
    used(near, "x")
    Visits(near, shared).tell()
    used(near, "y")
    Visits(near, shared).tell()
    assert len(uses(shared)) == 1
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + EVERY_SECONDS + 1)
    Visits(near, shared).tell()
    assert len(uses(shared)) == 2
    assert len(names_of(shared, VISITS)) == 1


def test_who_may_not_write_there_tries_once_a_day_and_hears_nothing(near, shared, monkeypatch):
    asked = []

    def refuse(name, chunks):
        asked.append(name)
        raise StoreError(shared.location, "write", "forbidden")

    monkeypatch.setattr(shared, "put", refuse)
    used(near, "x")
    for _ in range(3):
        Visits(near, shared).tell()
    assert len(asked) == 1


def test_the_latest_use_counts_and_hits_are_added_up(shared):
    shared.put(f"{VISITS}a", [b"k 100 2\n"])
    shared.put(f"{VISITS}b", [b"k 300 3\nl 200 1\n"])
    assert uses(shared) == {"k": (300.0, 5), "l": (200.0, 1)}


@pytest.mark.parametrize("line", [b"k", b"k x 1", b"k 1", b"\xff\xfe 1 1 1", b"k -1 1", b""])
def test_what_is_no_line_of_ours_is_passed_over(shared, line):
    shared.put(f"{VISITS}a", [line + b"\nl 200 1\n"])
    assert uses(shared)["l"] == (200.0, 1)


def test_no_clock_keeps_a_record_for_ever(shared):
    shared.put(f"{VISITS}a", [b"k 99999999999 1\n"])
    assert uses(shared)["k"].last <= time.time()
