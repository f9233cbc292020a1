"""What a class of the user's is: its bases, its methods and its attributes, as they stand now.

Entries that Python or a library derives from the others (``__init__`` of a dataclass, the validators of a
pydantic model) are left out: they follow from the fields, which are in.
"""

from __future__ import annotations

import enum
import functools
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.identity.closure import by_name, is_users_class, unwrap
from ipycheckpoint.identity.registry import shapes_of
from ipycheckpoint.identity.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

_DERIVED = frozenset(
    "__module__ __qualname__ __dict__ __weakref__ __doc__ __annotations__ __annotate__ __annotate_func__"
    " __annotations_cache__ __firstlineno__ __static_attributes__ __abstractmethods__ _abc_impl __parameters__"
    " __orig_bases__ __match_args__ __signature__ __type_params__ __dataclass_params__ __dataclass_fields__"
    " __attrs_attrs__ __attrs_own_setattr__ __attrs_props__ __class_vars__ __private_attributes__ __classcell__"
    " _is_protocol _is_runtime_protocol __protocol_attrs__ __non_callable_proto_members__"
    " __callable_proto_members_only__".split()
)
_ENUM_MACHINERY = frozenset(
    "_generate_next_value_ _member_names_ _member_map_ _value2member_map_ _unhashable_values_ _unhashable_values_map_"
    " _hashable_values_ _member_type_ _value_repr_ _use_args_ _new_member_ __new__ _flag_mask_ _singles_mask_"
    " _all_bits_ _boundary_ _inverted_ _order_ __reduce_ex__".split()
)
_SLOTS = (MemberDescriptorType, GetSetDescriptorType)
_NAMED_TUPLE_MACHINERY = frozenset(
    "__new__ _make _replace __replace__ __repr__ _asdict __getnewargs__ __slots__ _fields _field_defaults".split()
)


@shapes_of("builtins.type")
def _class(cls: type) -> Shape:
    if not is_users_class(cls):
        return Shape("class name", (f"{cls.__module__}.{cls.__qualname__}".encode(),))
    parts: list[object] = [by_name(type(cls))]
    labels = [".<metaclass>"]
    for base in cls.__bases__:
        parts.append(by_name(base))
        labels.append(f".<{base.__name__}>")
    for name, value in (*_entries(cls), *_fields(cls)):
        parts.append(value)
        labels.append(f".{name}")
    data = (cls.__name__.encode(), *(label.encode() for label in labels))
    return Shape("class", data, parts, labels.__getitem__)


def _entries(cls: type) -> Iterator[tuple[str, object]]:
    """What the body of the class says and what has been put on it since, by name."""
    derived = _DERIVED
    if issubclass(cls, enum.Enum):
        derived |= _ENUM_MACHINERY
    elif issubclass(cls, tuple) and hasattr(cls, "_fields"):
        derived |= _NAMED_TUPLE_MACHINERY | set(cls._fields)
    for name, value in sorted(vars(cls).items()):
        if name in derived or name.startswith("__pydantic_") or isinstance(value, _SLOTS):
            continue
        if issubclass(cls, enum.Enum) and isinstance(value, cls):
            yield name, value._value_
        elif not _is_generated(value):
            yield name, _attribute(value)


def _is_generated(value: object) -> bool:
    # dataclasses and attrs compile the methods that they add from text of their own.
    function = getattr(value, "__func__", value)
    if isinstance(function, property):
        function = function.fget
    if not isinstance(function, FunctionType):
        return False
    file = function.__code__.co_filename
    return file == "<string>" or file.startswith("<attrs generated")


def _attribute(value: object) -> object:
    if isinstance(value, staticmethod | classmethod):
        return ("staticmethod" if isinstance(value, staticmethod) else "classmethod", unwrap(value.__func__))
    if isinstance(value, property):
        return ("property", *(unwrap(part) for part in (value.fget, value.fset, value.fdel)))
    if isinstance(value, functools.cached_property):
        return ("cached_property", unwrap(value.func))
    return by_name(unwrap(value))


def _fields(cls: Any) -> Iterator[tuple[str, object]]:
    """The fields that a class decorator or a metaclass makes of annotations, with what is said of each."""
    own = vars(cls)
    if "__dataclass_fields__" in own:
        params = own["__dataclass_params__"]
        yield "<dataclass>", repr(params)
        for name, field in own["__dataclass_fields__"].items():
            says = (_type_text(field.type), field.default, field.default_factory, field.init, field.repr, field.hash)
            yield f"<field {name}>", tuple(map(by_name, (*says, field.compare, field.kw_only, dict(field.metadata))))
    elif "__attrs_attrs__" in own:
        for field in own["__attrs_attrs__"]:
            says = (_type_text(field.type), field.default, field.validator, field.converter, field.init, field.eq)
            yield f"<field {field.name}>", tuple(map(by_name, says))
    elif "__pydantic_fields__" in own:
        for name, field in own["__pydantic_fields__"].items():
            yield f"<field {name}>", (repr(field.annotation), repr(field))
    elif issubclass(cls, tuple) and "_field_defaults" in own:
        yield "<fields>", (cls._fields, cls._field_defaults)


def _type_text(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__qualname__", None) or repr(annotation)
