"""What is pruned, what stays, and what is garbage."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.cache import garbage
from ipycheckpoint.cache.cache import Cache, Found
from ipycheckpoint.cache.catalogue import Catalogue
from ipycheckpoint.cache.garbage import GRACE_SECONDS, RECORDS, Kept, survey
from ipycheckpoint.cache.prune import HALF_LIFE_SECONDS, Limits, Room, prune, worth
from ipycheckpoint.cache.upkeep import listed
from ipycheckpoint.cache.verify import verify
from ipycheckpoint.errors import CheckpointWarning, StoreError
from ipycheckpoint.store.memory import MemoryStore
from tests.contracts.cache_contract import KEYRING, draft, identity, opened

BIG = 100_000  # bytes, in round numbers, of each array


@pytest.fixture
def cache(tmp_path):
    cache = opened(tmp_path / "cache")
    yield cache
    cache.close()


def keep(cache, name, *, value=None, label="work", **more):
    """A record of some 100 kB that shares nothing, unless `value` says what it holds."""
    number = sum(name.encode()) if value is None else value
    return cache.save(draft(identity(name, label=label), np.full(BIG // 8, float(number)), **more)).key


def pruned(cache, *, young_seconds=-1.0, grace_seconds=-1.0, dry_run=False, **limits):
    """Prune as if everything were older than it is."""
    return prune(cache, Limits(**limits), dry_run=dry_run, young_seconds=young_seconds, grace_seconds=grace_seconds)


def names(cache):
    return {entry.name for entry in cache.store.entries()}


def nbytes(cache):
    return sum(entry.nbytes for entry in cache.store.entries())


def kept(cache):
    return {name.removeprefix(RECORDS) for name in names(cache) if name.startswith(RECORDS)}


def test_without_limits_nothing_goes_but_garbage(cache):
    keep(cache, "a")
    cache.store.put("blobs/" + "0" * 64, [b"nobody's"])
    cache.store.put("pins/" + "1" * 64, [b"pinned"])
    cache.store.put("failures/" + "2" * 64, [b"{}"])
    done = pruned(cache)
    assert {entry.name for entry in done.garbage} == {"blobs/" + "0" * 64, "pins/" + "1" * 64, "failures/" + "2" * 64}
    assert len(kept(cache)) == 1


def test_the_least_worth_go_first_until_the_rest_fits(cache):
    keys = {name: keep(cache, name, seconds=seconds) for name, seconds in [("a", 3), ("b", 1), ("c", 2)]}
    done = pruned(cache, max_bytes=int(2.2 * BIG))
    assert [removal.key for removal in done.removals] == [keys["b"]]
    assert kept(cache) == {keys["a"], keys["c"]}
    assert done.nbytes_after == nbytes(cache) <= 2.2 * BIG


def test_a_hit_makes_a_record_worth_more(cache):
    keys = {name: keep(cache, name, seconds=1) for name in "ab"}
    cache.count_hit(cache.header(keys["a"]), 0.1)
    pruned(cache, max_bytes=int(1.2 * BIG))
    assert kept(cache) == {keys["a"]}


def test_a_blob_stays_as_long_as_one_record_refers_to_it(cache):
    first, second = keep(cache, "a", value=1, seconds=1), keep(cache, "b", value=1, seconds=9)
    pruned(cache, keep_versions=1)
    assert kept(cache) == {second}
    assert cache.upkeep.verify(second) == []
    assert first not in kept(cache)


def test_what_records_share_is_counted_once(cache):
    for name in "abc":
        keep(cache, name, value=1)
    assert pruned(cache, max_bytes=int(1.5 * BIG)).removals == ()


def test_what_was_not_used_for_long_goes(cache):
    key = keep(cache, "a")
    assert pruned(cache, older_than=60).removals == ()
    [removal] = pruned(cache, older_than=-1).removals
    assert (removal.key, removal.reason) == (key, "not used for long")


def test_the_newest_versions_of_each_label_and_kind_stay(cache):
    for name in "abc":
        keep(cache, name, label="f")
        keep(cache, name + "x", label="g")
    done = pruned(cache, keep_versions=2)
    assert sorted(removal.label for removal in done.removals) == ["f", "g"]
    assert len(kept(cache)) == 4


def test_what_has_expired_goes(cache):
    key = keep(cache, "a", expires_seconds=-1)
    [removal] = pruned(cache).removals
    assert (removal.key, removal.reason) == (key, "expired")


def test_what_is_pinned_stays(cache):
    key = keep(cache, "a", expires_seconds=-1)
    cache.upkeep.pin(key)
    done = pruned(cache, max_bytes=0, older_than=-1)
    assert kept(cache) == {key}
    assert done.spared == {"pinned": 1}


def test_savepoints_stay(cache):
    of = replace(identity("a"), kind="savepoint")
    cache.save(draft(of, 1))
    assert pruned(cache, max_bytes=0).spared == {"a savepoint": 1}
    assert kept(cache) == {of.key}


def test_what_was_just_made_or_used_stays(cache):
    key = keep(cache, "a")
    done = pruned(cache, max_bytes=0, young_seconds=60)
    assert kept(cache) == {key}
    assert done.spared == {"in use": 1}
    assert any("more than 0" in note for note in done.notes)


def test_a_young_blob_of_nobody_waits_for_its_record(cache):
    cache.store.put("blobs/" + "0" * 64, [b"of a record to come"])
    assert pruned(cache, grace_seconds=GRACE_SECONDS).garbage == ()


def test_a_dry_run_tells_what_would_go_and_removes_nothing(cache):
    for name in "abc":
        keep(cache, name)
    before = names(cache)
    told = pruned(cache, keep_versions=1, dry_run=True)
    assert names(cache) == before
    done = pruned(cache, keep_versions=1)
    assert told.removals == done.removals
    assert told.nbytes_after == done.nbytes_after == nbytes(cache)


def test_where_a_record_cannot_be_read_no_blob_is_taken_for_garbage(cache):
    keep(cache, "a")
    cache.store.put(RECORDS + "0" * 64, [b"no record"])
    cache.store.put("blobs/" + "0" * 64, [b"perhaps its own"])
    done = pruned(cache)
    assert "blobs/" + "0" * 64 in names(cache)
    assert any("can't be read" in note for note in done.notes)


def test_a_record_that_was_made_anew_after_it_was_chosen_stays(cache, monkeypatch):
    key = keep(cache, "a")
    forget_old = cache.forget_old

    def made_anew(key, before):
        time.sleep(0.01)
        keep(cache, "a")
        return forget_old(key, before)

    monkeypatch.setattr(cache, "forget_old", made_anew)
    assert pruned(cache, older_than=-1, young_seconds=0.0).removals == ()
    assert kept(cache) == {key}


def test_a_record_that_was_pinned_after_it_was_chosen_stays(cache, monkeypatch):
    key = keep(cache, "a")
    rows = cache.catalogue.rows

    def pin_it(**conditions):
        found = rows(**conditions)
        cache.store.put(f"pins/{key}", [b"pinned"])
        return found

    monkeypatch.setattr(cache.catalogue, "rows", pin_it)
    assert pruned(cache, older_than=-1).removals == ()
    assert kept(cache) == {key}


def test_the_disk_gets_back_what_removed_rows_took(cache, tmp_path):
    for number in range(100):
        cache.save(draft(identity(f"n{number}"), "x" * 20_000))
    cache.close()
    before = (tmp_path / "cache" / "small.sqlite").stat().st_size
    pruned(cache, keep_versions=1)
    cache.close()
    assert (tmp_path / "cache" / "small.sqlite").stat().st_size < before / 10
    assert len(kept(cache)) == 1


def test_a_blob_that_cannot_be_renewed_is_put_again(cache, monkeypatch):
    keep(cache, "a", value=1)

    def broken(name, before):
        raise StoreError(name, "renew", "SQLite is locked")

    monkeypatch.setattr(cache.store, "renew", broken)
    assert cache.upkeep.verify(keep(cache, "b", value=1)) == []


def test_what_is_being_loaded_is_loaded_to_its_end(cache, monkeypatch):
    of = identity("a")
    cache.save(draft(of, [np.full(BIG // 8, 1.0), np.full(BIG // 8, 2.0)]))
    found = cache.find(of.key)
    assert isinstance(found, Found)
    get, asked = cache.store.get, []

    def pruned_once_all_is_open(name):
        content = get(name)
        asked.append(name)
        if sum(name.startswith("blobs/") for name in asked) == 2:
            monkeypatch.setattr(cache.store, "get", get)
            pruned(cache, older_than=-1)
            assert kept(cache) == set()
        return content

    monkeypatch.setattr(cache.store, "get", pruned_once_all_is_open)
    loaded = cache.load(found)
    assert [array[0] for array in loaded["return"]] == [1.0, 2.0]


def test_a_survey_reads_again_only_what_has_changed(cache, monkeypatch):
    first = keep(cache, "a")
    known: dict[str, Kept] = {}
    survey(cache.store, known)
    second = keep(cache, "b")
    asked = []
    get = cache.store.get
    monkeypatch.setattr(cache.store, "get", lambda name: asked.append(name) or get(name))
    assert survey(cache.store, known).records.keys() == {first, second}
    assert asked == [RECORDS + second]


def test_a_save_that_took_long_puts_again_what_was_collected_meanwhile(cache, monkeypatch):
    monkeypatch.setattr(garbage, "GRACE_SECONDS", 0.0)
    put = cache.store.put

    def collect_before_the_record(name, chunks):
        if name.startswith(RECORDS):
            time.sleep(0.01)
            pruned(cache)
        put(name, chunks)

    monkeypatch.setattr(cache.store, "put", collect_before_the_record)
    key = keep(cache, "a")
    assert cache.upkeep.verify(key) == []
    assert verify(cache).findings == ()


@given(st.floats(0.001, 1e6), st.integers(0, 1000), st.integers(0, 10**12), st.floats(0, 50 * HALF_LIFE_SECONDS))
def test_a_record_is_worth_more_if_it_took_longer_was_used_more_is_smaller_or_fresher(seconds, hits, size, idle):
    it = worth(seconds, hits, size, idle)
    assert it > 0
    assert worth(2 * seconds, hits, size, idle) > it
    assert worth(seconds, hits + 1, size, idle) > it
    assert worth(seconds, hits, 2 * size + 1, idle) < it
    assert worth(seconds, hits, size, idle + HALF_LIFE_SECONDS) == pytest.approx(it / 2)


class TestRoom:
    """A cache with a limit prunes itself."""

    @pytest.fixture(autouse=True)
    def _all_is_old(self, monkeypatch):
        monkeypatch.setattr(garbage, "GRACE_SECONDS", 0.0)
        monkeypatch.setitem(prune.__kwdefaults__, "young_seconds", 0.0)

    def test_a_cache_stays_about_as_large_as_it_may_be(self, cache):
        cache.max_bytes = 5 * BIG
        for number in range(30):
            time.sleep(0.002)
            keep(cache, f"n{number}", value=number)
            assert nbytes(cache) < 6 * BIG
        assert len(kept(cache)) >= 3

    def test_a_cache_with_room_is_not_walked_through_at_each_save(self, cache, monkeypatch):
        walks = []
        entries = cache.store.entries
        monkeypatch.setattr(cache.store, "entries", lambda prefix="": walks.append(prefix) or entries(prefix))
        cache.max_bytes = 1000 * BIG
        keep(cache, "first", value=0)
        began = walks.count("")
        for number in range(20):
            keep(cache, f"n{number}", value=number)
        assert walks.count("") == began

    def test_a_lower_limit_counts_from_the_next_save(self, cache):
        cache.max_bytes = 1000 * BIG
        for number in range(6):
            keep(cache, f"n{number}", value=number)
        cache.max_bytes = 3 * BIG
        time.sleep(0.01)
        keep(cache, "last", value=9)
        assert nbytes(cache) <= 3 * BIG

    def test_a_store_that_cannot_be_listed_costs_a_warning_and_no_result(self, cache, monkeypatch):
        def broken(prefix=""):
            raise StoreError("the store", "list", "it is broken")

        cache.max_bytes = BIG
        keep(cache, "before", value=1)
        monkeypatch.setattr(cache, "_room", Room())
        with monkeypatch.context() as patch:
            patch.setattr(cache.store, "entries", broken)
            with pytest.warns(CheckpointWarning, match="can't be pruned: .*it is broken"):
                key = keep(cache, "a", value=2)
        assert isinstance(cache.find(key), Found)


RECORDS_OF_SHARED_BLOBS = st.lists(
    st.tuples(st.integers(0, 9), st.lists(st.integers(0, 4), max_size=3), st.floats(0.01, 100), st.integers(0, 2)),
    max_size=12,
)


@given(
    records=RECORDS_OF_SHARED_BLOBS,
    pins=st.sets(st.integers(0, 9)),
    max_kilobytes=st.none() | st.integers(0, 1000),
    keep_versions=st.none() | st.integers(1, 3),
)
def test_whatever_is_pruned_the_rest_is_whole_and_as_large_as_told(records, pins, max_kilobytes, keep_versions):
    store = MemoryStore()
    cache = Cache(store, Catalogue(None, partial(listed, store, KEYRING), signers=KEYRING.signers), KEYRING)
    for number, values, seconds, label in records:
        of = identity(str(number), label=f"f{label}")
        cache.save(draft(of, [np.full(BIG // 8, float(value)) for value in values], seconds=seconds))
        if number in pins:
            cache.upkeep.pin(of.key)
    limits = {"max_bytes": None if max_kilobytes is None else max_kilobytes * 1000, "keep_versions": keep_versions}
    told = pruned(cache, **limits, dry_run=True)
    done = pruned(cache, **limits)
    assert (done.removals, done.nbytes_after) == (told.removals, told.nbytes_after)
    assert done.nbytes_after == nbytes(cache)
    assert verify(cache).findings == ()
    assert cache.upkeep.pinned() <= kept(cache)
    if max_kilobytes is not None and not cache.upkeep.pinned():
        assert done.nbytes_after <= max_kilobytes * 1000
    if not records:
        assert done.removals == ()
