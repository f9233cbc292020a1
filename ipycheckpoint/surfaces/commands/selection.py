"""Which records a command is about: by label, pattern, Key, tag, kind or status."""

from __future__ import annotations

import difflib
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ipycheckpoint.cache.listing import STATUSES
from ipycheckpoint.errors import UsageError
from ipycheckpoint.surfaces.commands.answer import FAILED, Answer

if TYPE_CHECKING:
    import argparse

    from ipycheckpoint.cache.listing import Row
    from ipycheckpoint.surfaces.commands.answer import Context

KINDS = ("cell", "call", "savepoint")

_KEY = re.compile(r"[0-9a-f]{6,64}\Z")
_PATTERN = re.compile(r"[*?\[]")


def add_selection(parser: argparse.ArgumentParser, *, may_be_all: bool = True) -> None:
    """What picks records."""
    parser.add_argument(
        "what", nargs="*", metavar="LABEL|KEY", help="a label, a pattern such as 'train*', or the first digits of a key"
    )
    parser.add_argument("--tag", action="append", default=[], metavar="K=V", help="only with this tag")
    parser.add_argument("--kind", choices=KINDS, help="only cells, calls or savepoints")
    parser.add_argument("--status", choices=STATUSES, help="only with this status")
    if may_be_all:
        parser.add_argument("--all", action="store_true", help="all that there are")


def selected(context: Context, options: argparse.Namespace, *, default_all: bool = False) -> list[Row]:
    """The rows that are picked, newest first. Raises UsageError where nothing says which."""
    tags = [_tag(text) for text in options.tag]
    is_narrow = bool(options.what or tags or options.kind or options.status)
    if not is_narrow and not default_all and not getattr(options, "all", False):
        raise UsageError("which ones? Name a LABEL or KEY, or say --tag, --kind, --status or --all")
    rows = context.cache.catalogue.rows(
        kind=options.kind, status=options.status, tag=tags[0] if tags else None, order="created"
    )
    return [row for row in rows if set(tags) <= set(row.tags) and (not options.what or _is_named(row, options.what))]


def nothing(context: Context, options: argparse.Namespace) -> Answer:
    """The answer where no record is picked."""
    labels = context.cache.catalogue.labels()
    near = [
        label
        for what in options.what
        # A function of a module is listed under the names of both.
        for label in (
            *difflib.get_close_matches(what, labels, n=3),
            *(label for label in labels if label.endswith(f".{what}")),
        )
    ]
    hint = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    named = " ".join(options.what) or "this"
    return Answer([], (f"nothing in {context.cache.location} fits {named}{hint}",), FAILED)


def is_named_plainly(row: Row, names: list[str]) -> bool:
    """Whether one of `names` is the record's label, or the beginning of its Key."""
    return any(row.label == name or (_KEY.match(name) is not None and row.key.startswith(name)) for name in names)


def _is_named(row: Row, names: list[str]) -> bool:
    return is_named_plainly(row, names) or any(_PATTERN.search(name) and fnmatchcase(row.label, name) for name in names)


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UsageError(f"--tag {text}: a tag is written as name=value")
    return key, value
