"""A store that others share may be anybody's: what comes from it is verified like all else, and what is near stays."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ipycheckpoint.cache.archive import read_archive, write_archive
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.prune import Limits, prune
from ipycheckpoint.cache.rolls import ROLLS
from ipycheckpoint.cache.verify import verify
from ipycheckpoint.errors import CheckpointError, CheckpointWarning
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.store.shared import RemoteStore
from tests.faults import evil
from tests.faults.test_malice import use
from tests.faults.work import KEYRING, draft, key_of, version_in

pytest.importorskip("fsspec")

NAMES = ("tiny_a", "small_a", "large_a")

HONEST = frozenset({0, None})


@pytest.fixture
def url(tmp_path: Path) -> str:
    """With records of ours, that any of the team may replace."""
    url = f"file://{tmp_path}/shared"
    cache = Cache.at(url, keyring=KEYRING, local=tmp_path / "first", write="through")
    for name in NAMES:
        cache.save(draft(name))
    cache.close()
    return url


@pytest.fixture
def far(url: str) -> RemoteStore:
    return RemoteStore(url)


@pytest.fixture(params=["near", "far"])
def cache(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> Iterator[Cache]:
    """In front of the shared store, or the shared store itself. It is opened when all is in its place."""
    local = tmp_path / "near" if request.param == "near" else None
    cache = Cache.at(url, keyring=KEYRING, local=local)
    yield cache
    cache.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "touched"


@pytest.mark.parametrize("forgery", evil.FORGERIES)
def test_a_forged_record_from_afar_is_never_unpickled(
    forgery: str, cache: Cache, far: RemoteStore, target: Path
) -> None:
    for name in NAMES:
        record = f"records/{key_of(name)}"
        good = bytes(far.get(record).view)
        bad = evil.of_a_stranger(evil.read_header(good).header, target)
        far.put(record, [evil.FORGERIES[forgery](bad, good, target)])
    with suppress(CheckpointError):
        cache.bring([key_of(name) for name in NAMES])
    for name in NAMES:
        loaded = use(cache, name)
        assert loaded is None or isinstance(loaded, LoadFailure)
    assert not target.exists()


def test_a_pickle_in_place_of_anything_else_there_is_never_loaded(cache: Cache, far: RemoteStore, target: Path) -> None:
    names = [entry.name for entry in far.entries() if not entry.name.startswith("records/")]
    notes = [f"{beside}/{key_of('tiny_a')}" for beside in ("pins", "failures", "stamps", "rolls", "visits")]
    for name in [*names, *notes, "name"]:
        far.put(name, [evil.payload(target)])
    for name in NAMES:
        use(cache, name)
        assert version_in(cache, name) == 0 or name == "large_a"
    assert not target.exists()


def test_a_roll_that_tells_of_other_records_is_corrected_by_verify(url: str, far: RemoteStore, target: Path) -> None:
    key = key_of("tiny_a")
    bad = evil.of_a_stranger(evil.read_header(bytes(far.get(f"records/{key}").view)).header, target)
    line = bad[: bad.index(b"\n") + 1].replace(b"work.tiny_a", b"work.evil_a")
    far.put(f"{ROLLS}{'f' * 32}", [line, evil.payload(target)])
    cache = Cache.at(url, keyring=KEYRING)
    assert [finding.what for finding in verify(cache).findings] in ([], ["stale listing"])
    assert verify(cache, fix=True).is_good
    assert verify(cache).findings == ()
    assert {row.label for row in Cache.at(url, keyring=KEYRING).rows()} == {f"work.{name}" for name in NAMES}
    assert version_in(cache, "tiny_a") == 0
    assert not target.exists()


def test_an_altered_array_from_afar_is_not_served_and_not_kept_near(url: str, far: RemoteStore, tmp_path: Path):
    [blob] = [entry.name for entry in far.entries("blobs/") if entry.nbytes > 100_000]
    content = bytearray(far.get(blob).view)
    content[5_000] ^= 1
    far.put(blob, [content])
    cache = Cache.at(url, keyring=KEYRING, local=tmp_path / "near")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        assert version_in(cache, "large_a") not in HONEST
        assert not cache.store.local.contains(blob)
    cache.save(draft("large_a", 1))
    assert version_in(cache, "large_a") == 1
    cache.close()
    assert version_in(Cache.at(url, keyring=KEYRING), "large_a") == 1


def test_what_was_damaged_near_before_it_was_sent_is_not_sent_once_it_is_mended(
    url: str, far: RemoteStore, tmp_path: Path
) -> None:
    near = Cache.at(tmp_path / "near", keyring=KEYRING)
    near.save(draft("large_b"))
    [blob] = [entry.name for entry in near.store.entries("blobs/") if entry.nbytes > 100_000]
    for name in (blob, f"records/{key_of('large_b')}"):
        near.store.put(f"pending/{name}", [b"elsewhere 1 0"])
    content = bytearray(near.store.get(blob).view)
    content[5_000] ^= 1
    near.store.put(blob, [content])
    near.close()
    cache = Cache.at(url, keyring=KEYRING, local=tmp_path / "near")
    assert not verify(cache).is_good
    verify(cache, fix=True)
    assert verify(cache).is_good
    cache.store._is_abandoned = lambda name: True
    cache.store.catch_up()
    assert cache.flush(20) == 0
    cache.close()
    assert not far.contains(blob)
    assert not list(far.entries("damaged/"))


def test_who_looks_after_the_near_folder_alone_takes_nothing_that_is_still_to_be_sent(
    url: str, far: RemoteStore, tmp_path: Path
) -> None:
    near = Cache.at(tmp_path / "near", keyring=KEYRING)
    for name in ("tiny_b", "large_b", "large_c"):
        near.save(draft(name))
    unsent = [entry.name for entry in near.store.entries() if entry.name.startswith(("records/", "blobs/"))]
    unsent.remove(f"records/{key_of('large_c')}")
    for name in unsent:
        near.store.put(f"pending/{name}", [b"elsewhere 1 0"])
    done = prune(near, Limits(max_bytes=0), young_seconds=-60, grace_seconds=-60)
    assert [removal.label for removal in done.removals] == ["work.large_c"]
    assert done.spared == {"not sent yet": 2}
    assert set(unsent) <= {entry.name for entry in near.store.entries()}
    assert verify(near, fix=True).is_good
    near.close()
    cache = Cache.at(url, keyring=KEYRING, local=tmp_path / "near")
    cache.store._is_abandoned = lambda name: True
    cache.store.catch_up()
    assert cache.flush(20) == 0
    cache.close()
    assert {version_in(Cache.at(url, keyring=KEYRING), name) for name in ("tiny_b", "large_b")} == {0}


def test_an_archive_of_a_shared_store_brings_no_more_than_its_records(url: str, tmp_path: Path, target: Path) -> None:
    cache = Cache.at(url, keyring=KEYRING)
    write_archive(cache, [key_of(name) for name in NAMES], f"file://{tmp_path}/all.ckpts")
    mine = Cache.at(tmp_path / "mine", keyring=KEYRING)
    assert len(read_archive(mine, tmp_path / "all.ckpts").trusted) == 3
    assert {entry.name.partition("/")[0] for entry in mine.store.entries()} == {"records", "blobs"}
    assert verify(mine).is_good
    mine.close()
