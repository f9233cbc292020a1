"""Links: how an output that *is* a live object, there before the run, finds it again on a hit.

A path begins with the number of an input and goes on with indices, keys and attributes: ``(2, "a", 3)`` is
``input2["a"][3]``, ``(2, ("a",))`` is ``input2.a``, and ``(2, ("__defaults__", 0))`` a function's default. Equal Keys
mean equal inputs under equal numbers, whatever they are called.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from contextlib import suppress
from functools import _lru_cache_wrapper, partial
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType, NoneType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from ipycheckpoint.digest import Digest, digest
from ipycheckpoint.engine.transplant import slots_of
from ipycheckpoint.identity.closure import is_users_class
from ipycheckpoint.record.sharing import is_atom

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

Step = int | str | tuple[str] | tuple[str, int | str]
Path = tuple[Step, ...]

_MOST_ITEMS = 1000
_MOST_LINKS = 10_000
_DEEPEST = 5
# Nobody can tell two equal ones of these apart, so they need no links; tuples may hold what does.
_ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented), range, ModuleType)


class Links(dict[int, Path]):
    """The path of each live object by its id. The objects are held, so that no other can come to have the id."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[int, object] = {}
        self.again: list[tuple[Path, Path]] = []
        """The paths that lead to something of which another path is known, and that one."""

    def add(self, value: object, path: Path) -> bool:
        """Remember `path`, unless one is known already; whether it was new."""
        if id(value) in self:
            if not is_atom(value) and not isinstance(value, type | FunctionType):
                self.again.append((path, self[id(value)]))
            return False
        if not has_identity(value):
            return False
        self[id(value)] = path
        self.objects[id(value)] = value
        return True

    def below(self, start: Step) -> list[tuple[Path, object]]:
        """The objects whose paths begin with `start`, itself first, and their paths."""
        return [(path, self.objects[place]) for place, path in self.items() if path[0] == start]

    def moved(self, now: Links) -> set[Step]:
        """Where paths start that lead to other objects `now`, be they equal or not."""
        paths = set(self.items()) ^ set(now.items())
        return {path[0] for _, path in paths}

    def sharing(self) -> Digest | None:
        """What the live objects have in common: parts that are one object, and arrays that overlap; None if nothing.

        Equal values have equal Digests whether their parts are one object or several, but a change in place of one
        is then a change of the other.
        """
        common = [*self.again, *self._overlaps()]
        return digest("sharing", json.dumps(common).encode()) if common else None

    def _overlaps(self) -> Iterator[tuple[Path, Path, int]]:
        from ipycheckpoint.record.arrays import reaches_of  # when something is kept

        arrays = sorted(reaches_of(self.objects.values()), key=lambda reach: reach.low)
        for position, one in enumerate(arrays):
            for other in arrays[position + 1 :]:
                if other.low >= one.high:
                    break
                yield self[id(one.array)], self[id(other.array)], other.low - one.low

    def forget_below(self, start: Step) -> None:
        """Forget all paths that lead inside the object at `start`."""
        for place in [place for place, path in self.items() if path[0] == start and len(path) > 1]:
            del self[place]


def has_identity(value: object) -> bool:
    """Whether it matters which of two equal objects `value` is."""
    if isinstance(value, tuple):
        return len(value) > 0
    if isinstance(value, BuiltinFunctionType):
        return not isinstance(value.__self__, ModuleType | type | NoneType)
    return not isinstance(value, _ATOMS)


def links_of(roots: Iterable[tuple[int | str, object]]) -> Links:
    """The path of each root, and of what is inside containers and objects of the user's, nearest first.

    >>> models = [["a"], ["b"]]
    >>> links_of([(0, models)])[id(models[1])]
    (0, 1)
    """
    links = Links()
    pending: deque[tuple[Path, object]] = deque(
        ((start,), value) for start, value in roots if links.add(value, (start,)) or isinstance(value, tuple)
    )
    while pending and len(links) + len(links.again) < _MOST_LINKS:
        path, value = pending.popleft()
        if len(path) > _DEEPEST:
            continue
        for step, item in _items(value):
            # Nobody can tell two equal tuples apart, but it counts how often one leads to the same list.
            if links.add(item, (*path, step)) or isinstance(item, tuple):
                pending.append(((*path, step), item))
        attributes = getattr(value, "__dict__", None) if _shows_attributes(value) else None
        if attributes is not None:
            # Code may hold on to it by `vars`. What is in it has been seen as attributes.
            links.setdefault(id(attributes), (*path, ("__dict__",)))
            links.objects[id(attributes)] = attributes
    return links


def inside(value: object, *, but: Collection[int] = ()) -> Iterator[object]:
    """Everything that can change inside `value`, without limits, but for what is in the objects with the ids `but`."""
    seen = {id(value), *but}
    held = [value]
    for holder in held:
        for _, item in _items(holder, sys.maxsize):
            if id(item) not in seen and (isinstance(item, tuple) or not is_atom(item)):
                seen.add(id(item))
                held.append(item)
    yield from held[1:]


def _items(value: Any, most: int = _MOST_ITEMS) -> Iterator[tuple[Step, object]]:
    if isinstance(value, list | tuple | deque):
        if len(value) <= most:
            yield from enumerate(value)
    elif isinstance(value, dict):
        if len(value) <= most:
            for position, (key, item) in enumerate(value.items()):
                # Any other key is not the same after JSON; the order of a dict is part of its value.
                yield (key if type(key) in (str, int) else ("values", position)), item
                if has_identity(key):
                    yield ("keys", position), key
    elif _is_array_of_objects(value):
        if value.size <= most:
            yield from ((("flat", position), item) for position, item in enumerate(value.flat))
    elif isinstance(value, MethodType | BuiltinFunctionType):
        yield ("__self__",), value.__self__
    elif isinstance(value, staticmethod | classmethod):
        yield ("__func__",), value.__func__
    elif isinstance(value, partial):
        yield ("func",), value.func
        yield from ((("args", position), item) for position, item in enumerate(value.args))
        yield ("keywords",), value.keywords  # which copies have in common
        yield from (((name,), item) for name, item in vars(value).items())
    elif isinstance(value, FunctionType):
        yield from ((("__defaults__", index), item) for index, item in enumerate(value.__defaults__ or ()))
        yield from ((("__kwdefaults__", name), item) for name, item in (value.__kwdefaults__ or {}).items())
        yield from ((("__closure__", index), cell) for index, cell in enumerate(value.__closure__ or ()))
        yield from (((name,), item) for name, item in vars(value).items())
    elif isinstance(value, CellType):
        with suppress(ValueError):  # its variable isn't bound yet
            yield ("cell_contents",), value.cell_contents
    elif isinstance(value, _lru_cache_wrapper):
        yield ("__wrapped__",), value.__wrapped__
    elif is_users_class(value):
        yield from (((name,), item) for name, item in sorted(vars(value).items()) if _is_users_attribute(name))
        yield from ((("__bases__", position), base) for position, base in enumerate(value.__bases__))
    elif isinstance(value, BaseException):
        yield from ((("args", position), item) for position, item in enumerate(value.args))
    if _shows_attributes(value):
        yield ("__class__",), type(value)
        attributes = dict(getattr(value, "__dict__", ()))
        attributes |= {slot: getattr(value, slot) for slot in slots_of(type(value)) if hasattr(value, slot)}
        # In whatever order they were set, which nobody sees.
        yield from (((name,), attributes[name]) for name in sorted(attributes, key=str))


def _shows_attributes(value: object) -> bool:
    return isinstance(value, SimpleNamespace) or is_users_class(type(value))


def _is_array_of_objects(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(value) is numpy.ndarray and value.dtype == object


def _is_users_attribute(name: str) -> bool:
    return not (name.startswith("__") and name.endswith("__")) or name in ("__init__", "__call__")


def follow(path: Sequence[Any], roots: Mapping[Any, object]) -> object:
    """The live object at `path`, as it was written or read from JSON; an exception if there is none."""
    value: Any = roots[path[0]]
    for step in path[1:]:
        if not isinstance(step, tuple | list):
            value = value[step]
        elif len(step) == 1:
            attributes = getattr(value, "__dict__", {})
            value = attributes[step[0]] if step[0] in attributes else getattr(value, step[0])
        else:
            parts = getattr(value, step[0])
            value = (list(parts()) if step[0] in ("keys", "values") else parts)[step[1]]
    return value
