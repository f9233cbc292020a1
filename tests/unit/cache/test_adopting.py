"""Records that were made elsewhere come here whole, and are ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ipycheckpoint.cache.adopting import adopt, entries_of, known_name_of, name_of
from ipycheckpoint.cache.cache import Cache, Found
from ipycheckpoint.errors import FormatError, IntegrityError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.store.memory import MemoryStore
from tests.contracts.cache_contract import draft, identity


def cache_in(path: Path) -> Cache:
    return Cache.at(path, keyring=Keyring(secret=os.urandom(32)))


@pytest.fixture
def made(tmp_path: Path) -> tuple[Key, dict[str, bytes]]:
    there = cache_in(tmp_path / "there")
    header = there.save(draft(identity("x"), bytes(300_000)))
    return header.key, entries_of(there.store, header.key)


def test_an_adopted_record_is_found_and_loaded(tmp_path, made):
    here = cache_in(tmp_path / "here")
    key, entries = made
    adopt(here, key, entries)
    found = here.find(key)
    assert isinstance(found, Found)
    assert here.load(found) == {"return": bytes(300_000)}


def test_an_adopted_record_is_signed_by_us(tmp_path, made):
    here = cache_in(tmp_path / "here")
    key, entries = made
    adopt(here, key, entries)
    [row] = here.rows()
    assert row.status == "kept"
    assert here.upkeep.verify(key) == []


@pytest.mark.parametrize("kind", ["records/", "blobs/"])
def test_a_record_that_is_not_whole_is_refused(tmp_path, made, kind):
    here = cache_in(tmp_path / "here")
    key, entries = made
    name = max((name for name in entries if name.startswith(kind)), key=lambda name: len(entries[name]))
    entries[name] = entries[name][:-1] + b"!"
    with pytest.raises((FormatError, IntegrityError)):
        adopt(here, key, entries)
    assert here.find(key) is None


def test_a_record_of_another_key_is_refused(tmp_path, made):
    here = cache_in(tmp_path / "here")
    key, entries = made
    other = Key("0" * 64)
    with pytest.raises(FormatError, match="another key"):
        adopt(here, other, {**entries, f"records/{other}": entries[f"records/{key}"]})


def test_a_blob_that_did_not_come_is_missed(tmp_path, made):
    here = cache_in(tmp_path / "here")
    key, entries = made
    with pytest.raises(FormatError, match="did not come"):
        adopt(here, key, {name: content for name, content in entries.items() if name.startswith("records/")})


def test_a_store_has_one_name_for_ever():
    store = MemoryStore()
    assert name_of(store) == name_of(store) == known_name_of(store)


def test_two_stores_have_different_names():
    assert name_of(MemoryStore()) != name_of(MemoryStore())


def test_asking_for_a_name_that_nobody_gave_writes_nothing():
    store = MemoryStore()
    assert known_name_of(store) == ""
    assert list(store.entries()) == []
