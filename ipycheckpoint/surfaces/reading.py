"""How the text of a cell is read: what it goes by, whether it is quiet, and what its magics run."""

from __future__ import annotations

import ast
import copy
import io
import tokenize
from typing import TYPE_CHECKING

from ipycheckpoint.identity.syntax import parsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.identity.names import CellForm


def label_of(form: CellForm, source: str) -> str:
    """What a cell without a name goes by: the names that it binds, else its first line."""
    if form.binds:
        return ", ".join(form.binds[:3]) + (", …" if len(form.binds) > 3 else "")
    first = next((line.strip() for line in source.splitlines() if line.strip()), "empty cell")
    return first if len(first) <= 40 else first[:39] + "…"


def is_quiet(source: str) -> bool:
    """Whether a semicolon at the end keeps the last value from being shown, as IPython reads it.

    >>> is_quiet("plot(x);  # no output"), is_quiet("plot(x)")
    (True, False)
    """
    ignored = {tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER, tokenize.DEDENT}
    last = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type not in ignored:
                last = token.string
    except (tokenize.TokenError, SyntaxError):  # shell syntax below: the tokenizer knows Python only
        return source.rstrip().endswith(";")
    return last == ";"


def has_line_magic(body: ast.Module) -> bool:
    """Whether the cell calls a line magic, other than ``%time``, which runs what stands behind it."""
    calls = [node for node in ast.walk(body) if isinstance(node, ast.Attribute) and node.attr == "run_line_magic"]
    times = [node for node in ast.walk(body) if _timed_text(node) is not None]
    return len(calls) > len(times)


def written_out(body: ast.Module, transform: Callable[[str], str]) -> ast.Module:
    """The tree as it is to be analysed: with the statement behind each ``%time`` in its place.

    As a text it might read and bind anything. The magic shows what goes wrong in it and goes on, hence the ``try``.
    """
    return ast.fix_missing_locations(_Timed(transform).visit(copy.deepcopy(body))) if _times(body) else body


def _times(body: ast.Module) -> bool:
    return any(_timed_text(node) is not None for node in ast.walk(body))


def _timed_text(node: ast.AST) -> str | None:
    match node:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr="run_line_magic"),
                args=[ast.Constant(value="time"), ast.Constant(value=str() as text)],
            )
        ) if text.strip() and not text.startswith("-"):
            return text
    return None


class _Timed(ast.NodeTransformer):
    def __init__(self, transform: Callable[[str], str]) -> None:
        self._transform = transform

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        text = _timed_text(node)
        if text is None:
            return node
        try:
            statements = parsed(self._transform(text)).body
        except SyntaxError:
            return node
        shell = ast.Call(ast.Name("get_ipython", ast.Load()), [], [])
        timing = ast.Expr(ast.Call(ast.Attribute(shell, "time", ast.Load()), [], []))
        handler = ast.ExceptHandler(None, None, [ast.Pass()])
        statement = ast.Try(body=[timing, *statements], handlers=[handler], orelse=[], finalbody=[])
        return ast.copy_location(statement, node)
