"""Caches at URLs: near ones that bring and send, and the far one itself, listed without opening its records."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fsspec")

from ipycheckpoint.cache import rolls
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.prune import Limits, prune
from ipycheckpoint.cache.rolls import ROLLS, merge
from ipycheckpoint.cache.verify import verify
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.store.directory import DirectoryStore
from ipycheckpoint.store.shared import RemoteStore
from tests.contracts.cache_contract import KEYRING, draft, identity, opened
from tests.contracts.store_contract import in_memory
from tests.unit.cache.test_cache import OnAnyStore


@pytest.fixture
def url() -> str:
    return in_memory()


class TestNearCache(OnAnyStore):
    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path, url: str):
        self.path, self.url = tmp_path / "near", url
        self.store = DirectoryStore(self.path)
        yield
        self.store.close()

    def open(self, keyring: Keyring) -> Cache:
        return Cache.at(self.url, local=self.path, keyring=keyring)


class TestFarCache(OnAnyStore):
    @pytest.fixture(autouse=True)
    def _store(self, url: str) -> None:
        self.store = RemoteStore(url)

    def open(self, keyring: Keyring) -> Cache:
        return Cache.at(self.store.location, keyring=keyring)


def near(path: Path, url: str, keyring: Keyring = KEYRING) -> Cache:
    return Cache.at(url, local=path, keyring=keyring)


def filled(path: Path, url: str, number: int = 3) -> list[str]:
    cache = near(path, url)
    keys = [cache.save(draft(identity(f"x{n}"), bytes(100_000) + bytes([n]))).key for n in range(number)]
    cache.close()
    return keys


def test_what_one_keeps_the_other_finds_and_lists(tmp_path, url):
    [key] = filled(tmp_path / "a", url, 1)
    other = near(tmp_path / "b", url)
    assert other.rows() == []
    assert other.load(other.find(key)) == {"return": bytes(100_001)}
    assert [row.key for row in other.rows()] == [key]


def test_many_come_near_with_all_that_a_load_needs(tmp_path, url, monkeypatch):
    keys = filled(tmp_path / "a", url)
    other = near(tmp_path / "b", url)
    assert other.bring([*keys, "0" * 64]) == set(keys)
    monkeypatch.setattr(RemoteStore, "get", None)
    for key in keys:
        assert len(other.load(other.find(key))["return"]) == 100_001


def test_pruning_what_is_near_takes_nothing_from_others(tmp_path, url):
    keys = filled(tmp_path / "a", url)
    here = near(tmp_path / "a", url)
    pruned = prune(here, Limits(max_bytes=0), grace_seconds=-60, young_seconds=-60)
    assert len(pruned.removals) == 3
    assert len(opened(url).rows()) == 3
    assert here.load(here.find(keys[0])) == {"return": bytes(100_001)}


def test_the_far_cache_is_pruned_for_all(tmp_path, url):
    keys = filled(tmp_path / "a", url)
    far = opened(url)
    prune(far, Limits(max_bytes=0), grace_seconds=-60, young_seconds=-60)
    assert far.rows() == []
    assert near(tmp_path / "b", url).find(keys[0]) is None


@pytest.mark.parametrize("local", [None, "near"])
def test_both_are_found_whole(tmp_path, url, local):
    filled(tmp_path / "near", url)
    cache = Cache.at(url, local=local and tmp_path / local, keyring=KEYRING)
    assert verify(cache).findings == ()


def test_the_far_cache_is_listed_without_opening_its_records(tmp_path, url, monkeypatch):
    keys = filled(tmp_path / "a", url)
    asked: list[str] = []
    fetch = RemoteStore.fetch
    monkeypatch.setattr(RemoteStore, "fetch", lambda self, names: asked.extend(names) or fetch(self, names))
    monkeypatch.setattr(RemoteStore, "get", None)
    assert {row.key for row in opened(url).rows()} == set(keys)
    assert [name.partition("/")[0] + "/" for name in asked] == [ROLLS]


def test_a_record_that_is_on_no_roll_is_listed_as_well(tmp_path, url):
    keys = filled(tmp_path / "a", url)
    store = RemoteStore(url)
    for entry in list(store.entries(ROLLS)):
        store.remove(entry.name)
    assert {row.key for row in opened(url).rows()} == set(keys)


def test_a_record_that_is_gone_is_not_listed_whatever_a_roll_says(tmp_path, url):
    keys = filled(tmp_path / "a", url)
    RemoteStore(url).remove(f"records/{keys[0]}")
    assert {row.key for row in opened(url).rows()} == set(keys[1:])


def test_a_roll_that_somebody_made_up_vouches_for_nobody(tmp_path, url):
    """Its lines have no signature of ours, so the record is listed as a stranger's, and is not loaded."""
    forged = near(tmp_path / "eve", url, Keyring(secret=b"e" * 32))
    forged.save(draft(identity("x"), 1))
    forged.close()
    [row] = opened(url).rows()
    assert row.status == "untrusted"


def test_a_roll_that_is_damaged_costs_nothing_but_time(tmp_path, url):
    keys = filled(tmp_path / "a", url)
    store = RemoteStore(url)
    for entry in list(store.entries(ROLLS)):
        store.put(entry.name, [b"{}\nnonsense\n"])
    assert {row.key for row in opened(url).rows()} == set(keys)


def many_rolls(tmp_path: Path, url: str, number: int = 20) -> list[str]:
    """So many processes have kept a record each."""
    keys = []
    for n in range(number):
        cache = near(tmp_path / "a", url)
        keys.append(cache.save(draft(identity(f"x{n}"), n)).key)
        cache.close()
    assert len(list(RemoteStore(url).entries(ROLLS))) == number
    return keys


def test_who_prunes_makes_one_roll_of_many_and_all_is_listed_from_it(tmp_path, url, monkeypatch):
    keys = many_rolls(tmp_path, url)
    prune(opened(url), Limits())
    assert len(list(RemoteStore(url).entries(ROLLS))) == 1
    asked: list[str] = []
    fetch = RemoteStore.fetch
    monkeypatch.setattr(RemoteStore, "fetch", lambda self, names: asked.extend(names) or fetch(self, names))
    assert {row.key for row in opened(url).rows()} == set(keys)
    assert len(asked) == 1


def test_a_merged_roll_has_no_lines_of_what_is_gone(tmp_path, url):
    keys = many_rolls(tmp_path, url)
    store = RemoteStore(url)
    store.remove(f"records/{keys[0]}")
    assert merge(store) == 20
    [roll] = store.entries(ROLLS)
    assert len(bytes(store.get(roll.name).view).splitlines()) == 19


def test_merged_rolls_are_not_larger_than_they_should_be(tmp_path, url, monkeypatch):
    keys = many_rolls(tmp_path, url)
    monkeypatch.setattr(rolls, "_FULL_NBYTES", 4000)
    store = RemoteStore(url)
    assert merge(store) == 20
    assert 1 < len(list(store.entries(ROLLS))) < 20
    assert {row.key for row in opened(url).rows()} == set(keys)


def test_few_rolls_stay_as_they_are(tmp_path, url):
    many_rolls(tmp_path, url, 3)
    assert merge(RemoteStore(url)) == 0
    assert len(list(RemoteStore(url).entries(ROLLS))) == 3


def test_a_merge_that_is_cut_off_hides_no_record(tmp_path, url, monkeypatch):
    keys = many_rolls(tmp_path, url)
    with monkeypatch.context() as patch:
        patch.setattr(RemoteStore, "remove", None)
        with pytest.raises(TypeError):
            merge(RemoteStore(url))
    assert {row.key for row in opened(url).rows()} == set(keys)


def test_looking_at_what_is_to_be_pruned_merges_nothing(tmp_path, url):
    many_rolls(tmp_path, url)
    prune(opened(url), Limits(), dry_run=True)
    assert len(list(RemoteStore(url).entries(ROLLS))) == 20


def test_a_record_that_was_kept_anew_is_listed_as_the_new_one_whatever_was_merged_since(tmp_path, url):
    many_rolls(tmp_path, url)
    old = next(iter(opened(url).rows()))
    store = RemoteStore(url)
    [stale] = [e for e in store.entries(ROLLS) if old.key.encode() in bytes(store.get(e.name).view)]
    content = bytes(store.get(stale.name).view)
    cache = near(tmp_path / "a", url)
    made = next(draft(identity(f"x{n}"), n) for n in range(20) if identity(f"x{n}").key == old.key)
    cache.save(made)
    cache.close()
    store.put("rolls/a-later-one", [content])
    [new] = [row for row in opened(url).rows() if row.key == old.key]
    assert new.created > old.created
