"""How a checkpointed cell stays an ordinary cell: the magic's line becomes a marker, and the tree is told apart by it.

``%%checkpoint …`` is taken off by an input transformer that puts a call of the marker in its line, so line
numbers stay. An AST transformer finds the marker. On a miss the body runs as it is, but for its last
expression, which passes through the hook so that we know that the end was reached; on a hit the body is
replaced by the call that restores. So ``await``, magics, tracebacks, interrupts and ``%%time`` work as ever.
"""

from __future__ import annotations

import ast
import linecache
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MARKER = "__ipycheckpoint__"
"""The name, among the builtins, by which a transformed cell reaches the extension."""

MAGIC = "%%checkpoint"

_MAGIC = re.compile(MAGIC + r"(?![\w?])[ \t]*(.*)")


class Marked(NamedTuple):
    """A cell that was found to be a checkpoint."""

    line: str
    """What stood behind ``%%checkpoint``."""
    source: str
    """The text below it, as the user wrote it."""
    body: ast.Module
    automatic: bool = False
    """Every cell is a checkpoint just now, and this one has no magic of its own."""
    parsed: tuple[object, ...] | None = None
    """What alone `body` was made of: the same gives the same tree. None where that isn't known."""

    @property
    def text(self) -> str:
        """The source with its lines where the tree has them."""
        return self.source if self.automatic else f"\n{self.source}"


def marker_of(line: str, source: str) -> str:
    """The line in the place of the magic's: what stood behind the magic, and the text below it."""
    return f"{MARKER}({line!r}, {source!r})\n"


def take_off(lines: list[str]) -> list[str]:
    r"""Put a call of the marker in the place of a first line ``%%checkpoint …``. An input transformer of IPython.

    >>> take_off(["%%checkpoint model\n", "x = 1\n"])
    ["__ipycheckpoint__('model', 'x = 1\\n')\n", 'x = 1\n']
    """
    match = _MAGIC.match(lines[0]) if lines else None
    if match is None:
        return lines
    source = "".join(lines[1:])
    marker = marker_of(match[1].rstrip(), source)
    if source.lstrip().startswith("%%"):
        return [marker]  # another cell magic: not Python, so only the marker can be compiled; it is refused later
    return [marker, *lines[1:]]


def find_marker(tree: ast.AST) -> Marked | None:
    """The checkpoint that `tree` is, if its first statement is the marker."""
    match tree:
        case ast.Module(
            body=[
                ast.Expr(
                    value=ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=line), ast.Constant(value=source)])
                ),
                *body,
            ]
        ) if name == MARKER:
            return Marked(str(line), str(source), ast.Module(body=body, type_ignores=[]))
    return None


def show_magic_in_tracebacks(line: str) -> str | None:
    """Let tracebacks show the magic, as a comment, where the marker stands in the text of the latest cell.

    Returns that text as it was, as Python has parsed it; None where there is none.
    """
    for entry in reversed(list(linecache.cache.values())):
        if len(entry) == 4 and (lines := entry[2]) and lines[0].startswith(f"{MARKER}("):
            text = "".join(lines)
            lines[0] = f"# %%checkpoint {line}".rstrip() + "\n"
            return text
    return None


def whole_of(marked: Marked, text: str | None, compiler: Any) -> Marked:
    """`marked` with what alone it was made of: `text`, if it is the cell's, and how the shell's `compiler` parses."""
    # Of what looks like the end of a line inside of a text, the marker's line tells more than the others.
    if text is None or not text.startswith(marker_of(marked.line, marked.source)):
        return marked
    return marked._replace(parsed=(text, type(compiler), getattr(compiler, "flags", None)))


def mark_the_end(body: ast.Module, number: int, *, shows_assignments: bool) -> ast.Module:
    """The body with its last expression passed through ``MARKER.ran``, or with such a call behind it."""
    statements = list(body.body)
    last = statements[-1] if statements else None
    if isinstance(last, ast.Expr):
        call = _call("ran", number, last.value)
        statements[-1] = _placed(ast.Expr(call), last)
    elif shows_assignments and (target := _assigned(last)) is not None:
        # The shell shows what the last statement assigns, and it wouldn't be the last any more.
        statements.append(_placed(ast.Expr(_call("ran", number, target)), last))
    else:
        statements.append(_placed(ast.Expr(_call("ran", number)), last))
    return ast.Module(body=statements, type_ignores=[])


def only_call(method: str, number: int) -> ast.Module:
    """A cell that does nothing but call a method of the marker, and shows what it returns."""
    return ast.Module(body=[_placed(ast.Expr(_call(method, number)), None)], type_ignores=[])


def _assigned(statement: ast.stmt | None) -> ast.expr | None:
    target: ast.expr | None = None
    if isinstance(statement, ast.Assign):
        target = statement.targets[0]
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        target = statement.target
    return ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else None


def _call(method: str, number: int, *values: ast.expr) -> ast.Call:
    hook = ast.Attribute(ast.Name(MARKER, ast.Load()), method, ast.Load())
    return ast.Call(hook, [ast.Constant(number), *values], [])


def _placed(statement: ast.stmt, like: ast.stmt | None) -> ast.stmt:
    if like is None:
        statement.lineno = statement.end_lineno = 1
        statement.col_offset = statement.end_col_offset = 0
    else:
        ast.copy_location(statement, like)
    return ast.fix_missing_locations(statement)


class MarkerTransformer(ast.NodeTransformer):
    """The AST transformer: gives a marked cell to `begin`, and runs the tree that it returns.

    `mark` may make a checkpoint of a cell that has no magic.
    """

    def __init__(self, begin: Callable[[Marked], ast.Module], mark: Callable[[ast.Module], Marked | None]) -> None:
        self._begin = begin
        self._mark = mark

    def visit(self, node: ast.AST) -> ast.AST:
        """Called by IPython with each cell's tree."""
        marked = find_marker(node)
        if marked is None and isinstance(node, ast.Module):
            marked = self._mark(node)
        return node if marked is None else self._begin(marked)
