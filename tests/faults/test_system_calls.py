"""Every call of the operating system fails in turn, and every step is one at which the process dies."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from ipycheckpoint.cache import savefile
from ipycheckpoint.cache.archive import read_archive, write_archive
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.garbage import blobs_of
from ipycheckpoint.cache.prune import Limits, prune
from ipycheckpoint.cache.savefile import pack, unpack
from ipycheckpoint.cache.verify import verify
from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import CheckpointError, CheckpointWarning, StoreError
from ipycheckpoint.record import format as record_format
from ipycheckpoint.record.format import read_header
from ipycheckpoint.store.files import LocalFiles
from ipycheckpoint.store.shared import RemoteStore
from ipycheckpoint.store.system import REAL
from tests.faults.faulty import ERRORS, Calls, dying, failing
from tests.faults.scale import TORTURE
from tests.faults.work import KEYRING, content, draft, key_of, opened, version_in

EARLIER = ("tiny_a", "small_a", "large_a")
ALL = (*EARLIER, "tiny_b", "small_b", "large_b")

# What is done, and which versions may be there afterwards when it went wrong half-way.
ACTIONS: dict[str, tuple[Callable[[Cache], object], dict[str, set[int | None]]]] = {
    "save small": (lambda cache: cache.save(draft("small_b")), {"small_b": {None, 0}}),
    "save large": (lambda cache: cache.save(draft("large_b")), {"large_b": {None, 0}}),
    "save again": (lambda cache: cache.save(draft("large_a", 1)), {"large_a": {0, 1}}),
    "forget small": (lambda cache: cache.forget(key_of("small_a")), {"small_a": {0, None}}),
    "forget large": (lambda cache: cache.forget(key_of("large_a")), {"large_a": {0, None}}),
    "rebuild": (lambda cache: cache.catalogue.rebuild(), {}),
    "prune": (
        lambda cache: prune(cache, Limits(max_bytes=1), young_seconds=-5, grace_seconds=-5),
        {name: {0, None} for name in EARLIER},
    ),
    "collect": (lambda cache: prune(cache, Limits(), grace_seconds=-5), {}),
    "import": (
        lambda cache: read_archive(cache, Path(cache.location) / "gift.ckpts"),
        {"small_b": {None, 0}, "large_b": {None, 0}},
    ),
    "verify": (lambda cache: verify(cache, fix=True), {}),
    "pin": (lambda cache: cache.upkeep.pin(key_of("small_a")), {}),
    "trust": (lambda cache: cache.upkeep.trust(key_of("large_a")), {}),
    "listing of another release": (lambda cache: (of_another_release(cache), cache.rows(), cache.save(draft("tiny_b"))),
                                   {"tiny_b": {None, 0}}),
}  # fmt: skip
BEFORE: dict[str, int | None] = {**dict.fromkeys(ALL), **dict.fromkeys(EARLIER, 0)}
AFTER: dict[str, dict[str, int | None]] = {
    "save again": {"large_a": 1},
    "forget large": {"large_a": None},
    "prune": dict.fromkeys(EARLIER),
}


def of_another_release(cache: Cache) -> None:
    """What an upgrade of the package finds: a listing with tables that are not ours."""
    with closing(sqlite3.connect(Path(cache.location) / "catalogue.sqlite", isolation_level=None)) as connection:
        for statement in ("DROP TABLE records", "CREATE TABLE records (x)", "PRAGMA user_version = 1"):
            connection.execute(statement)


@pytest.fixture(scope="module")
def template(memory: Path) -> Path:
    """A Cache with records of all sizes, and a Blob that nobody needs; beside them, an archive of two more."""
    place = Path(tempfile.mkdtemp(dir=memory)) / "cache"
    cache = opened(place)
    for name in EARLIER:
        cache.save(draft(name))
    cache.store.put(f"blobs/{digest_bytes(bytes(70_000))}", [bytes(70_000)])
    cache.close()
    other = opened(place.parent / "other")
    for name in ("small_b", "large_b"):
        other.save(draft(name))
    write_archive(other, [key_of("small_b"), key_of("large_b")], place / "gift.ckpts")
    other.close()
    return place


def done(place: Path, action: Callable[[Cache], object], calls: Calls, *, short: bool = False) -> Exception | None:
    """Run `action`, and what it raised; nothing but what we promise."""
    cache = opened(place, system=calls.system(short=short), network=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        try:
            action(cache)
        except CheckpointError as problem:
            return problem
        finally:
            cache.close()
    return None


def number_of_calls(template: Path, place: Path, action: Callable[[Cache], object]) -> int:
    shutil.copytree(template, place)
    calls = Calls()
    assert done(place, action, calls) is None
    return len(calls.names)


@pytest.mark.parametrize("code", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("name", ACTIONS)
def test_whatever_call_fails_no_earlier_record_is_harmed_and_the_message_says_what_and_where(
    name: str, code: int, template: Path, tmp_path: Path
) -> None:
    action, possible = ACTIONS[name]
    number = number_of_calls(template, tmp_path / "whole", action)
    assert number > 5
    # Each fails alone, or with all that come after it, as on a full disk. Where there is little time, each fails in one
    # of the three ways.
    first, step = (0, 1) if TORTURE else (list(ERRORS.values()).index(code), len(ERRORS))
    alone: list[set[int] | range] = [{n} for n in range(first, number, step)]
    lasting = [range(n, 10_000) for n in range(0, number, 1 if TORTURE else 5)]
    for numbers in alone + (lasting if TORTURE or code == ERRORS["ENOSPC"] else []):
        place = tmp_path / f"{min(numbers)}-{len(numbers)}"
        shutil.copytree(template, place)
        problem = done(place, action, failing(numbers, code))
        if problem is not None:
            assert isinstance(problem, StoreError), problem
            assert str(place) in problem.location
            assert problem.reason
        found = content(place, *ALL)
        for each in ALL:
            assert found[each] in possible.get(each, {BEFORE[each]}), (numbers, problem)
        if problem is None and name.startswith("save"):
            assert found != BEFORE
        shutil.rmtree(place)


@pytest.mark.parametrize("name", ACTIONS)
def test_at_whatever_step_a_process_dies_the_store_opens_with_every_earlier_record_whole(
    name: str, template: Path, tmp_path: Path
) -> None:
    action, possible = ACTIONS[name]
    place, copies = tmp_path / "cache", tmp_path / "copies"
    shutil.copytree(template, place)
    calls = dying(place, copies)
    assert done(place, action, calls) is None
    assert len(calls.names) > 5
    for copy in sorted(copies.iterdir())[:: 1 if TORTURE else 3]:
        found = content(copy, *ALL)
        for each in ALL:
            assert found[each] in possible.get(each, {BEFORE[each]}), (copy.name, calls.names[int(copy.name) :][:3])
        # And the work goes on, in the same place.
        cache = opened(copy)
        action(cache)
        assert verify(cache, fix=True).is_good
        cache.close()


def test_the_first_save_of_all_may_die_at_any_step(tmp_path: Path) -> None:
    place, copies = tmp_path / "deeper" / "cache", tmp_path / "copies"
    calls = dying(place, copies)
    assert done(place, ACTIONS["save large"][0], calls) is None
    assert len(list(copies.iterdir())) > 20
    for copy in sorted(copies.iterdir()):
        assert content(copy, "large_b")["large_b"] in {None, 0}
        cache = opened(copy)
        cache.save(draft("large_b", 1))
        cache.close()
        assert content(copy, "large_b") == {"large_b": 1}
        assert (copy / "CACHEDIR.TAG").exists()


@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize("name", ["save again", "forget large", "prune"])
def test_calls_that_do_a_part_of_what_they_were_asked_for_lose_nothing(
    name: str, network: bool, tmp_path: Path
) -> None:
    cache = opened(tmp_path / "cache", system=Calls().system(short=True), network=network)
    for each in EARLIER:
        cache.save(draft(each))
    ACTIONS[name][0](cache)
    cache.close()
    again = opened(tmp_path / "cache", system=Calls().system(short=True), network=network)
    assert not [finding for finding in verify(again).findings if finding.is_wrong]
    assert {each: version_in(again, each) for each in ALL} == {**BEFORE, **AFTER[name]}
    again.close()


def tiered(place: Path, calls: Calls | None = None) -> Cache:
    """A directory in front of a shared store; the calls are those for the directory."""
    system = REAL if calls is None else calls.system()
    url = f"file://{place}/shared"
    return Cache.at(url, keyring=KEYRING, local=place / "near", network=False, system=system, write="through")


def shared_by(place: Path, calls: Calls) -> Exception | None:
    """Save records, and let them be sent; what that raised."""
    try:
        cache = tiered(place, calls)
        try:
            for name in ("large_b", "tiny_b"):
                cache.save(draft(name))
        finally:
            cache.close()
    except CheckpointError as problem:
        return problem
    return None


def sent_after_all(place: Path) -> set[str]:
    """The names of the records that others find, once another process has sent what was left."""
    far = RemoteStore(f"file://{place}/shared")
    for entry in list(far.entries("records/")):
        # A record never comes before its Blobs.
        header = read_header(far.get(entry.name).view).header
        assert all(far.contains(name) for name in blobs_of(header))
    cache = tiered(place)
    cache.store.catch_up()
    assert cache.flush(20) == 0
    near = {row.label for row in cache.rows()}
    cache.close()
    there = Cache.at(f"file://{place}/shared", keyring=KEYRING)
    found = {f"work.{name}" for name in ALL if version_in(there, name) == 0}
    assert found == {row.label for row in there.rows()}
    assert near <= found
    return found


@pytest.mark.filterwarnings("ignore::ipycheckpoint.errors.CheckpointWarning")
def test_at_whatever_step_a_process_dies_what_it_had_kept_is_sent_by_the_next_one(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    place = tmp_path / "both"
    assert shared_by(place, Calls()) is None
    shutil.rmtree(place)
    assert shared_by(place, dying(place, tmp_path / "copies")) is None
    copies = sorted((tmp_path / "copies").iterdir())
    assert len(copies) > 50
    for copy in copies[:: 1 if TORTURE else 5]:
        assert sent_after_all(copy) <= {"work.large_b", "work.tiny_b"}
    assert sent_after_all(place) == {"work.large_b", "work.tiny_b"}


@pytest.mark.parametrize("code", ERRORS.values() if TORTURE else [ERRORS["ENOSPC"]])
@pytest.mark.filterwarnings("ignore::ipycheckpoint.errors.CheckpointWarning")
def test_whatever_call_fails_what_was_kept_is_sent_in_the_end(code: int, tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    calls = Calls()
    assert shared_by(tmp_path / "whole", calls) is None
    for number in range(0, len(calls.names), 1 if TORTURE else 7):
        place = tmp_path / str(number)
        problem = shared_by(place, failing({number}, code))
        found = sent_after_all(place)
        assert problem is not None or found == {"work.large_b", "work.tiny_b"}, calls.names[number]


def save_file(place: Path, system_calls: Calls, version: int, *, short: bool = False) -> None:
    files = LocalFiles(place, system=system_calls.system(short=short))
    files.write("date=2017/bar.ckpt", pack({"x": [version] * 20_000}, label="bar", keyring=KEYRING))


def problem_of(action: Callable[[], object]) -> StoreError | None:
    try:
        action()
    except StoreError as problem:
        return problem
    return None


def version_of_file(place: Path) -> int | None:
    content = LocalFiles(place).read("date=2017/bar.ckpt")
    return None if content is None else unpack(content.view, keyring=KEYRING)["x"][0]


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("code", ERRORS.values(), ids=ERRORS)
def test_whatever_call_fails_a_savepoint_is_the_old_one_or_the_new_one(code: int, short: bool, tmp_path: Path) -> None:
    calls = Calls()
    save_file(tmp_path / "whole", calls, 1, short=short)
    for numbers in [s for n in range(len(calls.names)) for s in ({n}, range(n, 10_000))]:
        place = tmp_path / f"{min(numbers)}-{len(numbers)}"
        save_file(place, Calls(), 1)
        problem = problem_of(partial(save_file, place, failing(numbers, code), 2, short=short))
        if problem is not None:
            assert str(place) in problem.location
            assert problem.reason == os.strerror(code)
        assert version_of_file(place) in ({2} if problem is None else {1, 2})
        # The folder says what there is, and nothing half-written.
        if len(numbers) == 1:
            assert [p.name for p in (place / "date=2017").iterdir()] == ["bar.ckpt"]


@pytest.mark.parametrize("power", [False, True], ids=["process", "machine"])
def test_at_whatever_step_the_process_or_the_machine_dies_a_savepoint_is_the_old_one_or_the_new_one(
    power: bool, tmp_path: Path
) -> None:
    place, copies = tmp_path / "data", tmp_path / "copies"
    save_file(place, Calls(), 1)
    calls = dying(place, copies, power=power)
    save_file(place, calls, 2)
    found = [version_of_file(copy) for copy in sorted(copies.iterdir())]
    assert set(found) == {1, 2}
    assert found == sorted(found)
    assert version_of_file(place) == 2


@pytest.mark.parametrize("code", [None, *ERRORS.values()])
def test_a_file_of_an_earlier_release_that_is_upgraded_is_the_old_one_or_the_new_one(
    code: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, copies = tmp_path / "data", tmp_path / "copies"
    save_file(place, Calls(), 1)
    for owner in (savefile, record_format):
        monkeypatch.setattr(owner, "FORMAT_VERSION", 2)
    monkeypatch.setitem(record_format._upgrades, 1, lambda old: old)
    path = "date=2017/bar.ckpt"

    def upgraded(place: Path, calls: Calls) -> None:
        files = LocalFiles(place, system=calls.system())
        with monkeypatch.context() as patch:
            patch.setattr(savefile, "file_at", lambda _: (files, path))
            assert savefile.upgrade(place / path, keyring=KEYRING)

    if code is None:
        upgraded(place, dying(place, copies, power=True))
        for copy in copies.iterdir():
            assert version_of_file(copy) == 1
        return
    calls = Calls()
    shutil.copytree(place, tmp_path / "whole")
    upgraded(tmp_path / "whole", calls)
    assert len(calls.names) > 8
    for numbers in [s for n in range(len(calls.names)) for s in ({n}, range(n, 10_000))]:
        copy = tmp_path / f"{min(numbers)}-{len(numbers)}"
        shutil.copytree(place, copy)
        problem = problem_of(partial(upgraded, copy, failing(numbers, code)))
        assert problem is None or str(copy) in problem.location
        assert version_of_file(copy) == 1


def test_a_savepoint_is_on_the_disk_before_it_is_seen_and_so_is_its_name_before_save_returns(tmp_path: Path) -> None:
    calls = Calls()
    save_file(tmp_path, calls, 1)
    names = calls.names
    assert names.index("fsync") < names.index("replace") < len(names) - 1 - names[::-1].index("fsync")


@pytest.mark.parametrize("name", ["save small", "save large", "save again"])
def test_when_the_machine_dies_a_cache_serves_what_is_whole_or_nothing(
    name: str, template: Path, tmp_path: Path
) -> None:
    place, copies = tmp_path / "cache", tmp_path / "copies"
    shutil.copytree(template, place)
    action, possible = ACTIONS[name]
    assert done(place, action, dying(place, copies, power=True)) is None
    for copy in sorted(copies.iterdir()):
        for each, version in content(copy, *ALL).items():
            # What was being replaced may be lost; it is said, and made again.
            assert isinstance(version, str) or version in possible.get(each, {BEFORE[each]})
            assert each in possible or version == BEFORE[each]


def test_a_full_disk_costs_no_result_and_is_told_once(template: Path, tmp_path: Path) -> None:
    place = tmp_path / "cache"
    shutil.copytree(template, place)
    cache = opened(place, system=failing(range(10_000), ERRORS["ENOSPC"]).system())
    with pytest.raises(StoreError, match=f"can't .* {place}.*: .*({os.strerror(ERRORS['ENOSPC'])}|full)"):
        cache.save(draft("large_b"))
    cache.close()
    assert content(place, *ALL) == BEFORE
