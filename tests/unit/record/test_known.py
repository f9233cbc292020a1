"""What comes out of a file is of the reader's own class, where that is still the one that was written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipycheckpoint.record.codec import encode

ROOT = Path(__file__).parents[3]

DEFINITIONS = """
import dataclasses, enum, typing
import ipycheckpoint as ck
FACTOR = 2

class Base:
    count = 1
    def __init__(self, v=3): self.v = v
    def scaled(self, by=1): return self.v * FACTOR * by

class Derived(Base):
    @property
    def own(self): return super().scaled()
    @classmethod
    def made(cls): return cls()

class Color(enum.Enum):
    RED = 1

@dataclasses.dataclass
class Data:
    x: int = 1

class Pair(typing.NamedTuple):
    a: int = 1

class Outer:
    class Inner: pass

things = {"base": Base(), "derived": Derived(), "color": Color.RED, "data": Data(), "pair": Pair(),
          "inner": Outer.Inner(), "Base": Base}
"""
SAVE = "ck.save(PATH, things, codec=CODEC)\n"
LOAD = "loaded = ck.load(PATH)\n"
ALL_MINE = """
for name, thing in things.items():
    mine = thing if isinstance(thing, type) else type(thing)
    theirs = loaded[name] if isinstance(thing, type) else type(loaded[name])
    assert mine is theirs, name
assert loaded["color"] is Color.RED
assert (loaded["data"], loaded["pair"]) == (Data(), Pair())
"""


def run(program, path, codec="pickle"):
    """A program in ``__main__``, as a file, so that its classes have a source."""
    script = path.with_suffix(".py")
    script.write_text(f"PATH, CODEC = {str(path)!r}, {codec!r}\n{program}")
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-W", "error", script], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def path(tmp_path):
    return tmp_path / "things.ckpt"


@pytest.mark.parametrize("codec", ["pickle", "dill"])
def test_in_the_process_that_wrote_it(path, codec):
    run(DEFINITIONS + SAVE + LOAD + ALL_MINE, path, codec)


@pytest.mark.parametrize("codec", ["pickle", "dill"])
def test_in_another_process_that_has_defined_the_same(path, codec):
    run(DEFINITIONS + SAVE, path, codec)
    moved = DEFINITIONS.replace("class Base:", "# a comment, and other lines\n\n\nclass Base:")
    run(moved + LOAD + ALL_MINE, path, codec)


def test_one_by_one(path):
    run(DEFINITIONS + SAVE + "loaded = {name: ck.load(PATH, name) for name in things}\n" + ALL_MINE, path)


def test_whatever_globals_stand_for(path):
    other = "FACTOR = 10\n" + LOAD + "assert type(loaded['base']) is Base and loaded['base'].scaled() == 30"
    run(DEFINITIONS + SAVE + other, path)


@pytest.mark.parametrize(
    "edit",
    [
        "Base.count = 2",
        "Base.scaled.__defaults__ = (5,)",
        "Base.more = lambda self: 1",
        "exec(compile('class Base(object):\\n    count = 1\\n', 'x', 'exec'))",
        "del Base",
        "Base = 7",
    ],
)
def test_a_class_that_was_edited_since_comes_back_as_it_was_and_is_not_touched(path, edit):
    check = (
        "was = dict(vars(Base)) if isinstance(globals().get('Base'), type) else None\n"
        + LOAD
        + "kind = type(loaded['base'])\n"
        + "assert kind is not globals().get('Base')\n"
        + "assert (kind.count, loaded['base'].scaled(), loaded['derived'].own) == (1, 6, 6)\n"
        + "assert type(loaded['data']) is Data\n"
        + "assert was is None or dict(vars(Base)) == was\n"
    )
    run(f"{DEFINITIONS}{SAVE}{edit}\n{check}", path)


def test_where_nothing_is_defined_all_comes_along(path):
    run(DEFINITIONS + SAVE, path)
    check = (
        "loaded = ck.load(PATH)\nFACTOR = 4\nassert loaded['derived'].own == 12\nassert loaded['color'].name == 'RED'"
    )
    run("import ipycheckpoint as ck\n" + check, path)


def test_a_class_without_a_stable_definition_comes_along_as_a_copy(path):
    program = (
        "import ipycheckpoint as ck\n"
        "class Vague:\n    def __fingerprint__(self): raise ValueError\n"
        "class A:\n    vague = Vague()\n"
        "ck.save(PATH, a=A())\nassert type(ck.load(PATH, 'a')) is not A"
    )
    run(program, path)


def test_a_class_that_is_unhashable_is_known_too(path):
    program = (
        "import ipycheckpoint as ck\n"
        "class Meta(type):\n    def __eq__(self, other): return self is other\n    __hash__ = None\n"
        "class A(metaclass=Meta): pass\n"
        "ck.save(PATH, A=A, B=[A])\nassert ck.load(PATH, 'A') is A and ck.load(PATH, 'B')[0] is A"
    )
    run(program, path)


def test_records_of_cells_and_calls_bring_their_classes_pristine():
    class Local:
        pass

    Local.__module__, Local.__qualname__ = "__main__", "Local"
    vars(sys.modules["__main__"])["Local"] = Local
    try:
        assert b"known_class_v1" not in encode({"a": Local()})[0].stream
        assert b"known_class_v1" in encode({"a": Local()}, recognised=True)[0].stream
    finally:
        del vars(sys.modules["__main__"])["Local"]
