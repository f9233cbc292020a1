from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipycheckpoint.store.database import Database, WrongVersion

SCHEMA = ("CREATE TABLE t (x)",)


@pytest.fixture(params=["file", "memory"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "place" if request.param == "file" else None, "some", SCHEMA, 1)
    yield database
    database.close()


def test_a_change_that_raises_changes_nothing(database: Database) -> None:
    database.execute("INSERT INTO t VALUES (1)")

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (2)")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.change(fail)
    assert database.rows("SELECT x FROM t") == [(1,)]
    assert database.change(lambda connection: connection.execute("DELETE FROM t").rowcount) == 1


def test_a_file_that_was_moved_aside_by_another_process_is_left(tmp_path: Path) -> None:
    ours, theirs = (Database(tmp_path, "some", SCHEMA, 1) for _ in range(2))
    ours.execute("INSERT INTO t VALUES ('old')")
    (tmp_path / "some.sqlite").rename(tmp_path / "some.sqlite.damaged")
    theirs.execute("INSERT INTO t VALUES ('new')")
    assert ours.rows("SELECT x FROM t") == [("new",)]
    ours.execute("INSERT INTO t VALUES ('newer')")
    assert theirs.rows("SELECT x FROM t") == [("new",), ("newer",)]
    assert (tmp_path / "some-1.sqlite").exists()
    ours.close()
    theirs.close()


def test_after_several_damages_the_newest_file_is_used(tmp_path: Path) -> None:
    for name in ["some.sqlite.damaged", "some-1.sqlite.damaged", "some-10.sqlite.damaged", "somewhere-77.sqlite"]:
        (tmp_path / name).touch()
    database = Database(tmp_path, "some", SCHEMA, 1)
    database.execute("INSERT INTO t VALUES (1)")
    database.close()
    assert (tmp_path / "some-11.sqlite").exists()
    assert database.rows("SELECT x FROM t") == [(1,)]
    database.close()


def test_a_file_of_another_version_is_left_alone_unless_it_is_disposable(tmp_path: Path) -> None:
    old = Database(tmp_path, "some", SCHEMA, 1)
    old.execute("INSERT INTO t VALUES (1)")
    old.close()
    new = Database(tmp_path, "some", ("CREATE TABLE t (a, b)",), 2)
    with pytest.raises(WrongVersion):
        new.rows("SELECT * FROM t")
    with pytest.raises(WrongVersion):
        new.execute("INSERT INTO t VALUES (1, 2)")
    assert old.rows("SELECT * FROM t") == [(1,)]
    disposable = Database(tmp_path, "some", ("CREATE TABLE t (a, b)",), 2, disposable=True)
    assert disposable.rows("SELECT * FROM t") == []
    disposable.execute("INSERT INTO t VALUES (1, 2)")
    assert disposable.rows("SELECT * FROM t") == [(1, 2)]
    for database in [old, new, disposable]:
        database.close()
