"""A large result that was restored before is mapped again in microseconds, and never another than what was kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ipycheckpoint import checkpoint, workspace
from ipycheckpoint.errors import CheckpointWarning

runs: list[object] = []
NBYTES = 800_000
CONFIG = {"a": [1]}


@pytest.fixture
def here(tmp_path):
    runs.clear()
    with workspace.using(workspace.Workspace({"IPYCHECKPOINT_DIR": str(tmp_path / "cache")})) as here:
        yield here
        here.close()


def expected(x):
    return np.arange(NBYTES // 8) + x


@pytest.fixture
def f(here):
    @checkpoint(ignore=["runs"])
    def f(x):
        runs.append(x)
        return {"values": np.arange(NBYTES // 8) + x, "name": "f"}

    f(1), f(1), f(1)
    assert runs == [1]
    assert here.cache().recall(f.identity(1).key) is not None, "it isn't recalled, so nothing here is tested"
    return f


@pytest.fixture
def blob(f, here):
    [path] = [path for path in Path(here.cache_directory()).rglob("*") if path.is_file() and is_blob(path)]
    return path


def is_blob(path: Path) -> bool:
    return path.stat().st_size == NBYTES


def test_it_is_what_was_kept(f):
    assert np.array_equal(f(1)["values"], expected(1))
    assert runs == [1]


def test_it_is_the_callers_own(f):
    first, second = f(1), f(1)
    first["values"][:] = 0
    first["name"] = "mine"
    assert np.array_equal(second["values"], expected(1))
    assert f(1)["name"] == "f"
    assert np.array_equal(f(1)["values"], expected(1))


def altered(blob: Path) -> None:
    with blob.open("r+b") as file:
        file.write(b"altered!")


def cut_off(blob: Path) -> None:
    os.truncate(blob, NBYTES // 2)


def replaced(blob: Path) -> None:
    other = blob.with_name("other")
    other.write_bytes(bytes(NBYTES))
    other.replace(blob)


def with_times_set_back(blob: Path) -> None:
    before = blob.stat()
    altered(blob)
    os.utime(blob, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("harm", [altered, cut_off, replaced, with_times_set_back])
def test_harm_to_its_file_is_noticed_and_mended(f, blob, harm):
    harm(blob)
    with pytest.warns(CheckpointWarning, match="runs again"):
        assert np.array_equal(f(1)["values"], expected(1))
    assert np.array_equal(f(1)["values"], expected(1))
    assert np.array_equal(f(1)["values"], expected(1))
    assert runs == [1, 1]


def test_a_file_that_is_gone_is_noticed_and_mended(f, blob):
    blob.unlink()
    with pytest.warns(CheckpointWarning, match="runs again"):
        f(1)
    assert np.array_equal(f(1)["values"], expected(1))
    assert runs == [1, 1]


def test_a_file_that_was_put_anew_is_verified_and_recalled(f, here, blob):
    content = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(content)
    assert np.array_equal(f(1)["values"], expected(1))
    assert np.array_equal(f(1)["values"], expected(1))
    assert here.cache().recall(f.identity(1).key) is not None
    assert runs == [1]


def test_what_another_process_forgets_runs_again(f, here):
    program = (
        "from ipycheckpoint.cache.cache import Cache\n"
        f"cache = Cache.at({str(here.cache_directory())!r})\n"
        f"assert cache.forget({f.identity(1).key!r})\ncache.close()"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    f(1)
    assert runs == [1, 1]


def test_hits_are_counted(f, here):
    f(1), f(1)
    [row] = here.cache().rows()
    assert row.hits == 4


def test_what_cannot_be_loaded_any_more_runs_again(here, monkeypatch):
    kind = type("Kind", (), {"__module__": __name__, "__qualname__": "Kind"})
    monkeypatch.setitem(globals(), "Kind", kind)

    @checkpoint(ignore=["runs"])
    def f(x):
        runs.append(x)
        made = Kind()  # noqa: F821 - it is there while the test runs
        made.values = np.arange(NBYTES // 8)
        return made

    f(1), f(1), f(1)
    assert runs == [1]
    key = f.identity(1).key
    assert here.cache().recall(key) is not None
    monkeypatch.delitem(globals(), "Kind")
    assert here.cache().recall(key) is None


@pytest.mark.parametrize("nbytes", [8, NBYTES])
def test_what_refers_to_a_live_object_is_looked_up_in_full(here, nbytes):
    @checkpoint(ignore=["runs"])
    def f(x):
        runs.append(x)
        return [np.zeros(nbytes // 8), CONFIG, x]

    assert all(f(1)[1] is CONFIG for _ in range(4))
    assert runs == [1]
