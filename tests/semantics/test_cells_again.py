"""A cell that is run again in one process: what was found out of it before counts only while it is the same."""

from __future__ import annotations

import pytest

from tests.semantics.shells import Bench

CELL = "%%checkpoint same\nx = 2\nx"

TRIPLE = """
import ast
class Triple(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.copy_location(ast.Constant(3 * node.value), node) if type(node.value) is int else node
trees = get_ipython().ast_transformers
"""


def test_a_cell_is_restored_again_and_again(bench: Bench) -> None:
    run = bench.run(CELL, "del x", CELL, "del x", CELL, look=("x",))
    assert run.outcomes == ["computed", "restored", "restored"]
    assert run.values == ["2"]


@pytest.mark.parametrize("how", ["trees.insert(0, Triple())", "trees.append(Triple())"])
def test_a_tree_that_somebody_else_transforms_meanwhile_is_another_cell(bench: Bench, how: str) -> None:
    run = bench.run(TRIPLE, CELL, "one = x", how, CELL, "two = x", "trees[:] = [t for t in trees if type(t) is not Triple]", CELL, look=("one", "two", "x"))  # fmt: skip  # noqa: E501 - a notebook
    assert run.values == ["2", "6", "2"]
