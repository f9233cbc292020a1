"""Pins, trust and verification of what a cache keeps."""

from __future__ import annotations

import numpy as np
import pytest

from ipycheckpoint.cache.cache import Cache, Found, Spoiled
from ipycheckpoint.errors import UsageError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.record.trust import Keyring
from tests.contracts.cache_contract import draft, identity

OURS, THEIRS = Keyring(secret=b"o" * 32), Keyring(secret=b"t" * 32)
KEY = identity("a").key


@pytest.fixture
def cache(tmp_path):
    cache = Cache.at(tmp_path / "cache", keyring=OURS)
    yield cache
    cache.close()


@pytest.fixture
def theirs(tmp_path):
    cache = Cache.at(tmp_path / "cache", keyring=THEIRS)
    yield cache
    cache.close()


class TestPins:
    def test_a_pin_outlives_the_catalogue(self, cache, tmp_path):
        cache.save(draft(identity("a"), 1))
        cache.upkeep.pin(KEY)
        cache.close()
        for path in (tmp_path / "cache").glob("catalogue*"):
            path.unlink()
        [row] = cache.rows()
        assert row.pinned
        assert cache.upkeep.pinned() == {KEY}

    def test_a_pin_is_taken_off(self, cache):
        cache.save(draft(identity("a"), 1))
        cache.upkeep.pin(KEY)
        assert cache.upkeep.unpin(KEY) is True
        assert cache.upkeep.unpin(KEY) is False
        assert cache.upkeep.pinned() == frozenset()
        assert not cache.rows()[0].pinned

    def test_what_is_not_there_is_not_pinned(self, cache):
        with pytest.raises(UsageError, match="no record"):
            cache.upkeep.pin(KEY)

    def test_a_pin_goes_with_its_record(self, cache):
        cache.save(draft(identity("a"), 1))
        cache.upkeep.pin(KEY)
        cache.forget(KEY)
        assert cache.upkeep.pinned() == frozenset()


class TestTrust:
    def test_what_a_stranger_signed_is_listed_as_untrusted(self, cache, theirs):
        theirs.save(draft(identity("a"), 1))
        assert [row.status for row in cache.rows()] == ["untrusted"]
        assert [row.status for row in theirs.rows()] == ["kept"]
        assert not cache.upkeep.is_trusted(KEY)

    def test_it_is_untrusted_in_a_listing_made_anew_as_well(self, cache, theirs):
        theirs.save(draft(identity("a"), 1))
        cache.catalogue.rebuild()
        assert [row.status for row in cache.rows()] == ["untrusted"]

    def test_once_trusted_it_is_loaded_like_our_own(self, cache, theirs):
        theirs.save(draft(identity("a"), np.arange(50_000.0)))
        assert isinstance(cache.find(KEY), Spoiled)
        cache.upkeep.trust(KEY)
        found = cache.find(KEY)
        assert isinstance(found, Found)
        assert cache.load(found)["return"].sum() == np.arange(50_000.0).sum()
        assert [row.status for row in cache.rows()] == ["kept"]
        assert cache.upkeep.is_trusted(KEY)

    def test_trusting_keeps_the_pin(self, cache, theirs):
        theirs.save(draft(identity("a"), 1))
        cache.upkeep.pin(KEY)
        cache.upkeep.trust(KEY)
        assert cache.rows()[0].pinned

    def test_what_is_not_whole_is_not_trusted(self, cache, theirs):
        header = theirs.save(draft(identity("a"), np.arange(50_000.0)))
        [blob] = [buffer.digest for section in header.sections for buffer in section.buffers]
        theirs._store.put(f"blobs/{blob}", [b"something else"])
        with pytest.raises(UsageError, match="can't be trusted"):
            cache.upkeep.trust(KEY)
        assert not cache.upkeep.is_trusted(KEY)

    def test_what_is_not_there_is_not_trusted(self, cache):
        with pytest.raises(UsageError, match="no record"):
            cache.upkeep.trust(KEY)


class TestVerification:
    def test_a_whole_record_has_no_problems(self, cache):
        cache.save(draft(identity("a"), np.arange(50_000.0)))
        assert cache.upkeep.verify(KEY) == []

    def test_a_lost_blob_is_told(self, cache):
        header = cache.save(draft(identity("a"), np.arange(50_000.0)))
        [blob] = [buffer.digest for section in header.sections for buffer in section.buffers]
        cache._store.remove(f"blobs/{blob}")
        [problem] = cache.upkeep.verify(KEY)
        assert "is gone" in problem

    def test_a_changed_byte_is_told(self, cache):
        header = cache.save(draft(identity("a"), np.arange(50_000.0)))
        [blob] = [buffer.digest for section in header.sections for buffer in section.buffers]
        content = bytearray(cache._store.get(f"blobs/{blob}").view)
        content[100] ^= 1
        cache._store.put(f"blobs/{blob}", [bytes(content)])
        assert len(cache.upkeep.verify(KEY)) == 1

    def test_a_stranger_is_told(self, cache, theirs):
        theirs.save(draft(identity("a"), 1))
        assert cache.upkeep.verify(KEY) == ["it is not signed by you"]

    def test_garbage_and_nothing_are_told(self, cache):
        assert cache.upkeep.verify(KEY) == ["there is no such record"]
        cache._store.put(f"records/{KEY}", [b"garbage"])
        [problem] = cache.upkeep.verify(KEY)
        assert "no record" in problem

    def test_a_record_under_another_key_is_told(self, cache):
        cache.save(draft(identity("a"), 1))
        other = Key(identity("b").key)
        cache._store.put(f"records/{other}", [bytes(cache._store.get(f"records/{KEY}").view)])
        assert cache.upkeep.verify(other) == ["it belongs to another key"]


def test_what_was_copied_or_removed_behind_the_catalogue_is_noticed(cache):
    assert cache.upkeep.is_listed()
    for name in "ab":
        cache.save(draft(identity(name), 1))
    assert cache.upkeep.is_listed()
    cache._store.remove(f"records/{KEY}")
    assert not cache.upkeep.is_listed()
    cache.catalogue.rebuild()
    assert cache.upkeep.is_listed()


def test_what_records_share_takes_its_room_once(cache):
    shared = np.arange(100_000.0)
    cache.save(draft(identity("a"), shared))
    alone = cache.upkeep.disk_nbytes()
    cache.save(draft(identity("b"), shared))
    assert alone >= shared.nbytes
    assert cache.upkeep.disk_nbytes() < 1.1 * alone
    assert cache.catalogue.totals().nbytes > 2 * shared.nbytes
