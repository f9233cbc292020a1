"""Restore a cell: all that its run left behind, names, changes in place, deletions, imports and ambient state.

A record is loaded in full, and all that may fail is tried, before anything is touched; then `CellHit.apply`
changes the namespace in one go.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ipycheckpoint.engine.ambient import ambience
from ipycheckpoint.engine.ambient.aspects import Obstacle
from ipycheckpoint.engine.cell import AMBIENT, ASSUMED, SHARING, SHOWN, TAKEN, Cell
from ipycheckpoint.engine.changes import Change, changes_in, make
from ipycheckpoint.engine.links import follow, inside, links_of
from ipycheckpoint.engine.lookup import Hit, Miss, look_up
from ipycheckpoint.engine.tape import Tape
from ipycheckpoint.engine.trace import hand_on
from ipycheckpoint.engine.transplant import can_transplant, transplantable
from ipycheckpoint.engine.uninterrupted import uninterrupted
from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.identity.explain import Explanation, clock
from ipycheckpoint.identity.values import digest_value
from ipycheckpoint.record.outcome import Outcome, Restored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ipycheckpoint.cache.base import Records
    from ipycheckpoint.engine.call import Terms
    from ipycheckpoint.record.record import Header


@dataclass(slots=True)
class _Restoration:
    """All that a hit will do to the namespace."""

    bindings: dict[str, object] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    ambient: list[ambience.Step] = field(default_factory=list)
    shown: object = None


@dataclass(frozen=True, slots=True)
class CellHit:
    """A record of this very cell, loaded and verified, not applied yet."""

    cell: Cell
    cache: Records
    hit: Hit
    tape: Tape
    restoration: _Restoration
    warn: Callable[[str], None]

    def apply(self) -> Outcome:
        """Leave the namespace as the run would have left it: nothing here may fail or be interrupted half-way."""
        namespace, todo = self.cell.namespace, self.restoration
        hand_on(self.hit.header.trace)  # first, since the working directory may change
        with uninterrupted():
            for change in make(todo.changes):
                # It can't take another state, so the names that hold it hold the new one from now on. (Where `_` isn't
                # what the shell has shown last, the shell takes it for the user's, and leaves it alone for ever.)
                names = [n for n, v in namespace.items() if v is change.live and self.cell.is_users_name(n)]
                todo.bindings = dict.fromkeys(names, change.state) | todo.bindings
            namespace.update(todo.bindings)
            for name in todo.deleted:
                namespace.pop(name, None)
            problems = ambience.apply(todo.ambient)
        for problem in problems:
            self.warn(f"{self.cell.work.identity.label}: {problem}")
        self.cache.count_hit(self.hit.header, self.hit.seconds)
        return Restored(todo.shown, self.hit.explanation, self.hit.header, self.hit.seconds)


def look_up_cell(cache: Records, cell: Cell, terms: Terms) -> CellHit | Miss:
    """Find and load what is kept for `cell`. Changes no name and no value."""
    roots = cell.live()
    found = look_up(
        cache,
        cell.work,
        terms.mode,
        terms.warn,
        resolve=lambda path: follow(path, roots),
        namespace=cell.namespace,
        watch=terms.watch,
    )
    if isinstance(found, Miss):
        return found
    try:
        reason = _contradiction(found.header, cell, roots)
        if reason is None:
            tape = Tape.from_bytes(cache.tape(found.found))
            restoration = _restoration(found, cell, roots)
            _check_changes(restoration.changes, cell)
            obstacle = _prepare_ambient(found, cell, restoration)
            if obstacle is None:
                return CellHit(cell, cache, found, tape, restoration, terms.warn)
            reason = obstacle
    except Exception as problem:  # noqa: BLE001 - an import raises whatever its module does; the cell will tell
        said = f"{type(problem).__name__}: {problem}"
        reason = f"its record of {clock(found.header.created)} could not be restored: {said}"
        terms.warn(f"{cell.work.identity.label} runs again: {reason}")
    return Miss(Explanation("miss", cell.work.identity.label, reason), cell.work.described())


def _restoration(hit: Hit, cell: Cell, roots: Mapping[int | str, object]) -> _Restoration:
    todo = _Restoration(changes=changes_in(hit.values, roots))
    for output in hit.header.outputs:
        if output.role == "import":
            imported = cell.run_import(output.target or "")
            todo.bindings |= {name: imported[name] for name in output.name.split(", ")}
        elif output.role == "deleted":
            todo.deleted.append(output.name)
        elif output.role not in ("changed", "ambient"):
            linked = output.role == "linked"
            value = follow(json.loads(output.target or "[]"), roots) if linked else hit.values[output.name]
            if output.name == SHOWN:
                todo.shown = value
            else:
                todo.bindings[output.name] = value
    return todo


def _check_changes(changes: Iterable[Change], cell: Cell) -> None:
    """What can't take its new state, such as an array of another shape, is replaced where a name holds it only."""
    for live, state in changes:
        if transplantable(live) and not can_transplant(live, state):
            for name, value in cell.namespace.items():
                if cell.is_users_name(name) and value is not live and any(part is live for part in inside(value)):
                    raise CheckpointError(f"`{name}` holds what can't be changed in place ({type(live).__qualname__})")


def _prepare_ambient(hit: Hit, cell: Cell, todo: _Restoration) -> str | None:
    """Add to `todo` what is to be done to the ambient state; or say why that can't be, or isn't all."""
    changed = {o.name.removeprefix(AMBIENT): hit.values[o.name] for o in hit.header.outputs if o.role == "ambient"}
    prepared = ambience.prepare(changed)
    if isinstance(prepared, Obstacle):
        return prepared.reason
    todo.ambient = prepared
    assumed = hit.header.trace.get(AMBIENT)
    return ambience.contradiction(assumed, changed, cell.code()) if assumed else None


def _contradiction(header: Header, cell: Cell, roots: Mapping[int | str, object]) -> str | None:
    if header.trace.get(SHARING) != links_of(roots.items()).sharing():
        return "its inputs are equal to what they were, but share other parts"
    for name in header.trace.get(TAKEN, ()):
        if name not in cell.namespace:
            return f"there is no `{name}`, which the cell deletes"
    for name, assumed in header.trace.get(ASSUMED, {}).items():
        if name not in cell.namespace or digest_value(cell.namespace[name], name) != assumed:
            return f"`{name}` is another one, and the cell may leave it as it is"
    return None
