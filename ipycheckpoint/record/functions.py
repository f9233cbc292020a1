"""How functions, and what is made of them, go into a stream by value.

A function takes along its code, source, defaults, closure and attributes, but no globals: where it is
loaded, it sees the globals that live there, and what they are rebound to later.
"""

from __future__ import annotations

import gc
import marshal
import sys
import types
from typing import TYPE_CHECKING, Any

from ipycheckpoint.record import rebuild, sources

if TYPE_CHECKING:
    import functools

    from ipycheckpoint.record.references import References

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


class Functions:
    """Reduces functions, their code and their cells for one stream."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._cells: dict[int, types.CellType] = {}
        # Cells whose contents a function's state brings. They can't come with the cell itself, which is
        # written before the function that they may refer back to.

    def reduce_function(self, function: types.FunctionType) -> Any:
        """By name where the reader will find it, by value otherwise."""
        named = self._references.by_name(function)
        if named is not None:
            return named
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        self._cells.update((id(cell), cell) for cell in cells.values())
        state = {
            "cells": [(cell, cell.cell_contents) for cell in cells.values() if not _is_empty(cell)],
            "defaults": function.__defaults__,
            "kwdefaults": function.__kwdefaults__,
            "qualname": function.__qualname__,
            "module": function.__module__,
            "doc": function.__doc__,
            "annotations": function.__annotations__,
            "type_params": getattr(function, "__type_params__", ()),
            "dict": vars(function),
        }
        place: str | dict[str, Any] | None = self._references.place_of(function.__globals__)
        if place is None:
            # Code that a library ran in a dict of its own (attrs, namedtuple): it needs what is in there.
            place = {}
            state["globals"] = {
                name: function.__globals__[name]
                for name in sorted(_names(function.__code__))
                if name in function.__globals__
            }
        arguments = (function.__code__, function.__name__, place, cells)
        return rebuild.function_v1, arguments, state, None, None, rebuild.fill_function_v1

    def reduce_method(self, method: types.MethodType) -> Any:
        """By the name of its function, or where that goes by value, by the function: its class may not be whole yet."""
        function = method.__func__
        if isinstance(function, types.FunctionType) and self._references.by_name(function) is None:
            return types.MethodType, (function, method.__self__)
        return NotImplemented

    def reduce_cell(self, cell: types.CellType) -> Any:
        """Empty for a cell that a function will fill, else with its contents."""
        if id(cell) in self._cells or _is_empty(cell):
            return rebuild.cell_v1, ()
        return rebuild.cell_v1, (), cell.cell_contents, None, None, rebuild.fill_cell_v1


def reduce_code(code: types.CodeType) -> Any:
    """Marshalled for this Python, and as source for the others."""
    arguments = (
        rebuild.MAGIC,
        marshal.dumps(code),
        PYTHON,
        sources.source_of(code),
        code.co_qualname,
        sources.futures(code),
    )
    return rebuild.code_v1, arguments


def _is_empty(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - asking raises
    except ValueError:
        return True
    return False


def _names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def reduce_module(module: types.ModuleType) -> Any:
    """By its name."""
    return rebuild.module_v1, (module.__name__,)


def reduce_property(prop: property) -> Any:
    """By its functions."""
    return property, (prop.fget, prop.fset, prop.fdel, prop.__doc__)


def reduce_wrapping(method: Any) -> Any:
    """A static or class method, by its function, which may not be whole yet when they copy its attributes."""
    return type(method), (method.__func__,), dict(vars(method)), None, None, rebuild.update_dict_v1


def reduce_cached_property(prop: functools.cached_property[Any]) -> Any:
    """By its function: the lock that it has on Python 3.11 is of no account."""
    return (
        rebuild.cached_property_v1,
        (prop.func, prop.attrname),
        {"__doc__": prop.__doc__},
        None,
        None,
        rebuild.update_dict_v1,
    )


def reduce_proxy(proxy: types.MappingProxyType[Any, Any]) -> Any:
    """By the very mapping behind it."""
    return types.MappingProxyType, (gc.get_referents(proxy)[0],)


def reduce_lru_cache(cached: Any, references: References) -> Any:
    """By name where the reader will find it; else an empty cache of the same size."""
    named = references.by_name(cached)
    if named is not None:
        return named
    size = cached.cache_parameters()
    arguments = (cached.__wrapped__, size["maxsize"], size["typed"])
    return rebuild.lru_cache_v1, arguments, dict(vars(cached)), None, None, rebuild.update_dict_v1


def reduce_type_variable(variable: Any, references: References) -> Any:
    """A TypeVar, ParamSpec or TypeVarTuple: by name where the reader will find it, else with its bounds."""
    named = references.by_name(variable)
    if named is not None:
        return named
    options = {
        option: value
        for option, attribute in _TYPE_VARIABLE_OPTIONS.items()
        if (value := getattr(variable, attribute, None))
    }
    constraints = getattr(variable, "__constraints__", ())
    arguments = (type(variable).__name__, variable.__name__, variable.__module__, constraints, options)
    return rebuild.type_variable_v1, arguments


_TYPE_VARIABLE_OPTIONS = {
    "bound": "__bound__",
    "covariant": "__covariant__",
    "contravariant": "__contravariant__",
    "infer_variance": "__infer_variance__",
}


def reduce_weak_mapping(mapping: Any) -> Any:
    """What is alive in it."""
    return type(mapping), (dict(mapping),)
