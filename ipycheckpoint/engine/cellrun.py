"""Run a cell natively, and keep what it left: `CellRun` looks before and after."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.cache.cache import Draft
from ipycheckpoint.engine.ambient import ambience
from ipycheckpoint.engine.cell import AMBIENT, ASSUMED, SHARING, SHOWN, TAKEN, Cell
from ipycheckpoint.engine.changes import name_of, states_of
from ipycheckpoint.engine.hidden import HiddenState
from ipycheckpoint.engine.links import has_identity, inside, links_of
from ipycheckpoint.engine.trace import Watch, notes, unwatched
from ipycheckpoint.engine.transplant import transplantable
from ipycheckpoint.engine.witness import PREFIX, witnessed
from ipycheckpoint.errors import CannotKeep, CheckpointError, Unidentifiable
from ipycheckpoint.identity.closure import is_users_class
from ipycheckpoint.identity.values import digest_value
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.outcome import Computed, Outcome, Refused
from ipycheckpoint.record.record import Output, Role

if TYPE_CHECKING:
    import ast

    from ipycheckpoint.cache.base import Records
    from ipycheckpoint.digest import Digest
    from ipycheckpoint.engine.call import Terms
    from ipycheckpoint.engine.lookup import Miss
    from ipycheckpoint.engine.tape import Tape
    from ipycheckpoint.record.codec import Section
    from ipycheckpoint.record.record import Header

_MISSING = object()
_IN_PLACE = "the cell changes it inside of a function, class or module, and a hit could not repeat that"


class CellRun:
    """One native run of a cell: made just before it, finished just after."""

    def __init__(self, cache: Records, cell: Cell, terms: Terms, miss: Miss) -> None:
        self._cache = cache
        self._terms = terms
        self._miss = miss
        self._work = miss.work
        self._cell = cell
        self._roots = cell.live()
        self._links = links_of(self._roots.items())
        self._sharing = self._links.sharing()
        inside = [(self._name_of(place), value) for place, value in self._links.objects.items() if callable(value)]
        self._hidden = HiddenState([*inside, *cell.holders()])
        self._before = dict(cell.namespace)
        self._after: dict[str, Any] = {}
        self._doubtful = self._find_doubtful()
        self._assumptions: dict[str, Digest | Unidentifiable] = {}
        self._witnesses: set[str] = set()
        self._ambient_after: dict[str, Any] = {}
        self._ambient_before = ambience.capture()
        self._watch = Watch(self._work, cache.directory) if terms.watch and terms.mode != "read" else None
        self._began = time.perf_counter()
        self._seconds: float | None = None

    def _name_of(self, place: int) -> str:
        """How the user writes the live object with the id `place`."""
        start, *steps = self._links[place]
        if isinstance(start, int):
            name = self._work.identity.ingredients[start].name
        else:
            name = getattr(self._roots[str(start)], "__qualname__", str(start))
        return name + "".join(f".{step[0]}" if isinstance(step, tuple) else f"[{step!r}]" for step in steps)

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
        tree, seen = witnessed(body, self._doubtful)
        self._assumptions = {name: _assumption(name, self._before[name]) for name in sorted(self._doubtful - seen)}
        if self._watch is not None:
            self._watch.start(body)
        self._began = time.perf_counter()
        return tree

    def ran(self) -> None:
        """The cell's last statement is done; what anyone binds from here on is not its work."""
        self._seconds = time.perf_counter() - self._began
        self._stop_watching()
        self._ambient_after = ambience.capture()
        self._collect_witnesses()
        self._after = dict(self._cell.namespace)

    @property
    def seconds(self) -> float:
        """How long the cell ran, once it did."""
        return self._seconds or 0.0

    def abandon(self) -> None:
        """The cell failed, was interrupted, or isn't worth keeping: what it did stays, and nothing is kept."""
        self._stop_watching()
        self._collect_witnesses()

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.stop()

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
            raise CannotKeep(changed_inside, "hidden state", _IN_PLACE)
        ambient = ambience.changes(self._ambient_before, self._ambient_after)
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
            self._put(SHOWN, shown, "shown", outputs, values)
        for aspect, change in ambient.items():
            outputs.append(Output(AMBIENT + aspect, "ambient"))
            values[AMBIENT + aspect] = change
        try:
            sections = self._encode(values)
        except CannotKeep as problem:
            if problem.name != SHOWN:
                raise self._named(problem) from None
            # What was seen of it is on the tape; only `Out[…]` goes without.
            outputs = [output for output in outputs if output.name != SHOWN]
            sections = self._encode({name: value for name, value in values.items() if name != SHOWN})
        code = self._cell.code()
        files = unwatched() if self._watch is None else self._watch.trace(*(after[name] for name in sorted(bound)))
        assumptions = ambience.assumptions(self._ambient_after, ambient, code)
        taken = sorted(self._before.keys() - after.keys() - set(self._cell.form.deletes))
        trace = {ASSUMED: assumed, SHARING: self._sharing, TAKEN: taken, AMBIENT: assumptions, **files}
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
                trace={name: told for name, told in trace.items() if told},
                notes=ambience.notes(ambient, self._work.identity.ingredients, code) + notes(files) + tape.notes,
            )
        )

    def _put(self, name: str, value: object, role: Role, outputs: list[Output], values: dict[str, object]) -> None:
        if has_identity(value) and id(value) in self._links:
            outputs.append(Output(name, "linked", target=json.dumps(self._links[id(value)])))
        else:
            outputs.append(Output(name, role))
            values[name] = value

    def _changed_outputs(self, values: dict[str, object]) -> list[Output]:
        ingredients = self._work.identity.ingredients
        # Something else that is equal to what was there is a change, too: outputs may be that very thing.
        moved = self._links.moved(links_of(self._roots.items()))
        found = {*self._work.changed(), *(position for position in self._work.values if position in moved)}
        changed = sorted(position for position in found if self._cell.keeps(ingredients[position].name))
        for position in changed:
            if isinstance(self._work.values[position], ModuleType):
                raise CannotKeep(ingredients[position].name, "module", _IN_PLACE)
        values |= states_of(self._links, changed)
        for position in changed:
            self._check_holders(ingredients[position].name, self._work.values[position])
        return [Output(name_of(position), "changed", target=ingredients[position].name) for position in changed]

    def _check_holders(self, name: str, value: object) -> None:
        """What is too deep or too much to be linked becomes another object on a hit, so nobody else may hold it."""
        loose = {id(part) for part in inside(value) if transplantable(part) and id(part) not in self._links}
        if not loose:
            return
        for other, held in self._before.items():
            if held is not value and self._after.get(other) is held and self._cell.is_users_name(other):
                if any(id(part) in loose for part in (held, *inside(held, but=[id(value)]))):
                    reason = f"it has many parts, and `{other}` holds some of those that may have changed"
                    raise CannotKeep(name, type(value).__qualname__, reason)

    def _named(self, problem: CannotKeep) -> CannotKeep:
        if problem.name.startswith(AMBIENT):
            return _renamed(problem, problem.name.removeprefix(AMBIENT))
        # The state of an input goes by its number; the user knows it by its name.
        for position in self._work.values:
            if problem.name.startswith(name_of(position)[:-1]):
                name = self._work.identity.ingredients[position].name
                return _renamed(problem, name)
        return problem

    def _encode(self, values: dict[str, object]) -> list[Section]:
        existing = {id(value) for value in self._before.values() if callable(value)}
        existing |= {
            id(part) for value in self._before.values() if is_users_class(value) for part in vars(value).values()
        }
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
        assumed = {}
        for name, assumption in self._assumptions.items():
            if name not in bound and name in after and self._cell.keeps(name):
                if isinstance(assumption, Unidentifiable):
                    reason = f"nobody can tell whether the cell bound it to what it was before ({assumption})"
                    raise CannotKeep(name, type(after[name]).__qualname__, reason)
                assumed[name] = assumption
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


def _assumption(name: str, value: object) -> Digest | Unidentifiable:
    try:
        return digest_value(value, name)
    except Unidentifiable as problem:
        return problem


def _renamed(problem: CannotKeep, name: str) -> CannotKeep:
    return CannotKeep(name, problem.type_name, problem.reason.replace(problem.name, name))
