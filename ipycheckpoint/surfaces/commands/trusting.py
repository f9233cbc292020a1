"""``ipycheckpoint trust`` and ``untrust``: whose records are loaded."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ipycheckpoint.errors import CheckpointError, UsageError
from ipycheckpoint.surfaces.badge import bytes_in_words
from ipycheckpoint.surfaces.commands.answer import FAILED, GOOD, Answer, Table
from ipycheckpoint.surfaces.commands.selection import nothing, selected
from ipycheckpoint.surfaces.commands.tending import add_arguments as add_tending
from ipycheckpoint.surfaces.commands.tending import confirmed
from ipycheckpoint.surfaces.panel.words import counted, exactly, one_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from ipycheckpoint.cache.listing import Row
    from ipycheckpoint.surfaces.commands.answer import Context

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the commands can be told."""
    add_tending(parser)
    if parser.prog.endswith(" trust"):
        parser.add_argument(
            "--rotate", action="store_true", help="sign with a new secret from now on, and accept the old one"
        )


def answer(context: Context, options: argparse.Namespace) -> Answer:
    """Sign the records that are meant as the user's own, or take all signatures from them, once the user agrees."""
    if getattr(options, "rotate", False):
        return _rotate(context)
    rows = selected(context, options)
    if not rows:
        return nothing(context, options)
    trusting = options.command == "trust"
    rows = [row for row in rows if (row.status == "untrusted") == trusting]
    if not rows:
        return Answer(
            {f"{options.command}ed": [], "refused": []}, (f"nothing to {options.command}: that is done already",)
        )
    summary = summary_of(context, rows)
    question = (
        f"Loading what is in {counted(len(rows), 'record')} runs what whoever made them wrote. Trust them?"
        if trusting
        else f"Take the signature from {counted(len(rows), 'record')}, so that the work is done again?"
    )
    if not confirmed(context, options, "\n".join([*map(str, summary), question])):
        return Answer({f"{options.command}ed": [], "refused": []}, ("nothing was changed",), FAILED)
    done, refused = _each(context, rows, trusting)
    parts = [*(summary if options.yes else ()), f"{options.command}ed {counted(len(done), 'record')}"]
    parts += [f"{row.label} was not: {problem}" for row, problem in refused]
    data = {
        f"{options.command}ed": done,
        "refused": [{"key": row.key, "problem": problem} for row, problem in refused],
    }
    return Answer(data, tuple(parts), FAILED if refused else GOOD)


def _each(context: Context, rows: Iterable[Row], trusting: bool) -> tuple[list[str], list[tuple[Row, str]]]:
    done: list[str] = []
    refused: list[tuple[Row, str]] = []
    upkeep = context.cache.upkeep
    for row in rows:
        try:
            (upkeep.trust if trusting else upkeep.untrust)(row.key)
            done.append(row.key)
        except CheckpointError as problem:
            refused.append((row, str(problem)))
    return done, refused


def summary_of(context: Context, rows: Sequence[Row]) -> tuple[str | Table, ...]:
    """What is in these records: of whom they are, what they hold, and what types that is said to be."""
    signers: Counter[str] = Counter()
    lines: list[tuple[str, ...]] = []
    for row in rows:
        try:
            record = context.cache.open(row.key)
        except CheckpointError:
            record = None
        signer = "nobody" if record is None else record.signer or "nobody"
        signers[signer] += 1
        if len(lines) < _SHOWN:
            types = dict.fromkeys(output.type for output in record.header.outputs if output.type) if record else {}
            shown = ", ".join(one_of(types))
            lines.append((row.key[:12], row.label, row.kind, shown, bytes_in_words(row.nbytes), exactly(row.created)))
    told = ", ".join(f"{number:,} by {signer}" for signer, number in signers.most_common())
    size = bytes_in_words(sum(row.nbytes for row in rows))
    table = Table(("KEY", "LABEL", "KIND", "TYPES", "SIZE", "MADE"), tuple(lines), frozenset(("SIZE",)))
    more = (f"… and {len(rows) - _SHOWN:,} more",) if len(rows) > _SHOWN else ()
    return (f"{counted(len(rows), 'record')}, {size}; signed: {told}", table, *more)


def _rotate(context: Context) -> Answer:
    try:
        old, new = context.cache.keyring.rotate()
    except OSError as problem:
        raise UsageError(f"the secret can't be replaced: {problem}") from problem
    data: dict[str, Any] = {"signer": new, "accepted": old, "path": str(context.cache.keyring.path)}
    kept = f"; what {old} signed is still accepted" if old else ""
    return Answer(data, (f"signing as {new} from now on{kept}", f"the secret is {context.cache.keyring.path}"))
