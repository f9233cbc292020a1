"""What a store holds at one moment, which record refers to what, and what nobody refers to.

A save puts the Blobs first and the record last, so a Blob that no record refers to may be garbage, or waiting for its
record. Nobody waits for anybody here:

- Who saves renews the Blobs that are there already, so that they count as put now. Where that was more than half of
  GRACE_SECONDS ago by the time the record is in its place, they are all renewed again, or put anew.
- Who collects notes the time, then looks at all records, and removes only what was put or renewed GRACE_SECONDS before
  that time. A store does so in one step (`Store.remove_old`).

So nothing that a record in the making needs is collected without being put again, and whoever is killed in between
leaves nothing but garbage.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ipycheckpoint.errors import CheckpointError, StoreError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.record.format import read_header
from ipycheckpoint.store.base import PENDING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ipycheckpoint.identity.identity import Kind
    from ipycheckpoint.record.record import Header
    from ipycheckpoint.store.base import Entry, Store

RECORDS, BLOBS, PINS, FAILURES, STAMPS, ASIDE = "records/", "blobs/", "pins/", "failures/", "stamps/", "damaged/"
"""How the names of entries begin. What `verify` moved aside keeps its name, after ``damaged/``."""

GRACE_SECONDS = 60.0
"""So old a Blob without a record must be to be taken for garbage. The clocks of machines may differ by half of it."""

ASIDE_SECONDS = 30 * 86400.0
"""So long what was moved aside stays."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a survey remembers of a record: not its whole header, since there may be very many."""

    entry: Entry
    kind: Kind
    label: str
    created: float
    """Seconds since the epoch."""
    seconds: float
    """How long the run took."""
    nbytes: int
    """Bytes of payload, Blobs included."""
    expires: float | None
    """Seconds since the epoch, after which it is no hit any more."""
    blobs: frozenset[str]
    """The names of all Blobs that it refers to."""

    @classmethod
    def of(cls, entry: Entry, header: Header) -> Kept:
        """What is worth remembering of `header`, which was found in `entry`."""
        blobs = frozenset(blobs_of(header))
        return cls(
            entry, header.kind, header.label, header.created, header.seconds, header.nbytes, header.expires, blobs
        )


@dataclass(frozen=True, slots=True)
class Survey:
    """All entries of a store, seen within a moment that began at `began`, in seconds since the epoch."""

    began: float
    records: Mapping[Key, Kept]
    unreadable: Mapping[Key, str]
    """Records whose header can't be read, and why: what they refer to can't be told."""
    others: Mapping[str, Entry]
    """Everything but records, by name."""
    nbytes: int
    """Of all entries together."""
    referred: frozenset[str] = field(default=frozenset())
    """The names of all Blobs that a record refers to, or one that was moved aside."""
    doubt: str = ""
    """Why it can't be told which Blobs are garbage."""

    @property
    def pinned(self) -> frozenset[Key]:
        """The Keys that are pinned."""
        return frozenset(Key(name.removeprefix(PINS)) for name in self.others if name.startswith(PINS))

    def is_unsent(self, name: str) -> bool:
        """Whether a shared store is still to get what is under `name`, and this may be all that there is of it."""
        return PENDING + name in self.others

    def garbage(self, grace_seconds: float | None = None) -> Iterator[Entry]:
        """What no record refers to, and is older than the grace allows. Where there is a doubt, no Blob is among it."""
        grace = GRACE_SECONDS if grace_seconds is None else grace_seconds
        for name, entry in self.others.items():
            prefix, _, rest = name.partition("/")
            prefix += "/"
            if prefix == ASIDE:
                is_garbage = entry.modified < self.began - ASIDE_SECONDS
            elif prefix == BLOBS:
                is_garbage = not self.doubt and name not in self.referred
            else:
                is_garbage = (
                    prefix in (PINS, FAILURES, STAMPS)
                    and Key(rest) not in self.records
                    and Key(rest) not in self.unreadable
                )
            if is_garbage and entry.modified < self.began - grace and not self.is_unsent(name):
                yield entry


def renewed(store: Store, blob: str) -> bool:
    """Whether there is this Blob, which is nobody's garbage then for a while. One that can't be renewed counts as gone:
    it is put again, for which a store may have another way. Raises nothing.
    """
    try:
        return store.renew(blob, time.time() - GRACE_SECONDS / 4)
    except StoreError:
        return False


def are_surely_renewed(store: Store, blobs: Sequence[str]) -> bool:
    """Whether all of `blobs` are there, and nobody's garbage for a while, where the store can tell that in short."""
    known: Callable[[Sequence[str], float], bool] | None = getattr(store, "are_surely_renewed", None)
    return known is not None and known(blobs, time.time() - GRACE_SECONDS / 4)


def blobs_of(header: Header) -> Iterator[str]:
    """The names of the Blobs that a record refers to: buffers, the Environment, texts."""
    yield BLOBS + header.environment
    for _, text in header.texts:
        yield BLOBS + text
    for section in header.sections:
        for buffer in section.buffers:
            if buffer.offset is None:
                yield BLOBS + buffer.digest


def survey(store: Store, known: dict[Key, Kept] | None = None) -> Survey:
    """Look at all of `store`. Writes nothing; raises StoreError.

    `known` is what an earlier survey has read: what has not changed since isn't read again.
    """
    began = time.time()
    records: dict[Key, Kept] = {}
    unreadable: dict[Key, str] = {}
    others: dict[str, Entry] = {}
    referred: set[str] = set()
    nbytes = 0
    known = {} if known is None else known
    for entry in store.entries():
        nbytes += entry.nbytes
        if not entry.name.startswith(RECORDS):
            others[entry.name] = entry
            if entry.name.startswith(ASIDE + RECORDS):
                header = _header(store, entry)
                referred |= set() if header is None or isinstance(header, str) else set(blobs_of(header))
            continue
        key = Key(entry.name.removeprefix(RECORDS))
        if key in known and known[key].entry == entry:
            records[key] = known[key]
        elif isinstance(header := _header(store, entry), str):
            unreadable[key] = header
        elif header is not None:
            records[key] = Kept.of(entry, header)
    for kept in records.values():
        referred |= kept.blobs
    known.clear()
    known.update(records)
    return Survey(began, records, unreadable, others, nbytes, frozenset(referred), _doubt(store, unreadable))


def collect(store: Store, seen: Survey, grace_seconds: float | None = None, *, dry_run: bool = False) -> list[Entry]:
    """Remove the garbage that `seen` tells of, and give it; with `dry_run`, only give it. Raises StoreError."""
    grace = GRACE_SECONDS if grace_seconds is None else grace_seconds
    limit = seen.began - grace
    return [entry for entry in seen.garbage(grace) if dry_run or store.remove_old(entry.name, limit)]


def _doubt(store: Store, unreadable: Mapping[Key, str]) -> str:
    from ipycheckpoint.store.damage import unsalvaged  # with sqlite3, which a decorator need not load

    path = getattr(store, "path", None)
    if path is not None and (files := unsalvaged(path, "small")):
        return f"{files[0].name} may hold more records"
    number = len(unreadable)
    return f"{number} record{'' if number == 1 else 's'} can't be read" if unreadable else ""


def _header(store: Store, entry: Entry) -> Header | str | None:
    try:
        content = store.get(entry.name)
        return None if content is None else read_header(content.view).header
    except CheckpointError as problem:
        return str(problem)
