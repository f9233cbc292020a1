"""What can be wrong with the folder of a DirectoryStore besides its entries, and what can be had from the wreck.

A SQLite file that was found to be damaged is called ``small.sqlite.damaged`` (see `database`). Once its rows have been
read, it is called ``small.sqlite.damaged.salvaged``, and an empty file keeps its place.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ipycheckpoint.store.database import has_schema
from ipycheckpoint.store.directory import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

_STALE_SECONDS = 3600.0  # nobody writes one file for an hour without touching it
_MOST_GAPS = 200  # rows in a row that can't be read, before the next ones are looked for further and further on
_LAST_ROW = 1 << 62

_NEXT = "SELECT rowid, name, data FROM entries WHERE rowid > ? ORDER BY rowid LIMIT 500"
_ONE = "SELECT name, data FROM entries WHERE rowid = ?"


def leftovers(folder: Path, now: float | None = None) -> list[Path]:
    """Files that were being written when their process was killed. Writes nothing."""
    stale = (time.time() if now is None else now) - _STALE_SECONDS
    found = []
    with suppress(OSError):
        for path in (folder / "files" / "@new").iterdir():
            with suppress(OSError):
                if path.is_file() and path.stat().st_mtime < stale:
                    found.append(path)
    return sorted(found)


def damaged(folder: Path, stem: str) -> list[Path]:
    """The SQLite files `stem` that are damaged, whether anybody has noticed that before or not. Writes nothing."""
    live = [path for path in folder.glob(f"{stem}*.sqlite") if complaint(path)]
    return sorted([*live, *unsalvaged(folder, stem)])


def unsalvaged(folder: Path, stem: str) -> list[Path]:
    """The SQLite files `stem` that were moved aside since they are damaged, and not looked into yet. Writes nothing."""
    return [path for path in sorted(folder.glob(f"{stem}*.sqlite.damaged")) if path.stat().st_size]


def complaint(path: Path) -> str:
    """What SQLite has to say against the file; empty when it is whole, or can't be asked just now."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return ""
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if answer == "ok" else str(answer)


def rows(path: Path) -> Iterator[tuple[str, bytes]]:
    """The entries that can be read from a damaged file, name and data. Whether they are whole is for others to tell."""
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)) as connection:
        try:
            if not has_schema(connection, SCHEMA):
                return  # whatever it is, it was not ours
        except sqlite3.Error:
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


def put_aside(path: Path) -> Path:
    """Let a SQLite file that was seen to be damaged be called so; where it is now. Raises OSError."""
    if path.name.endswith(".damaged"):
        return path
    return path.rename(f"{path}.damaged")


def close_case(path: Path) -> Path:
    """Call a damaged file salvaged, and leave an empty one in its place; where it is now. Raises OSError."""
    salvaged = Path(f"{path}.salvaged")
    os.replace(path, salvaged)  # noqa: PTH105 - it replaces what an earlier case may have left
    path.touch(mode=0o600)
    return salvaged
