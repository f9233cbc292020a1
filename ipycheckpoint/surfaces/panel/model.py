"""What a panel shows, as plain JSON: a Cache and a State in, the view out. Nothing here knows of widgets.

Queries only: a view changes nothing. What is to be read is in words already, so that the widget, HTML and text say
the same.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypedDict

from ipycheckpoint.cache.listing import MOMENT_SECONDS, STATUSES
from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.surfaces.badge import bytes_in_words, seconds_in_words
from ipycheckpoint.surfaces.panel.state import KINDS, PAGE_ROWS
from ipycheckpoint.surfaces.panel.words import GLYPHS, bars, counted, exactly, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.cache.listing import Row, Totals
    from ipycheckpoint.cache.news import Event
    from ipycheckpoint.surfaces.panel.state import State

View = dict[str, Any]


class Column(TypedDict):
    """A column of the table; `order` is what a click on its head sorts by."""

    id: str
    label: str
    order: str | None


COLUMNS: list[Column] = [
    {"id": "status", "label": "Status", "order": "status"},
    {"id": "label", "label": "Cell or function", "order": "label"},
    {"id": "tags", "label": "Tags", "order": "tags"},
    {"id": "outputs", "label": "Variables", "order": "outputs"},
    {"id": "size", "label": "Size", "order": "nbytes"},
    {"id": "computed", "label": "Computed in", "order": "seconds"},
    {"id": "restored", "label": "Restored in", "order": "restored"},
    {"id": "hits", "label": "Hits", "order": "hits"},
    {"id": "misses", "label": "Misses", "order": "misses"},
    {"id": "last_used", "label": "Last used", "order": "last_used"},
    {"id": "spark", "label": "Restores", "order": None},
]
"""The columns of the table, from left to right."""

_MOST_TAGS = 200
_MOST_NAMES = 20

_HOW_TO_BEGIN = (
    "Nothing is kept here yet. Put %%checkpoint above a slow cell, or @checkpoint above a slow function, and run it."
)


def view(
    cache: Cache,
    state: State,
    *,
    running: Sequence[Event] = (),
    disk_nbytes: int | None = None,
    now: float | None = None,
) -> View:
    """All that a panel shows but the details of a record.

    `running` are the runs of this moment; `disk_nbytes` what the store takes, if that is known. A store that can't be
    read is a view that says so.
    """
    now = time.time() if now is None else now
    try:
        return _view(cache, state, running, disk_nbytes, now)
    except CheckpointError as problem:
        return {
            **_frame(cache, state, running),
            "condition": "error",
            "message": str(problem),
            "rows": [],
            "summary": [],
        }


def _view(cache: Cache, state: State, running: Sequence[Event], disk_nbytes: int | None, now: float) -> View:
    listing = cache.catalogue
    totals = listing.totals()
    wanted = {**state.filters, "order": state.order, "descending": state.descending}
    page = state.page
    rows, count = listing.page(page, PAGE_ROWS, **wanted)
    pages = max(1, -(-count // PAGE_ROWS))
    if page >= pages:  # records have gone since
        page = pages - 1
        rows, count = listing.page(page, PAGE_ROWS, **wanted)
    restores = listing.restores([row.key for row in rows])
    chosen = listing.rows(keys=state.selected) if state.selected else []
    waiting = _waiting(cache)
    condition, message = "ready", ""
    if not totals.records:
        condition, message = "empty", _HOW_TO_BEGIN
    elif not count:
        condition, message = "no match", "No checkpoint fits this search and these filters."
    selected = f"{len(chosen):,} ({bytes_in_words(sum(row.nbytes for row in chosen))})"
    return {
        **_frame(cache, state, running),
        "condition": condition,
        "message": message,
        "summary": [*summary(totals, disk_nbytes), *_unsent(cache, waiting)],
        "waiting": waiting,
        "choices": {
            "kind": [[kind, kind] for kind in KINDS],
            "status": [[status, f"{GLYPHS[status]} {status}"] for status in STATUSES],
            "tag": _tag_choices(cache, state),
        },
        "rows": [_row(row, restores[row.key], state, now) for row in rows],
        "page": {
            "number": page,
            "count": pages,
            "words": f"{page * PAGE_ROWS + 1:,}–{page * PAGE_ROWS + len(rows):,} of {count:,}" if rows else "0 of 0",
        },
        "selected": len(chosen),
        "delete": f"Really delete {selected}?" if state.armed == "delete" else f"Delete selected {selected}",
    }


def _frame(cache: Cache, state: State, running: Sequence[Event]) -> View:
    """What can be shown without looking into the store."""
    return {
        "place": cache.location,
        "columns": COLUMNS,
        "query": {
            "search": state.search,
            "kind": state.kind,
            "status": state.status,
            "tag": state.tag,
            "order": state.order,
            "descending": state.descending,
        },
        "choices": {"kind": [], "status": [], "tag": []},
        "waiting": 0,
        "running": [{"label": event.label, "kind": event.kind, "key": event.key} for event in running],
        "page": {"number": 0, "count": 1, "words": ""},
        "opened": state.opened or "",
        "selected": 0,
        "armed": state.armed,
        "delete": "Delete selected",
        "notice": state.notice,
        "alarming": state.is_alarming,
    }


def summary(totals: Totals, disk_nbytes: int | None) -> list[dict[str, str]]:
    """The strip on top: what there is, in a few numbers."""
    disk, saved = "…", ""
    if disk_nbytes is not None:
        disk = bytes_in_words(disk_nbytes)
        shared = totals.nbytes - disk_nbytes
        # The store itself takes some bytes, so what is shared must be more than a trifle to be seen.
        saved = f"{bytes_in_words(shared)} saved by sharing" if shared > disk_nbytes / 100 else ""
    runs = totals.hits + totals.misses
    rate = f"{100 * totals.hits / runs:.0f} %" if runs else "–"
    return [
        {
            "name": "Checkpoints",
            "value": f"{totals.records:,}",
            "note": f"{totals.pinned:,} pinned" if totals.pinned else "",
        },
        {"name": "Disk used", "value": disk, "note": saved},
        {"name": "Hit rate", "value": rate, "note": f"{counted(totals.hits, 'hit')}, {_misses(totals.misses)}"},
        {"name": "Time saved", "value": seconds_in_words(max(totals.saved_seconds, 0.0)), "note": ""},
        {"name": "Failed loads", "value": f"{totals.failed:,}", "note": ""},
        {"name": "Untrusted", "value": f"{totals.untrusted:,}", "note": ""},
    ]


def _waiting(cache: Cache) -> int:
    """How many entries a shared store doesn't have yet, whoever is to send them."""
    left = getattr(cache.store, "left", None)
    return 0 if left is None else len(left())


def _unsent(cache: Cache, number: int) -> list[dict[str, str]]:
    if not number:
        return []
    note = f"{'entry' if number == 1 else 'entries'} for {cache.location}"
    return [{"name": "Not sent yet", "value": f"{number:,}", "note": note}]


def _misses(number: int) -> str:
    return f"{number:,} miss{'' if number == 1 else 'es'}"


def _tag_choices(cache: Cache, state: State) -> list[list[str]]:
    tags = [f"{key}={value}" for key, value in cache.catalogue.tags()[:_MOST_TAGS]]
    if state.tag and state.tag not in tags:
        tags.insert(0, state.tag)
    return [[tag, tag] for tag in tags]


def _row(row: Row, restores: dict[int, int], state: State, now: float) -> View:
    restored = row.restored
    return {
        "key": row.key,
        "kind": row.kind,
        "label": row.label,
        "status": row.status,
        "glyph": GLYPHS[row.status],
        "pinned": row.pinned,
        "failure": row.failure,
        "tags": [f"{key}={value}" for key, value in row.tags],
        "outputs": shown_outputs(row),
        "size": bytes_in_words(row.nbytes),
        "computed": seconds_in_words(row.seconds),
        "restored": "–" if restored is None else seconds_in_words(restored),
        "hits": f"{row.hits:,}",
        "misses": f"{row.misses:,}",
        "last_used": moment(row.last_used, now),
        "last_used_exactly": exactly(row.last_used),
        "spark": bars(restores, int(row.created // MOMENT_SECONDS), int(now // MOMENT_SECONDS)),
        "selected": row.key in state.selected,
    }


def shown_outputs(row: Row) -> list[str]:
    """The names of what it left, without those that are only the engine's."""
    names = [name for name in row.outputs if name.isidentifier() and name != "return"]
    more = len(names) - _MOST_NAMES
    return names if more <= 0 else [*names[:_MOST_NAMES], f"+{more}"]
