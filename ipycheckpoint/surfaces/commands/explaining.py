"""``ipycheckpoint why``: what set the newest record of a label apart from the one before, and what is in its way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.identity.explain import Explanation, clock, compare
from ipycheckpoint.surfaces.commands.answer import Answer
from ipycheckpoint.surfaces.commands.selection import add_selection, nothing, selected

if TYPE_CHECKING:
    import argparse

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.cache.listing import Row
    from ipycheckpoint.surfaces.commands.answer import Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    add_selection(parser)


def answer(context: Context, options: argparse.Namespace) -> Answer:
    """For the newest record of each label that is meant: why it was made, and why it would be no hit now."""
    rows = selected(context, options)
    newest: dict[tuple[str, str], Row] = {}
    for row in rows:
        if row.key in options.what or (row.kind, row.label) not in newest:
            newest[row.kind, row.label] = row
    if not newest:
        return nothing(context, options)
    explained = [_explain(context.cache, row) for row in newest.values()]
    return Answer([data for data, _ in explained], tuple(words for _, words in explained))


def _explain(cache: Cache, row: Row) -> tuple[dict[str, Any], str]:
    versions = cache.catalogue.rows(label=row.label, kind=row.kind)
    before = next((other for other in versions if other.created < row.created), None)
    try:
        obstacles = _obstacles(cache, row)
        made = _difference(cache, row, before)
    except CheckpointError as problem:
        obstacles, made = [str(problem)], Explanation("miss", row.label, "its record can't be read")
    data = {
        "key": row.key,
        "label": row.label,
        "reason": made.reason,
        "against": None if before is None else before.key,
        "changes": [{"what": c.what, "places": list(c.places), "diff": c.diff} for c in made.changes],
        "obstacles": obstacles,
    }
    now = "\n".join(f"  would be no hit now: {obstacle}" for obstacle in obstacles)
    return data, f"{made}\n{now or '  would be a hit for the same code and values'}"


def _difference(cache: Cache, row: Row, before: Row | None) -> Explanation:
    """Why the record was made though there was one before."""
    record = cache.open(row.key)
    earlier = None if before is None else cache.open(before.key)
    if record is None or before is None or earlier is None:
        return Explanation("miss", row.label, f"at {clock(row.created)} nothing was kept under this label yet")
    changes = compare(earlier.ingredients, record.ingredients)
    reason = (
        "; ".join(change.what.partition(":")[0] for change in changes[:3]) or "its ingredients came in another order"
    )
    return Explanation("miss", row.label, f"at {clock(row.created)}: {reason}", changes, before.created)


def _obstacles(cache: Cache, row: Row) -> list[str]:
    """Why a look-up would pass it over, whatever the code."""
    from ipycheckpoint.engine.trace import contradictions

    found = []
    record = cache.open(row.key)
    if record is None:
        return ["it is gone"]
    if not record.is_trusted:
        found.append("nobody whom you accept has signed it")
    if row.expires is not None and row.expires <= time.time():
        found.append(f"it expired at {clock(row.expires)}")
    past = cache.failures.get(row.key)
    if past is not None and past.settled is None:
        found.append(f"its last load failed: {past.line}")
    found += [change.what for change in contradictions(record.header.trace, cache.directory)]
    return found
