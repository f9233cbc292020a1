"""Single flight: of all threads, tasks and processes that ask for one Key, one runs and the others wait.

Within the process a claim on the Key keeps the others away. Between processes it is a lock of the operating system on
one byte of the file ``locks``, at an offset that the Key gives. Such a lock is gone with its process, however that
ends; it isn't inherited by a fork, so a worker that outlives its killed parent holds nothing up; it works on network
file systems; and there is nothing to clean up, since a byte can be locked without being there: the file stays empty.
POSIX drops all of a process's locks on a file when any descriptor of that file is closed, so each process opens it
once and keeps it open.

Who waits says on whom after half a second, on stderr. Nobody waits for ever: after `wait_seconds`, and at once where
the file system has no locks that can be relied upon, the work is done here, too, and the later of two records takes the
place of the earlier.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.store.folder import make_folder
from ipycheckpoint.store.system import NO_LINK, REAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.store.system import System

WAIT_SECONDS = 24 * 3600.0
"""For how long one waits for another, unless told otherwise; then the work is done twice."""

_SILENT_SECONDS = 0.5  # what takes less needs no word
_MOST_DOUBTS = 20  # so often a lock was refused that nobody has: then the file system can't be relied upon

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05  # seconds
_PAUSE_RATIO = 0.02  # of the time waited so far: that much of it may be a needless wait


class Flights:
    """Who is running what, in all processes that share `directory`; without one, in all threads of this `Flights`.

    Nobody waits for longer than `wait_seconds`. `say` is told in words who is waited for, and that it was too long.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        wait_seconds: float = WAIT_SECONDS,
        say: Callable[[str], None] | None = None,
        system: System = REAL,
    ) -> None:
        self._field = _Field(None, system) if directory is None else _field(directory, system)
        self.wait_seconds = wait_seconds
        self._say = say or _say

    @contextmanager
    def alone(self, key: Key, *, label: str = "", on_wait: Callable[[float], None] | None = None) -> Iterator[bool]:
        """Wait until nobody else runs `key`, which the user knows as `label`, and hold it.

        Gives False when that can't be had or known: after `wait_seconds`, where the file system has no locks, or where
        waiting would never end. Who waited, whatever was given, looks again for a result before running.
        Who holds `key` already gets it at once. `on_wait` is called with the seconds waited so far, again and again.
        """
        approach = self._approach(key, label, on_wait, blocking=True)
        try:
            while seconds := approach.step():
                approach.pause(seconds)
            yield approach.alone
        finally:
            approach.release()

    @asynccontextmanager
    async def alone_async(
        self, key: Key, *, label: str = "", on_wait: Callable[[float], None] | None = None
    ) -> AsyncIterator[bool]:
        """As `alone`, for tasks: other tasks run while this one waits."""
        import asyncio  # loaded long ago by whoever runs this

        approach = self._approach(key, label, on_wait, blocking=False)
        try:
            while seconds := approach.step():  # noqa: ASYNC110 - another process can't set an Event
                await asyncio.sleep(seconds)
            yield approach.alone
        finally:
            approach.release()

    def _approach(self, key: Key, label: str, on_wait: Callable[[float], None] | None, *, blocking: bool) -> _Approach:
        def say(words: str) -> None:
            self._say(f"{label}: {words}" if label else words)

        return _Approach(self._field, key, self.wait_seconds, say, on_wait, blocking=blocking)


def _say(words: str) -> None:
    # Where stderr is closed, or gone, the work is what counts.
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{words}\n")


class _Claim:
    """One run of one Key in this process. Its `thread` runs it, until it `is_over`."""

    __slots__ = ("_running", "is_over", "thread")

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.is_over = False
        self._running = threading.Lock()  # a tenth of the price of an Event
        self._running.acquire()

    def wait(self, seconds: float) -> None:
        """Wait until it is over, for so many seconds at most."""
        if self._running.acquire(timeout=seconds):
            self._running.release()

    def end(self) -> None:
        """It is over: whoever waits goes on."""
        self.is_over = True
        self._running.release()


_held: ContextVar[Mapping[tuple[int, Key], _Claim]] = ContextVar("_held")
"""What is held by whom this code runs for: its tasks and what it calls inherit that."""


class _Approach:
    """One who asks for a Key, step by step, so that threads and tasks can wait each in their own way."""

    def __init__(
        self,
        field: _Field,
        key: Key,
        wait_seconds: float,
        say: Callable[[str], None],
        on_wait: Callable[[float], None] | None,
        *,
        blocking: bool,
    ) -> None:
        self.alone = False
        self._field, self._key, self._wait_seconds = field, key, wait_seconds
        self._say, self._on_wait = say, on_wait
        self._has_said = False
        self._doubts = 0
        self._blocking = blocking
        self._name = (id(field), key)
        self._began = time.monotonic()
        self._claim: _Claim | None = None
        self._other: _Claim | None = None

    def step(self) -> float:
        """How many seconds to wait before the next step; 0 when there is none."""
        if self._claim is None:
            held = _held.get({}).get(self._name)
            if held is not None and not held.is_over:
                self.alone = True
                return 0.0
            self._claim, self._other = self._field.claim(self._key)
        if self._claim is not None:
            try:
                self.alone = self._field.lock(self._key)
            except OSError:
                self._hold_without_lock()
                return 0.0
            if self.alone:
                self._hold(self._claim)
                return 0.0
        elif self._blocking and self._other is not None and self._other.thread == threading.get_ident():
            return 0.0  # a task of this very thread, which can't go on while we wait
        waited = time.monotonic() - self._began
        if waited >= self._wait_seconds:
            if self._has_said:
                self._say(f"waited {waited:.0f} s, which is long enough: it is computed here, too")
            return 0.0
        if waited >= _SILENT_SECONDS and not self._is_credible():
            self._hold_without_lock()
            return 0.0
        if self._on_wait is not None:
            self._on_wait(waited)
        return min(max(waited * _PAUSE_RATIO, _SHORTEST_PAUSE), _LONGEST_PAUSE)

    def _is_credible(self) -> bool:
        """Whether somebody really holds what we wait for; says who, the first time."""
        if self._claim is None:
            who: str | None = "another thread or task of this process"
        else:
            try:
                who = self._field.holder(self._key)
            except OSError:
                who = "another process"
        self._doubts = self._doubts + 1 if who is None else 0
        if who is not None and not self._has_said:
            self._has_said = True
            self._say(f"{who} computes it just now; waiting for the result")
        return self._doubts < _MOST_DOUBTS

    def pause(self, seconds: float) -> None:
        """Wait, which a signal interrupts; shorter, if another thread is done."""
        if self._claim is None and self._other is not None:
            self._other.wait(seconds)
        else:
            time.sleep(seconds)

    def release(self) -> None:
        """Let the next one in."""
        if self._claim is not None:
            self._field.release(self._key, self._claim)
            _held.set({name: claim for name, claim in _held.get({}).items() if claim is not self._claim})

    def _hold_without_lock(self) -> None:
        """There are no locks to rely upon: threads and tasks wait for us all the same."""
        if self._claim is not None:
            self._hold(self._claim)

    def _hold(self, claim: _Claim) -> None:
        _held.set({**_held.get({}), self._name: claim})


class _Field:
    """The claims of this process, and the file of locks that it shares with others."""

    def __init__(self, directory: Path | None, system: System) -> None:
        self._directory, self._system = directory, system
        self._claims: dict[Key, _Claim] = {}
        self._mutex = threading.Lock()
        self._path = "" if directory is None else str(directory / "locks")
        self._descriptor: int | None = None
        self._file: os.stat_result | None = None

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
        if self._directory is None:
            return True
        with self._mutex:
            descriptor = self._open(self._directory)
        return self._system.lock(descriptor, _offset(key))

    def holder(self, key: Key) -> str | None:
        """Who has locked `key`, in words; None when it is nobody."""
        pid = None if self._descriptor is None else self._system.holder(self._descriptor, _offset(key))
        if pid == 0:
            return None
        if pid is None or pid < 0:
            return "another process"
        import platform  # for those who wait

        return (
            f"process {pid} on {platform.node() or 'this machine'}" if _runs_here(pid) else f"process {pid} elsewhere"
        )

    def release(self, key: Key, claim: _Claim) -> None:
        """Give up `claim`, and the lock with it."""
        with self._mutex:
            if self._claims.get(key) is not claim:
                return  # it was our parent's, before a fork
            if self._descriptor is not None:
                with suppress(OSError):
                    self._system.unlock(self._descriptor, _offset(key))
            del self._claims[key]
        claim.end()

    def after_fork(self) -> None:
        """In the child: its parent's threads are not here, and its locks are not ours."""
        self._mutex = threading.Lock()
        self._claims.clear()

    def _open(self, directory: Path) -> int:
        if self._descriptor is not None and self._file is not None:
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(self._path), self._file):
                    return self._descriptor
            # The folder was deleted under us: others will meet at a new file.
            os.close(self._descriptor)
            self._descriptor = None
        make_folder(directory, self._system)
        self._descriptor = self._system.open(self._path, os.O_RDWR | os.O_CREAT | NO_LINK, 0o600)
        self._file = os.fstat(self._descriptor)
        return self._descriptor

    def __del__(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


def _runs_here(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


@lru_cache(maxsize=100)
def _offset(key: Key) -> int:
    return int(digest_bytes(key.encode())[:15], 16)  # 60 bits: no two Keys meet, and any file system can count so far


_fields: WeakValueDictionary[str, _Field] = WeakValueDictionary()
_fields_mutex = threading.Lock()


def _field(directory: Path, system: System) -> _Field:
    if system is not REAL:
        return _Field(directory, system)
    with _fields_mutex:
        return _fields.setdefault(os.path.realpath(directory), _Field(directory, system))


def _after_fork_in_child() -> None:
    _fields_mutex.release()
    for field in list(_fields.values()):
        field.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_fields_mutex.acquire, after_in_parent=_fields_mutex.release, after_in_child=_after_fork_in_child
    )
