"""The run of a call: what was there before it, and what is made of its result."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from types import FunctionType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.cache.cache import Draft
from ipycheckpoint.engine.call import RESULT
from ipycheckpoint.engine.changes import name_of, states_of
from ipycheckpoint.engine.links import has_identity, links_of
from ipycheckpoint.engine.trace import Watch, notes, unwatched
from ipycheckpoint.engine.transplant import transplantable
from ipycheckpoint.errors import CannotKeep, CheckpointError, Unidentifiable
from ipycheckpoint.identity.closure import is_users_class
from ipycheckpoint.identity.kinds.plain import is_leaf
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.outcome import Computed, Outcome, Refused
from ipycheckpoint.record.record import Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipycheckpoint.cache.base import Records
    from ipycheckpoint.digest import Digest
    from ipycheckpoint.engine.call import Terms
    from ipycheckpoint.engine.lookup import Miss
    from ipycheckpoint.record.record import Header


class Run:
    """One run: what was there before it, and what is made of its result."""

    def __init__(self, cache: Records, terms: Terms, miss: Miss, looking_seconds: float) -> None:
        self._cache = cache
        self._looking_seconds = looking_seconds
        self._terms = terms
        self._miss = miss
        self._work = miss.work
        self._links = links_of(self._work.values.items())
        values = self._work.values
        self._classes = {at: self._class_digest(at) for at, value in values.items() if not is_leaf(value)}
        self._watch = Watch(self._work, cache.directory) if terms.watch and terms.mode != "read" else None
        self._seconds = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """What happens inside is the run."""
        if self._watch is not None:
            self._watch.start()
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds = time.perf_counter() - began
            if self._watch is not None:
                self._watch.stop()

    def finish(self, value: object) -> Outcome:
        """Keep what the run gave, unless it is not to be kept. Raises nothing: what is in the way is in the Outcome."""
        seconds = self._seconds
        if self._terms.mode == "read":
            return Computed(value, self._miss.explanation, seconds)
        keeping = time.perf_counter()
        try:
            header = self._keep(value, seconds)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with keeping, it never costs the result
            return Refused(value, self._miss.explanation, seconds, _problem(error, value))
        keeping = time.perf_counter() - keeping
        return Computed(value, self._miss.explanation, seconds, header, keeping, self._looking_seconds)

    def _keep(self, value: object, seconds: float) -> Header:
        trace = unwatched() if self._watch is None else self._watch.trace()
        values = self._states()
        if self._cache.is_plain:
            return self._keep_plain(value, seconds, trace)
        outputs = [Output(name, "changed") for name in values]
        if has_identity(value) and id(value) in self._links:
            outputs.append(Output(RESULT, "linked", target=json.dumps(self._links[id(value)])))
        else:
            values[RESULT] = value
            outputs.append(Output(RESULT, "result"))
        live = [self._links.objects[place] for place in self._links]
        return self._cache.save(
            Draft(
                identity=self._work.identity,
                outputs=tuple(outputs),
                values=values,
                sections=tuple(encode(values, links=self._links, live=live)),
                seconds=seconds,
                tags=self._terms.tags,
                expires_seconds=self._terms.expires_seconds,
                trace=trace,
                notes=notes(trace),
            )
        )

    def _keep_plain(self, value: object, seconds: float, trace: Mapping[str, Any]) -> Header:
        """Keep the very result, where the cache is given nothing else."""
        if any(trace.get(kind) for kind in ("read", "written", "appended", "listed")):
            self._terms.warn(
                f"{self._work.identity.label} touches files, and {self._cache.location} is given its result alone:"
                " in another process nobody will notice when they change. Name those that count with watch=[…]."
            )
        outputs = (Output(RESULT, "result"),)
        return self._cache.save(
            Draft(
                identity=self._work.identity,
                outputs=outputs,
                values={RESULT: value},
                sections=(),
                seconds=seconds,
                tags=self._terms.tags,
                expires_seconds=self._terms.expires_seconds,
                trace=trace,
                notes=notes(trace),
            )
        )

    def _states(self) -> dict[str, object]:
        """The states of what the run changed in place, after a warning; CannotKeep if a hit can't repeat that."""
        positions = self._work.changed()
        states = states_of(self._links, positions)
        for position in positions:
            live = self._work.values[position]
            ingredient = self._work.identity.ingredients[position]
            if self._cache.is_plain:
                raise CannotKeep(
                    ingredient.name,
                    type(live).__qualname__,
                    f"the function changed it in place, and {self._cache.location} is given its result alone, so a hit"
                    " could not repeat that; return a changed copy instead",
                )
            self._terms.warn(
                f"{self._work.identity.label} changes its {ingredient.kind} `{ingredient.name}` in place; a hit will"
                " repeat that. A function that returns a changed copy is easier to reason about."
            )
            if not self._is_repeatable(position):
                raise CannotKeep(
                    ingredient.name,
                    type(live).__qualname__,
                    "the function changed it in place, and a hit could not repeat that; return a changed copy instead",
                )
            if type(live) is tuple:
                del states[name_of(position)]  # it stays what it is: what changed is inside
        return states

    def _is_repeatable(self, position: int) -> bool:
        """Whether all that can have changed about the value at `position` is in its own state."""
        live = self._work.values[position]
        if type(live) is tuple:
            return len(self._links.below(position)) > 1 and all(
                transplantable(part) or not has_identity(part) for part in live
            )
        if isinstance(live, FunctionType) or not transplantable(live):
            return False
        return self._classes[position] == self._class_digest(position)

    def _class_digest(self, position: int) -> Digest | None:
        """The Digest of the class of a value, if it is the user's: its methods may reach what a run changes."""
        cls = type(self._work.values[position])
        try:
            return self._work.digester.digest("class", cls) if is_users_class(cls) else None
        except Unidentifiable:  # a fingerprint stands for the value
            return None


def _problem(error: Exception, value: object) -> CheckpointError:
    if isinstance(error, CheckpointError):
        return error
    return CannotKeep(RESULT, type(value).__qualname__, f"{type(error).__name__}: {error}")
