"""Systems in which a call fails, or at each step of which a process might have died."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ipycheckpoint.store.system import REAL, System

ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}

_SQLITE = {
    errno.ENOSPC: (sqlite3.SQLITE_FULL, "database or disk is full"),
    errno.EIO: (sqlite3.SQLITE_IOERR, "disk I/O error"),
    errno.EACCES: (sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
}


@dataclass
class Calls:
    """Counts calls; before each, `before` is called with its number and its name, and may raise."""

    before: Callable[[int, str], None] = lambda number, name: None
    names: list[str] = field(default_factory=list)

    def note(self, name: str) -> None:
        self.names.append(name)
        self.before(len(self.names) - 1, name)

    def system(self, *, short: bool = False) -> System:
        """The real one, told of; with `short`, reads and writes do a part of what they were asked for."""
        told = {f.name: self._told(f.name, getattr(REAL, f.name)) for f in fields(System)}
        told["writer"] = lambda descriptor: io.BufferedWriter(_Raw(descriptor, self, short=short), 8192)
        told["connect"] = lambda uri, wait: _connect(uri, wait, self)
        if short:
            told["read"] = lambda descriptor, nbytes: os.read(descriptor, max(1, nbytes // 3))
        return System(**told)

    def _told(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def told(*args: Any) -> Any:
            self.note(name)
            return call(*args)

        return told


class _Raw(io.FileIO):
    def __init__(self, descriptor: int, calls: Calls, *, short: bool) -> None:
        super().__init__(descriptor, "wb")
        self._calls, self._short = calls, short

    def write(self, data: Any) -> int:
        self._calls.note("write")
        view = memoryview(data)
        return super().write(view[: max(1, view.nbytes // 3)] if self._short else view)


def _connect(uri: str, wait_seconds: float, calls: Calls) -> sqlite3.Connection:
    class Connection(sqlite3.Connection):
        def execute(self, *args: Any) -> sqlite3.Cursor:
            calls.note(f"sql {args[0].split()[0]}")
            return super().execute(*args)

        def executemany(self, *args: Any) -> sqlite3.Cursor:
            calls.note("sql many")
            return super().executemany(*args)

    calls.note("connect")
    return sqlite3.connect(
        uri, uri=True, timeout=wait_seconds, isolation_level=None, check_same_thread=False, factory=Connection
    )


def failing(which: range | set[int] | set[str], code: int) -> Calls:
    """Calls of which those with these numbers, or names, fail."""

    def before(number: int, name: str) -> None:
        if number not in which and name not in which:
            return
        if name == "connect" or name.startswith("sql"):
            sqlite_code, message = _SQLITE[code]
            error = sqlite3.OperationalError(message)
            error.sqlite_errorcode = sqlite_code
            raise error
        raise OSError(code, os.strerror(code))

    return Calls(before)


def dying(place: Path, copies: Path, *, power: bool = False) -> Calls:
    """Calls before each of which `place` is copied: as it is when the process dies there.

    With `power` the machine dies: of a file that nobody has synced, nothing is on the disk.
    """
    synced: set[tuple[int, int]] = set()
    seen: set[tuple[int, int]] = set()

    def before(number: int, name: str) -> None:
        target = copies / f"{number:04d}"
        if place.exists():
            shutil.copytree(place, target, symlinks=True)
        if power:
            for path in _files(place):
                status = path.stat()
                identity = (status.st_dev, status.st_ino)
                if ".sqlite" not in path.name and identity in seen - synced:
                    (target / path.relative_to(place)).write_bytes(b"")

    calls = Calls(before)
    if power:
        system = calls.system

        def watching(*, short: bool = False) -> System:
            made = system(short=short)
            values = {f.name: getattr(made, f.name) for f in fields(System)}

            def opened(path: str, flags: int, mode: int) -> int:
                descriptor = made.open(path, flags, mode)
                if flags & os.O_CREAT:
                    seen.add(_identity(descriptor))
                return descriptor

            def fsync(descriptor: int) -> None:
                made.fsync(descriptor)
                synced.add(_identity(descriptor))

            return System(**{**values, "open": opened, "fsync": fsync})

        calls.system = watching  # type: ignore[method-assign]
    return calls


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _files(place: Path) -> Iterator[Path]:
    return (path for path in place.rglob("*") if path.is_file())
