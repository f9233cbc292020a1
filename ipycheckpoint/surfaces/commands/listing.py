"""``ipycheckpoint ls``: what is kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ipycheckpoint.cache.listing import ORDERS
from ipycheckpoint.surfaces.badge import bytes_in_words, seconds_in_words
from ipycheckpoint.surfaces.commands.answer import Answer, Table
from ipycheckpoint.surfaces.commands.selection import add_selection, nothing, selected
from ipycheckpoint.surfaces.panel.model import shown_outputs, summary
from ipycheckpoint.surfaces.panel.words import GLYPHS, moment, one_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from ipycheckpoint.cache.listing import Row
    from ipycheckpoint.surfaces.commands.answer import Context

KEY_DIGITS = 12

_ASCENDING = frozenset(("label", "kind", "status", "tags", "outputs"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    add_selection(parser, may_be_all=False)
    parser.add_argument("--search", metavar="WORDS", help="words in labels, tags, variables, keys or failures")
    parser.add_argument("--sort", choices=sorted(ORDERS), default="last_used", help="by what (last_used)")
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N only")


def answer(context: Context, options: argparse.Namespace) -> Answer:
    """A row for each record, and all of them together."""
    listing = context.cache.catalogue
    descending = (options.sort not in _ASCENDING) != options.reverse
    keys = None
    if options.what or options.tag or options.kind or options.status:
        keys = [row.key for row in selected(context, options)]
    rows = listing.rows(
        keys=keys, search=options.search, order=options.sort, descending=descending, limit=options.limit
    )
    if not rows and (keys is not None or options.search):
        return nothing(context, options)
    totals = listing.totals()
    disk_nbytes = context.cache.upkeep.disk_nbytes()
    facts = summary(totals, disk_nbytes)
    line = " · ".join(
        f"{fact['name']}: {fact['value']}" + (f" ({fact['note']})" if fact["note"] else "") for fact in facts
    )
    parts = (f"Checkpoints in {context.cache.location}", line, table_of(rows)) if totals.records else _empty(context)
    return Answer(
        {
            "directory": context.cache.location,
            "totals": {**totals._asdict(), "disk_nbytes": disk_nbytes},
            "records": [row_data(row) for row in rows],
        },
        parts,
    )


def _empty(context: Context) -> tuple[str, ...]:
    return (f"Nothing is kept in {context.cache.location}. That is the cache, for {context.place.reason}.",)


def table_of(rows: Iterable[Row], now: float | None = None) -> Table:
    """The rows in words."""
    now = time.time() if now is None else now
    heads = ("KEY", "STATUS", "LABEL", "TAGS", "VARIABLES", "SIZE", "COMPUTED IN", "HITS", "LAST USED")
    return Table(heads, tuple(_cells(row, now) for row in rows), frozenset(("SIZE", "COMPUTED IN", "HITS")))


def _cells(row: Row, now: float) -> tuple[str, ...]:
    return (
        row.key[:KEY_DIGITS],
        f"{GLYPHS[row.status]} {row.status}{', pinned' if row.pinned else ''}",
        row.label,
        " ".join(f"{key}={value}" for key, value in row.tags),
        ", ".join(one_of(shown_outputs(row))),
        bytes_in_words(row.nbytes),
        seconds_in_words(row.seconds),
        f"{row.hits:,}",
        moment(row.last_used, now),
    )


def row_data(row: Row) -> dict[str, Any]:
    """A row for programs: times in seconds since the epoch, durations in seconds, sizes in bytes."""
    return {**row._asdict(), "tags": [list(tag) for tag in row.tags], "outputs": list(row.outputs)}
