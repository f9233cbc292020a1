"""Have what is kept here arrive in the shared store before going on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipycheckpoint import workspace

if TYPE_CHECKING:
    import os

    from ipycheckpoint.cache.cache import Cache


def flush(store: str | os.PathLike[str] | Cache | None = None, seconds: float | None = None) -> int:
    """Wait until a shared store has all that is kept here; how many entries are left to be sent.

    Args:
        store: Which one, as ``@checkpoint(store=…)`` takes it; the current cache's unless given.
        seconds: How long to wait at most; as long as it takes unless given. 0 only asks.

    Where the cache is no shared one, nothing is left.

    >>> import tempfile
    >>> flush(tempfile.mkdtemp())
    0
    """
    return workspace.current().cache(store).flush(seconds)
