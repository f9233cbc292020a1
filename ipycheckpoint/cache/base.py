"""What a cache is: to the engine, `Records`; to those who write one, `CacheBase`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

from ipycheckpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ipycheckpoint.cache.cache import Draft, Found, Spoiled
    from ipycheckpoint.cache.listing import Row
    from ipycheckpoint.identity.identity import Identity, Key, Kind
    from ipycheckpoint.record.failure import LoadFailure
    from ipycheckpoint.record.record import Header

ContextId = TypeVar("ContextId")
"""What an identifier makes of a call, and a cache keeps its result under."""

ReturnValue = TypeVar("ReturnValue")
"""What a function returns, and a cache keeps."""


class Records(Protocol):
    """What the engine needs of a cache. Ours is one; the adapter around a user's is another.

    Any method may raise `CheckpointError`: the work is done all the same.
    """

    @property
    def directory(self) -> Path | None:
        """The directory that is its own, if it has one."""
        ...

    @property
    def location(self) -> str:
        """Where it is, for people."""
        ...

    @property
    def is_plain(self) -> bool:
        """Whether the very result is handed to it, and not its bytes: then no state can be kept beside that."""
        ...

    def find(self, key: Key) -> Found | Spoiled | None:
        """What is kept; nothing of ours is unpickled, nothing written."""
        ...

    def load(
        self,
        found: Found,
        *,
        resolve: Callable[[tuple[object, ...]], object] | None = None,
        namespace: dict[str, Any] | None = None,
    ) -> dict[str, object] | LoadFailure:
        """The values of all outputs that are kept, by name; or the first failure."""
        ...

    def fail(self, key: Key, failure: LoadFailure) -> None:
        """Note that what is kept could not be loaded, and why, if there is a place for that."""
        ...

    def save(self, draft: Draft) -> Header:
        """Keep `draft`, whole or not at all."""
        ...

    def tape(self, found: Found) -> bytes:
        """What the user saw of the run."""
        ...

    def nearest(self, identity: Identity, before: float | None = None) -> Header | None:
        """The earlier record of the same label and kind that is most like `identity`, as far as that is known.

        `before`, in seconds since the epoch, leaves out what was made later.
        """
        ...

    def count_hit(self, header: Header, seconds: float) -> None:
        """Count a restore that took `seconds`."""
        ...

    def header(self, key: Key) -> Header | None:
        """What is known of a record without loading it."""
        ...

    def rows(self) -> list[Row]:
        """A row for each record that it knows of."""
        ...

    def forget(self, key: Key) -> bool:
        """Forget a record; whether there was one."""
        ...

    def forget_label(self, label: str, kind: Kind | None = None) -> int:
        """Forget all records of `label`; how many there were."""
        ...


class CacheBase(ABC, Generic[ContextId, ReturnValue]):
    """A cache of your own: what `save` was given under a ContextId, `retrieve` gives back.

    For a function that is its result; for a cell, or where `keeps_records` is set, it is the bytes of a record, which
    is signed: nothing in it is loaded unless the signature is good.

    >>> from ipycheckpoint.errors import CheckpointNotExist
    >>> class DictCache(CacheBase):
    ...     def __init__(self):
    ...         self.results = {}
    ...
    ...     def save(self, context_id, result):
    ...         self.results[context_id] = result
    ...
    ...     def retrieve(self, context_id):
    ...         if context_id not in self.results:
    ...             raise CheckpointNotExist
    ...         return self.results[context_id]
    >>> cache = DictCache()
    >>> cache.save("a", 1)
    >>> cache.retrieve("a")
    1
    """

    keeps_records: ClassVar[bool] = False
    """Whether results of functions come as the bytes of a signed record, too. Then all that a record tells is kept
    with them: files that the function read, what it changed in place, when they expire."""

    def __deepcopy__(self, memo: object) -> Self:
        # It is a place. `%config` copies what it is given, and would have another one.
        return self

    @abstractmethod
    def save(self, context_id: ContextId, result: ReturnValue) -> None:
        """Keep `result` under `context_id`, in place of what may be there."""

    @abstractmethod
    def retrieve(self, context_id: ContextId) -> ReturnValue:
        """What is kept under `context_id`. Raises CheckpointNotExist where nothing is."""

    def forget(self, context_id: ContextId) -> bool:
        """Forget what is kept under `context_id`; whether there was anything. Yours to write."""
        raise UsageError(f"{type(self).__name__} can't forget {context_id!r}: give it a method forget(context_id)")

    def catalogue(self) -> Iterable[ContextId]:
        """The ContextIds of all that is kept, for listings. Yours to write."""
        return ()

    def synchronize_with(self, lock: AbstractContextManager[Any]) -> SynchronizedCache[ContextId, ReturnValue]:
        """This cache, each of its methods under `lock`: any that works in a ``with`` statement."""
        return SynchronizedCache(self, lock)


class SynchronizedCache(CacheBase[ContextId, ReturnValue]):
    """`cache`, to which one at a time has access: who holds `lock`, be it of threads or of processes."""

    def __init__(self, cache: CacheBase[ContextId, ReturnValue], lock: AbstractContextManager[Any]) -> None:
        self._cache = cache
        self._lock = lock
        self.keeps_records = cache.keeps_records  # type: ignore[misc]  # a class says it for all its instances

    def save(self, context_id: ContextId, result: ReturnValue) -> None:
        """Keep `result` under `context_id`."""
        with self._lock:
            self._cache.save(context_id, result)

    def retrieve(self, context_id: ContextId) -> ReturnValue:
        """What is kept under `context_id`. Raises CheckpointNotExist where nothing is."""
        with self._lock:
            return self._cache.retrieve(context_id)

    def forget(self, context_id: ContextId) -> bool:
        """Forget what is kept under `context_id`; whether there was anything."""
        with self._lock:
            return self._cache.forget(context_id)

    def catalogue(self) -> list[ContextId]:
        """The ContextIds of all that is kept."""
        with self._lock:
            return list(self._cache.catalogue())
