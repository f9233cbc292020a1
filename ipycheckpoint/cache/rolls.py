"""The rolls of a shared store: the first lines of its records, many in one entry, so that a listing opens few.

Whoever has sent records writes a roll of them at the end, or when there are many; whoever prunes the store makes few
rolls of many small ones. A roll promises nothing: names are taken from the store itself, each line has the signature of
its record, and a record that is on no roll is opened.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from ipycheckpoint.cache.failures import open_failures
from ipycheckpoint.cache.garbage import PINS, RECORDS
from ipycheckpoint.cache.listing import STRANGER, Listed
from ipycheckpoint.cache.visits import uses
from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.record.format import read_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ipycheckpoint.record.format import Stored
    from ipycheckpoint.record.trust import Keyring
    from ipycheckpoint.store.base import Entry
    from ipycheckpoint.store.tiers import SharedStore

ROLLS = "rolls/"
"""How the names of these entries begin."""

_MOST_LINES = 500  # before a roll is written
_BATCH = 64
_MANY = 16  # small rolls, before they are merged
_FULL_NBYTES = 4 << 20  # of a merged roll: some thousand lines


class Roll:
    """Notes what has been sent to `store`."""

    def __init__(self, store: SharedStore) -> None:
        self._store = store
        self._lines: list[bytes] = []

    def note(self, name: str, view: memoryview) -> None:
        """The entry `name` has been sent."""
        if name.startswith(RECORDS) and (line := _first_line(view)):
            self._lines.append(line)
            if len(self._lines) >= _MOST_LINES:
                self.write()

    def write(self) -> None:
        """Write down what was noted. Raises nothing: a roll is a convenience."""
        lines, self._lines = self._lines, []
        if lines:
            with suppress(CheckpointError):
                _put(self._store, lines)


def merge(store: SharedStore) -> int:
    """Make few rolls of many small ones, without what is gone; how many went into others. Raises StoreError.

    The new one comes before the old ones go: a listing at that moment finds a line twice, or opens its record.
    """
    small = [entry for entry in store.entries(ROLLS) if entry.nbytes < _FULL_NBYTES / 2]
    if len(small) < _MANY:
        return 0
    keys = frozenset(Key(entry.name.removeprefix(RECORDS)) for entry in store.entries(RECORDS))
    group: list[Entry] = []
    for entry in sorted(small, key=lambda entry: entry.modified):
        group.append(entry)
        if sum(one.nbytes for one in group) >= _FULL_NBYTES:
            _merge(store, group, keys)
            group = []
    _merge(store, group, keys)
    return len(small)


def _merge(store: SharedStore, group: Sequence[Entry], keys: frozenset[Key]) -> None:
    lines: dict[Key, bytes] = {}
    for content in store.fetch([entry.name for entry in group]).values():
        lines |= {key: bytes(line) for line in content.splitlines(True) for key in _read(line) if key in keys}
    if lines:
        _put(store, list(lines.values()))
    for entry in group:
        store.remove(entry.name)


def called(store: SharedStore, keyring: Keyring) -> Iterator[Listed]:
    """All records of `store` that can be read, in no particular order, for the catalogue. Writes nothing.

    Raises StoreError.
    """
    keys = [Key(entry.name.removeprefix(RECORDS)) for entry in store.entries(RECORDS)]
    found: dict[Key, Stored] = {}
    for key, stored in _on_rolls(store, frozenset(keys)):
        if key not in found or found[key].header.created <= stored.header.created:
            found[key] = stored
    missing = [key for key in keys if key not in found]
    for start in range(0, len(missing), _BATCH):
        for content in store.fetch([RECORDS + key for key in missing[start : start + _BATCH]]).values():
            found |= _read(content)
    pins = {entry.name.removeprefix(PINS) for entry in store.entries(PINS)}
    failures, used = open_failures(store), uses(store)
    for key, stored in found.items():
        last, hits = used.get(key, (0.0, 0))
        yield Listed(stored.header, signer_of(stored, keyring), key in pins, failures.get(key, ""), hits, last)


def _put(store: SharedStore, lines: list[bytes]) -> None:
    store.put(ROLLS + os.urandom(16).hex(), lines)


def signer_of(stored: Stored, keyring: Keyring) -> str:
    """Who has signed it, of those whom we accept."""
    signature = stored.signature
    return signature.signer if signature is not None and keyring.verify(stored.signed, signature) else STRANGER


def _on_rolls(store: SharedStore, keys: frozenset[Key]) -> Iterator[tuple[Key, Stored]]:
    """The records that rolls tell of, as far as they are there; of a Key that was kept anew, older ones as well."""
    for content in store.fetch([entry.name for entry in store.entries(ROLLS)]).values():
        for line in content.splitlines(keepends=True):
            for key, stored in _read(line).items():
                if key in keys:
                    yield key, stored


def _read(content: bytes | bytearray) -> dict[Key, Stored]:
    try:
        stored = read_header(memoryview(content))
    except CheckpointError:
        return {}
    return {stored.header.key: stored}


def _first_line(view: memoryview) -> bytes:
    step = 1 << 16
    for start in range(0, view.nbytes, step):
        if (end := bytes(view[start : start + step]).find(b"\n")) >= 0:
            return bytes(view[: start + end + 1])
    return b""
