"""Hits that a process has counted and not written yet: a hit is a matter of microseconds, a write is not."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

from ipycheckpoint.cache.listing import MOMENT_SECONDS, RESTORE, USE
from ipycheckpoint.identity.identity import Key

if TYPE_CHECKING:
    import sqlite3

    from ipycheckpoint.cache.listing import Row


class _Use:
    __slots__ = ("hits", "last", "moments", "restored_seconds", "saved_seconds")

    def __init__(self) -> None:
        self.hits = 0
        self.last = self.saved_seconds = self.restored_seconds = 0.0
        self.moments: dict[int, int] = {}
        """Hits by when they were: numbers of MOMENT_SECONDS since the epoch."""


class Uses:
    """The hits in mind, by Key. In a fork there are none: the parent writes its own.

    >>> uses = Uses()
    >>> uses.count("5f2c", 1_800_000_000.0, 2.5, 0.1)
    >>> bool(uses), uses.totals()
    (True, (1, 2.5))
    """

    def __init__(self) -> None:
        self._uses: dict[Key, _Use] = {}
        self._process = os.getpid()

    def count(self, key: Key, now: float, saved_seconds: float, seconds: float) -> None:
        """Count a hit at `now`, in seconds since the epoch, that took `seconds` and saved others."""
        use = self._own().setdefault(key, _Use())
        use.hits += 1
        use.last = now
        use.saved_seconds += saved_seconds
        use.restored_seconds += seconds
        moment = int(now // MOMENT_SECONDS)
        use.moments[moment] = use.moments.get(moment, 0) + 1

    def __len__(self) -> int:
        return len(self._own())

    def __bool__(self) -> bool:
        return bool(self._own())

    def forget(self, key: Key) -> None:
        """Forget the hits of a record that is gone."""
        self._uses.pop(key, None)

    def clear(self) -> None:
        """Forget all hits, once they are written."""
        self._uses.clear()

    def totals(self) -> tuple[int, float]:
        """How many hits there are, and how many seconds they have saved together."""
        uses = self._own().values()
        return sum(use.hits for use in uses), sum(use.saved_seconds for use in uses)

    def added_to(self, row: Row) -> Row:
        """`row` with the hits that are not written yet."""
        use = self._own().get(row.key)
        if use is None:
            return row
        return row._replace(
            hits=row.hits + use.hits,
            last_used=max(row.last_used, use.last),
            saved_seconds=row.saved_seconds + use.saved_seconds,
            restored_seconds=row.restored_seconds + use.restored_seconds,
            status="restored" if row.status == "kept" else row.status,
        )

    def add_moments_to(self, found: dict[Key, dict[int, int]]) -> None:
        """Add to `found`, restores by Key and moment, those that are not written yet."""
        uses = self._own()
        for key in found.keys() & uses.keys():
            for moment, hits in uses[key].moments.items():
                found[key][moment] = found[key].get(moment, 0) + hits

    def write(self, connection: sqlite3.Connection) -> None:
        """Write them all into the tables of the catalogue."""
        uses = self._own().items()
        connection.executemany(
            USE, [(use.hits, use.last, use.saved_seconds, use.restored_seconds, key) for key, use in uses]
        )
        connection.executemany(
            RESTORE, [(moment, hits, key) for key, use in uses for moment, hits in use.moments.items()]
        )

    def to_json(self) -> bytes:
        """As JSON that `from_json` reads."""
        told = {
            key: [use.hits, use.last, use.saved_seconds, use.restored_seconds, list(use.moments.items())]
            for key, use in self._own().items()
        }
        return json.dumps(told, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes | memoryview) -> Uses:
        """Read what `to_json` wrote. Raises ValueError."""
        uses = cls()
        try:
            told: dict[str, Any] = json.loads(bytes(data))
            for key, (hits, *seconds, moments) in told.items():
                use = uses._uses[Key(key)] = _Use()
                use.hits = _count(hits)
                use.last, use.saved_seconds, use.restored_seconds = map(_finite, seconds)
                use.moments = {_count(moment): _count(number) for moment, number in moments}
        except (AttributeError, TypeError, RecursionError) as problem:
            raise ValueError(f"this tells of no hits: {problem!r}") from problem
        return uses

    def _own(self) -> dict[Key, _Use]:
        if self._process != os.getpid():
            self._process = os.getpid()
            self._uses.clear()
        return self._uses


def _count(number: Any) -> int:
    if type(number) is not int or not 0 <= number < 1 << 40:
        raise ValueError(f"{number!r:.80} is no number of hits")
    return number


def _finite(seconds: Any) -> float:
    if type(seconds) not in (int, float) or not math.isfinite(seconds):
        raise ValueError(f"{seconds!r:.80} is no number of seconds")
    return float(seconds)
