"""``f.map(items, executor)``: a checkpointed function for many items, of which only those run that must.

All items are looked up first, and those that are equal are one. What is missing goes to the executor as calls of the
checkpointed function, so each result is kept as soon as it is there: by a thread of this process in the same cache, by
another process as `surfaces.away` tells. There the call is identified once more; a result under another Key than ours
is an error, since other code than ours gave it.
"""

from __future__ import annotations

import contextvars
import math
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from ipycheckpoint import tagging
from ipycheckpoint.cache.adopting import adopt
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.recall import ABSENT, Recalled
from ipycheckpoint.engine.call import restore_call
from ipycheckpoint.engine.fanout import Fanout
from ipycheckpoint.engine.parcel import Bundle
from ipycheckpoint.errors import CannotKeep, CheckpointError, CheckpointFailedError, UsageError
from ipycheckpoint.identity.outline import preview
from ipycheckpoint.record.outcome import Restored
from ipycheckpoint.surfaces.away import Brought, Call, Errand, Home, Kept, Raised, Reply, Sent, luggage_for
from ipycheckpoint.surfaces.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ipycheckpoint.engine.fanout import Done, Executor
    from ipycheckpoint.engine.lookup import Mode
    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.surfaces.away import Answer, Luggage
    from ipycheckpoint.surfaces.function import CheckpointedFunction, Prepared

OnItemError = Literal["raise", "collect"]
"""What a map does with what an item raises: raise it, or give it in the place of the result."""

_BATCH = 256  # so many items are looked up at once
_CHUNK_SECONDS = 0.1  # of work in one job for another process, where nobody says how many items that should be
_LARGEST_CHUNK = 100


@dataclass(frozen=True, slots=True)
class MapTerms:
    """What `CheckpointedFunction.map` was told."""

    progress: bool = True
    ordered: bool = True
    chunks: int | None = None
    on_error: OnItemError = "raise"
    star: bool = False

    def __post_init__(self) -> None:
        if self.on_error not in get_args(OnItemError):
            raise UsageError(f"on_error is {self.on_error!r}; it must be one of {', '.join(get_args(OnItemError))}")
        if self.chunks is not None and self.chunks < 1:
            raise UsageError(f"chunks is {self.chunks}; a number of items for each job is needed, from 1 on")


def map_over(
    function: CheckpointedFunction[..., Any], items: Iterable[Any], executor: Executor | None, terms: MapTerms
) -> list[Any] | Iterator[tuple[Any, Any]]:
    """See `CheckpointedFunction.map`."""
    if executor is not None and not hasattr(executor, "submit"):
        raise UsageError(f"{executor!r} is no executor: something with a method submit is needed")
    if function._asynchronous:
        many = f"await asyncio.gather(*map({function.label}, items))"
        raise UsageError(f"{function.label} is a coroutine function: use {many}")
    listed = list(items)
    sweep = Sweep(function, [_call(item, star=terms.star) for item in listed], executor, terms.chunks)
    tally = Tally(function.label, len(listed), shown=terms.progress)
    results = _told(sweep, tally, terms.on_error, listed)
    if not terms.ordered:
        return ((listed[position], value) for position, value in results)
    found = dict(results)
    return [found[position] for position in range(len(listed))]


def _call(item: Any, *, star: bool) -> Call:
    if not star:
        return Call((item,), {})
    return Call((), dict(item)) if isinstance(item, Mapping) else Call(tuple(item), {})


def _told(sweep: Sweep, tally: Tally, on_error: OnItemError, items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    try:
        for position, result in sweep.results():
            if isinstance(result, Failed):
                tally.failed()
                if on_error == "raise":
                    result.error.add_note(f"in {sweep.label}.map, at item {position}: {preview(items[position])}")
                    raise result.error
                yield position, result.error
            else:
                (tally.hit if result.is_hit else tally.ran)()
                yield position, result.value
    finally:
        sweep.close()
        tally.close()


@dataclass(frozen=True, slots=True)
class Found:
    """The result of an item."""

    value: Any
    is_hit: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """What an item raised."""

    error: Exception


class Job:
    """Some items of a sweep. It is called in this process, or pickled as the errand that another one does."""

    __name__ = "checkpoint"  # what dashboards show

    def __init__(self, sweep: Sweep, positions: Sequence[int], *, carry: bool, heavy: bool) -> None:
        self.positions = positions
        self.carry = carry
        self._sweep, self._heavy = sweep, heavy
        self._context = contextvars.copy_context()

    def __call__(self) -> list[Found | Failed]:
        """Run them here."""
        return self._context.run(lambda: [self._sweep.run(position) for position in self.positions])

    def __reduce__(self) -> Any:
        luggage, calls = self._sweep.packed(self.positions)
        return Errand, (luggage if self._heavy else luggage.light(), calls, self.carry)

    def __dask_tokenize__(self) -> str:
        # No two jobs are one, and nobody need pickle them to see that.
        return os.urandom(16).hex()


class _Todo(NamedTuple):
    """An item that must run."""

    position: int
    carry: bool = False
    """Its result must be brought here."""
    heavy: bool = False
    """The worker that was to run it lacked the parcel."""


class Sweep:
    """One map of `function` over `calls`. Its results come once, in any order, with the positions of the items."""

    def __init__(
        self,
        function: CheckpointedFunction[..., Any],
        calls: Sequence[Call],
        executor: Executor | None,
        chunks: int | None,
    ) -> None:
        self.label = function.label
        self._function, self._calls, self._executor, self._chunks = function, calls, executor, chunks
        self._mode: Mode = function._mode()
        self._records = function._records()
        self._tags = tagging.current_tags()
        self._firsts: dict[Key, int] = {}
        self._same: dict[int, list[int]] = {}
        """By the position of the first of several equal items, those of the others."""
        self._keys: dict[int, Key] = {}
        """Of what is to do, as far as they are known."""
        self._todo: deque[_Todo] = deque()
        self._parcels_left = 0
        """How many workers are still to be sent the parcel."""
        self._luggage: Luggage | None = None
        self._packing = Lock()
        self._seconds, self._ran = 0.0, 0
        """What work in other processes has taken so far, and of how many items."""
        self._fanout: Fanout[Job, Any] | None = None

    def results(self) -> Iterator[tuple[int, Found | Failed]]:
        """The results of all items as they come."""
        for start in range(0, len(self._calls), _BATCH):
            yield from self._look_up(range(start, min(start + _BATCH, len(self._calls))))
        if self._executor is None:
            while self._todo:
                position = self._todo.popleft().position
                yield from self._shared(position, self.run(position))
            return
        with Fanout[Job, Any](self._executor) as self._fanout:
            self._parcels_left = self._fanout.workers
            for done in self._fanout.results(self._next_job):
                yield from self._taken(done)

    def close(self) -> None:
        """Give up what isn't done; what has come to an end meanwhile is kept."""
        if self._fanout is not None:
            for done in self._fanout.leftovers():
                for _ in self._taken(done):
                    pass

    def run(self, position: int) -> Found | Failed:
        """Run an item in this process, as a call that keeps its result by itself."""
        args, kwargs = self._calls[position]
        try:
            # All were looked up before anything ran.
            return Found(self._function._call(args, kwargs, self._mode, is_absent=True))
        except Exception as error:  # noqa: BLE001 - whatever the function raises is the item's
            return Failed(error)

    def packed(self, positions: Sequence[int]) -> tuple[Luggage, Bundle]:
        """What another process needs to run these items. Raises CannotKeep."""
        with self._packing:
            if self._luggage is None:
                home = Home.of(self._records)
                # What a cache of the user's is given is the very result.
                mode: Mode = self._mode if isinstance(self._records, Cache) else "off"
                self._luggage = luggage_for(self._function, mode, self._tags, home)
            assert self._luggage.parcel is not None
            names = self._luggage.parcel.names
        return self._luggage, Bundle.of({"calls": [tuple(self._calls[position]) for position in positions]}, names)

    # Before the run

    def _look_up(self, positions: range) -> Iterator[tuple[int, Found | Failed]]:
        """What there is already of these; the rest is to do."""
        known: dict[int, tuple[Key | None, Prepared | None]] = {}
        for position in positions:
            try:
                known[position] = self._identified(position)
            except CheckpointError as problem:
                yield position, Failed(problem)
        there = self._there([key for key, _ in known.values() if key is not None])
        for position, (key, prepared) in known.items():
            found = None
            if key is not None and key in there and key not in self._firsts:
                try:
                    found = self._restored(position, key, prepared)
                except CheckpointError as problem:
                    yield position, Failed(problem)
                    continue
            if found is not None:
                yield position, found
            elif key is not None and self._firsts.setdefault(key, position) != position:
                self._same.setdefault(self._firsts[key], []).append(position)
            else:
                if key is not None:
                    self._keys[position] = key
                self._todo.append(_Todo(position))

    def _identified(self, position: int) -> tuple[Key | None, Prepared | None]:
        function, (args, kwargs) = self._function, self._calls[position]
        if self._mode == "off":
            return None, None
        if function._recognizer is not None:
            key = function._recognized(function._recognizer, args, kwargs)
            if key is not None:
                return key, None
        prepared = function._prepare(args, kwargs, self._mode)
        return (None, None) if prepared is None else (prepared.work.identity.key, prepared)

    def _there(self, keys: Sequence[Key]) -> set[Key]:
        """Which of `keys` may have a record."""
        if self._mode == "refresh":
            return set()
        return self._records.bring(keys) if isinstance(self._records, Cache) else set(keys)

    def _restored(self, position: int, key: Key, prepared: Prepared | None, *, watch: bool = True) -> Found | None:
        """The result that is kept, if it is good."""
        function, (args, kwargs) = self._function, self._calls[position]
        if prepared is None and function._recognizer is not None and self._mode != "off":
            recalled = function._recall(function._recognizer, args, kwargs)
            if recalled is ABSENT:
                return None
            if isinstance(recalled, Recalled) and recalled.header.key == key:
                return Found(recalled.value, is_hit=True)
        if isinstance(self._records, Cache) and self._records.find(key) is None:
            return None
        mode: Mode = "read" if self._mode == "read" else "on"
        prepared = prepared or function._prepare(args, kwargs, mode)
        if prepared is None or prepared.work.identity.key != key:
            return None
        terms = function._terms(mode, prepared, watch=watch)
        outcome = restore_call(prepared.records, prepared.work, terms)
        return Found(function._told(outcome, prepared), is_hit=True) if isinstance(outcome, Restored) else None

    # After it

    def _next_job(self) -> Job | None:
        if not self._todo:
            return None
        first = self._todo.popleft()
        positions = [first.position]
        while len(positions) < self._size() and self._todo and self._todo[0][1:] == first[1:]:
            positions.append(self._todo.popleft().position)
        self._parcels_left -= 1
        return Job(self, positions, carry=first.carry, heavy=first.heavy or self._parcels_left >= 0)

    def _size(self) -> int:
        """Of how many items to make a job."""
        if self._chunks is not None:
            return self._chunks
        if not self._ran or self._fanout is None:
            return 1
        fair = math.ceil(len(self._todo) / (2 * self._fanout.workers))
        return max(1, min(int(_CHUNK_SECONDS * self._ran / max(self._seconds, 1e-6)), fair, _LARGEST_CHUNK))

    def _taken(self, done: Done[Job, Any]) -> Iterator[tuple[int, Found | Failed]]:
        """The results of a job, each kept before it is given."""
        positions = done.job.positions
        try:
            answers = done.answer()
        except Exception as error:  # noqa: BLE001 - what became of the worker, or of our job on its way there
            if isinstance(error, CannotKeep) and len(positions) > 1:
                self._todo.extendleft(_Todo(position) for position in positions)  # which of them is it?
                self._chunks = 1
                return
            for position in positions:
                yield from self._shared(position, Failed(error))
            return
        if isinstance(answers, Reply):
            if answers.lacks_parcel:
                self._todo.extendleft(_Todo(position, done.job.carry, heavy=True) for position in positions)
                return
            if answers.unloaded is not None:
                for position in positions:
                    yield from self._shared(position, Failed(answers.unloaded.error()))
                return
            self._seconds, self._ran = self._seconds + answers.seconds, self._ran + len(positions)
            answers = answers.answers
        for position, answer in zip(positions, answers, strict=True):
            result = answer if isinstance(answer, Found | Failed) else self._received(position, answer)
            if result is not None:
                yield from self._shared(position, result)

    def _received(self, position: int, answer: Answer) -> Found | Failed | None:
        """What came from another process; None where it must run once more."""
        if isinstance(answer, Raised):
            return Failed(answer.error())
        try:
            if isinstance(answer, Sent):
                return self._kept_here(position, answer)
            return self._kept_there(position, answer)
        except Exception as error:  # noqa: BLE001 - what can't be read, or isn't what was asked for
            return Failed(error)

    def _kept_there(self, position: int, answer: Kept | Brought) -> Found | None:
        key = self._keys.get(position, answer.key)
        if answer.key != key:
            raise CheckpointFailedError(
                f"{self.label} is other code where the executor runs it: its modules, or what it reads in them, are not"
                " those that are loaded here"
            )
        if isinstance(answer, Brought):
            assert isinstance(self._records, Cache)
            adopt(self._records, key, answer.entries)
        elif isinstance(self._records, Cache):
            self._records.bring([key])
        # What it saw and left in files was so when it ran, wherever that was.
        found = self._restored(position, key, None, watch=False)
        if found is not None:
            return Found(found.value)
        if isinstance(answer, Brought):
            raise CheckpointFailedError(f"the result of {self.label} was kept, and can't be restored")
        self._todo.append(_Todo(position, carry=True))
        return None

    def _kept_here(self, position: int, answer: Sent) -> Found:
        value, function = answer.bundle.values()["value"], self._function
        if answer.problem:
            told = f"{self.label} ran, but its result is not kept: {answer.problem}"
            function._complain(told, CheckpointFailedError(told), value)
        elif self._mode in ("on", "refresh") and not isinstance(self._records, Cache):
            prepared = function._prepare(*self._calls[position], self._mode)
            if prepared is not None:  # a cache of the user's is given the very result
                function._told(function._outcome(prepared, lambda: value, "refresh"), prepared)
        return Found(value)

    def _shared(self, position: int, result: Found | Failed) -> Iterator[tuple[int, Found | Failed]]:
        """The result for an item and for those that are equal to it, which are given their own."""
        yield position, result
        key = self._keys.get(position)
        for other in self._same.get(position, ()):
            own = None
            if isinstance(result, Found) and key is not None:
                own = self._restored(other, key, None)
            yield other, own or result
