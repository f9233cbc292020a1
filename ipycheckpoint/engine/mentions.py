"""Paths of files that code and values mention.

Libraries that open files in native code tell nobody. What they open has been named to them: by a constant in the code,
by an input, or as a word in a query.
"""

from __future__ import annotations

import ast
import glob
import os
import re
from functools import lru_cache
from itertools import islice
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.identity.ownership import is_users

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WORD = re.compile(r"[^\s'\"`,;()<>|&=]*[./][^\s'\"`,;()<>|&=]*")
"""A word of a query or command that may be a path: it has a dot or a slash."""

_LONGEST_PATH = 1024  # characters
_LONGEST_TEXT = 100_000
_ATOMS = frozenset((int, float, bool, complex, type(None)))
_DEEPEST = 4
_MOST_ITEMS = 1000
"""How many items of one container are looked at."""


def mentioned(things: Iterable[object]) -> Iterator[str]:
    """Every text in `things`, and every word of it, that may be a path of a file or a pattern of paths.

    `things` are values, functions, classes and syntax trees.

    >>> list(mentioned([["a.csv", "select * from 'b.parquet'"]]))
    ['a.csv', "select * from 'b.parquet'", 'b.parquet']
    """
    found: dict[str, None] = {}
    for thing in things:
        _collect(thing, 0, found)
    for text in found:
        if len(text) > _LONGEST_TEXT or "\0" in text:
            continue
        if len(text) <= _LONGEST_PATH and "\n" not in text:
            yield text
        for word in _WORD.findall(text):
            if word != text and len(word) <= _LONGEST_PATH:
                yield word


def files_at(path: str) -> list[str]:
    """The files that `path` is, or finds as a pattern."""
    if os.path.isfile(path):
        return [path]
    if glob.has_magic(path) and ("." in path or "/" in path):
        return [found for found in glob.iglob(path, recursive=True) if os.path.isfile(found)]
    return []


def _collect(thing: Any, depth: int, found: dict[str, None]) -> None:
    """Add every text in `thing` to `found`."""
    kind = type(thing)
    if kind in _ATOMS:
        return
    if isinstance(thing, str):
        found[thing] = None
    elif isinstance(thing, bytes):
        if len(thing) <= _LONGEST_PATH:
            found[os.fsdecode(thing)] = None
    elif isinstance(thing, int | float | complex):
        return
    elif isinstance(thing, os.PathLike):
        found[os.fsdecode(thing)] = None
    elif isinstance(thing, ast.AST):
        for node in ast.walk(thing):
            if isinstance(node, ast.Constant):
                _collect(node.value, _DEEPEST, found)
    elif isinstance(thing, CodeType):
        found.update(_texts_of_code(thing))
    elif isinstance(thing, FunctionType):
        found.update(_texts_of_code(thing.__code__))
        _collect_all((thing.__defaults__ or (), thing.__kwdefaults__ or {}), depth, found)
    elif isinstance(thing, dict):
        _collect_all(thing.keys(), depth, found)
        _collect_all(thing.values(), depth, found)
    elif isinstance(thing, list | tuple | set | frozenset):
        _collect_all(thing, depth, found)
    elif isinstance(thing, staticmethod | classmethod):
        _collect(thing.__func__, depth, found)
    elif isinstance(thing, property):
        _collect(thing.fget, depth, found)
    elif isinstance(thing, type):
        if is_users(thing.__module__):
            _collect_all(vars(thing).values(), depth, found)
    elif is_users(kind.__module__):
        _collect_all(getattr(thing, "__dict__", {}).values(), depth, found)
        _collect(kind, depth + 1, found)


@lru_cache(maxsize=1000)
def _texts_of_code(code: CodeType) -> dict[str, None]:
    found: dict[str, None] = {}
    for constant in code.co_consts:
        _collect(constant, 0, found)
    return found


def _collect_all(things: Iterable[object], depth: int, found: dict[str, None]) -> None:
    if depth < _DEEPEST:
        for thing in islice(things, _MOST_ITEMS):
            _collect(thing, depth + 1, found)
