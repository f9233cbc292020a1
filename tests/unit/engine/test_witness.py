"""A witness stands behind each statement that may bind a name."""

from __future__ import annotations

import ast

import pytest

from ipycheckpoint.engine.witness import PREFIX, witnessed

BINDING = [
    "if a: x = 1",
    "for x in b: pass",
    "for i, x in c: pass",
    "while a:\n    x = 1\n    break",
    "if a:\n    import math as x",
    "if a:\n    from math import pi as x",
    "if a:\n    def x(): pass",
    "if a:\n    class x: pass",
    "with d as x: pass",
    "try: x = 1\nfinally: pass",
    "if a: x: int = 1",
    "if a: y = x = 1",
    "if a: x, *y = 1, 2",
    "match a:\n    case _: x = 1",
]


class Context:
    def __enter__(self) -> int:
        return 1

    def __exit__(self, *_: object) -> None:
        pass


def run(code: str, names: set[str]) -> tuple[dict[str, object], set[str]]:
    tree, seen = witnessed(ast.parse(code), names)
    namespace: dict[str, object] = {"a": True, "b": [1], "c": [(0, 1)], "d": Context()}
    exec(compile(tree, "", "exec"), namespace)
    return namespace, seen


@pytest.mark.parametrize("code", BINDING)
def test_a_binding_that_happens_has_a_witness(code: str) -> None:
    namespace, seen = run(code, {"x"})
    assert seen == {"x"}
    assert namespace[PREFIX + "x"] is True


@pytest.mark.parametrize("code", [code for code in BINDING if "if a" in code or "while a" in code])
def test_a_binding_that_does_not_happen_has_none(code: str) -> None:
    namespace, seen = run("a = False\n" + code, {"x"})
    assert seen == {"x"}
    assert PREFIX + "x" not in namespace


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    global x\n    x = 1",
        "a and (x := 1)",
        "d.y, x = 1, 2",
        "for i, (x, z) in []: pass",
        "pass",
        "match a:\n    case x: pass",
    ],
)
def test_a_name_that_is_also_bound_where_no_witness_can_stand_is_not_vouched_for(code: str) -> None:
    _, seen = witnessed(ast.parse(code), {"x"})
    assert seen == set()


def test_without_names_the_tree_is_the_very_same() -> None:
    tree = ast.parse("x = 1")
    assert witnessed(tree, set())[0] is tree


def test_the_given_tree_is_left_alone() -> None:
    tree = ast.parse("if a: x = 1")
    before = ast.dump(tree)
    witnessed(tree, {"x"})
    assert ast.dump(tree) == before
