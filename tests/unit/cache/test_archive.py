"""Archives: all of a record comes over, and nothing else, whoever made the archive."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipycheckpoint.cache.archive import read_archive, write_archive
from ipycheckpoint.cache.cache import Cache, Found, Spoiled
from ipycheckpoint.cache.verify import verify
from ipycheckpoint.errors import CheckpointError, FormatError, IntegrityError, StoreError
from ipycheckpoint.record.trust import Keyring
from tests.contracts.cache_contract import draft, identity, opened

STRANGER = Keyring(secret=b"t" * 32)

KEYS = {name: identity(name).key for name in "abc"}


@pytest.fixture
def cache(tmp_path):
    cache = opened(tmp_path / "from")
    for name in "abc":
        cache.save(draft(identity(name), [np.arange(20_000.0), name]))
    yield cache
    cache.close()


@pytest.fixture
def other(tmp_path):
    other = opened(tmp_path / "to")
    yield other
    other.close()


@pytest.fixture
def archive(cache, tmp_path):
    write_archive(cache, list(KEYS.values()), tmp_path / "all.ckpts")
    return tmp_path / "all.ckpts"


def members(path):
    with tarfile.open(path) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]


def rewritten(path, entries, kind=tarfile.REGTYPE):
    """The archive of `entries`, written with tarfile: names and bytes, and maybe the type of each."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, data, *more in entries:
            member = tarfile.TarInfo(name)
            member.size, member.type = len(data), more[0] if more else kind
            member.linkname = more[1] if len(more) > 1 else ""
            archive.addfile(member, io.BytesIO(data))
    return path


def test_what_is_exported_and_imported_is_a_hit_elsewhere(archive, other):
    done = read_archive(other, archive)
    assert {header.key for header in done.trusted} == set(KEYS.values())
    for name in "abc":
        found = other.find(KEYS[name])
        assert isinstance(found, Found)
        assert other.load(found)["return"][1] == name
    assert {row.key for row in other.rows()} == set(KEYS.values())
    assert verify(other).findings == ()


def test_an_archive_is_a_tar_file_with_each_blob_once_and_says_what_is_in_it(archive):
    (first, contents), *entries = members(archive)
    assert first == "ipycheckpoint-archive.json"
    assert [record["label"] for record in json.loads(contents)["records"]] == ["work"] * 3
    names = [name for name, _ in entries]
    assert len(names) == len(set(names))
    assert sum(name.startswith("records/") for name in names) == 3


def test_only_what_is_picked_is_exported_with_all_that_it_needs(cache, other, tmp_path):
    done = write_archive(cache, [KEYS["a"]], tmp_path / "one.ckpts")
    assert done.keys == (KEYS["a"],)
    assert done.nbytes == (tmp_path / "one.ckpts").stat().st_size
    read_archive(other, tmp_path / "one.ckpts")
    assert [row.key for row in other.rows()] == [KEYS["a"]]
    assert verify(other).findings == ()


def test_what_is_there_already_stays_as_it_is(archive, other):
    read_archive(other, archive)
    before = {entry.name: entry.modified for entry in other.store.entries("records/")}
    done = read_archive(other, archive)
    assert set(done.known) == set(KEYS.values())
    assert {entry.name: entry.modified for entry in other.store.entries("records/")} == before


def test_records_of_somebody_else_are_listed_and_not_loaded_until_they_are_trusted(archive, tmp_path):
    stranger = opened(tmp_path / "stranger", STRANGER)
    done = read_archive(stranger, archive)
    assert (len(done.untrusted), done.trusted) == (3, ())
    assert {row.status for row in stranger.rows()} == {"untrusted"}
    assert isinstance(stranger.find(KEYS["a"]), Spoiled)
    stranger.upkeep.trust(KEYS["a"])
    assert isinstance(stranger.find(KEYS["a"]), Found)
    stranger.close()


def test_records_of_a_team_are_hits_for_who_accepts_its_secret(archive, tmp_path):
    member = Cache.at(tmp_path / "member", keyring=Keyring(secret=b"t" * 32, accepted=[b"s" * 32]))
    assert len(read_archive(member, archive).trusted) == 3
    assert isinstance(member.find(KEYS["a"]), Found)
    member.close()


def test_a_trusted_record_takes_the_place_of_one_that_is_not(archive, tmp_path):
    stranger = opened(tmp_path / "to", STRANGER)
    stranger.save(draft(identity("a"), "theirs"))
    stranger.close()
    other = opened(tmp_path / "to")
    done = read_archive(other, archive)
    assert KEYS["a"] in {header.key for header in done.trusted}
    assert isinstance(other.find(KEYS["a"]), Found)
    other.close()


def test_an_untrusted_record_never_takes_the_place_of_another(archive, tmp_path):
    stranger = opened(tmp_path / "to", STRANGER)
    stranger.save(draft(identity("a"), "mine"))
    assert KEYS["a"] in read_archive(stranger, archive).known
    found = stranger.find(KEYS["a"])
    assert stranger.load(found)["return"] == "mine"
    stranger.close()


@pytest.mark.parametrize(
    "entry",
    [
        ("../outside", b"x"),
        ("/tmp/outside", b"x"),
        ("records/../../outside", b"x"),
        ("records/" + "0" * 63, b"x"),
        ("records/" + "0" * 64 + "/x", b"x"),
        ("failures/" + "0" * 64, b"{}"),
        ("pins/" + "0" * 64, b"pinned"),
        ("records/" + "0" * 64, b"", tarfile.SYMTYPE, "/etc/passwd"),
        ("records/" + "0" * 64, b"", tarfile.LNKTYPE, "ipycheckpoint-archive.json"),
        ("records/" + "0" * 64, b"", tarfile.FIFOTYPE),
        ("records/" + "0" * 64, b"", tarfile.CHRTYPE),
        ("records", b"", tarfile.DIRTYPE),
        ("records/" + "0" * 64, b"x", tarfile.CONTTYPE),
        ("x" * 300, b"x"),
    ],
    ids=lambda entry: f"{entry[0][:20]} {entry[2:]}",
)
def test_what_leads_elsewhere_is_refused_before_anything_is_put(archive, other, tmp_path, entry):
    path = rewritten(tmp_path / "bad.ckpts", [*members(archive), entry])
    with pytest.raises(FormatError, match=r"nothing was imported|no archive"):
        read_archive(other, path)
    assert list(other.store.entries()) == []
    assert not (tmp_path / "outside").exists()


def test_the_same_name_twice_is_refused(archive, other, tmp_path):
    entries = members(archive)
    path = rewritten(tmp_path / "bad.ckpts", [*entries, entries[-1]])
    with pytest.raises(FormatError, match="can't be"):
        read_archive(other, path)


@pytest.mark.parametrize("nbytes", [0, 100, 512, 700, 20_000, -1024, -10_000, -200_000])
def test_an_archive_that_is_cut_off_is_refused_as_a_whole(archive, other, nbytes):
    archive.write_bytes(archive.read_bytes()[:nbytes])
    with pytest.raises(FormatError, match=r"cut off|no archive"):
        read_archive(other, archive)
    assert list(other.store.entries()) == []


def test_a_tar_file_of_something_else_is_no_archive(other, tmp_path):
    path = rewritten(tmp_path / "other.tar", [("README", b"hello")])
    with pytest.raises(FormatError, match="no archive of checkpoints"):
        read_archive(other, path)


def test_an_archive_of_a_newer_release_is_told_as_such(other, tmp_path):
    contents = json.dumps({"ipycheckpoint-archive": 99}).encode()
    path = rewritten(tmp_path / "new.ckpts", [("ipycheckpoint-archive.json", contents)])
    with pytest.raises(FormatError, match="format 99"):
        read_archive(other, path)


def test_a_missing_file_is_told_as_such(other, tmp_path):
    with pytest.raises(StoreError, match="there is no such file"):
        read_archive(other, tmp_path / "none.ckpts")


@pytest.mark.parametrize("what", ["records/", "blobs/"])
def test_a_damaged_entry_costs_the_records_that_need_it_and_no_other(archive, other, tmp_path, what):
    entries = dict(members(archive))
    # The large blob is the array, which all three share.
    least = 0 if what == "records/" else 100_000
    damaged = next(name for name, data in entries.items() if name.startswith(what) and len(data) > least)
    entries[damaged] = entries[damaged][:-1] + b"\xff"
    done = read_archive(other, rewritten(tmp_path / "bad.ckpts", entries.items()))
    assert len(done.refused) == (1 if what == "records/" else 3)
    assert len(done.trusted) == 3 - len(done.refused)
    assert verify(other).findings == ()


def test_a_record_without_its_blob_is_refused(archive, other, tmp_path):
    entries = [(name, data) for name, data in members(archive) if not name.startswith("blobs/")]
    done = read_archive(other, rewritten(tmp_path / "bad.ckpts", entries))
    assert [reason.endswith("is not in the archive") for _, reason in done.refused] == [True] * 3
    assert other.rows() == []


def test_a_record_under_another_key_is_refused(archive, other, tmp_path):
    entries = dict(members(archive))
    entries["records/" + "0" * 64] = entries[f"records/{KEYS['a']}"]
    done = read_archive(other, rewritten(tmp_path / "bad.ckpts", entries.items()))
    assert done.refused == (("0" * 64, "it belongs to another key"),)


def test_a_damaged_record_is_not_exported(cache, tmp_path):
    name = next(entry.name for entry in cache.store.entries("blobs/") if entry.nbytes > 1e5)
    content = bytearray(cache.store.get(name).view)
    content[7] ^= 1
    cache.store.put(name, [content])
    (tmp_path / "old.ckpts").write_bytes(b"what was there")
    with pytest.raises(IntegrityError):
        write_archive(cache, [KEYS["a"]], tmp_path / "old.ckpts")
    assert (tmp_path / "old.ckpts").read_bytes() == b"what was there"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 2**20), bit=st.integers(0, 7))
def test_no_flipped_bit_gives_another_result(archive, tmp_path_factory, at, bit):
    data = bytearray(archive.read_bytes())
    data[at % len(data)] ^= 1 << bit
    place = tmp_path_factory.mktemp("flipped")
    (place / "flipped.ckpts").write_bytes(data)
    other = opened(place / "to")
    try:
        read_archive(other, place / "flipped.ckpts")
    except CheckpointError:
        assert list(other.store.entries()) == []
    for name in "abc":
        found = other.find(KEYS[name])
        if isinstance(found, Found):
            array, text = other.load(found)["return"]
            assert text == name
            assert np.array_equal(array, np.arange(20_000.0))
    assert not [finding for finding in verify(other).findings if finding.what != "untrusted"]
    other.close()


@given(st.binary(max_size=2000))
def test_arbitrary_bytes_are_no_archive(data):
    from ipycheckpoint.cache.archive import _members

    with pytest.raises(FormatError):
        _members(memoryview(data))
