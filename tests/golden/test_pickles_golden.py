"""A checkpointed function of ``__main__`` that was pickled, perhaps long ago, is read by its names in our modules."""

from __future__ import annotations

import dataclasses
import inspect
import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from ipycheckpoint.engine.parcel import Bundle, Parcel
from ipycheckpoint.surfaces.away import made_elsewhere

HERE = Path(__file__).resolve().parent
WRITTEN = sorted(HERE.glob("pickled-*.pickle"))

NAMES = {
    ("ipycheckpoint.engine.parcel", "Bundle"),
    ("ipycheckpoint.engine.parcel", "Parcel"),
    ("ipycheckpoint.surfaces.away", "made_elsewhere"),
}

READ = """
import pickle, sys, warnings
function = pickle.load(open(sys.argv[1], "rb"))
print(function.__wrapped__(2), function.label, function._options.tags, function.identity(2).key)
"""


def run(*arguments: str) -> bytes:
    environ = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
    return subprocess.run([sys.executable, *arguments], capture_output=True, check=True, env=environ, cwd=HERE).stdout


def names_in(written: bytes) -> set[tuple[str, str]]:
    found = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            found.add((module, name))
            return super().find_class(module, name)

    Reader(io.BytesIO(written)).load()
    return {(module, name) for module, name in found if module.startswith("ipycheckpoint")}


@pytest.mark.parametrize("path", WRITTEN, ids=[path.name for path in WRITTEN])
def test_what_was_pickled_once_loads_for_ever(path):
    value, label, *_ = run("-c", READ, str(path)).decode().split()
    assert (value, label) == ("6", "move")


@pytest.mark.parametrize("path", WRITTEN, ids=[path.name for path in WRITTEN])
def test_what_was_pickled_once_is_the_same_work(path):
    source = f"import runpy\nmove = runpy.run_path({str(HERE / 'pickled.py')!r}, run_name='__main__')['move']"
    there = f"import sys, io\nsys.stdout = io.TextIOWrapper(io.BytesIO())\n{source}\nsys.stdout = sys.__stdout__"
    key = run("-c", f"{there}\nprint(move.identity(2).key)").split()[-1]
    assert run("-c", READ, str(path)).split()[-1] == key


def test_what_is_pickled_names_nothing_else_of_ours():
    assert names_in(run("pickled.py")) == NAMES


@pytest.mark.parametrize(
    ("kind", "fields"), [(Bundle, ["streams"]), (Parcel, ["bundle", "names", "path"])], ids=["Bundle", "Parcel"]
)
def test_a_value_that_travels_has_the_fields_that_it_had(kind, fields):
    assert [field.name for field in dataclasses.fields(kind)] == fields


def test_the_reader_takes_what_it_took():
    assert list(inspect.signature(made_elsewhere).parameters) == ["qualname", "definition", "parcel", "place"]
