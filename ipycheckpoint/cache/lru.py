"""A cache in the memory of this process that keeps the results that were used last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.cache.base import CacheBase
from ipycheckpoint.errors import CheckpointNotExist, Unidentifiable, UsageError
from ipycheckpoint.identity.values import digest_value

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ipycheckpoint.digest import Digest


class _Kept(NamedTuple):
    result: Any
    digest: Digest | None
    """What it was when it was kept; None for what has no stable identity."""


class InMemoryLRUCache(CacheBase[Any, Any]):
    """Up to `maxsize` results, as they are; without a number, all of them. The least recently used one goes first.

    What is retrieved is the very object that was saved. One that was changed in place since is kept no more.

    >>> cache = InMemoryLRUCache(maxsize=1)
    >>> cache.save("a", [1])
    >>> cache.retrieve("a") is cache.retrieve("a")
    True
    >>> cache.save("b", [2])
    >>> list(cache.catalogue())
    ['b']
    """

    def __init__(self, maxsize: int | None = None) -> None:
        if maxsize is not None and (maxsize < 1):
            raise UsageError(f"maxsize is {maxsize!r}; a number of results is needed, or None for all of them")
        self._maxsize = maxsize
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def save(self, context_id: Hashable, result: object) -> None:
        """Keep `result`, and let go of the least recently used one where there are too many."""
        kept = _Kept(result, _digest(result))
        with self._lock:
            self._kept[context_id] = kept
            self._kept.move_to_end(context_id)
            if self._maxsize is not None and len(self._kept) > self._maxsize:
                self._kept.popitem(last=False)

    def retrieve(self, context_id: Hashable) -> Any:
        """The result; CheckpointNotExist where there is none, or where it was changed in place since."""
        with self._lock:
            kept = self._kept.get(context_id)
            if kept is None:
                raise CheckpointNotExist(f"there is no result under {context_id!r}")
            self._kept.move_to_end(context_id)
        if _digest(kept.result) != kept.digest:
            self.forget(context_id)
            raise CheckpointNotExist(f"the result under {context_id!r} has been changed in place since it was kept")
        return kept.result

    def forget(self, context_id: Hashable) -> bool:
        """Forget a result; whether there was one."""
        with self._lock:
            return self._kept.pop(context_id, None) is not None

    def catalogue(self) -> list[Any]:
        """The ContextIds, the least recently used one first."""
        with self._lock:
            return list(self._kept)

    def __reduce__(self) -> Any:
        # Another process has a memory of its own.
        return type(self), (self._maxsize,)


def _digest(result: object) -> Digest | None:
    try:
        return digest_value(result)
    except Unidentifiable:
        return None
