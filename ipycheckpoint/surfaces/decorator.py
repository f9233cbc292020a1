"""``@checkpoint``: a function that is never run twice for the same inputs."""

from __future__ import annotations

import functools
import inspect
import linecache
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import FunctionType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, Protocol, TypeVar, overload

from ipycheckpoint import workspace
from ipycheckpoint.engine.call import Terms, run_call, run_call_async
from ipycheckpoint.engine.lookup import explain
from ipycheckpoint.engine.sources import pinned, watched
from ipycheckpoint.errors import CheckpointError, CheckpointWarning, StoreError, Unidentifiable, UsageError
from ipycheckpoint.identity.calls import identify_call, unfold
from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.identity.work import tag_ingredients
from ipycheckpoint.record.outcome import Refused

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.engine.lookup import Mode
    from ipycheckpoint.identity.identity import Identity, Ingredient, Key
    from ipycheckpoint.identity.work import Fingerprints, Work
    from ipycheckpoint.record.outcome import Outcome
    from ipycheckpoint.record.record import Header

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Q = ParamSpec("Q")

OnError = Literal["warn", "raise", "ignore"]

_Descriptor = TypeVar("_Descriptor", "classmethod[Any, ..., Any]", "staticmethod[..., Any]", property)


@dataclass(frozen=True, slots=True)
class Options:
    """What ``@checkpoint(...)`` was told."""

    name: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    store: str | os.PathLike[str] | Cache | None = None
    ignore: frozenset[str] = frozenset()
    fingerprints: Fingerprints = field(default_factory=dict)
    pin: tuple[str, ...] = ()
    watch: tuple[str | os.PathLike[str], ...] | Literal[False] = ()
    expires_seconds: float | None = None
    on_error: OnError = "warn"
    mode: Mode | None = None


class CheckpointedFunction(Generic[P, R]):
    """A function whose results are kept. It is called, documented, pickled and bound as the function itself.

    >>> import tempfile
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

    def __init__(self, function: Callable[P, R], options: Options) -> None:
        functools.update_wrapper(self, function)
        plain = unfold(function).function
        self.label = options.name or _full_name(plain)
        """What its records are listed under."""
        self._options = options
        self._asynchronous = inspect.iscoroutinefunction(plain)
        self._warned: set[str] = set()
        if self._asynchronous:
            _mark_as_coroutine_function(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Restore the result of this call, or run it and keep what it gives."""
        if self._asynchronous:
            return self._call_async(args, kwargs, self._mode())  # type: ignore[return-value]  # R is a coroutine
        return self._call(args, kwargs, self._mode())

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
            return explain(self._cache(), self._work(args, kwargs), watch=self._options.watch is not False)
        except Unidentifiable as problem:
            return Explanation("refused", self.label, str(problem))

    def identity(self, *args: P.args, **kwargs: P.kwargs) -> Identity:
        """The Identity of this call: its Ingredients, with previews. Raises Unidentifiable with the path."""
        return self._work(args, kwargs).described().identity

    def record(self, *args: P.args, **kwargs: P.kwargs) -> Header | None:
        """What is known of the record of this call, without loading it; None if there is none. Writes nothing."""
        return self._cache().header(self._key(args, kwargs))

    def forget(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget what is kept for this call; whether there was anything."""
        return self._cache().forget(self._key(args, kwargs))

    def forget_all(self) -> int:
        """Forget every record of this function, of all versions and arguments; how many there were."""
        return self._cache().forget_label(self.label, "call")

    def depends(self) -> tuple[tuple[str, str], ...]:
        """The name and Digest of each file and package that it watches: what calls it depends on them as well."""
        return tuple((ingredient.name, ingredient.digest) for ingredient in self._surroundings())

    def _surroundings(self) -> list[Ingredient]:
        return [*watched(self._options.watch or ()), *pinned(self._options.pin)]

    def _call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], mode: Mode) -> R:
        run = functools.partial(self.__wrapped__, *args, **kwargs)
        prepared = self._prepare(args, kwargs, mode)
        if prepared is None:
            return run()
        cache = self._cache()
        return self._told(run_call(cache, workspace.current().flights(cache), prepared, run, self._terms(mode)))

    async def _call_async(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], mode: Mode) -> Any:
        run: Callable[[], Any] = functools.partial(self.__wrapped__, *args, **kwargs)
        prepared = self._prepare(args, kwargs, mode)
        if prepared is None:
            return await run()
        cache = self._cache()
        flights = workspace.current().flights(cache)
        return self._told(await run_call_async(cache, flights, prepared, run, self._terms(mode)))

    def _prepare(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], mode: Mode) -> Work | None:
        """The Work of a call; None where it should just run."""
        if mode == "off":
            return None
        try:
            return self._work(args, kwargs)
        except Unidentifiable as refusal:
            self._complain(
                f"{self.label} ran without a checkpoint: {refusal}. Leave it out with ignore=[…],"
                " or say what stands for it with fingerprints={…}.",
                refusal,
            )
        except OSError as error:
            problem = StoreError(str(error.filename), "read", error.strerror or str(error))
            self._complain(f"{self.label} ran without a checkpoint: {problem}. It is watched.", problem)
        except TypeError:
            pass  # the arguments don't fit the signature: the call itself says so best
        except UsageError:
            raise
        except Exception as fault:  # noqa: BLE001 - a fault of ours, or of a `__reduce__`, must not cost the run
            unexpected = CheckpointError(f"{type(fault).__name__}: {fault}")
            self._complain(f"{self.label} ran without a checkpoint: {unexpected}", unexpected)
        return None

    def _work(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Work:
        options = self._options
        call = unfold(self.__wrapped__, args, kwargs)
        extra = [*tag_ingredients(self._tags()), *self._surroundings()]
        return identify_call(call, self.label, ignore=options.ignore, fingerprints=options.fingerprints, extra=extra)

    def _key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Key:
        return self._work(args, kwargs).identity.key

    def _tags(self) -> tuple[tuple[str, str], ...]:
        return workspace.current_tags() + self._options.tags

    def _mode(self) -> Mode:
        return self._options.mode or workspace.current().mode

    def _cache(self) -> Cache:
        return workspace.current().cache(self._options.store)

    def _terms(self, mode: Mode) -> Terms:
        options = self._options
        return Terms(mode, self._tags(), options.expires_seconds, self._warn_once, watch=options.watch is not False)

    def _told(self, outcome: Outcome) -> R:
        workspace.current().remember(outcome.explanation)
        if isinstance(outcome, Refused):
            problem = outcome.problem
            self._complain(f"{self.label} ran, but its result is not kept: {problem}", problem)
        return outcome.value  # type: ignore[return-value]  # what the function returned, now or before

    def _complain(self, message: str, problem: CheckpointError) -> None:
        if self._options.on_error == "raise":
            raise problem
        if self._options.on_error == "warn":
            self._warn_once(message)

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            warnings.warn(message, CheckpointWarning, stacklevel=_depth_of_caller())

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
        return qualname if found is self else self.__reduce_by_value__()

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


class _CheckpointedClassMethod(classmethod):  # type: ignore[type-arg]  # not before 3.13 at run time
    """A class method whose checkpoint is bound to the class: since 3.13, `classmethod` itself makes a plain method."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self.__func__.__get__(type(instance) if owner is None else owner, type)


class _Decorator(Protocol):
    """What ``@checkpoint(...)`` gives."""

    @overload
    def __call__(self, function: _Descriptor, /) -> _Descriptor: ...  # type: ignore[overload-overlap]  # see below
    @overload
    def __call__(self, function: Callable[P, R], /) -> CheckpointedFunction[P, R]: ...


@overload
def checkpoint(function: _Descriptor, /) -> _Descriptor: ...  # type: ignore[overload-overlap]  # a staticmethod is callable
@overload
def checkpoint(function: Callable[P, R], /) -> CheckpointedFunction[P, R]: ...
@overload
def checkpoint(
    *,
    name: str | None = None,
    tags: Mapping[str, object] | Iterable[tuple[str, object]] = (),
    store: str | os.PathLike[str] | Cache | None = None,
    ignore: Iterable[str] = (),
    fingerprints: Fingerprints | None = None,
    pin: str | Iterable[str] = (),
    watch: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Literal[False] = (),
    expires: str | float | timedelta | None = None,
    on_error: OnError = "warn",
    mode: Mode | None = None,
) -> _Decorator: ...
def checkpoint(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    tags: Mapping[str, object] | Iterable[tuple[str, object]] = (),
    store: str | os.PathLike[str] | Cache | None = None,
    ignore: Iterable[str] = (),
    fingerprints: Fingerprints | None = None,
    pin: str | Iterable[str] = (),
    watch: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Literal[False] = (),
    expires: str | float | timedelta | None = None,
    on_error: OnError = "warn",
    mode: Mode | None = None,
) -> Any:
    """Keep the results of a function; run it only for code, context and arguments that were not seen before.

    Args:
        function: the function, when used without parentheses.
        name: what its records are listed under; its module and qualified name unless given.
        tags: more tags than those in force where it is called.
        store: a directory or Cache of its own; the current cache unless given.
        ignore: names of arguments, and of globals that it reaches, that don't count.
        fingerprints: by the name of an argument, or by type: a function whose result stands for the value.
        pin: packages whose installed versions count.
        watch: paths and globs of files whose content counts, besides those that the function is seen to read and
            write; False, and no files count at all.
        expires: how long a result is good for: ``"12h"``, ``"1d"``, seconds, or a timedelta.
        on_error: what to do when a call can't be identified, or its result can't be kept: ``"warn"`` or
            ``"ignore"``, and return what the function returns; or ``"raise"``.
        mode: ``"on"``, ``"off"``, ``"read"`` or ``"refresh"``, whatever the mode of the process is.

    Raises UsageError for a bad option, and for a generator function, which has no result to keep.

    >>> import tempfile
    >>> @checkpoint(store=tempfile.mkdtemp(), ignore=["verbose"])
    ... def square(x, verbose=False):
    ...     print("running")
    ...     return x * x
    >>> square(4), square(4, verbose=True)
    running
    (16, 16)
    """
    if on_error not in ("warn", "raise", "ignore"):
        raise UsageError(f"on_error is {on_error!r}; it must be one of warn, raise, ignore")
    if isinstance(ignore, str):
        raise UsageError(f"ignore is the text {ignore!r}; a list of names is needed: ignore=[{ignore!r}]")
    pairs = tags.items() if isinstance(tags, Mapping) else tags
    seconds = expires.total_seconds() if isinstance(expires, timedelta) else expires
    options = Options(
        name=name,
        tags=tuple((workspace.check_tag(key), str(value)) for key, value in pairs),
        store=store,
        ignore=frozenset(ignore),
        fingerprints=dict(fingerprints or {}),
        pin=(pin,) if isinstance(pin, str) else tuple(pin),
        watch=False if watch is False else (watch,) if _is_path(watch) else tuple(watch),  # type: ignore[arg-type]  # one path, or several
        expires_seconds=None if seconds is None else workspace.parse_duration(seconds),
        on_error=on_error,
        mode=None if mode is None else workspace.check_mode(mode, "mode"),
    )
    pinned(options.pin)  # a package that isn't installed is better named now than at the first call
    if function is None:
        return functools.partial(_decorate, options=options)
    return _decorate(function, options)


def _is_path(value: object) -> bool:
    return isinstance(value, str) or hasattr(value, "__fspath__")


def _decorate(function: Any, options: Options) -> Any:
    if isinstance(function, classmethod):
        return _CheckpointedClassMethod(_decorate(function.__func__, options))
    if isinstance(function, staticmethod):
        return staticmethod(_decorate(function.__func__, options))
    if isinstance(function, property):
        getter = None if function.fget is None else _decorate(function.fget, options)
        return property(getter, function.fset, function.fdel, function.__doc__)
    if isinstance(function, CheckpointedFunction):
        return CheckpointedFunction(function.__wrapped__, options)
    if not callable(function):
        raise UsageError(f"@checkpoint needs a function, not {function!r}; options go by name: @checkpoint(name=…)")
    plain = unfold(function).function
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise UsageError(
            f"{_full_name(plain)} is a generator function: what it gives can be gone through once, so it can't be kept."
            " Let it return a list."
        )
    if isinstance(plain, FunctionType):
        # The text that it was compiled from: by the time of the first call its file may have been edited.
        linecache.getlines(plain.__code__.co_filename, plain.__globals__)
    _join_autoreload()
    return CheckpointedFunction(function, options)


def _full_name(function: Any) -> str:
    name: str = getattr(function, "__qualname__", type(function).__qualname__)
    module = getattr(function, "__module__", None)
    return name if module in (None, "__main__", "__mp_main__") else f"{module}.{name}"


def _mark_as_coroutine_function(function: Any) -> None:
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(function)
    else:
        from asyncio import coroutines

        function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]  # what asyncio looks for


def _join_autoreload() -> None:
    """Let ``%autoreload`` renew a checkpoint that was imported by name, as it renews functions."""
    autoreload = sys.modules.get("IPython.extensions.autoreload")
    rules = getattr(autoreload, "UPDATE_RULES", None)
    if rules is not None and _AUTORELOAD not in rules:
        rules.append(_AUTORELOAD)


def _are_checkpoints(old: object, new: object) -> bool:
    return isinstance(old, CheckpointedFunction) and isinstance(new, CheckpointedFunction)


def _renew(old: Any, new: Any) -> None:
    old.__dict__ = new.__dict__


_AUTORELOAD = (_are_checkpoints, _renew)


def _depth_of_caller() -> int:
    """How many frames up the first one is that is not ours."""
    depth, frame = 1, sys._getframe(1)
    package = __name__.partition(".")[0]
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == package:
        depth, frame = depth + 1, frame.f_back
    return depth
