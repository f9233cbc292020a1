"""A call that was restored before is restored again in microseconds, and still sees everything that counts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ipycheckpoint import checkpoint, tags, workspace
from ipycheckpoint.cache.cache import Cache

runs: list[object] = []
RATE = 2
ITEMS = [1]


def helper(x):
    return x * RATE


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "RATE", 2)
    monkeypatch.setitem(globals(), "ITEMS", [1])
    runs.clear()
    with workspace.using(workspace.Workspace({"IPYCHECKPOINT_DIR": str(tmp_path / "cache")})) as here:
        yield here
        here.close()


@pytest.fixture
def f(here):
    @checkpoint(ignore=["runs"])
    def f(x, y="a"):
        runs.append(x)
        return [helper(x), ITEMS[0], y]

    f(1), f(1), f(1)
    assert runs == [1]
    assert here.cache().recall(f.identity(1).key) is not None, "it isn't recalled, so nothing here is tested"
    return f


def elsewhere(here, code: str) -> None:
    opened = f"from ipycheckpoint.cache.cache import Cache\ncache = Cache.at({str(here.cache_directory())!r})"
    program = f"{opened}\n{code}\ncache.close()"
    subprocess.run(
        [sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    )


@pytest.mark.parametrize("change", ["RATE = 3", "ITEMS.append(2)", "ITEMS = [2]", "def helper(x): return x"])
def test_what_counts_is_seen(f, monkeypatch, change):
    before = helper
    try:
        exec(change, globals())
        f(1)
        assert len(runs) == 2
    finally:
        globals()["helper"] = before


def test_the_result_is_the_callers_own(f):
    f(1).append("mine")
    assert f(1) == [2, 1, "a"]
    assert runs == [1]


@pytest.mark.parametrize("argument", [True, 1.0, "1", b"1", 2])
def test_other_arguments_are_told_apart(f, argument):
    f(argument)
    assert len(runs) == 2


def test_the_same_call_written_otherwise_is_the_same(f):
    assert f(x=1) == f(1, "a") == f(1, y="a") == [2, 1, "a"]
    assert runs == [1]


def test_what_is_forgotten_runs_again(f):
    assert f.forget(1)
    f(1)
    assert len(runs) == 2


def test_what_another_cache_on_the_directory_forgets_runs_again(f, here):
    cache = Cache.at(here.cache_directory())
    assert cache.forget(f.identity(1).key)
    cache.close()
    f(1)
    assert len(runs) == 2


def test_what_another_process_forgets_runs_again(f, here):
    elsewhere(here, f"assert cache.forget({f.identity(1).key!r})")
    f(1)
    assert len(runs) == 2


def test_what_another_process_does_elsewhere_is_no_matter(f, here):
    f(5)
    elsewhere(here, f"assert cache.forget({f.identity(5).key!r})")
    f(1)
    assert runs == [1, 5]
    f(5)
    assert runs == [1, 5, 5]


def test_a_directory_that_is_deleted_is_noticed(f, here):
    shutil.rmtree(here.cache_directory())
    f(1)
    assert len(runs) == 2


def test_rerun_runs_and_what_it_gives_is_restored_from_then_on(here):
    numbers = iter([1, 2])

    @checkpoint(ignore=["numbers", "runs"])
    def f():
        return next(numbers)

    assert (f(), f(), f()) == (1, 1, 1)
    assert f.rerun() == 2
    assert (f(), f(), f()) == (2, 2, 2)


@pytest.mark.parametrize(("mode", "expected"), [("off", 2), ("refresh", 2), ("read", 1), ("on", 1)])
def test_the_mode_counts(f, here, mode, expected):
    here.mode = mode
    f(1)
    assert len(runs) == expected


def test_tags_count(f):
    with tags(run=2):
        f(1), f(1), f(1)
    f(1)
    assert runs == [1, 1]


def test_what_expires_is_not_recalled(here):
    @checkpoint(expires="1d", ignore=["runs"])
    def f(x):
        runs.append(x)
        return x

    f(1), f(1), f(1)
    assert here.cache().recall(f.identity(1).key) is None
    assert runs == [1]


def test_what_read_a_file_is_not_recalled(here, tmp_path):
    data = tmp_path / "data"
    data.write_text("1")

    @checkpoint(ignore=["runs"])
    def f(path):
        runs.append(path)
        return Path(path).read_text()

    assert f(str(data)) == f(str(data)) == f(str(data)) == "1"
    data.write_text("22")
    assert f(str(data)) == "22"


def test_hits_are_counted_and_explained(f, here):
    f(1), f(1)
    [row] = here.cache().rows()
    assert row.hits == 4
    assert here.explanation(f.label).verdict == "hit"
