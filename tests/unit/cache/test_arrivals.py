"""Small records are listed some time after they were saved; nobody who asks can tell."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ipycheckpoint.cache.arrivals import BEGINNING, Arrivals
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.store.directory import DirectoryStore
from tests.contracts.cache_contract import KEYRING, draft, identity, opened

ROOT = Path(__file__).parents[3]

SAVER = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.unit.cache.test_arrivals import open_at, save
cache = open_at(sys.argv[1])
save(cache, *sys.argv[2:])
"""


def open_at(path: object) -> Cache:
    return opened(Path(str(path)))


def save(cache: Cache, *names: str) -> None:
    for name in names:
        cache.save(draft(identity(name), name))


def keys(*names: str) -> set[Key]:
    return {identity(name).key for name in names}


def listed(cache: Cache) -> set[Key]:
    return {row.key for row in cache.rows()}


def in_file(path: Path) -> set[str]:
    with closing(sqlite3.connect(path / "catalogue.sqlite")) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM records")}


def run(path: Path, code: str, *names: str) -> int:
    command = [sys.executable, "-W", "error", "-c", SAVER + code, str(path), *names]
    return subprocess.run(command, check=False).returncode


@pytest.fixture
def lagging(tmp_path: Path) -> Path:
    """A cache with three records, of which a process that was killed has listed only the first."""
    assert run(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)", "a", "b", "c") == -signal.SIGKILL
    assert in_file(tmp_path) == keys("a")
    return tmp_path


def test_what_was_saved_by_a_process_that_was_killed_is_listed_and_nothing_written(lagging: Path) -> None:
    before = {path: path.read_bytes() for path in lagging.iterdir() if not path.name.endswith("-shm")}
    cache = open_at(lagging)
    assert listed(cache) == keys("a", "b", "c")
    assert cache.catalogue.count() == cache.catalogue.totals().records == 3
    assert len(cache.catalogue.page(0, 2, search="work")[0]) == 2
    cache.close()
    assert {path: path.read_bytes() for path in before} == before


def test_the_next_save_lists_what_was_missed(lagging: Path) -> None:
    cache = open_at(lagging)
    save(cache, "d")
    cache.close()
    assert in_file(lagging) == keys("a", "b", "c", "d")


def test_what_was_missed_counts_as_computed_once_however_often_it_is_listed(lagging: Path) -> None:
    for name in ("d", "e"):
        cache = open_at(lagging)
        save(cache, name)
        cache.catalogue.rebuild()
        cache.close()
    assert {row.misses for row in open_at(lagging).rows()} == {1}


def test_what_another_process_saves_shows_at_once(tmp_path: Path) -> None:
    ours, theirs = open_at(tmp_path), open_at(tmp_path)
    for number in range(5):
        save(theirs, f"x{number}")
        assert len(ours.rows()) == number + 1
        assert ours.catalogue.count() == number + 1
    ours.close()
    theirs.close()


def test_who_has_looked_before_there_was_a_catalogue_sees_what_comes(tmp_path: Path) -> None:
    with closing(open_at(tmp_path)) as ours, closing(open_at(tmp_path)) as theirs:
        assert listed(theirs) == set()
        ours.catalogue.flush()  # so that what comes next is written some time later
        save(ours, "a")
        assert listed(theirs) == keys("a")
        save(ours, "b")
        assert listed(theirs) == keys("a", "b")


def test_what_another_process_saves_changes_the_stamp(tmp_path: Path) -> None:
    ours, theirs = open_at(tmp_path), open_at(tmp_path)
    save(theirs, "a")
    ours.rows()
    before = ours.catalogue.stamp()
    assert ours.catalogue.stamp() == before
    save(theirs, "b")
    assert ours.catalogue.stamp() != before
    ours.close()
    theirs.close()


def test_a_record_in_a_file_is_listed_at_once(tmp_path: Path) -> None:
    cache = open_at(tmp_path)
    save(cache, "a", "b")
    cache.save(draft(identity("large"), [str(number) for number in range(20_000)]))
    assert identity("large").key in in_file(tmp_path)
    cache.close()


def test_what_is_removed_before_it_was_listed_is_not_listed(tmp_path: Path) -> None:
    ours, theirs = open_at(tmp_path), open_at(tmp_path)
    save(ours, "a", "b", "c")
    theirs.forget(identity("b").key)
    ours.forget(identity("c").key)
    assert listed(ours) == listed(theirs) == keys("a")
    ours.close()
    assert listed(theirs) == keys("a")
    theirs.close()


def test_a_record_that_takes_the_row_of_one_that_was_removed_is_listed(tmp_path: Path) -> None:
    ours, theirs = open_at(tmp_path), open_at(tmp_path)
    save(ours, "a", "b")
    assert listed(ours) == keys("a", "b")
    ours.forget(identity("b").key)
    ours.close()
    run(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)", "c", "d")
    assert listed(theirs) == keys("a", "c", "d")
    theirs.close()


def test_a_record_that_is_made_again_and_again_costs_no_look_at_all_others(tmp_path: Path) -> None:
    cache = open_at(tmp_path)
    save(cache, *map(str, range(20)))
    cache.catalogue.flush()
    readings = []
    records = cache.catalogue._tables.records
    cache.catalogue._tables.records = lambda: readings.append(1) or records()  # type: ignore[func-returns-value]  # None
    for _ in range(40):
        save(cache, "again")
        cache.catalogue.flush()
    assert len(cache.rows()) == 21
    assert readings == []
    cache.close()


def test_where_no_row_is_left_that_was_known_all_is_listed_anew(tmp_path: Path) -> None:
    cache = open_at(tmp_path)
    save(cache, "a", "b")
    cache.close()
    (tmp_path / "small.sqlite").unlink()
    assert run(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)", "c", "d") == -signal.SIGKILL
    cache = open_at(tmp_path)
    assert keys("c", "d") <= listed(cache)
    cache.close()


def test_a_hit_of_what_is_not_listed_yet_counts(lagging: Path) -> None:
    cache = open_at(lagging)
    cache.catalogue.hit(identity("c").key, 1.0)
    cache.close()
    assert {row.key: row.hits for row in open_at(lagging).rows()}[identity("c").key] == 1


# Python warns of what we test: forks while other threads are there.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_does_not_list_what_its_parent_has_removed_since(tmp_path: Path) -> None:
    cache = open_at(tmp_path)
    save(cache, "a", "b")
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            os.close(go)
            os.read(ready, 1)
            cache.close()
            os._exit(0)
        os._exit(1)
    cache.forget(identity("b").key)
    os.close(go)
    os.close(ready)
    assert os.waitpid(child, 0)[1] == 0
    assert listed(cache) == keys("a")
    cache.close()


class TestMarks:
    @pytest.fixture
    def store(self, tmp_path: Path):
        store = DirectoryStore(tmp_path)
        yield store
        store.close()

    def test_what_came_after_the_first_that_is_left_is_told_in_order(self, store: DirectoryStore) -> None:
        arrivals = Arrivals(store, KEYRING)
        store.put("blobs/a", [b"1"])
        old = arrivals.newest()
        store.put("records/b", [b"2"])
        new = arrivals.newest()
        store.put("records/c", [b"3"])
        assert [arrival.key for arrival in arrivals.since([new, old]).arrivals] == ["c"]
        store.remove("records/b")
        assert [arrival.key for arrival in arrivals.since([new, old]).arrivals] == ["c"]
        assert arrivals.since([new]) is None

    def test_a_mark_whose_number_came_again_is_none(self, store: DirectoryStore) -> None:
        arrivals = Arrivals(store, KEYRING)
        store.put("records/a", [b"1"])
        mark = arrivals.newest()
        store.remove("records/a")
        store.put("records/b", [b"2"])
        assert arrivals.newest()[0] == mark[0]
        assert arrivals.since([mark]) is None

    def test_an_empty_store_is_at_its_beginning(self, store: DirectoryStore, tmp_path: Path) -> None:
        arrivals = Arrivals(store, KEYRING)
        assert arrivals.newest() == BEGINNING
        assert arrivals.since([BEGINNING]).arrivals == ()
        assert list(tmp_path.iterdir()) == []

    def test_a_value_that_is_put_again_arrives_again(self, store: DirectoryStore) -> None:
        arrivals = Arrivals(store, KEYRING)
        for name in ("records/a", "records/b"):
            store.put(name, [b"1"])
        mark = arrivals.newest()
        store.put("records/a", [b"2"])
        assert [arrival.key for arrival in arrivals.since([mark]).arrivals] == ["a"]
