"""A Store in a directory: small values are rows of one SQLite file, larger ones are files.

::

    small.sqlite                 values below `inline_nbytes`
    files/blobs/@5f/5f2c…        ``blobs/5f2c…``: a folder for each two hexadecimal digits of the last segment
    files/@new/…                 what is being written: it moves to its place in one step, whole

No name of a Store has an ``@`` in it, so nothing of ours can stand where an entry belongs.

A value may outgrow its row, and shrink into it again. Where a name has both a row and a file, for a moment or since a
process was killed, the file is the value. A row whose value became a file stays, without data: so who finds no file,
and then a row without data, knows that it has to look again, and never misses a value that is on its way.

Below the directory no symbolic link is followed: it may have come with somebody's project, and lead anywhere.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import stat
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import CheckpointWarning, StoreError
from ipycheckpoint.store.base import Content, Entry, check_name, is_name
from ipycheckpoint.store.database import Database, WrongVersion
from ipycheckpoint.store.folder import make_folder
from ipycheckpoint.store.stamps import Stamp
from ipycheckpoint.store.system import (
    REAL,
    is_network,
    is_there,
    make_folders,
    read_whole,
    remove_file,
    sync_folder,
    write_new,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ipycheckpoint.store.system import System

INLINE_NBYTES = 1 << 16
"""Below it, a row of SQLite is both smaller and faster than a file."""

_PAGE_NBYTES = 1 << 14
"""Most rows are records of a kilobyte or two: ten of them share a page, and leave little of it unused."""

_STALE_SECONDS = 3600.0  # nobody writes one file for an hour without touching it

_MOST_RENEWED = 100

_ROUNDS = 10  # of looking for a value that is on its way; after so many, somebody deleted its file

_RETRY_SECONDS = 60.0  # when SQLite can't be written, values go to files for so long before it is tried again

SCHEMA = ("CREATE TABLE entries (name TEXT PRIMARY KEY NOT NULL, version INTEGER, modified REAL, data BLOB)",)
"""Of the SQLite file."""

VERSION = 1
"""Of its tables. A file of another version is another release's, and left alone."""
_PUT = "INSERT OR REPLACE INTO entries (name, version, modified, data) VALUES (?, ?, ?, ?)"
_GET = "SELECT data, version FROM entries WHERE name = ?"
_HAS = "SELECT data IS NOT NULL FROM entries WHERE name = ?"
_GONE = "UPDATE entries SET data = NULL WHERE name = ?"
_REMOVE = "DELETE FROM entries WHERE name = ?"
_AGE = "SELECT data IS NOT NULL, modified FROM entries WHERE name = ?"
_RENEW = "UPDATE entries SET modified = ? WHERE name = ? AND data IS NOT NULL"
_REMOVE_OLD = "DELETE FROM entries WHERE name = ? AND modified < ? AND data IS NOT NULL"
_FROM = "SELECT rowid, version, name FROM entries WHERE rowid >= ? ORDER BY rowid"
_NEWEST = "SELECT rowid, version FROM entries ORDER BY rowid DESC LIMIT 1"
_LIST = "SELECT name, length(data), modified FROM entries WHERE name >= ? AND name < ? AND data IS NOT NULL"

_NEW_NAME = r"\d+-[0-9a-f]{16}"

_PAIRS = frozenset(f"{i:02x}" for i in range(256))


class DirectoryStore:
    """Bytes under names in the directory `path`, which the first `put` makes.

    Values of less than `inline_nbytes` bytes share one SQLite file; with 0 there are only files. On a file system that
    is reached over a `network`, where locks and maps can't be trusted, there are only files, too, and they are read and
    not mapped; whether it is one is found out unless it is said. With `durable`, a `put` returns when the bytes are on
    the disk itself, so that not even a crash of the machine takes them.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        inline_nbytes: int = INLINE_NBYTES,
        durable: bool = False,
        network: bool | None = None,
        system: System = REAL,
    ) -> None:
        self._path = Path(path).absolute()
        self._files = str(self._path / "files")
        self._new = f"{self._files}/@new"
        self._system, self._durable = system, durable
        self.is_network = is_network(str(self._path)) if network is None else network
        """Whether its file system is one whose locks and maps of memory can't be trusted."""
        self._inline_nbytes = 0 if self.is_network else inline_nbytes
        self._rows: Database | None = None
        if self._inline_nbytes > 0:
            self._rows = Database(
                self._path, "small", SCHEMA, VERSION, durable=durable, page_nbytes=_PAGE_NBYTES, system=system
            )
        self._checked: set[str] = set()
        self._renewed: dict[str, tuple[float, object]] = {}
        """When rows were put or renewed, and the state of the store before that was seen."""
        self._removals = 0
        self._rows_rest_until = 0.0
        self._swept = float("-inf")
        self._warned = False

    @property
    def location(self) -> str:
        """The path of the directory."""
        return str(self._path)

    @property
    def path(self) -> Path:
        """The directory itself."""
        return self._path

    def close(self) -> None:
        """Close the SQLite file; the next use opens it again."""
        if self._rows is not None:
            self._rows.close()

    def get(self, name: str) -> Content | None:
        """What is under `name`; None when nothing is. A large value is mapped, not read. Writes nothing."""
        file = self._file(check_name(name))
        try:
            for _ in range(_ROUNDS):
                found = self._read_file(file)
                if found is not None:
                    return found
                row = self._ask(_GET, name)
                if not row:
                    return None
                ((data, version),) = row
                if isinstance(data, bytes):
                    return Content(memoryview(bytearray(data)), (version,))
                if data is not None:
                    raise sqlite3.DataError("its row is damaged")
        except (OSError, sqlite3.Error) as error:
            raise self._failure(name, "read", error) from error
        return None

    def state(self, name: str, content: Content) -> object | None:
        """What stays equal for as long as `content` is under `name`. Writes nothing."""
        file = self._file(name)
        try:
            if content.stamp is None or len(content.stamp) > 1:
                status = self._system.stat(file)
                stamp = Stamp.of(status)
                return stamp if stamp == content.stamp else None
            # While there is no file, a row stays until somebody changes a row.
            return None if self._rows is None or is_there(self._system, file) else self._rows.state()
        except FileNotFoundError:
            return None
        except (OSError, sqlite3.Error) as error:
            raise self._failure(name, "read", error) from error

    def stamp(self, name: str) -> Stamp | None:
        """That of the file under `name`; None where there is none. Writes nothing."""
        file = self._file(check_name(name))
        try:
            return Stamp.of(self._system.stat(file))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failure(name, "read", error) from error

    def put(self, name: str, chunks: Sequence[bytes | memoryview]) -> None:
        """Put `chunks`, one after the other, under `name`, in place of what may be there."""
        file = self._file(check_name(name))
        refusal = None
        try:
            rows = self._rows if time.monotonic() >= self._rows_rest_until else None
            if rows is not None and sum(memoryview(chunk).nbytes for chunk in chunks) < self._inline_nbytes:
                try:
                    return self._put_row(rows, name, file, b"".join(chunks))
                except sqlite3.Error as error:
                    refusal = error
            self._put_file(name, file, chunks)
        except (OSError, sqlite3.Error) as error:
            raise self._failure(name, "write", error) from error
        if refusal is not None:
            self._rest_from_rows(refusal)
        return None

    def contains(self, name: str) -> bool:
        """Whether anything is under `name`. Writes nothing."""
        file = self._file(check_name(name))
        try:
            for _ in range(_ROUNDS):
                if is_there(self._system, file):
                    return True
                row = self._ask(_HAS, name)
                if not row or row[0][0]:
                    return bool(row)
        except (OSError, sqlite3.Error) as error:
            raise self._failure(name, "read", error) from error
        return False

    def remove(self, name: str) -> bool:
        """Remove what is under `name`; whether there was anything."""
        file = self._file(check_name(name))
        try:
            # The row first: a row that outlives its file would bring an old value back.
            row = self._ask(_HAS, name)
            if row and self._rows is not None:
                self._rows.execute(_REMOVE, (name,))
            self._removals += 1
            return self._remove_file(file) or bool(row and row[0][0])
        except (OSError, sqlite3.Error) as error:
            raise self._failure(name, "remove", error) from error

    def renew(self, name: str, before: float) -> bool:
        """Let what is under `name` count as put now, if it was put `before` that; whether there is anything."""
        file = self._file(check_name(name))
        try:
            state = self._state_for_renewals()
            known = self._renewed.get(name)
            if known is not None and known[0] >= before and known[1] == state:
                return True
            for _ in range(_ROUNDS):
                if (modified := self._modified(file)) is not None:
                    if modified < before:
                        self._check(os.path.dirname(file))
                        self._system.utime(file, (now := time.time(), now))  # the clock of `put` may be some ms behind
                    return True
                row = self._ask(_AGE, name)
                if not row:
                    return False
                ((is_whole, put),) = row
                if not is_whole:
                    continue
                now = time.time()
                if not (isinstance(put, float) and before <= put <= now):
                    if not self._write_row(_RENEW, now, name):
                        continue
                    put = now
                self._note_renewed(name, put, state)
                return True
        except FileNotFoundError:
            return False
        except (OSError, sqlite3.Error) as error:
            raise self._failure(name, "renew", error) from error
        return False

    def are_surely_renewed(self, names: Sequence[str], before: float) -> bool:
        """Whether all of `names` were put or renewed here since `before`, and nobody can have removed any since.

        As quick for many as for one. Writes nothing.
        """
        state: object = None
        for name in names:
            known = self._renewed.get(name)
            if known is None or known[0] < before:
                return False
            state = state or self._state_for_renewals()
            if known[1] != state:
                return False
        return True

    def _state_for_renewals(self) -> object:
        """Equal states mean that no row has gone: neither we have removed any, nor has anybody else changed one."""
        try:
            return self._removals, None if self._rows is None else self._rows.others()
        except (sqlite3.Error, OSError):
            return object()

    def _note_renewed(self, name: str, put: float, state: object) -> None:
        if len(self._renewed) >= _MOST_RENEWED:
            self._renewed.clear()
        self._renewed[name] = (put, state)

    def remove_old(self, name: str, before: float) -> bool:
        """Remove what is under `name`, unless it was put or renewed since `before`; whether it was removed."""
        file = self._file(check_name(name))
        try:
            removed = bool(self._ask(_AGE, name)) and self._write_row(_REMOVE_OLD, name, before)
            self._removals += removed
            modified = self._modified(file)
            if modified is None or modified >= before:
                return removed and modified is None
            # Put aside first: who renews it now is told that it is gone, and who did so just before gets it back.
            aside = f"{self._new}/{os.getpid()}-{os.urandom(8).hex()}"
            self._check(os.path.dirname(file))
            self._make(self._new)
            self._system.replace(file, aside)
            if (now := self._modified(aside)) is not None and now >= before:
                self._move(aside, file)
                return False
            return remove_file(self._system, aside)
        except FileNotFoundError:
            return False
        except (OSError, sqlite3.Error) as error:
            raise self._failure(name, "remove", error) from error

    def is_row(self, nbytes: int) -> bool:
        """Whether a value of so many bytes is put in a row just now, so that `rows_from` tells of it."""
        return self._rows is not None and nbytes < self._inline_nbytes and time.monotonic() >= self._rows_rest_until

    def rows_from(self, number: int) -> list[tuple[int, int, str]]:
        """Number, version and name of each row from this `number` on. Each put has a number above all. Writes nothing.

        Only if the last rows were removed may a number come again, with another version.
        """
        try:
            # SQLite doesn't notice when a value in its file was altered.
            return [row for row in self._ask(_FROM, number) if isinstance(row[2], str)]
        except (OSError, sqlite3.Error) as error:
            raise self._failure("*", "list", error) from error

    def newest_row(self) -> tuple[int, int] | None:
        """Number and version of the row that was put last; None where there is none. Writes nothing."""
        try:
            return next(iter(self._ask(_NEWEST)), None)
        except (OSError, sqlite3.Error) as error:
            raise self._failure("*", "list", error) from error

    def rows_state(self) -> object | None:
        """Equal states mean that no row has come, gone or changed. Writes nothing."""
        try:
            return None if self._rows is None else self._rows.state()
        except (OSError, sqlite3.Error) as error:
            raise self._failure("*", "list", error) from error

    def compact(self) -> None:
        """Give the disk back what removed rows have left in the SQLite file, where that is a quarter of it or more.

        Raises nothing: where it can't be done now, the room is used for other rows.
        """
        with suppress(sqlite3.Error, OSError):
            if self._rows is None:
                return
            shares = "SELECT freelist_count * 4 >= page_count FROM pragma_freelist_count, pragma_page_count"
            if self._rows.rows(shares) == [(1,)]:
                self._rows.execute("VACUUM")

    def _write_row(self, statement: str, *values: str | float) -> bool:
        return self._rows is not None and self._rows.execute(statement, values) > 0

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """All entries whose names begin with `prefix`, in no particular order. Writes nothing."""
        try:
            rows = self._ask(_LIST, prefix, prefix + "\x7f")
            files = set()
            for entry in self._walk(self._files, "", prefix):
                files.add(entry.name)
                yield entry
        except (OSError, sqlite3.Error) as error:
            raise self._failure(f"{prefix}*", "list", error) from error
        for name, nbytes, modified in rows:
            # SQLite doesn't notice when a value in its file was altered: what has no name can't be found, either.
            if name not in files and isinstance(name, str) and is_name(name):
                yield Entry(name, nbytes, modified if isinstance(modified, float) else 0.0)

    def _ask(self, query: str, *values: str | int) -> list[Any]:
        if self._rows is None:
            return []
        try:
            return self._rows.rows(query, values)
        except WrongVersion as error:
            # Another release's: it is left alone, and this process does with files.
            self._rows = None
            self._warn(f"{error}: it is left as it is, and small values are kept as files of their own")
            return []

    def _rest_from_rows(self, refusal: sqlite3.Error) -> None:
        self._rows_rest_until = time.monotonic() + _RETRY_SECONDS
        self._warn(
            f"the SQLite file in {self._path} can't be written ({refusal}): small values are kept as files of their own"
        )

    def _put_row(self, rows: Database, name: str, file: str, data: bytes) -> None:
        # A random version never comes again, not even in a new file after a damaged one.
        version = int.from_bytes(os.urandom(7), "little")
        rows.execute(_PUT, (name, version, time.time(), data))
        if is_there(self._system, file):

            def drop_file(connection: sqlite3.Connection) -> None:
                # Unless a larger value came after ours.
                if connection.execute(_HAS, (name,)).fetchone() == (1,):
                    self._remove_file(file)

            rows.change(drop_file)

    def _put_file(self, name: str, file: str, chunks: Sequence[bytes | memoryview]) -> None:
        self._sweep()
        new = f"{self._new}/{os.getpid()}-{os.urandom(8).hex()}"
        try:
            self._write_new(new, chunks)
            if not self.is_network:
                self._set_apart(new)
            self._move(new, file)
        except BaseException:
            with suppress(OSError):
                self._system.unlink(new)
            raise
        if self._durable:
            sync_folder(self._system, os.path.dirname(file))
        # A row that stays because SQLite is out of order does no harm: the file is the value.
        with suppress(sqlite3.Error):
            if self._rows is not None and self._ask(_HAS, name):

                def drop_row(connection: sqlite3.Connection) -> None:
                    # Unless a smaller value came after ours.
                    if is_there(self._system, file):
                        connection.execute(_GONE, (name,))

                self._rows.change(drop_row)

    def _write_new(self, path: str, chunks: Sequence[bytes | memoryview]) -> None:
        try:
            self._check(self._new)
            write_new(self._system, path, chunks, durable=self._durable)
        except FileNotFoundError:
            make_folder(self._path, self._system)
            self._make(self._new)
            write_new(self._system, path, chunks, durable=self._durable)

    def _set_apart(self, new: str) -> None:
        """Give a new file a time of modification that no write gives it: see `Stamp.is_telling`."""
        with suppress(OSError):
            self._system.utime(new, (now := time.time(), now))

    def _move(self, new: str, file: str) -> None:
        folder = os.path.dirname(file)
        try:
            self._check(folder)
            self._system.replace(new, file)
        except FileNotFoundError:
            self._make(folder)
            self._system.replace(new, file)

    def _remove_file(self, file: str) -> bool:
        self._check(os.path.dirname(file))
        return remove_file(self._system, file)

    def _read_file(self, file: str) -> Content | None:
        try:
            view, status = read_whole(self._system, file, mapped=not self.is_network, links=False)
        except FileNotFoundError:
            return None
        return Content(view, Stamp.of(status))

    def _modified(self, file: str) -> float | None:
        try:
            return self._system.stat(file).st_mtime
        except FileNotFoundError:
            return None

    def _make(self, folder: str) -> None:
        """Make a folder of ours, for this user alone."""
        for made in make_folders(self._system, folder, 0o700):
            if self._durable:
                sync_folder(self._system, os.path.dirname(made))
        self._check(folder)

    def _check(self, folder: str) -> None:
        """Raise OSError where a symbolic link is on the way to a folder of ours."""
        if folder in self._checked:
            return
        real = os.path.realpath(self._path)
        if os.path.realpath(folder) != folder.replace(str(self._path), real, 1):
            raise OSError(errno.ELOOP, f"a symbolic link stands in the way to {folder}")
        self._checked.add(folder)

    def _sweep(self) -> None:
        """Remove what killed processes left half-written."""
        if time.monotonic() < self._swept + _STALE_SECONDS:
            return
        self._swept = time.monotonic()
        stale = time.time() - _STALE_SECONDS
        with suppress(OSError):
            self._check(self._new)
            for item in self._system.scan(self._new):
                with suppress(OSError):
                    if re.fullmatch(_NEW_NAME, item.name) and item.stat(follow_symlinks=False).st_mtime < stale:
                        self._system.unlink(item.path)

    def _file(self, name: str) -> str:
        head, slash, last = name.rpartition("/")
        pair = last[:2] if last[:2] in _PAIRS else digest_bytes(last.encode())[:2]
        return f"{self._files}/{head}{slash}@{pair}/{last}"

    def _walk(self, folder: str, head: str, prefix: str) -> Iterator[Entry]:
        for item in self._scan(folder):
            if item.name == "@new" or not item.is_dir(follow_symlinks=False):
                continue
            if item.name.startswith("@"):
                yield from self._fan(item.path, head, prefix)
                continue
            below = f"{head}{item.name}/"
            if below.startswith(prefix) or prefix.startswith(below):
                yield from self._walk(item.path, below, prefix)

    def _fan(self, folder: str, head: str, prefix: str) -> Iterator[Entry]:
        for item in self._scan(folder):
            name = head + item.name
            # What other programs leave in folders (`.DS_Store`) is in no place where we would put it.
            if name.startswith(prefix) and is_name(name) and self._file(name) == item.path:
                try:
                    status = item.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield Entry(name, status.st_size, status.st_mtime)

    def _scan(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            return self._system.scan(folder)
        except FileNotFoundError:
            return []

    def _failure(self, name: str, action: str, error: OSError | sqlite3.Error) -> StoreError:
        reason = error.strerror if isinstance(error, OSError) else None
        return StoreError(f"{name} in {self._path}", action, reason or str(error))

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(message, CheckpointWarning, stacklevel=3)
