"""The source text behind a code object, and back: what makes code readable by another Python."""

from __future__ import annotations
import __future__

import ast
import functools
import linecache
import os
from types import CodeType
from typing import Any

from ipycheckpoint.identity.syntax import parsed

_FUTURES = functools.reduce(
    lambda flags, name: flags | getattr(__future__, name).compiler_flag, __future__.all_feature_names, 0
)

Places = dict[tuple[str, int], list[CodeType]]
"""Code objects by qualified name and first line, those of one line in the order of the text."""

_remembered: dict[str, list[str]] = {}
# The entries of linecache that are ours: the file name, and its lines.


def futures(code: CodeType) -> int:
    """The ``from __future__`` switches that `code` was compiled with, as flags for `compile`."""
    return code.co_flags & _FUTURES


@functools.lru_cache(maxsize=64)
def compiled(text: str, file_name: str, flags: int) -> Places:
    """All code objects of `text`; none when this Python can't compile it."""
    for extra in (0, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
        try:
            root = compile(text, file_name, "exec", flags | extra, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        places: Places = {}
        _collect(root, places)
        return places
    return {}


def _collect(code: CodeType, places: Places) -> None:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            places.setdefault((constant.co_qualname, constant.co_firstlineno), []).append(constant)
            _collect(constant, places)


def source_of(code: CodeType, module_globals: dict[str, Any] | None = None) -> tuple[str, str, int, int] | None:
    """File name, text, first line and ordinal of `code`, for `code_v1`; None when no text compiles to it.

    The text is the statement of the cell or file around the code, on its own lines; all of it where an import beside
    that statement makes other code.
    """
    file_name = code.co_filename
    lines = linecache.getlines(file_name, module_globals)
    if not lines:
        return None
    whole = "".join(lines)
    for text in (_block(whole, code.co_firstlineno), whole):
        candidates = compiled(text, file_name, futures(code)).get((code.co_qualname, code.co_firstlineno), ())
        for ordinal, candidate in enumerate(candidates):
            if candidate == code:
                return file_name, text, code.co_firstlineno, ordinal
    return None


@functools.lru_cache(maxsize=256)
def _block(text: str, line: int) -> str:
    for statement in _statements(text):
        decorators = getattr(statement, "decorator_list", ())
        first: int = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
        last: int = statement.end_lineno or first
        if first <= line <= last:
            return "\n" * (first - 1) + "".join(text.splitlines(keepends=True)[first - 1 : last])
    return text


@functools.lru_cache(maxsize=8)
def _statements(text: str) -> list[ast.stmt]:
    try:
        return parsed(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def remember(code: CodeType, text: str) -> CodeType:
    """Let `inspect.getsource` find `text` for `code`, which is returned under a name of its own if it must be.

    A file that exists speaks for itself, and a live entry of linecache is never overwritten.
    """
    file_name = code.co_filename
    if os.path.exists(file_name):
        return code
    lines = text.splitlines(keepends=True)
    while file_name in linecache.cache:
        there = linecache.getlines(file_name)
        agree = all(old == new or not new.strip() for old, new in zip(there, lines, strict=False))
        if agree and len(there) >= len(lines):
            return code if file_name == code.co_filename else _renamed(code, file_name)
        ours = _remembered.get(file_name)
        if ours is not None and there is ours and (merged := _overlay(ours, lines)) is not None:
            lines = merged
            break
        file_name = f"<restored {file_name.strip('<>')}>"
    # With no time of modification, linecache.checkcache leaves an entry alone.
    linecache.cache[file_name] = (sum(map(len, lines)), None, lines, file_name)
    _remembered[file_name] = lines
    return code if file_name == code.co_filename else _renamed(code, file_name)


def _overlay(one: list[str], other: list[str]) -> list[str] | None:
    # Two statements of one file, each on its own lines: None when they claim the same line.
    merged = []
    for index in range(max(len(one), len(other))):
        mine = one[index] if index < len(one) else "\n"
        theirs = other[index] if index < len(other) else "\n"
        if mine != theirs and mine.strip() and theirs.strip():
            return None
        merged.append(mine if mine.strip() else theirs)
    return merged


def _renamed(code: CodeType, file_name: str) -> CodeType:
    constants = tuple(_renamed(c, file_name) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_filename=file_name, co_consts=constants)
