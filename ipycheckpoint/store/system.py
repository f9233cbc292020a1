"""The calls that Stores make of the operating system: one argument, so that a test can let any of them fail.

What is known of the file system below a path is here, too: where it is reached over a network, locks and maps of
memory can't be relied upon.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from ipycheckpoint.progress import advance, slices
from ipycheckpoint.store import locks

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator

_BINARY: int = getattr(os, "O_BINARY", 0)  # only Windows has it, and needs it
READ = os.O_RDONLY | _BINARY | getattr(os, "O_NONBLOCK", 0)  # who opens a pipe in place of a file isn't held up
NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY

MAPPED_NBYTES = 1 << 16
"""What is smaller is cheaper to copy than to map, and a process may have only some 65,000 maps."""

_MOUNTS = "/proc/self/mountinfo"

_NETWORK = frozenset(
    "9p acfs afs autofs beegfs ceph cifs coda drvfs gfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs "
    "panfs prl_fs pvfs2 smb2 smb3 smbfs vboxsf virtiofs vmhgfs".split()
)


def _writer(descriptor: int) -> IO[bytes]:
    return open(descriptor, "wb")


def _map(descriptor: int, nbytes: int) -> mmap.mmap:
    return mmap.mmap(descriptor, nbytes, access=mmap.ACCESS_COPY)


def _scan(path: str) -> list[os.DirEntry[str]]:
    with os.scandir(path) as found:
        return list(found)


def _connect(uri: str, wait_seconds: float) -> sqlite3.Connection:
    import sqlite3  # not before the first cache is opened

    return sqlite3.connect(uri, uri=True, timeout=wait_seconds, isolation_level=None, check_same_thread=False)


@dataclass(frozen=True, slots=True)
class System:
    """What a Store needs of the operating system. Each raises OSError, but `connect`: that raises sqlite3.Error."""

    open: Callable[[str, int, int], int] = os.open
    read: Callable[[int, int], bytes] = os.read
    writer: Callable[[int], IO[bytes]] = _writer
    """A buffered stream that writes to a descriptor, and closes it."""
    map: Callable[[int, int], mmap.mmap] = _map
    """A private, writable map of so many bytes."""
    fsync: Callable[[int], None] = os.fsync
    close: Callable[[int], None] = os.close
    stat: Callable[[str], os.stat_result] = os.stat
    fstat: Callable[[int], os.stat_result] = os.fstat
    scan: Callable[[str], list[os.DirEntry[str]]] = _scan
    mkdir: Callable[[str, int], None] = os.mkdir
    replace: Callable[[str, str], None] = os.replace
    unlink: Callable[[str], None] = os.unlink
    utime: Callable[[str, tuple[float, float]], None] = os.utime
    connect: Callable[[str, float], sqlite3.Connection] = _connect
    """Open a SQLite file, given as a URI; so many seconds are waited for a lock."""
    lock: Callable[[int, int], bool] = locks.lock
    unlock: Callable[[int, int], None] = locks.unlock
    holder: Callable[[int, int], int | None] = locks.holder


REAL = System()
"""The operating system itself."""


def read_whole(
    system: System, path: str, *, mapped: bool = True, links: bool = True
) -> tuple[memoryview, os.stat_result]:
    """The bytes of the file at `path`, private and writable; large ones are `mapped`, unless told otherwise.

    Raises OSError, also for what is no file, for a link unless `links` are followed, and for a file that is cut off
    while it is read.
    """
    descriptor = system.open(path, READ if links else READ | NO_LINK, 0)
    try:
        status = system.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "this is no file", path)
        if mapped and status.st_size >= MAPPED_NBYTES:
            return memoryview(system.map(descriptor, status.st_size)), status
        whole = bytearray()
        while len(whole) < status.st_size:
            # A read may give less than it was asked for: network file systems and signals do that.
            piece = system.read(descriptor, status.st_size - len(whole))
            if not piece:
                raise OSError(errno.EIO, "it was cut off while it was read", path)
            whole += piece
        return memoryview(whole), status
    finally:
        system.close(descriptor)


def is_there(system: System, path: str) -> bool:
    """Whether there is anything at `path`. Raises OSError where that can't be known."""
    try:
        system.stat(path)
    except FileNotFoundError:
        return False
    return True


def remove_file(system: System, path: str) -> bool:
    """Remove the file at `path`; whether there was one. Raises OSError."""
    try:
        system.unlink(path)
    except FileNotFoundError:
        return False
    return True


def write_new(system: System, path: str, chunks: Iterable[bytes | memoryview], *, durable: bool = False) -> None:
    """Write `chunks` as a new file at `path`, for this user alone; `durable`: to the disk itself. Raises OSError."""
    with system.writer(system.open(path, CREATE, 0o600)) as stream:
        for piece in (piece for chunk in chunks for piece in slices(chunk)):
            advance(stream.write(piece))
        if durable:
            stream.flush()
            system.fsync(stream.fileno())


def make_folders(system: System, path: str, mode: int = 0o777) -> list[str]:
    """Make the folder `path`, and those above it that are missing; those that were made, the uppermost first."""
    missing = []
    while not os.path.isdir(path) and path != os.path.dirname(path):
        missing.append(path)
        path = os.path.dirname(path)
    made = []
    for folder in reversed(missing):
        try:
            system.mkdir(folder, mode)
        except FileExistsError:
            continue  # another process was quicker
        made.append(folder)
    return made


def sync_folder(system: System, path: str) -> None:
    """Write to the disk which names are in the folder `path`, where there is such a thing. Raises OSError."""
    if os.name != "posix":
        return  # elsewhere a folder can't be opened, and renames are journalled
    try:
        descriptor = system.open(path, os.O_RDONLY, 0)
    except PermissionError:
        return  # a folder that may be written to, and not read
    try:
        system.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # what file systems say that have no such thing
            raise
    finally:
        system.close(descriptor)


def is_network(path: str, mounts: str = _MOUNTS) -> bool:
    """Whether `path` is, or will be, on a file system that is reached over a network, or by way of another program.

    Only Linux tells, in `mounts`; elsewhere, and where that can't be read, it is taken to be local. Writes nothing.
    """
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:  # noqa: PTH123 - a string already
            kind = _kind_at(os.path.realpath(path), lines)
    except OSError:
        return False
    # A "fuse.sshfs" is somebody's program; "fuseblk" is a disk of this machine.
    return kind in _NETWORK or kind.startswith("fuse.") or kind == "fuse"


def _kind_at(path: str, lines: Iterable[str]) -> str:
    """The kind of the file system that is mounted nearest above `path`, the last of several at one place."""
    best, found = -1, ""
    for point, kind in _mounts(lines):
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, found = len(point), kind
    return found


def _mounts(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Where something is mounted, and of what kind it is."""
    for line in lines:
        before, dash, after = line.partition(" - ")
        fields = before.split()
        if dash and len(fields) > 4 and after.split():
            yield _plain(fields[4]), after.split()[0]


def _plain(point: str) -> str:
    # Spaces, tabs, newlines and backslashes are written as octal numbers there.
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, char)
    return point
