"""Run a cell, or restore all that it left behind: names, changes in place, deletions, imports and what was seen.

A cell runs natively, outside of this module: `CellRun` looks before and after. A hit is loaded in full before
anything is touched, then `CellHit.apply` changes the namespace in one go.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.cache.cache import Draft
from ipycheckpoint.engine.links import follow, has_identity, links_of
from ipycheckpoint.engine.lookup import Hit, Miss, look_up
from ipycheckpoint.engine.tape import Tape
from ipycheckpoint.engine.transplant import transplant
from ipycheckpoint.errors import CannotKeep, CheckpointError
from ipycheckpoint.identity.closure import resolve
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.outcome import Computed, Outcome, Refused, Restored
from ipycheckpoint.record.record import Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.engine.call import Terms
    from ipycheckpoint.identity.names import CellForm
    from ipycheckpoint.identity.work import Work

_SHOWN = "="
"""The name, in a record, of the value of the last expression: no variable can be called so."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is about to run: its form, its Work, and the namespace it runs in."""

    form: CellForm
    work: Work
    namespace: dict[str, Any]
    is_users_name: Callable[[str], bool]
    """Whether a name is the user's, not the shell's own (``In``, ``_``, ``get_ipython``)."""
    outputs: frozenset[str] | None = None
    """Where given, the only names to keep."""
    exclude: frozenset[str] = frozenset()

    def live(self) -> dict[int | str, object]:
        """The live objects that outputs may be linked to: inputs by position, functions and classes by slot."""
        roots: dict[int | str, object] = dict(self.work.values)
        place = id(self.namespace)
        for slot, reference in enumerate(self.form.reads):
            for reached in resolve(reference, self.namespace, place):
                if isinstance(reached.value, type | FunctionType):
                    roots[f"slot {slot}"] = self.namespace.get(reference.name, reached.value)
        return roots

    def keeps(self, name: str) -> bool:
        """Whether the user wants `name` among the outputs."""
        return name not in self.exclude and (self.outputs is None or name in self.outputs)


@dataclass(frozen=True, slots=True)
class CellHit:
    """A record of this very cell, loaded and verified, not applied yet."""

    cell: Cell
    cache: Cache
    hit: Hit
    tape: Tape
    roots: dict[int | str, object]

    def apply(self) -> Outcome:
        """Leave the namespace as the run would have left it."""
        bindings: dict[str, object] = {}
        shown: object = None
        deleted: list[str] = []
        for output in self.hit.header.outputs:
            if output.role == "import":
                exec(output.target or "", self.cell.namespace)  # noqa: S102 - the import statement of a signed record
            elif output.role == "deleted":
                deleted.append(output.name)
            elif output.role == "changed":
                live = self.roots[int(output.target or 0)]
                if not transplant(live, self.hit.values[output.name]):
                    bindings |= {n: self.hit.values[output.name] for n, v in self.cell.namespace.items() if v is live}
            else:
                linked = output.role == "linked"
                value = follow(tuple(json.loads(output.target or "[]")), self.roots) if linked else self.hit.values[output.name]
                if output.name == _SHOWN:
                    shown = value
                else:
                    bindings[output.name] = value
        self.cell.namespace.update(bindings)
        for name in deleted:
            self.cell.namespace.pop(name, None)
        self.cache.count_hit(self.hit.header, self.hit.seconds)
        return Restored(shown, self.hit.explanation, self.hit.header, self.hit.seconds)


def look_up_cell(cache: Cache, cell: Cell, terms: Terms) -> CellHit | Miss:
    """Find and load what is kept for `cell`. Touches nothing."""
    roots = cell.live()
    found = look_up(
        cache,
        cell.work,
        terms.mode,
        terms.warn,
        resolve=lambda path: follow(path, roots),  # type: ignore[arg-type]  # paths as we wrote them
        namespace=cell.namespace,
    )
    if isinstance(found, Miss):
        return found
    return CellHit(cell, cache, found, Tape.from_bytes(cache.tape(found.found)), roots)


class CellRun:
    """One native run of a cell: made just before it, finished just after."""

    def __init__(self, cache: Cache, cell: Cell, terms: Terms, miss: Miss) -> None:
        self._cache = cache
        self._terms = terms
        self._miss = miss
        self._work = miss.work
        self._cell = cell
        self._roots = cell.live()
        self._links = links_of(self._roots.items())
        self._before = dict(cell.namespace)
        self._set_aside = self._set_aside_what_may_be_bound()
        self._began = time.perf_counter()
        self._seconds: float | None = None

    def _set_aside_what_may_be_bound(self) -> dict[str, object]:
        # Whether the cell bound `x` to what it was or didn't bind it at all looks the same afterwards, unless
        # `x` was gone meanwhile. Only a name that nothing in the cell can read may go.
        read = {reference.name for reference in self._cell.form.reads}
        read |= set(self._cell.form.deletes)
        read |= {ingredient.name.partition(".")[0] for ingredient in self._work.identity.ingredients}
        aside = {}
        for name in self._cell.form.binds:
            if name not in read and not self._cell.form.dynamic and name in self._cell.namespace:
                aside[name] = self._cell.namespace.pop(name)
        return aside

    def ran(self) -> None:
        """The cell's last statement is done."""
        self._seconds = time.perf_counter() - self._began

    def abandon(self) -> None:
        """The cell failed or was interrupted: what it did stays, and nothing is kept."""
        self._put_back()

    def _put_back(self) -> None:
        for name, value in self._set_aside.items():
            self._cell.namespace.setdefault(name, value)

    def finish(self, shown: object, tape: Tape) -> Outcome:
        """Keep what the run left; `shown` is the value of its last expression."""
        seconds = self._seconds or 0.0
        after = dict(self._cell.namespace)
        self._put_back()
        explanation = self._miss.explanation
        if self._terms.mode == "read":
            return Computed(shown, explanation, seconds)
        keeping = time.perf_counter()
        try:
            header = self._keep(after, shown, tape, seconds)
        except CheckpointError as problem:
            return Refused(shown, explanation, seconds, problem)
        return Computed(shown, explanation, seconds, header, time.perf_counter() - keeping)

    def _keep(self, after: dict[str, Any], shown: object, tape: Tape, seconds: float) -> Any:
        outputs, values = self._outputs(after)
        changed = {position: self._work.values[position] for position in self._work.changed()}
        for position, live in changed.items():
            name = self._work.identity.ingredients[position].name
            if self._cell.keeps(name):
                values[f"@{position}"] = live
                outputs.append(Output(f"@{position}", "changed", target=str(position)))
        if shown is not None:
            outputs, values = self._with_shown(outputs, values, shown)
        try:
            sections = self._encode(values)
        except CannotKeep as problem:
            if problem.name != _SHOWN:
                raise
            # What was seen of it is on the tape; only `Out[…]` goes without.
            outputs = [output for output in outputs if output.name != _SHOWN]
            sections = self._encode({name: value for name, value in values.items() if name != _SHOWN})
        return self._cache.save(
            Draft(
                identity=self._work.identity,
                outputs=tuple(outputs),
                values=values,
                sections=tuple(sections),
                seconds=seconds,
                tags=self._terms.tags,
                expires_seconds=self._terms.expires_seconds,
                tape=tape.to_bytes(),
            )
        )

    def _encode(self, values: dict[str, object]) -> Any:
        existing = {id(value) for value in self._before.values() if isinstance(value, type | FunctionType)}
        name = self._cell.namespace.get("__name__", "__main__")

        def is_made_here(value: object) -> bool:
            return getattr(value, "__module__", None) == name and id(value) not in existing

        return encode(values, links=self._links, by_value=is_made_here, namespace=self._cell.namespace)

    def _with_shown(
        self, outputs: list[Output], values: dict[str, object], shown: object
    ) -> tuple[list[Output], dict[str, object]]:
        if has_identity(shown) and id(shown) in self._links:
            return [*outputs, Output(_SHOWN, "linked", target=json.dumps(self._links[id(shown)]))], values
        return [*outputs, Output(_SHOWN, "shown")], {**values, _SHOWN: shown}

    def _outputs(self, after: dict[str, Any]) -> tuple[list[Output], dict[str, object]]:
        outputs: list[Output] = []
        values: dict[str, object] = {}
        imported = self._imported(after)
        for statement in dict.fromkeys(imported.values()):
            names = ", ".join(name for name, s in imported.items() if s == statement)
            outputs.append(Output(names, "import", target=statement))
        for name in sorted(self._bound(after)):
            value = after[name]
            if name in imported or not self._cell.keeps(name):
                continue
            if has_identity(value) and id(value) in self._links:
                outputs.append(Output(name, "linked", target=json.dumps(self._links[id(value)])))
            else:
                outputs.append(Output(name, "bound"))
                values[name] = value
        gone = {name for name in self._before if name not in after and name not in self._set_aside}
        gone |= {name for name in self._cell.form.deletes if name not in after}
        outputs += [Output(name, "deleted") for name in sorted(gone) if self._cell.keeps(name)]
        return outputs, values

    def _bound(self, after: dict[str, Any]) -> set[str]:
        """Names that the run bound: seen by comparing, so what functions bind through ``global`` is among them."""
        missing = object()
        bound = {name for name, value in after.items() if self._before.get(name, missing) is not value}
        bound |= {name for name in self._cell.form.binds if name in after}
        return {name for name in bound if self._cell.is_users_name(name) and not name.startswith("__ipycheckpoint")}

    def _imported(self, after: dict[str, Any]) -> dict[str, str]:
        """Names that an import statement of the cell binds to just what they are, with the statement."""
        imported: dict[str, str] = {}
        form = self._cell.form
        for statement in (*form.star_imports, *dict.fromkeys(form.imports.values())):
            scratch: dict[str, Any] = {
                "__name__": after.get("__name__", "__main__"),
                "__package__": after.get("__package__"),
            }
            with suppress(Exception):
                exec(statement, scratch)  # noqa: S102 - the cell has just run it; the modules are there
            for name, value in scratch.items():
                if after.get(name) is value and not name.startswith("__"):
                    imported[name] = statement
        return imported
