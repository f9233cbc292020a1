"""Run a function call, or restore what it gave before."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.cache.cache import Draft
from ipycheckpoint.engine import audit
from ipycheckpoint.engine.changes import changes_in, make, name_of, states_of
from ipycheckpoint.engine.links import follow, has_identity, links_of
from ipycheckpoint.engine.lookup import Hit, Miss, look_up
from ipycheckpoint.engine.trace import Watch, hand_on, notes, unwatched
from ipycheckpoint.engine.transplant import can_transplant, transplantable
from ipycheckpoint.errors import CannotKeep, CheckpointError, Unidentifiable
from ipycheckpoint.identity.closure import is_users_class
from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.outcome import Computed, Outcome, Refused, Restored
from ipycheckpoint.record.record import Output

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.digest import Digest
    from ipycheckpoint.engine.flight import Flights
    from ipycheckpoint.engine.lookup import Mode
    from ipycheckpoint.identity.work import Work

_RESULT = "return"


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a run is looked up and kept."""

    mode: Mode = "on"
    tags: tuple[tuple[str, str], ...] = ()
    expires_seconds: float | None = None
    warn: Callable[[str], None] = field(default=lambda _: None)
    watch: bool = True
    """Whether the files that the run touches count."""


def run_call(cache: Cache, flights: Flights, work: Work, thunk: Callable[[], Any], terms: Terms) -> Outcome:
    """Restore the result of `work`, or run `thunk` and keep what it gives.

    What `thunk` raises is raised, and not kept. Of several that ask for one Key at once, in threads or
    processes, one runs and the others wait and restore.
    """
    hit = _look_up(cache, work, terms)
    if isinstance(hit, Restored):
        return hit
    with flights.alone(work.identity.key):
        hit = _look_up(cache, work, terms, hit)
        if isinstance(hit, Restored):
            return hit
        run = _Run(cache, terms, hit)
        with run.watched():
            value = audit.run(thunk)
        return run.finish(value)


async def run_call_async(
    cache: Cache, flights: Flights, work: Work, thunk: Callable[[], Awaitable[Any]], terms: Terms
) -> Outcome:
    """As `run_call`, for a coroutine function; two tasks that ask for one Key at once share one run."""
    hit = _look_up(cache, work, terms)
    if isinstance(hit, Restored):
        return hit
    async with flights.alone_async(work.identity.key):
        hit = _look_up(cache, work, terms, hit)
        if isinstance(hit, Restored):
            return hit
        run = _Run(cache, terms, hit)
        with run.watched():
            value = await audit.run_async(thunk)
        return run.finish(value)


def _look_up(cache: Cache, work: Work, terms: Terms, known: Miss | None = None) -> Restored | Miss:
    """Restore the result, if there is one. Whoever waited has a `known` miss: then that is looked at again."""
    try:
        if known is not None and (terms.mode == "refresh" or cache.find(work.identity.key) is None):
            return known
        return _restore(cache, work, terms)
    except Exception as fault:  # noqa: BLE001 - a fault of ours, or of what is loaded, must not cost the run
        reason = f"looking it up failed: {type(fault).__name__}: {fault}"
        terms.warn(f"{work.identity.label} runs again: {reason}")
        return Miss(Explanation("miss", work.identity.label, reason), work)


def _restore(cache: Cache, work: Work, terms: Terms) -> Restored | Miss:
    began = time.perf_counter()
    roots: dict[Any, object] = dict(work.values)
    hit = look_up(cache, work, terms.mode, terms.warn, resolve=lambda path: follow(path, roots), watch=terms.watch)
    if isinstance(hit, Miss):
        return hit
    changes = changes_in(hit.values, roots)
    if not all(can_transplant(change.live, change.state) for change in changes):
        reason = "it changed an argument in place in a way that can't be repeated on this one"
        return Miss(Explanation("miss", work.identity.label, reason), work.described())
    make(changes)
    value = _result(hit, roots)
    seconds = time.perf_counter() - began
    cache.count_hit(hit.header, seconds)
    hand_on(hit.header.trace)
    return Restored(value, hit.explanation, hit.header, seconds)


def _result(hit: Hit, roots: Mapping[Any, object]) -> object:
    for output in hit.header.outputs:
        if output.role == "linked":
            return follow(json.loads(output.target or "[]"), roots)
    return hit.values[_RESULT]


def _problem(error: Exception, value: object) -> CheckpointError:
    if isinstance(error, CheckpointError):
        return error
    return CannotKeep(_RESULT, type(value).__qualname__, f"{type(error).__name__}: {error}")


class _Run:
    """One run: what was there before it, and what is made of its result."""

    def __init__(self, cache: Cache, terms: Terms, miss: Miss) -> None:
        self._cache = cache
        self._terms = terms
        self._miss = miss
        self._work = miss.work
        self._links = links_of(self._work.values.items())
        self._classes = {position: self._class_digest(position) for position in self._work.values}
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
        seconds = self._seconds
        if self._terms.mode == "read":
            return Computed(value, self._miss.explanation, seconds)
        keeping = time.perf_counter()
        try:
            header = self._keep(value, seconds)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with keeping, it never costs the result
            return Refused(value, self._miss.explanation, seconds, _problem(error, value))
        return Computed(value, self._miss.explanation, seconds, header, time.perf_counter() - keeping)

    def _keep(self, value: object, seconds: float) -> Any:
        trace = unwatched() if self._watch is None else self._watch.trace()
        values = self._states()
        outputs = [Output(name, "changed") for name in values]
        if has_identity(value) and id(value) in self._links:
            outputs.append(Output(_RESULT, "linked", target=json.dumps(self._links[id(value)])))
        else:
            values[_RESULT] = value
            outputs.append(Output(_RESULT, "result"))
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

    def _states(self) -> dict[str, object]:
        """The states of what the run changed in place, after a warning; CannotKeep if a hit can't repeat that."""
        positions = self._work.changed()
        states = states_of(self._links, positions)
        for position in positions:
            live = self._work.values[position]
            ingredient = self._work.identity.ingredients[position]
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
