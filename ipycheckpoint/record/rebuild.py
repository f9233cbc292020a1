"""What streams call: the constructors that records name. Part of the format, for ever.

A stream says ``ipycheckpoint.record.rebuild function_v1`` and then the arguments. So neither this
module nor anything public in it may be renamed, removed or given another meaning: a better way to
write something gets a new name that ends in ``_v2``, and what ends in ``_v1`` stays beside it.
"""

from __future__ import annotations

import abc
import functools
import importlib
import importlib.util
import io
import marshal
import os
import pickle
import sys
import types
import typing
from collections import namedtuple
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ipycheckpoint.record import sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAGIC = importlib.util.MAGIC_NUMBER
"""Marshalled code runs only on a Python with the same one."""

_namespace: ContextVar[dict[str, Any] | None] = ContextVar("namespace", default=None)


@contextmanager
def into(namespace: dict[str, Any] | None) -> Iterator[None]:
    """While this lasts, what is loaded lives in `namespace`; in ``__main__`` when that is None."""
    token = _namespace.set(namespace)
    try:
        yield
    finally:
        _namespace.reset(token)


def home() -> dict[str, Any]:
    """The namespace that loaded functions of ``__main__`` get as their globals."""
    namespace = _namespace.get()
    return vars(sys.modules["__main__"]) if namespace is None else namespace


def main_v1(qualname: str) -> Any:
    """What `qualname` means in the namespace, and failing that in ``__main__``."""
    first, *rest = qualname.split(".")
    for place in (home(), vars(sys.modules["__main__"])):
        if first in place:
            return functools.reduce(getattr, rest, place[first])
    raise AttributeError(f"`{first}` is not defined here: run the cell that defines it first")


def module_v1(name: str) -> types.ModuleType:
    """The module called `name`."""
    return importlib.import_module(name)


# Functions


def code_v1(
    magic: bytes,
    marshalled: bytes,
    python: str,
    source: tuple[str, str, int, int] | None,
    qualname: str,
    flags: int,
) -> types.CodeType:
    """A code object: as marshalled on the Python that wrote it, compiled from `source` on any other one.

    `source` is the file name, the text, the line where the code begins and, as several lambdas may begin
    there, which of them it is.
    """
    if magic == MAGIC:
        code: types.CodeType = marshal.loads(marshalled)  # noqa: S302 - reached only behind a valid signature
        return sources.remember(code, source[1]) if source else code
    if source is None:
        raise pickle.UnpicklingError(
            f"`{qualname}` was kept by Python {python} without its source, and runs only there"
        )
    file_name, text, line, ordinal = source
    found = sources.compiled(text, file_name, flags).get((qualname, line), ())
    if ordinal >= len(found):
        raise pickle.UnpicklingError(
            f"`{qualname}`, kept by Python {python}, is not found in its source as Python "
            f"{sys.version_info.major}.{sys.version_info.minor} reads it"
        )
    return sources.remember(found[ordinal], text)


def cell_v1() -> types.CellType:
    """An empty closure cell."""
    return types.CellType()


def fill_cell_v1(cell: types.CellType, contents: Any) -> None:
    """Put `contents` into a cell."""
    cell.cell_contents = contents


def function_v1(
    code: types.CodeType,
    name: str,
    place: str | dict[str, Any],
    cells: Mapping[str, types.CellType],
) -> types.FunctionType:
    """A function without its state; its globals are those of the module `place`, the live ones."""
    if isinstance(place, dict):
        namespace = place
    elif place == "__main__":
        namespace = home()
    else:
        namespace = vars(importlib.import_module(place))
    missing = [free for free in code.co_freevars if free not in cells]
    if missing:
        raise pickle.UnpicklingError(f"`{code.co_qualname}` needs {missing} here, which another Python didn't keep")
    closure = tuple(cells[free] for free in code.co_freevars)
    return types.FunctionType(code, namespace, name, None, closure or None)


def fill_function_v1(function: types.FunctionType, state: dict[str, Any]) -> None:
    """Give a function all that it has besides code and globals."""
    for cell, contents in state["cells"]:
        cell.cell_contents = contents
    if "globals" in state:
        function.__globals__.update(state["globals"])
    function.__defaults__ = state["defaults"]
    function.__kwdefaults__ = state["kwdefaults"]
    function.__qualname__ = state["qualname"]
    function.__module__ = state["module"]
    function.__doc__ = state["doc"]
    function.__annotations__ = state["annotations"]
    if state.get("type_params") and hasattr(function, "__type_params__"):
        function.__type_params__ = state["type_params"]
    vars(function).update(state["dict"])


def lru_cache_v1(function: Any, maxsize: int | None, typed: bool) -> Any:
    """An empty ``functools.lru_cache`` around `function`."""
    return functools.lru_cache(maxsize, typed)(function)


def update_dict_v1(thing: Any, attributes: dict[str, Any]) -> None:
    """Put `attributes` into the ``__dict__`` of a thing."""
    vars(thing).update(attributes)


def cached_property_v1(function: Any, name: str | None) -> functools.cached_property[Any]:
    """A ``functools.cached_property`` for the attribute `name`."""
    made = functools.cached_property(function)
    if name is not None:
        made.attrname = name
    return made


def type_variable_v1(kind: str, name: str, module: str, constraints: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A ``TypeVar``, ``ParamSpec`` or ``TypeVarTuple`` called `name`."""
    made = getattr(typing, kind)(name, *constraints, **options)
    made.__module__ = module
    return made


# Classes


def class_v1(metaclass: type, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
    """A class without its state.

    No metaclass's own ``__new__`` or ``__init__`` runs, nor any ``__init_subclass__`` or ``__set_name__``:
    what those did to the class is in its state, and what they did elsewhere is not for a load to repeat.
    """
    mirrors: dict[type, type] = {}
    hookless = tuple(_mirror(base, mirrors) for base in bases)
    if hookless != bases:
        try:
            made = _new_class(metaclass, name, hookless, namespace)
            type.__setattr__(made, "__bases__", bases)
        except TypeError:
            pass  # a base whose layout can't be had without it: then its hook does run
        else:
            return made
    return _new_class(metaclass, name, bases, namespace)


def _new_class(metaclass: type, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
    new: Any = abc.ABCMeta.__new__ if issubclass(metaclass, abc.ABCMeta) else type.__new__
    made: type = new(metaclass, name, bases, dict(namespace))
    return made


def _mirror(base: type, mirrors: dict[type, type]) -> type:
    # A class whose instances have the layout of those of `base`, but without its __init_subclass__: type.__new__
    # calls that of the bases, and bases of the same layout can be put in their place afterwards.
    hooks = (kind for kind in base.__mro__ if kind.__module__ not in ("builtins", "typing"))
    if not any("__init_subclass__" in vars(kind) for kind in hooks):
        return base
    if base not in mirrors:
        space = {name: vars(base)[name] for name in ("__slots__", "__orig_bases__") if name in vars(base)}
        bases = tuple(_mirror(above, mirrors) for above in base.__bases__)
        mirrors[base] = _new_class(type(base), base.__name__, bases, space)
    return mirrors[base]


def fill_class_v1(made: Any, state: dict[str, Any]) -> None:
    """Give a class its attributes, and what a decorator or metaclass has to make anew on this Python."""
    for name, value in state["attributes"].items():
        type.__setattr__(made, name, value)
    for name, attributes in state.get("members", {}).items():
        vars(made[name]).update(attributes)  # an Enum
    if "dataclass" in state:
        _make_dataclass(made, **state["dataclass"])
    if issubclass(type(made), abc.ABCMeta):
        abc.update_abstractmethods(made)
        for other in state.get("registered", ()):
            abc.ABCMeta.register(made, other)


def known_class_v1(definition: str, qualname: str, make: Any, arguments: tuple[Any, ...]) -> Any:
    """The live class `qualname`, if its definition is the same; else a bare one, by another of these functions."""
    from ipycheckpoint.record import known

    live = known.live_class(home(), qualname)
    return live if live is not None and known.definition_of(live) == definition else make(*arguments)


def fill_known_class_v1(made: Any, state: dict[str, Any]) -> None:
    """As `fill_class_v1`; a live class is left as it is."""
    from ipycheckpoint.record import known

    if known.live_class(home(), made.__qualname__) is not made:
        fill_class_v1(made, state)


def enum_v1(
    metaclass: Any, name: str, bases: tuple[type, ...], members: Sequence[tuple[str, Any]], options: dict[str, Any]
) -> Any:
    """An Enum with its members, aliases among them."""
    namespace = metaclass.__prepare__(name, bases)
    namespace["__module__"], namespace["__qualname__"] = options["module"], options["qualname"]
    if "contents" in options:

        def make(cls: Any, number: Any) -> Any:
            number = number[0] if isinstance(number, tuple) else number
            made = options["member_type"].__new__(cls, *options["contents"][number])
            made._value_ = members[number][1]
            return made

        namespace["__new__"] = make
        members_to_make: Sequence[tuple[str, Any]] = [(member, number) for number, (member, _) in enumerate(members)]
    else:
        members_to_make = members
    for member, value in members_to_make:
        namespace[member] = value
    keywords = {"boundary": options["boundary"]} if options.get("boundary") is not None else {}
    return metaclass.__new__(metaclass, name, bases, namespace, **keywords)


def named_tuple_v1(
    name: str, fields: tuple[str, ...], defaults: tuple[Any, ...], module: str, qualname: str, bases: tuple[type, ...]
) -> Any:
    """A named tuple without what its author added to it."""
    make: Any = namedtuple  # noqa: PYI024 - what typing.NamedTuple builds on, for names known at run time
    made = make(name, fields, rename=True, defaults=defaults, module=module)
    made.__qualname__ = qualname
    if bases != (tuple,):
        made.__bases__ = bases
    return made


def _make_dataclass(
    made: Any, params: dict[str, Any], fields: Sequence[dict[str, Any]], generated: Sequence[str], post_init: bool
) -> None:
    # The methods that `dataclass` generates have no source, so a twin class has them generated by this
    # Python's own `dataclass`, and `made` takes them over.
    import dataclasses  # here and below: few results hold one, and it takes a while to load

    annotations: dict[str, Any] = {}
    namespace: dict[str, Any] = {"__annotations__": annotations, "__module__": made.__module__}
    if post_init:
        namespace["__post_init__"] = lambda self, *initial: None  # noqa: ARG005 - only its presence counts
    stand_ins = {"_FIELD": object, "_FIELD_CLASSVAR": typing.ClassVar[Any], "_FIELD_INITVAR": dataclasses.InitVar[Any]}
    for spec in fields:
        options: dict[str, Any] = {key: spec[key] for key in ("default", "default_factory") if key in spec}
        if spec["kind"] == "_FIELD":
            options |= {key: spec[key] for key in ("init", "repr", "hash", "compare", "metadata", "kw_only")}
        elif spec["kind"] == "_FIELD_INITVAR":
            options["kw_only"] = spec["kw_only"]
        annotations[spec["name"]] = stand_ins[spec["kind"]]
        namespace[spec["name"]] = dataclasses.field(**options)
    known = {key: value for key, value in params.items() if key not in ("slots", "weakref_slot")}
    twin: Any = dataclasses.dataclass(**known)(type(made.__name__, (), namespace))
    types_of = {spec["name"]: spec["type"] for spec in fields}
    for name, field in twin.__dataclass_fields__.items():
        field.type = types_of[name]
    for name in generated:
        method = vars(twin).get(name)
        if method is None:
            continue  # a Python before the one that generated it
        for function in (method, getattr(method, "__wrapped__", None)):
            if function is not None and function.__code__.co_filename == "<string>":
                _adopt(function, made)
        if name == "__init__":
            plain = {key: getattr(kind, "type", kind) if _is_init_var(kind) else kind for key, kind in types_of.items()}
            method.__annotations__ = {key: plain[key] for key in method.__annotations__ if key in plain}
            method.__annotations__["return"] = None
        type.__setattr__(made, name, method)
    type.__setattr__(made, "__dataclass_fields__", twin.__dataclass_fields__)
    type.__setattr__(made, "__dataclass_params__", twin.__dataclass_params__)
    for key in ("slots", "weakref_slot"):
        if key in params and hasattr(twin.__dataclass_params__, key):
            setattr(twin.__dataclass_params__, key, params[key])


def _is_init_var(kind: Any) -> bool:
    import dataclasses

    return isinstance(kind, dataclasses.InitVar)


def _adopt(function: types.FunctionType, made: type) -> None:
    function.__qualname__ = f"{made.__qualname__}.{function.__name__}"
    for free, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if free == "cls":
            cell.cell_contents = made


# Arrays


def array_v1(buffer: Any, dtype: Any, shape: tuple[int, ...], order: typing.Literal["C", "F"]) -> Any:
    """An array on the memory of `buffer`: no copy."""
    import numpy as np

    return np.ndarray(shape, dtype, buffer, order=order)


def view_v1(
    span: Any, offset: int, dtype: Any, shape: tuple[int, ...], strides: tuple[int, ...], writeable: bool
) -> Any:
    """An array that begins `offset` bytes into the memory of the one-dimensional array `span`."""
    import numpy as np

    if span.dtype.hasobject:
        made = np.lib.stride_tricks.as_strided(span[offset // span.itemsize :], shape, strides)
    else:
        made = np.ndarray(shape, dtype, span, offset, strides)
    if not writeable:
        made.flags.writeable = False
    return made


def live_view_v1(
    live: Any,
    starts: tuple[int, ...],
    dimensions: Sequence[tuple[int, int] | None],
    shape: tuple[int, ...],
    writeable: bool,
) -> Any:
    """A view of the array `live` that begins at the index `starts`.

    Each of its dimensions goes along an axis of `live` by a step; None for one of length 1.
    """
    import numpy as np

    reached = list(starts)
    for dimension, length in zip(dimensions, shape, strict=True):
        if dimension is not None:
            reached[dimension[0]] += dimension[1] * (length - 1)
    sizes = live.shape * 2
    if len(starts) != live.ndim or not all(0 <= r < n for r, n in zip((*starts, *reached), sizes, strict=True)):
        raise pickle.UnpicklingError(f"there is no such view of an array of shape {live.shape}")
    corner = live[(..., *(slice(start, start + 1) for start in starts))]
    strides = [0 if d is None else live.strides[d[0]] * d[1] for d in dimensions]
    return np.lib.stride_tricks.as_strided(corner, shape, strides, writeable=writeable)


def live_bytes_v1(
    live: Any,
    order: Any,
    offset: int,
    dtype: Any,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    writeable: bool,
) -> Any:
    """An array that begins `offset` bytes into the memory of the array `live`, which is contiguous in `order`."""
    if not live.flags[f"{order}_CONTIGUOUS"]:
        raise pickle.UnpicklingError("it is a view of an array that is laid out in another way here")
    return view_v1(live.reshape(-1, order=order), offset, dtype, shape, strides, writeable)


def broadcast_v1(base: Any, shape: tuple[int, ...], strides: tuple[int, ...], writeable: bool) -> Any:
    """An array that repeats `base` along the axes whose stride is 0."""
    import numpy as np

    return np.lib.stride_tricks.as_strided(base, shape, strides, writeable=writeable)


def closed_file_v1(kind: str, name: str | bytes, mode: str, encoding: str | None) -> Any:
    """A closed file of the class `kind` of ``io``, with the name and mode that it had."""
    raw: Any = io.FileIO(os.devnull, "r+" if kind == "BufferedRandom" else "w" if "Writer" in kind else "r")
    raw.name = name
    made: Any = raw if kind == "FileIO" else None
    if kind == "TextIOWrapper":
        made = io.TextIOWrapper(io.BufferedReader(raw), encoding=encoding)
        made.mode = mode
    elif made is None:
        made = getattr(io, kind)(raw)
    made.close()
    return made


def tensor_v1(array: Any, dtype: str, requires_grad: bool, is_parameter: bool) -> Any:
    """A dense tensor on the memory of `array`; `dtype` is torch's name for what the bytes mean."""
    import torch

    made = torch.from_numpy(array).view(getattr(torch, dtype))
    return torch.nn.Parameter(made, requires_grad) if is_parameter else made.requires_grad_(requires_grad)


def fill_tensor_v1(tensor: Any, state: dict[str, Any]) -> None:
    """Give a tensor its gradient and its attributes."""
    if state["grad"] is not None:
        tensor.grad = state["grad"]
    vars(tensor).update(state["dict"])


def remains_v1(type_name: str) -> Any:
    """Remains of an object of the class `type_name`, empty as yet."""
    from ipycheckpoint.record.remains import Remains

    return Remains(type_name)


def fill_remains_v1(remains: Any, parts: dict[str, Any]) -> None:
    """Give Remains what is left."""
    vars(remains).update(parts)
