"""``f.map``: what is kept is restored, what is equal runs once, the rest runs where it is told."""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ipycheckpoint import checkpoint, tags, workspace
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.catalogue import Catalogue
from ipycheckpoint.cache.lru import InMemoryLRUCache
from ipycheckpoint.errors import CheckpointFailedWarning, UsageError
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.store.memory import MemoryStore
from ipycheckpoint.surfaces.function import CheckpointedFunction

ran: list[Any] = []


def work(x: Any) -> Any:
    ran.append(x)
    if x == "bad":
        raise ValueError("bad item")
    return [x, x]


@pytest.fixture(autouse=True)
def _fresh():
    ran.clear()


@pytest.fixture
def f(tmp_path: Path) -> CheckpointedFunction[..., Any]:
    return checkpoint(tmp_path / "cache", ignore=["ran"])(work)


@pytest.fixture(params=["here", "threads"])
def executor(request):
    if request.param == "here":
        yield None
    else:
        with ThreadPoolExecutor(3) as pool:
            yield pool


def test_results_come_in_the_order_of_the_items(f, executor):
    assert f.map([3, 1, 2], executor, progress=False) == [[3, 3], [1, 1], [2, 2]]


def test_no_items_give_no_results(f, executor):
    assert f.map([], executor) == []


def test_what_is_kept_does_not_run_again(f, executor):
    f(1), f(2)
    ran.clear()
    f.map([1, 2, 3], executor)
    assert ran == [3]


def test_each_result_is_a_hit_for_a_call_and_for_the_next_map(f, executor):
    f.map([1, 2], executor)
    ran.clear()
    assert f(1) == [1, 1]
    assert f.map([2, 1], executor) == [[2, 2], [1, 1]]
    assert ran == []


def test_equal_items_run_once_and_each_has_a_result_of_its_own(f, executor):
    first, second, third = f.map([1, 1, 1], executor)
    assert ran == [1]
    assert first is not second
    assert second is not third
    assert first == second == third == [1, 1]


def test_items_that_are_equal_to_python_only_are_not_one(f):
    assert [type(found[0]) for found in f.map([1, True, 1.0])] == [int, bool, float]


def test_unordered_results_come_with_their_items(f, executor):
    assert sorted(f.map([3, 1, 2], executor, ordered=False)) == [(1, [1, 1]), (2, [2, 2]), (3, [3, 3])]


def test_unordered_results_come_while_others_still_run(f):
    slow = checkpoint(f._options.store, name="slow", ignore=["gate"])(lambda x: gate.wait(20) if x else x)
    gate = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        results = slow.map([1, 0], pool, ordered=False, progress=False)
        assert next(results) == (0, 0)
        gate.set()
        assert list(results) == [(1, True)]


def test_nothing_runs_before_unordered_results_are_asked_for(f):
    f.map([1], ordered=False)
    assert ran == []


def test_what_an_item_raises_is_raised_with_the_item_named(f, executor):
    with pytest.raises(ValueError, match="bad item") as caught:
        f.map(["bad"], executor, progress=False)
    assert caught.value.__notes__ == ["in tests.unit.surfaces.test_mapping.work.map, at item 0: 'bad'"]


def test_what_came_before_an_exception_is_kept(f):
    with pytest.raises(ValueError, match="bad item"):
        f.map([1, 2, "bad", 3])
    assert [f.is_cached(x) for x in (1, 2, 3)] == [True, True, False]


def test_exceptions_are_collected_in_the_place_of_results(f, executor):
    first, second, third = f.map([1, "bad", 2], executor, on_error="collect")
    assert (first, third) == ([1, 1], [2, 2])
    assert str(second) == "bad item"


def test_an_item_that_raised_runs_again_next_time(f):
    for _ in range(2):
        f.map(["bad"], on_error="collect")
    assert ran == ["bad", "bad"]


def test_starred_items_are_all_arguments_of_a_call(tmp_path):
    power = checkpoint(tmp_path)(pow)
    items = [(2, 3), {"base": 5, "exp": 2}]
    assert power.map(items, star=True) == [8, 25]
    assert power.is_cached(5, 2)


def test_arguments_that_do_not_fit_are_the_items_own_error(f):
    [error] = f.map([(1, 2, 3)], star=True, on_error="collect")
    assert isinstance(error, TypeError)


def test_tags_hold_for_what_is_mapped(f, executor):
    with tags(run=1):
        f.map([1], executor)
        assert f.is_cached(1)
    assert not f.is_cached(1)


@pytest.mark.parametrize(("mode", "runs", "kept"), [("off", 3, 1), ("read", 2, 1), ("refresh", 3, 3), ("on", 2, 3)])
def test_the_mode_holds_for_what_is_mapped(f, executor, monkeypatch, mode, runs, kept):
    f(1)
    ran.clear()
    monkeypatch.setattr(workspace.current(), "_mode", mode)
    assert f.map([1, 2, 3], executor) == [[1, 1], [2, 2], [3, 3]]
    assert len(ran) == runs
    monkeypatch.setattr(workspace.current(), "_mode", None)
    assert sum(f.is_cached(x) for x in (1, 2, 3)) == kept


def test_what_cannot_be_kept_is_given_all_the_same(tmp_path):
    locks = checkpoint(tmp_path)(lambda x: threading.Lock())
    with pytest.warns(CheckpointFailedWarning, match="not kept"):
        first, second = locks.map([1, 2])
    assert first is not second


def test_what_cannot_be_identified_runs_each_time(f, executor):
    lock = threading.Lock()
    with pytest.warns(CheckpointFailedWarning, match="without a checkpoint"):
        assert f.map([lock, lock], executor) == [[lock, lock]] * 2
    assert len(ran) == 2


def test_a_cache_of_the_users_own_works_too(executor):
    own = checkpoint(cache=InMemoryLRUCache(), ignore=["ran"])(work)
    assert own.map([1, 2, 1], executor) == own.map([1, 2, 1], executor)
    assert sorted(ran) == [1, 2]


class Model:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    @checkpoint
    def times(self, x: int) -> int:
        return self.factor * x


def test_a_method_is_mapped_on_its_instance(tmp_path, executor):
    with workspace.using(workspace.Workspace({"IPYCHECKPOINT_DIR": str(tmp_path)})):
        assert Model(3).times.map([1, 2], executor) == [3, 6]
        assert Model(3).times.is_cached(2)
        assert not Model(4).times.is_cached(2)


def test_a_pool_of_the_users_own_making_needs_nothing_but_submit(f):
    class Pool:
        def __init__(self) -> None:
            self.inner = ThreadPoolExecutor(1)

        def submit(self, function, /, *args):
            return self.inner.submit(function, *args)

    assert f.map([1, 2], Pool()) == [[1, 1], [2, 2]]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on_error": "ignore"}, "on_error is 'ignore'"),
        ({"chunks": 0}, "chunks is 0"),
        ({"executor": 4}, "4 is no executor"),
    ],
)
def test_a_bad_option_is_named(f, options, said):
    with pytest.raises(UsageError, match=said):
        f.map([1], **options)


def test_a_coroutine_function_is_refused_with_what_to_do(tmp_path):
    @checkpoint(tmp_path)
    async def later(x: int) -> int:
        return x

    with pytest.raises(UsageError, match=r"asyncio\.gather"):
        later.map([1])


class Interrupting(ThreadPoolExecutor):
    """As when Ctrl-C is pressed after so many jobs."""

    def __init__(self, after: int) -> None:
        super().__init__(1)
        self.after = after

    def submit(self, function, /, *args, **kwargs):
        self.after -= 1
        if self.after < 0:
            raise KeyboardInterrupt
        return super().submit(function, *args, **kwargs)


def test_an_interrupted_map_goes_on_where_it_stopped(f):
    with Interrupting(30) as pool, pytest.raises(KeyboardInterrupt):
        f.map(range(100), pool, progress=False)
    done = len(ran)
    assert 0 < done <= 30
    with ThreadPoolExecutor(2) as pool:
        f.map(range(100), pool, progress=False)
    assert sorted(ran) == list(range(100))


def in_module(x: int) -> int:
    return x + 1


def test_another_process_keeps_the_results_in_the_store_of_this_one(tmp_path):
    mapped = checkpoint(tmp_path / "cache")(in_module)
    with ProcessPoolExecutor(1) as pool:
        assert mapped.map(range(5), pool, progress=False) == [1, 2, 3, 4, 5]
    assert all(mapped.is_cached(x) for x in range(5))


def test_a_cache_of_the_users_own_is_given_the_results_of_other_processes():
    own = checkpoint(cache=InMemoryLRUCache())(in_module)
    with ProcessPoolExecutor(1) as pool:
        assert own.map([1, 2], pool, progress=False) == [2, 3]
    assert own.is_cached(2)


@pytest.mark.parametrize("mode", ["off", "read"])
def test_the_mode_goes_along_to_other_processes(tmp_path, mode):
    mapped = checkpoint(tmp_path / "cache", mode=mode)(in_module)
    with ProcessPoolExecutor(1) as pool:
        assert mapped.map([1, 2], pool, progress=False) == [2, 3]
    assert not checkpoint(tmp_path / "cache")(in_module).is_cached(2)


def test_a_cache_without_a_place_is_sent_the_records_of_other_processes():
    keyring = Keyring(secret=b"s" * 32)
    memory = Cache(MemoryStore(), Catalogue(None, tuple), keyring)
    mapped = checkpoint(store=memory)(in_module)
    with ProcessPoolExecutor(1) as pool:
        assert mapped.map([1, 2], pool, progress=False) == [2, 3]
    assert mapped.is_cached(2)


def test_what_another_process_cannot_keep_is_given_all_the_same(tmp_path):
    mapped = checkpoint(tmp_path / "cache")(a_generator)
    with ProcessPoolExecutor(1) as pool:
        [error] = mapped.map([1], pool, progress=False, on_error="collect")
    assert "generator" in str(error)


def a_generator(x):
    return (number for number in range(x))


def test_an_item_that_cannot_go_elsewhere_is_named_and_costs_no_other(tmp_path):
    mapped = checkpoint(tmp_path / "cache")(in_module)
    with ProcessPoolExecutor(1) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointFailedWarning)
        results = mapped.map([1, threading.Lock(), 2], pool, progress=False, on_error="collect", chunks=3)
    assert (results[0], results[2]) == (2, 3)
    assert "lock" in str(results[1])
