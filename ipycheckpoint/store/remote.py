"""Files at a URL, by fsspec, which is loaded when the first one is written or read."""

from __future__ import annotations

import errno
import io
import os
from contextlib import nullcontext, suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ipycheckpoint.progress import advance, aloud, is_measured
from ipycheckpoint.store.base import Content, Entry
from ipycheckpoint.store.connection import GONE, Connection
from ipycheckpoint.store.files import NEW, Pending, check_path
from ipycheckpoint.store.protocols import is_webdav, protocol_of, puts_whole, speaks_ssh, spelled, status_of, unspelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

T = TypeVar("T")

PART_NBYTES = 8 << 20
"""What is larger is read in parts of this size, several at once where the protocol can do that."""

_AT_ONCE = 4
_TRIALS = 3
_TRIALS_AT_ONCE = 10


class RemoteFiles:
    """The files below `url`, by fsspec: any protocol that it knows, such as ``s3://bucket/checkpoints``.

    A file is held in memory while it is written or read. `options` are the protocol's own, such as credentials.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self._connection = Connection(url, options)

    @property
    def location(self) -> str:
        """The URL, without credentials."""
        return self._connection.location

    def write(self, name: str, chunks: Sequence[bytes | memoryview]) -> None:
        """Write `chunks` as the file `name`: in one step where the protocol has that, else by a move."""
        content = b"".join(chunks)

        def step(system: Any, target: str) -> None:
            if puts_whole(system):
                _put(system, target, content)
            else:
                new = _beside(target)
                try:
                    _put(system, new, content)
                    system.mv(new, target)
                except BaseException:
                    _forget(system, new)
                    raise

        self._ask("write", check_path(name), step)

    def prepare(self, name: str, chunks: Sequence[bytes | memoryview]) -> Pending:
        """Hold `chunks` until they are put, or write them under another name, to be moved to the file `name`."""
        system, root = self._connection.root()
        if puts_whole(system):
            return Pending(partial(self.write, check_path(name), chunks), lambda: None)
        new, content = _beside(check_path(name)), b"".join(chunks)

        def discard() -> None:
            with suppress(Exception):
                self._connection.ask("remove", new, _forget)

        try:
            self._ask("write", new, lambda system, path: _put(system, path, content))
        except BaseException:
            _forget(system, f"{root}/{new}")
            raise
        return Pending(partial(self._move, new, name, discard), discard)

    def _move(self, new: str, name: str, discard: Callable[[], None]) -> None:
        tries = 0

        def step(system: Any, target: str) -> None:
            nonlocal tries
            tries += 1
            try:
                system.mv(f"{target.removesuffix(name)}{new}", target)
            except FileNotFoundError:
                if tries == 1:
                    raise
                _info(system, target)  # of an earlier attempt the answer may have been lost on its way here

        try:
            self._ask("write", name, step)
        except BaseException:
            discard()
            raise

    def read(self, name: str) -> Content | None:
        """A copy of the file `name`; None when there is none."""
        try:
            return Content(memoryview(self._connection.ask("read", check_path(name), _get)), None)
        except GONE:
            return None

    def entries(self) -> Iterator[Entry]:
        """All files at any depth; their time is 0 where the protocol doesn't tell it."""
        for path, told in self.find("").items():
            if path and not path.rpartition("/")[2].startswith(NEW):
                yield Entry(path, int(told.get("size") or 0), modified_of(told))

    def remove(self, name: str) -> bool:
        """Remove the file `name`; whether there was one."""
        tries = 0

        def step(system: Any, target: str) -> bool:
            nonlocal tries
            tries += 1
            try:
                # Not `isfile`, which takes every failure for a no.
                if _info(system, target).get("type") == "directory":
                    return False
                system.rm_file(target)
            except GONE:
                return tries > 1  # of an earlier attempt the answer may have been lost on its way here
            return True

        return self._connection.ask("remove", check_path(name), step)

    def find(self, folder: str) -> dict[str, dict[str, Any]]:
        """What the protocol tells of all files in `folder`, at any depth, by their paths below the URL."""

        def step(system: Any, path: str) -> dict[str, dict[str, Any]]:
            system.invalidate_cache()
            root = path.removesuffix(spelled(system, folder)).rstrip("/")
            found = {str(at).removeprefix(root).lstrip("/"): told for at, told in _below(system, path)}
            return {unspelled(system, at): told for at, told in found.items()}

        try:
            return self._connection.ask("list", folder, step)
        except GONE:
            return {}

    def info(self, path: str) -> dict[str, Any] | None:
        """What the protocol tells of the file at `path`; None when there is none."""

        def step(system: Any, target: str) -> dict[str, Any]:
            return _info(system, target)

        try:
            told = self._connection.ask("look at", path, step)
        except GONE:
            return None
        return None if told.get("type") == "directory" else told

    def read_many(self, paths: Sequence[str]) -> dict[str, bytearray]:
        """The files at `paths`, as far as there are any: all at once, where the protocol can do that."""
        system, root = self._connection.root()
        found: dict[str, bytearray] = {}
        left: dict[str, bytes] = dict.fromkeys(paths, b"")
        if getattr(system, "async_impl", False) and len(paths) > 1:
            with suppress(Exception):  # what is not there now is read one by one, and told of then
                targets = [f"{root}/{path}" for path in paths]
                heads = system.cat_ranges(targets, 0, PART_NBYTES, on_error="return")
                for path, head in zip(paths, heads, strict=True):
                    if isinstance(head, bytes) and len(head) == PART_NBYTES:
                        left[path] = head
                    elif isinstance(head, (bytes, *GONE)):
                        del left[path]
                        if isinstance(head, bytes):
                            found[path] = bytearray(head)
                            advance(len(head))
        for path, head in left.items():
            with suppress(*GONE):
                found[path] = self._connection.ask("read", path, partial(_get, head=head))
        return found

    def _ask(self, action: str, name: str, step: Callable[[Any, str], T]) -> T:
        """As the connection's; that a folder is missing is a failure, too."""
        try:
            return self._connection.ask(action, name, step)
        except GONE as error:
            raise self._connection.failure(name, action, error) from error


def modified_of(told: dict[str, Any]) -> float:
    """Seconds since the epoch, under whatever name and in whatever form a protocol tells them."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "modified", "created"):
        moment = told.get(name)
        if isinstance(moment, datetime):
            return moment.timestamp()
        if isinstance(moment, int | float):
            return float(moment)
    return 0.0


def marks_of(told: dict[str, Any]) -> tuple[object, ...] | None:
    """What stays equal for as long as a file is the same; None where the protocol tells nothing of the kind."""
    # A time alone may be one in whole seconds.
    marks = [str(told[mark]) for mark in ("ETag", "etag", "md5Hash", "content_md5", "ino") if told.get(mark)]
    return (told.get("size"), *marks, str(told.get("mtime"))) if marks else None


def _info(system: Any, target: str) -> dict[str, Any]:
    system.invalidate_cache()
    told: dict[str, Any] = system.info(target)
    return told


def _below(system: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """All files in the folder `path`, at any depth."""
    if getattr(system, "async_impl", False):
        yield from system.find(path, detail=True).items()
        return
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        # Not `find`, which passes over what it can't list: prune would take what only seems to be gone for gone.
        try:
            items = system.ls(folder, detail=True)
        except GONE:
            if folder == path:
                raise
            continue  # removed meanwhile
        for item in items:
            if item["type"] == "directory":
                waiting.append(item["name"])
            else:
                yield item["name"], item


def _get(system: Any, target: str, head: bytes = b"") -> bytearray:
    """All that is in a file. Who listens is told of each part that has come."""
    if getattr(system, "async_impl", False):
        return _get_in_parts(system, target, head)
    if protocol_of(f"{_name_of(system)}://") == "memory":  # its files are one object for all who open them
        return bytearray(system.cat_file(target))
    if is_webdav(system):
        return _get_unchanged(system, target)
    return _get_at_once(system, target)


def _get_unchanged(system: Any, target: str) -> bytearray:
    """What is in a file that was the same before and after: Apache may send as much of a new one as the old one had."""
    for _ in range(_TRIALS_AT_ONCE):
        told = _info(system, target)
        content = _get_at_once(system, target)
        if marks_of(_info(system, target)) == marks_of(told):
            return content
    raise OSError(f"{target} is written again and again while it is read")


def _get_at_once(system: Any, target: str) -> bytearray:
    with system.open(target, "rb") as file:
        if hasattr(file, "prefetch"):  # SFTP, which asks for 32 kB at a time else, and waits for each
            file.prefetch()
            size = file.stat().st_size
        else:
            size = getattr(file, "size", None)
        content = bytearray()
        with _measured(size or 0):
            while chunk := file.read(PART_NBYTES // 8):
                content += chunk
                advance(len(chunk))
    return content


def _get_in_parts(system: Any, target: str, head: bytes) -> bytearray:
    """What is small takes one request, and what is large several at once. The first part, `head`, may be here."""
    for _ in range(_TRIALS):
        try:
            content, head = bytearray(head or system.cat_file(target, start=0, end=PART_NBYTES)), b""
        except GONE:
            raise
        except Exception as error:
            # Of nothing there is no part.
            if not _is_of_range(error) or int(_info(system, target).get("size") or 0):
                raise
            return bytearray()
        if len(content) < PART_NBYTES:
            advance(len(content))
            return content
        told = _info(system, target)
        size = int(told.get("size") or 0)
        with _measured(size):
            _get_rest(system, target, content, size)
        # Parts of two files that were there one after the other are no file.
        if marks_of(_info(system, target)) == marks_of(told):
            return content
    raise OSError(f"{target} is written again and again while it is read")


def _get_rest(system: Any, target: str, content: bytearray, size: int) -> None:
    """Read what comes after the first part, `content`, into it."""
    advance(len(content))
    starts = list(range(len(content), size, PART_NBYTES))
    content += bytes(max(0, size - len(content)))
    for first in range(0, len(starts), _AT_ONCE):
        some = starts[first : first + _AT_ONCE]
        ends = [min(start + PART_NBYTES, size) for start in some]
        parts = system.cat_ranges([target] * len(some), some, ends, on_error="return")
        for start, part in zip(some, parts, strict=True):
            if isinstance(part, BaseException):
                raise part
            content[start : start + len(part)] = part
            advance(len(part))


def _measured(nbytes: int) -> AbstractContextManager[object]:
    """What is large is measured, unless it is a part of something that is."""
    return nullcontext() if nbytes < PART_NBYTES or is_measured() else aloud("fetching", nbytes)


def _is_of_range(error: Exception) -> bool:
    return getattr(error, "errno", None) == errno.EINVAL or status_of(error) == 416 or "ange" in str(error)


def _put(system: Any, path: str, content: bytes) -> None:
    folder = path.rpartition("/")[0]
    for _ in range(_TRIALS):
        try:
            return _write(system, path, content)
        except FileNotFoundError:
            system.makedirs(folder, exist_ok=True)
        except Exception as error:
            # Who makes a folder at the same moment as somebody else is refused by a WebDAV server.
            if type(error).__name__ != "ForbiddenOperation" or not system.isdir(folder):
                raise
    return _write(system, path, content)


def _write(system: Any, path: str, content: bytes) -> None:
    if speaks_ssh(system):  # which doesn't wait for the answer to each 32 kB
        system.ftp.putfo(io.BytesIO(content), path)
    else:
        system.pipe_file(path, content)


def _beside(target: str) -> str:
    folder, slash, _ = target.rpartition("/")
    return f"{folder}{slash}{NEW}{os.urandom(8).hex()}"


def _forget(system: Any, new: str) -> None:
    with suppress(Exception):
        system.rm_file(new)


def _name_of(system: Any) -> str:
    protocol = system.protocol
    return str(protocol if isinstance(protocol, str) else protocol[0])
