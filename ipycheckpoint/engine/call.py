"""Run a function call, or restore what it gave before."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from ipycheckpoint.cache.cache import Draft
from ipycheckpoint.engine import audit
from ipycheckpoint.engine.changes import changes_in, make, name_of, states_of
from ipycheckpoint.engine.links import follow, has_identity, links_of
from ipycheckpoint.engine.lookup import Hit, Miss, look_up
from ipycheckpoint.engine.trace import Watch, hand_on, notes, unwatched
from ipycheckpoint.engine.transplant import can_transplant, transplantable
from ipycheckpoint.errors import CannotKeep, CheckpointError, CheckpointFailedError, Unidentifiable
from ipycheckpoint.identity.closure import is_users_class
from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.record.outcome import Computed, Outcome, Refused, Restored
from ipycheckpoint.record.record import Output

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping

    from ipycheckpoint.cache.base import Records
    from ipycheckpoint.digest import Digest
    from ipycheckpoint.engine.flight import Flights
    from ipycheckpoint.engine.lookup import Mode
    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.identity.work import Work
    from ipycheckpoint.record.record import Header

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
    fail: Callable[[str, CheckpointError], None] | None = None
    """What is done when looking up fails, if not `warn`. What it raises, the lookup raises."""
    claim: Hashable = None
    """What one run holds alone, if not the Key."""

    def failed(self, message: str, problem: CheckpointError) -> None:
        """Looking up failed, because of `problem`, so the work is done: tell the user."""
        if self.fail is None:
            self.warn(message)
        else:
            self.fail(message, problem)


def run_call(cache: Records, flights: Flights, work: Work, thunk: Callable[[], Any], terms: Terms) -> Outcome:
    """Restore the result of `work`, or run `thunk` and keep what it gives.

    What `thunk` raises is raised, and not kept. Of several that ask for one Key at once, in threads or
    processes, one runs and the others wait and restore.
    """
    lookup = _Lookup(cache, work, terms)
    if terms.claim is None and isinstance(hit := lookup.first(), Restored):
        return hit
    with flights.alone(_claim(work, terms), label=work.identity.label):
        hit = lookup.again()
        if isinstance(hit, Restored):
            return hit
        run = _Run(cache, terms, hit, lookup.seconds)
        with run.watched():
            value = audit.run(thunk)
        return run.finish(value)


def restore_call(cache: Records, work: Work, terms: Terms) -> Restored | Miss:
    """Restore the result of `work`, or say why it must run."""
    return _Lookup(cache, work, terms).first()


async def run_call_async(
    cache: Records, flights: Flights, work: Work, thunk: Callable[[], Awaitable[Any]], terms: Terms
) -> Outcome:
    """As `run_call`, for a coroutine function; two tasks that ask for one Key at once share one run."""
    lookup = _Lookup(cache, work, terms)
    if terms.claim is None and isinstance(hit := lookup.first(), Restored):
        return hit
    async with flights.alone_async(_claim(work, terms), label=work.identity.label):
        hit = lookup.again()
        if isinstance(hit, Restored):
            return hit
        run = _Run(cache, terms, hit, lookup.seconds)
        with run.watched():
            value = await audit.run_async(thunk)
        return run.finish(value)


def _claim(work: Work, terms: Terms) -> Key:
    # Within a process, anything that is hashable can be held.
    return work.identity.key if terms.claim is None else cast("Key", terms.claim)


class _Lookup:
    """The looks at what is kept, before and after it was our turn."""

    def __init__(self, cache: Records, work: Work, terms: Terms) -> None:
        self._cache, self._work, self._terms = cache, work, terms
        self._known: Miss | None = None
        self.seconds = 0.0
        """How long they took."""

    def first(self) -> Restored | Miss:
        """Restore the result, if there is one."""
        found = self._timed()
        self._known = found if isinstance(found, Miss) else None
        return found

    def again(self) -> Restored | Miss:
        """As `first`; whoever waited finds what the other one kept."""
        return self._timed()

    def _timed(self) -> Restored | Miss:
        began = time.perf_counter()
        try:
            return self._look()
        finally:
            self.seconds += time.perf_counter() - began

    def _look(self) -> Restored | Miss:
        problems: list[tuple[str, CheckpointError]] = []
        found = self._find(problems)
        while problems:  # what is told of is let go of, with its traceback: that leads back to here
            self._terms.failed(*problems.pop(0))
        return found

    def _find(self, problems: list[tuple[str, CheckpointError]]) -> Restored | Miss:
        cache, work, terms, known = self._cache, self._work, self._terms, self._known
        label = work.identity.label

        def note(message: str) -> None:
            problems.append((message, CheckpointFailedError(message)))

        try:
            if known is not None and (terms.mode == "refresh" or cache.find(work.identity.key) is None):
                return known
            return _restore(cache, work, terms, note)
        except Exception as fault:  # noqa: BLE001 - a fault of ours, or of what is loaded, must not cost the run
            said = str(fault) if isinstance(fault, CheckpointFailedError) else f"{type(fault).__name__}: {fault}"
            reason = f"looking it up failed: {said}"
            problems.append((f"{label} runs again: {reason}", _failure(f"{label}: {reason}", fault)))
            return Miss(Explanation("miss", label, reason), work)


def _failure(message: str, fault: Exception) -> CheckpointError:
    if isinstance(fault, CheckpointFailedError):
        return fault
    failure = CheckpointFailedError(message)
    failure.__cause__ = fault
    return failure


def _restore(cache: Records, work: Work, terms: Terms, warn: Callable[[str], None]) -> Restored | Miss:
    began = time.perf_counter()
    roots: dict[Any, object] = dict(work.values)
    hit = look_up(cache, work, terms.mode, warn, resolve=lambda path: follow(path, roots), watch=terms.watch)
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

    def __init__(self, cache: Records, terms: Terms, miss: Miss, looking_seconds: float) -> None:
        self._cache = cache
        self._looking_seconds = looking_seconds
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
        keeping = time.perf_counter() - keeping
        return Computed(value, self._miss.explanation, seconds, header, keeping, self._looking_seconds)

    def _keep(self, value: object, seconds: float) -> Header:
        from ipycheckpoint.record.codec import encode  # a hit writes nothing

        trace = unwatched() if self._watch is None else self._watch.trace()
        values = self._states()
        if self._cache.is_plain:
            return self._keep_plain(value, seconds, trace)
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

    def _keep_plain(self, value: object, seconds: float, trace: Mapping[str, Any]) -> Header:
        """Keep the very result, where the cache is given nothing else."""
        if any(trace.get(kind) for kind in ("read", "written", "appended", "listed")):
            self._terms.warn(
                f"{self._work.identity.label} touches files, and {self._cache.location} is given its result alone:"
                " in another process nobody will notice when they change. Name those that count with watch=[…]."
            )
        outputs = (Output(_RESULT, "result"),)
        return self._cache.save(
            Draft(
                identity=self._work.identity,
                outputs=outputs,
                values={_RESULT: value},
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
