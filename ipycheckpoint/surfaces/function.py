"""A checkpointed function: what ``@checkpoint`` makes of one."""

from __future__ import annotations

import functools
import sys
import time
import warnings
from types import FunctionType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, NamedTuple, ParamSpec, TypeVar, overload

from ipycheckpoint import tagging, workspace
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.recall import ABSENT, Recalled
from ipycheckpoint.engine.call import Terms, run_call, run_call_async
from ipycheckpoint.engine.lookup import explain, explain_hit
from ipycheckpoint.errors import (
    CheckpointError,
    CheckpointFailedError,
    CheckpointFailedWarning,
    CheckpointWarning,
    ExpensiveOverheadWarning,
    StoreError,
    Unidentifiable,
    UsageError,
)
from ipycheckpoint.identity.calls import identify_call, unfold
from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.identity.flags import is_coroutine_function
from ipycheckpoint.identity.identifier import AutoFuncCallIdentifier, work_of_id
from ipycheckpoint.identity.recognition import Recognizer
from ipycheckpoint.identity.work import tag_ingredients
from ipycheckpoint.record.outcome import Computed, Refused, Restored
from ipycheckpoint.surfaces.plugging import ask, identifies_as_we_do, records_at

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
    from types import FrameType

    from ipycheckpoint.cache.base import Records
    from ipycheckpoint.cache.plugged import Plug
    from ipycheckpoint.cache.recall import Absent
    from ipycheckpoint.engine.fanout import Executor
    from ipycheckpoint.engine.lookup import Mode
    from ipycheckpoint.identity.identity import Identity, Ingredient, Key
    from ipycheckpoint.identity.work import Work
    from ipycheckpoint.record.outcome import Outcome
    from ipycheckpoint.record.record import Header
    from ipycheckpoint.surfaces.arguments import Options
    from ipycheckpoint.surfaces.mapping import OnItemError

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Q = ParamSpec("Q")
I = TypeVar("I")  # noqa: E741 - the type of an item

_OURS = AutoFuncCallIdentifier()

_ELSEWHERE = ". Make room there, or name another place with store=… or IPYCHECKPOINT_DIR"

_TOLERATED_SECONDS = 0.1
"""By how much a checkpoint with a cache of the user's may take longer than the function, before that is told."""

_TOLERATED_SECONDS_OF_OURS = 1.0
"""The same for our own, which a busy machine may keep waiting for the disk."""


class Prepared(NamedTuple):
    """A call that has been identified."""

    records: Records
    work: Work
    claim: Hashable
    """What one run holds alone, where that isn't the Key."""
    is_ours: bool
    """Whether its cache is ours."""
    seconds: float
    """How long that took."""


class CheckpointedFunction(Generic[P, R]):
    """A function whose results are kept. It is called, documented, pickled and bound as the function itself.

    >>> import tempfile
    >>> from ipycheckpoint.surfaces.decorator import checkpoint
    >>> @checkpoint(store=tempfile.mkdtemp())
    ... def double(x):
    ...     return 2 * x
    >>> double(21), double.is_cached(21), double.is_cached(22)
    (42, True, False)
    """

    __is_checkpoint__ = True

    __wrapped__: Callable[P, R]
    __name__: str
    __qualname__: str

    def __init__(self, function: Callable[P, R], options: Options, definition: FrameType | None = None) -> None:
        functools.update_wrapper(self, function)
        plain = unfold(function).function
        self.label = options.name or full_name(plain)
        """What its records are listed under."""
        self._options = options
        self._definition = definition
        self._asynchronous = is_coroutine_function(plain)
        self._warned: set[object] = set()
        self._recognizer = _recognizer(function, options)
        if self._asynchronous:
            _mark_as_coroutine_function(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Restore the result of this call, or run it and keep what it gives."""
        if self._asynchronous:
            return self._call_async(args, kwargs, self._mode())  # type: ignore[return-value]  # R is a coroutine
        mode = self._mode()
        if self._recognizer is not None and mode in ("on", "read"):
            recalled = self._recall(self._recognizer, args, kwargs)
            if isinstance(recalled, Recalled):
                return recalled.value  # type: ignore[return-value]  # what the function returned
            return self._call(args, kwargs, mode, is_absent=recalled is ABSENT)
        return self._call(args, kwargs, mode)

    def rerun(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run this call whatever is kept, and keep the new result."""
        if self._asynchronous:
            return self._call_async(args, kwargs, "refresh")  # type: ignore[return-value]  # R is a coroutine
        return self._call(args, kwargs, "refresh")

    def is_cached(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Whether this call would be a hit now. Writes nothing."""
        return self.why(*args, **kwargs).verdict == "hit"

    def why(self, *args: P.args, **kwargs: P.kwargs) -> Explanation:
        """Why this call would be a hit or a miss now. Writes nothing."""
        try:
            call = self._prepared(args, kwargs)
            return explain(call.records, call.work, watch=self._watches())
        except CheckpointFailedError as problem:
            return Explanation("refused", self.label, str(problem))

    def identity(self, *args: P.args, **kwargs: P.kwargs) -> Identity:
        """The Identity of this call: its Ingredients, with previews. Raises Unidentifiable with the path."""
        return self._prepared(args, kwargs).work.described().identity

    def record(self, *args: P.args, **kwargs: P.kwargs) -> Header | None:
        """What is known of the record of this call, without loading it; None if there is none. Writes nothing."""
        call = self._prepared(args, kwargs)
        return call.records.header(call.work.identity.key)

    def forget(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget what is kept for this call; whether there was anything. UsageError if its cache can't forget."""
        call = self._prepared(args, kwargs)
        return call.records.forget(call.work.identity.key)

    def forget_all(self) -> int:
        """Forget every record of this function, of all versions and arguments; how many there were.

        In a cache of the user's, those are the ones that this process knows of; UsageError if it can't forget.
        """
        return self._records().forget_label(self.label, "call")

    @overload
    def map(
        self,
        items: Iterable[Any],
        executor: Executor | None = None,
        *,
        progress: bool = True,
        ordered: Literal[True] = True,
        chunks: int | None = None,
        on_error: OnItemError = "raise",
        star: bool = False,
    ) -> list[R]: ...
    @overload
    def map(
        self,
        items: Iterable[I],
        executor: Executor | None = None,
        *,
        progress: bool = True,
        ordered: Literal[False],
        chunks: int | None = None,
        on_error: OnItemError = "raise",
        star: bool = False,
    ) -> Iterator[tuple[I, R]]: ...
    def map(
        self,
        items: Iterable[Any],
        executor: Executor | None = None,
        *,
        progress: bool = True,
        ordered: bool = True,
        chunks: int | None = None,
        on_error: OnItemError = "raise",
        star: bool = False,
    ) -> Any:
        """The results of all `items`, of which only those run that aren't kept yet, each kept as soon as it is there.

        Args:
            items: each is the argument of one call; equal ones run once.
            executor: what runs them: a pool of `concurrent.futures`, loky's, Dask's client or its ``get_executor()``,
                or anything else with a method `submit`. They run here, one after the other, unless given.
            progress: show how far it has come, after half a second.
            ordered: give a list of the results, in the order of the items; else an iterator of ``(item, result)``, as
                they come, which runs nothing before it is asked.
            chunks: how many items go to another process together; as many as take a tenth of a second unless given.
            on_error: ``"raise"`` what an item raises, which ends the map; or ``"collect"``, and give the exception in
                the place of the result.
            star: each item is all arguments of a call: a tuple, or a mapping of them by name.

        Raises UsageError for a bad option, and for a coroutine function.

        >>> import tempfile
        >>> from ipycheckpoint.surfaces.decorator import checkpoint
        >>> @checkpoint(store=tempfile.mkdtemp())
        ... def square(x):
        ...     print("running")
        ...     return x * x
        >>> square.map([2, 3, 2])
        running
        running
        [4, 9, 4]
        """
        from ipycheckpoint.surfaces.mapping import MapTerms, map_over

        terms = MapTerms(progress=progress, ordered=ordered, chunks=chunks, on_error=on_error, star=star)
        return map_over(self, items, executor, terms)

    def depends(self) -> tuple[tuple[str, str], ...]:
        """The name and Digest of each file and package that it watches: what calls it depends on them as well."""
        return tuple((ingredient.name, ingredient.digest) for ingredient in self._surroundings())

    def _surroundings(self) -> list[Ingredient]:
        if not self._options.watch and not self._options.pin:
            return []
        from ipycheckpoint.engine.sources import pinned, watched

        return [*watched(self._options.watch or ()), *pinned(self._options.pin)]

    def _recall(
        self, recognizer: Recognizer, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Recalled | Absent | None:
        """The result of a call that is surely a hit, told in microseconds; None where it must be looked up."""
        began = time.perf_counter()
        key = self._recognized(recognizer, args, kwargs)
        if key is None:
            return None
        records = self._records()
        if not isinstance(records, Cache):
            return None
        recalled = records.recall(key)
        if isinstance(recalled, Recalled):
            workspace.current().remember(explain_hit(self.label, recalled.header))
            records.count_hit(recalled.header, time.perf_counter() - began)
        return recalled

    def _recognized(self, recognizer: Recognizer, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Key | None:
        if self._identifier() is not _OURS:
            return None
        function: Any = self.__wrapped__
        return recognizer.key(function, args, kwargs, self._tags())

    def _call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], mode: Mode, *, is_absent: bool = False) -> R:
        run: Callable[[], Any] = functools.partial(self.__wrapped__, *args, **kwargs)
        call = self._prepare(args, kwargs, mode)
        if call is None:
            return run()  # type: ignore[no-any-return]  # it is what the function returns
        outcome = self._outcome(call, run, mode, is_absent=is_absent)
        if isinstance(outcome, Restored) and self._recognizer is not None and isinstance(call.records, Cache):
            key = self._recognized(self._recognizer, args, kwargs)
            if key is not None:
                call.records.hold(key)
        return self._told(outcome, call)

    def _outcome(self, call: Prepared, run: Callable[[], Any], mode: Mode, *, is_absent: bool = False) -> Outcome:
        flights, news = workspace.current().flights(call.records), workspace.current().news
        if news.is_heard:
            run = news.announcing(run, self.label, call.work.identity.key)
        return run_call(call.records, flights, call.work, run, self._terms(mode, call, is_absent=is_absent))

    async def _call_async(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], mode: Mode) -> Any:
        run: Callable[[], Any] = functools.partial(self.__wrapped__, *args, **kwargs)
        call = self._prepare(args, kwargs, mode)
        if call is None:
            return await run()
        flights, news = workspace.current().flights(call.records), workspace.current().news
        if news.is_heard:
            run = news.announcing_async(run, self.label, call.work.identity.key)
        return self._told(await run_call_async(call.records, flights, call.work, run, self._terms(mode, call)), call)

    def _prepare(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], mode: Mode) -> Prepared | None:
        """What is known of a call before it; None where it should just run."""
        if mode == "off":
            return None
        try:
            return self._prepared(args, kwargs)
        except Unidentifiable as refusal:
            self._complain(
                f"{self.label} ran without a checkpoint: {refusal}. Leave it out with ignore=[…],"
                " or say what stands for it with fingerprints={…}.",
                refusal,
            )
        except CheckpointFailedError as problem:
            self._complain(f"{self.label} ran without a checkpoint: {problem}", problem)
        except OSError as error:
            unread = StoreError(str(error.filename), "read", error.strerror or str(error))
            self._complain(f"{self.label} ran without a checkpoint: {unread}. It is watched.", unread)
        except TypeError:
            pass  # the arguments don't fit the signature: the call itself says so best
        except UsageError:
            raise
        except Exception as fault:  # noqa: BLE001 - a fault of ours, or of a `__reduce__`, must not cost the run
            unexpected = CheckpointError(f"{type(fault).__name__}: {fault}")
            self._complain(f"{self.label} ran without a checkpoint: {unexpected}", unexpected)
        return None

    def _prepared(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Prepared:
        began = time.perf_counter()
        records, identifier = self._records(), self._identifier()
        plug = _plug(records)
        is_plugged = plug is not None
        if isinstance(identifier, AutoFuncCallIdentifier) and identifies_as_we_do(identifier):
            work = self._work(args, kwargs, identifier)
            claim = None if plug is None else plug.claim_on(work.identity.key)
            return Prepared(records, work, claim, not is_plugged, time.perf_counter() - began)
        context_id = self._identified(identifier, args, kwargs)
        name = type(identifier).__name__
        # To a cache of the user's, the ContextId goes as it is: then it alone decides.
        extra = () if is_plugged else (*tag_ingredients(self._tags()), *self._surroundings())
        try:
            work = work_of_id("call", self.label, name, context_id, extra, strictly=not records.is_plain)
        except Unidentifiable as refusal:
            raise CheckpointFailedError(f"the ContextId that {name} gives can't be told apart: {refusal}") from refusal
        claim = None
        if plug is not None:
            records, claim = plug.under(context_id), plug.claim_on(context_id)
        return Prepared(records, work, claim, not is_plugged, time.perf_counter() - began)

    def _work(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], identifier: AutoFuncCallIdentifier) -> Work:
        options = self._options
        recognizer = self._recognizer if identifier is _OURS else None
        if recognizer is not None:
            function: Any = self.__wrapped__
            work = recognizer.work(function, self.label, args, kwargs, self._tags())
            if work is not None:
                return work
        call = unfold(self.__wrapped__, args, kwargs)
        extra = [*tag_ingredients(self._tags()), *self._surroundings()]
        ignore, fingerprints = options.ignore, options.fingerprints
        if identifier is not _OURS:
            ignore, fingerprints = ignore | identifier.ignore, {**identifier.fingerprints, **fingerprints}
        return identify_call(
            call, self.label, ignore=ignore, fingerprints=fingerprints, extra=extra, recognizer=recognizer
        )

    def _identified(self, identifier: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        """What the user's identifier makes of a call. TypeError where the arguments don't fit."""
        from ipycheckpoint.identity.context import FuncCallContext  # ours needs none

        context = FuncCallContext(self.__wrapped__, args, dict(kwargs), self._definition, tags=self._tags())
        try:
            return ask(identifier, context)
        except CheckpointFailedError as problem:
            if isinstance(problem.__cause__, TypeError):
                context.arguments  # noqa: B018 - raises, if that is why
            raise

    def _tags(self) -> tuple[tuple[str, str], ...]:
        return tagging.current_tags() + self._options.tags

    def _mode(self) -> Mode:
        return self._options.mode or workspace.current().mode

    def _records(self) -> Records:
        return records_at(self._options.store, label=self.label)

    def _identifier(self) -> Any:
        own = self._options.identifier
        identifier = workspace.current().identifier if own is None else own
        return _OURS if identifier is None else identifier

    def _watches(self) -> bool:
        # What an identifier of the user's leaves out is none of ours to look for.
        return self._options.watch is not False and identifies_as_we_do(self._identifier())

    def _terms(self, mode: Mode, call: Prepared, *, watch: bool = True, is_absent: bool = False) -> Terms:
        return Terms(
            mode,
            self._tags(),
            self._options.expires_seconds,
            self._warn_once,
            watch=watch and self._watches(),
            fail=self._complain,
            claim=call.claim,
            is_absent=is_absent,
        )

    def _told(self, outcome: Outcome, call: Prepared) -> R:
        here = workspace.current()
        is_first = here.explanation() is None
        here.remember(outcome.explanation)
        if isinstance(outcome, Refused):
            problem = outcome.problem
            way_out = _ELSEWHERE if isinstance(problem, StoreError) and problem.action == "write" else ""
            self._complain(f"{self.label} ran, but its result is not kept: {problem}{way_out}", problem, outcome.value)
        elif isinstance(outcome, Computed) and not (is_first and call.is_ours):  # the first one pays for imports
            self._weigh(outcome, call)
        return outcome.value  # type: ignore[return-value]  # what the function returned, now or before

    def _weigh(self, outcome: Computed, call: Prepared) -> None:
        overhead = call.seconds + outcome.looking_seconds + outcome.keeping_seconds
        tolerated = _TOLERATED_SECONDS_OF_OURS if call.is_ours else _TOLERATED_SECONDS
        if overhead > outcome.seconds + tolerated and ExpensiveOverheadWarning not in self._warned:
            self._warned.add(ExpensiveOverheadWarning)
            warnings.warn(
                f"the checkpoint of {self.label} took {overhead:.2f} s, and the function {outcome.seconds:.2f} s:"
                " without the checkpoint it may be faster",
                ExpensiveOverheadWarning,
                stacklevel=depth_of_caller(),
            )

    def _complain(self, message: str, problem: CheckpointError, result: object = None) -> None:
        on_error = self._options.on_error or workspace.current().on_error
        if on_error == "raise":
            failed = problem if isinstance(problem, CheckpointFailedError) else CheckpointFailedError(message)
            failed.result = result
            try:
                if failed is problem:
                    raise failed
                raise failed from problem
            finally:
                del failed, problem, result  # the traceback holds this frame, which would hold them in a cycle
        if on_error == "warn":
            self._warn_once(message, CheckpointFailedWarning)

    def _warn_once(self, message: str, category: type[CheckpointWarning] = CheckpointWarning) -> None:
        if message not in self._warned:
            self._warned.add(message)
            warnings.warn(message, category, stacklevel=depth_of_caller())

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> CheckpointedFunction[P, R]: ...
    @overload
    def __get__(
        self: CheckpointedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None
    ) -> CheckpointedFunction[Q, R]: ...
    def __get__(self, instance: object | None, owner: type | None = None) -> Any:
        bind = getattr(self.__wrapped__, "__get__", None)
        if instance is None or bind is None:  # a callable object isn't bound to others either
            return self
        bound = object.__new__(_BoundCheckpoint)
        bound.__dict__ = {**self.__dict__, "__wrapped__": bind(instance, owner), "__self__": instance, "__func__": self}
        return bound

    def __fingerprint__(self) -> object:
        return self.__wrapped__, self.depends()

    def __repr__(self) -> str:
        return f"<checkpoint of {self.__wrapped__!r}>"

    def __reduce__(self) -> Any:
        # A partial has no name of its own.
        qualname = getattr(self, "__qualname__", "<partial>")
        found: Any = sys.modules.get(self.__module__)
        for name in qualname.split("."):
            found = getattr(found, name, None)
        if found is not self:
            return self.__reduce_by_value__()
        if self.__module__ == "__main__":
            from ipycheckpoint.surfaces.away import reduction

            return reduction(self, qualname)
        return qualname

    def __reduce_by_value__(self) -> Any:
        """For a reader that will not find it by its name."""
        return CheckpointedFunction, (self.__wrapped__, self._options)


class _BoundCheckpoint(CheckpointedFunction[P, R]):
    """A checkpointed method that is bound to its instance."""

    __self__: object
    __func__: CheckpointedFunction[Any, R]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _BoundCheckpoint):
            return NotImplemented
        return self.__self__ is other.__self__ and self.__func__ is other.__func__

    def __hash__(self) -> int:
        return hash((id(self.__self__), self.__func__))

    def __reduce__(self) -> Any:
        return getattr, (self.__self__, self.__func__.__name__)


def full_name(function: Any) -> str:
    """What records of a function are listed under: its module, but for ``__main__``, and its qualified name."""
    name: str = getattr(function, "__qualname__", type(function).__qualname__)
    module = getattr(function, "__module__", None)
    return name if module in (None, "__main__", "__mp_main__") else f"{module}.{name}"


def _plug(records: Records) -> Plug | None:
    """`records`, if a cache of the user's is behind them; what only those need isn't loaded for ours."""
    if isinstance(records, Cache):
        return None
    from ipycheckpoint.cache.plugged import Plug

    return records if isinstance(records, Plug) else None


def _recognizer(function: object, options: Options) -> Recognizer | None:
    """What can tell a call in short; None where more than the function and its arguments must be looked at."""
    if type(function) is not FunctionType or is_coroutine_function(function):
        return None
    if options.pin or options.watch or options.fingerprints or options.identifier is not None:
        return None
    return Recognizer(options.ignore)


def _mark_as_coroutine_function(function: Any) -> None:
    if sys.version_info >= (3, 12):
        import inspect

        inspect.markcoroutinefunction(function)
    else:
        from asyncio import coroutines

        function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]  # what asyncio looks for


def depth_of_caller() -> int:
    """How many frames up the first one is that is not ours."""
    depth, frame = 1, sys._getframe(1)
    package = __name__.partition(".")[0]
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == package:
        depth, frame = depth + 1, frame.f_back
    return depth
