"""Bits flip, and files end early, at random places of every kind of file: it is seen, and nothing is served wrong."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ipycheckpoint.cache import cache as cache_module
from ipycheckpoint.cache import opened as opened_module
from ipycheckpoint.cache.archive import read_archive, write_archive
from ipycheckpoint.cache.savefile import pack, unpack
from ipycheckpoint.cache.verify import verify
from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import CheckpointError, CheckpointWarning
from ipycheckpoint.record.failure import LoadFailure
from tests.faults.scale import rounds
from tests.faults.work import KEYRING, draft, identity, key_of, opened, version_in

NAMES = ("tiny_a", "small_a", "large_a", "long_a", "tiny_b")
KINDS = {"rows": "small.sqlite", "records": "files/records", "blobs": "files/blobs", "listing": "catalogue.sqlite"}


@pytest.fixture(scope="module")
def template(memory: Path) -> Path:
    place = Path(tempfile.mkdtemp(dir=memory)) / "cache"
    cache = opened(place)
    for name in NAMES:
        cache.save(draft(name))
    cache.close()
    return place


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The Digests of all that was unpickled."""
    seen: set[str] = set()
    for module in (cache_module, opened_module):
        decode = module.decode

        def noting(*args, decode=decode, **options):
            seen.update(digest_bytes(part) for part in args if isinstance(part, bytes | memoryview))
            return decode(*args, **options)

        monkeypatch.setattr(module, "decode", noting)
    return seen


def harmed(data: bytes, chance: random.Random) -> bytes:
    """What disks, transfers and editors do to a file."""
    if not data:
        return data
    at, how = chance.randrange(len(data)), chance.randrange(5)
    changed = bytearray(data)
    if how <= 1:
        changed[at] ^= 1 << chance.randrange(8)
    elif how == 2:
        del changed[at:]
    elif how == 3:
        length = min(chance.choice([1, 16, 512, 4096]), len(data) - at)
        changed[at : at + length] = chance.choice([bytes(length), chance.randbytes(length)])
    else:
        changed[at:at] = chance.randbytes(chance.randrange(1, 100))
    return bytes(changed)


def files_of(place: Path, kind: str) -> list[Path]:
    target = place / KINDS[kind]
    return [target] if target.is_file() else sorted(path for path in target.rglob("*") if path.is_file())


def found_in(place: Path) -> Iterator[int | str | None]:
    cache = opened(place)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        for name in NAMES:
            yield version_in(cache, name)
            cache.header(key_of(name))
        assert all(isinstance(row.label, str) and isinstance(row.nbytes, int) for row in cache.rows())
        cache.catalogue.totals()
        cache.catalogue.tags()
        cache.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_costs_at_most_its_own_records_and_none_is_served_wrong(
    kind: str, template: Path, tmp_path: Path, streams: set[str]
) -> None:
    assert list(found_in(template)) == [0] * len(NAMES)
    whole = frozenset(streams)
    for seed in rounds(60, 2_000):
        chance = random.Random(f"{kind} {seed}")
        place = tmp_path / str(seed)
        shutil.copytree(template, place)
        path = chance.choice(files_of(place, kind))
        path.write_bytes(harmed(path.read_bytes(), chance))
        # Words say what is wrong; a record is there, as it was, or isn't.
        streams.clear()
        found = list(found_in(place))
        assert all(version in (0, None) or isinstance(version, str) for version in found), seed
        assert kind != "listing" or found == [0] * len(NAMES)
        assert streams <= whole
        cache = opened(place)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CheckpointWarning)
            verify(cache, fix=True)
            assert not [finding for finding in verify(cache).findings if finding.is_wrong], seed
            # What was lost is kept anew, and all is well.
            for name in NAMES:
                cache.save(draft(name, 1))
            assert [version_in(cache, name) for name in NAMES] == [1] * len(NAMES)
        cache.close()
        shutil.rmtree(place)


@pytest.mark.parametrize("compression", ["none", "fast", "small"])
def test_a_damaged_savefile_gives_what_is_whole_and_says_what_is_not(compression: str, streams: set[str]) -> None:
    values = {"a": list(range(300)), "b": np.arange(5_000.0), "c": "text" * 500}
    data = b"".join(pack(values, label="x", compression=compression, keyring=KEYRING))
    unpack(data, keyring=KEYRING).load()
    whole = frozenset(streams)
    for seed in rounds(100, 3_000):
        try:
            record = unpack(harmed(data, random.Random(f"{compression} {seed}")), keyring=KEYRING)
            repr(record), record._repr_html_()
            loaded = record.load()
        except CheckpointError:
            continue
        assert loaded.keys() == values.keys()
        for name, value in loaded.items():
            assert isinstance(value, LoadFailure) or np.array_equal(value, values[name])
        assert streams <= whole


def test_of_a_damaged_archive_only_whole_records_are_taken(template: Path, tmp_path: Path) -> None:
    source = opened(template)
    write_archive(source, [key_of(name) for name in NAMES], tmp_path / "all.ckpts")
    source.close()
    data = (tmp_path / "all.ckpts").read_bytes()
    for seed in rounds(60, 1_500):
        (tmp_path / "one.ckpts").write_bytes(harmed(data, random.Random(seed)))
        cache = opened(tmp_path / str(seed))
        with suppress(CheckpointError):
            read_archive(cache, tmp_path / "one.ckpts")
        # A bit of the signer's name may have flipped: then it is a stranger's, which is listed and not loaded.
        found = {version_in(cache, name) for name in NAMES}
        assert all(version in (0, None) or "not signed by you" in str(version) for version in found)
        assert not [finding for finding in verify(cache).findings if finding.is_wrong]
        cache.close()
        shutil.rmtree(tmp_path / str(seed), ignore_errors=True)


@pytest.mark.parametrize(
    "change",
    [
        "name = 'blobs/' || char(22)",
        "name = CAST(x'ff' AS TEXT)",
        "name = x'00'",
        "data = 7",
        "data = 'text'",
        "modified = 'soon'",
        "version = 'x'",
    ],
)
def test_a_row_of_which_something_was_altered_hides_no_other(change: str, template: Path, tmp_path: Path) -> None:
    place = tmp_path / "cache"
    shutil.copytree(template, place)
    with closing(sqlite3.connect(place / "small.sqlite", isolation_level=None)) as connection:
        connection.execute(f"UPDATE entries SET {change} WHERE name = ?", (f"records/{key_of('tiny_a')}",))
    assert set(list(found_in(place))[1:]) == {0}
    cache = opened(place)
    verify(cache, fix=True)
    assert [version_in(cache, name) for name in NAMES[1:]] == [0] * 4
    cache.save(draft("tiny_a", 1))
    assert version_in(cache, "tiny_a") == 1
    cache.close()


@pytest.mark.parametrize("change", ["label = CAST(x'ff' AS TEXT)", "tags = 'no json'", "outputs = 5", "created = 'x'"])
def test_a_listing_of_which_something_was_altered_is_made_anew(change: str, template: Path, tmp_path: Path) -> None:
    place = tmp_path / "cache"
    shutil.copytree(template, place)
    with closing(sqlite3.connect(place / "catalogue.sqlite", isolation_level=None)) as connection:
        connection.execute(f"UPDATE records SET {change} WHERE key = ?", (key_of("tiny_a"),))
    cache = opened(place)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        cache.rows(), cache.catalogue.tags()
        verify(cache, fix=True)
        assert {row.label for row in cache.rows()} == {f"work.{name}" for name in NAMES}
        assert {type(row.created) for row in cache.rows()} == {float}
    assert verify(cache).is_good
    cache.close()


def test_a_record_of_names_that_are_no_text_hides_no_other(tmp_path: Path) -> None:
    cache = opened(tmp_path / "cache")
    cache.save(draft("tiny_a"))
    odd = replace(draft("tiny_b"), tags=(("\ud800", "\udc80"),), identity=replace(identity("tiny_b"), label="\ud800"))
    cache.save(odd)
    cache.catalogue.rebuild()
    assert {row.tags for row in cache.rows()} == {(), (("\ud800", "\udc80"),)}
    assert len(cache.catalogue.rows(label="\ud800", tag=("\ud800", "\udc80"), search="work \ud800")) == 0
    assert len(cache.catalogue.rows(label="\ud800", tag=("\ud800", "\udc80"))) == 1
    assert verify(cache).is_good
    cache.close()
