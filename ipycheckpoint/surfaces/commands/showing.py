"""``ipycheckpoint show``: all that is known of a record, without loading anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ipycheckpoint.record.headers import header_to_json
from ipycheckpoint.surfaces.commands.answer import FAILED, GOOD, Answer, Table
from ipycheckpoint.surfaces.commands.listing import row_data
from ipycheckpoint.surfaces.commands.selection import add_selection, nothing, selected
from ipycheckpoint.surfaces.panel.details import details
from ipycheckpoint.surfaces.panel.state import State

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.cache.listing import Row
    from ipycheckpoint.surfaces.commands.answer import Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    add_selection(parser)
    parser.add_argument("--versions", action="store_true", help="all versions of each label, not only the newest")


def answer(context: Context, options: argparse.Namespace) -> Answer:
    """The details of the newest record of each label that is meant, or of all."""
    rows = selected(context, options)
    if not options.versions:
        newest = {(row.kind, row.label): row for row in reversed(rows)}
        rows = [row for row in rows if newest[row.kind, row.label] is row or row.key in options.what]
    if not rows:
        return nothing(context, options)
    found = [details(context.cache, State(opened=row.key)) for row in rows]
    parts = [part for each in found for part in _parts(each)]
    data = [_data(context.cache, row, each) for row, each in zip(rows, found, strict=True)]
    return Answer(data, tuple(parts), FAILED if any("problem" in each for each in found) else GOOD)


def _data(cache: Cache, row: Row, seen: dict[str, Any]) -> dict[str, Any]:
    """For programs: the row as ``ls`` has it, the header as the format has it, and what is known besides."""
    record = None if "problem" in seen else cache.open(row.key)
    if record is None:
        return seen
    environment = record.environment
    return {
        **row_data(row),
        "trusted": record.is_trusted,
        "code": record.code,
        "header": header_to_json(record.header),
        "environment": None if environment is None else json.loads(environment.to_json()),
        "differences": seen["environment"]["differences"],
        "how_to_load": seen["failure"]["how_to_load"] if seen["failure"] else None,
    }


def _parts(seen: dict[str, Any]) -> Iterator[str | Table]:
    if "problem" in seen:
        yield f"{seen['key']}: {seen['problem']}"
        return
    yield f"{seen['glyph']} {seen['label']}: {seen['kind']}, {seen['status']}{', pinned' if seen['pinned'] else ''}"
    yield from (f"  {name}: {value}" for name, value in seen["facts"])
    yield from (f"  {note}" for note in seen["notes"])
    if seen["outputs"]:
        rows = tuple((o["name"], o["type"] or o["role"], o["size"], o["preview"]) for o in seen["outputs"])
        yield Table(("OUTPUT", "TYPE", "SIZE", "PREVIEW"), rows, frozenset(("SIZE",)))
    if seen["ingredients"]:
        yield Table(
            ("INGREDIENT", "KIND", "DIGEST", "PREVIEW"),
            tuple((i["name"], i["kind"], i["digest"], i["preview"]) for i in seen["ingredients"]),
        )
    for traced in seen["trace"]:
        yield f"{traced['what']}: {', '.join(traced['names'])}"
    environment = seen["environment"]
    yield f"saved by {environment['then']}"
    if environment["differences"]:
        rows = tuple(tuple(difference) for difference in environment["differences"])
        yield Table(("PACKAGE", "THEN", "NOW"), rows)
    if seen["failure"]:
        failure = seen["failure"]
        yield f"could not be loaded at {failure['when']}: {failure['exception']}"
        yield failure["settled"] or f"to get it back: {failure['how_to_load']}"
    if seen["code"]:
        yield f"\n{seen['code'].expandtabs(4)}\n"
