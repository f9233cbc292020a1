"""Records that a worker of ours made elsewhere: their entries travel back, and are kept here as ours."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ipycheckpoint.cache.garbage import BLOBS, GRACE_SECONDS, RECORDS, blobs_of
from ipycheckpoint.cache.listing import Listed
from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import FormatError, IntegrityError
from ipycheckpoint.record.format import check_payload, read_header, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.record.record import Header
    from ipycheckpoint.store.base import Store

_NAME = "name"


def entries_of(store: Store, key: Key) -> dict[str, bytes]:
    """The record under `key` with all that it refers to, by the names of entries. Raises StoreError, FormatError."""
    content = store.get(RECORDS + key)
    if content is None:
        raise FormatError(f"there is no record under {key}")
    entries = {RECORDS + key: bytes(content.view)}
    for name in blobs_of(read_header(content.view).header):
        blob = store.get(name)
        if blob is not None:
            entries[name] = bytes(blob.view)
    return entries


def adopt(cache: Cache, key: Key, entries: Mapping[str, bytes]) -> Header:
    """Keep the record under `key` that `entries` hold, and sign it: who calls this trusts whoever made it.

    Raises FormatError or IntegrityError for what isn't whole, and StoreError; then there is no record.
    """
    store = cache.store
    stored = read_header(memoryview(entries[RECORDS + key]))
    if stored.header.key != key:
        raise FormatError("it belongs to another key")
    check_payload(stored)
    for name in dict.fromkeys(blobs_of(stored.header)):
        if name in entries:
            found = digest_bytes(entries[name])
            if BLOBS + found != name:
                raise IntegrityError(name[:20], name.removeprefix(BLOBS), found)
            if not store.renew(name, time.time() - GRACE_SECONDS / 4):
                store.put(name, [entries[name]])
        elif not store.contains(name):
            raise FormatError(f"{name[:20]}… did not come with it")
    store.put(RECORDS + key, write(stored.header, [bytes(stored.payload)], cache.keyring.sign))
    cache.catalogue.add(Listed(stored.header, cache.keyring.signer))
    return stored.header


def name_of(store: Store) -> str:
    """A name that `store` has by itself, and no other has: where another process finds it, it is the same store.

    It is made up when it is first asked for. Raises StoreError.
    """
    found = known_name_of(store)
    if not found:
        store.put(_NAME, [os.urandom(16).hex().encode()])
        found = known_name_of(store)
    return found


def known_name_of(store: Store) -> str:
    """The name of `store`; empty where nobody has asked for it yet. Writes nothing; raises StoreError."""
    content = store.get(_NAME)
    return "" if content is None else bytes(content.view).decode("ascii", "replace")
