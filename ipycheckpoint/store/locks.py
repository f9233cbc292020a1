"""Locks of the operating system on single bytes of a file. They end with their process, and no fork inherits them."""

from __future__ import annotations

import os
import struct
import sys

if sys.platform == "win32":  # threads and tasks exclude each other there, processes don't

    def lock(*_: int) -> bool:
        """There are no such locks: everyone gets it."""
        return True

    def unlock(*_: int) -> None:
        """There are no such locks."""

    def holder(*_: int) -> int | None:
        """There are no such locks."""
        return None

else:
    import fcntl

    # How `struct flock` lies in memory on 64 bits, and where in it are type, origin, start, length and process.
    _FLOCKS: dict[str, tuple[str, tuple[int, ...]]] = {
        "linux": ("@hhqqi", (0, 1, 2, 3, 4)),
        "darwin": ("@qqihh", (3, 4, 0, 1, 2)),
    }

    def lock(descriptor: int, offset: int) -> bool:
        """Lock the byte at `offset` for this process; False while another has it. OSError where there are no locks."""
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except (BlockingIOError, PermissionError):  # POSIX allows both
            return False
        return True

    def unlock(descriptor: int, offset: int) -> None:
        """Unlock the byte at `offset`."""
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, offset)

    def holder(descriptor: int, offset: int) -> int | None:
        """The number of the process that has locked the byte at `offset`; 0 if none has, None where nobody tells."""
        form, places = _FLOCKS.get(sys.platform, ("", ()))
        if not form or sys.maxsize < 1 << 32:
            return None
        fields = dict(zip(places, (fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0), strict=True))
        asked = struct.pack(form, *(fields[place] for place in sorted(fields)))
        told = struct.unpack(form, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
        return 0 if told[places[0]] == fcntl.F_UNLCK else int(told[places[4]])
