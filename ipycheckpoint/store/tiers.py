"""A Store of one's own in front of one that others share.

What is read comes near once, and is verified then. What is put is in the local store at once, and on its way to the
shared one: by a thread, in the order in which it was put, so that a record never comes before its Blobs. Until it has
arrived, an entry below ``pending/`` of the local store says so. So neither a store that can't be reached for a while
nor the end of the process loses anything: whoever opens the local store next sends what is left.

Listings, and what is removed for its age, are the local store's: who prunes it takes nothing from others.
"""

from __future__ import annotations

import atexit
import os
import platform
import threading
import time
import warnings
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from ipycheckpoint.errors import CheckpointWarning, StoreError
from ipycheckpoint.progress import advance, silently
from ipycheckpoint.store.base import PENDING, Content, Store
from ipycheckpoint.store.protocols import is_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from ipycheckpoint.store.base import Entry, Write


class SharedStore(Store, Protocol):
    """A Store that can be asked for much at once."""

    def fetch(self, names: Collection[str]) -> Mapping[str, bytes | bytearray]:
        """What is under `names`, as far as there is anything."""
        ...


_REST_SECONDS, _LONGEST_REST_SECONDS = 30.0, 480.0
# After the shared store could not be reached, before it is tried again, which may take seconds. Doubled each time.
_MOST_WAITING = 1000  # entries; who puts more waits until there is room
_ABANDONED_SECONDS = 600.0  # after which another machine's process is taken to be dead
_EXIT_SECONDS = 30.0  # for which a process waits at its end
_PARTING_SECONDS = 3.0  # for which it waits for what is no loss
_FRESH_SECONDS = 30.0  # for which it is not asked again whether the shared store has an entry
_FETCHED = 64  # entries at once


class TieredStore:
    """`local` in front of `shared`. Entries that `is_whole` finds damaged stay where they are.

    `is_whole` says of a name and the bytes under it whether they are what the name promises: True where the name
    promises the very bytes, None where it says nothing of them. `arrived` is told what came from there, `sent` what got
    there, `finished` when no more is to be sent for now, and `parting` when the process ends. A shared store that takes
    no writes from us, or can't be reached, costs a warning and nothing else.
    """

    def __init__(
        self,
        local: Store,
        shared: SharedStore,
        is_whole: Callable[[str, memoryview], bool | None],
        *,
        write: Write = "behind",
        arrived: Callable[[str, memoryview], None] | None = None,
        sent: Callable[[str, memoryview], None] | None = None,
        finished: Callable[[], None] | None = None,
        parting: Callable[[], None] | None = None,
    ) -> None:
        self.local, self.shared = local, shared
        self._is_whole, self._write = is_whole, write
        self._arrived, self._sent, self._finished, self._parting = arrived, sent, finished, parting
        self._rest_until, self._rest_seconds = 0.0, _REST_SECONDS
        self._warned: set[str] = set()
        self._takes_writes = True
        self._known: dict[str, float] = {}
        self._start()
        _stores.add(self)

    def _start(self) -> None:
        self._process = os.getpid()
        self._token = os.urandom(8).hex()  # a later process, and in a container every one, may have our number
        self._queue: deque[str] = deque()
        self._failed: set[str] = set()
        self._changed = threading.Condition()
        self._sending = ""
        self._thread: threading.Thread | None = None
        self._has_looked = self._has_put = False

    @property
    def location(self) -> str:
        """Where the shared one is."""
        return self.shared.location

    @property
    def path(self) -> Any:
        """The directory of the local one, if it has one."""
        return getattr(self.local, "path", None)

    @property
    def waiting(self) -> int:
        """How many entries the shared store doesn't have yet, as far as this process is to send them."""
        return len(self._queue) + bool(self._sending)

    # Reading

    def get(self, name: str) -> Content | None:
        """What is under `name`, here or there; None when nothing is. What was there is here from now on."""
        content: Content | None
        if (content := self.local.get(name)) is not None:
            return content
        content = self._ask(lambda: self.shared.get(name))
        if content is None or not self._keep(name, content.view):
            return content
        return self.local.get(name) or content

    def bring(self, names: Collection[str]) -> set[str]:
        """Those of `names` that are here or there; they are all here from now on."""
        there = {name for name in names if self.local.contains(name)}
        missing = [name for name in dict.fromkeys(names) if name not in there]
        for start in range(0, len(missing), _FETCHED):
            some = missing[start : start + _FETCHED]
            found: Mapping[str, bytes | bytearray] | None = self._ask(lambda some=some: self.shared.fetch(some))  # type: ignore[misc]
            if found is None:
                break
            for name, content in found.items():
                self._keep(name, memoryview(content))
                there.add(name)
            advance()
        return there

    def state(self, name: str, content: Content) -> object | None:
        """What stays equal for as long as `content` is under `name` here."""
        return self.local.state(name, content)

    def contains(self, name: str) -> bool:
        """Whether anything is under `name`, here or there."""
        return self.local.contains(name) or bool(self._ask(lambda: self.shared.contains(name)))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """All entries that are here and whose names begin with `prefix`."""
        for entry in self.local.entries(prefix):
            if not entry.name.startswith(PENDING):
                yield entry

    def _keep(self, name: str, view: memoryview) -> bool:
        """Put what came from there here; whether it is here."""
        with silently():  # that it has come was told
            if self._is_whole(name, view) is False:
                return False
            try:
                self.local.put(name, [view])
            except StoreError:
                return False
        self._known[name] = time.monotonic()
        if self._arrived is not None:
            self._arrived(name, view)
        return True

    # Writing

    def put(self, name: str, chunks: Sequence[bytes | memoryview]) -> None:
        """Put `chunks` under `name` here, and there as soon as that can be."""
        self._known.pop(name, None)
        is_marked = self._mark(name)  # first: who is killed in between leaves a mark too many, and not one too few
        self.local.put(name, chunks)
        if is_marked:
            self._send(name)

    def renew(self, name: str, before: float) -> bool:
        """Let what is under `name` count as put now; whether there is anything."""
        if self.local.renew(name, before):
            if self._mark(name):
                self._send(name)
            return True
        return bool(self._ask(lambda: self.shared.renew(name, before), writing=True))

    def remove(self, name: str) -> bool:
        """Remove what is under `name`, here and there; whether there was anything.

        What the shared store has under a name that promises the very bytes stays there, if they are those.
        """
        self.local.remove(PENDING + name)
        removed = self.local.remove(name)
        content = self._ask(lambda: self.shared.get(name))
        if content is None or not self._takes_writes or self._is_whole(name, content.view) is True:
            return removed
        return bool(self._ask(lambda: self.shared.remove(name), writing=True)) or removed

    def remove_old(self, name: str, before: float) -> bool:
        """Remove what is under `name` here, unless it was put or renewed since `before`; whether it was removed."""
        return not self.local.contains(PENDING + name) and self.local.remove_old(name, before)

    def _is_needed(self, name: str) -> bool:
        """Whether the shared store is to get what is under `name`."""
        return self._takes_writes and time.monotonic() >= self._known.get(name, float("-inf")) + _FRESH_SECONDS

    def _mark(self, name: str) -> bool:
        """Note what the shared store doesn't have yet, for whoever comes next; whether it is to be sent.

        Whoever marks sends: what another thread has sent meanwhile was marked before, or not at all.
        """
        is_needed = self._is_needed(name)
        if is_needed:
            with suppress(StoreError):
                self.local.put(PENDING + name, [f"{platform.node()} {os.getpid()} {self._token}".encode()])
        return is_needed

    def _send(self, name: str) -> None:
        self._has_put = True
        self._enqueue([name])
        if self._write == "through" or self.waiting > _MOST_WAITING:
            self.flush(_EXIT_SECONDS)

    def _enqueue(self, names: Sequence[str]) -> None:
        if self._process != os.getpid():
            self._start()  # the parent's thread isn't here, and sends what the parent has put
        with self._changed:
            self._queue.extend(names)
            if self._thread is None or not self._thread.is_alive():
                self._thread = _started(self._work, "ipycheckpoint-sending")
                if self._thread is None:
                    self._queue.clear()  # they stay marked, and whoever uses this cache next sends them
            self._changed.notify_all()

    def flush(self, seconds: float | None = None) -> int:
        """Wait until everything has been sent, or could not be, for `seconds` at most; how many are left."""
        until = float("inf") if seconds is None else time.monotonic() + seconds
        if not self.waiting and self.left():
            self.catch_up()
        if self._process == os.getpid():
            with self._changed:
                while self.waiting and (left := until - time.monotonic()) > 0:
                    self._changed.wait(min(left, 0.1))
        return len(self.left())

    def left(self) -> list[str]:
        """The names of all entries that the shared store doesn't have yet, whoever is to send them."""
        return [entry.name.removeprefix(PENDING) for entry in self.local.entries(PENDING)]

    def catch_up(self) -> None:
        """Send what processes that are gone, or could not reach the shared store, have left."""
        self._has_looked = True
        with self._changed:
            mine = {*self._queue, self._sending}
        names = [name for name in sorted(self.left()) if name not in mine and self._is_abandoned(name)]
        if names:
            self._enqueue(names)

    def _is_abandoned(self, name: str) -> bool:
        content = self.local.get(PENDING + name)
        if content is None:
            return False
        host, pid, token = (*bytes(content.view).decode("utf-8", "replace").split(" "), "", "")[:3]
        if token == self._token:
            return name in self._failed
        if host == platform.node() and pid.isdigit() and (int(pid) == os.getpid() or not _runs(int(pid))):
            return True
        return any(entry.modified < time.time() - _ABANDONED_SECONDS for entry in self.local.entries(PENDING + name))

    def _work(self) -> None:
        if not self._has_looked:
            with suppress(StoreError):
                self.catch_up()
        while True:
            with self._changed:
                if not self._queue:
                    self._changed.wait(1.0)
                    if not self._queue:
                        self._thread = None
                        return
                name = self._sending = self._queue.popleft()
            try:
                # What could not be sent before is sent first: a record never comes before its Blobs.
                for each in (*sorted(self._failed - {name}), name):
                    self._failed.add(name)
                    if not self._deliver(each):
                        break
            except Exception:  # noqa: BLE001, S110 - it stays pending; who turns warnings into errors isn't here to see
                pass
            finally:
                with self._changed:
                    self._sending = ""
                    self._changed.notify_all()

    def _deliver(self, name: str) -> bool:
        """Send one entry; whether that is done with. If it can't be sent now, it stays pending."""
        self._failed.add(name)
        try:
            content = self.local.get(name)
        except StoreError:
            return False
        is_whole = content is not None and self._is_whole(name, content.view)
        if content is None or is_whole is False:
            self._settle(name)
            if content is not None:
                self._warn(f"{self.location} is not sent what is damaged here: {name}")
            return True

        def send() -> bool:
            if not (is_whole and self.shared.renew(name, time.time() - _FRESH_SECONDS)):
                self.shared.put(name, [content.view])
            return True

        is_sent = bool(self._ask(send, writing=True))
        if is_sent:
            self._known[name] = time.monotonic()
        if is_sent or not self._takes_writes:
            self._settle(name)
        if is_sent and self._sent is not None:
            self._sent(name, content.view)
        return name not in self._failed

    def _settle(self, name: str) -> None:
        self._failed.discard(name)
        with suppress(StoreError):
            self.local.remove(PENDING + name)

    def _ask(self, question: Callable[[], Any], *, writing: bool = False) -> Any:
        """What the shared store answers; None where it can't be asked."""
        if time.monotonic() < self._rest_until or (writing and not self._takes_writes):
            return None
        try:
            answer = question()
        except StoreError as problem:
            if writing and is_refusal(problem):
                self._takes_writes = False
                self._warn(f"{self.location} takes no writes from you: what you compute is kept here alone")
            else:
                self._rest_until = time.monotonic() + self._rest_seconds
                self._rest_seconds = min(2 * self._rest_seconds, _LONGEST_REST_SECONDS)
                self._has_looked = False
                self._warn(
                    f"{self.location} can't be reached, so only what is here is found, and what is kept is sent later:"
                    f" {problem}"
                )
            return None
        self._rest_seconds = _REST_SECONDS
        if not self._has_looked:
            with suppress(StoreError):
                self.catch_up()
        return answer

    def _warn(self, message: str) -> None:
        first = message.partition(":")[0]
        if first not in self._warned:
            self._warned.add(first)
            warnings.warn(message, CheckpointWarning, stacklevel=4)

    def close(self) -> None:
        """Send what is left, for half a minute at most, and let go of files."""
        self.finish()
        close = getattr(self.local, "close", None)
        if close is not None:
            close()

    def finish(self) -> None:
        """Send what this process has put, for half a minute at most; a warning tells of what could not be sent."""
        if self._process != os.getpid():
            return
        self._part()
        if not self._has_put:
            return
        self._has_put = False
        self._rest_until = 0.0  # it may be there again
        number = self.flush(_EXIT_SECONDS)
        if self._finished is not None and not number:
            self._finished()
        if number:
            warnings.warn(
                f"{number} {'entry has' if number == 1 else 'entries have'} not reached {self.location} yet: what is"
                " left is sent when this cache is used next",
                CheckpointWarning,
                stacklevel=3,
            )

    def _part(self) -> None:
        if self._parting is not None and time.monotonic() >= self._rest_until:
            # It may be slow, and nobody needs to wait for it.
            parting = _started(self._parting, "ipycheckpoint-parting")
            if parting is None:
                self._parting()
            else:
                parting.join(_PARTING_SECONDS)


def _started(work: Callable[[], None], name: str) -> threading.Thread | None:
    """A thread that does `work`; None where the interpreter ends, and starts no more: Python 3.12 doesn't."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


_stores: WeakSet[TieredStore] = WeakSet()


def _finish_all() -> None:
    for store in list(_stores):
        with suppress(StoreError):
            store.finish()


# Before `concurrent.futures` ends its threads, which protocols need, and not after that as by `atexit`.
getattr(threading, "_register_atexit", atexit.register)(_finish_all)
