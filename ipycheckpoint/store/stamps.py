"""Stamps: what a file system says of a file, by which another process can tell that nobody has written to it since.

Every write sets both times of a file to the moment at which it happens. Anyone can set the time of modification back,
but not the time of change: that takes root, or the machine's clock. Two writes within one tick of the clock look alike,
so a stamp may be relied upon only where a later write can't look like what it says.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_SETTLED_NS = 2_000_000_000
_COARSE_NS = 1_000_000


class Stamp(NamedTuple):
    """What tells one state of a file from every other one; times in nanoseconds."""

    device: int
    inode: int
    nbytes: int
    modified: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """That of the file with this `status`."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    @property
    def is_telling(self) -> bool:
        """Whether no later write can leave the file with this very stamp.

        A write sets both times to one moment, so it never looks like a file whose times differ, as those do that a
        `DirectoryStore` has put. Others must be older than any tick. File systems whose times are that coarse, such as
        those of memory cards, mostly have no time of change at all, and on Windows it is another one.

        >>> second = 10**9
        >>> Stamp(1, 2, 3, 7 * second + 123, 7 * second + 456).is_telling
        True
        >>> Stamp(1, 2, 3, 7 * second, 7 * second).is_telling
        False
        """
        if os.name != "posix" or not self.modified % _COARSE_NS or not self.changed % _COARSE_NS:
            return False
        return self.modified != self.changed or self.changed < time.time_ns() - _SETTLED_NS


def stamp_from(plain: object) -> Stamp | None:
    """The Stamp that was written as a list of numbers; None for anything else.

    >>> stamp_from([1, 2, 3, 4, 5]), stamp_from([1, 2, "3", 4, 5]), stamp_from(None)
    (Stamp(device=1, inode=2, nbytes=3, modified=4, changed=5), None, None)
    """
    if not isinstance(plain, list) or len(plain) != len(Stamp._fields) or any(type(part) is not int for part in plain):
        return None
    parts: Sequence[int] = plain
    return Stamp(*parts)
