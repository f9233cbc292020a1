"""The details of one record, and the history of its label, as plain JSON in words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.identity.explain import clock, compare
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.surfaces.badge import bytes_in_words, seconds_in_words
from ipycheckpoint.surfaces.panel.words import GLYPHS, exactly, moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.cache.listing import Row
    from ipycheckpoint.cache.opened import Record
    from ipycheckpoint.identity.explain import Change, Explanation
    from ipycheckpoint.identity.identity import Ingredient
    from ipycheckpoint.record.record import Output
    from ipycheckpoint.surfaces.panel.state import State

Details = dict[str, Any]

MOST_VERSIONS = 50
_SAID = {"=": "(shown)", "return": "(result)"}
"""How values without a name of their own are called."""

_MOST_LINES = 400
_MOST_INGREDIENTS = 200
_MOST_FILES = 100
_MOST_DIFFERENCES = 100

_TRACED = {"read": "read", "written": "wrote", "appended": "appended to", "listed": "listed"}


def details(cache: Cache, state: State, explanation: Explanation | None = None, now: float | None = None) -> Details:
    """What is to be seen of the record that `state` has opened; empty when it has opened none.

    `explanation` is what the last run under its label said of itself.
    """
    if state.opened is None:
        return {}
    now = time.time() if now is None else now
    try:
        rows = cache.catalogue.rows(keys=[state.opened])
        record = cache.open(state.opened)
        if record is None or not rows:
            return {
                "key": state.opened,
                "problem": "This record is gone: it was forgotten, here or by another process.",
            }
        return _details(cache, state, record, rows[0], explanation, now)
    except CheckpointError as problem:
        return {"key": state.opened, "problem": f"This record can't be read: {problem}"}


def _details(
    cache: Cache, state: State, record: Record, row: Row, explanation: Explanation | None, now: float
) -> Details:
    header = record.header
    versions = cache.catalogue.rows(label=row.label, kind=row.kind, limit=MOST_VERSIONS)
    other = _other(versions, row, state)
    before = None if other is None else cache.open(other.key)
    changes = [] if before is None else compare(before.ingredients, record.ingredients)
    is_miss = explanation is not None and explanation.verdict != "hit"
    return {
        "key": row.key,
        "kind": row.kind,
        "label": row.label,
        "status": row.status,
        "glyph": GLYPHS[row.status],
        "pinned": row.pinned,
        "trusted": record.is_trusted,
        "armed": state.armed,
        "facts": _facts(record, row),
        "notes": list(header.notes),
        "code": _cut(record.code or ""),
        "against": "" if other is None else f"the version of {clock(other.created)}",
        "changes": [_change(change) for change in changes],
        "why": str(explanation) if is_miss else "",
        "ingredients": [_ingredient(each) for each in record.ingredients[:_MOST_INGREDIENTS]],
        "outputs": [_output(output) for output in header.outputs if output.role != "ambient"],
        "loadable": [[name, _SAID.get(name, name)] for name in _values(record)] if record.is_trusted else [],
        "name": _default_name(record, row),
        "trace": _trace(header.trace),
        "environment": _environment(record),
        "failure": _failure(cache, row),
        "code_to_load": code_to_load(cache, row, _values(record)),
        "versions": [_version(each, row, other, now) for each in versions],
        "plot": _plot(versions),
    }


def _other(versions: Sequence[Row], row: Row, state: State) -> Row | None:
    """The version that the record is compared with: the chosen one, else the one before, else the one after."""
    chosen = next((each for each in versions if each.key == state.against), None)
    if chosen is not None and chosen.key != row.key:
        return chosen
    return next((each for each in versions if each.created < row.created and each.key != row.key), None)


def _facts(record: Record, row: Row) -> list[list[str]]:
    header = record.header
    facts = [
        ["Kept", exactly(row.created)],
        ["Computed in", seconds_in_words(row.seconds)],
        ["Size", bytes_in_words(row.nbytes)],
        [
            "Restored",
            f"{row.hits:,} ×" + (f", in {seconds_in_words(row.restored)}" if row.restored is not None else ""),
        ],
        ["Saved", seconds_in_words(max(row.saved_seconds, 0.0))],
        ["Tags", "  ".join(f"{key}={value}" for key, value in header.tags)],
        ["Expires", "" if row.expires is None else exactly(row.expires)],
        ["Key", row.key],
    ]
    return [fact for fact in facts if fact[1]]


def _change(change: Change) -> Details:
    return {"what": change.what, "places": list(change.places), "diff": change.diff.splitlines()}


def _ingredient(ingredient: Ingredient) -> Details:
    return {
        "kind": ingredient.kind,
        "name": ingredient.name,
        "preview": ingredient.preview,
        "digest": ingredient.digest[:12],
    }


def _output(output: Output) -> Details:
    preview = output.target or "" if output.role == "import" else output.preview
    return {
        "name": _SAID.get(output.name, output.name),
        "role": output.role,
        "type": output.type.rpartition(".")[2],
        "size": bytes_in_words(output.nbytes) if output.section is not None else "",
        "preview": preview,
    }


def _values(record: Record) -> list[str]:
    """The names of what a user would want to load: not the parts of what was changed in place."""
    return [name for name in record if name.isidentifier() or name in _SAID]


def _default_name(record: Record, row: Row) -> str:
    """What the first value is called when it is loaded, unless the user says otherwise."""
    first = next(iter(_values(record)), "")
    if first.isidentifier() and first not in _SAID:
        return first
    last = row.label.rpartition(".")[2]
    return f"{last}_result" if last.isidentifier() else "result"


def _trace(trace: Mapping[str, Any]) -> list[Details]:
    found = []
    for kind, word in _TRACED.items():
        entries = trace.get(kind, ())
        names = [str(entry[0]) for entry in entries[:_MOST_FILES]]
        if len(entries) > _MOST_FILES:
            names.append(f"… and {len(entries) - _MOST_FILES:,} more")
        if names:
            found.append({"what": word, "names": names})
    return found


def _environment(record: Record) -> Details:
    then, now = record.environment, Environment.current()
    if then is None:
        return {"then": "unknown", "differences": []}
    image = f", image {then.image}" if then.image else ""
    who = f", by {then.who}" if then.who else ""
    differences = then.differences(now)[:_MOST_DIFFERENCES]
    return {
        "then": f"Python {then.python} on {then.platform} {then.machine}, {len(then.packages):,} packages{image}{who}",
        "differences": [[each.name, each.then or "absent", each.now or "absent"] for each in differences],
    }


def _failure(cache: Cache, row: Row) -> Details | None:
    past = cache.failures.get(row.key)
    if past is None:
        return None
    settled = "" if past.settled is None else f"It is good again since {exactly(past.settled)}."
    return {
        "when": exactly(past.when),
        "name": _SAID.get(past.name, past.name),
        "type": past.type_name,
        "exception": f"{past.exception}: {past.message}",
        "differences": [[each.name, each.then or "absent", each.now or "absent"] for each in past.differences],
        "how_to_load": past.how_to_load,
        "settled": settled,
    }


def code_to_load(cache: Cache, row: Row, names: Sequence[str]) -> str:
    """Python that loads a record wherever this cache is."""
    lines = ["from ipycheckpoint.cache.cache import Cache", f"record = Cache.at({cache.location!r}).open({row.key!r})"]
    for name in names:
        variable = name if name not in _SAID else "result"
        lines.append(f"{variable} = record[{name!r}]")
    return "\n".join(lines)


def _version(row: Row, opened: Row, other: Row | None, now: float) -> Details:
    return {
        "key": row.key,
        "when": moment(row.created, now),
        "exactly": exactly(row.created),
        "computed": seconds_in_words(row.seconds),
        "size": bytes_in_words(row.nbytes),
        "hits": f"{row.hits:,}",
        "status": row.status,
        "glyph": GLYPHS[row.status],
        "opened": row.key == opened.key,
        "compared": other is not None and row.key == other.key,
    }


def _plot(versions: Sequence[Row]) -> Details:
    """Time and size of the versions, oldest first, as parts of the largest."""
    oldest_first = list(reversed(versions))
    longest = max((row.seconds for row in oldest_first), default=0.0)
    largest = max((row.nbytes for row in oldest_first), default=0)
    return {
        "seconds": [round(row.seconds / longest, 4) if longest else 0.0 for row in oldest_first],
        "nbytes": [round(row.nbytes / largest, 4) if largest else 0.0 for row in oldest_first],
        "longest": seconds_in_words(longest),
        "largest": bytes_in_words(largest),
    }


def _cut(text: str) -> str:
    lines = text.splitlines()
    if len(lines) <= _MOST_LINES:
        return text
    return "\n".join([*lines[:_MOST_LINES], f"… {len(lines) - _MOST_LINES:,} more lines"])
