"""What the text of a cell tells besides its code."""

from __future__ import annotations

import ast

import pytest

from ipycheckpoint.identity.names import of_cell
from ipycheckpoint.identity.ownership import is_shells_own
from ipycheckpoint.surfaces.reading import is_quiet, label_of, written_out


@pytest.mark.parametrize(
    ("source", "label"),
    [
        ("x = 1", "x"),
        ("a, b, c = d", "a, b, c"),
        ("a, b, c, e = d", "a, b, c, …"),
        ("\nprint(1)\nprint(2)", "print(1)"),
        ("f(" + "1, " * 40 + ")", "f(" + "1, " * 12 + "1…"),
    ],
)
def test_a_cell_goes_by_what_it_binds_or_its_first_line(source: str, label: str) -> None:
    assert label_of(of_cell(ast.parse(source)), source) == label


@pytest.mark.parametrize(
    ("source", "quiet"),
    [("x;", True), ("x; # why", True), ("x", False), ("';'", False), ("# ;", False), ("!ls;", True)],
)
def test_a_semicolon_at_the_end_is_quiet(source: str, quiet: bool) -> None:
    assert is_quiet(source) is quiet


@pytest.mark.parametrize("name", ["_", "__", "___", "_1", "_i", "_i12", "In", "Out", "_ih", "__name__", "_exit_code"])
def test_names_of_the_shell_are_not_outputs(name: str) -> None:
    assert is_shells_own(name)


@pytest.mark.parametrize("name", ["_x", "__x", "_1x", "Inner", "x_", "_private_"])
def test_private_names_are_the_users(name: str) -> None:
    assert not is_shells_own(name)


def test_a_timed_statement_is_analysed_as_a_statement() -> None:
    body = ast.parse("get_ipython().run_line_magic('time', 'y = f(x)')")
    form = of_cell(written_out(body, lambda text: text))
    assert ([read.name for read in form.reads if read.name != "get_ipython"], form.binds) == (["f", "x"], ("y",))
    assert not form.dynamic


@pytest.mark.parametrize(
    "text", ["get_ipython().run_line_magic('time', '-x f()')", "get_ipython().run_line_magic('who', '')", "x = 1"]
)
def test_other_magics_are_analysed_as_they_are(text: str) -> None:
    body = ast.parse(text)
    assert written_out(body, lambda text: text) is body


def test_a_timed_statement_that_is_no_python_is_left_as_it_is() -> None:
    body = ast.parse("get_ipython().run_line_magic('time', 'no python')")
    assert ast.unparse(written_out(body, lambda text: text)) == ast.unparse(body)
