"""The Work of a function call: the code that will run, what it reaches, and its arguments by bound value."""

from __future__ import annotations

import functools
import inspect
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.identity import code
from ipycheckpoint.identity.closure import Named, Reached, by_name, is_users_function, references, unwrap
from ipycheckpoint.identity.work import Collector
from ipycheckpoint.digest import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ipycheckpoint.identity.identity import Ingredient
    from ipycheckpoint.identity.work import Fingerprints, Work


class Call(NamedTuple):
    """A call with everything that partials and bound methods stand for written out."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def unfold(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
    """Write out the function and the arguments that partials, bound methods and callable objects stand for.

    >>> unfold(functools.partial(int, base=2), ("11",), {})
    Call(function=<class 'int'>, args=('11',), kwargs={'base': 2})
    """
    while True:
        function = unwrap(function)  # type: ignore[assignment]  # what one of our decorators wraps is callable
        if isinstance(function, functools.partial):
            function, args, kwargs = function.func, function.args + args, {**function.keywords, **kwargs}
        elif isinstance(function, MethodType):
            function, args = function.__func__, (function.__self__, *args)
        elif not isinstance(function, type) and isinstance(getattr(type(function), "__call__", None), FunctionType):
            function, args = type(function).__call__, (function, *args)
        else:
            return Call(function, args, kwargs)


@functools.lru_cache(maxsize=1024)
def signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of `function` as it is itself, not of what it wraps."""
    return inspect.signature(function, follow_wrapped=False)


def identify_call(
    call: Call,
    label: str,
    *,
    ignore: Iterable[str] = (),
    fingerprints: Fingerprints | None = None,
    extra: Iterable[Ingredient] = (),
) -> Work:
    """The Work of `call`. Raises TypeError as the call itself would, and Unidentifiable with the path.

    `ignore` names arguments and globals that don't count; `fingerprints` gives, by the name of an argument or by
    type, a function whose result stands for the value; `extra` are tags, files and packages.
    """
    function = call.function
    bound = signature(function).bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    collector = Collector(ignore=ignore, fingerprints=fingerprints)
    if is_users_function(function):
        assert isinstance(function, FunctionType)
        form = code.of_function(function)
        collector.add_code(label, form.digest, form.source, references(function, form))
    else:
        # Not the user's: its name is all that can be said of its code (pin its package to have its version count).
        collector.add_code(label, digest("foreign"), None, [_foreign(function)])
    for name, value in bound.arguments.items():
        collector.add_value("argument", name, value)
    for ingredient in extra:
        collector.add(ingredient)
    return collector.work("call", label)


def _foreign(function: Callable[..., Any]) -> Reached:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    value = by_name(function)
    return Reached(name, value if isinstance(value, Named) else function, (id(function), name))
