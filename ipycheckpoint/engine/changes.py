"""Changes in place: the state after a run of what was there before it, and how a hit brings it about.

An input that changed is written anew, and so is everything mutable inside it that others may hold on to: on a hit,
each of these objects is given its new state, and remains the object that it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from ipycheckpoint.engine.links import follow
from ipycheckpoint.engine.transplant import transplant, transplantable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ipycheckpoint.engine.links import Links

_MARK = "@"
_MOST_INSIDE = 500
"""Where more than these are inside an input, they are written as parts of it."""


class Change(NamedTuple):
    """A live object, and the state that it has after the run."""

    live: object
    state: object


def states_of(links: Links, positions: Iterable[int]) -> dict[str, object]:
    """The changed objects at and inside the inputs at `positions`, by the names under which they are kept.

    Takes out of `links` what will be written as part of a changed input.
    """
    states: dict[str, object] = {}
    for position in positions:
        below = [(path, value) for path, value in links.below(position) if len(path) == 1 or transplantable(value)]
        if len(below) > _MOST_INSIDE:
            links.forget_below(position)
            below = below[:1]
        states |= {_MARK + json.dumps(path): value for path, value in below}
    return states


def name_of(position: int) -> str:
    """The name under which the state of the input at `position` is kept."""
    return _MARK + json.dumps([position])


def changes_in(values: Mapping[str, object], roots: Mapping[int | str, object]) -> list[Change]:
    """Pair the states among the `values` of a record with the live objects. Touches neither."""
    return [
        Change(follow(json.loads(name.removeprefix(_MARK)), roots), state)
        for name, state in values.items()
        if name.startswith(_MARK)
    ]


def make(changes: Iterable[Change]) -> list[Change]:
    """Give each live object its new state; returns those that can't take it."""
    return [change for change in changes if not _transplanted(change)]


def _transplanted(change: Change) -> bool:
    try:
        return transplant(change.live, change.state)
    except Exception:  # noqa: BLE001 - a `__setstate__` may raise anything; then names are bound to the state itself
        return False
