"""Names that code mentions inside strings: ``df.query("age > @limit")``, ``!ls {folder}``, ``pd.eval("a + b")``.

Such calls read the variables of their caller through its frame, so the variables count although no name in the tree
says so. What can't be read off a constant string may be anything.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_IDENTIFIER = r"(?<![\w.'\"])[^\W\d]\w*"
_AT = r"@([^\W\d]\w*)"
_SHELL = r"\$([^\W\d]\w*)|\{([^{}]+)\}"
_FRAME_READERS = {"pd.eval", "pandas.eval", "ne.evaluate", "numexpr.evaluate", "ne.re_evaluate"}
_HARMLESS_MAGICS = frozenset(
    "alias autoreload cd colors conda config env load_ext lsmagic mamba matplotlib pip precision pwd reload_ext"
    " set_env uv who whos xmode".split()
)
_SHELL_MAGICS = frozenset({"bash", "sh", "script", "sx", "system"})


class Mentions(NamedTuple):
    """What the strings in a call name."""

    names: tuple[str, ...] = ()
    anything: bool = False
    """Whether the call may read or write names that can't be told."""


_NONE = Mentions()


def mentions(call: ast.Call) -> Mentions:
    """What the strings among the arguments of `call` name.

    >>> mentions(ast.parse("df.query('age > @limit')", mode="eval").body).names
    ('limit',)
    """
    function = call.func
    if not isinstance(function, ast.Attribute):
        return _NONE
    owner = function.value
    if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "get_ipython":
        return _of_shell(function.attr, call)
    if isinstance(owner, ast.Name) and f"{owner.id}.{function.attr}" in _FRAME_READERS:
        if call.args and (texts := _texts(call.args[:1])):
            return _named(name for text in texts for name in re.findall(_IDENTIFIER, text))
        return Mentions(anything=True)
    if function.attr in {"query", "eval"}:
        return _named(name for text in _texts(call.args) for name in re.findall(_AT, text))
    return _NONE


def _of_shell(method: str, call: ast.Call) -> Mentions:
    texts = _texts(call.args)
    if method in {"run_line_magic", "run_cell_magic"}:
        magic, *texts = texts or [""]
        if magic not in _HARMLESS_MAGICS | _SHELL_MAGICS:
            return Mentions(anything=True)
    elif method in {"ex", "ev", "run_cell", "push", "run_line_magics", "magic"}:
        return Mentions(anything=True)
    found: list[str] = []
    for text in texts:
        for plain, expression in re.findall(_SHELL, text):
            found += [plain] if plain else re.findall(_IDENTIFIER, expression)
    return _named(found)


def _named(names: Iterable[str]) -> Mentions:
    return Mentions(tuple(dict.fromkeys(names)))


def _texts(nodes: list[ast.expr]) -> list[str]:
    """The constant strings in `nodes`, those inside f-strings and concatenations among them."""
    found = []
    pending: list[ast.AST] = list(reversed(nodes))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        elif isinstance(node, ast.JoinedStr | ast.BinOp):
            pending.extend(reversed(list(ast.iter_child_nodes(node))))
    return found
