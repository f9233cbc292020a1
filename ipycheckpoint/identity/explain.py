"""Why a run was a hit or a miss: two Identities compared, Ingredient by Ingredient."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipycheckpoint.identity.identity import Ingredient

Verdict = Literal["hit", "miss", "refused", "off"]

_LONGEST_DIFF = 60
_MOST_PLACES = 8


class Change(NamedTuple):
    """One reason: what is not as it was."""

    name: str
    what: str
    """One line: ``input `df` changed: DataFrame 100 × 3 → DataFrame 100 × 4``."""
    places: tuple[str, ...] = ()
    """Where inside: ``['age']: 3 → 4``."""
    diff: str = ""
    """A unified diff, where source text changed."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a run was, or would be, a hit or a miss.

    >>> import tempfile
    >>> from ipycheckpoint import checkpoint
    >>> @checkpoint(store=tempfile.mkdtemp())
    ... def double(x):
    ...     return 2 * x
    >>> double(1)
    2
    >>> double.why(2).verdict, double.why(2).reason
    ('miss', 'argument `x` changed')
    """

    verdict: Verdict
    label: str
    reason: str
    """One line that stands alone: ``kept at 14:02:11`` or ``input `df` changed``."""
    changes: tuple[Change, ...] = ()
    against: float | None = None
    """When the record that it was compared with was made: seconds since the epoch."""

    def __str__(self) -> str:
        lines = [f"{self.label}: {self.verdict}, {self.reason}"]
        if self.against is not None and self.changes:
            lines.append(f"compared with the record of {clock(self.against)}:")
        for change in self.changes:
            lines.append(f"  • {change.what}")
            lines += [f"      {place}" for place in change.places]
            lines += [f"      {line}" for line in change.diff.splitlines()]
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        import html  # where there is something to show

        head = f"<b>{html.escape(self.label)}</b>: {self.verdict}, {html.escape(self.reason)}"
        against = (
            f"<div>compared with the record of {clock(self.against)}</div>" if self.changes and self.against else ""
        )
        items = "".join(
            f"<li>{html.escape(change.what)}"
            + "".join(f"<div><code>{html.escape(place)}</code></div>" for place in change.places)
            + (f"<pre>{html.escape(change.diff)}</pre>" if change.diff else "")
            + "</li>"
            for change in self.changes
        )
        return f"<div>{head}{against}<ul>{items}</ul></div>" if items else f"<div>{head}</div>"


def clock(moment: float) -> str:
    """`moment` (seconds since the epoch) as local time, with the date unless it is today's."""
    local = time.localtime(moment)
    today = time.localtime()[:3] == local[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", local)


def compare(before: Sequence[Ingredient], after: Sequence[Ingredient]) -> tuple[Change, ...]:
    """What differs between two lists of Ingredients, the most telling first.

    Ingredients are paired by kind and name; what was merely renamed is no change, since it isn't one for the Key.
    """
    old = _by_name(before)
    new = _by_name(after)
    gone = {name: ingredient for name, ingredient in old.items() if name not in new}
    come = {name: ingredient for name, ingredient in new.items() if name not in old}
    _drop_renamed(gone, come)
    changes = [
        _changed(old[name], ingredient)
        for name, ingredient in new.items()
        if name in old and old[name].digest != ingredient.digest
    ]
    changes += [Change(i.name, f"{_title(i)} is new{_shown(i)}") for i in come.values()]
    changes += [Change(i.name, f"{_title(i)} is gone{_shown(i)}") for i in gone.values()]
    # A helper's own change explains more than the rewired code that reaches it.
    return tuple(sorted(changes, key=lambda change: not (change.diff or change.places)))


def _by_name(ingredients: Sequence[Ingredient]) -> dict[tuple[str, str, int], Ingredient]:
    named: dict[tuple[str, str, int], Ingredient] = {}
    for ingredient in ingredients:
        # There is one piece of code in a run, whatever it is called; tags may repeat.
        name = "" if ingredient.kind == "code" else ingredient.name
        count = 0
        while (ingredient.kind, name, count) in named:
            count += 1
        named[ingredient.kind, name, count] = ingredient
    return named


def _drop_renamed(gone: dict[tuple[str, str, int], Ingredient], come: dict[tuple[str, str, int], Ingredient]) -> None:
    for name, ingredient in list(gone.items()):
        twin = next((n for n, i in come.items() if n[0] == name[0] and i.digest == ingredient.digest), None)
        if twin is not None:
            del gone[name], come[twin]


def _title(ingredient: Ingredient) -> str:
    return "the code" if ingredient.kind == "code" else f"{ingredient.kind} `{ingredient.name}`"


def _shown(ingredient: Ingredient) -> str:
    return f": {ingredient.preview}" if ingredient.preview else ""


def _changed(before: Ingredient, after: Ingredient) -> Change:
    what = f"{_title(after)} changed"
    if before.source is not None and after.source is not None:
        diff = _diff(before.source, after.source)
        if not diff:
            # The text is the same, so what it leads to isn't: another function or value under a name.
            what += ": the same text now reaches other things"
        return Change(after.name, what, diff=diff)
    if before.preview or after.preview:
        what += f": {before.preview} → {after.preview}" if before.preview != after.preview else f": {after.preview}"
    return Change(after.name, what, places=_places(before, after))


def _diff(before: str, after: str) -> str:
    import difflib  # a hit has no differences

    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "now", lineterm="", n=2))
    if len(lines) > _LONGEST_DIFF:
        lines = [*lines[:_LONGEST_DIFF], f"… {len(lines) - _LONGEST_DIFF} more lines"]
    return "\n".join(lines)


def _places(before: Ingredient, after: Ingredient) -> tuple[str, ...]:
    old, new = before.parts, after.parts
    if not old or not new:
        return ()
    said = {path: f"{path} is gone" for path in old if path not in new}
    for path, part in new.items():
        if path not in old:
            said[path] = f"{path} is new: {part.preview}"
        elif old[path].digest != part.digest:
            shown = old[path].preview, part.preview
            said[path] = f"{path}: {shown[0]} → {shown[1]}" if shown[0] != shown[1] else f"{path} changed"
    # Of a place and one inside it, the inner one says more.
    places = [text for path, text in said.items() if not any(p != path and p.startswith(path) for p in said)]
    if len(places) > _MOST_PLACES:
        places = [*places[:_MOST_PLACES], f"… and {len(places) - _MOST_PLACES} more"]
    return tuple(places)
