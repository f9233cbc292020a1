"""What is in force goes along with work that is handed over; nothing else about handing it over changes."""

from __future__ import annotations

import gc
import multiprocessing
import multiprocessing.pool
import os
import pickle
import threading
import weakref
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

import pytest

from ipycheckpoint.tagging import current_tags, tags

if TYPE_CHECKING:
    from collections.abc import Callable

Pairs = tuple[tuple[str, str], ...]

A = (("a", "1"),)
METHODS = [
    (threading.Thread, "start"),
    (ThreadPoolExecutor, "submit"),
    (ProcessPoolExecutor, "submit"),
    (BaseProcess, "start"),
    *(
        (multiprocessing.pool.Pool, name)
        for name in (
            "__init__",
            "apply_async",
            "map",
            "map_async",
            "starmap",
            "starmap_async",
            "imap",
            "imap_unordered",
        )
    ),
]
STARTS = [method for method in ("fork", "spawn") if method in multiprocessing.get_all_start_methods()]

# A process with threads is forked here on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def seen(*_: object) -> Pairs:
    return current_tags()


def fail(*_: object) -> None:
    raise LookupError("as it was")


def put(queue: Any) -> None:
    queue.put(current_tags())


def thread_executor() -> Executor:
    return ThreadPoolExecutor(1)


def fork_executor() -> Executor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))


def spawn_executor() -> Executor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


executors = pytest.mark.parametrize("executor", [thread_executor, fork_executor, spawn_executor])


def thread_pool() -> multiprocessing.pool.Pool:
    return multiprocessing.pool.ThreadPool(1)


def fork_pool() -> multiprocessing.pool.Pool:
    return multiprocessing.get_context("fork").Pool(1)


def spawn_pool() -> multiprocessing.pool.Pool:
    return multiprocessing.get_context("spawn").Pool(1)


pools = pytest.mark.parametrize("pool", [thread_pool, fork_pool, spawn_pool])

ROUTES: dict[str, Callable[[multiprocessing.pool.Pool, Callable[..., Any]], Any]] = {
    "apply": lambda pool, function: pool.apply(function, (1,)),
    "apply_async": lambda pool, function: pool.apply_async(function, (1,)).get(30),
    "map": lambda pool, function: pool.map(function, [1])[0],
    "map by keyword": lambda pool, function: pool.map(func=function, iterable=[1])[0],
    "map_async": lambda pool, function: pool.map_async(function, [1]).get(30)[0],
    "starmap": lambda pool, function: pool.starmap(function, [(1, 2)])[0],
    "starmap_async": lambda pool, function: pool.starmap_async(function, [(1, 2)]).get(30)[0],
    "imap": lambda pool, function: next(pool.imap(function, [1])),
    "imap in chunks": lambda pool, function: next(iter(pool.imap(function, [1, 2], 2))),
    "imap_unordered": lambda pool, function: next(pool.imap_unordered(function, [1])),
}


@executors
def test_what_is_submitted_has_the_tags_of_that_moment(executor: Callable[[], Executor]) -> None:
    with executor() as pool:
        before = pool.submit(seen).result()
        with tags(a=1):
            inside = [pool.submit(seen).result(), *pool.map(seen, [1, 2])]
        after = pool.submit(seen).result()
    assert [before, inside, after] == [(), [A, A, A], ()]


@executors
def test_workers_that_are_started_in_a_block_do_not_keep_its_tags(executor: Callable[[], Executor]) -> None:
    with tags(a=1):
        pool = executor()
        assert pool.submit(seen).result() == A
    with pool:
        assert pool.submit(seen).result() == ()


@executors
def test_an_exception_in_a_worker_is_the_same(executor: Callable[[], Executor]) -> None:
    with executor() as pool, tags(a=1), pytest.raises(LookupError, match="as it was"):
        pool.submit(fail).result()


@pytest.mark.parametrize("executor", [fork_executor, spawn_executor])
def test_what_cannot_be_pickled_fails_as_before(executor: Callable[[], Executor]) -> None:
    def plainly() -> BaseException | None:
        return pool.submit(lambda: None).exception()

    with executor() as pool:
        before = plainly()
        with tags(a=1):
            inside = plainly()
    assert isinstance(before, (AttributeError, pickle.PicklingError))
    assert (type(inside), str(inside).partition(" at ")[0]) == (type(before), str(before).partition(" at ")[0])


def test_initializers_run_as_before() -> None:
    initialised: list[Pairs] = []
    with tags(a=1), ThreadPoolExecutor(1, initializer=lambda: initialised.append(current_tags())) as pool:
        pool.submit(seen).result()
    assert initialised == [()]


@pytest.mark.parametrize("function", [None, 3])
def test_what_is_no_function_fails_as_before(function: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(function).exception()
        with tags(a=1):
            inside = pool.submit(function).exception()
    assert (type(inside), str(inside)) == (type(before), str(before))


def test_submitting_nothing_fails_as_before() -> None:
    with ThreadPoolExecutor(1) as pool, tags(a=1), pytest.raises(TypeError, match="missing 1 required"):
        pool.submit()  # type: ignore[call-arg]  # that's the point


@pools
def test_each_way_to_give_a_pool_work_takes_the_tags(pool: Callable[[], multiprocessing.pool.Pool]) -> None:
    with tags(a=1), pool() as workers:
        assert {name: route(workers, seen) for name, route in ROUTES.items()} == dict.fromkeys(ROUTES, A)


@pools
def test_the_workers_of_a_pool_do_not_keep_the_tags(pool: Callable[[], multiprocessing.pool.Pool]) -> None:
    with tags(a=1):
        workers = pool()
        workers.apply(seen)
    with workers:
        assert {name: route(workers, seen) for name, route in ROUTES.items()} == dict.fromkeys(ROUTES, ())


def test_a_pool_that_renews_its_workers_does_not_give_them_the_tags() -> None:
    with tags(a=1):
        pool = multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1)
    with pool:
        assert [pool.apply(seen) for _ in range(3)] == [()] * 3


def test_the_exception_of_a_pools_task_is_the_same() -> None:
    with multiprocessing.pool.ThreadPool(1) as pool, tags(a=1):
        for route in ROUTES.values():
            with pytest.raises(LookupError, match="as it was"):
                route(pool, fail)


@pytest.mark.parametrize("start", STARTS)
def test_a_process_has_the_tags_of_whoever_starts_it(start: str) -> None:
    context = multiprocessing.get_context(start)
    queue = context.SimpleQueue()
    process = context.Process(target=put, args=(queue,))  # type: ignore[attr-defined]  # each context has one
    with tags(a=1):
        process.start()
    assert queue.get() == A
    process.join()
    assert (process.exitcode, "run" in vars(process)) == (0, False)


def test_a_thread_has_the_tags_of_whoever_starts_it() -> None:
    class Subclass(threading.Thread):
        def run(self) -> None:
            found.append(current_tags())

    found: list[Pairs] = []
    threads = [
        threading.Thread(target=lambda: found.append(current_tags())),
        threading.Timer(0, lambda: found.append(current_tags())),
        Subclass(),
    ]
    with tags(a=1):
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert found == [A] * 3


def test_the_run_that_somebody_set_on_a_thread_is_called_and_stays() -> None:
    found: list[Pairs] = []
    thread = threading.Thread()

    def run() -> None:
        found.append(current_tags())

    thread.run = run  # type: ignore[method-assign]  # as debuggers do
    with tags(a=1):
        thread.start()
    thread.join()
    assert (found, thread.run) == ([A], run)


def test_a_thread_that_has_ended_is_let_go_of_at_once() -> None:
    gc.disable()
    try:
        with tags(a=1):
            thread = threading.Thread(target=seen)
            thread.start()
        thread.join()
        gone = weakref.ref(thread)
        del thread
        assert gone() is None
    finally:
        gc.enable()


def test_a_thread_that_is_started_twice_fails_as_before_and_keeps_nothing() -> None:
    with tags(a=1):
        thread = threading.Thread(target=seen)
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError, match="can only be started once"):
            thread.start()
    assert "run" not in vars(thread)


def test_the_exception_of_a_thread_reaches_its_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_type))
    with tags(a=1):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    assert told == [LookupError]


@pytest.mark.parametrize(("owner", "name"), METHODS, ids=lambda part: getattr(part, "__name__", part))
def test_a_method_is_wrapped_while_a_block_is_open_and_then_as_before(owner: type, name: str) -> None:
    before = vars(owner)[name]
    with tags(a=1):
        with tags(b=2):
            pass
        assert vars(owner)[name].__wrapped__ is before
    assert vars(owner)[name] is before


def test_a_wrapper_that_somebody_puts_over_ours_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ThreadPoolExecutor.submit
    with tags(a=1):
        ours = ThreadPoolExecutor.submit

        def theirs(self: Any, *args: Any, **kwargs: Any) -> Any:
            return ours(self, *args, **kwargs)

        ThreadPoolExecutor.submit = theirs  # type: ignore[assignment,method-assign]  # as a tracer does
    try:
        assert ThreadPoolExecutor.submit is theirs
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(seen).result() == ()
            with tags(b=2):
                assert pool.submit(seen).result() == (("b", "2"),)
        assert ThreadPoolExecutor.submit is theirs
    finally:
        ThreadPoolExecutor.submit = original  # type: ignore[method-assign]  # as it was


def test_a_process_that_is_forked_while_a_block_is_being_opened_can_open_its_own() -> None:
    stop = threading.Event()

    def blocks() -> None:
        while not stop.is_set():
            with tags(b=2):
                pass

    thread = threading.Thread(target=blocks)
    thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                with tags(a=1):
                    os._exit(0 if current_tags() == A else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()
