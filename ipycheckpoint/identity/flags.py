"""What kind of function it is. `inspect` knows, and takes as long to load as all of `identity`: most are plain."""

from __future__ import annotations

from types import FunctionType

VARARGS, VARKEYWORDS = 0x04, 0x08
"""The flags of code that takes ``*args``, and ``**kwargs``."""

_RUNS_IN_TURNS = 0x20 | 0x80 | 0x200  # generators, coroutines, asynchronous generators


def is_coroutine_function(function: object) -> bool:
    """As `inspect.iscoroutinefunction`."""
    if _is_plain(function):
        return False
    import inspect

    return inspect.iscoroutinefunction(function)


def is_generator_function(function: object) -> bool:
    """Whether it is a generator function, asynchronous or not."""
    if _is_plain(function):
        return False
    import inspect

    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _is_plain(function: object) -> bool:
    # A mark that it is more than its code says would be an attribute.
    return type(function) is FunctionType and not function.__code__.co_flags & _RUNS_IN_TURNS and not function.__dict__
