"""The magic's line becomes a marker in the same place, and the tree is told apart by it."""

from __future__ import annotations

import ast

import pytest

from ipycheckpoint.surfaces.transform import find_marker, mark_the_end, only_call, take_off

BODIES = ["x = 1\n", "", "# only a comment\n", "x = '''\n%%checkpoint\n'''\n", "é = '\\n'\n"]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("line", ["", "name", "name --tags 'a'=\"1\"", "ünï --watch C:\\data"])
def test_line_and_source_come_back_and_line_numbers_stay(line: str, body: str) -> None:
    lines = f"%%checkpoint {line}\n{body}".splitlines(keepends=True)
    taken = take_off(lines)
    assert len(taken) == len(lines)
    marked = find_marker(ast.parse("".join(taken)))
    assert marked is not None
    assert (marked.line, marked.source) == (line, body)
    assert ast.dump(marked.body) == ast.dump(ast.parse(body))
    assert [node.lineno for node in marked.body.body] == [node.lineno + 1 for node in ast.parse(body).body]


@pytest.mark.parametrize(
    "text", ["x = 1\n", "%checkpoint list\n", "%%checkpoints\n", "%%checkpoint?\n", " %%checkpoint\nx\n", "%%time\n"]
)
def test_other_cells_are_left_alone(text: str) -> None:
    lines = text.splitlines(keepends=True)
    assert take_off(lines) == lines


def test_of_another_cell_magic_below_only_the_marker_is_left_to_be_compiled() -> None:
    (taken,) = take_off(["%%checkpoint\n", "%%bash\n", "echo hi | cat\n"])
    marked = find_marker(ast.parse(taken))
    assert marked is not None
    assert marked.source == "%%bash\necho hi | cat\n"


@pytest.mark.parametrize("text", ["", "x = 1", "'__ipycheckpoint__'", "f('', '')", "x = 1\n__ipycheckpoint__('', '')"])
def test_a_tree_without_the_marker_in_front_is_no_checkpoint(text: str) -> None:
    assert find_marker(ast.parse(text)) is None


@pytest.mark.parametrize(
    ("body", "marked"),
    [
        ("x = 1\nx", "x = 1\n__ipycheckpoint__.ran(3, x)"),
        ("x = 1", "x = 1\n__ipycheckpoint__.ran(3)"),
        ("", "__ipycheckpoint__.ran(3)"),
        ("await f()", "__ipycheckpoint__.ran(3, await f())"),
        ("if a:\n    b", "if a:\n    b\n__ipycheckpoint__.ran(3)"),
    ],
)
def test_the_end_is_marked_and_the_last_value_passes_through(body: str, marked: str) -> None:
    assert ast.unparse(mark_the_end(ast.parse(body), 3, shows_assignments=False)) == marked


@pytest.mark.parametrize("body", ["x = 1", "x: int = 1", "x += 1"])
def test_an_assignment_at_the_end_is_shown_where_it_would_be(body: str) -> None:
    tree = mark_the_end(ast.parse(body), 3, shows_assignments=True)
    assert ast.unparse(tree).splitlines()[-1] == "__ipycheckpoint__.ran(3, x)"


def test_what_replaces_a_cell_can_be_compiled() -> None:
    compile(only_call("apply", 7), "", "exec")
