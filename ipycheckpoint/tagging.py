"""Tags: ordered ``key=value`` pairs that hold for everything that is done in a block, and in all that it calls.

They are dynamically scoped: in a context variable, which asyncio tasks inherit. Into threads, executors and worker
processes they are carried (`engine.carrying`): work has the tags that were in force where it was handed over.
"""

from __future__ import annotations

import functools
import os
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from ipycheckpoint.engine.carrying import Carriage
from ipycheckpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

P = ParamSpec("P")
R = TypeVar("R")

Tags = tuple[tuple[str, str], ...]


class _Scope(NamedTuple):
    """The tags of one block that is open."""

    owner: object
    tags: Tags


_scopes: ContextVar[tuple[_Scope, ...]] = ContextVar("ipycheckpoint_tags", default=())
# Outermost first.


def current_tags() -> Tags:
    """The tags in force here, outermost first."""
    scopes = _scopes.get()
    return tuple(pair for scope in scopes for pair in scope.tags) if scopes else ()


def check_tag(key: object) -> str:
    """Return `key` if it can be a tag's; UsageError otherwise."""
    if not isinstance(key, str) or not key or "=" in key:
        raise UsageError(f"{key!r} can't be the key of a tag: a text without '=' is needed, as in date=2017-01-01")
    return key


class tags:  # noqa: N801 - it is called, as a function is
    """Tag every checkpoint in the block, or in the function, and in all that it calls.

    Tags are named, or given in mappings and pairs where a key is no identifier. Blocks nest and repeat, and keep
    their order. What the block hands to a thread, an executor or a pool has its tags, too. As a decorator of a
    function, plain or async, it tags each call. Raises UsageError for a key that can't be one.

    >>> with tags(date="2017-01-01"), tags({"run": 3}, ("run", 4)):
    ...     current_tags()
    (('date', '2017-01-01'), ('run', '3'), ('run', '4'))
    """

    __slots__ = ("_tags",)

    def __init__(self, *given: Mapping[str, object] | tuple[str, object], **named: object) -> None:
        pairs: list[tuple[str, object]] = []
        for item in (*given, named):
            pairs += [item] if isinstance(item, tuple) else item.items()
        self._tags: Tags = tuple((check_tag(key), str(value)) for key, value in pairs)

    def __enter__(self) -> Tags:
        _carriage.board()
        _scopes.set((*_scopes.get(), _Scope(self, self._tags)))
        return current_tags()

    def __exit__(self, *problem: object) -> None:
        scopes = _scopes.get()
        # Blocks in generators end in any order, and perhaps in another context: only our own scope goes.
        for index in range(len(scopes) - 1, -1, -1):
            if scopes[index].owner is self:
                _scopes.set(scopes[:index] + scopes[index + 1 :])
                break
        _carriage.leave()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """`function`, each call of which is a block of its own."""
        import inspect  # it takes longer to load than all else here, and workers load it anew

        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UsageError(
                f"tags can't decorate {function.__qualname__}: a generator runs in turns with whoever uses it, and the"
                " tags would hold there, too. Put `with tags(…):` around what it does between two yields."
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def tagged_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return tagged_coroutine  # type: ignore[return-value]  # R is a coroutine

        @functools.wraps(function)
        def tagged(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                return function(*args, **kwargs)

        return tagged


class Carried:
    """A function that is called elsewhere with the tags that were in force here. It is pickled as the function is."""

    __slots__ = ("_home", "function", "tags")

    def __init__(self, tags: Tags, function: Callable[..., Any], home: int | None = None) -> None:
        self.tags = tags
        self.function = function
        self._home = os.getpid() if home is None else home

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns, or raises."""
        if self._home != os.getpid():
            _carriage.stay()
        with _only(self.tags):
            return self.function(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return Carried, (self.tags, self.function, self._home)

    def __repr__(self) -> str:
        return f"<{self.function!r} with the tags {', '.join(f'{key}={value}' for key, value in self.tags) or 'none'}>"


def carrying_tags(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, to be called elsewhere with the tags that are in force here: for executors of other libraries.

    The standard library's threads, executors and pools need no help.

    >>> with tags(run=3):
    ...     job = carrying_tags(current_tags)
    >>> job()
    (('run', '3'),)
    """
    import inspect

    those = current_tags()
    if not inspect.iscoroutinefunction(function):
        return Carried(those, function)

    @functools.wraps(function)
    async def carried(*args: P.args, **kwargs: P.kwargs) -> Any:
        with _only(those):
            return await function(*args, **kwargs)

    return carried  # type: ignore[return-value]  # R is a coroutine


class _only:  # noqa: N801 - it is called, as a function is; a generator would take three times as long
    """A block in which these tags are in force, and no others."""

    __slots__ = ("_scopes", "_token")

    def __init__(self, those: Tags) -> None:
        self._scopes = (_Scope(None, those),) if those else ()

    def __enter__(self) -> None:
        _carriage.board()
        self._token = _scopes.set(self._scopes)

    def __exit__(self, *problem: object) -> None:
        _scopes.reset(self._token)
        _carriage.leave()


class _TagsAsLuggage:
    """The tags, as what a Carriage takes along."""

    def packed(self, function: Callable[..., Any]) -> Carried | None:
        those = current_tags()
        return Carried(those, function) if those else None

    def left_behind(self) -> Any:
        return _only(())


_carriage = Carriage(_TagsAsLuggage())
