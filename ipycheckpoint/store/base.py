"""What a Store is: bytes under names. It knows nothing of Python objects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from ipycheckpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Write = Literal["behind", "through"]
"""When what is put is in a shared store: some time later, or at once."""

PENDING = "pending/"
"""How the names begin of entries that say what a shared store doesn't have yet."""

_NAME = re.compile(r"(?!\.+(?:/|\Z))[A-Za-z0-9_=%.+-]{1,200}(?:/(?!\.+(?:/|\Z))[A-Za-z0-9_=%.+-]{1,200})*\Z")


class Content(NamedTuple):
    """The bytes that were found under a name."""

    view: memoryview
    """Private and writable (a copy, or a copy-on-write map of the file): changing it changes no one else's."""
    stamp: tuple[int, ...] | None
    """Equal stamps of one name mean that the bytes have not changed since; None where the store can't tell."""


class Entry(NamedTuple):
    """One row of a listing."""

    name: str
    nbytes: int
    modified: float
    """Seconds since the epoch."""


class Store(Protocol):
    """Bytes under names such as ``records/5f2c…``: each is there whole or not at all.

    Every method may raise `StoreError`, and `UsageError` for a name that `check_name` refuses. All are safe to call
    from several threads and processes. Two names that differ by case only are one name to some file systems.
    """

    @property
    def location(self) -> str:
        """Where the bytes live, as a user would write it."""
        ...

    def get(self, name: str) -> Content | None:
        """What is under `name`; None when nothing is. Writes nothing."""
        ...

    def state(self, name: str, content: Content) -> object | None:
        """What stays equal from when `content` was found under `name` for as long as it is there; None where it isn't.

        Quicker than `get`. It may change with other entries, too. Writes nothing.
        """
        ...

    def put(self, name: str, chunks: Sequence[bytes | memoryview]) -> None:
        """Put `chunks`, C-contiguous each, one after the other, under `name`, in place of what may be there.

        When it fails, what was there before is there still, whole.
        """
        ...

    def contains(self, name: str) -> bool:
        """Whether anything is under `name`. Writes nothing."""
        ...

    def remove(self, name: str) -> bool:
        """Remove what is under `name`; whether there was anything."""
        ...

    def renew(self, name: str, before: float) -> bool:
        """Let what is under `name` count as put now, if it was put `before` that, in seconds since the epoch.

        Whether there is anything.
        """
        ...

    def remove_old(self, name: str, before: float) -> bool:
        """Remove what is under `name`, unless it was put or renewed since `before`; whether it was removed.

        What somebody renews at this very moment is there still, or has told them that it isn't.
        """
        ...

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """All entries whose names begin with `prefix`, in no particular order. Writes nothing."""
        ...


def is_url(place: object) -> bool:
    """Whether `place` is a URL, and not a path.

    >>> is_url("s3://team/cache"), is_url("/team/cache")
    (True, False)
    """
    return isinstance(place, str) and "://" in place


def is_name(name: str) -> bool:
    """Whether `name` is safe inside any store."""
    return _NAME.match(name) is not None


def check_name(name: str) -> str:
    """Return `name` if it is safe inside any store; UsageError otherwise.

    >>> check_name("records/5f2c")
    'records/5f2c'
    """
    if not is_name(name):
        raise UsageError(f"{name!r} can't name an entry of a store: segments of letters, digits and _=%.+- only")
    return name
