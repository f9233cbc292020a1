"""``ipycheckpoint prune``: remove what is not worth its place, and garbage."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ipycheckpoint.errors import UsageError
from ipycheckpoint.surfaces.badge import bytes_in_words
from ipycheckpoint.surfaces.commands.answer import Answer, Table
from ipycheckpoint.surfaces.commands.listing import KEY_DIGITS
from ipycheckpoint.surfaces.panel.words import counted
from ipycheckpoint.units import parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.surfaces.commands.answer import Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    parser.add_argument(
        "--max-size", type=read_as(parse_size), metavar="SIZE", help="at most this much stays: 500MB, 5GB"
    )
    parser.add_argument(
        "--older-than",
        type=read_as(parse_duration),
        metavar="TIME",
        help="what was not used for so long goes: 12h, 30d",
    )
    parser.add_argument(
        "--keep-versions", type=read_as(_count), metavar="N", help="the newest N records of each label stay"
    )
    parser.add_argument("--dry-run", action="store_true", help="remove nothing, tell what would be removed")


def answer(context: Context, options: argparse.Namespace) -> Answer:
    """What was removed, or would be."""
    done = context.cache.prune(
        max_bytes=options.max_size,
        older_than=options.older_than,
        keep_versions=options.keep_versions,
        dry_run=options.dry_run,
    )
    freed = done.nbytes_before - done.nbytes_after
    verb = "would remove" if options.dry_run else "removed"
    parts: list[str | Table] = [
        f"{verb} {counted(len(done.removals), 'record')} and {counted(len(done.garbage), 'piece')} of garbage: "
        f"{bytes_in_words(freed)} less, {bytes_in_words(done.nbytes_after)} left"
        if done.removals or done.garbage
        else f"nothing to remove: {bytes_in_words(done.nbytes_after)} in {context.cache.location}"
    ]
    if done.removals:
        rows = tuple((r.key[:KEY_DIGITS], r.label, bytes_in_words(r.nbytes), r.reason) for r in done.removals)
        parts.append(Table(("KEY", "LABEL", "SIZE", "WHY"), rows, frozenset(("SIZE",))))
    if done.spared:
        parts.append("stays: " + ", ".join(f"{number:,} {reason}" for reason, number in done.spared.items()))
    data = {
        "dry_run": options.dry_run,
        "removed": [asdict(removal) for removal in done.removals],
        "garbage": [{"name": entry.name, "nbytes": entry.nbytes} for entry in done.garbage],
        "nbytes_before": done.nbytes_before,
        "nbytes_after": done.nbytes_after,
        "spared": done.spared,
        "notes": list(done.notes),
    }
    return Answer(data, (*parts, *done.notes))


def read_as(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """`parse`, for argparse: what is wrong is told in our words."""

    def read(text: str) -> Any:
        try:
            return parse(text)
        except UsageError as problem:
            raise argparse.ArgumentTypeError(str(problem)) from None

    return read


def _count(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or not int(text):
        raise UsageError(f"{text!r} is no number of versions: 1 or more is needed")
    return int(text)
