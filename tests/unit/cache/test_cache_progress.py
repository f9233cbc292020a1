"""A save and a load say how far they have come, in bytes, from nothing to all, whatever Store is below."""

from __future__ import annotations

import numpy as np
import pytest

from ipycheckpoint import progress
from ipycheckpoint.cache.cache import Cache, Found
from ipycheckpoint.progress import Progress, told_to
from ipycheckpoint.store import system
from tests.contracts.cache_contract import draft, identity, opened

NBYTES = 1_600_000
VALUE = np.arange(NBYTES // 8, dtype="f8")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "SLICE_NBYTES", 100_000)
    cache = opened(tmp_path)
    yield cache
    cache.close()


def saved(cache: Cache, name: str = "a") -> list[Progress]:
    """What is told of a save."""
    told: list[Progress] = []
    with told_to(told.append, "looking"):
        cache.save(draft(identity(name), VALUE))
    return [each for each in told if each.what == "keeping"]


def loaded(cache: Cache, name: str = "a") -> list[Progress]:
    """What is told of a load."""
    found = cache.find(identity(name).key)
    assert isinstance(found, Found)
    told: list[Progress] = []
    with told_to(told.append, "looking"):
        result = cache.load(found)
    assert isinstance(result, dict)
    return [each for each in told if each.what == "loading"]


def test_a_save_tells_of_all_bytes_that_it_writes(cache):
    told = saved(cache)
    assert told[0].done == 0
    assert told[0].total > NBYTES
    assert told[-1].done == told[-1].total


def test_a_save_of_one_large_value_tells_of_its_parts(cache):
    assert {100_000 * part for part in range(17)} <= {each.done for each in saved(cache)}


def test_a_save_does_not_count_what_is_there_already(cache):
    saved(cache, "a")
    assert saved(cache, "b")[0].total < NBYTES


def test_a_load_tells_of_all_bytes_that_it_reads(cache):
    saved(cache)
    told = loaded(opened(cache.directory))
    assert (told[0].done, told[-1].done) == (0, told[-1].total)
    assert told[0].total >= NBYTES


def test_a_load_of_one_large_value_tells_of_its_parts(cache):
    saved(cache)
    for entry in cache.store.entries("stamps/"):
        cache.store.remove(entry.name)  # else there is nothing to verify, and so nothing to wait for
    told = loaded(opened(cache.directory))
    assert len({each.done for each in told}) > NBYTES // 100_000


def test_what_was_verified_before_counts_as_read(cache):
    saved(cache)
    loaded(cache)
    told = loaded(cache)
    assert told[-1].done == told[-1].total


def test_a_store_that_says_nothing_is_told_of_value_by_value(cache, monkeypatch):
    monkeypatch.setattr(system, "advance", lambda nbytes: None)
    told = saved(cache)
    assert [each.done for each in told] == sorted({0, NBYTES, told[0].total})


def test_a_listener_that_raises_an_interrupt_leaves_nothing_half_written(cache, tmp_path):
    def interrupt(told: Progress) -> None:
        if told.what == "keeping" and told.done > NBYTES // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), told_to(interrupt, "looking"):
        cache.save(draft(identity("a"), VALUE))
    assert cache.find(identity("a").key) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size >= 100_000] == []
