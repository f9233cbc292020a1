"""What kind of function it is: as `inspect` says."""

from __future__ import annotations

import functools
import inspect
import sys
import types

import pytest

from ipycheckpoint.identity.flags import VARARGS, VARKEYWORDS, is_coroutine_function, is_generator_function


def plain():
    pass


def generator():
    yield


async def coroutine():
    pass


async def asynchronous_generator():
    yield


class Marked:
    def method(self):
        pass

    async def asynchronous_method(self):
        pass


@functools.wraps(coroutine)
def wrapping():
    pass


FUNCTIONS = {
    "a function": plain,
    "a generator": generator,
    "a coroutine": coroutine,
    "an asynchronous generator": asynchronous_generator,
    "a lambda that yields": lambda: (yield),
    "a partial function": functools.partial(plain),
    "a partial coroutine": functools.partial(coroutine),
    "a partial generator": functools.partial(generator),
    "a method": Marked().method,
    "a coroutine as a method": Marked().asynchronous_method,
    "a generator as a coroutine": types.coroutine(generator),
    "what wraps a coroutine": wrapping,
    "a builtin": len,
    "a class": Marked,
    "no function": None,
}
if sys.version_info >= (3, 12):

    def marked():
        pass

    FUNCTIONS["what is marked as a coroutine"] = inspect.markcoroutinefunction(marked)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_it_is_of_the_kind_that_inspect_says(function):
    assert is_coroutine_function(function) == inspect.iscoroutinefunction(function)
    is_generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    assert is_generator_function(function) == is_generator


def test_the_flags_are_those_of_inspect():
    assert (VARARGS, VARKEYWORDS) == (inspect.CO_VARARGS, inspect.CO_VARKEYWORDS)
