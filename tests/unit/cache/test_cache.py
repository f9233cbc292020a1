"""Caches in a directory and in memory keep the same promises."""

from __future__ import annotations

import shutil
from functools import partial

import pytest

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.catalogue import Catalogue
from ipycheckpoint.cache.upkeep import listed
from ipycheckpoint.store.directory import DirectoryStore
from ipycheckpoint.store.memory import MemoryStore
from tests.contracts.cache_contract import KEYRING, CacheContract, draft, identity


class OnAnyStore(CacheContract):
    def damage(self, name, at):
        content = bytearray(self.store.get(name).view)
        content[at] ^= 1
        self.store.put(name, [bytes(content)])

    def move(self, name, to):
        self.store.put(to, [bytes(self.store.get(name).view)])

    def names(self, prefix):
        return [entry.name for entry in self.store.entries(prefix)]

    def open(self, keyring):
        records = partial(listed, self.store, keyring)
        return Cache(self.store, Catalogue(None, records, signers=keyring.signers), keyring)


class TestCacheInMemory(OnAnyStore):
    @pytest.fixture(autouse=True)
    def _store(self):
        self.store = MemoryStore()


class TestCacheInDirectory(OnAnyStore):
    @pytest.fixture(autouse=True)
    def _store(self, tmp_path):
        self.path = tmp_path / "cache"
        self.store = DirectoryStore(self.path)
        yield
        self.store.close()

    def open(self, keyring):
        return Cache.at(self.path, keyring=keyring)

    def test_nothing_is_made_before_the_first_save(self):
        cache = self.open(self.keyring)
        cache.find(identity("a").key)
        cache.nearest(identity("a"))
        cache.rows()
        cache.close()
        assert not self.path.exists()

    def test_the_listing_comes_back_when_the_catalogue_is_lost(self):
        cache = self.open(self.keyring)
        for name in "abc":
            cache.save(draft(identity(name), name))
        cache.close()
        for file in self.path.glob("catalogue*"):
            file.unlink()
        again = self.open(self.keyring)
        assert {row.key for row in again.rows()} == {identity(name).key for name in "abc"}
        again.close()

    def test_a_hit_needs_no_catalogue(self):
        cache = self.open(self.keyring)
        cache.save(draft(identity("a"), 5))
        cache.close()
        for file in self.path.glob("catalogue*"):
            file.unlink()
            file.mkdir()  # worse than lost: it can't even be made
        again = self.open(self.keyring)
        assert self.load(again, identity("a")) == 5
        again.close()

    def test_a_deleted_directory_is_an_empty_cache(self):
        cache = self.open(self.keyring)
        cache.save(draft(identity("a"), 5))
        shutil.rmtree(self.path)
        assert cache.find(identity("a").key) is None
        cache.close()


def test_a_large_result_is_not_read_again_to_see_whether_it_can_be_recalled():
    read = []

    class Counting(MemoryStore):
        def get(self, name):
            read.append(name)
            return super().get(name)

    keyring = KEYRING
    cache = Cache(Counting(), Catalogue(None, lambda: (), signers=keyring.signers), keyring)
    cache.save(draft(identity("a"), list(range(100_000))))
    cache.find(identity("a").key)
    before = len(read)
    assert cache.recall(identity("a").key) is None
    cache.hold(identity("a").key)
    assert len(read) == before
    cache.close()
