"""``ipycheckpoint forget``, ``pin`` and ``unpin``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipycheckpoint.errors import UsageError
from ipycheckpoint.surfaces.badge import bytes_in_words
from ipycheckpoint.surfaces.commands.answer import FAILED, Answer
from ipycheckpoint.surfaces.commands.listing import table_of
from ipycheckpoint.surfaces.commands.selection import add_selection, is_named_plainly, nothing, selected
from ipycheckpoint.surfaces.panel.words import counted

if TYPE_CHECKING:
    import argparse

    from ipycheckpoint.cache.listing import Row
    from ipycheckpoint.surfaces.commands.answer import Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the commands can be told."""
    add_selection(parser)
    if not parser.prog.endswith("pin"):  # nor "unpin": that is undone as easily as it is done
        parser.add_argument("--yes", action="store_true", help="don't ask")


def confirmed(context: Context, options: argparse.Namespace, question: str) -> bool:
    """Whether the user agrees. Raises UsageError where nobody can be asked."""
    if options.yes:
        return True
    if context.confirm is None:
        raise UsageError(f"{question} Say --yes, since nobody can be asked here")
    return context.confirm(question)


def answer(context: Context, options: argparse.Namespace) -> Answer:
    """Do what `options.command` says with each record that is meant."""
    rows = selected(context, options)
    if not rows:
        return nothing(context, options)
    if options.command == "forget":
        return _forget(context, options, rows)
    upkeep = context.cache.upkeep
    for row in rows:
        if options.command == "pin":
            upkeep.pin(row.key)
        else:
            upkeep.unpin(row.key)
    done = "pinned" if options.command == "pin" else "unpinned"
    return Answer({done: [row.key for row in rows]}, (f"{done} {_told(rows)}",))


def _forget(context: Context, options: argparse.Namespace, rows: list[Row]) -> Answer:
    nbytes = bytes_in_words(sum(row.nbytes for row in rows))
    # A label or a key says clearly what is meant; what matches something may be more than was thought of.
    if not all(is_named_plainly(row, options.what) for row in rows):
        question = f"Forget {_told(rows)} ({nbytes})?"
        if not confirmed(context, options, question):
            return Answer({"forgot": []}, (table_of(rows), "nothing was forgotten"), FAILED)
    forgot = [row.key for row in rows if context.cache.forget(row.key)]
    return Answer({"forgot": forgot}, (f"forgot {_told(rows)}",))


def _told(rows: list[Row]) -> str:
    labels = list(dict.fromkeys(row.label for row in rows))
    return f"{counted(len(rows), 'record')} of {labels[0] if len(labels) == 1 else counted(len(labels), 'label')}"
