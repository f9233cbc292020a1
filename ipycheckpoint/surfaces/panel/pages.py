"""The panel as plain HTML and as text: the same facts where no widget can be, offline and in a terminal."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.surfaces.commands.answer import harmless
from ipycheckpoint.surfaces.panel.model import COLUMNS, view
from ipycheckpoint.surfaces.panel.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.surfaces.panel.model import Column, View

# Written at each element: what is reopened untrusted loses its style sheets, and keeps these.
_CELL = "text-align:left;padding:2px 8px;vertical-align:top"
_HEAD = f"{_CELL};border-bottom:1px solid"


def disk_nbytes(cache: Cache) -> int | None:
    """What the store takes; None if it can't be read."""
    try:
        return cache.upkeep.disk_nbytes()
    except CheckpointError:
        return None


def facts(cache: Cache) -> View:
    """What is shown of `cache` at first."""
    return view(cache, State(), disk_nbytes=disk_nbytes(cache))


def as_text(seen: View) -> str:
    """A view as text: a line for the place, one for the summary, a table.

    >>> from ipycheckpoint.cache.cache import Cache
    >>> import tempfile
    >>> print(as_text(view(Cache.at(tempfile.mkdtemp()), State())))
    Checkpoints in /...
    Nothing is kept here yet. ...
    """
    lines = [f"Checkpoints in {seen['place']}"]
    if seen["message"]:
        return "\n".join([*lines, seen["message"]])
    lines.append(" · ".join(_fact(fact) for fact in seen["summary"]))
    table = [
        [column["label"] for column in _columns()],
        *([harmless(_words(c)) for c in _cells(row)] for row in seen["rows"]),
    ]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([*lines, *_more(seen)])


def as_html(seen: View) -> str:
    """A view as HTML that needs nothing else: no script, no style sheet, no network."""
    place = f"<p>Checkpoints in <code>{html.escape(seen['place'])}</code></p>"
    if seen["message"]:
        return f"<div>{place}<p>{html.escape(seen['message'])}</p></div>"
    facts = "".join(f"<li>{html.escape(_fact(fact))}</li>" for fact in seen["summary"])
    head = "".join(f'<th scope="col" style="{_HEAD}">{html.escape(c["label"])}</th>' for c in _columns())
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{html.escape(_words(cell))}</td>' for cell in _cells(row)) + "</tr>"
        for row in seen["rows"]
    )
    more = "".join(f"<p>{html.escape(line)}</p>" for line in _more(seen))
    return (
        f"<div>{place}<ul>{facts}</ul><table><caption>Checkpoints, the last used first</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}</div>"
    )


def closed(seen: View) -> dict[str, str]:
    """The same behind one line, to stand above a panel: it is what is left where the panel can't be drawn."""
    line = seen["message"] or " · ".join(_fact(fact) for fact in seen["summary"][:3])
    summary = f'<summary style="font-size:85%">{html.escape(line)}</summary>'
    return {"text/html": f"<details>{summary}{as_html(seen)}</details>", "text/plain": as_text(seen)}


def _fact(fact: Mapping[str, str]) -> str:
    note = f" ({fact['note']})" if fact["note"] else ""
    return f"{fact['name']}: {fact['value']}{note}"


def _columns() -> list[Column]:
    return [column for column in COLUMNS if column["order"] is not None]


def _cells(row: Mapping[str, Any]) -> list[Any]:
    return [
        f"{row['glyph']} {row['status']}{' · pinned' if row['pinned'] else ''}",
        *(row[column["id"]] for column in _columns() if column["id"] != "status"),
    ]


def _words(cell: object) -> str:
    return ", ".join(cell) if isinstance(cell, list) else str(cell)


def _more(seen: View) -> list[str]:
    return [f"Rows {seen['page']['words']}"] if seen["page"]["count"] > 1 else []
