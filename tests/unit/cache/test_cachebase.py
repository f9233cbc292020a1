"""Caches behind the face that users write theirs with: ours, the dict of the handbook, and both under a lock."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest

from ipycheckpoint import workspace
from ipycheckpoint.cache.base import CacheBase
from ipycheckpoint.cache.lru import InMemoryLRUCache
from ipycheckpoint.errors import (
    CannotKeep,
    CheckpointFailedError,
    CheckpointNotExist,
    Unidentifiable,
    UsageError,
)
from ipycheckpoint.surfaces.picklefile import PickleFileCache
from tests.contracts.cachebase_contract import CacheBaseContract


@pytest.fixture(autouse=True)
def here(tmp_path):
    own = workspace.Workspace({"IPYCHECKPOINT_DIR": str(tmp_path / "cache")})
    with workspace.using(own):
        yield own
    own.close()


class DictCache(CacheBase):
    def __init__(self):
        self.d = {}

    def save(self, context_id, result):
        self.d[context_id] = result

    def retrieve(self, context_id):
        if context_id not in self.d:
            raise CheckpointNotExist
        return self.d[context_id]


class TestDictCache(CacheBaseContract):
    can_forget = False
    can_list = False

    def open(self):
        return DictCache()


class TestDictCacheOfRecords(CacheBaseContract):
    can_forget = False
    can_list = False

    def open(self):
        class Records(DictCache):
            keeps_records = True

        return Records()


class TestDictCacheUnderALock(CacheBaseContract):
    can_forget = False
    can_list = False

    def open(self):
        return DictCache().synchronize_with(threading.RLock())


class TestPickleFileCache(CacheBaseContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path):
        self.directory = tmp_path / "own"

    def open(self):
        return PickleFileCache(self.directory)

    def test_nothing_is_made_before_the_first_save(self, cache):
        with pytest.raises(CheckpointNotExist):
            cache.retrieve("a")
        assert not self.directory.exists()

    def test_without_a_directory_it_is_the_current_cache(self, here):
        PickleFileCache().save("a", 1)
        assert here.cache_directory().exists()
        assert PickleFileCache().retrieve("a") == 1

    @pytest.mark.parametrize("one", [1, 1.0, True, "1", (1, "a"), None, np.arange(3)], ids=repr)
    def test_a_context_id_is_known_by_its_value(self, cache, one):
        cache.save(one, "this")
        assert cache.retrieve(pickle.loads(pickle.dumps(one))) == "this"
        with pytest.raises(CheckpointNotExist):
            cache.retrieve([one])

    def test_context_ids_that_only_compare_equal_are_told_apart(self, cache):
        for one in (1, 1.0, True):
            cache.save(one, type(one))
        assert [cache.retrieve(one) for one in (1, 1.0, True)] == [int, float, bool]

    def test_what_is_retrieved_is_the_callers_own(self, cache):
        cache.save("a", [1])
        cache.retrieve("a").append(2)
        assert cache.retrieve("a") == [1]

    def test_what_has_no_identity_and_what_can_not_be_kept_is_named(self, cache):
        with pytest.raises(Unidentifiable, match="context_id"):
            cache.save(threading.Lock(), 1)
        with pytest.raises(CannotKeep, match="lock"):
            cache.save("a", threading.Lock())
        with pytest.raises(CheckpointNotExist):
            cache.retrieve("a")

    def test_a_pickle_that_lies_there_is_never_loaded(self, cache):
        class Trap:
            def __reduce__(self):
                return pytest.fail, ("it was unpickled",)

        cache.save("a", "x" * 100_000)
        for path in self.directory.rglob("*"):
            if path.is_file() and path.suffix != ".sqlite":
                path.write_bytes(pickle.dumps(Trap()))
        (self.directory / "a.pickle").write_bytes(pickle.dumps(Trap()))
        try:
            assert PickleFileCache(self.directory).retrieve("a") == "x" * 100_000
        except CheckpointFailedError:
            pass

    def test_a_stranger_s_record_is_refused(self, cache, monkeypatch, tmp_path):
        cache.save("a", 1)
        monkeypatch.setenv("IPYCHECKPOINT_SECRET_FILE", str(tmp_path / "another secret"))
        with workspace.using(workspace.Workspace()), pytest.raises(CheckpointFailedError, match="not signed by you"):
            PickleFileCache(self.directory).retrieve("a")

    @pytest.mark.parametrize("protocol", [9, "5", 2.5])
    def test_a_protocol_that_pickle_does_not_have_is_refused(self, protocol):
        with pytest.raises(UsageError, match="is no protocol of pickle"):
            PickleFileCache(pickle_protocol=protocol)


class TestInMemoryLRUCache(CacheBaseContract):
    def open(self):
        return InMemoryLRUCache()

    def test_the_least_recently_used_result_goes_first(self):
        cache = InMemoryLRUCache(maxsize=2)
        cache.save("a", 1), cache.save("b", 2)
        cache.retrieve("a")
        cache.save("c", 3)
        assert list(cache.catalogue()) == ["a", "c"]

    def test_what_is_retrieved_is_the_object_that_was_saved(self, cache):
        result = [1]
        cache.save("a", result)
        assert cache.retrieve("a") is result

    def test_a_result_that_was_changed_in_place_since_does_not_exist_any_more(self, cache):
        cache.save("a", [1])
        cache.retrieve("a").append(2)
        with pytest.raises(CheckpointNotExist, match="changed in place"):
            cache.retrieve("a")

    def test_what_has_no_identity_is_kept_as_it_is(self, cache):
        lock = threading.Lock()
        cache.save("a", lock)
        assert cache.retrieve("a") is lock

    def test_its_copy_in_another_process_is_empty_and_as_large(self, cache):
        cache = InMemoryLRUCache(maxsize=1)
        cache.save("a", 1)
        copy = pickle.loads(pickle.dumps(cache))
        assert list(copy.catalogue()) == []
        copy.save("b", 1), copy.save("c", 1)
        assert list(copy.catalogue()) == ["c"]

    @pytest.mark.parametrize("maxsize", [0, -1])
    def test_a_size_for_nothing_is_refused(self, maxsize):
        with pytest.raises(UsageError, match="a number of results is needed"):
            InMemoryLRUCache(maxsize)
