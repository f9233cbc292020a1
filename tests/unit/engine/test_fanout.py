"""Fanout: a few jobs ahead, results as they come, and nothing left behind."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from ipycheckpoint.engine.fanout import Fanout, workers_of


class ByHand:
    """An executor whose jobs end when the test says so."""

    def __init__(self, workers: int = 1) -> None:
        self._max_workers = workers
        self.futures: list[Future] = []

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.job = fn
        self.futures.append(future)
        return future


def source(jobs):
    rest = iter(jobs)
    return lambda: next(rest, None)


def test_every_job_is_done_once():
    with ThreadPoolExecutor(3) as executor, Fanout(executor) as fanout:
        jobs = [partial(pow, number, 2) for number in range(200)]
        assert sorted(done.answer() for done in fanout.results(source(jobs))) == [n**2 for n in range(200)]


def test_an_answer_comes_with_its_job():
    with ThreadPoolExecutor(3) as executor, Fanout(executor) as fanout:
        jobs = [partial(pow, number, 2) for number in range(20)]
        assert all(done.job() == done.answer() for done in fanout.results(source(jobs)))


def test_what_a_job_raises_is_raised_by_its_answer_and_ends_no_other():
    with ThreadPoolExecutor(2) as executor, Fanout(executor) as fanout:
        done = list(fanout.results(source([partial(int, "x"), partial(int, "1")])))
    good = [one for one in done if one.job.args == ("1",)]
    bad = [one for one in done if one.job.args == ("x",)]
    assert good[0].answer() == 1
    with pytest.raises(ValueError, match="invalid literal"):
        bad[0].answer()


def test_only_a_few_jobs_are_handed_over_ahead():
    executor = ByHand(workers=2)
    with Fanout(executor) as fanout:
        results = fanout.results(source([int] * 1000))
        threading.Timer(0.05, lambda: executor.futures[0].set_result(0)).start()
        next(results)
        assert 2 <= len(executor.futures) <= 20


def test_what_is_not_done_at_the_end_is_cancelled():
    executor = ByHand()
    with Fanout(executor) as fanout:
        results = fanout.results(source([int] * 3))
        threading.Timer(0.05, lambda: executor.futures[1].set_result(0)).start()
        next(results)
    assert [future.cancelled() for future in executor.futures[:3]] == [True, False, True]


def test_what_was_done_meanwhile_is_not_lost():
    executor = ByHand()
    with Fanout(executor) as fanout:
        results = fanout.results(source([int] * 3))
        threading.Timer(0.05, lambda: [future.set_result(7) for future in executor.futures[:2]]).start()
        next(results)
        executor.futures[1].result()
    assert [done.answer() for done in fanout.leftovers()] == [7]


def test_a_job_that_comes_up_late_is_done_too():
    todo = [partial(int, "1")]
    with ThreadPoolExecutor(1) as executor, Fanout(executor) as fanout:
        seen = []
        for done in fanout.results(lambda: todo.pop() if todo else None):
            seen.append(done.answer())
            if len(seen) < 3:
                todo.append(partial(int, "2"))
    assert seen == [1, 2, 2]


def test_an_executor_that_takes_nothing_any_more_fails_the_jobs():
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with Fanout(executor) as fanout:
        [done] = fanout.results(source([int]))
    with pytest.raises(RuntimeError, match="shutdown"):
        done.answer()


class LikeDask:
    class _client:
        @staticmethod
        def nthreads() -> dict[str, int]:
            return {"a": 4, "b": 2}


@pytest.mark.parametrize(("executor", "number"), [(ByHand(5), 5), (LikeDask(), 6), (LikeDask._client, 6)])
def test_how_many_jobs_are_done_at_once_is_asked(executor, number):
    assert workers_of(executor) == number


def test_where_nothing_is_known_the_machine_counts():
    assert workers_of(object()) >= 1
