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
        if len(text) <= _LONGEST_PATH:
            yield from _paths_in_short(text)
        elif len(text) <= _LONGEST_TEXT:
            yield from _paths_in(text)


def mentions_the_same(thing: object) -> bool:
    """Whether what `thing` mentions is surely the same later: nothing can change it in place, or hardly anybody does.

    >>> mentions_the_same("a.csv"), mentions_the_same(["a.csv"])
    (True, False)
    """
    kind = type(thing)
    if kind is FunctionType:
        return not (thing.__defaults__ or thing.__kwdefaults__)  # type: ignore[attr-defined]  # it is a function
    return kind is str or kind in _ATOMS or kind is bytes


def files_among(texts: Iterable[str]) -> list[str]:
    """The files that `texts` are the paths of, or find as patterns."""
    files = []
    for text in texts:
        try:
            is_there = os.access(text, os.F_OK)  # most texts are no paths, and this makes no exception of each
        except ValueError:
            continue
        if is_there and os.path.isfile(text):
            files.append(text)
        elif ("." in text or "/" in text) and glob.has_magic(text):
            files += [found for found in glob.iglob(text, recursive=True) if os.path.isfile(found)]
    return files


def _paths_in(text: str) -> tuple[str, ...]:
    if "\0" in text:
        return ()
    words = [word for word in _WORD.findall(text) if word != text and len(word) <= _LONGEST_PATH]
    return (*([text] if len(text) <= _LONGEST_PATH and "\n" not in text else ()), *words)


_paths_in_short = lru_cache(maxsize=1000)(_paths_in)
# The texts of code are the same for each call of it, and those of a call are looked at before and after its run.


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
    elif isinstance(thing, CodeType):
        found.update(_texts_of_code(thing))
    elif isinstance(thing, FunctionType):
        found.update(_texts_of_code(thing.__code__))
        _collect_all(filter(None, (thing.__defaults__, thing.__kwdefaults__)), depth, found)
    elif isinstance(thing, os.PathLike):
        found[os.fsdecode(thing)] = None
    elif isinstance(thing, ast.AST):
        for node in ast.walk(thing):
            if isinstance(node, ast.Constant):
                _collect(node.value, _DEEPEST, found)
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
