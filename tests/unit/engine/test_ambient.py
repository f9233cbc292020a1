"""Aspects of the ambient state, and what a run and a hit do about all of them."""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.engine.ambient import ambience
from ipycheckpoint.engine.ambient.aspects import Entries, Generator, Obstacle, Settings, WorkingDirectory
from ipycheckpoint.engine.ambient.saying import Code
from ipycheckpoint.errors import CannotKeep

NO_CODE = Code("", frozenset())

values = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2) | st.none() | st.lists(st.integers(0, 1)))
entries = st.lists(st.sampled_from("abcdefgh"), unique=True)


def settings(live: dict[str, Any], **more: Any) -> Settings:
    def remove(names: Any) -> None:
        for name in names:
            del live[name]

    return Settings("settings", "os", lambda: dict(live), live.update, r"\bconfigure\b", remove=remove, **more)


def entries_of(live: list[str]) -> Entries:
    def write(rows: list[str]) -> None:
        live[:] = rows

    return Entries("entries", "sys", lambda: live, write, r"\bput\b")


# Settings


@given(values, values)
def test_settings_before_and_their_difference_make_the_settings_after(before: Any, after: Any) -> None:
    aspect = settings({})
    change = aspect.difference(before, after)
    assert (change is None) == (before == after)
    assert aspect.patched(before, change or {}) == after


@given(values, values)
def test_settings_that_are_restored_are_as_they_were(now: Any, state: Any) -> None:
    settings(now).restore(state)
    assert now == state


def test_a_difference_of_settings_holds_only_what_changed() -> None:
    change = settings({}).difference({"a": 1, "b": 2, "gone": 3}, {"a": 1, "b": 3, "new": 4})
    assert change == {"b": ((2,), (3,)), "gone": ((3,), ()), "new": ((), (4,))}


@pytest.mark.parametrize(
    ("now", "patched"), [({"a": 1}, {"a": 2}), ({"a": 2}, {"a": 2}), ({"a": 1, "b": 5}, {"a": 2, "b": 5})]
)
def test_settings_as_before_or_as_after_take_a_change(now: Any, patched: Any) -> None:
    assert settings({}).patched(now, {"a": ((1,), (2,))}) == patched


@pytest.mark.parametrize("now", [{}, {"a": 3}])
def test_settings_that_are_neither_as_before_nor_as_after_are_an_obstacle(now: Any) -> None:
    found = settings({}).patched(now, {"a": ((1,), (2,))})
    assert isinstance(found, Obstacle)
    assert "`a` of settings" in found.reason


def test_settings_of_a_library_that_came_in_between_are_compared_with_fresh_ones() -> None:
    aspect = settings({}, fresh=lambda: {"a": 1, "b": 2})
    assert aspect.difference(None, {"a": 1, "b": 3, "of a later version": 9}) == {"b": ((2,), (3,))}


def test_functions_among_settings_are_equal_when_they_do_the_same() -> None:
    first, second = (eval("lambda x: f'<{x}>'") for _ in range(2))
    aspect = settings({})
    assert aspect.patched({"f": second}, {"f": ((None,), (first,))}) == {"f": first}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("configure('a')", {"a": 1}),
        ("configure(x)", None),
        ("'a'", None),
        ("configure()  # a", None),
        ("configure(); everything()", {"a": 1, "long.b": 2}),
        ("configure(b=3)", {"long.b": 2}),
        ("configure(c=3)", None),
    ],
)
def test_settings_that_code_names_may_be_set_to_what_they_are(text: str, part: Any) -> None:
    aspect = settings({}, sweeping=frozenset({"everything"}))
    state = {"a": 1, "long.b": 2, "c": 3}
    assert aspect.unsure(state, {"c": ((), (3,))}, Code(text, frozenset())) == part


# Entries


@given(entries, entries)
def test_entries_before_and_their_difference_make_the_entries_after(before: list[str], after: list[str]) -> None:
    aspect = entries_of([])
    change = aspect.difference(before, after)
    assert (change is None) == (before == after)
    if change is not None:
        assert aspect.patched(before, change) == after


@given(entries, entries)
def test_entries_that_are_restored_are_as_they_were(now: list[str], state: list[str]) -> None:
    entries_of(now).restore(state)
    assert now == state


@pytest.mark.parametrize(
    ("before", "after", "elsewhere", "patched"),
    [
        ("abc", "xabc", "abcd", "xabcd"),
        ("abc", "abcx", "abcd", "abcdx"),
        ("abc", "axbc", "oabcd", "oaxbcd"),
        ("abc", "axbc", "bc", "xbc"),
        ("abc", "ac", "abcd", "acd"),
        ("abc", "ac", "d", "d"),
        ("abc", "cab", "abcd", "cabd"),
        ("abc", "xabc", "xabc", "xabc"),
        ("abc", "abcx", "abxc", "abxc"),
        ("", "x", "abc", "abcx"),
    ],
)
def test_a_change_of_entries_fits_into_other_entries(before: str, after: str, elsewhere: str, patched: str) -> None:
    aspect = entries_of([])
    change = aspect.difference(list(before), list(after))
    assert change is not None
    assert aspect.patched(list(elsewhere), change) == list(patched)


def test_entries_may_be_put_where_they_are_by_code_that_says_so() -> None:
    assert entries_of([]).unsure(["a"], None, Code("put('a')", frozenset())) == ["a"]
    assert entries_of([]).unsure(["a"], None, Code("output('a')", frozenset())) is None


# The working directory


def test_the_working_directory_is_changed_from_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aspect, start, end = WorkingDirectory(), str(tmp_path), str(tmp_path / "sub")
    Path(end).mkdir()
    monkeypatch.chdir(start)
    change = aspect.difference(start, end)
    assert change == (start, end)
    assert [aspect.patched(state, change) for state in (start, end)] == [end, end]
    aspect.restore(end)
    assert aspect.capture() == end


@pytest.mark.parametrize(
    ("state", "end", "reason"), [("/else", "/", "another one"), ("/start", "/not/there", "isn't there")]
)
def test_a_working_directory_that_can_not_be_reached_so_is_an_obstacle(state: str, end: str, reason: str) -> None:
    found = WorkingDirectory().patched(state, ("/start", end))
    assert isinstance(found, Obstacle)
    assert reason in found.reason


# Generators


def known(name: str) -> Any:
    return ambience._aspects[name]


def test_a_generator_of_another_kind_is_an_obstacle() -> None:
    pytest.importorskip("numpy.random")
    aspect = known("numpy.random")
    found = aspect.patched(aspect.capture(), {**aspect.capture(), "bit_generator": "PCG64"})
    assert isinstance(found, Obstacle)


FRESH = """
import sys
from ipycheckpoint.engine.ambient import ambience
before = ambience.capture()
import {module}
{code}
print({name!r} in ambience.changes(before, ambience.capture()))
"""


@pytest.mark.parametrize(
    ("name", "code", "is_changed"),
    [
        ("numpy.random", "", False),
        ("numpy.random", "numpy.random.rand()", True),
        ("numpy.random", "numpy.random.seed(0)", True),
        ("torch", "", False),
        ("torch", "torch.rand(1)", True),
        ("torch", "torch.manual_seed(0)", True),
        ("torch", "torch.manual_seed(1); torch.randn(1)", True),
    ],
)
def test_a_generator_that_was_only_imported_has_not_changed(name: str, code: str, is_changed: bool) -> None:
    import subprocess

    pytest.importorskip(name)
    root = Path(__file__).resolve().parents[3]
    program = FRESH.format(module=name, code=code, name=name)
    environ = {**os.environ, "PYTHONPATH": str(root)}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=True)
    assert run.stdout == f"{is_changed}\n"


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("np.random.seed(0)", True),
        ("torch.manual_seed (0)", True),
        ("seed_everything(0)", True),
        ("random.setstate(s)", True),
        ("# seed(0)", False),
        ("np.random.RandomState(seed)", False),
        ("fit(X, random_state=0, seed=1)", False),
        ("np.random.default_rng(0)", False),
    ],
)
def test_code_that_seeds_is_told_by_what_it_calls(text: str, seeds: bool) -> None:
    assert Code(text, frozenset()).seeds == seeds


def test_capturing_imports_nothing_and_changes_nothing() -> None:
    states = [random.getstate(), dict(os.environ), list(sys.path), list(warnings.filters)]
    before = set(sys.modules)
    ambience.capture()
    assert states == [random.getstate(), dict(os.environ), list(sys.path), list(warnings.filters)]
    assert set(sys.modules) == before


# All of them


class Dial:
    """An aspect from outside."""

    name, module = "dial", "os"

    def __init__(self) -> None:
        self.position = 0
        self.broken = False

    def capture(self) -> Any:
        if self.broken:
            raise OSError("the dial is off")
        return self.position

    def difference(self, before: int, after: int) -> Any:
        return None if before == after else after

    def patched(self, state: int, change: int) -> Any:
        return change

    def restore(self, state: int) -> None:
        self.position = state
        if state > 10:
            raise ValueError("too far")

    def unsure(self, state: int, change: Any, code: Code) -> Any:
        return state if change is None and code.says("turn") else None


@pytest.fixture
def dial() -> Iterator[Dial]:
    dial = Dial()
    ambience.register(dial)
    yield dial
    ambience.unregister("dial")


def test_an_aspect_from_outside_is_captured_and_restored(dial: Dial) -> None:
    before = ambience.capture()
    dial.position = 3
    changed = ambience.changes(before, ambience.capture())
    assert changed == {"dial": 3}
    dial.position = 0
    steps = ambience.prepare(changed)
    assert not isinstance(steps, Obstacle)
    assert dial.position == 0
    assert ambience.apply(steps) == []
    assert dial.position == 3


def test_an_aspect_that_fails_is_named_and_left_as_it_was_and_the_others_are_restored(
    dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AMBIENT", raising=False)
    steps = ambience.prepare({"dial": 11, "os.environ": {"AMBIENT": ((), ("1",))}})
    assert not isinstance(steps, Obstacle)
    assert ambience.apply(steps) == ["dial could not be restored: ValueError: too far"]
    assert (dial.position, os.environ.pop("AMBIENT")) == (0, "1")


def test_a_state_that_can_not_be_looked_at_is_why_nothing_is_kept(dial: Dial) -> None:
    before = ambience.capture()
    dial.broken = True
    with pytest.raises(CannotKeep, match="the dial is off"):
        ambience.changes(before, ambience.capture())


def test_a_record_with_an_aspect_that_nobody_knows_is_an_obstacle() -> None:
    found = ambience.prepare({"the weather": "rain"})
    assert isinstance(found, Obstacle)
    assert "the weather" in found.reason


def test_a_change_of_a_library_that_is_not_there_is_an_obstacle() -> None:
    aspect = Generator("dice", "no_such_module", "nobody", lambda: 1, print, ())
    ambience.register(aspect)
    try:
        found = ambience.prepare({"dice": 5})
    finally:
        ambience.unregister("dice")
    assert isinstance(found, Obstacle)
    assert "no_such_module" in found.reason


def test_what_code_may_have_set_to_what_it_was_is_assumed(dial: Dial) -> None:
    turning = Code("turn()", frozenset())
    assumed = ambience.assumptions(ambience.capture(), {}, turning)
    assert list(assumed) == ["dial"]
    assert ambience.assumptions(ambience.capture(), {}, NO_CODE) == {}
    assert ambience.contradiction(assumed, {}, turning) is None
    dial.position = 1
    assert "dial is not what it was" in (ambience.contradiction(assumed, {}, turning) or "")


def test_each_generator_that_there_is_can_be_an_ingredient() -> None:
    random.seed(1)
    first = {ingredient.name: ingredient for ingredient in ambience.generator_ingredients()}
    random.random()
    second = {ingredient.name: ingredient for ingredient in ambience.generator_ingredients()}
    assert {ingredient.kind for ingredient in first.values()} == {"ambient"}
    assert first["random"] != second["random"]
    assert {name: i for name, i in first.items() if name != "random"} == {
        name: i for name, i in second.items() if name != "random"
    }
    assert ambience.notes(["random"], list(first.values()), NO_CODE) == ()


def test_only_generators_that_code_drew_from_without_seeding_are_noted() -> None:
    note = "drew from the global generator of Python, whose state before is not an Ingredient"
    assert ambience.notes(["random", "os.environ"], (), NO_CODE) == (note,)
    assert ambience.notes(["random", "os.environ"], (), Code("random.seed(1)", frozenset())) == ()
