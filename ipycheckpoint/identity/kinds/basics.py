"""What the standard library holds values in, where its pickled state is no guide to what counts."""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, Any

from ipycheckpoint.identity.classes import set_on
from ipycheckpoint.identity.kinds.plain import key_labels
from ipycheckpoint.identity.registry import shapes_of
from ipycheckpoint.identity.shapes import Refusal, Shape, named, positions, text

if TYPE_CHECKING:
    import enum
    import pathlib
    import re
    import zoneinfo
    from collections.abc import Mapping
    from types import BuiltinFunctionType


@shapes_of("builtins.complex", subclasses=False)
def _complex(value: complex) -> Shape:
    return Shape("complex", (struct.pack("<dd", value.real, value.imag),))


@shapes_of("builtins.bytearray", subclasses=False)
def _bytearray(value: bytearray) -> Shape:
    return Shape("bytearray", (value,))


@shapes_of("builtins.memoryview")
def _memoryview(value: memoryview) -> Shape:
    return Shape("memoryview", (text(value.format), text(value.shape), value.tobytes()))


@shapes_of("builtins.range")
def _range(value: range) -> Shape:
    return Shape("range", (), (value.start, value.stop, value.step))


@shapes_of("builtins.set", "builtins.frozenset")
def _set_subclass(value: Any) -> Shape:
    # What pickles of sets list is in the order of the hashes, which is another one in each process.
    content = set(value) if isinstance(value, set) else frozenset(value)
    attributes = sorted(getattr(value, "__dict__", {}).items())
    names = [f".{name}" for name, _ in attributes]
    parts = [type(value), content, *(part for _, part in attributes)]
    return Shape("set subclass", tuple(map(text, names)), parts, named(".__class__", "", *names))


@shapes_of("builtins.mappingproxy")
def _mappingproxy(value: Mapping[object, object]) -> Shape:
    return Shape("mappingproxy", (), [*value, *value.values()], key_labels(value))


@shapes_of("builtins.dict_keys", "builtins.dict_values", "builtins.dict_items")
@shapes_of("collections.odict_keys", "collections.odict_values", "collections.odict_items")
def _dict_view(value: Any) -> Shape:
    return Shape(type(value).__name__, (), list(value), positions)


@shapes_of("enum.Enum")
def _enum_member(value: enum.Enum) -> Shape:
    # The members of an enumeration refer to it, and it to them: its class tells the rest, but for what was set on them.
    attributes = set_on(value)
    names = [f".{name}" for name, _ in attributes]
    parts = [type(value), value._value_, *(part for _, part in attributes)]
    return Shape("enum member", (text(value._name_), *map(text, names)), parts, named(".__class__", ".value", *names))


@shapes_of("pathlib.PurePath")
def _path(value: pathlib.PurePath) -> Shape:
    # Its parts as they are pickled depend on how it was put together, and on the version of Python.
    own = type(value)
    if own.__module__.partition(".")[0] == "pathlib":
        return Shape(f"pathlib.{own.__name__}", (text(value),))
    return Shape("path subclass", (text(value),), (own,), named(".__class__"))


@shapes_of("re.Pattern")
def _pattern(value: re.Pattern[Any]) -> Shape:
    return Shape("re.Pattern", (), (value.pattern, value.flags))


@shapes_of("zoneinfo.ZoneInfo")
def _zone(value: zoneinfo.ZoneInfo) -> Shape | Refusal:
    if getattr(value, "key", None) is None:
        return Refusal("it was read from a file and has no name; use `ZoneInfo(key)`")
    return Shape("zoneinfo.ZoneInfo", (text(value.key),))


@shapes_of("builtins.builtin_function_or_method")
def _builtin(value: BuiltinFunctionType) -> Shape:
    owner = value.__self__
    if owner is None or type(owner) is type(sys):
        return Shape("builtin", (text(value.__module__), text(value.__qualname__)))
    return Shape("builtin method", (text(value.__name__),), (owner,), named(".__self__"))
