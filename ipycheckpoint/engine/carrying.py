"""Work handed to threads, pools and processes takes along what is in force where it is handed over.

A context variable goes by itself into asyncio tasks and `asyncio.to_thread`, and nowhere else. While a Carriage is in
use, the methods of the standard library that hand work over are wrapped: `Thread.start`, `Process.start`, `submit` of
both executors, and the task methods of `multiprocessing.Pool`. When nobody uses it any more, they are as before.

A pool's own threads and processes live longer than the task that made the pool start them, so they take nothing
along: what is in force is that of each task.
"""

from __future__ import annotations

import functools
import importlib
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


class Luggage(Protocol):
    """What is to be taken along."""

    def packed(self, function: Callable[..., Any]) -> Callable[..., Any] | None:
        """`function`, to be called elsewhere with what is in force here; None if nothing is."""
        ...

    def left_behind(self) -> AbstractContextManager[object]:
        """A block in which nothing is in force."""
        ...


class _Place(NamedTuple):
    """A method that hands work over."""

    module: str
    owner: str
    method: str
    wrap: Callable[[Callable[..., Any], Luggage], Callable[..., Any]]


class _Wrapped(NamedTuple):
    owner: type
    original: Callable[..., Any]
    wrapper: Callable[..., Any]


class Carriage:
    """Wraps what hands work over for as long as anybody uses it.

    Use it by `board` and `leave`, as often as each other, from any thread.
    """

    def __init__(self, luggage: Luggage) -> None:
        self._luggage = luggage
        self._users = 0
        self._stays = False
        self._wrapped: dict[_Place, _Wrapped] = {}
        self._earlier: dict[_Place, _Wrapped] = {}
        self._lock = threading.Lock()
        self._knows_forks = False

    def board(self) -> None:
        """Somebody begins to use it."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._wrap()

    def leave(self) -> None:
        """Somebody ends to use it."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._unwrap()

    def stay(self) -> None:
        """Use it to the end of this process, which works for another one, task by task."""
        if not self._stays:
            self._stays = True
            self.board()

    def _wrap(self) -> None:
        if not self._knows_forks and hasattr(os, "register_at_fork"):
            self._knows_forks = True
            # No process is forked while another thread is half done with this.
            held = self._lock
            os.register_at_fork(before=held.acquire, after_in_parent=held.release, after_in_child=held.release)
        for place in _PLACES:
            owner = _owner(place)
            if owner is None:
                continue
            original = owner.__dict__[place.method]
            wrapped = self._earlier.get(place)
            if wrapped is None or wrapped.original is not original:
                wrapper = functools.wraps(original)(place.wrap(original, self._luggage))
                wrapped = self._earlier[place] = _Wrapped(owner, original, wrapper)
            self._wrapped[place] = wrapped
            setattr(owner, place.method, wrapped.wrapper)

    def _unwrap(self) -> None:
        for place, wrapped in self._wrapped.items():
            # Where somebody has wrapped it anew, theirs stays, and calls ours: it carries nothing then.
            if wrapped.owner.__dict__.get(place.method) is wrapped.wrapper:
                setattr(wrapped.owner, place.method, wrapped.original)
        self._wrapped.clear()


@functools.cache
def _owner(place: _Place) -> type | None:
    try:
        owner: type = getattr(importlib.import_module(place.module), place.owner)
    except ImportError:  # some platforms have no processes
        return None
    return owner


def _submit(original: Callable[..., Any], luggage: Luggage) -> Callable[..., Any]:
    def submit(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        packed = luggage.packed(args[0]) if args else None
        if packed is None:
            return original(self, *args, **kwargs)
        with luggage.left_behind():
            return original(self, packed, *args[1:], **kwargs)

    return submit


def _task(original: Callable[..., Any], luggage: Luggage) -> Callable[..., Any]:
    def task(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, luggage.packed(func) or func, *args, **kwargs)

    return task


def _pool(original: Callable[..., Any], luggage: Luggage) -> Callable[..., Any]:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        with luggage.left_behind():
            original(self, *args, **kwargs)

    return init


def _start_thread(original: Callable[..., Any], luggage: Luggage) -> Callable[..., Any]:
    def start(self: Any) -> Any:
        packed = luggage.packed(self.run)
        if packed is None:
            return original(self)
        before = self.__dict__.get("run")

        def put_back() -> None:
            _set_run(self, before)

        def run() -> None:
            # At once: as an attribute of the thread, this would keep it alive.
            put_back()
            packed()

        self.run = run
        try:
            return original(self)
        except BaseException:
            put_back()
            raise

    return start


def _start_process(original: Callable[..., Any], luggage: Luggage) -> Callable[..., Any]:
    def start(self: Any) -> Any:
        packed = luggage.packed(self.run)
        if packed is None:
            return original(self)
        before = self.__dict__.get("run")
        # The child's copy is made by the call: by a fork, or by pickling.
        self.run = packed
        try:
            return original(self)
        finally:
            _set_run(self, before)

    return start


def _set_run(worker: Any, before: object | None) -> None:
    if before is None:
        worker.__dict__.pop("run", None)
    else:
        worker.run = before


_PLACES = (
    _Place("threading", "Thread", "start", _start_thread),
    _Place("concurrent.futures.thread", "ThreadPoolExecutor", "submit", _submit),
    _Place("concurrent.futures.process", "ProcessPoolExecutor", "submit", _submit),
    _Place("multiprocessing.process", "BaseProcess", "start", _start_process),
    _Place("multiprocessing.pool", "Pool", "__init__", _pool),
    *(
        _Place("multiprocessing.pool", "Pool", method, _task)
        for method in ("apply_async", "map", "map_async", "starmap", "starmap_async", "imap", "imap_unordered")
    ),
)
