"""The source of live code: the text that is proved to compile to the very code object that runs.

A file may have been edited since it was imported, and a name may have been defined twice. So a piece of source is taken
for that of a function only when what Python compiles from it equals the live code in everything but its place.
"""

from __future__ import annotations
import __future__

import ast
import linecache
import os
import warnings
from bisect import bisect_right
from collections import defaultdict
from functools import lru_cache
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.identity.scopes import Scopes
from ipycheckpoint.identity.syntax import Function, parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_FUTURES = 0
for _name in __future__.all_feature_names:
    if _name != "nested_scopes":  # its flag has come to say that the code is nested
        _FUTURES |= getattr(__future__, _name).compiler_flag

_FILES_KEPT = 256


class Located(NamedTuple):
    """The node of a live function in the tree of its file or cell."""

    node: Function
    scopes: Scopes
    """Those of the statement that holds it."""
    text: str
    """Its own lines, dedented, with its decorators."""


class _Candidate(NamedTuple):
    code: CodeType
    node: Function
    statement: ast.stmt
    """What holds the node, of the statements of the file."""


class _File:
    """A file or cell and what was compiled from it, looked into as far as anybody asks: modules are long."""

    def __init__(self, text: str, tree: ast.Module, compiled: CodeType) -> None:
        self.lines = text.splitlines(keepends=True)
        self.body = tree.body
        self._starts = [_first_line(statement) for statement in tree.body]
        self._codes: dict[str, list[CodeType]] = defaultdict(list)
        for code in _all_codes(compiled):
            self._codes[code.co_qualname].append(code)
        self._functions: dict[ast.stmt, Mapping[tuple[str, int], list[Function]]] = {}
        self._scopes: dict[ast.stmt, Scopes] = {}

    def candidates(self, name: str) -> list[_Candidate]:
        """Every function with this qualified name that was compiled, with the node that it came from."""
        found = []
        for code in self._codes.get(name, ()):
            place = (code.co_name, code.co_firstlineno)
            nodes = {
                node: statement
                for statement in self._at(place[1])
                for node in self._functions_in(statement).get(place, ())
            }
            origin = _node_of(code, list(nodes))
            if origin is not None:
                found.append(_Candidate(code, origin, nodes[origin]))
        return found

    def scopes(self, statement: ast.stmt) -> Scopes:
        """Those of a statement: no scope of the module beside it says anything about the functions in it."""
        known = self._scopes.get(statement)
        if known is None:
            known = self._scopes[statement] = Scopes(ast.Module([statement], []))
        return known

    def _at(self, line: int) -> Iterator[ast.stmt]:
        """The statements that a line belongs to; there are several where semicolons are."""
        for index in range(bisect_right(self._starts, line) - 1, -1, -1):
            if (self.body[index].end_lineno or 0) < line:
                break
            yield self.body[index]

    def _functions_in(self, statement: ast.stmt) -> Mapping[tuple[str, int], list[Function]]:
        known = self._functions.get(statement)
        if known is None:
            known = self._functions[statement] = _functions_in(statement)
        return known


def locate(code: CodeType, module_globals: dict[str, Any] | None = None) -> Located | None:
    """Find the source of `code`; None when there is none or it isn't the one that runs.

    `module_globals` lead to the loader of a module that lives in no plain file, such as a zip archive.
    """
    name = code.co_filename
    if module_globals is not None:
        linecache.lazycache(name, module_globals)
    known = linecache.getlines(name, module_globals)
    located = _search(code, "".join(known)) if known else None
    if located is None:
        # What was read before may be older than the import of this code.
        linecache.checkcache(name)
        fresh = linecache.getlines(name, module_globals)
        if fresh and fresh != known:
            located = _search(code, "".join(fresh))
    return located


def source_of(function: FunctionType) -> str | None:
    """The dedented text of a live function with its decorators; None where it can't be known for sure."""
    located = locate(function.__code__, function.__globals__)
    return located.text if located is not None else None


def text_of(node: ast.stmt | ast.Lambda, lines: list[str]) -> str:
    """The lines of a function or class, with its decorators, dedented."""
    return dedented("".join(lines[_first_line(node) - 1 : node.end_lineno])).rstrip("\n")


def dedented(text: str) -> str:
    r"""As `textwrap.dedent`, which takes longer to load than a hit takes to read all its sources.

    >>> dedented("  def f():\n      pass\n")
    'def f():\n    pass\n'
    """
    lines = [line if line.strip(" \t") else "" for line in text.split("\n")]
    indents = [line[: len(line) - len(line.lstrip(" \t"))] for line in lines if line]
    margin = len(os.path.commonprefix(indents))  # noqa: RUF071 - character by character is right here
    return "\n".join(line[margin:] for line in lines)


def _search(code: CodeType, text: str) -> Located | None:
    file = _read(code.co_filename, text, code.co_flags & _FUTURES)
    if file is None:
        return None
    matching = _matching(code, [file])
    if not matching:
        # A shell compiles a cell statement by statement, and what is imported by another one makes other code.
        matching = _matching(code, _apart(code.co_filename, text, code.co_flags & _FUTURES))
    if not matching:
        return None
    columns = list(code.co_positions())
    first = code.co_firstlineno

    def distance(candidate: _Candidate) -> tuple[int, bool]:
        return abs(candidate.code.co_firstlineno - first), list(candidate.code.co_positions()) != columns

    _, node, statement = min(matching, key=distance)
    return Located(node, file.scopes(statement), text_of(node, file.lines))


def _matching(code: CodeType, files: Iterable[_File]) -> list[_Candidate]:
    candidates = (candidate for file in files for candidate in file.candidates(code.co_qualname))
    return [candidate for candidate in candidates if same_code(candidate.code, code)]


@lru_cache(maxsize=_FILES_KEPT)
def _read(name: str, text: str, flags: int) -> _File | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the import or the cell has shown them
            tree = parsed(text, name)
            return _File(text, tree, _compile(tree, name, flags))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@lru_cache(maxsize=_FILES_KEPT)
def _apart(name: str, text: str, flags: int) -> list[_File]:
    """Each statement of a readable file, compiled on its own."""
    file = _read(name, text, flags)
    assert file is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = [ast.Module([statement], []) for statement in file.body]
        return [_File(text, tree, _compile(tree, name, flags)) for tree in alone]


def _compile(tree: ast.Module, name: str, flags: int) -> CodeType:
    compiled: CodeType
    try:
        compiled = compile(tree, name, "exec", flags, dont_inherit=True)
    except SyntaxError:
        compiled = compile(tree, name, "exec", flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return compiled


def _functions_in(statement: ast.stmt) -> Mapping[tuple[str, int], list[Function]]:
    """The functions in a statement, by what their code has for a name and a first line."""
    found: dict[tuple[str, int], list[Function]] = defaultdict(list)
    for node in ast.walk(statement):
        if isinstance(node, Function):
            name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
            # The code of a function with type parameters begins at its `def`, that of another at its decorators.
            for line in {_first_line(node), node.lineno}:
                found[name, line].append(node)
    return found


def _node_of(code: CodeType, nodes: list[Function]) -> Function | None:
    if len(nodes) < 2:
        return nodes[0] if nodes else None
    # Several on one line: the innermost that holds all that was compiled into the code.
    places = [(line, column) for line, _, column, _ in code.co_positions() if line and column]
    if not places:
        # 3.12 gives no column to a lambda that only returns a constant; it needs nothing from around it.
        return next((node for node in nodes if same_code(_compile_alone(node), code)), None)
    holding = [node for node in nodes if all(_holds(node, *place) for place in places)]
    # All that a function does may be to make the one inside it.
    inside = sum(each.co_name[0] != "<" or each.co_name == "<lambda>" for each in _all_codes(code) if each is not code)
    alike = [node for node in holding if _functions_inside(node) == inside]
    return max(alike or holding, key=lambda node: (node.lineno, node.col_offset), default=None)


def _functions_inside(node: Function) -> int:
    """How many functions and classes the body of a function makes."""
    body = node.body if isinstance(node.body, list) else [node.body]
    return sum(isinstance(inner, Function | ast.ClassDef) for part in body for inner in ast.walk(part))


def _compile_alone(node: Function) -> CodeType:
    tree: ast.Expression | ast.Module = ast.Expression(node) if isinstance(node, ast.Lambda) else ast.Module([node], [])
    whole = compile(tree, "<alone>", "eval" if isinstance(tree, ast.Expression) else "exec", dont_inherit=True)
    return next(const for const in whole.co_consts if isinstance(const, CodeType))


def _holds(node: Function, line: int, column: int) -> bool:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return (node.lineno, node.col_offset) <= (line, column) < (node.end_lineno, node.end_col_offset)


def _first_line(node: Any) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    line: int = node.lineno
    return min([line, *(decorator.lineno for decorator in decorators)])


def _all_codes(code: CodeType) -> Iterator[CodeType]:
    pending = [code]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(const for const in current.co_consts if isinstance(const, CodeType))


def same_code(one: CodeType, other: CodeType) -> bool:
    """Whether two code objects do the same in every respect but where their text stands.

    >>> first, second = (compile(text, "", "exec") for text in ("x = 1", "x  =  (1)"))
    >>> same_code(first, second), same_code(first, compile("x = True", "", "exec"))
    (True, False)
    """
    return all(getattr(one, name) == getattr(other, name) for name in _COUNTS) and _same_constants(
        _constants(one), _constants(other)
    )


_COUNTS = (
    "co_name", "co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags", "co_argcount",
    "co_posonlyargcount", "co_kwonlyargcount", "co_exceptiontable",
)  # fmt: skip


def _constants(code: CodeType) -> tuple[Any, ...]:
    # 3.13 writes the line of a class into its body.
    first = [const for const in code.co_consts if not isinstance(const, int) or const != code.co_firstlineno]
    return tuple(first) if "__firstlineno__" in code.co_names else code.co_consts


def _same_constants(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, CodeType):
        return same_code(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same_constants, one, other))
    if isinstance(one, frozenset):
        return len(one) == len(other) and {(type(i), repr(i)) for i in one} == {(type(i), repr(i)) for i in other}
    if isinstance(one, slice):
        return _same_constants((one.start, one.stop, one.step), (other.start, other.stop, other.step))
    return repr(one) == repr(other)
