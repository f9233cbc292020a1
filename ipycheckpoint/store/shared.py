"""A Store at a URL, by fsspec: on S3, on an SFTP server, in any place that others reach, too.

Each entry is one object or file: ``records/5f2c…`` is ``records/@5f2c…``, since ``records/5f2c…/a`` may be there, too,
and no name of a Store has an ``@`` in it. What is put is whole or not at all: object stores take it in one
step, elsewhere it is written under another name and moved. So no write needs to be conditional: entries with equal
names that two writers put at once are equally good.

No protocol lets us set an object's time. That an entry is renewed is said by an empty object of the same name below
``@@renewed``, whose time counts then. Who removes what is old says so first, below ``@@leaving``, and looks again: who
renews it at that moment is seen, or sees that, and waits to be told whether it is gone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.store.base import Content, Entry, check_name, is_name
from ipycheckpoint.store.connection import check_packages
from ipycheckpoint.store.protocols import uncached
from ipycheckpoint.store.remote import RemoteFiles, marks_of, modified_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_RENEWED, _LEAVING = "@@renewed/", "@@leaving/"

_ROUNDED_SECONDS = 1.0  # by which the times that a protocol tells may be too early
_LEAVING_SECONDS = 60.0  # after which who began to remove something is taken to be dead
_PAUSE_SECONDS = 0.05


class RemoteStore:
    """Bytes under names below `url`, such as ``s3://team/cache``; `options` are those of the protocol.

    Nothing is opened before it is used. Raises UsageError where a package is missing, with what to install.
    """

    is_read_from_afar = True
    """Who reads here holds nothing open that would stay readable when it is removed."""

    def __init__(self, url: str, **options: Any) -> None:
        check_packages(url)
        self._files = RemoteFiles(url, **uncached(url), **options)

    @property
    def location(self) -> str:
        """The URL, without credentials."""
        return self._files.location

    def get(self, name: str) -> Content | None:
        """A copy of what is under `name`; None when nothing is."""
        content = self._files.read(_path(name))
        if content is None:
            return None
        # The bytes tell best whether they are the same.
        return Content(content.view, (int(digest_bytes(content.view)[:30], 16),))

    def fetch(self, names: Collection[str]) -> dict[str, bytearray]:
        """What is under `names`, as far as there is anything, asked for all at once where the protocol can do that."""
        paths = {_path(name): name for name in names}
        return {paths[path]: content for path, content in self._files.read_many(list(paths)).items()}

    def state(self, name: str, content: Content) -> object | None:  # noqa: ARG002 - what the protocol tells is enough
        """What stays equal for as long as the same object is under `name`; None where the protocol doesn't tell."""
        told = self._files.info(_path(name))
        return None if told is None else marks_of(told)

    def put(self, name: str, chunks: Sequence[bytes | memoryview]) -> None:
        """Put `chunks`, one after the other, under `name`, in place of what may be there."""
        self._files.write(_path(name), chunks)

    def contains(self, name: str) -> bool:
        """Whether anything is under `name`."""
        return self._files.info(_path(name)) is not None

    def remove(self, name: str) -> bool:
        """Remove what is under `name`; whether there was anything."""
        return self._files.remove(_path(name))

    def renew(self, name: str, before: float) -> bool:
        """Let what is under `name` count as put now, if it was put `before` that; whether there is anything."""
        path = _path(name)
        modified = self._modified(path)
        if modified is None:
            return False
        if max(modified, self._modified(_RENEWED + path) or 0.0) >= before:
            return True
        self._files.write(_RENEWED + path, [])
        until = time.monotonic() + _LEAVING_SECONDS
        while (left := self._modified(_LEAVING + path)) is not None:
            if left < time.time() - _LEAVING_SECONDS or time.monotonic() > until:
                break
            time.sleep(_PAUSE_SECONDS)
        return self.contains(name)

    def remove_old(self, name: str, before: float) -> bool:
        """Remove what is under `name`, unless it was put or renewed since `before`; whether it was removed."""
        path = _path(name)
        if not self._is_old(path, before):
            return False
        self._files.write(_LEAVING + path, [])
        try:
            if not self._is_old(path, before):
                return False
            removed = self._files.remove(path)
            self._files.remove(_RENEWED + path)
            return removed
        finally:
            self._files.remove(_LEAVING + path)

    def _is_old(self, path: str, before: float) -> bool:
        modified = self._modified(path)
        if modified is None:
            return False
        return max(modified, self._modified(_RENEWED + path) or 0.0) + _ROUNDED_SECONDS < before

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """All entries whose names begin with `prefix`, in no particular order."""
        folder = prefix.rpartition("/")[0]
        renewed = {path.removeprefix(_RENEWED): entry.modified for path, entry in self._below(_RENEWED + folder)}
        for path, entry in self._below(folder):
            if entry.name.startswith(prefix) and not path.startswith("@@"):
                yield Entry(entry.name, entry.nbytes, max(entry.modified, renewed.get(path, 0.0)))

    def _below(self, folder: str) -> Iterator[tuple[str, Entry]]:
        """All that is in `folder`, at any depth, with its path. What others have put there is passed over."""
        for path, told in self._files.find(folder.rstrip("/")).items():
            head, _, last = path.removeprefix(_RENEWED).rpartition("/")
            name = f"{head}/{last[1:]}" if head else last[1:]
            if last.startswith("@") and is_name(name):
                yield path, Entry(name, int(told.get("size") or 0), modified_of(told))

    def _modified(self, path: str) -> float | None:
        told = self._files.info(path)
        return None if told is None else modified_of(told)


def _path(name: str) -> str:
    head, slash, last = check_name(name).rpartition("/")
    return f"{head}{slash}@{last}"
