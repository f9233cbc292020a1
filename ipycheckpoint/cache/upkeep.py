"""Looking after the Records of a store: which are pinned, whom they come from, whether they are whole.

A pin is an entry of the store beside the record, so that it outlives the catalogue.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ipycheckpoint.cache.failures import open_failures
from ipycheckpoint.cache.listing import STRANGER, Listed
from ipycheckpoint.errors import CheckpointError, FormatError, IntegrityError, StoreError, UsageError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.record.format import Stored, read_header, read_section, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipycheckpoint.cache.catalogue import Catalogue
    from ipycheckpoint.digest import Digest
    from ipycheckpoint.record.record import Header
    from ipycheckpoint.record.trust import Keyring
    from ipycheckpoint.store.base import Store

_RECORDS, _PINS, _BLOBS = "records/", "pins/", "blobs/"


def listed(store: Store, keyring: Keyring) -> Iterator[Listed]:
    """All records of `store` that can be read, in no particular order, for the catalogue. Writes nothing."""
    failures = open_failures(store)
    pins = {entry.name.removeprefix(_PINS) for entry in store.entries(_PINS)}
    for entry in store.entries(_RECORDS):
        key = Key(entry.name.removeprefix(_RECORDS))
        with suppress(CheckpointError):
            content = store.get(entry.name)
            if content is not None:
                stored = read_header(content.view)
                yield Listed(stored.header, _signer(stored, keyring), key in pins, failures.get(key, ""))


class Upkeep:
    """What can be done to the records of a Cache besides saving and loading them.

    >>> from ipycheckpoint.cache.cache import Cache
    >>> import tempfile
    >>> cache = Cache.at(tempfile.mkdtemp())
    >>> cache.upkeep.pinned()
    frozenset()
    >>> cache.close()
    """

    def __init__(self, store: Store, catalogue: Catalogue, keyring: Keyring) -> None:
        self._store, self._catalogue, self._keyring = store, catalogue, keyring

    def pin(self, key: Key) -> None:
        """Keep the record under `key` whatever is pruned. Raises UsageError when there is none."""
        if not self._store.contains(_RECORDS + key):
            raise UsageError(f"there is no record under {key[:12]}… to pin")
        self._store.put(_PINS + key, [b"pinned"])
        self._catalogue.pin(key, True)

    def unpin(self, key: Key) -> bool:
        """Let the record under `key` be pruned again; whether it was pinned."""
        removed = self._store.remove(_PINS + key)
        self._catalogue.pin(key, False)
        return removed

    def pinned(self) -> frozenset[Key]:
        """The Keys of all records that are pinned. Writes nothing."""
        return frozenset(Key(entry.name.removeprefix(_PINS)) for entry in self._store.entries(_PINS))

    def is_trusted(self, key: Key) -> bool:
        """Whether the record under `key` is signed by someone whom we accept. Writes nothing."""
        stored = self._read(key)
        return stored is not None and _signer(stored, self._keyring) != STRANGER

    def trust(self, key: Key) -> Header:
        """Sign the record under `key` ourselves, so that it is loaded from now on; the caller vouches for it.

        Raises UsageError when there is none, and when it isn't whole, and StoreError.
        """
        stored = self._read(key)
        if stored is None:
            raise UsageError(f"there is no record under {key[:12]}… to trust")
        problems = self._damages(key, stored)
        if problems:
            raise UsageError(f"{stored.header.label} can't be trusted: {'; '.join(problems)}")
        self._store.put(_RECORDS + key, write(stored.header, [bytes(stored.payload)], self._keyring.sign))
        is_pinned = self._store.contains(_PINS + key)
        self._catalogue.trust(Listed(stored.header, self._keyring.signer, is_pinned))
        return stored.header

    def untrust(self, key: Key) -> Header:
        """Take the signature from the record under `key`, so that it isn't loaded any more; it is still listed.

        Raises UsageError when there is none.
        """
        stored = self._read(key)
        if stored is None:
            raise UsageError(f"there is no record under {key[:12]}…")
        self._store.put(_RECORDS + key, write(stored.header, [bytes(stored.payload)]))
        self._catalogue.trust(Listed(stored.header, STRANGER, self._store.contains(_PINS + key)))
        return stored.header

    def verify(self, key: Key) -> list[str]:
        """What is wrong with the record under `key`, in words; nothing when it is whole, and signed by us.

        Every byte is read; nothing is unpickled, nothing written.
        """
        try:
            stored = self._read(key)
        except CheckpointError as problem:
            return [str(problem)]
        if stored is None:
            return ["there is no such record"]
        try:
            problems = self._damages(key, stored)
        except StoreError as problem:
            return [str(problem)]
        if _signer(stored, self._keyring) == STRANGER:
            problems.append("it is not signed by you")
        return problems

    def is_listed(self) -> bool:
        """Whether the catalogue lists the records that are there, and no others. Looks at names only."""
        there = {entry.name.removeprefix(_RECORDS) for entry in self._store.entries(_RECORDS)}
        return there == set(self._catalogue.keys())

    def disk_nbytes(self) -> int:
        """The bytes that the store takes, those of what records share once only. Looks at every entry."""
        return sum(entry.nbytes for entry in self._store.entries())

    def _read(self, key: Key) -> Stored | None:
        content = self._store.get(_RECORDS + key)
        return None if content is None else read_header(content.view)

    def _damages(self, key: Key, stored: Stored) -> list[str]:
        problems = [] if stored.header.key == key else ["it belongs to another key"]
        for index in range(len(stored.header.sections)):
            try:
                read_section(stored, index, self._blob)
            except (FormatError, IntegrityError) as problem:
                problems.append(str(problem))
        return problems

    def _blob(self, digest: Digest) -> memoryview | None:
        content = self._store.get(_BLOBS + digest)
        return None if content is None else content.view


def _signer(stored: Stored, keyring: Keyring) -> str:
    if stored.signature is None or not keyring.verify(stored.signed, stored.signature):
        return STRANGER
    return stored.signature.signer
