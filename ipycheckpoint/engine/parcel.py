"""Parcels: a function goes to another process by value, with all that it reaches, and means the same there.

What ``__main__`` defines can't be imported elsewhere. So it is packed by value: the things themselves, and under their
names all globals of ``__main__`` that the code among them reads, wherever that leads. Where a parcel is opened they
live in a namespace of its own, so functions and classes find each other, and have the Digests that they have here. What
an installed or local module defines goes by its name, and is looked for where it is looked for here.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.identity import code
from ipycheckpoint.identity.closure import unwrap
from ipycheckpoint.identity.ownership import is_shells_own
from ipycheckpoint.record.codec import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_THING = "thing {}"
# No global has such a name.


@dataclass(frozen=True, slots=True)
class Bundle:
    """Encoded values, as any pickler takes them."""

    streams: tuple[tuple[bytes, tuple[bytearray, ...]], ...]

    @classmethod
    def of(
        cls,
        values: Mapping[str, object],
        known: frozenset[str] = frozenset(),
        namespace: Mapping[str, object] | None = None,
    ) -> Bundle:
        """Raises CannotKeep. What ``__main__``, which here may be `namespace`, has under `known` names goes by name."""
        sections = encode(values, by_value=lambda thing: _first_name(thing) not in known, namespace=namespace)
        return cls(tuple((s.stream, tuple(bytearray(buffer) for buffer in s.buffers)) for s in sections))

    def values(self, namespace: dict[str, Any] | None = None) -> dict[str, object]:
        """The values, whose ``__main__`` is `namespace`. This runs what the streams say."""
        found: dict[str, object] = {}
        for stream, buffers in self.streams:
            found |= decode(stream, [memoryview(buffer) for buffer in buffers], namespace=namespace)
        return found

    @property
    def nbytes(self) -> int:
        """How large it is."""
        return sum(len(stream) + sum(map(len, buffers)) for stream, buffers in self.streams)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Things that were packed here, to be opened elsewhere."""

    bundle: Bundle
    names: frozenset[str]
    """The names that ``__main__`` has where it is opened."""
    path: tuple[str, ...]
    """Where modules are looked for here."""

    def opened(self) -> Opened:
        """The things, in a namespace of their own. This runs what the bundle says."""
        for place in self.path:
            if place not in sys.path and os.path.isdir(place):
                sys.path.append(place)
        namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        values = self.bundle.values(namespace)
        namespace |= {name: value for name, value in values.items() if name in self.names}
        things = [values[_THING.format(number)] for number in range(len(values) - len(self.names))]
        return Opened(tuple(things), namespace, self.names)


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in a parcel, and what ``__main__`` is to it."""

    things: tuple[Any, ...]
    namespace: dict[str, Any]
    names: frozenset[str]


def pack(things: Sequence[object]) -> Parcel:
    """A Parcel of `things`. Raises CannotKeep with the path to what can't be written.

    >>> scale = 3
    >>> parcel = pack([lambda x: x * scale])
    >>> parcel.opened().things[0](2)
    6
    """
    values = {_THING.format(number): thing for number, thing in enumerate(things)}
    reached = _reached(values)
    place = os.getcwd()
    path = tuple(os.path.abspath(entry) if entry else place for entry in sys.path)
    return Parcel(Bundle.of({**values, **reached}), frozenset(reached), path)


def _reached(values: Mapping[str, object]) -> dict[str, object]:
    """The globals of ``__main__`` that the code in `values` reads, and the code in those, by name."""
    reached: dict[str, object] = {}
    todo = list(values.items())
    seen: set[int] = set()
    while todo:
        name, value = todo.pop()
        met: dict[int, Any] = {}

        def note(thing: object, met: dict[int, Any] = met) -> bool:
            met[id(thing)] = thing
            return True

        encode({name: value}, by_value=note)
        for thing in met.values():
            if id(thing) in seen:
                continue
            seen.add(id(thing))
            for name, value in _globals_of(thing):
                if name not in reached:
                    reached[name] = value
                    todo.append((name, value))
    return reached


def _globals_of(thing: object) -> Iterator[tuple[str, object]]:
    """What `thing` of ``__main__`` reads there, and itself, if it is there under its name."""
    name = _first_name(thing)
    namespace = _main_of(thing)
    if name in namespace and not is_shells_own(name):
        yield name, namespace[name]
    for function in _functions_of(thing):
        if function.__globals__.get("__name__") != "__main__":
            continue
        form = code.of_function(function)
        for name in {*(reference.name for reference in form.references if not reference.free), *form.writes}:
            value = function.__globals__.get(name, form)
            if value is not form and not _is_of_the_shell(name, value):
                yield name, value


def _main_of(thing: object) -> Mapping[str, object]:
    unwrapped = unwrap(thing)
    if isinstance(unwrapped, FunctionType):
        return unwrapped.__globals__ if unwrapped.__globals__.get("__name__") == "__main__" else {}
    return vars(sys.modules["__main__"])


def _functions_of(thing: object) -> Iterator[FunctionType]:
    thing = unwrap(thing)
    if isinstance(thing, FunctionType):
        yield thing
    elif isinstance(thing, type):
        for value in vars(thing).values():
            for part in (value, *(getattr(value, name, None) for name in ("fget", "fset", "fdel", "__func__", "func"))):
                if isinstance(unwrap(part), FunctionType):
                    yield unwrap(part)  # type: ignore[misc]  # just looked at


def _is_of_the_shell(name: str, value: object) -> bool:
    return name == "get_ipython" or (is_shells_own(name) and not isinstance(value, ModuleType))


def _first_name(thing: object) -> str:
    return str(getattr(thing, "__qualname__", None) or getattr(thing, "__name__", "")).partition(".")[0]
