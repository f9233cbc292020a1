"""What is known of loads that failed: an entry of the store beside the record, for whoever asks later.

It stays with the record until that is forgotten. Once the record loads again, or is kept anew, it is settled: it tells
what was, and no longer what is.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ipycheckpoint.errors import CheckpointError, FormatError
from ipycheckpoint.identity.identity import Key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipycheckpoint.cache.catalogue import Catalogue
    from ipycheckpoint.record.environment import Difference
    from ipycheckpoint.record.failure import LoadFailure
    from ipycheckpoint.store.base import Store

_FAILURES = "failures/"

_MOST_DIFFERENCES = 100
_MOST_TEXT = 2000
_MOST_NBYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class PastFailure:
    """A load that failed, as far as it can be told in words."""

    name: str
    """The output, or several, with commas between them."""
    type_name: str
    exception: str
    """The name of its type."""
    message: str
    differences: tuple[Difference, ...]
    how_to_load: str
    """A shell command, or a comment."""
    python: str
    """The version that could not load it."""
    when: float
    """Seconds since the epoch."""
    settled: float | None = None
    """When the record loaded again or was kept anew, in seconds since the epoch; None if it hasn't been since."""

    @property
    def line(self) -> str:
        """The failure in a line."""
        return f"{self.name}: {self.exception}: {self.message}".partition("\n")[0]

    def to_json(self) -> bytes:
        """As JSON that `from_json` reads."""
        from dataclasses import asdict  # here and below: hardly any load has failed

        return json.dumps(asdict(self), separators=(",", ":")).encode("utf-8", "backslashreplace")

    @classmethod
    def from_json(cls, data: bytes | memoryview) -> PastFailure:
        """Read what `to_json` wrote. Raises FormatError."""
        from ipycheckpoint.record.environment import Difference

        try:
            if len(data) > _MOST_NBYTES:
                raise ValueError("it is too long")
            told: dict[str, Any] = json.loads(bytes(data))
            return cls(
                **{
                    name: str(told[name])
                    for name in ("name", "type_name", "exception", "message", "how_to_load", "python")
                },
                differences=tuple(Difference(*_difference(each)) for each in told["differences"]),
                when=float(told["when"]),
                settled=None if told.get("settled") is None else float(told["settled"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as problem:
            raise FormatError(f"this tells of no failure: {problem!r}") from problem

    @classmethod
    def of(cls, failure: LoadFailure, when: float) -> PastFailure:
        """What is worth keeping of `failure`."""
        return cls(
            name=failure.name[:_MOST_TEXT],
            type_name=failure.type_name,
            exception=type(failure.exception).__name__,
            message=str(failure.exception)[:_MOST_TEXT],
            differences=tuple(failure.differences[:_MOST_DIFFERENCES]),
            how_to_load=failure.how_to_load(),
            python=failure.now.python,
            when=when,
        )


def _difference(told: Any) -> tuple[str, str | None, str | None]:
    name, then, now = told
    return str(name), None if then is None else str(then), None if now is None else str(now)


class Failures:
    """The failures of the records of a Cache. What can't be written here costs nobody a result: it is let go.

    >>> from ipycheckpoint.store.memory import MemoryStore
    >>> Failures(MemoryStore()).get(Key("0" * 64)) is None
    True
    """

    def __init__(
        self, store: Store, catalogue: Catalogue | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._catalogue, self._clock = store, catalogue, clock
        self._open: set[Key] | None = None
        self._lock = threading.Lock()

    def get(self, key: Key) -> PastFailure | None:
        """The last failure of the record under `key`; None if there was none. Writes nothing."""
        with suppress(CheckpointError):
            content = self._store.get(_FAILURES + key)
            if content is not None:
                return PastFailure.from_json(content.view)
        return None

    def add(self, key: Key, failure: LoadFailure) -> None:
        """Note that the record under `key` could not be loaded."""
        past = PastFailure.of(failure, self._clock())
        self._put(key, past)
        with self._lock:
            if self._open is not None:
                self._open.add(key)

    def settle(self, key: Key) -> None:
        """Note that the record under `key` is good again, if it wasn't. Costs next to nothing if it was."""
        with self._lock:
            if self._open is None:
                # Asked of the store once: what other processes add is settled when one of them, or the next, loads it.
                self._open = {key for key, past in self._all() if past.settled is None}
            if key not in self._open:
                return
            self._open.discard(key)
        past = self.get(key)
        if past is not None and past.settled is None:
            self._put(key, replace(past, settled=self._clock()))

    def forget(self, key: Key) -> None:
        """Remove what was noted of the record under `key`."""
        with suppress(CheckpointError):
            self._store.remove(_FAILURES + key)

    def _put(self, key: Key, past: PastFailure) -> None:
        with suppress(CheckpointError):
            self._store.put(_FAILURES + key, [past.to_json()])
        if self._catalogue is not None:
            self._catalogue.fail(key, past.line if past.settled is None else "")

    def _all(self) -> Iterator[tuple[Key, PastFailure]]:
        with suppress(CheckpointError):
            for entry in self._store.entries(_FAILURES):
                key = Key(entry.name.removeprefix(_FAILURES))
                past = self.get(key)
                if past is not None:
                    yield key, past


def open_failures(store: Store) -> dict[Key, str]:
    """The records that could not be loaded the last time, with the failure in a line. Writes nothing."""
    return {key: past.line for key, past in Failures(store)._all() if past.settled is None}
