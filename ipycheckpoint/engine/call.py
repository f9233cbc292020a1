"""Run a function call, or restore what it gave before."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ipycheckpoint.cache.cache import Draft
from ipycheckpoint.engine.links import follow, has_identity, links_of
from ipycheckpoint.engine.lookup import Hit, Miss, look_up
from ipycheckpoint.engine.transplant import can_transplant, transplant, transplantable
from ipycheckpoint.errors import CannotKeep, CheckpointError
from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.outcome import Computed, Outcome, Refused, Restored
from ipycheckpoint.record.record import Output

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ipycheckpoint.cache.cache import Cache
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


def run_call(cache: Cache, flights: Flights, work: Work, thunk: Callable[[], Any], terms: Terms) -> Outcome:
    """Restore the result of `work`, or run `thunk` and keep what it gives.

    What `thunk` raises is raised, and not kept. Of several that ask for one Key at once, in threads or
    processes, one runs and the others wait and restore.
    """
    hit = _look_up(cache, work, terms)
    if isinstance(hit, Restored):
        return hit
    with flights.alone(work.identity.key):
        hit = _look_again(cache, work, terms, hit)
        if isinstance(hit, Restored):
            return hit
        run = _Run(cache, terms, hit)
        return run.finish(thunk())


async def run_call_async(
    cache: Cache, flights: Flights, work: Work, thunk: Callable[[], Awaitable[Any]], terms: Terms
) -> Outcome:
    """As `run_call`, for a coroutine function; two tasks that ask for one Key at once share one run."""
    hit = _look_up(cache, work, terms)
    if isinstance(hit, Restored):
        return hit
    async with flights.alone_async(work.identity.key):
        hit = _look_again(cache, work, terms, hit)
        if isinstance(hit, Restored):
            return hit
        run = _Run(cache, terms, hit)
        return run.finish(await thunk())


def _look_up(cache: Cache, work: Work, terms: Terms) -> Restored | Miss:
    began = time.perf_counter()
    roots: dict[Any, object] = dict(work.values)
    hit = look_up(cache, work, terms.mode, terms.warn, resolve=lambda path: follow(path, roots))  # type: ignore[arg-type]  # paths as we wrote them
    if isinstance(hit, Miss):
        return hit
    if not _can_repeat(hit, work):
        reason = "it changed an argument in place in a way that can't be repeated on this one"
        return Miss(Explanation("miss", work.identity.label, reason), work.described())
    value = _restore(hit, work)
    seconds = time.perf_counter() - began
    cache.count_hit(hit.header, seconds)
    return Restored(value, hit.explanation, hit.header, seconds)


def _look_again(cache: Cache, work: Work, terms: Terms, miss: Miss) -> Restored | Miss:
    """Whoever held the Key before us may have kept it by now: look, but only where there is something to see."""
    if terms.mode == "refresh" or cache.find(work.identity.key) is None:
        return miss
    return _look_up(cache, work, terms)


def _changes(hit: Hit, work: Work) -> Iterator[tuple[object, object]]:
    """What the run changed in place: the live object, and the state that it had afterwards."""
    for output in hit.header.outputs:
        if output.role == "changed":
            yield work.values[int(output.target or 0)], hit.values[output.name]


def _can_repeat(hit: Hit, work: Work) -> bool:
    return all(can_transplant(live, state) for live, state in _changes(hit, work))


def _restore(hit: Hit, work: Work) -> object:
    for live, state in _changes(hit, work):
        transplant(live, state)
    roots: dict[Any, object] = dict(work.values)
    for output in hit.header.outputs:
        if output.role == "linked":
            return follow(_path(output), roots)
        if output.role == "result":
            return hit.values[output.name]
    return None


def _problem(error: Exception, value: object) -> CheckpointError:
    if isinstance(error, CheckpointError):
        return error
    return CannotKeep(_RESULT, type(value).__qualname__, f"{type(error).__name__}: {error}")


def _path(output: Output) -> tuple[int | str, ...]:
    return tuple(json.loads(output.target or "[]"))


class _Run:
    """One run: what was there before it, and what is made of its result."""

    def __init__(self, cache: Cache, terms: Terms, miss: Miss) -> None:
        self._cache = cache
        self._terms = terms
        self._miss = miss
        self._work = miss.work
        self._links = links_of(self._work.values.items())
        self._began = time.perf_counter()

    def finish(self, value: object) -> Outcome:
        seconds = time.perf_counter() - self._began
        if self._terms.mode == "read":
            return Computed(value, self._miss.explanation, seconds)
        keeping = time.perf_counter()
        try:
            header = self._keep(value, seconds)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with keeping, it never costs the result
            return Refused(value, self._miss.explanation, seconds, _problem(error, value))
        return Computed(value, self._miss.explanation, seconds, header, time.perf_counter() - keeping)

    def _keep(self, value: object, seconds: float) -> Any:
        changed = self._changed()
        values = {f"@{position}": live for position, live in changed.items()}
        outputs = [Output(f"@{position}", "changed", target=str(position)) for position in changed]
        if has_identity(value) and id(value) in self._links:
            outputs.append(Output(_RESULT, "linked", target=json.dumps(self._links[id(value)])))
        else:
            values[_RESULT] = value
            outputs.append(Output(_RESULT, "result"))
        return self._cache.save(
            Draft(
                identity=self._work.identity,
                outputs=tuple(outputs),
                values=values,
                sections=tuple(encode(values, links=self._links)),
                seconds=seconds,
                tags=self._terms.tags,
                expires_seconds=self._terms.expires_seconds,
            )
        )

    def _changed(self) -> dict[int, object]:
        changed = {position: self._work.values[position] for position in self._work.changed()}
        for position, live in changed.items():
            ingredient = self._work.identity.ingredients[position]
            self._terms.warn(
                f"{self._work.identity.label} changes its {ingredient.kind} `{ingredient.name}` in place; a hit will"
                " repeat that. A function that returns a changed copy is easier to reason about."
            )
            if not transplantable(live):
                raise CannotKeep(
                    ingredient.name,
                    type(live).__qualname__,
                    "the function changed it in place, and a hit could not repeat that; return a changed copy instead",
                )
        return changed
