"""How classes go into a stream by value: a bare class first, then what is in it, so that cycles close."""

from __future__ import annotations

import abc
import builtins
import collections
import dataclasses
import enum
import types
from typing import TYPE_CHECKING, Any

from ipycheckpoint.record import rebuild

if TYPE_CHECKING:
    from ipycheckpoint.record.references import References

_BARE = ("__module__", "__qualname__", "__slots__", "__orig_bases__")
# What a class must have from the first moment.

_HEAP_TYPE = 1 << 9
# The flag of classes that are made at run time.

_IN_TYPES = {
    value: name
    for name, value in vars(types).items()
    if isinstance(value, type) and value.__module__ == "builtins" and not hasattr(builtins, value.__name__)
    and value not in (types.NoneType, types.EllipsisType, types.NotImplementedType)
}  # fmt: skip

_MADE_ANEW = frozenset({*_BARE, "__abstractmethods__", "_abc_impl"})

_OF_ENUM = frozenset({
    "_member_names_", "_member_map_", "_value2member_map_", "_member_type_", "_new_member_", "_use_args_",
    "_value_repr_", "_unhashable_values_", "_unhashable_values_map_", "_hashable_values_", "_boundary_",
    "_flag_mask_", "_singles_mask_", "_all_bits_", "_inverted_", "_generate_next_value_", "__new__",
})  # fmt: skip

_OF_MEMBER = frozenset({"_value_", "_name_", "__objclass__", "_sort_order_"})

_OF_NAMED_TUPLE = frozenset(vars(collections.namedtuple("_", ())))  # noqa: PYI024 - what it generates is the point

_GENERATED = (
    "__init__", "__repr__", "__eq__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__setattr__",
    "__delattr__", "__replace__",
)  # fmt: skip
# What `dataclass` writes into a class, as code without source.

_SENTINELS = tuple(
    {type(getattr(dataclasses, name)) for name in ("MISSING", "KW_ONLY", "_FIELD", "_HAS_DEFAULT_FACTORY")}
)
SENTINELS = frozenset(_SENTINELS)
"""The types of those objects of `dataclasses` that are compared by identity."""


def reduce_sentinel(sentinel: object) -> Any:
    """By its name in `dataclasses`."""
    return next(name for name, value in vars(dataclasses).items() if value is sentinel)


def reduce_class(cls: Any, references: References) -> Any:
    """By name where the reader will find it, by value otherwise."""
    if not cls.__flags__ & _HEAP_TYPE:
        # Of the interpreter itself: pickle knows them, or `types` has a name for them.
        name = _IN_TYPES.get(cls)
        return NotImplemented if name is None else (getattr, (types, name))
    named = references.by_name(cls)
    if named is not None:
        return named
    _bring_members(cls, references)
    made = _by_value(cls)
    definition = references.definition_of(cls)
    if definition is None:
        return made
    make, arguments, state, *_ = made
    known = (definition, cls.__qualname__, make, arguments)
    return rebuild.known_class_v1, known, state, None, None, rebuild.fill_known_class_v1


def _by_value(cls: Any) -> Any:
    if isinstance(cls, enum.EnumMeta) and cls.__members__:
        return _reduce_enum(cls)
    if issubclass(cls, tuple) and "_fields" in vars(cls) and "_field_defaults" in vars(cls):
        return _reduce_named_tuple(cls)
    bare = {name: vars(cls)[name] for name in _BARE if name in vars(cls)}
    bare["__qualname__"] = cls.__qualname__
    arguments = (type(cls), cls.__name__, cls.__bases__, bare)
    return rebuild.class_v1, arguments, _state(cls), None, None, rebuild.fill_class_v1


def _state(cls: Any) -> dict[str, Any]:
    state: dict[str, Any] = {}
    attributes = {name: value for name, value in vars(cls).items() if _is_kept(cls, name, value)}
    if "__dataclass_fields__" in attributes and "__dataclass_params__" in attributes:
        state["dataclass"] = _dataclass(cls, attributes)
    if isinstance(cls, abc.ABCMeta) and (registered := _registered(cls)):
        state["registered"] = registered
    state["attributes"] = attributes
    return state


def _is_kept(cls: type, name: str, value: object) -> bool:
    if name in _MADE_ANEW:
        return False
    # The places of `__dict__`, `__weakref__` and slots are made with the class.
    return not (
        isinstance(value, types.GetSetDescriptorType | types.MemberDescriptorType) and value.__objclass__ is cls
    )


def _bring_members(cls: type, references: References) -> None:
    # A class by value brings its own methods and inner classes, whatever a name like theirs means elsewhere.
    for value in vars(cls).values():
        parts = (value.fget, value.fset, value.fdel) if isinstance(value, property) else (value,)
        for part in parts:
            inner = getattr(part, "__func__", part)
            qualname = getattr(inner, "__qualname__", None)
            if isinstance(inner, types.FunctionType | type) and str(qualname).startswith(f"{cls.__qualname__}."):
                references.bring(inner)


def _registered(cls: type) -> list[type]:
    dump = getattr(abc, "_get_dump", None)  # where C keeps virtual subclasses; absent from other Pythons
    return [] if dump is None else [other for ref in dump(cls)[0] if (other := ref()) is not None]


def _dataclass(cls: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    # Takes out of `attributes` what `dataclass` generated: each Python generates its own.
    params = attributes.pop("__dataclass_params__")
    fields = attributes.pop("__dataclass_fields__")
    generated = [name for name in _GENERATED if _is_generated(attributes.get(name))]
    for name in generated:
        del attributes[name]
    names = getattr(type(params), "__slots__", ())
    return {
        "params": {name: getattr(params, name) for name in names},
        "fields": [_field(field) for field in fields.values()],
        "generated": generated,
        "post_init": hasattr(cls, "__post_init__"),
    }


def _is_generated(method: Any) -> bool:
    method = getattr(method, "__wrapped__", method)
    if not isinstance(method, types.FunctionType):
        return False
    return method.__code__.co_filename == "<string>" or method is getattr(dataclasses, "_replace", None)


def _field(field: Any) -> dict[str, Any]:
    spec = {name: getattr(field, name) for name in ("name", "type", "init", "repr", "hash", "compare", "kw_only")}
    spec["metadata"] = dict(field.metadata)
    spec["kind"] = field._field_type.name
    for name in ("default", "default_factory"):
        if getattr(field, name) is not dataclasses.MISSING:
            spec[name] = getattr(field, name)
    return spec


def _reduce_enum(cls: Any) -> Any:
    members = [(name, member._value_) for name, member in cls.__members__.items()]
    options = {
        "module": cls.__module__,
        "qualname": cls.__qualname__,
        "boundary": getattr(cls, "_boundary_", None),
    }
    if "__new_member__" in vars(cls) and cls._member_type_ is not object:
        # Its own `__new__` made members whose content is not their value.
        options["contents"] = [cls._member_type_.__getnewargs__(member) for member in cls.__members__.values()]
        options["member_type"] = cls._member_type_
    state = _state(cls)
    state["attributes"] = {
        name: value
        for name, value in state["attributes"].items()
        if name not in _OF_ENUM and name not in cls.__members__
    }
    state["members"] = {
        name: extra
        for name, member in cls.__members__.items()
        if (extra := {key: value for key, value in vars(member).items() if key not in _OF_MEMBER})
    }
    arguments = (type(cls), cls.__name__, cls.__bases__, members, options)
    return rebuild.enum_v1, arguments, state, None, None, rebuild.fill_class_v1


def _reduce_named_tuple(cls: Any) -> Any:
    fields = cls._fields
    defaults = tuple(cls._field_defaults[name] for name in fields if name in cls._field_defaults)
    state = _state(cls)
    state["attributes"] = {
        name: value
        for name, value in state["attributes"].items()
        if name == "__doc__" or not (name in fields or (name in _OF_NAMED_TUPLE and _is_of_namedtuple(value)))
    }
    if "__orig_bases__" in vars(cls):
        state["attributes"]["__orig_bases__"] = cls.__orig_bases__
    arguments = (cls.__name__, fields, defaults, cls.__module__, cls.__qualname__, cls.__bases__)
    return rebuild.named_tuple_v1, arguments, state, None, None, rebuild.fill_class_v1


def _is_of_namedtuple(value: Any) -> bool:
    function = getattr(value, "__func__", value)
    if not isinstance(function, types.FunctionType):
        return True
    return str(function.__globals__.get("__name__")).startswith(("collections", "namedtuple_"))
