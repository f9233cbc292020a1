"""Run a cell, or restore all that it left behind: names, changes in place, deletions, imports and what was seen.

A cell runs natively, outside of this module: `CellRun` looks before and after. A hit is loaded in full before
anything is touched, then `CellHit.apply` changes the namespace in one go.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.cache.cache import Draft
from ipycheckpoint.engine.changes import Change, changes_in, make, name_of, states_of
from ipycheckpoint.engine.hidden import HiddenState
from ipycheckpoint.engine.links import follow, has_identity, links_of
from ipycheckpoint.engine.lookup import Hit, Miss, look_up
from ipycheckpoint.engine.tape import Tape
from ipycheckpoint.engine.uninterrupted import uninterrupted
from ipycheckpoint.engine.witness import PREFIX, witnessed
from ipycheckpoint.errors import CannotKeep, CheckpointError, Unidentifiable
from ipycheckpoint.identity.closure import resolve
from ipycheckpoint.identity.explain import Explanation, clock
from ipycheckpoint.identity.values import digest_value
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.outcome import Computed, Outcome, Refused, Restored
from ipycheckpoint.record.record import Output

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Mapping

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.digest import Digest
    from ipycheckpoint.engine.call import Terms
    from ipycheckpoint.identity.names import CellForm
    from ipycheckpoint.identity.work import Work
    from ipycheckpoint.record.codec import Section
    from ipycheckpoint.record.record import Header

_SHOWN = "="
"""The name, in a record, of the value of the last expression: no variable can be called so."""

_ASSUMED = "assumed"
"""Where a Trace tells what names were, of which nobody knows whether the cell bound them to that again."""

_MISSING = object()


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
        roots: dict[int | str, object] = {}
        roots.update(self.work.values.items())
        place = id(self.namespace)
        for slot, reference in enumerate(self.form.reads):
            for reached in resolve(reference, self.namespace, place):
                if isinstance(reached.value, type | FunctionType):
                    roots[f"slot {slot}"] = self.namespace.get(reference.name, reached.value)
        return roots

    def holders(self) -> list[tuple[str, object]]:
        """The functions, classes and modules that the cell reads, and the classes of its other inputs, by name."""
        names = [reference.name for reference in self.form.reads if reference.name in self.namespace]
        ingredients = self.work.identity.ingredients
        classes = [(ingredients[position].name, type(value)) for position, value in self.work.values.items()]
        return [*((name, self.namespace[name]) for name in names), *classes]

    def keeps(self, name: str) -> bool:
        """Whether the user wants `name` among the outputs."""
        return name not in self.exclude and (self.outputs is None or name in self.outputs)

    def run_import(self, statement: str) -> dict[str, Any]:
        """What an import statement of the cell binds, without binding it."""
        scratch = {name: self.namespace.get(name) for name in ("__name__", "__package__", "__spec__")}
        given = set(scratch)
        exec(statement, scratch)  # noqa: S102 - an import statement of the cell itself or of a signed record
        return {name: value for name, value in scratch.items() if name not in given and name != "__builtins__"}


@dataclass(slots=True)
class _Restoration:
    """All that a hit will do to the namespace."""

    bindings: dict[str, object] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    shown: object = None


@dataclass(frozen=True, slots=True)
class CellHit:
    """A record of this very cell, loaded and verified, not applied yet."""

    cell: Cell
    cache: Cache
    hit: Hit
    tape: Tape
    restoration: _Restoration

    def apply(self) -> Outcome:
        """Leave the namespace as the run would have left it: nothing here may fail or be interrupted half-way."""
        namespace, todo = self.cell.namespace, self.restoration
        with uninterrupted():
            for change in make(todo.changes):
                # It can't take another state, so the names that hold it hold the new one from now on.
                todo.bindings = {n: change.state for n, v in namespace.items() if v is change.live} | todo.bindings
            namespace.update(todo.bindings)
            for name in todo.deleted:
                namespace.pop(name, None)
        self.cache.count_hit(self.hit.header, self.hit.seconds)
        return Restored(todo.shown, self.hit.explanation, self.hit.header, self.hit.seconds)


def look_up_cell(cache: Cache, cell: Cell, terms: Terms) -> CellHit | Miss:
    """Find and load what is kept for `cell`. Changes no name and no value."""
    roots = cell.live()
    found = look_up(
        cache,
        cell.work,
        terms.mode,
        terms.warn,
        resolve=lambda path: follow(path, roots),
        namespace=cell.namespace,
    )
    if isinstance(found, Miss):
        return found
    try:
        reason = _contradiction(found.header, cell)
        if reason is None:
            tape = Tape.from_bytes(cache.tape(found.found))
            return CellHit(cell, cache, found, tape, _restoration(found, cell, roots))
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
        elif output.role != "changed":
            linked = output.role == "linked"
            value = follow(json.loads(output.target or "[]"), roots) if linked else hit.values[output.name]
            if output.name == _SHOWN:
                todo.shown = value
            else:
                todo.bindings[output.name] = value
    return todo


def _contradiction(header: Header, cell: Cell) -> str | None:
    for name, assumed in header.trace.get(_ASSUMED, {}).items():
        if name not in cell.namespace or digest_value(cell.namespace[name], name) != assumed:
            return f"`{name}` is another one, and the cell may leave it as it is"
    return None


class CellRun:
    """One native run of a cell: made just before it, finished just after."""

    def __init__(self, cache: Cache, cell: Cell, terms: Terms, miss: Miss) -> None:
        self._cache = cache
        self._terms = terms
        self._miss = miss
        self._work = miss.work
        self._cell = cell
        self._links = links_of(cell.live().items())
        self._hidden = HiddenState(cell.holders())
        self._before = dict(cell.namespace)
        self._after: dict[str, Any] = {}
        self._doubtful = self._find_doubtful()
        self._seen: set[str] = set()
        self._witnesses: set[str] = set()
        self._began = time.perf_counter()
        self._seconds: float | None = None

    def _find_doubtful(self) -> set[str]:
        """The names that are there, and may or may not be bound by the run.

        Whether an input is bound to what it was makes no difference: on a hit, it is the same. Of a cell that may
        read and write anything, all names are inputs.
        """
        form = self._cell.form
        if form.dynamic:
            return set()
        inputs = {self._work.identity.ingredients[position].name for position in self._work.values}
        return {name for name in form.binds if name in self._before} - form.surely - inputs

    def witnessed(self, body: ast.Module) -> ast.Module:
        """The tree to run in place of `body`: the same, but that it says which of the doubtful names it binds."""
        tree, self._seen = witnessed(body, self._doubtful)
        self._began = time.perf_counter()
        return tree

    def ran(self) -> None:
        """The cell's last statement is done; what anyone binds from here on is not its work."""
        self._seconds = time.perf_counter() - self._began
        self._collect_witnesses()
        self._after = dict(self._cell.namespace)

    @property
    def seconds(self) -> float:
        """How long the cell ran, once it did."""
        return self._seconds or 0.0

    def abandon(self) -> None:
        """The cell failed, was interrupted, or isn't worth keeping: what it did stays, and nothing is kept."""
        self._collect_witnesses()

    def _collect_witnesses(self) -> None:
        for name in [name for name in self._cell.namespace if name.startswith(PREFIX)]:
            del self._cell.namespace[name]
            self._witnesses.add(name.removeprefix(PREFIX))

    def finish(self, shown: object, tape: Tape) -> Outcome:
        """Keep what the run left; `shown` is the value of its last expression. Raises nothing."""
        seconds = self.seconds
        explanation = self._miss.explanation
        if self._terms.mode == "read":
            return Computed(shown, explanation, seconds)
        keeping = time.perf_counter()
        try:
            header = self._keep(shown, tape, seconds)
        except CheckpointError as problem:
            return Refused(shown, explanation, seconds, problem)
        except KeyboardInterrupt:
            return Refused(shown, explanation, seconds, CheckpointError("you interrupted its keeping"))
        except Exception as fault:  # noqa: BLE001 - whatever goes wrong with keeping must not cost the result
            return Refused(shown, explanation, seconds, CheckpointError(f"{type(fault).__name__}: {fault}"))
        return Computed(shown, explanation, seconds, header, time.perf_counter() - keeping)

    def _keep(self, shown: object, tape: Tape, seconds: float) -> Header:
        after = self._after
        changed_inside = self._hidden.changed()
        if changed_inside is not None:
            reason = "the cell changes it inside of a function, class or module, and a hit could not repeat that"
            raise CannotKeep(changed_inside, "hidden state", reason)
        values: dict[str, object] = {}
        # These come first, since they settle what can be linked to.
        changed = self._changed_outputs(values)
        outputs = self._import_outputs(after)
        imported = {name for output in outputs for name in output.name.split(", ")}
        bound, assumed = self._bound(after)
        for name in sorted(bound - imported):
            if self._cell.keeps(name):
                self._put(name, after[name], "bound", outputs, values)
        outputs += [Output(name, "deleted") for name in sorted(self._deleted(after)) if self._cell.keeps(name)]
        outputs += changed
        if shown is not None:
            self._put(_SHOWN, shown, "shown", outputs, values)
        try:
            sections = self._encode(values)
        except CannotKeep as problem:
            if problem.name != _SHOWN:
                raise self._named(problem) from None
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
                trace={_ASSUMED: assumed} if assumed else {},
            )
        )

    def _put(self, name: str, value: object, role: Any, outputs: list[Output], values: dict[str, object]) -> None:
        if has_identity(value) and id(value) in self._links:
            outputs.append(Output(name, "linked", target=json.dumps(self._links[id(value)])))
        else:
            outputs.append(Output(name, role))
            values[name] = value

    def _changed_outputs(self, values: dict[str, object]) -> list[Output]:
        ingredients = self._work.identity.ingredients
        changed = [p for p in self._work.changed() if self._cell.keeps(ingredients[p].name)]
        values |= states_of(self._links, changed)
        return [Output(name_of(position), "changed", target=ingredients[position].name) for position in changed]

    def _named(self, problem: CannotKeep) -> CannotKeep:
        # The state of an input goes by its number; the user knows it by its name.
        for position in self._work.values:
            if problem.name.startswith(name_of(position)[:-1]):
                name = self._work.identity.ingredients[position].name
                return _renamed(problem, name)
        return problem

    def _encode(self, values: dict[str, object]) -> list[Section]:
        existing = {id(value) for value in self._before.values() if callable(value)}
        name = self._cell.namespace.get("__name__", "__main__")

        def is_made_here(value: object) -> bool:
            return getattr(value, "__module__", None) == name and id(value) not in existing

        live = [self._links.objects[place] for place in self._links]
        return encode(values, links=self._links, by_value=is_made_here, namespace=self._cell.namespace, live=live)

    def _bound(self, after: dict[str, Any]) -> tuple[set[str], dict[str, Digest]]:
        """Names that the run bound, and what those were and are that it may have bound.

        Seen by comparing, so what functions bind through ``global`` is among them.
        """
        before = self._before
        bound = {name for name, value in after.items() if before.get(name, _MISSING) is not value}
        bound |= {name for name in self._cell.form.surely if name in after}
        bound |= {name for name in self._witnesses if name in after}
        unsure = {name for name in self._doubtful - self._seen - bound if name in after and self._cell.keeps(name)}
        assumed = {name: _assume(name, after) for name in unsure}
        return {name for name in bound if self._cell.is_users_name(name)}, assumed

    def _deleted(self, after: dict[str, Any]) -> set[str]:
        gone = {name for name in self._before if name not in after and self._cell.is_users_name(name)}
        return gone | {name for name in self._cell.form.deletes if name not in after}

    def _import_outputs(self, after: dict[str, Any]) -> list[Output]:
        """An output for each import statement, with the names that are just what it binds."""
        form = self._cell.form
        outputs = []
        done: set[str] = set()
        for statement in (*form.star_imports, *dict.fromkeys(form.imports.values())):
            with suppress(Exception):
                imported = self._cell.run_import(statement)
                names = [name for name, value in imported.items() if after.get(name, _MISSING) is value]
                names = [name for name in names if name not in done and self._cell.keeps(name)]
                if names:
                    outputs.append(Output(", ".join(names), "import", target=statement))
                    done.update(names)
        return outputs


def _assume(name: str, after: dict[str, Any]) -> Digest:
    try:
        return digest_value(after[name], name)
    except Unidentifiable as problem:
        reason = f"nobody can tell whether the cell bound it to what it was before ({problem})"
        raise CannotKeep(name, type(after[name]).__qualname__, reason) from None


def _renamed(problem: CannotKeep, name: str) -> CannotKeep:
    return CannotKeep(name, problem.type_name, problem.reason.replace(problem.name, name))
