"""The words of the line under a cell: what happened, how long it took, how large it is, since when, and why."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from ipycheckpoint.errors import CannotKeep, StoreError, Unidentifiable
from ipycheckpoint.identity.explain import clock
from ipycheckpoint.record.outcome import Computed, Restored

if TYPE_CHECKING:
    from ipycheckpoint.errors import CheckpointError
    from ipycheckpoint.progress import Progress
    from ipycheckpoint.record.outcome import Outcome
    from ipycheckpoint.record.record import Header

MIME = "application/vnd.ipycheckpoint.outcome+json"

_GLYPHS = {"restored": "✓", "computed": "●", "refused": "!", "under way": "…"}
_NO_OUTPUTS = ("ambient state", "hidden state", "module")
"""Of what a cell changed, what no option leaves out."""

_NOTICEABLE = 0.1
"""Seconds from which on somebody has waited."""

_GREY, _WARNING = "var(--jp-ui-font-color2, #666)", "var(--jp-warn-color1, #b25b00)"


def in_words(outcome: Outcome) -> str:
    """One line: ``restored 3 variables · saved 41.2 s · from 14:02:11 · 320 MB``."""
    if isinstance(outcome, Restored):
        header = outcome.header
        count = sum(output.role not in ("shown", "import", "ambient") for output in header.outputs)
        parts = [
            f"restored {count} variable{'' if count == 1 else 's'}",
            _saving(header.seconds, outcome.seconds),
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
        parts += _way_out(outcome.problem)
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
    color = _WARNING if kind == "refused" else _GREY
    return {**_shown(f"{_GLYPHS[kind]} {words}", color, str(outcome.explanation)), MIME: about}


def progress_in_words(progress: Progress, seconds_left: float | None = None) -> str:
    """One line for what is under way.

    >>> from ipycheckpoint.progress import Progress
    >>> progress_in_words(Progress("keeping", 320_000_000, 1_200_000_000), 2.8)
    'keeping 320 MB of 1.2 GB · about 3 s left'
    >>> progress_in_words(Progress("looking at the inputs"))
    'looking at the inputs'
    """
    words = progress.what
    if progress.total:
        done = f"{bytes_in_words(progress.done)} of " if 0 < progress.done < progress.total else ""
        words += f" {done}{bytes_in_words(progress.total)}"
    return words if seconds_left is None else f"{words} · about {_about(seconds_left)} left"


def progress_bundle(words: str) -> dict[str, Any]:
    """The MIME bundle of a line that is to change yet: it tells programs nothing."""
    return _shown(f"{_GLYPHS['under way']} {words}", _GREY)


def _saving(computed: float, restored: float) -> str:
    """What a hit saved, in seconds: importing what a value needs can take as long as the run did."""
    if restored > computed and restored > _NOTICEABLE:
        return f"no time saved: it took {seconds_in_words(restored)}"
    return f"saved {seconds_in_words(max(computed - restored, 0))}"


def _shown(line: str, color: str, title: str = "") -> dict[str, Any]:
    hint = f' title="{html.escape(title, quote=True)}"' if title else ""
    return {
        "text/plain": line,
        "text/html": f'<div style="font-size:85%;color:{color}"{hint}>{html.escape(line)}</div>',
    }


def _way_out(problem: CheckpointError) -> list[str]:
    match problem:
        case CannotKeep(name=name, type_name=kind) if name.isidentifier() and kind not in _NO_OUTPUTS:
            return [f"leave it out with --exclude {name}"]
        case Unidentifiable():
            return ["name the inputs that count with --inputs"]
        case StoreError(action="write"):
            return ["name another place with %config Checkpoint.directory"]
    return []


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


def _about(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 99.5 else seconds_in_words(max(seconds, 120))


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
