"""A namespace told as texts, in which objects that have an identity are numbered.

Two namespaces have equal texts only if their values are equal and the same names and parts are one object.
"""

from __future__ import annotations

import functools
import itertools
import re
import sys
import types
from typing import Any, NamedTuple


def without_addresses(text: str) -> str:
    """`text` less what differs from process to process."""
    return re.sub(r"0x[0-9a-f]+|140\d{10,}", "0x", text, flags=re.IGNORECASE)


_FIELD = type(NamedTuple("Pair", [("one", int)]).one)  # type: ignore[attr-defined] # mypy knows its fields by class only


def _scalars() -> tuple[type, ...]:
    """The types of scalars of numpy, which are as good as their equals."""
    return (sys.modules["numpy"].generic,) if "numpy" in sys.modules else ()


class Teller:
    """Tells values as texts. Whatever can be told from its equal has a number, by the order of its appearance."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._numbers: dict[int, int] = {}
        self._held: list[Any] = []
        self._arrays: list[tuple[int, Any]] = []

    def tell(self, value: Any) -> str:
        if value is self._namespace:
            return "globals()"
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes, types.BuiltinFunctionType)):
            if not (isinstance(value, types.BuiltinFunctionType) and not isinstance(value.__self__, types.ModuleType)):
                return f"{type(value).__name__} {value!r}"[:200]
            return f"{value.__name__} of {self.tell(value.__self__)}"
        if type(value) is frozenset:
            return f"frozenset {sorted(map(repr, value))}"
        if type(value) is tuple:
            return "(" + ", ".join(map(self.tell, value)) + ")"
        if isinstance(value, types.ModuleType):
            return f"module {value.__name__}"
        if isinstance(value, type) and value.__module__ != "__main__":
            return f"class {value.__module__}.{value.__qualname__}"
        if type(value).__module__ in ("re", "fractions", "datetime", "decimal"):
            return repr(value)
        if isinstance(value, types.MethodType):
            return f"method {self.tell(value.__func__)} of {self.tell(value.__self__)}"
        if isinstance(value, (*_scalars(), _FIELD)):
            return f"{type(value).__name__} {value!r}"
        if isinstance(value, types.FunctionType) and value.__module__ != "__main__":
            return f"function {value.__module__}.{value.__qualname__}"
        if id(value) in self._numbers:
            return f"#{self._numbers[id(value)]}"
        number = self._numbers[id(value)] = len(self._numbers)
        self._held.append(value)
        return f"#{number} {self._content(number, value)}"

    def _content(self, number: int, value: Any) -> str:
        kind = type(value)
        inside: list[str] = []
        if isinstance(value, (list,)) or kind.__name__ == "deque":
            inside = [self.tell(item) for item in value]
        elif isinstance(value, tuple):
            inside = [self.tell(item) for item in value]
        elif isinstance(value, dict):
            inside = [f"{self.tell(key)}: {self.tell(item)}" for key, item in list(value.items())]
        elif isinstance(value, (set, frozenset)):
            inside = sorted(without_addresses(repr(item)) for item in value)
        elif isinstance(value, BaseException):
            inside = [self.tell(value.args)]
        elif isinstance(value, types.FunctionType):
            return self._function(value)
        elif isinstance(value, type):
            parts = {
                name: part for name, part in vars(value).items()
                if (not name.startswith("__") or name in ("__init__", "__call__", "__eq__", "__hash__", "__slots__"))
                and name not in ("_abc_impl", "_value2member_map_")
                and not isinstance(part, (types.MemberDescriptorType, types.GetSetDescriptorType))
                and getattr(getattr(part, "__code__", None), "co_filename", "") != "<string>"
            }  # fmt: skip
            inside = [self.tell(value.__bases__), *(f"{n}: {self.tell(part)}" for n, part in sorted(parts.items()))]
            return f"class {value.__qualname__} {inside}"
        elif isinstance(value, (staticmethod, classmethod)):
            inside = [self.tell(value.__func__)]
        elif isinstance(value, property):
            inside = [self.tell(value.fget), self.tell(value.fset)]
        elif isinstance(value, functools.partial):
            inside = [self.tell((value.func, value.args, value.keywords))]
        elif isinstance(value, functools._lru_cache_wrapper):
            inside = [self.tell(value.__wrapped__)]
        elif isinstance(value, types.CellType):
            try:
                inside = [self.tell(value.cell_contents)]
            except ValueError:
                inside = ["empty"]
        elif hasattr(value, "__array_interface__"):
            self._arrays.append((number, value))
            inside = [str(value.dtype), str(value.shape), str(value.flags.writeable)]
            inside += [self.tell(item) for item in value.ravel()] if value.dtype.hasobject else [str(value.tolist())]
        elif kind.__module__.startswith("pandas"):
            if hasattr(value, "to_dict"):
                inside = [
                    str(value.to_numpy().tolist()),
                    str(value.index),
                    str(getattr(value, "dtypes", "")),
                    self.tell(value.attrs),
                ]
                inside += [str(getattr(value, "columns", "")), str(getattr(value, "name", ""))]
            else:
                inside = [repr(value)]
        elif kind.__name__ == "Generator" and kind.__module__.startswith("numpy"):
            inside = [str(value.bit_generator.state)]
        elif kind.__name__ in ("ref", "ReferenceType"):
            inside = [self.tell(value())]
        elif kind.__name__ in ("list_iterator", "generator", "coroutine"):
            return kind.__name__
        elif not (hasattr(value, "__dict__") or hasattr(kind, "__slots__")):
            inside = [without_addresses(repr(value))]
        head = self.tell(kind)
        if kind.__module__ != "builtins":
            attributes = (
                dict(getattr(value, "__dict__", {})) if not kind.__module__.startswith(("pandas", "numpy")) else {}
            )
            for base in kind.__mro__:
                for slot in base.__dict__.get("__slots__", ()) if base.__module__ == "__main__" else ():
                    if hasattr(value, slot):
                        attributes[slot] = getattr(value, slot)
            attributes.pop("__annotations__", None)  # `functools.wraps` lets two functions share them
            attributes.pop("__slotnames__", None)  # what `copyreg` has found out
            attributes.pop("cache_parameters", None)  # a function of `functools.lru_cache`, one way or another
            inside += [f".{name}={self.tell(part)}" for name, part in sorted(attributes.items())]
        return f"{head} {inside}"

    def _function(self, function: Any) -> str:
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        parts = [
            function.__name__, function.__qualname__, str(function.__doc__),
            "live" if function.__globals__ is self._namespace else "elsewhere",
            self.tell(function.__defaults__), self.tell(function.__kwdefaults__),
            *(f"{name}={self.tell(cell)}" for name, cell in cells.items()),
            *(f".{name}={self.tell(part)}" for name, part in sorted(vars(function).items())),
        ]  # fmt: skip
        return f"function {parts}"

    def memory(self) -> dict[str, str]:
        """Which arrays share memory, and which bytes of theirs those are."""
        import numpy as np

        told = {}
        for (one, first), (two, second) in itertools.combinations(self._arrays, 2):
            if np.shares_memory(first, second):
                there = {address: position for position, address in enumerate(_addresses(second))}
                told[f"memory of #{one} and #{two}"] = str([there.get(address) for address in _addresses(first)])
        return told


def _addresses(array: Any) -> list[int]:
    """Of each byte of an array, in the order of its elements: how it is laid out in memory is nobody's business."""
    places = [array.__array_interface__["data"][0]]
    for length, stride in zip(array.shape, array.strides, strict=True):
        places = [place + stride * index for place in places for index in range(length)]
    return [place + byte for place in places for byte in range(array.itemsize)]
