"""Caches at URLs: a directory of one's own in front of a store that others share."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.catalogue import Catalogue
from ipycheckpoint.cache.garbage import RECORDS
from ipycheckpoint.cache.listing import Listed
from ipycheckpoint.cache.promises import is_whole
from ipycheckpoint.cache.rolls import Roll, called, signer_of
from ipycheckpoint.cache.visits import Visits
from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.record.format import read_header
from ipycheckpoint.store.shared import RemoteStore
from ipycheckpoint.store.tiers import TieredStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.cache.news import News
    from ipycheckpoint.record.trust import Keyring
    from ipycheckpoint.store.base import Write


def far_cache(url: str, keyring: Keyring, news: News | None = None) -> Cache:
    """The Cache at `url` itself, with nothing in front of it: to look after it, or where there is no disk."""
    store = RemoteStore(url)
    catalogue = Catalogue(None, partial(called, store, keyring), signers=keyring.signers)
    return Cache(store, catalogue, keyring, news=news, place=url)


def near_cache(url: str, near: Cache, write: Write = "behind") -> Cache:
    """The Cache at `url`, with `near`, a cache in a directory, in front of it; `write` says when things get there.

    It lists what is near, and whatever comes near from there.
    """
    shared = RemoteStore(url)
    roll = Roll(shared)
    store = TieredStore(
        near.store,
        shared,
        is_whole,
        write=write,
        arrived=_lister(near.catalogue, near.keyring),
        sent=roll.note,
        finished=roll.write,
        parting=Visits(near, shared).tell,
    )
    return Cache(store, near.catalogue, near.keyring, near.directory, near.news, place=url)


def _lister(catalogue: Catalogue, keyring: Keyring) -> Callable[[str, memoryview], None]:
    def enlist(name: str, view: memoryview) -> None:
        if not name.startswith(RECORDS):
            return
        with suppress(CheckpointError):
            stored = read_header(view)
            catalogue.trust(Listed(stored.header, signer_of(stored, keyring)))

    return enlist
