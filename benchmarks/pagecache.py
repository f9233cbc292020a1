"""Files dropped from the page cache, so that they are read from the disk again."""

from __future__ import annotations

import os
from pathlib import Path


def drop(directory: Path) -> str | None:
    """Drop all files below a directory from the page cache; what is wrong if they can't be. For Linux."""
    if not hasattr(os, "posix_fadvise"):
        return "this system can't drop files from its page cache"
    for path in _files(directory):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # a page that isn't written yet stays
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
    if not any(map(_is_cached, _files(directory))):
        return None
    # For root there is another way, which drops what the others on this machine use, too.
    try:
        Path("/proc/sys/vm/drop_caches").write_text("1")
    except OSError:
        return "its files can't be dropped from the page cache"
    return "its files stay in the page cache" if any(map(_is_cached, _files(directory))) else None


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and path.stat().st_size > 1 << 16]


def _is_cached(path: Path) -> bool:
    """Whether the middle of a file can be read without waiting for the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.preadv(descriptor, [bytearray(1)], path.stat().st_size // 2, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
