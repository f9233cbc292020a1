"""Hits that a process has counted and not written yet: a hit is a matter of microseconds, a write is not."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ipycheckpoint.cache.listing import MOMENT_SECONDS, RESTORE, USE

if TYPE_CHECKING:
    import sqlite3

    from ipycheckpoint.cache.listing import Row
    from ipycheckpoint.identity.identity import Key


@dataclass(slots=True)
class _Use:
    hits: int = 0
    last: float = 0.0
    saved_seconds: float = 0.0
    restored_seconds: float = 0.0
    moments: dict[int, int] = field(default_factory=dict)
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
        return replace(
            row,
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
            RESTORE, [(key, moment, hits) for key, use in uses for moment, hits in use.moments.items()]
        )

    def _own(self) -> dict[Key, _Use]:
        if self._process != os.getpid():
            self._process = os.getpid()
            self._uses.clear()
        return self._uses
