"""Witnesses: which of the names that a cell may bind did it bind?

Where a name is what it was before, it may have been left alone or been bound to the same number or text again, and
only in the second case is it an output. So behind each statement that may bind such a name, another one says so.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

PREFIX = "__ipycheckpoint_bound_"
"""What the variable begins with that says that a name was bound."""


def witnessed(body: ast.Module, names: Collection[str]) -> tuple[ast.Module, set[str]]:
    r"""The tree with a witness behind each statement that binds one of `names`, and the names that have one everywhere.

    >>> tree, seen = witnessed(ast.parse("if a:\n    x = 1"), {"x"})
    >>> print(ast.unparse(tree), seen)
    if a:
        x = 1
        __ipycheckpoint_bound_x = True {'x'}
    """
    if not names:
        return body, set()
    transformer = _Witnesses(names)
    tree = transformer.visit(copy.deepcopy(body))
    places = Counter(name for node in ast.walk(body) for name in _bound_by(node))
    return tree, {name for name in names if 0 < places[name] == transformer.count[name]}


class _Witnesses(ast.NodeTransformer):
    def __init__(self, names: Collection[str]) -> None:
        self.names = names
        self.count: Counter[str] = Counter()

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.expr):
            return node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return [node, *self._witnesses([node.name], node)]
        self.generic_visit(node)
        match node:
            case ast.Assign(targets=targets):
                return [node, *self._witnesses(_flat(targets), node)]
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target, value=ast.expr()):
                return [node, *self._witnesses(_flat([target]), node)]
            case ast.Import() | ast.ImportFrom():
                return [node, *self._witnesses(_bound_by_import(node), node)]
            case ast.For(target=target) | ast.AsyncFor(target=target):
                node.body[:0] = self._witnesses(_flat([target]), node.body[0])
            case ast.With(items=items) | ast.AsyncWith(items=items):
                targets = [item.optional_vars for item in items if item.optional_vars is not None]
                node.body[:0] = self._witnesses(_flat(targets), node.body[0])
        return node

    def _witnesses(self, bound: Iterable[str], place: ast.stmt) -> list[ast.stmt]:
        here = [name for name in bound if name in self.names]
        self.count.update(here)
        return [_witness(name, place) for name in dict.fromkeys(here)]


def _witness(name: str, place: ast.stmt) -> ast.stmt:
    statement = ast.Assign([ast.Name(PREFIX + name, ast.Store())], ast.Constant(True))
    return ast.fix_missing_locations(ast.copy_location(statement, place))


def _flat(targets: Iterable[ast.expr]) -> list[str]:
    """The names in targets that are bound all or not at all: storing into anything else may fail in between."""
    names: list[str] = []
    for target in targets:
        parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
        plain = [part.value if isinstance(part, ast.Starred) else part for part in parts]
        found = [part.id for part in plain if isinstance(part, ast.Name)]
        if len(found) < len(plain):
            return []
        names += found
    return names


def _bound_by_import(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.asname or alias.name.partition(".")[0] for alias in node.names]


def _bound_by(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            return [name]
        case ast.Import() | ast.ImportFrom():
            return _bound_by_import(node)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.MatchAs(name=str() as name) | ast.MatchStar(name=str() as name) | ast.MatchMapping(rest=str() as name):
            return [name]
        case ast.Global(names=names):
            return names
    return []
