"""Single flight: of all threads, tasks and processes that ask for one Key, one runs and the others wait.

Within the process a claim on the Key keeps the others away. Between processes it is a lock of the operating system on
one byte of the file ``locks``, at an offset that the Key gives. Such a lock is gone with its process, however that
ends; it isn't inherited by a fork, so a worker that outlives its killed parent holds nothing up; it works on network
file systems; and there is nothing to clean up, since a byte can be locked without being there: the file stays empty.
POSIX drops all of a process's locks on a file when any descriptor of that file is closed, so each process opens it
once and keeps it open.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.store.folder import make_folder

try:
    import fcntl
except ImportError:  # Windows: threads and tasks exclude each other there, processes don't
    fcntl = None  # type: ignore[assignment]  # what is missing is None

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

    from ipycheckpoint.identity.identity import Key

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05  # seconds
_PAUSE_RATIO = 0.05  # of the time waited so far: that much of it may be a needless wait


class Flights:
    """Who is running what, in all processes that share `directory`; without one, in all threads of this `Flights`.

    Nobody waits for longer than `wait_seconds`, if it is given.
    """

    def __init__(self, directory: Path | None, *, wait_seconds: float | None = None) -> None:
        self._field = _Field(None) if directory is None else _field(directory)
        self._wait_seconds = wait_seconds

    @contextmanager
    def alone(self, key: Key, *, on_wait: Callable[[float], None] | None = None) -> Iterator[bool]:
        """Wait until nobody else runs `key`, and hold it.

        Gives False when that can't be had or known: after `wait_seconds`, where the file system has no locks, or where
        waiting would never end. Who waited, whatever was given, looks again for a result before running.
        Who holds `key` already gets it at once. `on_wait` is called with the seconds waited so far, again and again.
        """
        approach = _Approach(self._field, key, self._wait_seconds, on_wait, blocking=True)
        try:
            while seconds := approach.step():
                approach.pause(seconds)
            yield approach.alone
        finally:
            approach.release()

    @asynccontextmanager
    async def alone_async(self, key: Key, *, on_wait: Callable[[float], None] | None = None) -> AsyncIterator[bool]:
        """As `alone`, for tasks: other tasks run while this one waits."""
        import asyncio  # loaded long ago by whoever runs this

        approach = _Approach(self._field, key, self._wait_seconds, on_wait, blocking=False)
        try:
            while seconds := approach.step():  # noqa: ASYNC110 - another process can't set an Event
                await asyncio.sleep(seconds)
            yield approach.alone
        finally:
            approach.release()


class _Claim:
    """One run of one Key in this process."""

    __slots__ = ("over", "thread")

    def __init__(self) -> None:
        self.over = threading.Event()
        self.thread = threading.get_ident()


_held: ContextVar[Mapping[tuple[int, Key], _Claim]] = ContextVar("_held")
"""What is held by whom this code runs for: its tasks and what it calls inherit that."""


class _Approach:
    """One who asks for a Key, step by step, so that threads and tasks can wait each in their own way."""

    def __init__(
        self,
        field: _Field,
        key: Key,
        wait_seconds: float | None,
        on_wait: Callable[[float], None] | None,
        *,
        blocking: bool,
    ) -> None:
        self.alone = False
        self._field, self._key, self._wait_seconds, self._on_wait = field, key, wait_seconds, on_wait
        self._blocking = blocking
        self._name = (id(field), key)
        self._began = time.monotonic()
        self._claim: _Claim | None = None
        self._other: _Claim | None = None

    def step(self) -> float:
        """How many seconds to wait before the next step; 0 when there is none."""
        if self._claim is None:
            held = _held.get({}).get(self._name)
            if held is not None and not held.over.is_set():
                self.alone = True
                return 0.0
            self._claim, self._other = self._field.claim(self._key)
        if self._claim is not None:
            try:
                self.alone = self._field.lock(self._key)
            except OSError:
                self._hold(self._claim)  # there are no locks: threads and tasks wait for us all the same
                return 0.0
            if self.alone:
                self._hold(self._claim)
                return 0.0
        elif self._blocking and self._other is not None and self._other.thread == threading.get_ident():
            return 0.0  # a task of this very thread, which can't go on while we wait
        waited = time.monotonic() - self._began
        if self._wait_seconds is not None and waited >= self._wait_seconds:
            return 0.0
        if self._on_wait is not None:
            self._on_wait(waited)
        return min(max(waited * _PAUSE_RATIO, _SHORTEST_PAUSE), _LONGEST_PAUSE)

    def pause(self, seconds: float) -> None:
        """Wait, which a signal interrupts; shorter, if another thread is done."""
        if self._claim is None and self._other is not None:
            self._other.over.wait(seconds)
        else:
            time.sleep(seconds)

    def release(self) -> None:
        """Let the next one in."""
        if self._claim is not None:
            self._field.release(self._key, self._claim)
            _held.set({name: claim for name, claim in _held.get({}).items() if claim is not self._claim})

    def _hold(self, claim: _Claim) -> None:
        _held.set({**_held.get({}), self._name: claim})


class _Field:
    """The claims of this process, and the file of locks that it shares with others."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._claims: dict[Key, _Claim] = {}
        self._mutex = threading.Lock()
        self._descriptor: int | None = None

    def claim(self, key: Key) -> tuple[_Claim | None, _Claim | None]:
        """A claim on `key`, or else the one that is in the way."""
        with self._mutex:
            other = self._claims.get(key)
            if other is not None:
                return None, other
            claim = self._claims[key] = _Claim()
            return claim, None

    def lock(self, key: Key) -> bool:
        """Lock `key` for this process; False while another has it. OSError where there are no locks."""
        if self._directory is None or fcntl is None:
            return True
        with self._mutex:
            descriptor = self._open(self._directory)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(key))
        except (BlockingIOError, PermissionError):  # POSIX allows both
            return False
        return True

    def release(self, key: Key, claim: _Claim) -> None:
        """Give up `claim`, and the lock with it."""
        with self._mutex:
            if self._claims.get(key) is not claim:
                return  # it was our parent's, before a fork
            if self._descriptor is not None:
                with suppress(OSError):
                    fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _offset(key))
            del self._claims[key]
        claim.over.set()

    def after_fork(self) -> None:
        """In the child: its parent's threads are not here, and its locks are not ours."""
        self._mutex = threading.Lock()
        self._claims.clear()

    def _open(self, directory: Path) -> int:
        path = directory / "locks"
        if self._descriptor is not None:
            with suppress(FileNotFoundError):
                if os.path.samestat(path.stat(), os.fstat(self._descriptor)):
                    return self._descriptor
            # The folder was deleted under us: others will meet at a new file.
            os.close(self._descriptor)
            self._descriptor = None
        make_folder(directory)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        return self._descriptor

    def __del__(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


def _offset(key: Key) -> int:
    return int(digest_bytes(key.encode())[:15], 16)  # 60 bits: no two Keys meet, and any file system can count so far


_fields: WeakValueDictionary[str, _Field] = WeakValueDictionary()
_fields_mutex = threading.Lock()


def _field(directory: Path) -> _Field:
    with _fields_mutex:
        return _fields.setdefault(os.path.realpath(directory), _Field(directory))


def _after_fork_in_child() -> None:
    _fields_mutex.release()
    for field in list(_fields.values()):
        field.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_fields_mutex.acquire, after_in_parent=_fields_mutex.release, after_in_child=_after_fork_in_child
    )
