"""Run a function call, or restore what it gave before."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ipycheckpoint.engine.lookup import Hit, Miss, look_up
from ipycheckpoint.errors import CheckpointError, CheckpointFailedError
from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.record.outcome import Outcome, Restored

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence

    from ipycheckpoint.cache.base import Records
    from ipycheckpoint.engine.flight import Flights
    from ipycheckpoint.engine.lookup import Mode
    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.identity.work import Work

RESULT = "return"
"""The name of what a function returns, among the outputs of its record."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a run is looked up and kept."""

    mode: Mode = "on"
    tags: tuple[tuple[str, str], ...] = ()
    expires_seconds: float | None = None
    warn: Callable[[str], None] = lambda _: None
    watch: bool = True
    """Whether the files that the run touches count."""
    fail: Callable[[str, CheckpointError], None] | None = None
    """What is done when looking up fails, if not `warn`. What it raises, the lookup raises."""
    claim: Hashable = None
    """What one run holds alone, if not the Key."""
    is_absent: bool = False
    """Nothing was kept a moment ago: it is looked up once more when nobody else can be at it, and not before."""

    @property
    def looks_first(self) -> bool:
        """Whether it is looked up before it is our turn."""
        return self.claim is None and not self.is_absent

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
    if terms.looks_first and isinstance(hit := lookup.first(), Restored):
        return hit
    with flights.alone(_claim(work, terms), label=work.identity.label):
        hit = lookup.again()
        if isinstance(hit, Restored):
            return hit
        from ipycheckpoint.engine import audit, callrun  # here and below: a hit runs nothing

        run = callrun.Run(cache, terms, hit, lookup.seconds)
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
    if terms.looks_first and isinstance(hit := lookup.first(), Restored):
        return hit
    async with flights.alone_async(_claim(work, terms), label=work.identity.label):
        hit = lookup.again()
        if isinstance(hit, Restored):
            return hit
        from ipycheckpoint.engine import audit, callrun

        run = callrun.Run(cache, terms, hit, lookup.seconds)
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
    hit = look_up(cache, work, terms.mode, warn, resolve=lambda path: _live(path, roots), watch=terms.watch)
    if isinstance(hit, Miss):
        return hit
    if not hit.values.keys() <= {RESULT} and not _repeats(hit, roots):
        reason = "it changed an argument in place in a way that can't be repeated on this one"
        return Miss(Explanation("miss", work.identity.label, reason), work.described())
    value = _result(hit, roots)
    seconds = time.perf_counter() - began
    cache.count_hit(hit.header, seconds)
    if hit.header.trace:
        from ipycheckpoint.engine.trace import hand_on

        hand_on(hit.header.trace)
    return Restored(value, hit.explanation, hit.header, seconds)


def _repeats(hit: Hit, roots: Mapping[Any, object]) -> bool:
    """Change in place what the run changed; False, and nothing is changed, where that can't be done."""
    from ipycheckpoint.engine.changes import changes_in, make  # here and below: most functions only return something
    from ipycheckpoint.engine.transplant import can_transplant

    changes = changes_in(hit.values, roots)
    if not all(can_transplant(change.live, change.state) for change in changes):
        return False
    make(changes)
    return True


def _live(path: Sequence[object], roots: Mapping[Any, object]) -> object:
    from ipycheckpoint.engine.links import follow

    return follow(path, roots)


def _result(hit: Hit, roots: Mapping[Any, object]) -> object:
    for output in hit.header.outputs:
        if output.role == "linked":
            return _live(json.loads(output.target or "[]"), roots)
    return hit.values[RESULT]
