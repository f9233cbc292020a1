"""The tables of the catalogue: in its file, or in memory where that is missing, can't be written or lags behind.

What is noted is written at once; a small record that was saved, with others a second later. Until then, and when its
process is killed before, `cache.arrivals` tells whoever asks of it, and whoever writes next.
"""

from __future__ import annotations

import os
import sqlite3
import time
import warnings
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ipycheckpoint.cache.arrivals import BEGINNING, Arrivals, Mark
from ipycheckpoint.cache.listing import FOUND, MADE, REMOVE, REMOVE_RESTORES, SCHEMA, VERSION, values_of
from ipycheckpoint.cache.slips import Slips
from ipycheckpoint.cache.uses import Uses
from ipycheckpoint.errors import CheckpointWarning, StoreError
from ipycheckpoint.store.database import Database
from ipycheckpoint.store.system import REAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from ipycheckpoint.cache.listing import Listed
    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.store.system import System

Statement = tuple[str, tuple[Any, ...]]

_FLUSH_SECONDS = 1.0
_REST_SECONDS = 30.0  # after the file could not be written, before it is tried again

_MOST_MARKS = 16
_MOST_ON_A_SLIP = 100  # hits of more records than these are worth the opening, and would hold up whoever lists them

_MARKS = "SELECT position, version FROM marks ORDER BY position DESC"


class Tables:
    """The tables at `path`, or in memory; `records` gives all that the store has, `arrivals` what came since.

    Only `ask` and `rebuild` raise. What can't be written is kept in mind, with one `CheckpointWarning`.
    """

    def __init__(
        self,
        path: Path | None,
        records: Callable[[], Iterable[Listed]],
        arrivals: Arrivals | None = None,
        *,
        network: bool = False,
        system: System = REAL,
    ) -> None:
        self.records, self._arrivals, self._path = records, arrivals, path
        folder, stem = (None, "catalogue") if path is None else (path.parent, path.stem)
        self._database = Database(
            folder, stem, SCHEMA, VERSION, wait_seconds=1.0, disposable=True, network=network, system=system
        )
        self.lock = self._database.lock
        """Held during each use."""
        self.uses = Uses()
        """Hits that are not written yet."""
        self._slips = Slips("" if path is None else str(path.parent / "hits"), system)
        self._written_up: tuple[str, ...] = ()
        """The slips that the file knows."""
        self._stand_in: Database | None = None
        """The same in memory, while the file is missing or can't be written."""
        self._copy: tuple[object, Database] | None = None
        """The file as it was in some state, with what it has missed."""
        self._unwritten: list[Statement] = []
        self._arriving: dict[Key, tuple[Any, ...]] = {}
        """What is listed when the store tells of it: it may have been removed by then."""
        self._process = os.getpid()
        self._changes = 0
        self._flushed = self._rest_until = float("-inf")
        self._warned = False

    def add(self, listed: Listed, nbytes: int | None) -> None:
        """List a Record of so many bytes that was made; where `arrivals` tells of it, within a second or two."""
        values = values_of(listed)
        if nbytes is None or self._arrivals is None or not self._arrivals.will_tell_of(nbytes):
            self.note((MADE, values))
            return
        with self.lock:
            self._changes += 1
            self._has_unwritten()
            self._arriving[listed.header.key] = values
            if self._stand_in is not None:
                self._stand_in.execute(MADE, values)
            self.flush_if_due()

    def note(self, *statements: Statement) -> None:
        """Write what changes the tables, at once."""
        with self.lock:
            self._changes += 1
            self._has_unwritten()
            self._unwritten += statements
            if self._stand_in is not None:
                for statement, values in statements:
                    self._stand_in.execute(statement, values)
            self.flush()

    def changed(self) -> None:
        """The uses have changed."""
        self._changes += 1

    def flush_if_due(self) -> None:
        """Write what was only kept in mind, if the last time is some while ago."""
        if time.monotonic() >= self._flushed + _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was only kept in mind."""
        with self.lock:
            self._flushed = time.monotonic()
            has_unwritten = self._has_unwritten()
            if not (has_unwritten or self.uses) or self._flushed < self._rest_until:
                return
            if not has_unwritten and self._left_on_a_slip():
                return
            try:
                marks = self._marks(self._database)
                if has_unwritten and not marks:
                    self._fill(self._database)
                    marks = self._marks(self._database)
                if marks:
                    self._follow(self._database, marks, self._write_out)  # what has a hit must be listed before
                    self._forget_unwritten()
                    self.uses.clear()
                    self._stand_in = self._copy = None
                    self._remove_slips()
            except (sqlite3.Error, OSError, StoreError) as error:
                self._rest(error)

    def ask(self, query: str, values: Sequence[Any]) -> list[Any]:
        """The rows that `query` gives. Writes nothing; raises StoreError."""
        with self.lock:
            self._has_unwritten()  # in a fork, this forgets what isn't ours
            try:
                # The question comes first: an empty answer of a file that was damaged is told by the check.
                found = self._database.rows(query, values)
                if not self._unwritten and (marks := self._marks(self._database)):
                    lags = self._slips.names() or self._lags(marks)
                    return self._caught_up().rows(query, values) if lags else found
                if self._path is None:
                    self._fill(self._database)
                    return self._database.rows(query, values)
            except (sqlite3.Error, OSError) as error:
                self._rest(error)
            if self._stand_in is None:
                stand_in = Database(None, "catalogue", SCHEMA, VERSION)
                self._fill(stand_in)
                stand_in.change(self._slips.write)
                self._stand_in = stand_in
            elif self._lags(marks := self._marks(self._stand_in)):
                self._follow(self._stand_in, marks)
            return self._stand_in.rows(query, values)

    def stamp(self) -> tuple[object, ...]:
        """Equal stamps mean that nobody, in this process or another, has changed anything since."""
        return self._changes, None if self._arrivals is None else self._arrivals.state(), *self._stamp_of_file()

    def _stamp_of_file(self) -> tuple[object, ...]:
        seen: list[object] = []
        if self._path is not None:
            seen += self._slips.names()
            for suffix in ("", "-wal"):
                try:
                    status = os.stat(f"{self._path}{suffix}")
                except OSError:
                    continue
                seen += [status.st_ino, status.st_size, status.st_mtime_ns]
        return tuple(seen)

    def rebuild(self) -> int | None:
        """Make the tables from the headers of the store again; how many there are, None where it can't be written.

        Raises StoreError.
        """
        with self.lock:
            self._changes += 1
            self._stand_in = self._copy = None
            try:
                number = self._fill(self._database)
            except (sqlite3.Error, OSError) as error:
                self._rest(error)
                return None
            self._forget_unwritten()
            return number

    def close(self) -> None:
        """Write what was only kept in mind, and close the file; the next use opens it again."""
        with self.lock:
            self._rest_until = float("-inf")
            self.flush()
            self._copy = None
            if self._path is not None:
                self._database.close()

    def _has_unwritten(self) -> bool:
        """Whether anything isn't written yet. In a fork nothing is: the parent writes its own."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._forget_unwritten()
        return bool(self._unwritten or self._arriving)

    def _forget_unwritten(self) -> None:
        self._unwritten.clear()
        self._arriving.clear()

    def _write_out(self, connection: sqlite3.Connection) -> None:
        for statement, values in self._unwritten:
            connection.execute(statement, values)
        self.uses.write(connection)
        self._written_up = self._slips.write(connection)

    def _left_on_a_slip(self) -> bool:
        """Whether the uses, with which nothing else is to be written, are on a slip now."""
        if self._path is None or self._database.is_open_to_write or len(self.uses) > _MOST_ON_A_SLIP:
            return False
        try:
            is_left = self._slips.leave(self.uses)
        except OSError:
            return False  # the catalogue tells what is wrong
        if is_left:
            self.uses.clear()
        return is_left

    def _remove_slips(self) -> None:
        with suppress(OSError):
            self._slips.remove(self._written_up)

    def _marks(self, database: Database) -> list[Mark]:
        """Up to where all is listed, the latest first. None at all: the listing is not to be trusted."""
        return database.rows(_MARKS)

    def _lags(self, marks: Sequence[Mark]) -> bool:
        if self._arrivals is not None:
            with suppress(StoreError):  # what is listed is better than nothing
                missed = self._arrivals.since(marks)
                return missed is None or missed.tells_of_records
        return False

    def _caught_up(self) -> Database:
        """The file in memory, with what it has missed."""
        stamp = self._stamp_of_file()
        if self._copy is None or self._copy[0] != stamp:
            copy = self._database.copy()
            self._follow(copy, self._marks(copy))  # what has a hit must be listed before
            copy.change(self._slips.write)
            self._copy = (stamp, copy)
        copy = self._copy[1]
        self._follow(copy, self._marks(copy))
        return copy

    def _follow(
        self, database: Database, marks: Sequence[Mark], work: Callable[[sqlite3.Connection], None] | None = None
    ) -> None:
        """List in `database` what has come since `marks`, and do `work` in the same step."""
        found: dict[Mark, Listed | None] = {}
        if self._arrivals is not None:
            missed = self._arrivals.since(marks)
            if missed is None:
                self._fill(database)
            else:
                # What is our own needs no reading; others' headers are read while nobody waits for us.
                for arrival in missed.arrivals:
                    if arrival.key is not None and arrival.key not in self._arriving:
                        found[arrival.mark] = self._arrivals.listed(arrival.key)
        database.change(partial(self._list_arrivals, found, work))

    def _list_arrivals(
        self,
        found: dict[Mark, Listed | None],
        work: Callable[[sqlite3.Connection], None] | None,
        connection: sqlite3.Connection,
    ) -> None:
        # Asked again, since nobody else can write now: what was removed meanwhile isn't listed any more, and whoever
        # removes it from now on takes it from the list after us.
        marks = connection.execute(_MARKS).fetchall()
        missed = None if self._arrivals is None else self._arrivals.since(marks)
        if missed is not None:
            last = missed.since
            for mark, key in missed.arrivals:
                if key is not None and (values := self._arriving.get(key)) is not None:
                    connection.execute(MADE, values)
                elif key is not None:
                    if mark not in found:
                        break  # it came while we read: for the next time
                    if (listed := found[mark]) is not None:
                        connection.execute(MADE, values_of(listed))
                last = mark
            _keep_mark(connection, missed.since, last)
        if work is not None:
            work(connection)

    def _fill(self, database: Database) -> int:
        mark = BEGINNING if self._arrivals is None else self._arrivals.newest()
        # Only what was listed before the headers were read can be known to be gone: others may add meanwhile.
        listed = [key for (key,) in database.rows("SELECT key FROM records")]
        found = {listed.header.key: values_of(listed) for listed in self.records()}

        def fill(connection: sqlite3.Connection) -> None:
            connection.executemany(FOUND, found.values())
            for remove in (REMOVE, REMOVE_RESTORES):
                connection.executemany(remove, [(key,) for key in listed if key not in found])
            connection.execute("DELETE FROM marks")
            connection.execute("INSERT INTO marks VALUES (?, ?)", mark)

        database.change(fill)
        return len(found)

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


def _keep_mark(connection: sqlite3.Connection, since: Mark, last: Mark) -> None:
    """Keep `last` beside the earlier marks; those after `since` are gone. The older they are, the fewer are kept."""
    connection.execute("DELETE FROM marks WHERE position > ?", since[:1])
    connection.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", last)
    positions = connection.execute("SELECT position FROM marks ORDER BY position DESC").fetchall()
    if len(positions) > _MOST_MARKS:
        connection.executemany("DELETE FROM marks WHERE position = ?", positions[1:-1:2])
