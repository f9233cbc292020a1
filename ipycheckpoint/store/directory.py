"""A Store in a directory: small values are rows of one SQLite file, larger ones are files.

::

    small.sqlite                 values below `inline_nbytes`
    files/blobs/@5f/5f2c…        ``blobs/5f2c…``: a folder for each two hexadecimal digits of the last segment
    files/@new/…                 what is being written: it moves to its place in one step, whole

No name of a Store has an ``@`` in it, so nothing of ours can stand where an entry belongs.

A value may outgrow its row, and shrink into it again. Where a name has both a row and a file, for a moment or since a
process was killed, the file is the value. A row whose value became a file stays, without data: so who finds no file,
and then a row without data, knows that it has to look again, and never misses a value that is on its way.
"""

from __future__ import annotations

import mmap
import os
import sqlite3
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INLINE_NBYTES = 1 << 16
"""Below it, a row of SQLite is both smaller and faster than a file."""

_MAPPED_NBYTES = 1 << 16  # below it, a copy is cheaper than a map, of which a process may have only some 65,000

_STALE_SECONDS = 3600.0  # nobody writes one file for an hour without touching it

_ROUNDS = 10  # of looking for a value that is on its way; after so many, somebody deleted its file

_RETRY_SECONDS = 60.0  # when SQLite can't be written, values go to files for so long before it is tried again

_SCHEMA = ("CREATE TABLE entries (name TEXT PRIMARY KEY NOT NULL, version INTEGER, modified REAL, data BLOB)",)
_VERSION = 1
_PUT = "INSERT OR REPLACE INTO entries (name, version, modified, data) VALUES (?, ?, ?, ?)"
_GET = "SELECT data, version FROM entries WHERE name = ?"
_HAS = "SELECT data IS NOT NULL FROM entries WHERE name = ?"
_GONE = "UPDATE entries SET data = NULL WHERE name = ?"
_REMOVE = "DELETE FROM entries WHERE name = ?"
_LIST = "SELECT name, length(data), modified FROM entries WHERE name >= ? AND name < ? AND data IS NOT NULL"

_BINARY: int = getattr(os, "O_BINARY", 0)  # only Windows has it, and needs it
_READ = os.O_RDONLY | _BINARY
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY

_PAIRS = frozenset(f"{i:02x}" for i in range(256))


class DirectoryStore:
    """Bytes under names in the directory `path`, which the first `put` makes.

    Values of less than `inline_nbytes` bytes share one SQLite file; with 0 there are only files, for file systems whose
    locks can't be trusted. With `durable`, a `put` returns when the bytes are on the disk itself, so that not even a
    crash of the machine takes them.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, inline_nbytes: int = INLINE_NBYTES, durable: bool = False
    ) -> None:
        self._path = Path(path).absolute()
        self._files = str(self._path / "files")
        self._new = f"{self._files}/@new"
        self._inline_nbytes, self._durable = inline_nbytes, durable
        self._rows = Database(self._path, "small", _SCHEMA, _VERSION, durable=durable) if inline_nbytes > 0 else None
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
                found = _read_file(file)
                if found is not None:
                    return found
                row = self._ask(_GET, name)
                if not row:
                    return None
                ((data, version),) = row
                if data is not None:
                    return Content(memoryview(bytearray(data)), (version,))
        except (OSError, sqlite3.Error) as error:
            raise self._failure(name, "read", error) from error
        return None

    def put(self, name: str, chunks: Sequence[bytes | memoryview]) -> None:
        """Put `chunks`, one after the other, under `name`, in place of what may be there."""
        file = self._file(check_name(name))
        refusal = None
        try:
            rows = self._rows if time.monotonic() >= self._rows_rest_until else None
            if rows is not None and sum(memoryview(chunk).nbytes for chunk in chunks) < self._inline_nbytes:
                try:
                    return _put_row(rows, name, file, b"".join(chunks))
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
                if _is_there(file):
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
            return _unlink(file) or bool(row and row[0][0])
        except (OSError, sqlite3.Error) as error:
            raise self._failure(name, "remove", error) from error

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
            if name not in files:
                yield Entry(name, nbytes, modified)

    def _ask(self, query: str, *values: str) -> list[Any]:
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

    def _put_file(self, name: str, file: str, chunks: Sequence[bytes | memoryview]) -> None:
        self._sweep()
        new = f"{self._new}/{os.getpid()}-{os.urandom(8).hex()}"
        try:
            self._write_new(new, chunks)
            _move(new, file)
        except BaseException:
            with suppress(OSError):
                _unlink(new)
            raise
        if self._durable:
            _sync_folder(os.path.dirname(file))
        # A row that stays because SQLite is out of order does no harm: the file is the value.
        with suppress(sqlite3.Error):
            if self._rows is not None and self._ask(_HAS, name):

                def drop_row(connection: sqlite3.Connection) -> None:
                    # Unless a smaller value came after ours.
                    if _is_there(file):
                        connection.execute(_GONE, (name,))

                self._rows.change(drop_row)

    def _write_new(self, path: str, chunks: Sequence[bytes | memoryview]) -> None:
        try:
            descriptor = os.open(path, _CREATE, 0o600)
        except FileNotFoundError:
            make_folder(self._path)
            os.makedirs(self._new, exist_ok=True)  # noqa: PTH103 - a string already
            descriptor = os.open(path, _CREATE, 0o600)
        with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor
            stream.writelines(chunks)
            if self._durable:
                stream.flush()
                os.fsync(descriptor)

    def _sweep(self) -> None:
        """Remove what killed processes left half-written."""
        if time.monotonic() < self._swept + _STALE_SECONDS:
            return
        self._swept = time.monotonic()
        stale = time.time() - _STALE_SECONDS
        with suppress(OSError), os.scandir(self._new) as found:
            for item in found:
                with suppress(OSError):
                    if item.stat().st_mtime < stale:
                        _unlink(item.path)

    def _file(self, name: str) -> str:
        head, slash, last = name.rpartition("/")
        pair = last[:2] if last[:2] in _PAIRS else digest_bytes(last.encode())[:2]
        return f"{self._files}/{head}{slash}@{pair}/{last}"

    def _walk(self, folder: str, head: str, prefix: str) -> Iterator[Entry]:
        for item in _scan(folder):
            if item.name == "@new" or not item.is_dir():
                continue
            if item.name.startswith("@"):
                yield from self._fan(item.path, head, prefix)
                continue
            below = f"{head}{item.name}/"
            if below.startswith(prefix) or prefix.startswith(below):
                yield from self._walk(item.path, below, prefix)

    def _fan(self, folder: str, head: str, prefix: str) -> Iterator[Entry]:
        for item in _scan(folder):
            name = head + item.name
            # What other programs leave in folders (`.DS_Store`) is in no place where we would put it.
            if name.startswith(prefix) and is_name(name) and self._file(name) == item.path:
                try:
                    status = item.stat()
                except FileNotFoundError:
                    continue
                yield Entry(name, status.st_size, status.st_mtime)

    def _failure(self, name: str, action: str, error: OSError | sqlite3.Error) -> StoreError:
        reason = error.strerror if isinstance(error, OSError) else None
        return StoreError(f"{name} in {self._path}", action, reason or str(error))

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(message, CheckpointWarning, stacklevel=3)


def _put_row(rows: Database, name: str, file: str, data: bytes) -> None:
    # A random version never comes again, not even in a new file after a damaged one.
    version = int.from_bytes(os.urandom(7), "little")
    rows.execute(_PUT, (name, version, time.time(), data))
    if _is_there(file):

        def drop_file(connection: sqlite3.Connection) -> None:
            # Unless a larger value came after ours.
            if connection.execute(_HAS, (name,)).fetchone() == (1,):
                _unlink(file)

        rows.change(drop_file)


def _read_file(path: str) -> Content | None:
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(descriptor)
        if status.st_size >= _MAPPED_NBYTES:
            view = memoryview(mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_COPY))
        else:
            view = memoryview(bytearray(os.read(descriptor, _MAPPED_NBYTES)))
    finally:
        os.close(descriptor)
    return Content(view, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


def _is_there(path: str) -> bool:
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True


def _unlink(path: str) -> bool:
    try:
        os.unlink(path)  # noqa: PTH108 - a string already
    except FileNotFoundError:
        return False
    return True


def _move(source: str, target: str) -> None:
    try:
        os.replace(source, target)  # noqa: PTH105 - strings already
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103 - strings already
        os.replace(source, target)  # noqa: PTH105 - strings already


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []


def _sync_folder(path: str) -> None:
    if os.name != "posix":
        return  # elsewhere a folder can't be opened, and renames are journalled
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
