"""The catalogue: a SQLite file beside the store that lists its Records, and counts what they were good for.

No hit depends on it. It is made from the headers of the store whenever it is lost, damaged or of another version, and
where it can't be written, its work goes on in memory.
"""

from __future__ import annotations

import atexit
import json
import os
import sqlite3
import time
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ipycheckpoint.errors import CheckpointWarning, StoreError, UsageError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ipycheckpoint.record.record import Header

_VERSION = 1
_SCHEMA = (
    """CREATE TABLE records (
        key TEXT PRIMARY KEY NOT NULL, kind TEXT, label TEXT, created REAL, seconds REAL, nbytes INTEGER, tags TEXT,
        outputs TEXT, hits INTEGER, last_used REAL, saved_seconds REAL
    )""",
    "CREATE INDEX by_label ON records (label, created)",
    "CREATE INDEX by_created ON records (created)",
    # One row once all headers are in: before, the listing is not to be trusted.
    "CREATE TABLE state (complete INTEGER PRIMARY KEY)",
)
# What a record was good for stays when it is made again.
_ADD = """INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0.0) ON CONFLICT (key) DO UPDATE SET
    kind = excluded.kind, label = excluded.label, created = excluded.created, seconds = excluded.seconds,
    nbytes = excluded.nbytes, tags = excluded.tags, outputs = excluded.outputs"""
_REMOVE = "DELETE FROM records WHERE key = ?"
_USE = """UPDATE records SET hits = hits + ?, last_used = max(last_used, ?), saved_seconds = saved_seconds + ?
    WHERE key = ?"""
_COLUMNS = "key, kind, label, created, seconds, nbytes, tags, outputs, hits, last_used, saved_seconds"
_ORDERS = frozenset({"created", "label", "kind", "seconds", "nbytes", "hits", "last_used", "saved_seconds"})

_FLUSH_SECONDS = 1.0
_REST_SECONDS = 30.0  # after the file could not be written, before it is tried again


@dataclass(frozen=True, slots=True)
class Row:
    """One Record, as the catalogue lists it."""

    key: Key
    kind: str
    label: str
    created: float
    """Seconds since the epoch."""
    seconds: float
    """How long the run took."""
    nbytes: int
    tags: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    """Their names."""
    hits: int
    last_used: float
    """Seconds since the epoch; when it was made, if it has had no hit."""
    saved_seconds: float
    """What all hits have saved together."""


@dataclass(slots=True)
class _Use:
    hits: int = 0
    last: float = 0.0
    saved_seconds: float = 0.0


class Catalogue:
    """The listing of a store, at `path` or in memory; `headers` gives all headers of the store.

    Nothing but a query raises: what can't be written is kept in mind, with one `CheckpointWarning`. Queries write
    nothing; they raise `StoreError` when the store itself must be read and can't be.
    """

    def __init__(
        self, path: Path | None, headers: Callable[[], Iterable[Header]], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._headers, self._clock = headers, clock
        folder, stem = (None, "catalogue") if path is None else (path.parent, path.stem)
        self._database = Database(folder, stem, _SCHEMA, _VERSION, wait_seconds=1.0, disposable=True)
        self._lock = self._database.lock
        self._in_memory = path is None
        self._stand_in: Database | None = None
        """The same in memory, while the file is missing or can't be written."""
        self._unwritten: list[tuple[str, tuple[Any, ...]]] = []
        self._uses: dict[Key, _Use] = {}
        self._flushed = self._rest_until = float("-inf")
        self._process = os.getpid()
        self._warned = False
        _catalogues.add(self)

    def add(self, header: Header) -> None:
        """List the Record of `header`, in place of an earlier one under its Key."""
        self._note(_ADD, _values(header))

    def remove(self, key: Key) -> None:
        """List the Record under `key` no more."""
        with self._lock:
            self._uses.pop(key, None)
            self._note(_REMOVE, (key,))

    def hit(self, key: Key, seconds_saved: float) -> None:
        """Count one hit, which is written within a second or two, or when the process ends."""
        with self._lock:
            self._forget_uses_of_parent()
            use = self._uses.setdefault(key, _Use())
            use.hits += 1
            use.last = self._clock()
            use.saved_seconds += seconds_saved
            if time.monotonic() >= self._flushed + _FLUSH_SECONDS:
                self.flush()

    def flush(self) -> None:
        """Write what was only kept in mind."""
        with self._lock:
            self._forget_uses_of_parent()
            self._flushed = time.monotonic()
            if (not self._uses and not self._unwritten) or self._flushed < self._rest_until:
                return
            try:
                if self._unwritten and not self._is_complete():
                    self._fill(self._database)
                if self._is_complete():
                    self._database.change(self._write_out)
                    self._uses.clear()
                    self._unwritten.clear()
                    self._stand_in = None
            except (sqlite3.Error, OSError, StoreError) as error:
                self._rest(error)

    def rows(
        self,
        *,
        label: str | None = None,
        kind: str | None = None,
        tag: tuple[str, str] | None = None,
        search: str | None = None,
        order: str = "created",
        descending: bool = True,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Row]:
        """The Records that fit, in `order`, which is a number or text of `Row`.

        `search` gives words that must all be in the label, the tags, the names of the outputs or the Key.
        """
        if order not in _ORDERS:
            raise UsageError(f"can't order by {order!r}: it is one of {', '.join(sorted(_ORDERS))}")
        condition, values = _condition(label, kind, tag, search)
        way = "DESC" if descending else "ASC"
        query = f"SELECT {_COLUMNS} FROM records {condition} ORDER BY {order} {way}, key LIMIT ? OFFSET ?"
        with self._lock:
            found = self._ask(query, [*values, -1 if limit is None else limit, offset])
            return [self._row(*columns) for columns in found]

    def count(
        self,
        *,
        label: str | None = None,
        kind: str | None = None,
        tag: tuple[str, str] | None = None,
        search: str | None = None,
    ) -> int:
        """How many Records `rows` would give without a limit."""
        condition, values = _condition(label, kind, tag, search)
        ((number,),) = self._ask(f"SELECT count(*) FROM records {condition}", values)
        return int(number)

    def keys_of(self, label: str, limit: int = 20) -> list[Key]:
        """The Keys of the newest Records with this `label`, the newest first."""
        query = "SELECT key FROM records WHERE label = ? ORDER BY created DESC, key LIMIT ?"
        return [Key(key) for (key,) in self._ask(query, [label, limit])]

    def labels(self) -> list[str]:
        """All labels, in order."""
        return [label for (label,) in self._ask("SELECT DISTINCT label FROM records ORDER BY label", [])]

    def rebuild(self) -> int:
        """Make the listing from the headers of the store again, and keep the counts; how many there are.

        Raises:
            StoreError: the store can't be read.
        """
        with self._lock:
            try:
                number = self._fill(self._database)
            except (sqlite3.Error, OSError) as error:
                self._rest(error)
                self._stand_in = None
                return self.count()
            self._unwritten.clear()
            self._stand_in = None
            return number

    def close(self) -> None:
        """Write what was only kept in mind, and close the file; the next use opens it again."""
        with self._lock:
            self._rest_until = float("-inf")
            self.flush()
            if not self._in_memory:
                self._database.close()

    def __del__(self) -> None:
        if hasattr(self, "_process"):
            self.close()

    def _note(self, statement: str, values: tuple[Any, ...]) -> None:
        with self._lock:
            self._unwritten.append((statement, values))
            if self._stand_in is not None:
                self._stand_in.execute(statement, values)
            self.flush()

    def _write_out(self, connection: sqlite3.Connection) -> None:
        for statement, values in self._unwritten:
            connection.execute(statement, values)
        connection.executemany(_USE, [(use.hits, use.last, use.saved_seconds, key) for key, use in self._uses.items()])

    def _ask(self, query: str, values: list[Any]) -> list[Any]:
        with self._lock:
            try:
                # The question comes first: an empty answer of a file that was damaged is told by the check.
                found = self._database.rows(query, values)
                if not self._unwritten and self._is_complete():
                    return found
                if self._in_memory:
                    self._fill(self._database)
                    return self._database.rows(query, values)
            except (sqlite3.Error, OSError) as error:
                self._rest(error)
            if self._stand_in is None:
                stand_in = Database(None, "catalogue", _SCHEMA, _VERSION)
                self._fill(stand_in)
                self._stand_in = stand_in
            return self._stand_in.rows(query, values)

    def _is_complete(self) -> bool:
        return bool(self._database.rows("SELECT 1 FROM state"))

    def _fill(self, database: Database) -> int:
        # Only what was listed before the headers were read can be known to be gone: others may add meanwhile.
        listed = [key for (key,) in database.rows("SELECT key FROM records")]
        found = {header.key: _values(header) for header in self._headers()}

        def fill(connection: sqlite3.Connection) -> None:
            connection.executemany(_ADD, found.values())
            connection.executemany(_REMOVE, [(key,) for key in listed if key not in found])
            connection.execute("INSERT OR REPLACE INTO state VALUES (1)")

        database.change(fill)
        return len(found)

    def _row(self, key: str, kind: str, label: str, created: float, seconds: float, nbytes: int, tags: str,
             outputs: str, hits: int, last_used: float, saved_seconds: float) -> Row:  # fmt: skip
        pairs = tuple((name, value) for name, value in json.loads(tags))
        row = Row(
            Key(key), kind, label, created, seconds, nbytes, pairs, tuple(json.loads(outputs)), hits, last_used,
            saved_seconds,
        )  # fmt: skip
        self._forget_uses_of_parent()
        use = self._uses.get(row.key)
        if use is None:
            return row
        return replace(
            row,
            hits=hits + use.hits,
            last_used=max(last_used, use.last),
            saved_seconds=saved_seconds + use.saved_seconds,
        )

    def _forget_uses_of_parent(self) -> None:
        if self._process != os.getpid():
            # We are in a fork: the parent writes them.
            self._process = os.getpid()
            self._uses.clear()

    def _rest(self, error: Exception) -> None:
        self._rest_until = time.monotonic() + _REST_SECONDS
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"the catalogue can't be read or written ({error}): results are kept as ever, and this process lists "
                "them from the store itself",
                CheckpointWarning,
                stacklevel=4,
            )


def _values(header: Header) -> tuple[Any, ...]:
    names = [output.name for output in header.outputs]
    return (
        header.key, header.kind, header.label, header.created, header.seconds, header.nbytes, _json(header.tags),
        _json(names), header.created,
    )  # fmt: skip


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _condition(
    label: str | None, kind: str | None, tag: tuple[str, str] | None, search: str | None
) -> tuple[str, list[Any]]:
    """The WHERE clause, and its values."""
    terms: list[str] = []
    values: list[Any] = []
    for column, wanted in [("label", label), ("kind", kind)]:
        if wanted is not None:
            terms.append(f"{column} = ?")
            values.append(wanted)
    if tag is not None:
        # A quote inside of a tag is escaped in JSON, so this text is nowhere but where the pair is.
        terms.append("instr(tags, ?) > 0")
        values.append(_json(tag))
    for word in (search or "").split():
        pattern = "".join(f"\\{char}" if char in "\\%_" else char for char in word)
        terms.append(r"(label LIKE ? ESCAPE '\' OR tags LIKE ? ESCAPE '\' OR outputs LIKE ? ESCAPE '\' OR key LIKE ?)")
        values.extend([f"%{pattern}%"] * 3 + [f"{pattern}%"])
    return ("WHERE " + " AND ".join(terms) if terms else ""), values


_catalogues: WeakSet[Catalogue] = WeakSet()


def _close_all() -> None:
    for catalogue in list(_catalogues):
        catalogue.close()


atexit.register(_close_all)
