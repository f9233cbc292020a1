"""News of what happens to checkpoints in this process, for whoever wants to show it as it happens."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ipycheckpoint.errors import CheckpointWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipycheckpoint.identity.identity import Key, Kind

Happening = Literal["computing", "ended", "kept", "restored", "failed", "forgotten"]
"""``ended``: what was computing isn't any more, whatever became of it; ``failed``: a record could not be loaded."""


class Event(NamedTuple):
    """One thing that happened to the checkpoint `label`."""

    what: Happening
    label: str
    key: Key
    kind: Kind = "call"


Listener = Callable[[Event], None]


class News:
    """Tells its listeners what happens, in the thread where it happens, and what runs just now.

    >>> news, heard = News(), []
    >>> unsubscribe = news.subscribe(lambda event: heard.append(event.what))
    >>> news.tell(Event("kept", "train", "5f2c"))
    >>> unsubscribe()
    >>> news.tell(Event("restored", "train", "5f2c"))
    >>> heard
    ['kept']
    """

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._running: dict[int, Event] = {}
        self._lock = threading.Lock()

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens: where nobody does, there is no need to make an Event."""
        return bool(self._listeners)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` for each Event from now on, until what this returns is called."""
        with self._lock:
            self._listeners += (listener,)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not listener)

        return unsubscribe

    def tell(self, event: Event) -> None:
        """Tell all listeners of `event`. Raises nothing: a listener that fails is told of with a warning, and gone."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception as problem:  # noqa: BLE001 - showing something must never cost a result
                with self._lock:
                    self._listeners = tuple(other for other in self._listeners if other is not listener)
                message = f"the news of checkpoints can't be shown any more: {type(problem).__name__}: {problem}"
                warnings.warn(message, CheckpointWarning, stacklevel=2)

    def begin(self, label: str, key: Key, kind: Kind) -> Callable[[], None]:
        """Tell that a run begins; what this returns tells that it ended."""
        event = Event("computing", label, key, kind)
        self._running[id(event)] = event
        self.tell(event)

        def end() -> None:
            if self._running.pop(id(event), None) is not None:
                self.tell(Event("ended", label, key, kind))

        return end

    @contextmanager
    def run(self, label: str, key: Key, kind: Kind) -> Iterator[None]:
        """What happens inside is a run."""
        end = self.begin(label, key, kind)
        try:
            yield
        finally:
            end()

    def announcing(self, thunk: Callable[[], Any], label: str, key: Key) -> Callable[[], Any]:
        """`thunk`, told of as the run of a call."""

        def run() -> Any:
            with self.run(label, key, "call"):
                return thunk()

        return run

    def announcing_async(self, thunk: Callable[[], Awaitable[Any]], label: str, key: Key) -> Callable[[], Any]:
        """As `announcing`, for what gives an awaitable."""

        async def run() -> Any:
            with self.run(label, key, "call"):
                return await thunk()

        return run

    def running(self) -> list[Event]:
        """The runs that have begun and not ended, oldest first."""
        return list(self._running.values())
