"""Every kind of damage is found, named, and mended, and nothing is lost that could still be had."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ipycheckpoint.cache.cache import Cache, Found, Spoiled
from ipycheckpoint.cache.garbage import ASIDE, BLOBS, RECORDS
from ipycheckpoint.cache.verify import verify
from ipycheckpoint.record.format import write
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.store import damage
from tests.contracts.cache_contract import draft, identity, opened

KEYS = {name: identity(name).key for name in "abc"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def cache(path):
    cache = opened(path)
    for number, name in enumerate("abc"):
        cache.save(draft(identity(name), np.full(20_000, float(number))))
    yield cache
    cache.close()


def snapshot(path: Path) -> dict[str, bytes]:
    # SQLite's readers tell each other about themselves in the file of shared memory.
    return {
        str(file): file.read_bytes() for file in path.rglob("*") if file.is_file() and not file.name.endswith("-shm")
    }


def names(cache: Cache, prefix: str = "") -> set[str]:
    return {entry.name for entry in cache.store.entries(prefix)}


def flip(cache: Cache, name: str, at: int) -> None:
    content = bytearray(cache.store.get(name).view)
    content[at] ^= 1
    cache.store.put(name, [content])


def blob_of(cache: Cache, key: str) -> str:
    [section] = cache.header(key).sections
    [buffer] = section.buffers
    return BLOBS + buffer.digest


def flipped_version(cache: Cache) -> None:
    flip(cache, RECORDS + KEYS["a"], 3)


def flipped_header(cache: Cache) -> None:
    content = bytes(cache.store.get(RECORDS + KEYS["a"]).view)
    cache.store.put(RECORDS + KEYS["a"], [content.replace(b'"seconds":1.5', b'"seconds":9.5')])


def flipped_payload(cache: Cache) -> None:
    flip(cache, RECORDS + KEYS["a"], -1)


def cut_off(cache: Cache) -> None:
    content = cache.store.get(RECORDS + KEYS["a"]).view
    cache.store.put(RECORDS + KEYS["a"], [content[:-5]])


def under_another_key(cache: Cache) -> None:
    content = cache.store.get(RECORDS + KEYS["b"]).view
    cache.store.put(RECORDS + KEYS["a"], [content])


def flipped_blob(cache: Cache) -> None:
    flip(cache, blob_of(cache, KEYS["a"]), 5000)


def blob_gone(cache: Cache) -> None:
    cache.store.remove(blob_of(cache, KEYS["a"]))


def environment_damaged(cache: Cache) -> None:
    # All three records share it.
    flip(cache, BLOBS + cache.header(KEYS["a"]).environment, 5)


DAMAGES = [flipped_version, flipped_header, flipped_payload, cut_off, under_another_key, flipped_blob, blob_gone]


def test_a_store_without_damage_is_all_right(cache, path):
    before = snapshot(path)
    result = verify(cache)
    assert (result.findings, result.is_good, result.records, result.blobs) == ((), True, 3, 4)
    assert snapshot(path) == before


@pytest.mark.parametrize("do", [*DAMAGES, environment_damaged], ids=lambda do: do.__name__)
def test_damage_is_found_without_a_change_to_the_store(cache, path, do):
    do(cache)
    before = snapshot(path)
    result = verify(cache)
    assert not result.is_good
    assert RECORDS + KEYS["a"] in {finding.name for finding in result.findings}
    assert snapshot(path) == before


@pytest.mark.parametrize("do", DAMAGES, ids=lambda do: do.__name__)
def test_what_is_damaged_is_moved_aside_and_the_rest_is_as_it_was(cache, do):
    do(cache)
    assert verify(cache, fix=True).is_good
    assert verify(cache).findings == ()
    assert ASIDE + RECORDS + KEYS["a"] in names(cache)
    assert {row.key for row in cache.rows()} == {KEYS["b"], KEYS["c"]}
    for name in "bc":
        found = cache.find(KEYS[name])
        assert isinstance(found, Found)
        assert isinstance(cache.load(found), dict)


def test_a_mended_store_takes_the_work_again(cache):
    flipped_blob(cache)
    verify(cache, fix=True)
    cache.save(draft(identity("a"), np.full(20_000, 0.0)))
    assert cache.upkeep.verify(KEYS["a"]) == []


def test_a_savepoint_is_left_as_it_is(cache):
    of = replace(identity("a"), kind="savepoint")
    cache.save(draft(of, np.full(20_000, 7.0)))
    flip(cache, RECORDS + of.key, -1)
    content = bytes(cache.store.get(RECORDS + of.key).view)
    [finding] = [f for f in verify(cache, fix=True).findings if f.name == RECORDS + of.key]
    assert finding.is_wrong
    assert bytes(cache.store.get(RECORDS + of.key).view) == content


@pytest.mark.parametrize("signed", [True, False])
def test_a_record_of_somebody_else_is_told_of_and_stays(cache, path, signed):
    stranger = Keyring(secret=b"t" * 32)
    stored = cache.open(KEYS["a"])._stored
    cache.store.put(RECORDS + KEYS["a"], write(stored.header, [stored.payload], stranger.sign if signed else None))
    result = verify(cache, fix=True)
    [finding] = [finding for finding in result.findings if finding.what == "untrusted"]
    assert (stranger.signer in finding.told) == signed
    assert result.is_good
    assert RECORDS + KEYS["a"] in names(cache)


def test_a_record_of_a_newer_release_stays_and_so_do_all_blobs(cache):
    cache.store.put(RECORDS + "0" * 64, [json.dumps({"ipycheckpoint": 99, "header": {}}).encode() + b"\n"])
    cache.store.put(BLOBS + "0" * 64, [b"damaged, but perhaps that is how they do it"])
    [newer] = [finding for finding in verify(cache, fix=True).findings if finding.what == "newer"]
    assert "newer release" in newer.told
    assert RECORDS + "0" * 64 in names(cache)


def test_garbage_is_told_of_and_removed_once_it_is_old(cache, monkeypatch):
    from ipycheckpoint.digest import digest_bytes

    name = BLOBS + digest_bytes(b"nobody's")
    cache.store.put(name, [b"nobody's"])
    assert verify(cache).findings == ()
    monkeypatch.setattr("ipycheckpoint.cache.garbage.GRACE_SECONDS", -1.0)
    [finding] = verify(cache).findings
    assert (finding.what, finding.name, finding.is_wrong) == ("garbage", name, False)
    verify(cache, fix=True)
    assert name not in names(cache)


def test_what_a_killed_writer_left_is_removed_once_it_is_old(cache, path):
    new = path / "files" / "@new"
    new.mkdir(parents=True, exist_ok=True)
    (new / f"1-{16 * '0'}").write_bytes(b"x")
    (new / f"2-{16 * '0'}").write_bytes(b"x")
    os.utime(new / f"1-{16 * '0'}", (time.time() - 7200,) * 2)
    [finding] = verify(cache).findings
    assert finding.what == "leftover"
    verify(cache, fix=True)
    assert [file.name for file in new.iterdir()] == [f"2-{16 * '0'}"]


def test_a_listing_that_has_gone_stale_is_made_anew(cache):
    cache.close()
    cache.store.remove(RECORDS + KEYS["a"])
    [finding] = [f for f in verify(cache).findings if f.what == "stale listing"]
    assert "1 in it" in finding.told
    assert verify(cache, fix=True).is_good
    assert {row.key for row in cache.rows()} == {KEYS["b"], KEYS["c"]}


class TestDamagedDatabase:
    """SQLite itself is out of order."""

    @pytest.fixture
    def wreck(self, cache, path):
        for number in range(200):
            cache.save(draft(identity(f"n{number}"), f"value {number}" * 50))
        cache.close()
        file = path / "small.sqlite"
        content = bytearray(file.read_bytes())
        content[8 * 4096 : 9 * 4096] = os.urandom(4096)
        file.write_bytes(content)
        return file

    @pytest.mark.filterwarnings("ignore:.*is damaged.*and a new one takes its place")
    def test_the_rows_that_can_be_read_are_taken_over(self, wreck, path):
        cache = opened(path)
        assert any(finding.what == "damaged database" for finding in verify(cache).findings)
        [finding] = [f for f in verify(cache, fix=True).findings if f.what == "damaged database"]
        assert "took over" in finding.done
        assert verify(cache).is_good
        keys = {row.key for row in cache.rows()}
        assert len(keys) > 150
        assert all(isinstance(cache.load(cache.find(key)), dict) for key in keys)
        cache.close()

    @pytest.mark.filterwarnings("ignore:.*is damaged.*and a new one takes its place")
    def test_no_blob_is_garbage_before_the_rows_have_been_taken_over(self, wreck, path, monkeypatch):
        monkeypatch.setattr("ipycheckpoint.cache.garbage.GRACE_SECONDS", -1.0)
        cache = opened(path)
        blobs = {name for name in names(cache, BLOBS) if cache.store.get(name).view.nbytes > 100_000}
        done = cache.prune()
        assert blobs == {name for name in names(cache, BLOBS) if cache.store.get(name).view.nbytes > 100_000}
        assert not wreck.exists() or done.notes == ()
        assert any("may hold more records" in note for note in done.notes)
        cache.close()

    @pytest.mark.filterwarnings("ignore:.*is damaged.*and a new one takes its place")
    @pytest.mark.filterwarnings("ignore:the catalogue can't be read")
    def test_a_damaged_catalogue_is_made_anew(self, cache, path):
        cache.close()
        (path / "catalogue.sqlite").write_bytes(b"no database" * 1000)
        again = opened(path)
        assert verify(again, fix=True).is_good
        assert verify(again).findings == ()
        assert {row.key for row in again.rows()} == set(KEYS.values())
        again.close()

    def test_a_file_that_is_no_database_gives_no_rows(self, tmp_path):
        file = tmp_path / "small.sqlite"
        file.write_bytes(b"no database" * 1000)
        assert damage.complaint(file, damage.SMALL)
        assert list(damage.rows(file)) == []


def test_a_record_that_was_swapped_for_an_altered_one_is_never_loaded_nor_taken_over(cache):
    flipped_header(cache)
    assert isinstance(cache.find(KEYS["a"]), Spoiled)
    [finding] = [finding for finding in verify(cache).findings if finding.what == "damaged record"]
    assert finding.told == "its header is not the one that was signed"
