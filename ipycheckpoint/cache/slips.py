"""Slips: hits that a process has counted, on a piece of paper beside the catalogue, for whoever writes there next.

To open the catalogue takes a process that restores one thing and ends as long as all that it came for. So it leaves a
file, which is there whole or not at all, and counts once: the catalogue knows which ones it has.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from ipycheckpoint.cache.uses import Uses
from ipycheckpoint.store.system import read_whole, remove_file, write_new

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from ipycheckpoint.store.system import System

_MOST = 64
"""How many may lie there: whoever comes with one more writes all of them up."""

_NAME = r"[0-9a-f]{32}"
_NEW = ".new"


class Slips:
    """The slips in `folder`, which is made with the first. Methods raise OSError, but `names`."""

    def __init__(self, folder: str, system: System) -> None:
        self._folder, self._system = folder, system

    def leave(self, uses: Uses) -> bool:
        """Leave a slip with `uses`; False where there are so many that it is time to write them up."""
        there = self._names()
        if there is None:
            self._system.mkdir(self._folder, 0o700)
        elif len(there) >= _MOST:
            return False
        path = f"{self._folder}/{os.urandom(16).hex()}"
        try:
            write_new(self._system, path + _NEW, [uses.to_json()])
            self._system.replace(path + _NEW, path)
        except BaseException:
            with suppress(OSError):
                remove_file(self._system, path + _NEW)
            raise
        return True

    def names(self) -> tuple[str, ...]:
        """The slips that there are. Writes nothing."""
        with suppress(OSError):
            return tuple(sorted(self._names() or ()))
        return ()

    def write(self, connection: sqlite3.Connection) -> tuple[str, ...]:
        """Write what is on them into the tables of the catalogue, each once; those that can be removed then."""
        known = {name for (name,) in connection.execute("SELECT name FROM slips")}
        done = tuple(name for name in self.names() if name in known or self._write(name, connection))
        connection.execute("DELETE FROM slips")
        connection.executemany("INSERT INTO slips VALUES (?)", [(name,) for name in done])
        return done

    def _write(self, name: str, connection: sqlite3.Connection) -> bool:
        """Whether there is nothing more to be had from it."""
        try:
            content, _ = read_whole(self._system, f"{self._folder}/{name}", mapped=False, links=False)
            Uses.from_json(content).write(connection)
        except (FileNotFoundError, ValueError):  # it is no slip
            return True
        except OSError:
            return False
        return True

    def remove(self, names: Collection[str]) -> None:
        """Remove slips that are written up."""
        for name in names:
            remove_file(self._system, f"{self._folder}/{name}")

    def _names(self) -> list[str] | None:
        """None where there is no folder."""
        if os.path.islink(self._folder):  # noqa: PTH114 - a string already
            raise NotADirectoryError(self._folder)  # nothing below the directory of a cache is followed
        try:
            return [item.name for item in self._system.scan(self._folder) if re.fullmatch(_NAME, item.name)]
        except FileNotFoundError:
            return None
