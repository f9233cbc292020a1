"""Fanout: jobs go to an executor, a few ahead of those that are done, and come back as they end.

An executor is anything that has a method `submit` and gives futures that take callbacks: those of `concurrent.futures`,
loky's, Dask's client. Nobody waits for a job that isn't done when the rest is given up.
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Executor(Protocol):
    """What work is handed to."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Have `fn` called somewhere; a future of what it gives."""
        ...


T = TypeVar("T")
J = TypeVar("J", bound="Callable[[], Any]")

_JOBS_PER_WORKER = 4  # so that no worker waits for us, and little is to be cancelled


class Done(Generic[J, T]):
    """A job that has ended."""

    def __init__(self, job: J, future: Any) -> None:
        self.job = job
        self._future = future

    def answer(self) -> T:
        """What it gave; raises what it raised, or what became of its worker."""
        found: T = self._future.result()
        return found


class Fanout(Generic[J, T]):
    """Has jobs done by `executor`; what isn't done when the block ends is cancelled."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._pending: dict[int, tuple[J, Any]] = {}
        self._done: SimpleQueue[int] = SimpleQueue()
        self._number = 0
        self.workers = workers_of(executor)
        """How many jobs are done at once, as far as that is known."""

    def __enter__(self) -> Fanout[J, T]:
        return self

    def __exit__(self, *problem: object) -> None:
        for _, future in self._pending.values():
            future.cancel()

    def results(self, next_job: Callable[[], J | None]) -> Iterator[Done[J, T]]:
        """Every job when it has ended. `next_job` is asked for a few ahead of those, and again after each."""
        while True:
            while len(self._pending) < self.workers * _JOBS_PER_WORKER and (job := next_job()) is not None:
                self._submit(job)
            if not self._pending:
                return
            yield Done(*self._pending.pop(self._done.get()))

    def leftovers(self) -> Iterator[Done[J, T]]:
        """Jobs that have ended meanwhile, for who doesn't want any more."""
        while not self._done.empty():
            job, future = self._pending.pop(self._done.get())
            if not future.cancelled():
                yield Done(job, future)

    def _submit(self, job: J) -> None:
        try:
            future = self._executor.submit(job)
        except Exception as problem:  # noqa: BLE001 - a pool that is broken, or a job that can't be pickled
            future = Future()
            future.set_exception(problem)
        number = self._number = self._number + 1
        self._pending[number] = job, future
        future.add_done_callback(lambda _: self._done.put(number))


def workers_of(executor: Any) -> int:
    """How many jobs `executor` does at once, as far as that can be told.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(3) as executor:
    ...     workers_of(executor)
    3
    """
    number = getattr(executor, "_max_workers", None)
    client = getattr(executor, "_client", executor)
    if number is None and callable(threads := getattr(client, "nthreads", None)):
        number = sum(threads().values())
    return int(number or os.cpu_count() or 1)
