"""The Work of a function call: the code that will run, what it reaches, and its arguments by bound value."""

from __future__ import annotations

import functools
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.digest import digest
from ipycheckpoint.identity import code
from ipycheckpoint.identity.closure import Named, Reached, by_name, is_users_function, references, unwrap
from ipycheckpoint.identity.flags import VARARGS, VARKEYWORDS
from ipycheckpoint.identity.sighting import Sighting
from ipycheckpoint.identity.work import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType

    from ipycheckpoint.identity.identity import Ingredient
    from ipycheckpoint.identity.recognition import Recognizer
    from ipycheckpoint.identity.work import Fingerprints, Work


class Call(NamedTuple):
    """A call with everything that partials and bound methods stand for written out."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def unfold(function: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Call:
    """Write out the function and the arguments that partials, bound methods and callable objects stand for.

    >>> unfold(functools.partial(int, base=2), ("11",))
    Call(function=<class 'int'>, args=('11',), kwargs={'base': 2})
    """
    kwargs = kwargs or {}
    while type(function) is not FunctionType:
        function = unwrap(function)
        if isinstance(function, functools.partial):
            function, args, kwargs = function.func, function.args + args, {**function.keywords, **kwargs}
        elif isinstance(function, MethodType):
            function, args = function.__func__, (function.__self__, *args)
        elif isinstance(function, functools._lru_cache_wrapper):
            function = function.__wrapped__
        elif not isinstance(function, type) and isinstance(call := unwrap(_call_of(function)), FunctionType):
            function, args = call, (function, *args)
        else:
            break
    return Call(function, args, kwargs)


def _call_of(function: object) -> object:
    return next((vars(cls)["__call__"] for cls in type(function).__mro__ if "__call__" in vars(cls)), None)


def bind(call: Call) -> list[tuple[str, object]]:
    """Every parameter with the value that it will have, defaults too, in the order of the signature.

    Raises TypeError as the call itself would.

    >>> bind(unfold(lambda a, b=2, *rest, c=3, **more: None, (1,), {"d": 4}))
    [('a', 1), ('b', 2), ('rest', ()), ('c', 3), ('more', {'d': 4})]
    """
    if not isinstance(call.function, FunctionType):
        return _bind_foreign(call)
    bound = bind_function(call.function, call.args, call.kwargs)
    if bound is None:
        import inspect  # here and below: it knows what few calls ask, and takes long to load

        inspect.signature(call.function, follow_wrapped=False).bind(*call.args, **call.kwargs)
        raise TypeError(f"{call.function.__qualname__}() can't be called with these arguments")
    return bound


class _Parameters(NamedTuple):
    """The names of a function's parameters. Defaults are none of it: reloading replaces them on the live function."""

    positional: tuple[str, ...]
    named: frozenset[str]
    """Those that a keyword can give."""
    rest: str | None
    keyword_only: tuple[str, ...]
    more: str | None
    are_positional: bool
    """All of them, and that is how they mostly come."""

    @classmethod
    @functools.lru_cache(maxsize=1024)
    def of(cls, code: CodeType) -> _Parameters:
        """Those of any function that has this code."""
        names = iter(code.co_varnames)
        positional = tuple(next(names) for _ in range(code.co_argcount))
        keyword_only = tuple(next(names) for _ in range(code.co_kwonlyargcount))
        rest = next(names) if code.co_flags & VARARGS else None
        more = next(names) if code.co_flags & VARKEYWORDS else None
        named = frozenset((*positional[code.co_posonlyargcount :], *keyword_only))
        return cls(positional, named, rest, keyword_only, more, not (rest or keyword_only or more))


def bind_function(
    function: FunctionType, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> list[tuple[str, object]] | None:
    """As `bind`, for a plain function; None where the arguments don't fit. Quicker than `inspect.Signature.bind`."""
    parameters = _Parameters.of(function.__code__)
    positional = parameters.positional
    if parameters.are_positional and len(args) == len(positional) and not kwargs:
        return list(zip(positional, args, strict=True))
    given = dict(zip(positional, args, strict=False))
    more = {}
    for name, value in kwargs.items():
        if name not in parameters.named:
            more[name] = value
        elif name in given:
            return None
        else:
            given[name] = value
    if (len(args) > len(positional) and parameters.rest is None) or (more and parameters.more is None):
        return None
    defaults = function.__defaults__ or ()
    values = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
    values |= function.__kwdefaults__ or {}
    values |= given
    try:
        bound = [(name, values[name]) for name in positional]
        if parameters.rest is not None:
            bound.append((parameters.rest, args[len(positional) :]))
        bound += [(name, values[name]) for name in parameters.keyword_only]
    except KeyError:
        return None
    if parameters.more is not None:
        bound.append((parameters.more, more))
    return bound


def _bind_foreign(call: Call) -> list[tuple[str, object]]:
    import inspect

    try:
        signature = inspect.signature(call.function, follow_wrapped=False)
    except ValueError:  # some builtins don't tell theirs
        return [("args", call.args), ("kwargs", call.kwargs)]
    bound = signature.bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    return list(bound.arguments.items())


def identify_call(
    call: Call,
    label: str,
    *,
    ignore: Iterable[str] = (),
    fingerprints: Fingerprints | None = None,
    extra: Iterable[Ingredient] = (),
    recognizer: Recognizer | None = None,
) -> Work:
    """The Work of `call`. Raises TypeError as the call itself would, and Unidentifiable with the path.

    `ignore` names arguments and globals that don't count; `fingerprints` gives, by the name of an argument or by
    type, a function whose result stands for the value; `extra` are tags, files and packages. The `recognizer` learns
    to tell such calls of this very function in short, where that can be.
    """
    function = call.function
    known = None if recognizer is None or fingerprints else recognizer.code(function, label)
    sighting = None if recognizer is None or fingerprints or known is not None else Sighting()
    collector = Collector(ignore=ignore, fingerprints=fingerprints, sighting=sighting, known=known)
    bound = bind(call)
    if known is None and is_users_function(function):
        form = code.of_function(function)
        reached = references(function, form, sighting)
        collector.add_code(label, form.digest, form.source, reached, function=function)
        if recognizer is not None and sighting is not None:
            recognizer.learn(function, sighting if collector.settle() else None, collector.work("call", label))
    elif known is None:
        # Not the user's: its name is all that can be said of its code (pin its package to have its version count).
        collector.add_code(label, digest("foreign"), None, [_foreign(function)])
    for name, value in bound:
        collector.add_value("argument", name, value)
    for ingredient in extra:
        collector.add(ingredient)
    return collector.work("call", label)


def _foreign(function: Callable[..., Any]) -> Reached:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    value = by_name(function)
    return Reached(name, value if isinstance(value, Named) else function, (id(function), name))
