"""What a class of the user's is: its bases, its methods and its attributes, as they stand now.

Entries that Python or a library derives from the others (``__init__`` of a dataclass, the validators of a
pydantic model) are left out: they follow from the fields, which are in.
"""

from __future__ import annotations

import enum
import functools
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.identity.closure import by_name, is_users_class, is_users_function, unwrap
from ipycheckpoint.identity.registry import shapes_of
from ipycheckpoint.identity.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DERIVED = frozenset(
    "__module__ __qualname__ __dict__ __weakref__ __doc__ __annotations__ __annotate__ __annotate_func__"
    " __annotations_cache__ __firstlineno__ __static_attributes__ __abstractmethods__ _abc_impl __parameters__"
    " __orig_bases__ __match_args__ __signature__ __type_params__ __dataclass_params__ __dataclass_fields__"
    " __attrs_attrs__ __attrs_own_setattr__ __attrs_props__ __class_vars__ __private_attributes__ __classcell__"
    " __slotnames__ _is_protocol _is_runtime_protocol __protocol_attrs__ __non_callable_proto_members__"
    " __callable_proto_members_only__".split()
)
"""``__slotnames__`` is what pickle notes on a class when it first meets an instance."""

_ENUM_MACHINERY = frozenset(
    "_generate_next_value_ _member_names_ _member_map_ _value2member_map_ _unhashable_values_ _unhashable_values_map_"
    " _hashable_values_ _member_type_ _value_repr_ _use_args_ _new_member_ __new__ _flag_mask_ _singles_mask_"
    " _all_bits_ _boundary_ _inverted_ _order_ __reduce_ex__".split()
)
_SLOTS = (MemberDescriptorType, GetSetDescriptorType)
_PYDANTIC_DECORATORS = (
    *("validators", "field_validators", "root_validators", "model_validators"),
    *("field_serializers", "model_serializers"),
)
_GENERATORS = frozenset({"attr", "collections", "dataclasses", "enum", "pydantic", "typing"})


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
    is_enum = issubclass(cls, enum.Enum)
    derived = _DERIVED
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        derived = derived.union(("__slots__", "_fields", "_field_defaults"), cls._fields)
    for name, value in sorted(vars(cls).items()):
        if name in derived or name.startswith("__pydantic_") or isinstance(value, _SLOTS):
            continue
        if isinstance(value, enum.Enum) and isinstance(value, cls):
            yield name, value._value_
            yield from ((f"{name}.{attribute}", part) for attribute, part in set_on(value))
        elif not _is_generated(name, value) and not (is_enum and _is_machinery(name, value)):
            yield name, _attribute(value)


def set_on(member: enum.Enum) -> list[tuple[str, object]]:
    """The attributes of a member of an enumeration that it has besides its name and value, by name.

    >>> class Size(enum.Enum):
    ...     SMALL = 1
    >>> Size.SMALL.price = 5
    >>> set_on(Size.SMALL)
    [('price', 5)]
    """
    return sorted((name, value) for name, value in vars(member).items() if not name.endswith("_"))


def _is_machinery(name: str, value: object) -> bool:
    return name in _ENUM_MACHINERY and not is_users_function(getattr(value, "__func__", value))


def _is_generated(name: str, value: object) -> bool:
    """Whether a library has put it there: for the private methods that follow from fields, members or bases."""
    if name == "__init__" and value is object.__init__:
        return True  # what the first instance of a Protocol's implementation leaves on its class
    function = getattr(value, "__func__", value)
    if name == "__repr__":
        function = getattr(function, "__wrapped__", function)  # dataclasses guard theirs against recursion
    if not isinstance(function, FunctionType) or not (name.startswith("_") or name == "model_post_init"):
        return False
    code = function.__code__
    if code.co_qualname.startswith("__create_fn__.") or code.co_filename.startswith("<attrs generated"):
        return True
    home = str(function.__globals__.get("__name__"))
    return home.partition(".")[0] in _GENERATORS or home.startswith("namedtuple_")


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
        yield "<dataclass>", _said(own["__dataclass_params__"], "init repr eq order unsafe_hash frozen")
        for name, field in own["__dataclass_fields__"].items():
            says = _said(field, "default default_factory init repr hash compare kw_only")
            yield f"<field {name}>", (_type_text(field.type), *says, dict(field.metadata))
    elif "__attrs_attrs__" in own:
        for field in own["__attrs_attrs__"]:
            says = _said(field, "default validator converter init repr eq order hash kw_only on_setattr alias")
            yield f"<field {field.name}>", (_type_text(field.type), *says, dict(field.metadata))
    elif "__pydantic_fields__" in own:
        yield from _pydantic_fields(own)
    elif issubclass(cls, tuple) and "_field_defaults" in own:
        yield "<fields>", (cls._fields, cls._field_defaults)


def _pydantic_fields(own: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    # Annotations count here: they say how a value is checked and converted.
    for name, field in own["__pydantic_fields__"].items():
        says = _said(field, "annotation default default_factory metadata alias validation_alias serialization_alias")
        flags = _said(field, "exclude discriminator frozen validate_default init init_var kw_only")
        yield f"<field {name}>", (*says, *flags)
    for name, private in own["__private_attributes__"].items():
        yield f"<private {name}>", _said(private, "default default_factory")
    for kind in _PYDANTIC_DECORATORS:
        for name, decorator in getattr(own["__pydantic_decorators__"], kind, {}).items():
            yield f"<{kind} {name}>", decorator.info


def _said(thing: object, names: str) -> tuple[object, ...]:
    return tuple(by_name(unwrap(getattr(thing, name, None))) for name in names.split())


def _type_text(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__qualname__", None) or repr(annotation)
