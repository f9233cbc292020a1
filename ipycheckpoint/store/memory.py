"""A Store in the memory of this process: for tests, and for caches that need not outlive the kernel."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from ipycheckpoint.store.base import Content, Entry, check_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class _Value(NamedTuple):
    data: bytes
    version: int
    modified: float


class MemoryStore:
    """Bytes under names, gone with the process.

    >>> store = MemoryStore()
    >>> store.put("blobs/5f", [b"abc"])
    >>> bytes(store.get("blobs/5f").view)
    b'abc'
    """

    def __init__(self) -> None:
        # Each method makes one step on the dict, which is atomic: no lock that a fork could leave taken.
        self._values: dict[str, _Value] = {}
        self._versions = count()

    @property
    def location(self) -> str:
        """Where the bytes live: ``memory``."""
        return "memory"

    def get(self, name: str) -> Content | None:
        """A copy of what is under `name`; None when nothing is."""
        value = self._values.get(check_name(name))
        return None if value is None else Content(memoryview(bytearray(value.data)), (value.version,))

    def state(self, name: str, content: Content) -> object | None:
        """What stays equal for as long as `content` is under `name`."""
        value = self._values.get(name)
        return value.version if value is not None and content.stamp == (value.version,) else None

    def put(self, name: str, chunks: Sequence[bytes | memoryview]) -> None:
        """Put `chunks`, one after the other, under `name`, in place of what may be there."""
        self._values[check_name(name)] = _Value(b"".join(chunks), next(self._versions), time.time())

    def contains(self, name: str) -> bool:
        """Whether anything is under `name`."""
        return check_name(name) in self._values

    def remove(self, name: str) -> bool:
        """Remove what is under `name`; whether there was anything."""
        return self._values.pop(check_name(name), None) is not None

    def renew(self, name: str, before: float) -> bool:
        """Let what is under `name` count as put now, if it was put `before` that; whether there is anything."""
        value = self._values.get(check_name(name))
        if value is not None and value.modified < before:
            self._values[name] = value._replace(modified=time.time())
        return value is not None

    def remove_old(self, name: str, before: float) -> bool:
        """Remove what is under `name`, unless it was put or renewed since `before`; whether it was removed."""
        value = self._values.get(check_name(name))
        return value is not None and value.modified < before and self.remove(name)

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """All entries whose names begin with `prefix`."""
        for name, value in list(self._values.items()):
            if name.startswith(prefix):
                yield Entry(name, len(value.data), value.modified)
