"""The catalogue: a SQLite file beside the store that lists its Records, and counts what they were good for.

No hit depends on it. It is made from the headers of the store whenever it is lost, damaged or of another version, and
where it can't be written, its work goes on in memory.
"""

from __future__ import annotations

import atexit
import gc
import json
import math
import time
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from ipycheckpoint.cache.listing import (
    COLUMNS,
    FAIL,
    FOUND,
    LISTED,
    PIN,
    REMOVE,
    REMOVE_RESTORES,
    Listed,
    Row,
    Totals,
    condition,
    ordered,
    pairs_of,
    plain,
    rows_of,
    values_of,
)
from ipycheckpoint.cache.tables import Tables
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.store.system import REAL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from ipycheckpoint.cache.arrivals import Arrivals
    from ipycheckpoint.store.system import System

T = TypeVar("T")

_MOST_ANSWERS = 100
_MOST_MATCHES = 4  # each may be all records there are

_MOST_TAGS = 500
"""How many combinations of tags are looked at for the list of all tags."""


class Catalogue:
    """The listing of a store, at `path` or in memory; `records` gives all that the store has.

    Nothing but a query raises: what can't be written is kept in mind, with one `CheckpointWarning`. Queries write
    nothing; they raise `StoreError` when the store itself must be read and can't be. `signers` gives those whose
    records are trusted. The path may be on a `network`.
    """

    def __init__(
        self,
        path: Path | None,
        records: Callable[[], Iterable[Listed]],
        arrivals: Arrivals | None = None,
        *,
        signers: Callable[[], Collection[str]] = tuple,
        clock: Callable[[], float] = time.time,
        network: bool = False,
        system: System = REAL,
    ) -> None:
        self._signers, self._clock = signers, clock
        self._tables = Tables(path, records, arrivals, network=network, system=system)
        self._lock, self._uses = self._tables.lock, self._tables.uses
        self._answers: dict[tuple[Any, ...], tuple[tuple[object, ...], list[Any]]] = {}
        self._matches: dict[tuple[Any, ...], tuple[tuple[object, ...], list[int]]] = {}
        _catalogues.add(self)

    def add(self, listed: Listed, nbytes: int | None = None) -> None:
        """List a Record that was made, in place of an earlier one under its Key.

        Where the store itself tells of a small one, of so many bytes, it is written with the next that comes after a
        second, or when the process ends; others are written at once.
        """
        self._tables.add(listed, nbytes)

    def remove(self, key: Key) -> None:
        """List the Record under `key` no more."""
        with self._lock:
            self._uses.forget(key)
            self._tables.note((REMOVE, (key,)), (REMOVE_RESTORES, (key,)))

    def hit(self, key: Key, seconds_saved: float, seconds: float = 0.0) -> None:
        """Count one hit that took `seconds`; it is written within a second or two, or when the process ends."""
        with self._lock:
            self._uses.count(key, self._clock(), seconds_saved, seconds)
            self._tables.changed()
            self._tables.flush_if_due()

    def pin(self, key: Key, pinned: bool) -> None:
        """List the Record under `key` as pinned, or as not."""
        self._tables.note((PIN, (int(pinned), key)))

    def fail(self, key: Key, failure: str) -> None:
        """List why the Record under `key` could not be loaded, in a line; an empty one takes that back."""
        self._tables.note((FAIL, (plain(failure), key)))

    def trust(self, listed: Listed) -> None:
        """List the Record as it is now in the store, with another signer."""
        self._tables.note((FOUND, values_of(listed)))

    def flush(self) -> None:
        """Write what was only kept in mind."""
        self._tables.flush()

    def rows(
        self,
        *,
        label: str | None = None,
        kind: str | None = None,
        tag: tuple[str, str] | None = None,
        search: str | None = None,
        status: str | None = None,
        keys: Collection[str] | None = None,
        order: str = "created",
        descending: bool = True,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Row]:
        """The Records that fit, in `order`, which is one of `listing.ORDERS`.

        `search` gives words that must all be in the label, the tags, the names of the outputs, the Key or the failure.
        """
        where, values = condition(label, kind, tag, search, status, keys)
        # Where rows are picked, one pass over the table is quicker than rows in the order of an index; where they are
        # not, an index alone finds the page.
        by, by_index = (ordered(order, descending=descending, indexed=indexed) for indexed in (False, True))
        if limit is None and not offset:
            with self._lock:
                in_order = by_index if not where and order == "created" else by  # as most of them lie in the table
                query = f"{LISTED} SELECT {COLUMNS} FROM listed {where} {in_order}"
                return self._read_rows(query, [*self._now(), *values])
        page = f"{LISTED} SELECT id FROM listed {where} {by if where else by_index} LIMIT ? OFFSET ?"
        with self._lock:
            limits = [-1 if limit is None else limit, offset]
            return self._rows([found for (found,) in self._tables.ask(page, [*self._now(), *values, *limits])], by)

    def page(
        self,
        number: int,
        size: int,
        *,
        kind: str | None = None,
        tag: tuple[str, str] | None = None,
        search: str | None = None,
        status: str | None = None,
        order: str = "created",
        descending: bool = True,
    ) -> tuple[list[Row], int]:
        """The page with this `number`, from 0, of what `rows` would give, and how many rows that are altogether.

        Those that fit are found in one pass, and then remembered: the next page costs next to nothing.
        """
        where, values = condition(None, kind, tag, search, status)
        with self._lock:
            if not where:
                rows = self.rows(order=order, descending=descending, limit=size, offset=number * size)
                return rows, self.count()
            by = ordered(order, descending=descending, indexed=False)
            # What is expired is a matter of the time, to the second.
            second = 0 if status is None else int(self._clock())
            ids = self._matching(f"{LISTED} SELECT id FROM listed {where} {by}", values, second)
            return self._rows(ids[number * size : (number + 1) * size], by), len(ids)

    def _matching(self, query: str, values: list[Any], second: int) -> list[int]:
        asked, stamp = (query, *values), (*self.stamp(), second)
        known = self._matches.get(asked)
        if known is None or known[0] != stamp:
            if len(self._matches) >= _MOST_MATCHES:
                self._matches.clear()
            ids = [found for (found,) in self._tables.ask(query, [*self._now(), *values])]
            known = self._matches[asked] = (stamp, ids)
        return known[1]

    def _rows(self, ids: list[int], by: str) -> list[Row]:
        query = f"{LISTED} SELECT {COLUMNS} FROM listed WHERE id IN (SELECT value FROM json_each(?)) {by}"
        values = [*self._now(), json.dumps(ids)]
        return self._read_rows(query, values)

    def _read_rows(self, query: str, values: list[Any]) -> list[Row]:
        collecting = gc.isenabled()
        gc.disable()  # there may be very many rows, and none is garbage: they would set off collection after collection
        try:
            rows = self._read(lambda: rows_of(self._tables.ask(query, values)))
        finally:
            if collecting:
                gc.enable()
        return [self._uses.added_to(row) for row in rows] if self._uses else rows

    def count(
        self,
        *,
        label: str | None = None,
        kind: str | None = None,
        tag: tuple[str, str] | None = None,
        search: str | None = None,
        status: str | None = None,
    ) -> int:
        """How many Records `rows` would give without a limit."""
        where, values = condition(label, kind, tag, search, status)
        if status is None:
            ((number,),) = self._ask_once(f"SELECT count(*) FROM records {where}", values)
        else:  # what is expired is a matter of the time
            ((number,),) = self._tables.ask(f"{LISTED} SELECT count(*) FROM listed {where}", [*self._now(), *values])
        return int(number)

    def totals(self) -> Totals:
        """All Records together."""
        query = """SELECT count(*), total(nbytes), total(hits), total(misses), total(saved_seconds),
            total(failure != ''), total(instr(?, signer) = 0), total(pinned) FROM records"""
        with self._lock:
            ((records, nbytes, hits, misses, saved, *rest),) = self._ask_once(query, self._now()[:1])
            more_hits, more_saved = self._uses.totals()
        return Totals(records, int(nbytes), int(hits) + more_hits, int(misses), saved + more_saved, *map(int, rest))

    def restores(self, keys: Collection[Key]) -> dict[Key, dict[int, int]]:
        """How often each of these Records was restored in which MOMENT_SECONDS since the epoch."""
        query = "SELECT key, moment, hits FROM restores WHERE key IN (SELECT value FROM json_each(?))"
        found: dict[Key, dict[int, int]] = {key: {} for key in keys}
        with self._lock:
            for key, moment, hits in self._tables.ask(query, [json.dumps(list(keys))]):
                found[Key(key)][moment] = hits
            self._uses.add_moments_to(found)
        return found

    def tags(self) -> list[tuple[str, str]]:
        """The tags that Records have, in order; where there are very many, not all of them."""
        query = "SELECT DISTINCT tags FROM records ORDER BY tags LIMIT ?"
        return self._read(
            lambda: sorted({pair for (tags,) in self._ask_once(query, [_MOST_TAGS]) for pair in pairs_of(tags)})
        )

    def keys_of(self, label: str, limit: int = 20, before: float | None = None) -> list[Key]:
        """The Keys of the newest Records with this `label`, the newest first; of those made `before` that time."""
        query = "SELECT key FROM records WHERE label = ? AND created <= ? ORDER BY created DESC, key LIMIT ?"
        latest = math.inf if before is None else before
        return [Key(key) for (key,) in self._tables.ask(query, [plain(label), latest, limit])]

    def keys(self) -> list[Key]:
        """The Keys of all Records, in no particular order."""
        return [Key(key) for (key,) in self._tables.ask("SELECT key FROM records", [])]

    def labels(self) -> list[str]:
        """All labels, in order."""
        return [label for (label,) in self._tables.ask("SELECT DISTINCT label FROM records ORDER BY label", [])]

    def stamp(self) -> tuple[object, ...]:
        """Equal stamps mean that nobody, in this process or another, has changed anything since."""
        return self._tables.stamp()

    def rebuild(self) -> int:
        """Make the listing from the headers of the store again, and keep the counts; how many there are.

        Raises:
            StoreError: the store can't be read.
        """
        number = self._tables.rebuild()
        return self.count() if number is None else number

    def close(self) -> None:
        """Write what was only kept in mind, and close the file; the next use opens it again."""
        self._tables.close()

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:  # noqa: BLE001, S110 - it was never opened, or at the end of a process nothing works any more
            pass

    def _ask_once(self, query: str, values: list[Any]) -> list[Any]:
        """As `_ask`, with the answer of before where nobody has changed anything since."""
        asked = (query, *values)
        with self._lock:
            stamp = self.stamp()
            known = self._answers.get(asked)
            if known is not None and known[0] == stamp:
                return known[1]
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            found = self._tables.ask(query, values)
            self._answers[asked] = (stamp, found)
            return found

    def _read(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (ValueError, TypeError):
            # SQLite doesn't notice when a value in its file was altered.
            self.rebuild()
            return work()

    def _now(self) -> list[Any]:
        """The values of LISTED."""
        return [",".join(self._signers()), self._clock()]


_catalogues: WeakSet[Catalogue] = WeakSet()


def _close_all() -> None:
    for catalogue in list(_catalogues):
        catalogue.close()


atexit.register(_close_all)
