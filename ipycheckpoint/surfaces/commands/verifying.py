"""``ipycheckpoint verify``: whether every byte is what it was, and what to do where it isn't."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from ipycheckpoint.cache.verify import verify
from ipycheckpoint.surfaces.badge import bytes_in_words
from ipycheckpoint.surfaces.commands.answer import FAILED, GOOD, Answer, Table
from ipycheckpoint.surfaces.panel.words import counted

if TYPE_CHECKING:
    import argparse

    from ipycheckpoint.surfaces.commands.answer import Context

_NAME = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    parser.add_argument("--fix", action="store_true", help="mend what can be mended, and move aside what can't")


def answer(context: Context, options: argparse.Namespace) -> Answer:
    """What was found, and how it was mended. Ends with FAILED while anything is wrong."""
    result = verify(context.cache, fix=options.fix)
    wrong = sum(finding.is_wrong for finding in result.findings)
    seen = f"{counted(result.records, 'record')} and {counted(result.blobs, 'blob')}, {bytes_in_words(result.nbytes)}"
    verdict = "all right" if result.is_good else f"{counted(wrong, 'thing')} wrong"
    parts: list[str | Table] = [f"{verdict}: {seen} in {context.cache.location}"]
    if result.findings:
        rows = tuple((f.what, _short(f.name), f.label, f.told, f.done) for f in result.findings)
        parts.append(Table(("WHAT", "WHERE", "LABEL", "FOUND", "DONE"), rows))
    if wrong and not options.fix:
        parts.append("--fix mends what can be mended; what can't is moved aside, and its work is done again")
    data = {
        "good": result.is_good,
        "records": result.records,
        "blobs": result.blobs,
        "nbytes": result.nbytes,
        "findings": [{**asdict(finding), "wrong": finding.is_wrong} for finding in result.findings],
    }
    return Answer(data, tuple(parts), GOOD if result.is_good else FAILED)


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[:20]}…" if "/" not in name[20:] else f"…{name[-_NAME:]}"
