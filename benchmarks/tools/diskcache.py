"""diskcache.Cache.memoize; the bound on its size, 1 GB unless told otherwise, is lifted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.tools.scripted import Scripted

if TYPE_CHECKING:
    from pathlib import Path


def listing(_: Any, directory: Path) -> int:
    from diskcache import Cache

    with Cache(directory) as cache:
        return sum(1 for _ in cache)


TOOL = Scripted(
    "diskcache",
    "from diskcache import Cache\ndecorate = Cache(DIRECTORY, size_limit=1 << 40).memoize()",
    listing,
)
