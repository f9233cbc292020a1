"""Small questions about pieces of syntax, answered in one place."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


_ATTEMPTS = 8


def parsed(text: str, name: str = "<unknown>") -> ast.Module:
    """What `ast.parse` gives, also where other threads parse at the same time. Raises as it does.

    In Python 3.11 all threads count the depth of their trees together, and one that was interrupted finds a wrong
    count: https://github.com/python/cpython/issues/106905.

    >>> len(parsed("x = 1; y = 2").body)
    2
    """
    for _ in range(_ATTEMPTS):
        with suppress(SystemError):
            return ast.parse(text, name)
    return ast.parse(text, name)


def arguments_of(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters in the order of a signature."""
    starred = [arguments.vararg] if arguments.vararg else []
    mapped = [arguments.kwarg] if arguments.kwarg else []
    return [*arguments.posonlyargs, *arguments.args, *starred, *arguments.kwonlyargs, *mapped]


def import_target(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> tuple[str, str, tuple[str, ...]]:
    """The name that `alias` binds, and the module and attributes that lead to what it is bound to."""
    if isinstance(node, ast.ImportFrom):
        return alias.asname or alias.name, "." * node.level + (node.module or ""), (alias.name,)
    if alias.asname:
        return alias.asname, alias.name, ()
    top = alias.name.partition(".")[0]
    return top, top, ()


def is_ours(decorator: ast.expr) -> bool:
    """Whether `decorator` is one of ours, which does nothing to what the code computes.

    >>> is_ours(ast.parse("ck.checkpoint(tag=1)", mode="eval").body)
    True
    """
    return decorator_name(decorator) in ("checkpoint", "DecoratorCheckpoint")


def decorator_name(decorator: ast.expr) -> str:
    """The last part of the dotted name of a decorator (or any callee), called or not; empty when it has none."""
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def chain_of(node: ast.expr) -> tuple[ast.Name, tuple[str, ...]] | None:
    """The root and the attributes of ``a.b.c``; None where the root is no name."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node, tuple(reversed(attributes))) if isinstance(node, ast.Name) else None


def stored_root(node: ast.expr) -> ast.Name | None:
    """The variable whose object changes when ``a.b = …`` or ``a[k].c = …`` is run."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node if isinstance(node, ast.Name) else None


def pieces_of(node: ast.JoinedStr) -> list[str | ast.expr]:
    """The pieces of an f-string, with adjacent text joined and empty text dropped."""
    pieces: list[str | ast.expr] = []
    for value in node.values:
        if not (isinstance(value, ast.Constant) and isinstance(value.value, str)):
            pieces.append(value)
        elif pieces and isinstance(pieces[-1], str):
            pieces[-1] += value.value
        elif value.value:
            pieces.append(value.value)
    return pieces


def body_of(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    """The statements without the docstring. A string that ends a cell is what the cell shows."""
    body = node.body
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest] if rest or not isinstance(node, ast.Module):
            return rest
    return body


def certainly_bound(statement: ast.stmt) -> list[str]:
    """Names that `statement` binds whenever it ends normally."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [statement.name]
        case ast.Import() | ast.ImportFrom():
            return [import_target(statement, alias)[0] for alias in statement.names]
        case ast.Assign(targets=targets):
            return _stored(targets)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            return _stored([target])
    return []


def _stored(targets: Sequence[ast.expr]) -> list[str]:
    return [
        node.id
        for target in targets
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
