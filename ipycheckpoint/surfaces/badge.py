"""The line under a cell: what happened, how long it took, how large it is, since when, and why."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from ipycheckpoint.identity.explain import clock
from ipycheckpoint.record.outcome import Computed, Restored

if TYPE_CHECKING:
    from ipycheckpoint.record.outcome import Outcome
    from ipycheckpoint.record.record import Header

MIME = "application/vnd.ipycheckpoint.outcome+json"

_GLYPHS = {"restored": "✓", "computed": "●", "refused": "!"}


def in_words(outcome: Outcome) -> str:
    """One line: ``restored 3 variables · saved 41.2 s · from 14:02:11 · 320 MB``."""
    if isinstance(outcome, Restored):
        header = outcome.header
        count = sum(output.role not in ("shown", "import", "ambient") for output in header.outputs)
        parts = [
            f"restored {count} variable{'' if count == 1 else 's'}",
            f"saved {seconds_in_words(header.seconds)}",
            f"from {clock(header.created)}",
            bytes_in_words(header.nbytes),
        ]
    elif isinstance(outcome, Computed):
        parts = [f"computed {seconds_in_words(outcome.seconds)}"]
        if outcome.kept is not None:
            parts.append(f"kept {bytes_in_words(outcome.kept.nbytes)} in {seconds_in_words(outcome.keeping_seconds)}")
        parts.append(f"because: {outcome.explanation.reason}")
    else:
        parts = [f"computed {seconds_in_words(outcome.seconds)}", f"not kept: {outcome.reason}"]
    record = _header(outcome)
    if record is not None:
        parts += [note.partition(",")[0] for note in record.notes]  # the rest is for whoever reads the header
    return " · ".join(parts)


def bundle(outcome: Outcome) -> dict[str, Any]:
    """The MIME bundle of the line: text, HTML, and JSON for programs."""
    words = in_words(outcome)
    kind = type(outcome).__name__.lower()
    header = _header(outcome)
    about = {
        "outcome": kind,
        "label": outcome.explanation.label,
        "seconds": outcome.seconds,
        "nbytes": 0 if header is None else header.nbytes,
        "because": outcome.explanation.reason if kind != "refused" else words,
    }
    color = "var(--jp-warn-color1, #b25b00)" if kind == "refused" else "var(--jp-ui-font-color2, #666)"
    return {
        "text/plain": f"{_GLYPHS[kind]} {words}",
        "text/html": (
            f'<div style="font-size:85%;color:{color}" title="{html.escape(str(outcome.explanation), quote=True)}">'
            f"{_GLYPHS[kind]} {html.escape(words)}</div>"
        ),
        MIME: about,
    }


def _header(outcome: Outcome) -> Header | None:
    if isinstance(outcome, Restored):
        return outcome.header
    return outcome.kept if isinstance(outcome, Computed) else None


def seconds_in_words(seconds: float) -> str:
    """A duration for people.

    >>> seconds_in_words(0.0123), seconds_in_words(41.23), seconds_in_words(3723)
    ('12 ms', '41.2 s', '1 h 2 min')
    """
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def bytes_in_words(nbytes: float) -> str:
    """A size for people.

    >>> bytes_in_words(512), bytes_in_words(320_000_000)
    ('512 B', '320 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if nbytes < 999.5 or unit == "GB":
            return f"{nbytes:.0f} {unit}" if nbytes >= 9.95 or unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1000
    raise AssertionError("the loop returns")
