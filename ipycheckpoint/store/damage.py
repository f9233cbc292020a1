"""What can be wrong with the folder of a DirectoryStore besides its entries, and what can be had from the wreck.

A SQLite file that was found to be damaged is called ``small.sqlite.damaged`` (see `database`). Once its rows have been
read, it is called ``small.sqlite.damaged.salvaged``, and an empty file keeps its place.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import stat
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from ipycheckpoint.store.database import has_schema
from ipycheckpoint.store.directory import SCHEMA, VERSION
from ipycheckpoint.store.system import CREATE, NO_LINK, REAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ipycheckpoint.store.system import System

_STALE_SECONDS = 3600.0  # nobody writes one file for an hour without touching it
_NEW_NAME = re.compile(r"\d+-[0-9a-f]{16}\Z")
_MOST_GAPS = 200  # rows in a row that can't be read, before the next ones are looked for further and further on
_LAST_ROW = 1 << 62

_NEXT = "SELECT rowid, name, data FROM entries WHERE rowid > ? ORDER BY rowid LIMIT 500"
_ONE = "SELECT name, data FROM entries WHERE rowid = ?"


class Files(NamedTuple):
    """SQLite files of one kind: how their names begin, and what is in them."""

    stem: str
    schema: Sequence[str]
    version: int
    disposable: bool = False
    """One of another version is made anew when it is used."""


SMALL = Files("small", SCHEMA, VERSION)
"""Those of a DirectoryStore."""


def leftovers(folder: Path, now: float | None = None, *, system: System = REAL) -> list[tuple[Path, int]]:
    """Files that were being written when their process was killed, with their bytes. Writes nothing."""
    stale = (time.time() if now is None else now) - _STALE_SECONDS
    new = folder / "files" / "@new"
    found = []
    # A link may have come with somebody's project: what is behind it is nobody's leftover.
    if os.path.realpath(new) == os.path.join(os.path.realpath(folder), "files", "@new"):
        for item in _scan(system, new):
            with suppress(OSError):
                status = item.stat(follow_symlinks=False)
                if _NEW_NAME.match(item.name) and stat.S_ISREG(status.st_mode) and status.st_mtime < stale:
                    found.append((Path(item.path), status.st_size))
    return sorted(found)


def intruders(folder: Path, *, system: System = REAL) -> list[Path]:
    """What is in the way of entries and no file or folder of ours: links, pipes, folders in the place of files.

    Writes nothing, and follows no link.
    """
    files = folder / "files"
    if files.is_symlink() or files.is_file():
        return [files]
    found: list[Path] = []
    waiting = [files]
    while waiting:
        place = waiting.pop()
        # Entries are in folders whose names begin with an @, and nothing else is.
        wanted = stat.S_ISREG if place.name.startswith("@") else stat.S_ISDIR
        for item in _scan(system, place):
            with suppress(FileNotFoundError):  # removed just now
                mode = item.stat(follow_symlinks=False).st_mode
                # What other programs leave in folders (`.DS_Store`) is in nobody's way.
                if item.name.endswith("~") or (stat.S_ISREG(mode) and "." in item.name):
                    continue
                if not wanted(mode):
                    found.append(Path(item.path))
                elif wanted is stat.S_ISDIR and item.name != "@new":
                    waiting.append(Path(item.path))
    return sorted(found)


def damaged(folder: Path, files: Files, *, system: System = REAL) -> list[Path]:
    """The SQLite `files` that are damaged, whether anybody has noticed that before or not. Writes nothing."""
    live = [path for path in _files(folder, files.stem, "", system) if complaint(path, files, system=system)]
    return sorted([*live, *unsalvaged(folder, files.stem, system=system)])


def unsalvaged(folder: Path, stem: str, *, system: System = REAL) -> list[Path]:
    """The SQLite files `stem` that were moved aside since they are damaged, and not looked into yet. Writes nothing."""
    return [path for path in _files(folder, stem, ".damaged", system) if path.stat().st_size]


def _files(folder: Path, stem: str, end: str, system: System) -> list[Path]:
    """Never a link, which may lead to a file of somebody else's."""
    pattern = re.compile(rf"{re.escape(stem)}(?:-\d{{1,9}})?\.sqlite{re.escape(end)}\Z")
    return sorted(
        Path(item.path)
        for item in _scan(system, folder)
        if pattern.match(item.name) and item.is_file(follow_symlinks=False)
    )


def _scan(system: System, folder: Path) -> list[os.DirEntry[str]]:
    try:
        return system.scan(str(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def complaint(path: Path, files: Files, *, system: System = REAL) -> str:
    """What is to be said against the file; empty when it is whole, or can't be asked just now."""
    try:
        with closing(_opened(path, "mode=ro", system)) as connection:
            is_ours = has_schema(connection, files.schema)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if not is_ours:
                # Of other tables nothing is asked. They may be another release's, which left its own version.
                return "its tables are not ours" if version == files.version else ""
            if version != files.version:
                return "" if files.disposable else f"its version is {version}, and its tables are not"
            (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.OperationalError:
        return ""
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        return str(error)
    return "" if answer == "ok" else str(answer)


def _opened(path: Path, mode: str, system: System) -> sqlite3.Connection:
    return system.connect(f"file:{quote(str(path))}?{mode}", 5.0)


def rows(path: Path, *, system: System = REAL) -> Iterator[tuple[str, bytes]]:
    """The entries that can be read from a damaged file, name and data. Whether they are whole is for others to tell.

    Raises sqlite3.OperationalError for a file that can't be opened just now.
    """
    with closing(_opened(path, "mode=ro&immutable=1", system)) as connection:
        try:
            if not has_schema(connection, SCHEMA):
                return  # whatever it is, it was not ours
        except sqlite3.OperationalError:
            raise
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return
        last, gaps = 0, 0
        while last < _LAST_ROW:
            before = last
            try:
                found = connection.execute(_NEXT, (last,)).fetchall()
                if not found:
                    return
            except (sqlite3.Error, UnicodeDecodeError):
                # One of the next rows: they are asked for one by one.
                found = []
                with suppress(sqlite3.Error, UnicodeDecodeError):
                    found = [(last + 1, *row) for row in connection.execute(_ONE, (last + 1,))]
            for rowid, name, data in found:
                last = max(last, rowid)
                if isinstance(name, str) and isinstance(data, bytes):
                    yield name, data
            if last > before:
                gaps = 0
            else:
                # A damaged tree may also give rows that were not asked for, and those again and again.
                last += 1 if gaps < _MOST_GAPS else 1 << (gaps - _MOST_GAPS)
                gaps += 1


def put_aside(path: Path, *, system: System = REAL) -> Path:
    """Let what was seen to be damaged be called so; where it is now. Raises OSError."""
    if path.name.endswith(".damaged"):
        return path
    system.replace(str(path), f"{path}.damaged")
    return path.with_name(f"{path.name}.damaged")


def close_case(path: Path, *, system: System = REAL) -> Path:
    """Call a damaged file salvaged, and leave an empty one in its place; where it is now. Raises OSError."""
    salvaged = Path(f"{path}.salvaged")
    system.replace(str(path), str(salvaged))
    with suppress(FileExistsError):
        system.close(system.open(str(path), CREATE, 0o600))
    return salvaged


def empty(path: Path, *, system: System = REAL) -> None:
    """Leave nothing in a damaged file but its name, which keeps its place. Raises OSError, also for a link."""
    system.close(system.open(str(path), os.O_WRONLY | os.O_TRUNC | NO_LINK, 0o600))


def push_aside(path: Path, *, system: System = REAL) -> Path:
    """Let what stands in the way of entries stand beside it, whatever it is; where it is now. Raises OSError."""
    for number in range(1_000):
        aside = path.with_name(f"{path.name}.{number}~")
        if not os.path.lexists(aside):
            system.replace(str(path), str(aside))
            return aside
    raise OSError(errno.EEXIST, "there are too many of its kind", str(path))
