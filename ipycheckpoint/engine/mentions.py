"""Paths of files that code and values mention.

Libraries that open files in native code tell nobody. What they open has been named to them: by a constant in the code,
by an input, or as a word in a query.
"""

from __future__ import annotations

import ast
import glob
import os
import re
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
_DEEPEST = 4
_MOST_ITEMS = 1000
"""How many items of one container are looked at."""


def mentioned(things: Iterable[object]) -> Iterator[str]:
    """Every text in `things`, and every word of it, that may be a path of a file or a pattern of paths.

    `things` are values, functions, classes and syntax trees.

    >>> list(mentioned([["a.csv", "select * from 'b.parquet'"]]))
    ['a.csv', "select * from 'b.parquet'", 'b.parquet']
    """
    for text in dict.fromkeys(text for thing in things for text in _texts(thing, 0)):
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


def _texts(thing: Any, depth: int) -> Iterator[str]:
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, bytes):
        if len(thing) <= _LONGEST_PATH:
            yield os.fsdecode(thing)
    elif isinstance(thing, int | float | complex | None):
        return
    elif isinstance(thing, os.PathLike):
        yield os.fsdecode(thing)
    elif isinstance(thing, ast.AST):
        for node in ast.walk(thing):
            if isinstance(node, ast.Constant):
                yield from _texts(node.value, _DEEPEST)
    elif isinstance(thing, CodeType):
        for constant in thing.co_consts:
            yield from _texts(constant, 0)
    elif isinstance(thing, FunctionType):
        yield from _texts(thing.__code__, 0)
        yield from _all((thing.__defaults__ or (), thing.__kwdefaults__ or {}), depth)
    elif isinstance(thing, dict):
        yield from _all(thing.keys(), depth)
        yield from _all(thing.values(), depth)
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from _all(thing, depth)
    elif isinstance(thing, staticmethod | classmethod):
        yield from _texts(thing.__func__, depth)
    elif isinstance(thing, property):
        yield from _texts(thing.fget, depth)
    elif isinstance(thing, type):
        if is_users(thing.__module__):
            yield from _all(vars(thing).values(), depth)
    elif is_users(type(thing).__module__):
        yield from _all(getattr(thing, "__dict__", {}).values(), depth)
        yield from _texts(type(thing), depth + 1)


def _all(things: Iterable[object], depth: int) -> Iterator[str]:
    if depth < _DEEPEST:
        for thing in islice(things, _MOST_ITEMS):
            yield from _texts(thing, depth + 1)
