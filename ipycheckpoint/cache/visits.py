"""When the members of a group last used which records of a shared store: a hit near one of them is seen by nobody else.

Each member has one entry there, and puts it anew about once a day, when a process ends that had hits. It says nothing
but Keys, times and counts; who prunes the shared store counts a record as used then.
"""

from __future__ import annotations

import platform
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.identity.identity import Key

if TYPE_CHECKING:
    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.store.base import Store
    from ipycheckpoint.store.tiers import SharedStore

VISITS = "visits/"
"""How the names of these entries begin."""

EVERY_SECONDS = 20 * 3600.0
"""So often at most a member tells what it has used."""

_MOST = 2000  # records that a member tells of, those used last


class Use(NamedTuple):
    """What all members together have used a record for."""

    last: float
    """Seconds since the epoch."""
    hits: int


class Visits:
    """Tells `shared` what is used in `near`, the cache in front of it."""

    def __init__(self, near: Cache, shared: Store) -> None:
        self._near, self._shared = near, shared
        self._name = VISITS + digest_bytes(f"{platform.node()}\n{near.location}".encode())[:32]

    def tell(self) -> None:
        """Tell it, if it is time for that. Raises nothing: who may not write there is not heard, and that is all."""
        with suppress(CheckpointError):
            told = [entry.modified for entry in self._near.store.entries(self._name)]
            if told and told[0] > time.time() - EVERY_SECONDS:
                return
            rows = self._near.catalogue.rows(order="last_used", limit=_MOST)
            lines = [f"{row.key} {row.last_used:.0f} {row.hits}\n".encode() for row in rows if row.hits]
            if lines:
                # First here: whoever can't reach the shared store doesn't try that at the end of every process.
                self._near.store.put(self._name, lines)
                self._shared.put(self._name, lines)


def uses(store: SharedStore) -> dict[Key, Use]:
    """What the members that share `store` have used, as far as they have told. Writes nothing; raises StoreError."""
    found: dict[Key, Use] = {}
    for content in store.fetch([entry.name for entry in store.entries(VISITS)]).values():
        for line in bytes(content).decode("ascii", "replace").splitlines():
            key, last, hits = (*line.split(" "), "", "")[:3]
            if last.isdigit() and hits.isdigit():
                before = found.get(Key(key), Use(0.0, 0))
                # A clock that is fast must not keep a record for ever.
                last_used = min(float(last), time.time())
                found[Key(key)] = Use(max(before.last, last_used), before.hits + int(hits[:9]))
    return found
