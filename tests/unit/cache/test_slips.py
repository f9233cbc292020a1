"""Hits of a process that opened no catalogue are counted, each once, whoever looks and whoever writes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.slips import Slips
from ipycheckpoint.cache.uses import Uses
from ipycheckpoint.store.system import REAL
from tests.contracts.cache_contract import draft, identity

ROOT = Path(__file__).parents[3]
A, B = identity("a"), identity("b")

HITS = """
import os, signal, sys
sys.path.insert(0, {root!r})
from ipycheckpoint.cache.cache import Cache
from tests.contracts.cache_contract import identity
cache = Cache.at({path!r})
for _ in range({times}):
    cache.count_hit(cache.header(identity("a").key), 0.5)
if {killed}:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def hits(path: Path, times: int = 1, *, killed: bool = False) -> None:
    """Count so many hits of `a` in another process."""
    program = HITS.format(root=str(ROOT), path=str(path), times=times, killed=killed)
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == (-signal.SIGKILL if killed else 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A cache with two records, which no process has open."""
    with_two = tmp_path / "cache"
    cache = Cache.at(with_two)
    cache.save(draft(A, 1))
    cache.save(draft(B, 2))
    cache.close()
    return with_two


def slips(path: Path) -> list[str]:
    return [slip.name for slip in (path / "hits").iterdir()] if (path / "hits").exists() else []


def counted(path: Path) -> list[int]:
    """How many hits `a` and `b` have had, as another process is told."""
    cache = Cache.at(path)
    found = {row.key: row.hits for row in cache.rows()}
    assert sum(found.values()) == cache.catalogue.totals().hits
    restores = cache.catalogue.restores(list(found))
    assert {key: sum(moments.values()) for key, moments in restores.items()} == found
    cache.close()
    return [found[A.key], found[B.key]]


def write_up(path: Path) -> None:
    """Have the catalogue written."""
    cache = Cache.at(path)
    cache.save(draft(identity("another"), 3))
    cache.close()


def test_a_process_that_only_restores_writes_nothing_into_the_catalogue(path):
    before = (path / "catalogue.sqlite").read_bytes()
    hits(path, 3)
    assert (path / "catalogue.sqlite").read_bytes() == before
    assert slips(path) != []


def test_whoever_asks_counts_what_is_on_slips_and_leaves_them(path):
    hits(path, 3)
    hits(path)
    there = slips(path)
    assert counted(path) == [4, 0]
    assert counted(path) == [4, 0]
    assert slips(path) == there


def test_whoever_writes_counts_them_for_good(path):
    hits(path, 3)
    hits(path)
    write_up(path)
    assert slips(path) == []
    assert counted(path) == [4, 0]


def test_who_has_asked_before_hears_of_later_ones(path):
    cache = Cache.at(path)
    for number in (1, 2):
        hits(path)
        assert {row.key: row.hits for row in cache.rows()}[A.key] == number
        assert cache.catalogue.totals().hits == number
    cache.close()


def test_what_is_on_a_slip_outlives_its_process(path):
    hits(path, killed=True)
    assert counted(path) == [1, 0]


def test_processes_at_once_lose_none(path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: write_up(path) if number % 4 == 3 else hits(path, 2), range(12)))
    assert counted(path) == [18, 0]
    write_up(path)
    assert counted(path) == [18, 0]


def test_a_slip_that_could_not_be_removed_counts_once(path):
    hits(path, 3)

    def refuse(path):
        raise PermissionError(path)

    cache = Cache.at(path, system=replace(REAL, unlink=refuse))
    cache.save(draft(identity("another"), 3))
    cache.close()
    assert slips(path) != []
    assert counted(path) == [3, 0]
    write_up(path)
    assert slips(path) == []
    assert counted(path) == [3, 0]


def test_who_is_killed_before_slips_are_removed_has_counted_them_once(path):
    hits(path, 3)
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.slips import Slips
from tests.contracts.cache_contract import draft, identity
Slips.remove = lambda self, names: os.kill(os.getpid(), signal.SIGKILL)
cache = Cache.at({str(path)!r})
cache.save(draft(identity("another"), 3))
cache.close()
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert counted(path) == [3, 0]
    write_up(path)
    assert counted(path) == [3, 0]


def test_there_are_never_very_many(path):
    cache = Cache.at(path)
    header = cache.header(A.key)
    for _ in range(70):
        Cache.at(path).count_hit(header, 0.5)
    assert len(slips(path)) < 64
    cache.close()
    assert counted(path) == [70, 0]


def test_hits_of_very_many_records_are_not_left_on_one(path):
    cache = Cache.at(path)
    for number in range(200):
        cache.save(draft(identity(f"one of many {number}"), number))
    cache.close()
    headers = [cache.header(key) for key in cache.catalogue.keys()]
    for header in headers:
        cache.count_hit(header, 0.5)
    cache.close()
    assert slips(path) == []
    assert sum(counted(path)) == 2


def test_the_hits_of_a_record_that_is_gone_are_forgotten(path):
    hits(path)
    cache = Cache.at(path)
    cache.forget(A.key)
    assert cache.catalogue.restores([A.key]) == {A.key: {}}
    assert cache.catalogue.totals().hits == 0
    cache.close()


def test_they_count_where_the_catalogue_was_lost(path):
    hits(path)
    for file in path.glob("catalogue*"):
        file.unlink()
    assert counted(path) == [1, 0]
    write_up(path)
    assert counted(path) == [1, 0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"x": 1}',
        b'{"x": [1, 2, 3, 4, [[1]]]}',
        b'{"x": [-1, 0, 0, 0, []]}',
        b'{"x": [1, NaN, 0, 0, []]}',
        b'{"x": [1, "y", 0, 0, []]}',
        b'{"x": [true, 0, 0, 0, []]}',
        b"\xff",
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:40]),
)
def test_what_is_no_slip_counts_nothing(path, content):
    (path / "hits").mkdir()
    (path / "hits" / ("0" * 32)).write_bytes(content)
    assert counted(path) == [0, 0]
    write_up(path)
    assert slips(path) == []


def test_what_has_another_name_is_left_alone(path):
    (path / "hits").mkdir()
    (path / "hits" / "notes.txt").write_text("mine")
    hits(path)
    write_up(path)
    assert slips(path) == ["notes.txt"]


def test_a_link_in_the_place_of_the_folder_is_not_followed(path, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (path / "hits").symlink_to(tmp_path / "elsewhere")
    hits(path)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert counted(path) == [1, 0]


def test_where_none_can_be_left_the_catalogue_is_written(path):
    (path / "hits").write_text("no folder")
    hits(path, 2)
    assert counted(path) == [2, 0]


def test_one_that_could_not_be_finished_is_none(tmp_path):
    def refuse(source, target):
        raise OSError(28, "no space", target)

    uses = Uses()
    uses.count(A.key, 1_800_000_000.0, 1.0, 0.5)
    with pytest.raises(OSError, match="no space"):
        Slips(str(tmp_path / "hits"), replace(REAL, replace=refuse)).leave(uses)
    assert list((tmp_path / "hits").iterdir()) == []


SECONDS = st.floats(0, 1e9)
MOMENTS = st.lists(st.tuples(st.sampled_from("ab"), SECONDS, SECONDS, SECONDS))


@given(MOMENTS)
def test_a_slip_tells_what_was_counted(moments):
    uses = Uses()
    for key, now, saved, seconds in moments:
        uses.count(key, now, saved, seconds)
    again = Uses.from_json(uses.to_json())
    assert again.to_json() == uses.to_json()
    assert again.totals() == uses.totals()
    assert json.loads(uses.to_json()).keys() == {key for key, *_ in moments}
