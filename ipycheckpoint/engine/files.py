"""Files as they are now: when they were last changed, and the Digest of what is in them."""

from __future__ import annotations

import glob
import mmap
import os
import stat
import time
from typing import NamedTuple

from blake3 import blake3

from ipycheckpoint.digest import Digest, digest
from ipycheckpoint.progress import SLICE_NBYTES, advance

_Stamp = tuple[int, int, int, int]
_seen: dict[str, tuple[_Stamp, Digest]] = {}
_MOST_SEEN = 10_000
_SETTLED_SECONDS = 2.0

_NOT_NAMES = frozenset((".ipycheckpoint", ".ipynb_checkpoints", "__pycache__"))
"""What tools leave in a directory that is worked in: not what a listing is made for."""


class Status(NamedTuple):
    """What tells cheaply that a file has not changed; `nbytes` of content, the times in nanoseconds."""

    nbytes: int
    modified: int
    changed: int
    """When the file system last saw any change: nobody can set this back."""
    inode: int
    mode: int

    @classmethod
    def of(cls, path: str) -> Status | None:
        """That of the file at `path`; None if nothing is there."""
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_mode)

    @property
    def is_file(self) -> bool:
        """Whether it has content: it is no directory, pipe, socket or device."""
        return stat.S_ISREG(self.mode)

    @property
    def is_directory(self) -> bool:
        """Whether it has names in it."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_settled(self) -> bool:
        """Whether a later change shows: what was written just now may be written again within one tick of a clock."""
        return time.time() - max(self.modified, self.changed) / 1e9 > _SETTLED_SECONDS

    def has_content_of(self, earlier: Status) -> bool:
        """Whether nobody has written to it since."""
        return (self.nbytes, self.modified) == (earlier.nbytes, earlier.modified)


def content(path: str, status: Status) -> Digest:
    """The Digest of the file at `path`, which is as `status` says: read once while that is so. Raises OSError."""
    stamp = (status.inode, status.nbytes, status.modified, status.changed)
    known = _seen.get(path)
    if known is not None and known[0] == stamp:
        return known[1]
    found = _digest(path, status.nbytes)
    if status.is_settled:
        if len(_seen) >= _MOST_SEEN:
            _seen.clear()
        _seen[path] = (stamp, found)
    return found


def _digest(path: str, nbytes: int) -> Digest:
    hasher = blake3(max_threads=blake3.AUTO)
    if nbytes <= SLICE_NBYTES:
        hasher.update_mmap(path)  # which gives the hasher back since blake3 0.4.1
        return Digest(hasher.hexdigest())
    with (
        open(path, "rb", buffering=0) as file,  # noqa: PTH123 - as everywhere here, of a str
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
    ):
        for start in range(0, view.nbytes, SLICE_NBYTES):
            with view[start : start + SLICE_NBYTES] as piece:
                hasher.update(piece)
                advance(piece.nbytes)
    return Digest(hasher.hexdigest())


def beginning(path: str, nbytes: int) -> Digest:
    """The Digest of the first `nbytes` of the file at `path`. Raises OSError."""
    hasher = blake3()
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as everywhere here, of a str
        while nbytes > 0 and (chunk := file.read(min(nbytes, 1 << 20))):
            hasher.update(chunk)
            nbytes -= len(chunk)
    return Digest(hasher.hexdigest())


def names(path: str) -> set[str]:
    """The names in a directory, or the paths that a pattern finds; none if there is no such directory."""
    if glob.has_magic(path) and not os.path.isdir(path):
        return set(glob.glob(path, recursive=True))
    try:
        with os.scandir(path) as entries:
            found = {entry.name for entry in entries}
    except OSError:
        return set()
    return {name for name in found if name not in _NOT_NAMES and not name.startswith(".~")}


def digest_of_names(found: set[str]) -> Digest:
    """The Digest of a set of names."""
    return digest("names", *(os.fsencode(name) for name in sorted(found)))
