"""A cell that was analysed before isn't analysed again, as long as its tree is surely the same."""

from __future__ import annotations

import ast
import linecache

import pytest

from ipycheckpoint.surfaces import forms
from ipycheckpoint.surfaces.forms import form_of
from ipycheckpoint.surfaces.transform import (
    Marked,
    find_marker,
    marker_of,
    show_magic_in_tracebacks,
    take_off,
    whole_of,
)


class Compiler:
    flags = 0


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "_known", {})
    monkeypatch.setattr(linecache, "cache", {})


def run_by_the_shell(source: str, line: str = "", compiler: Compiler | None = None) -> Marked:
    """What the shell makes of a cell: its text is in the cache of lines, and its tree is told apart by the marker."""
    text = "".join(take_off([f"%%checkpoint {line}\n", *source.splitlines(keepends=True)]))
    linecache.cache["<cell>"] = (len(text), None, [f"{one}\n" for one in text.splitlines()], "<cell>")
    marked = find_marker(ast.parse(text))
    assert marked is not None
    return whole_of(marked, show_magic_in_tracebacks(line), compiler or Compiler())


def analysed(marked: Marked) -> object:
    return form_of(marked, str)


def test_the_same_cell_has_the_same_form_without_a_second_look() -> None:
    first = analysed(run_by_the_shell("x = y + 1"))
    assert analysed(run_by_the_shell("x = y + 1")) is first


@pytest.mark.parametrize(
    "other",
    ["x = y + 2", "x = y + 1;", "x = y + 1\n", "# x\nx = y + 1"],
)
def test_another_text_is_analysed(other: str) -> None:
    first = analysed(run_by_the_shell("x = y + 1"))
    assert analysed(run_by_the_shell(other)) is not first


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r", "\\n"])
def test_what_looks_like_the_end_of_a_line_is_told_apart(end: str) -> None:
    first = run_by_the_shell("x = '''a\nb'''")
    assert run_by_the_shell(f"x = '''a{end}b'''").parsed != first.parsed


def test_a_shell_that_parses_otherwise_has_other_forms() -> None:
    other = Compiler()
    other.flags = 1
    first = analysed(run_by_the_shell("x = 1"))
    assert analysed(run_by_the_shell("x = 1", compiler=other)) is not first


def test_a_cell_of_which_the_text_is_not_known_is_analysed_each_time() -> None:
    marked = find_marker(ast.parse(marker_of("", "x = 1") + "x = 1"))
    assert marked is not None
    assert whole_of(marked, None, Compiler()).parsed is None
    assert whole_of(marked, marker_of("", "x = 2") + "x = 2", Compiler()).parsed is None
    assert analysed(marked) is not analysed(marked)


def test_what_a_time_magic_runs_is_analysed_each_time() -> None:
    marked = run_by_the_shell("get_ipython().run_line_magic('time', 'x = 1')")
    assert marked.parsed is not None
    assert analysed(marked) is not analysed(marked)


def test_the_number_of_forms_is_bounded() -> None:
    for number in range(500):
        analysed(run_by_the_shell(f"x = {number}"))
    assert len(forms._known) <= 200
