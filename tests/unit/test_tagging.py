"""Tags hold in a block, in what it calls, and in the work that it hands over."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING

import pytest

from ipycheckpoint.errors import UsageError
from ipycheckpoint.tagging import Carried, carrying_tags, current_tags, tags

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

A = (("a", "1"),)


def test_tags_nest_repeat_and_end() -> None:
    with tags(a=1), tags({"b c": 2}, ("a", 3)):
        assert current_tags() == (("a", "1"), ("b c", "2"), ("a", "3"))
    assert current_tags() == ()


def test_a_block_gives_all_tags_that_are_in_force() -> None:
    with tags(a=1), tags(b=2) as inside:
        assert inside == (("a", "1"), ("b", "2"))


def test_tags_end_with_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), tags(a=1):
        raise ZeroDivisionError
    assert current_tags() == ()


def test_the_same_tags_can_be_entered_again_inside() -> None:
    once = tags(a=1)
    with once:
        with once:
            assert current_tags() == A + A
        assert current_tags() == A
    assert current_tags() == ()


@pytest.mark.parametrize("key", ["", "a=b", 1])
def test_a_key_that_cannot_be_a_tags_is_refused(key: object) -> None:
    with pytest.raises(UsageError, match="key of a tag"):
        tags({key: 1})  # type: ignore[dict-item]  # that's the point


def test_tags_follow_a_context_into_a_thread() -> None:
    with tags(a=1):
        context = copy_context()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(context.run, current_tags).result() == A


def test_blocks_of_generators_that_end_out_of_order_end_only_themselves() -> None:
    def tagging() -> Iterator[None]:
        with tags(a=1):
            yield

    generator = tagging()
    next(generator)
    with tags(b=2):
        assert next(generator, "end") == "end"
        assert current_tags() == (("b", "2"),)
    assert current_tags() == ()


def test_a_block_that_ends_in_another_context_changes_nothing_there() -> None:
    block = tags(a=1)
    copy_context().run(block.__enter__)
    with tags(b=2):
        block.__exit__(None, None, None)
        assert current_tags() == (("b", "2"),)


# -- as a decorator --


@tags(a=1)
def tagged(depth: int = 0) -> tuple[tuple[str, str], ...]:
    """What it says."""
    return tagged(depth - 1) if depth else current_tags()


def test_a_decorated_function_is_tagged_by_each_call() -> None:
    assert (tagged(), tagged(2), current_tags()) == (A, A * 3, ())


def test_a_decorated_function_is_documented_and_pickled_as_before() -> None:
    assert (tagged.__name__, tagged.__doc__) == ("tagged", "What it says.")
    assert str(inspect.signature(tagged)).startswith("(depth: 'int' = 0)")
    assert pickle.loads(pickle.dumps(tagged)) is tagged


def test_each_call_of_a_decorated_coroutine_function_is_a_scope_of_its_own() -> None:
    @tags(a=1)
    async def nested(depth: int) -> tuple[tuple[str, str], ...]:
        await asyncio.sleep(0)
        return await nested(depth - 1) if depth else current_tags()

    async def both() -> list[tuple[tuple[str, str], ...]]:
        return [*await asyncio.gather(nested(0), nested(1)), current_tags()]

    assert inspect.iscoroutinefunction(nested)
    assert asyncio.run(both()) == [A, A + A, ()]


def test_a_generator_cannot_be_decorated() -> None:
    def plain() -> Iterator[int]:
        yield 1

    async def asynchronous() -> AsyncIterator[int]:
        yield 1

    for function in (plain, asynchronous):
        with pytest.raises(UsageError, match="can't decorate"):
            tags(a=1)(function)


# -- handed over --


def test_a_task_has_the_tags_of_whoever_made_it() -> None:
    async def waiting(event: asyncio.Event) -> tuple[tuple[str, str], ...]:
        await event.wait()
        return current_tags()

    async def main() -> tuple[tuple[str, str], ...]:
        event = asyncio.Event()
        with tags(a=1):
            task = asyncio.create_task(waiting(event))
        event.set()
        return await task

    assert asyncio.run(main()) == A


def test_to_thread_and_the_executor_of_a_loop_have_the_tags() -> None:
    async def main() -> list[tuple[tuple[str, str], ...]]:
        loop = asyncio.get_running_loop()
        with tags(a=1):
            inside = [await asyncio.to_thread(current_tags), await loop.run_in_executor(None, current_tags)]
        return [*inside, await loop.run_in_executor(None, current_tags)]

    assert asyncio.run(main()) == [A, A, ()]


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_the_tags_are_those_of_whoever_submits(executor: type[Executor]) -> None:
    with tags(a=1), executor() as pool:
        first = pool.submit(current_tags)
        with tags(b=2):
            second = pool.submit(current_tags)
        assert [first.result(), second.result()] == [A, (*A, ("b", "2"))]


def test_what_a_thread_hands_on_has_its_tags_even_when_the_block_has_ended() -> None:
    begun, ended, seen = threading.Event(), threading.Event(), []

    def outer() -> None:
        begun.set()
        ended.wait(30)
        inner = threading.Thread(target=lambda: seen.append(current_tags()))
        inner.start()
        inner.join()

    with tags(a=1):
        thread = threading.Thread(target=outer)
        thread.start()
        begun.wait(30)
    ended.set()
    thread.join()
    assert seen == [A]


def test_a_function_can_be_told_to_carry_its_tags() -> None:
    with tags(a=1):
        job = carrying_tags(current_tags)
    assert (job(), current_tags()) == (A, ())


def test_a_function_that_carries_no_tags_has_none_elsewhere() -> None:
    job = carrying_tags(current_tags)
    with tags(a=1):
        assert (job(), current_tags()) == ((), A)


def test_a_coroutine_function_can_be_told_to_carry_its_tags() -> None:
    async def later() -> tuple[tuple[str, str], ...]:
        await asyncio.sleep(0)
        return current_tags()

    with tags(a=1):
        job = carrying_tags(later)
    assert (inspect.iscoroutinefunction(job), asyncio.run(job())) == (True, A)


def test_a_carried_function_is_pickled_as_the_function_is() -> None:
    carried = Carried(A, current_tags)
    assert pickle.loads(pickle.dumps(carried))() == A
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(Carried(A, lambda: None))
