"""Whole files under relative paths: where free-standing records live, in a directory or at a URL.

Unlike a Store, whose names and layout are our own, this is a place that people look into: a name is the path of a
file, and what else lies there is theirs.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ipycheckpoint.errors import StoreError, UsageError
from ipycheckpoint.store.base import Content, Entry
from ipycheckpoint.store.system import (
    REAL,
    is_network,
    make_folders,
    read_whole,
    remove_file,
    sync_folder,
    write_new,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ipycheckpoint.store.system import System

NEW = ".ipycheckpoint-new-"
"""How the name of a file begins that is still being written. The file moves to its place in one step, whole."""

_STALE_SECONDS = 3600.0  # nobody writes one file for an hour without touching it

_swept: dict[str, float] = {}
# When this process last looked, folder by folder, for what killed ones left half-written: seconds, monotonic.


@dataclass(frozen=True, slots=True)
class Pending:
    """A file that is ready, and that nobody sees yet."""

    commit: Callable[[], None]
    """Let it be seen, in place of what may be there. Raises StoreError; then that is there still, whole."""
    discard: Callable[[], None]
    """Leave no trace of it. After `commit` it does nothing."""


class Files(Protocol):
    """Files by relative path, such as ``date=2017-01-01/TestPkg/bar.ckpt``: each is there whole or not at all.

    Every method may raise `StoreError`, and `UsageError` for a path that leads out of the place. All are safe to call
    from several threads and processes.
    """

    @property
    def location(self) -> str:
        """Where the files are, as a user would write it."""
        ...

    def write(self, name: str, chunks: Sequence[bytes | memoryview]) -> None:
        """Write `chunks` one after the other as the file `name`, in place of what may be there.

        It is on the disk, or with the server, when this returns. When it fails, what was there is there still, whole.
        """
        ...

    def prepare(self, name: str, chunks: Sequence[bytes | memoryview]) -> Pending:
        """Do what `write` does but for its last step: so several files can be ready before the first is seen."""
        ...

    def read(self, name: str) -> Content | None:
        """The bytes of the file `name`; None when there is none. Writes nothing."""
        ...

    def entries(self) -> Iterator[Entry]:
        """All files at any depth, in no particular order, without a look inside. Writes nothing."""
        ...

    def remove(self, name: str) -> bool:
        """Remove the file `name`; whether there was one."""
        ...


def files_at(place: str | os.PathLike[str]) -> Files:
    """The files below `place`: a directory, or any URL that fsspec knows.

    >>> files_at("/data/checkpoints").location, files_at("file:///data").location
    ('/data/checkpoints', '/data')
    >>> files_at("memory://checkpoints").location
    'memory://checkpoints'
    """
    local = _local_path(os.fspath(place))
    if local is not None:
        return LocalFiles(local)
    from ipycheckpoint.store.remote import RemoteFiles

    return RemoteFiles(os.fspath(place))


def file_at(path: str | os.PathLike[str]) -> tuple[Files, str]:
    """The place of one file, and its name there.

    >>> files, name = file_at("/data/run 1.ckpt")
    >>> files.location, name
    ('/data', 'run 1.ckpt')
    """
    text = os.fspath(path)
    local = _local_path(text)
    place, name = text.rpartition("/")[::2] if local is None else os.path.split(local)
    if not name or not text or text.endswith(("/", os.sep)):
        raise UsageError(f"{text!r} names no file: a path such as results/run.ckpt is needed")
    return files_at(place + "/" if local is None and place.endswith(":/") else place), name


def _local_path(text: str) -> str | None:
    if "://" not in text:
        return str(Path(text).expanduser())
    if text.startswith(("file://", "local://")) and "::" not in text:
        return text.partition("://")[2]  # as fsspec has it: a % is a %
    return None


def check_path(name: str) -> str:
    """Return `name` if it is a relative path that leads nowhere but down; UsageError otherwise.

    >>> check_path("date=2017-01-01/bar.ckpt")
    'date=2017-01-01/bar.ckpt'
    """
    steps = name.split("/")
    windows = os.name == "nt" and any(char in name for char in '\\:*?"<>|')
    if windows or "\0" in name or any(step in ("", ".", "..") or step.startswith(NEW) for step in steps):
        raise UsageError(f"{name!r} can't be the path of a file here: it must lead down, step by step")
    return name


class LocalFiles:
    """The files below the directory `path`, which the first `write` makes, for this user alone.

    What is read, written and listed is told to `sys.audit`, so that a run that does it is known to depend on it.
    No write goes through a symbolic link to somewhere else; one that stands where the file belongs is replaced.

    >>> import tempfile
    >>> files = LocalFiles(tempfile.mkdtemp())
    >>> files.write("a/b.ckpt", [b"ab", b"c"])
    >>> bytes(files.read("a/b.ckpt").view), [entry.name for entry in files.entries()]
    (b'abc', ['a/b.ckpt'])
    """

    def __init__(self, path: str | os.PathLike[str], *, network: bool | None = None, system: System = REAL) -> None:
        """On a `network` files are read, not mapped; whether it is one is found out unless it is said."""
        self._given = os.fspath(path)
        self._path = os.path.abspath(path)
        self._system = system
        self._network = network

    @property
    def location(self) -> str:
        """The path of the directory."""
        return self._path

    def write(self, name: str, chunks: Sequence[bytes | memoryview]) -> None:
        """Write `chunks` as the file `name`; it is on the disk itself when this returns."""
        self.prepare(name, chunks).commit()

    def prepare(self, name: str, chunks: Sequence[bytes | memoryview]) -> Pending:
        """Write `chunks` to the disk under another name, from where one step moves them to the file `name`."""
        target = self._file(name)
        folder = os.path.dirname(target)
        try:
            self._check_folder(folder)
            self._tell_missing(folder)
            for made in make_folders(self._system, folder, 0o700):
                sync_folder(self._system, os.path.dirname(made))
            self._sweep(folder)
            new = f"{folder}{os.sep}{NEW}{os.getpid()}-{os.urandom(8).hex()}"
            try:
                write_new(self._system, new, chunks, durable=True)
            except BaseException:
                self._forget(new)
                raise
        except OSError as error:
            raise _failure(target, "write", error) from error
        return Pending(lambda: self._move(new, target), lambda: self._forget(new))

    def read(self, name: str) -> Content | None:
        """The file `name`, private and writable; None when there is none. A large one is mapped, not read."""
        target = self._file(name)
        self._tell("read", target)
        if self._network is None:
            self._network = is_network(self._path)
        try:
            view, status = read_whole(self._system, target, mapped=not self._network)
            return Content(view, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _failure(target, "read", error) from error

    def entries(self) -> Iterator[Entry]:
        """All files at any depth; links to folders aren't followed."""
        waiting = [("", self._path)]
        while waiting:
            head, folder = waiting.pop()
            self._tell("list", folder)
            try:
                items = self._system.scan(folder)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _failure(folder, "list", error) from error
            for item in items:
                if item.is_dir(follow_symlinks=False):
                    waiting.append((f"{head}{item.name}/", item.path))
                elif not item.name.startswith(NEW):
                    # A link to nothing, and what was removed meanwhile, are no files.
                    with suppress(OSError):
                        if item.is_file():
                            status = item.stat()
                            yield Entry(head + item.name, status.st_size, status.st_mtime)

    def remove(self, name: str) -> bool:
        """Remove the file `name`; whether there was one."""
        target = self._file(name)
        try:
            self._check_folder(os.path.dirname(target))
            self._tell("write", target)
            return remove_file(self._system, target)
        except NotADirectoryError:
            return False
        except OSError as error:
            raise _failure(target, "remove", error) from error

    def _file(self, name: str) -> str:
        return os.path.join(self._path, *check_path(name).split("/"))

    def _tell(self, action: str, path: str) -> None:
        """Tell whoever listens what is about to be done to `path`: as it was given, if that still leads there."""
        given = os.path.normpath(os.path.join(self._given, os.path.relpath(path, self._path)))
        sys.audit(f"ipycheckpoint.{action}", given if os.path.abspath(given) == path else path)

    def _tell_missing(self, folder: str) -> None:
        while not os.path.isdir(folder) and folder != os.path.dirname(folder):
            self._tell("write", folder)
            folder = os.path.dirname(folder)

    def _move(self, new: str, target: str) -> None:
        self._tell("write", target)
        try:
            self._system.replace(new, target)
            sync_folder(self._system, os.path.dirname(target))
        except OSError as error:
            self._forget(new)
            raise _failure(target, "write", error) from error

    def _forget(self, new: str) -> None:
        with suppress(OSError):
            self._system.unlink(new)

    def _sweep(self, folder: str) -> None:
        """Remove what killed processes left half-written in `folder`."""
        if time.monotonic() < _swept.get(folder, float("-inf")) + _STALE_SECONDS:
            return
        _swept[folder] = time.monotonic()
        stale = time.time() - _STALE_SECONDS
        with suppress(OSError):
            for item in self._system.scan(folder):
                if item.name.startswith(NEW):
                    with suppress(OSError):
                        if item.stat(follow_symlinks=False).st_mtime < stale:
                            self._system.unlink(item.path)

    def _check_folder(self, folder: str) -> None:
        home, real = os.path.realpath(self._path), os.path.realpath(folder)
        if real != home and not real.startswith(os.path.join(home, "")):
            raise StoreError(folder, "write", f"a symbolic link on the way leads out of {self._path}, to {real}")


def _failure(location: str, action: str, error: OSError) -> StoreError:
    return StoreError(location, action, error.strerror or str(error))
