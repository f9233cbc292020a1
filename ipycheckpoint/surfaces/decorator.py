"""``@checkpoint``: a function that is never run twice for the same inputs."""

from __future__ import annotations

import linecache
import sys
import warnings
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, Unpack, overload

from ipycheckpoint.errors import CheckpointWarning, UsageError
from ipycheckpoint.identity.calls import unfold
from ipycheckpoint.identity.flags import VARARGS, VARKEYWORDS, is_generator_function
from ipycheckpoint.identity.identifier import check_protocol
from ipycheckpoint.surfaces.arguments import is_path, options_of
from ipycheckpoint.surfaces.function import CheckpointedFunction, depth_of_caller, full_name
from ipycheckpoint.surfaces.plugging import identifies_as_we_do

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta
    from types import FrameType

    from ipycheckpoint.engine.lookup import Mode
    from ipycheckpoint.identity.identifier import FuncCallIdentifierBase
    from ipycheckpoint.identity.work import Fingerprints
    from ipycheckpoint.surfaces.arguments import More, Options
    from ipycheckpoint.surfaces.plugging import Place
    from ipycheckpoint.workspace import OnError

P = ParamSpec("P")
R = TypeVar("R")

_Descriptor = TypeVar("_Descriptor", "classmethod[Any, ..., Any]", "staticmethod[..., Any]", property)


class _CheckpointedClassMethod(classmethod):  # type: ignore[type-arg]  # not before 3.13 at run time
    """A class method whose checkpoint is bound to the class: since 3.13, `classmethod` itself makes a plain method."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self.__func__.__get__(type(instance) if owner is None else owner, type)


class DecoratorCheckpoint:
    """A checkpoint with an identifier and a cache of your own; `checkpoint` is the same with ours.

    Args:
        identifier: says which calls are the same: an object with a method ``identify(context)``.
        cache: keeps the results: an object with methods ``save`` and ``retrieve``, or a directory.
        on_error: what to do when one of them fails: ``"warn"`` or ``"ignore"``, and return what the function returns;
            or ``"raise"`` CheckpointFailedError, with the result where there is one.
        more: as for `checkpoint`.

    Raises UsageError for a bad option.

    >>> from ipycheckpoint.cache.lru import InMemoryLRUCache
    >>> from ipycheckpoint.identity.identifier import AutoFuncCallIdentifier
    >>> @DecoratorCheckpoint(AutoFuncCallIdentifier(), InMemoryLRUCache())
    ... def square(x):
    ...     print("running")
    ...     return x * x
    >>> square(4), square(4)
    running
    (16, 16)
    """

    def __init__(
        self,
        identifier: FuncCallIdentifierBase | None,
        cache: Place | None,
        on_error: OnError | None = None,
        **more: Unpack[More],
    ) -> None:
        self._options = options_of(identifier, cache, on_error, **more)

    @overload
    def __call__(self, function: _Descriptor, /) -> _Descriptor: ...  # type: ignore[overload-overlap]  # see below
    @overload
    def __call__(self, function: Callable[P, R], /) -> CheckpointedFunction[P, R]: ...
    def __call__(self, function: Any, /) -> Any:
        """Make a checkpoint of `function`. Raises UsageError for a generator function, which has no result to keep."""
        return _decorate(function, self._options, self._definition())

    def _definition(self) -> FrameType | None:
        """The frame that a user's identifier may ask about: of the function or class body around."""
        if self._options.identifier is None or identifies_as_we_do(self._options.identifier):
            return None
        frame = sys._getframe(depth_of_caller() - 1)
        return None if frame.f_locals is frame.f_globals else frame


@overload
def checkpoint(function: _Descriptor, /) -> _Descriptor: ...  # type: ignore[overload-overlap]  # a staticmethod is callable
@overload
def checkpoint(function: Callable[P, R], /) -> CheckpointedFunction[P, R]: ...
@overload
def checkpoint(
    function: str | os.PathLike[str] | None = None,
    /,
    on_error: OnError | None = None,
    cache_pickle_protocol: int | None = None,
    *,
    name: str | None = None,
    tags: Mapping[str, object] | Iterable[tuple[str, object]] = (),
    store: Place | None = None,
    directory: str | os.PathLike[str] | None = None,
    cache: Place | None = None,
    identifier: FuncCallIdentifierBase | None = None,
    ignore: Iterable[str] = (),
    fingerprints: Fingerprints | None = None,
    pin: str | Iterable[str] = (),
    watch: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Literal[False] = (),
    expires: str | float | timedelta | None = None,
    mode: Mode | None = None,
) -> DecoratorCheckpoint: ...
def checkpoint(
    function: Any = None,
    /,
    on_error: OnError | None = None,
    cache_pickle_protocol: int | None = None,
    *,
    name: str | None = None,
    tags: Mapping[str, object] | Iterable[tuple[str, object]] = (),
    store: Place | None = None,
    directory: str | os.PathLike[str] | None = None,
    cache: Place | None = None,
    identifier: FuncCallIdentifierBase | None = None,
    ignore: Iterable[str] = (),
    fingerprints: Fingerprints | None = None,
    pin: str | Iterable[str] = (),
    watch: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Literal[False] = (),
    expires: str | float | timedelta | None = None,
    mode: Mode | None = None,
) -> Any:
    """Keep the results of a function; run it only for code, context and arguments that were not seen before.

    Args:
        function: the function, when used without parentheses; or the directory of its results.
        on_error: what to do when a call can't be identified, or its result can't be found or kept: ``"warn"`` or
            ``"ignore"``, and return what the function returns; or ``"raise"``. ``"warn"`` unless the process's
            defaults say otherwise.
        cache_pickle_protocol: taken for code that was written for `checkpointing`; it changes nothing.
        name: what its records are listed under; its module and qualified name unless given.
        tags: more tags than those in force where it is called.
        store: a directory, a Cache or a cache of your own (`CacheBase`); the current cache unless given.
        directory: another name of `store`.
        cache: another name of `store`.
        identifier: what says which calls are the same, in place of code and arguments (`FuncCallIdentifierBase`).
        ignore: names of arguments, and of globals that it reaches, that don't count.
        fingerprints: by the name of an argument, or by type: a function whose result stands for the value.
        pin: packages whose installed versions count.
        watch: paths and globs of files whose content counts, besides those that the function is seen to read and
            write; False, and no files count at all.
        expires: how long a result is good for: ``"12h"``, ``"1d"``, seconds, or a timedelta.
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
    place = function if is_path(function) else None
    places = [given for given in (place, store, directory, cache) if given is not None]
    if len(places) > 1:
        raise UsageError(
            f"there can be one place for the results, not {len(places)}: store, directory and cache are one"
        )
    if cache_pickle_protocol is not None:
        check_protocol(cache_pickle_protocol)
    decorator = DecoratorCheckpoint(
        identifier,
        places[0] if places else None,
        on_error,
        name=name,
        tags=tags,
        ignore=ignore,
        fingerprints=fingerprints,
        pin=pin,
        watch=watch,
        expires=expires,
        mode=mode,
    )
    return decorator if function is None or place is not None else decorator(function)


def _decorate(function: Any, options: Options, definition: FrameType | None = None) -> Any:
    if isinstance(function, classmethod):
        return _CheckpointedClassMethod(_decorate(function.__func__, options, definition))
    if isinstance(function, staticmethod):
        return staticmethod(_decorate(function.__func__, options, definition))
    if isinstance(function, property):
        getter = None if function.fget is None else _decorate(function.fget, options, definition)
        return property(getter, function.fset, function.fdel, function.__doc__)
    if isinstance(function, CheckpointedFunction):
        return CheckpointedFunction(function.__wrapped__, options, definition)
    if not callable(function):
        raise UsageError(f"@checkpoint needs a function, not {function!r}; options go by name: @checkpoint(name=…)")
    plain = unfold(function).function
    if is_generator_function(plain):
        raise UsageError(
            f"{full_name(plain)} is a generator function: what it gives can be gone through once, so it can't be kept."
            " Let it return a list."
        )
    if isinstance(plain, FunctionType):
        # The text that it was compiled from: by the time of the first call its file may have been edited.
        linecache.getlines(plain.__code__.co_filename, plain.__globals__)
        _check_names(plain, {*options.ignore, *(key for key in options.fingerprints if isinstance(key, str))})
    _join_autoreload()
    return CheckpointedFunction(function, options, definition)


def _check_names(function: FunctionType, names: set[str]) -> None:
    """Warn of what is nearly the name of a parameter: a slip of the pen would have the parameter count."""
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & VARARGS) + bool(code.co_flags & VARKEYWORDS)
    for name in sorted(names.difference(code.co_varnames, code.co_names, code.co_freevars)):
        from difflib import get_close_matches

        near = get_close_matches(name, code.co_varnames[:count], 1, 0.75)
        if near:
            warnings.warn(
                f"{full_name(function)} has no parameter {name!r}, so {near[0]!r} counts: did you mean that one?",
                CheckpointWarning,
                stacklevel=depth_of_caller(),
            )


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
