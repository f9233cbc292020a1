"""Every kind of damage is found and mended, and whoever dies while mending leaves what the next one can mend."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ipycheckpoint.cache.garbage import BLOBS, RECORDS
from ipycheckpoint.cache.verify import verify
from ipycheckpoint.errors import CheckpointError, StoreError
from tests.faults.faulty import ERRORS, Calls, dying, failing
from tests.faults.scale import TORTURE
from tests.faults.work import content, draft, key_of, opened, version_in

NAMES = ("tiny_a", "small_a", "large_a", "long_a")

OUTSIDE = "thesis.tex"

pytestmark = pytest.mark.filterwarnings("ignore::ipycheckpoint.errors.CheckpointWarning")


@pytest.fixture(scope="module")
def template(memory: Path) -> Path:
    """Rows, a file, a Blob of its own, a pin, something that a killed process left, and a file of the user's beside."""
    folder = Path(tempfile.mkdtemp(dir=memory))
    cache = opened(folder / "cache")
    for name in NAMES:
        cache.save(draft(name))
    cache.upkeep.pin(key_of("large_a"))
    cache.close()
    (folder / OUTSIDE).write_text("mine")
    os.utime(folder / OUTSIDE, (0, 0))
    return folder


def file_of(place: Path, name: str) -> Path:
    [path] = place.glob(f"files/{name.partition('/')[0]}/@*/{name.partition('/')[2]}")
    return path


def record_file(place: Path) -> Path:
    return file_of(place, RECORDS + key_of("long_a"))


def blob_file(place: Path) -> Path:
    """Of large_a: no other is a file."""
    [path] = place.glob("files/blobs/@*/*")
    return path


def sql(place: Path, statement: str, *values: object, stem: str = "small") -> None:
    with closing(sqlite3.connect(place / f"{stem}.sqlite", isolation_level=None)) as connection:
        assert connection.execute(statement, values).rowcount != 0


def change_row(change: str, name: str = "tiny_a") -> Callable[[Path], None]:
    return lambda place: sql(place, f"UPDATE entries SET {change} WHERE name = ?", RECORDS + key_of(name))


def flipped(path: Path, at: int) -> None:
    changed = bytearray(path.read_bytes())
    changed[at] ^= 4
    path.write_bytes(changed)


def in_place(path: Path, what: str) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    outside = path.parents[[p.name for p in path.parents].index("cache") + 1]
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
        (path / "within").write_text("x")
    else:
        path.symlink_to({"link": outside / OUTSIDE, "link to a folder": outside, "device": "/dev/zero"}[what])


def shuffle_page(path: Path, number: int) -> None:
    changed = bytearray(path.read_bytes())
    size = int.from_bytes(changed[16:18], "big")
    page = slice(size * number, size * (number + 1))
    changed[page] = changed[page][::-1]
    path.write_bytes(changed)


def disagreeing(path: Path) -> None:
    """An index has another name of a record than its table."""
    changed, key = bytearray(path.read_bytes()), key_of("tiny_a").encode()
    page = int.from_bytes(changed[16:18], "big")
    for at in range(page, len(changed)):
        if changed.startswith(key, at) and changed[at // page * page] == 0x0A:
            changed[at + 9] ^= 1
    assert changed != path.read_bytes()
    path.write_bytes(changed)


def replaced(path: Path, old: bytes, new: bytes) -> None:
    whole = path.read_bytes()
    assert old in whole
    path.write_bytes(whole.replace(old, new))


def left_behind(place: Path) -> None:
    path = place / "files" / "@new" / f"123-{'0' * 16}"
    path.write_bytes(b"half")
    os.utime(path, (time.time() - 7200,) * 2)


def moved_aside_before(place: Path) -> None:
    (place / "small.sqlite").rename(place / "small.sqlite.damaged")


def renamed(old: str, new: str) -> Callable[[Path], None]:
    return lambda place: (place / old).rename(place / new) and None


def row_of_blob(place: Path, which: str) -> None:
    cache = opened(place)
    header = cache.header(key_of("tiny_a"))
    cache.close()
    name = BLOBS + (header.environment if which == "environment" else header.texts[0][1])
    sql(place, "UPDATE entries SET data = zeroblob(length(data)) WHERE name = ?", name)


def ahead(place: Path) -> None:
    os.utime(blob_file(place), (time.time() + 10 * 365 * 86400,) * 2)


# What is done, what `verify` calls it, and which of NAMES can't be had any more.
DAMAGES: dict[str, tuple[Callable[[Path], object], str, tuple[str, ...]]] = {
    "a row with a flipped bit": (
        lambda p: change_row("data = substr(data, 1, length(data) - 9) || x'00' || substr(data, length(data) - 7)")(p),
        "damaged record", ("tiny_a",),
    ),
    "a row cut off": (change_row("data = substr(data, 1, 900)"), "damaged record", ("tiny_a",)),
    "an empty row": (change_row("data = zeroblob(0)"), "damaged record", ("tiny_a",)),
    "a row of a number": (change_row("data = 7"), "damaged record", ("tiny_a",)),
    "a row of text": (change_row("data = 'text'"), "damaged record", ("tiny_a",)),
    "a row without data": (change_row("data = NULL"), "stale listing", ("tiny_a",)),
    "a row of another record": (
        change_row(f"data = (SELECT data FROM entries WHERE name = '{RECORDS}{key_of('small_a')}')"),
        "damaged record", ("tiny_a",),
    ),
    "a row of a name that is none": (change_row("name = CAST(x'ff' AS TEXT)"), "stale listing", ("tiny_a",)),
    "a row of another name": (change_row("name = 'recorcs/' || substr(name, 9)"), "stale listing", ("tiny_a",)),
    "a row put at no time": (change_row("modified = 'soon'"), "wrong time", ()),
    "a row put in ten years": (change_row(f"modified = {time.time() + 3e8}"), "wrong time", ()),
    "a row of no version": (change_row("version = 'x'"), "", ()),
    "a row that is gone": (
        lambda p: sql(p, "DELETE FROM entries WHERE name = ?", RECORDS + key_of("tiny_a")), "stale listing", ("tiny_a",)
    ),
    "a record with a flipped bit in its header": (
        lambda p: flipped(record_file(p), 30), "damaged record", ("long_a",)
    ),
    "a record with a flipped bit in its payload": (
        lambda p: flipped(record_file(p), 50_000), "damaged record", ("long_a",)
    ),
    "a record cut off": (lambda p: os.truncate(record_file(p), 5_000), "damaged record", ("long_a",)),
    "an empty record": (lambda p: os.truncate(record_file(p), 0), "damaged record", ("long_a",)),
    "a record that is gone": (lambda p: record_file(p).unlink(), "stale listing", ("long_a",)),
    "a link in place of a record": (lambda p: in_place(record_file(p), "link"), "in the way", ("long_a",)),
    "a pipe in place of a record": (lambda p: in_place(record_file(p), "pipe"), "in the way", ("long_a",)),
    "a folder in place of a record": (lambda p: in_place(record_file(p), "folder"), "in the way", ("long_a",)),
    "a device in place of a blob": (lambda p: in_place(blob_file(p), "device"), "in the way", ("large_a",)),
    "a link in place of a folder": (
        lambda p: in_place(record_file(p).parent, "link to a folder"), "in the way", ("long_a",)
    ),
    "a link in place of all blobs": (
        lambda p: in_place(p / "files/blobs", "link to a folder"), "in the way", ("large_a",)
    ),
    "a link in place of what is being written": (
        lambda p: in_place(p / "files/@new", "link to a folder"), "in the way", ()
    ),
    "a link in place of all files": (
        lambda p: in_place(p / "files", "link to a folder"), "in the way", ("large_a", "long_a")
    ),
    "a blob with a flipped bit": (lambda p: flipped(blob_file(p), 1_000), "damaged blob", ("large_a",)),
    "a blob cut off": (lambda p: os.truncate(blob_file(p), 1_000), "damaged blob", ("large_a",)),
    "an empty blob": (lambda p: os.truncate(blob_file(p), 0), "damaged blob", ("large_a",)),
    "a blob that is gone": (lambda p: blob_file(p).unlink(), "damaged record", ("large_a",)),
    "a blob put in ten years": (ahead, "wrong time", ()),
    "a damaged environment": (lambda p: row_of_blob(p, "environment"), "damaged blob", NAMES),
    "a damaged source text": (lambda p: row_of_blob(p, "text"), "damaged blob", ("tiny_a",)),
    "a page of small values": (lambda p: shuffle_page(p / "small.sqlite", 1), "damaged database", NAMES),
    "the first page of small values": (lambda p: shuffle_page(p / "small.sqlite", 0), "damaged database", NAMES),
    "small values cut off": (lambda p: os.truncate(p / "small.sqlite", 9_000), "damaged database", NAMES),
    "small values of no bytes": (lambda p: os.truncate(p / "small.sqlite", 0), "damaged record", NAMES),
    "small values that are gone": (lambda p: (p / "small.sqlite").unlink(), "damaged record", NAMES),
    "small values of another version": (
        lambda p: sql(p, "PRAGMA user_version = 1025"), "damaged database", ()
    ),
    "small values that were moved aside before": (moved_aside_before, "damaged database", ()),
    "small values with a trigger": (
        lambda p: sql(p, "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END"),
        "damaged database", NAMES,
    ),
    "a link in place of small values": (lambda p: in_place(p / "small.sqlite", "link"), "damaged record", NAMES),
    "small values with an index that disagrees": (
        lambda p: disagreeing(p / "small.sqlite"), "damaged database", ()
    ),
    "small values of tables that are told in no text": (
        lambda p: replaced(p / "small.sqlite", b"CREATE TABLE entries", b"CREATE TABL\x84 entries"),
        "damaged database", NAMES,
    ),
    "a listing with an index that disagrees": (
        lambda p: disagreeing(p / "catalogue.sqlite"), "damaged database", ()
    ),
    "a listing of tables that are told in no text": (
        lambda p: replaced(p / "catalogue.sqlite", b"CREATE TABLE records", b"CREATE TABL\x84 records"),
        "damaged database", (),
    ),
    "a page of the listing": (lambda p: shuffle_page(p / "catalogue.sqlite", 1), "damaged database", ()),
    "the first page of the listing": (lambda p: shuffle_page(p / "catalogue.sqlite", 0), "damaged database", ()),
    "a listing cut off": (lambda p: os.truncate(p / "catalogue.sqlite", 9_000), "damaged database", ()),
    "a listing of another version": (lambda p: sql(p, "PRAGMA user_version = 1", stem="catalogue"), "", ()),
    "a listing with a view": (
        lambda p: sql(p, "CREATE VIEW v AS SELECT 1", stem="catalogue"), "damaged database", ()
    ),
    "a listing without a record": (
        lambda p: sql(p, "DELETE FROM records WHERE nbytes < 1000", stem="catalogue"), "stale listing", ()
    ),
    "a listing that tells something else": (
        lambda p: sql(p, "UPDATE records SET label = 'x'", stem="catalogue"), "stale listing", ()
    ),
    "a link in place of the listing": (lambda p: in_place(p / "catalogue.sqlite", "link"), "", ()),
    "a link in place of a damaged listing": (
        lambda p: (p / "catalogue.sqlite.damaged").symlink_to(p.parent / OUTSIDE), "", ()
    ),
    "what a killed process was writing": (left_behind, "leftover", ()),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_kind_of_damage_is_found_told_of_and_mended(damage: str, template: Path, tmp_path: Path) -> None:
    do, what, lost = DAMAGES[damage]
    shutil.copytree(template, tmp_path / "all")
    place = tmp_path / "all" / "cache"
    do(place)
    cache = opened(place)
    found = verify(cache)
    assert what in {"", *(finding.what for finding in found.findings)}
    # Those that cost nothing are no reason to worry.
    assert found.is_good == (what in ("", "leftover", "wrong time"))
    cache.close()
    cache = opened(place)
    assert verify(cache, fix=True).is_good
    again = verify(cache)
    assert again.findings == ()
    assert {name: version_in(cache, name) for name in NAMES if name not in lost} == dict.fromkeys(
        set(NAMES) - {*lost}, 0
    )
    assert {row.label for row in cache.rows()} <= {f"work.{name}" for name in NAMES}
    for name in NAMES:
        cache.save(draft(name, 1))
    assert [version_in(cache, name) for name in NAMES] == [1] * 4
    assert verify(cache).is_good
    cache.close()
    assert (tmp_path / "all" / OUTSIDE).read_text() == "mine"


def mended(place: Path, calls: Calls) -> CheckpointError | None:
    cache = opened(place, system=calls.system(), network=False)
    try:
        verify(cache, fix=True, system=calls.system())
    except CheckpointError as problem:
        return problem
    finally:
        cache.close()
    return None


def is_sound(place: Path, lost: tuple[str, ...]) -> bool:
    """Mended by now, with all that could still be had."""
    cache = opened(place)
    assert verify(cache, fix=True).is_good
    assert not [finding for finding in verify(cache).findings if finding.is_wrong]
    cache.close()
    found = content(place, *NAMES)
    return {found[name] for name in NAMES if name not in lost} <= {0} and set(found.values()) <= {0, None}


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "records/.DS_Store", "blobs/@ab/.DS_Store"])
def test_what_other_programs_leave_in_folders_is_no_damage(name: str, template: Path, tmp_path: Path) -> None:
    shutil.copytree(template / "cache", tmp_path / "cache")
    left = tmp_path / "cache" / "files" / name
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"theirs")
    cache = opened(tmp_path / "cache")
    assert verify(cache, fix=True).findings == ()
    assert left.read_bytes() == b"theirs"
    cache.close()


STEPS = 1 if TORTURE else 12
FAILING_STEPS = 3 if TORTURE else 24
"""Each of them, or some: others for each damage."""

IN_TURN = [name for number, name in enumerate(DAMAGES) if "pipe" not in name and (TORTURE or number % 8 == 0)]


@pytest.mark.parametrize("damage", IN_TURN)
def test_at_whatever_step_of_mending_a_process_dies_the_next_one_mends_the_rest(
    damage: str, template: Path, tmp_path: Path
) -> None:
    do, _, lost = DAMAGES[damage]
    shutil.copytree(template, tmp_path / "all", symlinks=True)
    do(tmp_path / "all" / "cache")
    assert mended(tmp_path / "all" / "cache", dying(tmp_path / "all", tmp_path / "copies")) is None
    copies = sorted((tmp_path / "copies").iterdir())
    assert len(copies) > 10
    for copy in copies[IN_TURN.index(damage) % STEPS :: STEPS]:
        assert is_sound(copy / "cache", lost), copy.name
        assert (copy / OUTSIDE).read_text() == "mine"


@pytest.mark.parametrize("code", ERRORS.values() if TORTURE else [ERRORS["EIO"]])
@pytest.mark.parametrize("damage", IN_TURN)
def test_whatever_call_fails_while_mending_it_is_said_and_nothing_more_is_lost(
    damage: str, code: int, template: Path, tmp_path: Path
) -> None:
    do, _, lost = DAMAGES[damage]
    shutil.copytree(template, tmp_path / "all", symlinks=True)
    do(tmp_path / "all" / "cache")
    shutil.copytree(tmp_path / "all", tmp_path / "whole", symlinks=True)
    calls = Calls()
    assert mended(tmp_path / "whole" / "cache", calls) is None
    for number in range(IN_TURN.index(damage) % FAILING_STEPS, len(calls.names), FAILING_STEPS):
        for numbers in ({number}, range(number, 100_000)):
            folder = tmp_path / f"{number}-{len(numbers)}"
            shutil.copytree(tmp_path / "all", folder, symlinks=True)
            problem = mended(folder / "cache", failing(numbers, code))
            assert problem is None or isinstance(problem, StoreError), problem
            assert is_sound(folder / "cache", lost), (numbers, calls.names[number])
            assert (folder / OUTSIDE).read_text() == "mine"
            shutil.rmtree(folder)


def test_what_cannot_be_mended_now_is_an_error_of_ours_that_says_where(template: Path, tmp_path: Path) -> None:
    shutil.copytree(template, tmp_path / "all")
    place = tmp_path / "all" / "cache"
    moved_aside_before(place)
    cache = opened(place)
    with pytest.raises(StoreError, match=rf"can't mend {place}: Input/output error"):
        verify(cache, fix=True, system=failing({"replace"}, ERRORS["EIO"]).system())
    cache.close()
    assert is_sound(place, ())
    assert content(place, *NAMES) == dict.fromkeys(NAMES, 0)
