"""Prune: remove the records that are least worth their place, and the garbage that they leave.

What a record is `worth` is what it saves: the seconds of its run, once for its making and once for each hit, by the
bytes that it takes, halved for each week since it was last used. Under a limit of size, the least worth go first.

Never removed are records that are pinned, savepoints, those that a shared store is still to get, and those that
somebody made or used in the last half minute: who waits for a run that has just ended, in whatever process, finds its
result. That is why no lock is needed. A record whose work is being done again goes only if it is old, and the new one
takes its place; one that is being loaded was looked up, and what is open stays readable after it is removed.

Each step leaves a whole store: first the record goes, then what was noted beside it, then Blobs that nobody else has,
and that nobody has put or renewed for a minute (see `garbage`): the youngest go with the next prune. In a store that is
read from afar, a Blob counts as renewed when its last record goes: who has found the record has the time to read it.
"""

from __future__ import annotations

import math
import threading
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from ipycheckpoint.cache.garbage import FAILURES, PINS, STAMPS, collect, survey
from ipycheckpoint.errors import CheckpointError, CheckpointWarning

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.cache.garbage import Kept, Survey
    from ipycheckpoint.cache.listing import Row
    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.store.base import Entry
    from ipycheckpoint.store.tiers import SharedStore

YOUNG_SECONDS = 30.0
"""So long nothing is pruned that was made or used."""

HALF_LIFE_SECONDS = 7 * 86400.0
"""After that time without a use a record is worth half as much."""

_ENTRY_NBYTES = 4096  # what a record costs at least, so that an empty one isn't worth the world


@dataclass(frozen=True, slots=True)
class Limits:
    """What may stay. None is no limit."""

    max_bytes: int | None = None
    """Of all entries of the store together."""
    older_than: float | None = None
    """Seconds since a record was last used."""
    keep_versions: int | None = None
    """How many records of one label and kind stay, the newest ones."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A record that was removed, or would be, and why."""

    key: Key
    label: str
    nbytes: int
    """Its payload, with what it shares."""
    reason: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or would be."""

    removals: tuple[Removal, ...]
    garbage: tuple[Entry, ...]
    """What no record referred to."""
    nbytes_before: int
    nbytes_after: int
    spared: dict[str, int] = field(default_factory=dict)
    """How many records stayed for another reason than their worth, by that reason."""
    notes: tuple[str, ...] = ()


def worth(seconds: float, hits: int, nbytes: int, idle_seconds: float) -> float:
    """What a record saves, in seconds a byte.

    >>> worth(60, 0, 1_000_000, 0) > worth(60, 0, 2_000_000, 0)
    True
    >>> worth(60, 1, 1_000_000, HALF_LIFE_SECONDS) == worth(60, 0, 1_000_000, 0)
    True
    """
    return (1 + hits) * seconds / (nbytes + _ENTRY_NBYTES) * math.exp2(-max(idle_seconds, 0.0) / HALF_LIFE_SECONDS)


def prune(
    cache: Cache,
    limits: Limits,
    *,
    dry_run: bool = False,
    grace_seconds: float | None = None,
    young_seconds: float = YOUNG_SECONDS,
    known: dict[Key, Kept] | None = None,
) -> Pruned:
    """Remove what is beyond `limits`, what has expired, and garbage. Raises StoreError.

    `known` is what an earlier survey of this store has read.
    """
    known = {} if known is None else known
    seen = survey(cache.store, known)
    plan = _Plan(cache, seen, young_seconds)
    plan.choose(limits)
    if dry_run:
        removed = plan.removals
        gone = {removal.key for removal in removed}
        garbage = [*seen.garbage(grace_seconds), *_only_of(seen, gone).values()]
    else:
        leaving = _only_of(seen, {removal.key for removal in plan.removals})
        removed = [r for r in plan.removals if _remove(cache, seen, r.key, young_seconds, leaving)]
        gone = {removal.key for removal in removed}
        # Somebody may have come to need what was theirs, so we look again.
        now = survey(cache.store, known) if gone else seen
        garbage = collect(cache.store, now, grace_seconds)
        cache.catalogue.flush()
        if hasattr(cache.store, "fetch"):  # one that others list, too
            from ipycheckpoint.cache.rolls import merge

            merge(cast("SharedStore", cache.store))
        if gone and (compact := getattr(cache.store, "compact", None)) is not None:
            compact()
    beside = [prefix + key for key in gone for prefix in (PINS, FAILURES, STAMPS)]
    freed = sum(seen.records[key].entry.nbytes for key in gone) + sum(entry.nbytes for entry in garbage)
    freed += sum(seen.others[name].nbytes for name in beside if name in seen.others)
    left = seen.nbytes - freed
    notes = tuple(_notes(seen, limits, left))
    return Pruned(tuple(removed), tuple(garbage), seen.nbytes, left, plan.spared, notes)


def _remove(cache: Cache, seen: Survey, key: Key, young_seconds: float, leaving: Collection[str]) -> bool:
    if cache.store.contains(PINS + key):
        return False  # since we looked
    if getattr(cache.store, "is_read_from_afar", False):
        # Whoever has found the record a moment ago reads these now: they count as put now, and go with a later prune.
        for blob in seen.records[key].blobs.intersection(leaving):
            cache.store.renew(blob, time.time())
    # Unless it was made anew since.
    return cache.forget_old(key, seen.began - young_seconds)


def _only_of(seen: Survey, keys: set[Key]) -> dict[str, Entry]:
    """The Blobs that only the records `keys` refer to, as far as that can be told."""
    if seen.doubt or not keys:
        return {}
    theirs = {blob for key in keys for blob in seen.records[key].blobs}
    others = {blob for key, kept in seen.records.items() if key not in keys for blob in kept.blobs}
    aside = seen.referred - {blob for kept in seen.records.values() for blob in kept.blobs}
    return {name: seen.others[name] for name in theirs - others - aside if name in seen.others}


def _notes(seen: Survey, limits: Limits, left: int) -> Iterator[str]:
    if seen.doubt:
        yield f"{seen.doubt}, so no blob was taken for garbage; `ipycheckpoint verify` tells more"
    if limits.max_bytes is not None and left > limits.max_bytes:
        stays = "is pinned, was kept just now, or is not sent yet"
        yield f"{left:,} bytes are left, more than {limits.max_bytes:,}: the rest {stays}"


class _Plan:
    """Chooses what goes."""

    def __init__(self, cache: Cache, seen: Survey, young_seconds: float) -> None:
        self._seen = seen
        self._rows = {row.key: row for row in cache.catalogue.rows()}
        self._last = {key: self._last_use(key, kept) for key, kept in seen.records.items()}
        self.removals: list[Removal] = []
        self.spared: dict[str, int] = {}
        self._left: dict[Key, Kept] = {}
        for key, kept in seen.records.items():
            reason = self._reason_to_stay(key, kept, young_seconds)
            if reason is None:
                self._left[key] = kept
            else:
                self.spared[reason] = self.spared.get(reason, 0) + 1

    def _last_use(self, key: Key, kept: Kept) -> float:
        row = self._rows.get(key)
        return max(kept.created, 0.0 if row is None else row.last_used)

    def _reason_to_stay(self, key: Key, kept: Kept, young_seconds: float) -> str | None:
        if key in self._seen.pinned:
            return "pinned"
        if kept.kind == "savepoint":
            return "a savepoint"
        if self._seen.is_unsent(kept.entry.name):
            return "not sent yet"
        if max(self._last[key], kept.entry.modified) > self._seen.began - young_seconds:
            return "in use"
        return None

    def choose(self, limits: Limits) -> None:
        """Find what goes: what has expired, what is old, what has newer versions, and then what is least worth."""
        now = self._seen.began
        self._take("expired", [key for key, kept in self._left.items() if kept.expires and kept.expires <= now])
        if limits.older_than is not None:
            limit = now - limits.older_than
            self._take("not used for long", [key for key in self._left if self._last[key] < limit])
        if limits.keep_versions is not None:
            newest = self._newest(limits.keep_versions)
            self._take("there are newer versions", [key for key in self._left if key not in newest])
        if limits.max_bytes is not None:
            self._shrink(limits.max_bytes)

    def _take(self, reason: str, keys: Iterable[Key]) -> None:
        for key in keys:
            kept = self._left.pop(key)
            self.removals.append(Removal(key, kept.label, kept.nbytes, reason))

    def _newest(self, number: int) -> set[Key]:
        versions: dict[tuple[str, str], list[Key]] = {}
        records = self._seen.records
        for key in sorted(records, key=lambda key: records[key].created, reverse=True):
            versions.setdefault((records[key].kind, records[key].label), []).append(key)
        return {key for keys in versions.values() for key in keys[:number]}

    def _shrink(self, max_bytes: int) -> None:
        """Take the least worth until the rest fits. A Blob goes with the last record that refers to it."""
        sharers: dict[str, int] = {}
        gone = {removal.key for removal in self.removals}
        for key, kept in self._seen.records.items():
            for blob in () if key in gone else kept.blobs:
                sharers[blob] = sharers.get(blob, 0) + 1
        freed = {entry.name: entry.nbytes for entry in self._seen.garbage()}
        freed |= {name: entry.nbytes for name, entry in _only_of(self._seen, gone).items()}
        nbytes = self._seen.nbytes - sum(freed.values())
        nbytes -= sum(self._seen.records[key].entry.nbytes for key in gone)
        for key in sorted(self._left, key=self._worth):
            if nbytes <= max_bytes:
                break
            kept = self._left[key]
            self._take("worth the least for its size", [key])
            nbytes -= kept.entry.nbytes
            for blob in kept.blobs:
                sharers[blob] -= 1
                if not sharers[blob] and blob in self._seen.others and not self._seen.doubt:
                    nbytes -= self._seen.others[blob].nbytes

    def _worth(self, key: Key) -> float:
        kept, row = self._left[key], self._rows.get(key)
        return worth(
            max(kept.seconds - _restored(row), 0.0),
            0 if row is None else row.hits,
            kept.nbytes,
            self._seen.began - self._last[key],
        )


def _restored(row: Row | None) -> float:
    return 0.0 if row is None else row.restored or 0.0


class Room:
    """How much may still be kept before the size of a store is to be looked at again."""

    def __init__(self) -> None:
        self._nbytes = 0.0
        self._limit: int | None = None
        self._known: dict[Key, Kept] = {}
        self._lock = threading.Lock()

    def take(self, cache: Cache, max_bytes: int, nbytes: int) -> None:
        """`nbytes` were kept in `cache`: prune it, if it may be larger than `max_bytes` by now.

        To walk through a store takes long, so that is done when half of the room that was left, or a twentieth of all,
        has been used up; then there is as much room again. Raises nothing.
        """
        if self._limit != max_bytes:
            self._limit, self._nbytes = max_bytes, 0.0
        self._nbytes -= nbytes
        if self._nbytes >= 0 or not self._lock.acquire(blocking=False):
            return
        try:
            left = sum(entry.nbytes for entry in cache.store.entries())
            if left > max_bytes:
                left = prune(cache, Limits(int(0.9 * max_bytes)), known=self._known).nbytes_after
        except CheckpointError as problem:
            left = max_bytes
            warnings.warn(f"{cache.location} can't be pruned: {problem}", CheckpointWarning, stacklevel=4)
        finally:
            self._lock.release()
        self._nbytes = max((max_bytes - left) / 2, max_bytes / 20)
