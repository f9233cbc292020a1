"""One SQLite file that threads, processes and forks share, and that may be lost at any time.

- *Queries write nothing.* While somebody writes, the file is in write-ahead mode, where readers and the writer don't
  wait for each other. Whoever closes it last turns it back into a plain file, which can be read with no file beside it
  being made, in a read-only folder, too.
- *Threads* take turns on one connection: a turn is some microseconds.
- *Forks*: SQLite's own state must not be carried into a child, so the connection is closed before each fork, and both
  sides open it again when they need it.
- *A file that was deleted* under an open connection is noticed before each use.
- *A damaged file*, or one with other tables than ours, which may be anything that came with somebody's project, is
  moved aside, and the next one gets another name (``small-1.sqlite``): SQLite keeps files of shared
  memory beside it by name, and a process that still has the damaged one open would share them with the new one.
"""

from __future__ import annotations

import atexit
import os
import re
import sqlite3
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote
from weakref import WeakSet

from ipycheckpoint.errors import CheckpointWarning
from ipycheckpoint.store.folder import make_folder
from ipycheckpoint.store.system import NO_LINK, REAL, is_there

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ipycheckpoint.store.system import System

T = TypeVar("T")

_AHEAD_NBYTES = 1 << 22
"""So much is written ahead before it is taken over into the file."""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

# In this order, until one can read. A writer was killed: the first may be refused what the second may do, which is to
# roll its journal back. In a read-only folder both may be refused, and the last asks for no lock and no other file.
_READING = ("mode=ro", "mode=rw", "immutable=1")


class WrongVersion(sqlite3.DatabaseError):
    """The file is of another version of its schema."""


class Database:
    """The SQLite file `stem` + ``.sqlite`` in `folder`, with the tables of `schema`; both are made by the first change.

    Rows that are not much smaller than `page_nbytes` leave room unused in a new file.
    `version` is a positive number that changes with `schema`. A file of another version is left as it is, and
    `WrongVersion` raised; one that is `disposable` counts as empty, and is made anew by the first change.
    Without a `folder` it lives in memory. On a `network` nothing is written ahead: that needs memory that processes
    share. Methods raise `sqlite3.Error` or `OSError`.
    """

    def __init__(
        self,
        folder: Path | None,
        stem: str,
        schema: Sequence[str],
        version: int,
        *,
        wait_seconds: float = 5.0,
        durable: bool = False,
        disposable: bool = False,
        network: bool = False,
        page_nbytes: int = 4096,
        system: System = REAL,
    ) -> None:
        self._folder, self._stem, self._schema, self._version = folder, stem, schema, version
        self._wait_seconds, self._durable, self._disposable = wait_seconds, durable, disposable
        self._network, self._page_nbytes, self._system = network, page_nbytes, system
        self.lock = threading.RLock()
        """Held during each use, and at a fork: what belongs to the file may be guarded by it, too."""
        self._connection: sqlite3.Connection | None = None
        self._writable = False
        self._path = "" if folder is None else str(folder / f"{stem}.sqlite")
        self._seen: tuple[int, ...] | None = None
        self._frozen = False
        self._openings = 0
        _databases.add(self)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows that `query` gives; none when there is no file. Writes nothing."""

        def ask() -> list[Any]:
            connection = self._reader()
            return [] if connection is None else connection.execute(query, values).fetchall()

        return self._attempt(ask)

    def state(self) -> tuple[int, int, int] | None:
        """Equal states mean that nothing in the file has changed; None when there is no file. Writes nothing."""

        def ask() -> tuple[int, int, int] | None:
            connection = self._reader()
            if connection is None:
                return None
            # The version tells of others' changes, the count of our own.
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            return self._openings, version, connection.total_changes

        return self._attempt(ask)

    def others(self) -> object | None:
        """Equal values mean that nobody but us has changed anything; None when there is no file. Writes nothing."""
        state = self.state()
        return None if state is None else state[:2]

    def copy(self) -> Database:
        """The same in memory, as it is now. Writes nothing."""
        copy = Database(None, self._stem, self._schema, self._version)

        def fill() -> None:
            connection = self._reader()
            if connection is not None:
                connection.backup(copy._writer())

        self._attempt(fill)
        return copy

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run one `statement` that changes something, all or nothing; how many rows it changed."""
        return self._attempt(lambda: self._writer().execute(statement, values).rowcount)

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, run with nobody else writing: all that it changed is kept, or nothing if it raises."""

        def run() -> T:
            connection = self._writer()
            try:
                connection.execute("BEGIN IMMEDIATE")
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise
            return result

        return self._attempt(run)

    @property
    def is_open_to_write(self) -> bool:
        """Whether a change needs no other connection."""
        return self._connection is not None and self._writable

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self.lock:
            self._close()

    def __del__(self) -> None:
        if hasattr(self, "_seen"):
            self.close()

    def _attempt(self, work: Callable[[], T]) -> T:
        with self.lock:
            try:
                return work()
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if self._folder is None or not _is_damage(error):
                    raise
                self._move_aside(error)
            return work()

    def _reader(self) -> sqlite3.Connection | None:
        """The connection, which may read; None when there is nothing to read."""
        if self._folder is None:
            return self._writer()
        if self._connection is None or self._seen != self._identity(self._path, frozen=self._frozen):
            self._close()
            self._open_to_read(self._folder)
        return self._connection

    def _writer(self) -> sqlite3.Connection:
        """The connection, which may write."""
        if self._connection is not None and self._writable:
            if self._folder is None or self._seen == self._identity(self._path):
                return self._connection
        self._close()
        if self._folder is None:
            connection = self._prepared(self._connect("file::memory:"))
        else:
            make_folder(self._folder, self._system)
            self._path = self._locate(self._folder) or self._path
            self._make_file(self._path)
            connection = self._prepared(self._connect(f"file:{quote(self._path)}?mode=rwc"))
            self._frozen = False
            try:
                self._seen = self._identity(self._path)
            except BaseException:
                connection.close()
                raise
        self._hold(connection, writable=True)
        return connection

    def _open_to_read(self, folder: Path) -> None:
        path = self._locate(folder)
        if path is None:
            return
        for option in _READING:
            self._frozen = option.startswith("immutable")
            self._seen = self._identity(path, frozen=self._frozen)
            connection = self._connect(f"file:{quote(path)}?{option}")
            try:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
            except sqlite3.OperationalError:
                connection.close()
                if self._frozen:
                    raise
                continue
            except BaseException:
                connection.close()
                raise
            if version == self._version:
                self._hold(connection, writable=False)
                self._check_schema(connection)
                return
            connection.close()
            if version and not self._disposable:
                raise WrongVersion(f"{path} is of version {version}, not {self._version}")
            return

    def _hold(self, connection: sqlite3.Connection, *, writable: bool) -> None:
        self._connection, self._writable = connection, writable
        _connections.add(connection)

    def _connect(self, uri: str) -> sqlite3.Connection:
        self._openings += 1
        connection = self._system.connect(uri, self._wait_seconds)
        if not self._disposable:
            # One text that was altered in the file doesn't hide all others.
            connection.text_factory = _decoded
        return connection

    def _prepared(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """`connection`, ready to write to."""
        try:
            if self._folder is not None:
                connection.execute(f"PRAGMA page_size={self._page_nbytes}")  # of a new file
                if not self._network:
                    _write_ahead(connection)
                    connection.execute(f"PRAGMA wal_autocheckpoint={_AHEAD_NBYTES // self._page_nbytes}")
                # NORMAL: a crash of the machine may lose the last changes, but never damages the file; a crash of
                # the process loses nothing. FULL waits for the disk at each change.
                connection.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'NORMAL'}")
            self._check_version(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_version(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA user_version").fetchone() == (self._version,):
            self._check_schema(connection)
            return
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in {0, self._version}:
            if not self._disposable:
                raise WrongVersion(f"{self._path} is of version {version}, not {self._version}")
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                connection.execute(f'DROP TABLE "{table}"')
        if version != self._version:
            for statement in self._schema:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={self._version}")
        connection.execute("COMMIT")

    def _check_schema(self, connection: sqlite3.Connection) -> None:
        # A view in place of a table may never come to an end, or fill the memory.
        if self._folder is not None and not has_schema(connection, self._schema):
            error = sqlite3.DatabaseError("its tables are not ours")
            error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
            raise error

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if self._writable and self._folder is not None and self._seen == self._identity(self._path):
                # Back to a plain file, at once or not at all: others may have it open.
                connection.execute("PRAGMA busy_timeout=0")
                connection.execute("PRAGMA journal_mode=DELETE")
        except (sqlite3.Error, OSError):
            pass
        finally:
            connection.close()
            _connections.discard(connection)
            self._writable = False

    def _make_file(self, path: str) -> None:
        """SQLite would let others read it. What it makes beside it gets the permissions of this one."""
        if not is_there(self._system, path):
            self._system.close(self._system.open(path, os.O_RDWR | os.O_CREAT | NO_LINK, 0o600))

    def _locate(self, folder: Path) -> str | None:
        """The path of the newest file, unless it was moved aside; `self._path` is where one belongs."""
        pattern = re.compile(re.escape(self._stem) + r"(?:-(\d{1,9}))?\.sqlite(\.damaged)?\Z")
        try:
            items = self._system.scan(str(folder))
        except FileNotFoundError:
            items = []
        # A link may lead to a file of somebody else's: its place is taken, as that of a damaged one.
        found = {
            (int(match[1] or 0) + (taken := bool(match[2]) or not item.is_file(follow_symlinks=False)), not taken)
            for item in items
            if (match := pattern.match(item.name))
        }
        number, there = max(found, default=(0, False))
        self._path = str(folder / (f"{self._stem}-{number}.sqlite" if number else f"{self._stem}.sqlite"))
        return self._path if there else None

    def _move_aside(self, error: Exception) -> None:
        path = self._path
        self._close()
        try:
            self._system.replace(path, f"{path}.damaged")
        except FileNotFoundError:
            return  # another process did it
        warnings.warn(
            f"{path} is damaged ({error}): it is now {path}.damaged, and a new one takes its place",
            CheckpointWarning,
            stacklevel=2,
        )

    def _identity(self, path: str, *, frozen: bool = False) -> tuple[int, ...] | None:
        """Which file it is; with `frozen`, also in which state. None when there is none."""
        try:
            status = self._system.stat(path)
        except FileNotFoundError:
            return None
        if frozen:
            return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
        return status.st_dev, status.st_ino


def has_schema(connection: sqlite3.Connection, schema: Sequence[str]) -> bool:
    """Whether the tables are those of `schema`, and there is nothing else."""
    found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {" ".join(sql.split()) for (sql,) in found} == {" ".join(sql.split()) for sql in schema}


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _is_damage(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    # Python says so itself where a text is none, be it in SQLite's own words; SQLite doesn't look.
    return (
        isinstance(error, UnicodeDecodeError)
        or getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE
        or str(error).startswith("Could not decode")
    )


def _write_ahead(connection: sqlite3.Connection) -> None:
    for _ in range(20):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(0.005)  # somebody reads at this moment, which SQLite doesn't wait for here
        else:
            return  # in the old mode, slower, where the file system has no shared memory


_databases: WeakSet[Database] = WeakSet()
_connections: set[sqlite3.Connection] = set()
"""Those that are held open: garbage is collected in any order, and they warn when that comes before they are closed."""

_forking = threading.RLock()
_held: list[Database] = []  # by the one who forks


def _before_fork() -> None:
    _forking.acquire()
    while not _hold_all():
        time.sleep(0.001)
    for database in _held:
        if database._folder is not None:
            database._close()


def _hold_all() -> bool:
    """Take the locks of all; none, if one is not to be had: who has it may wait for another in its turn."""
    for database in list(_databases):
        if not database.lock.acquire(timeout=0.05):
            while _held:
                _held.pop().lock.release()
            return False
        _held.append(database)
    return True


def _after_fork() -> None:
    while _held:
        _held.pop().lock.release()
    _forking.release()


def _close_all() -> None:
    for database in list(_databases):
        database.close()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
