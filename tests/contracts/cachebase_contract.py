"""What every cache promises that is written on `CacheBase`. Its test class inherits this."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ipycheckpoint.cache.base import CacheBase
from ipycheckpoint.errors import CheckpointNotExist, UsageError
from ipycheckpoint.identity.identifier import AutoFuncCallIdentifier
from ipycheckpoint.surfaces.decorator import DecoratorCheckpoint

RESULTS = [
    None,
    False,
    0,
    "",
    [],
    ValueError("a result, not a failure"),
    10**100,
    {"a": [1, 2.5, "three"]},
    b"\0" * 100,
]


class CacheBaseContract:
    can_forget = True
    """Whether it has a method `forget` of its own."""
    can_list = True

    def open(self) -> CacheBase[Any, Any]:
        """An empty cache."""
        raise NotImplementedError

    @pytest.fixture
    def cache(self):
        return self.open()

    @pytest.mark.parametrize("result", RESULTS, ids=repr)
    def test_what_was_saved_is_retrieved(self, cache, result):
        cache.save("a", result)
        found = cache.retrieve("a")
        assert type(found) is type(result)
        assert repr(found) == repr(result)

    def test_what_was_never_saved_is_said_not_to_exist(self, cache):
        cache.save("a", 1)
        with pytest.raises(CheckpointNotExist):
            cache.retrieve("b")

    def test_a_later_result_takes_the_place_of_an_earlier_one(self, cache):
        cache.save("a", 1)
        cache.save("a", 2)
        assert cache.retrieve("a") == 2

    @pytest.mark.parametrize("one", ["a", "A", "", " ", "a/b", "../a", "é", "a" * 300, "\0", "0" * 64])
    def test_a_context_id_is_any_text(self, cache, one):
        cache.save(one, "this")
        cache.save(one + "x", "that")
        assert (cache.retrieve(one), cache.retrieve(one + "x")) == ("this", "that")

    def test_what_is_forgotten_does_not_exist_any_more(self, cache):
        cache.save("a", 1)
        if not self.can_forget:
            with pytest.raises(UsageError, match=r"can't forget 'a': give it a method forget\(context_id\)"):
                cache.forget("a")
            return
        assert (cache.forget("a"), cache.forget("a")) == (True, False)
        with pytest.raises(CheckpointNotExist):
            cache.retrieve("a")

    def test_all_that_the_catalogue_tells_of_can_be_retrieved(self, cache):
        for name in "abc":
            cache.save(name, name)
        found = sorted(cache.retrieve(context_id) for context_id in cache.catalogue())
        assert found == (["a", "b", "c"] if self.can_list else [])

    def test_a_function_is_run_once(self, cache):
        ran = []

        @DecoratorCheckpoint(AutoFuncCallIdentifier(ignore=["ran"]), cache, on_error="raise")
        def f(x):
            ran.append(x)
            return {"x": x}

        assert (f(1), f(1), f(2), f.rerun(2)) == ({"x": 1}, {"x": 1}, {"x": 2}, {"x": 2})
        assert ran == [1, 2, 2]
        assert f.is_cached(1)
        assert not f.is_cached(3)

    def test_under_a_lock_it_is_the_same_cache(self, cache):
        held = []

        class Lock:
            def __enter__(self):
                held.append("taken")

            def __exit__(self, *_):
                held.append("given back")

        safe = cache.synchronize_with(Lock())
        safe.save("a", 1)
        assert held == ["taken", "given back"]
        assert safe.retrieve("a") == cache.retrieve("a") == 1
        assert held == ["taken", "given back"] * 2
        with pytest.raises(CheckpointNotExist):
            safe.retrieve("b")
        assert list(safe.catalogue()) == list(cache.catalogue())
        assert held == ["taken", "given back"] * 4

    def test_threads_save_and_retrieve_at_once_under_a_lock(self, cache):
        safe = cache.synchronize_with(threading.Lock())
        problems = []

        def work(number):
            try:
                for step in range(5):
                    safe.save(f"{number % 3} {step}", [number % 3, step])
                    assert safe.retrieve(f"{number % 3} {step}") == [number % 3, step]
            except Exception as problem:
                problems.append(problem)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
