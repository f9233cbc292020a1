"""Classes of the user's as values."""

from __future__ import annotations

import abc
import copy
import enum
import pickle
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import pytest

from ipycheckpoint.identity.values import digest_value

T = TypeVar("T")


class Sized(Protocol):
    def size(self) -> int: ...


class Implementation(Sized):
    def size(self) -> int:
        return 1


class Plain:
    def __init__(self) -> None:
        self.a = 1


class Slotted:
    __slots__ = ("a",)


class Boxed(Generic[T]):
    pass


class Base(abc.ABC):
    @abc.abstractmethod
    def size(self) -> int: ...


class Concrete(Base):
    def size(self) -> int:
        return 1


@dataclass(order=True)
class Point:
    x: int = 1
    rows: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frozen:
    x: int = 1


class Pair(NamedTuple):
    x: int = 1
    y: int = 2


class Colour(enum.Enum):
    RED = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


EVERY = [Implementation, Plain, Slotted, Boxed, Concrete, Point, Frozen, Pair, Colour, Access]


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_using_a_class_does_not_change_it(cls: Any) -> None:
    """Pickle, Protocols and ABCs leave notes on the classes that they meet."""

    def fresh() -> Any:
        # A copy of the class, as no other test has met it.
        return types.new_class(cls.__name__, cls.__bases__, {}, lambda body: body.update(_body(cls)))

    own = (
        cls
        if issubclass(cls, enum.Enum | tuple) or "Slotted" in cls.__name__ or hasattr(cls, "__dataclass_fields__")
        else fresh()
    )
    before = digest_value(own)
    instance = next(iter(own)) if issubclass(own, enum.Enum) else own()
    digest_value(instance)
    copy.copy(instance)
    instance.__reduce_ex__(4)
    isinstance(instance, Base)
    repr(instance)
    assert digest_value(own) == before


def _body(cls: type) -> dict[str, Any]:
    return {k: v for k, v in vars(cls).items() if k not in {"__dict__", "__weakref__", "_abc_impl", "__slotnames__"}}


def variants(make: Callable[[Any], type], *values: Any) -> list[str]:
    return [digest_value(make(value)) for value in values]


def with_method(k: Any) -> type:
    class A:
        def method(self):
            return k

    return A


def with_attribute(k: Any) -> type:
    class A:
        attribute = k

    return A


def with_repr_of_a_dataclass(k: Any) -> type:
    @dataclass
    class A:
        x: int

        def __repr__(self):
            return str(k)

    return A


def with_own_method_of_a_named_tuple(k: Any) -> type:
    class A(NamedTuple):
        x: int

        def __repr__(self):
            return str(k)

    return A


def with_new_of_an_enum(k: Any) -> type:
    class A(enum.Enum):
        def __new__(cls, value):
            self = object.__new__(cls)
            self._value_ = value
            self.extra = k
            return self

        ONE = 1

    return A


def with_options_of_a_dataclass(k: Any) -> type:
    @dataclass(frozen=k)
    class A:
        x: int

    return A


def with_a_base(k: Any) -> type:
    class B:
        attribute = k

    class A(B):
        pass

    return A


def with_metadata(k: Any) -> type:
    @dataclass
    class A:
        x: int = field(default=1, metadata={"unit": k})

    return A


@pytest.mark.parametrize(
    "make",
    [
        with_method, with_attribute, with_repr_of_a_dataclass, with_own_method_of_a_named_tuple, with_new_of_an_enum,
        with_options_of_a_dataclass, with_a_base, with_metadata,
    ],
)  # fmt: skip
def test_what_differs_in_a_class_is_seen(make: Callable[[Any], type]) -> None:
    one, again, other = variants(make, True, True, False)
    assert one == again != other


def test_methods_of_code_from_a_string_are_no_generated_ones() -> None:
    """As ``python -c`` and `exec` make them: their file is ``<string>``, as that of what dataclasses generate."""

    def made(k: int) -> str:
        namespace: dict[str, Any] = {"__name__": "somewhere"}
        exec(f"class A:\n    def __eq__(self, other): return {k}", namespace)
        return digest_value(namespace["A"])

    assert made(1) == made(1) != made(2)


def test_the_name_of_a_class_counts_and_its_docstring_does_not() -> None:
    one, documented, other = (
        digest_value(type(name, (), {"__doc__": doc})) for name, doc in [("A", None), ("A", "text"), ("B", None)]
    )
    assert one == documented != other


def test_a_class_of_a_library_counts_by_name() -> None:
    assert digest_value(pickle.Pickler) != digest_value(pickle.Unpickler)


@pytest.mark.parametrize("kind", [staticmethod, classmethod, property])
def test_a_method_is_not_the_same_method_of_another_kind(kind: Any) -> None:
    def method(x):
        return x

    assert digest_value(type("A", (), {"m": method})) != digest_value(type("A", (), {"m": kind(method)}))
