"""Links: how an output that *is* a live object, there before the run, finds it again on a hit.

A path begins with the number of an input and goes on with indices, keys and attributes: ``(2, "a", 3)`` is
``input2["a"][3]``, and ``(2, ("a",))`` is ``input2.a``. Equal Keys mean equal inputs under equal numbers,
whatever they are called.
"""

from __future__ import annotations

from collections import deque
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.identity.closure import is_users_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Step = int | str | tuple[str]
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

    def add(self, value: object, path: Path) -> bool:
        """Remember `path`, unless one is known already; whether it was new."""
        if id(value) in self or not has_identity(value):
            return False
        self[id(value)] = path
        self.objects[id(value)] = value
        return True

    def below(self, start: Step) -> list[tuple[Path, object]]:
        """The objects whose paths begin with `start`, itself first, and their paths."""
        return [(path, self.objects[place]) for place, path in self.items() if path[0] == start]

    def forget_below(self, start: Step) -> None:
        """Forget all paths that lead inside the object at `start`."""
        for place in [place for place, path in self.items() if path[0] == start and len(path) > 1]:
            del self[place]


def has_identity(value: object) -> bool:
    """Whether it matters which of two equal objects `value` is."""
    if isinstance(value, tuple):
        return len(value) > 0
    return not isinstance(value, (*_ATOMS, BuiltinFunctionType))


def links_of(roots: Iterable[tuple[int | str, object]]) -> Links:
    """The path of each root, and of what is inside containers and objects of the user's, nearest first.

    >>> models = [["a"], ["b"]]
    >>> links_of([(0, models)])[id(models[1])]
    (0, 1)
    """
    links = Links()
    pending: deque[tuple[Path, object]] = deque(
        ((start,), value) for start, value in roots if links.add(value, (start,))
    )
    while pending and len(links) < _MOST_LINKS:
        path, value = pending.popleft()
        if len(path) > _DEEPEST:
            continue
        for step, item in _items(value):
            if links.add(item, (*path, step)):
                pending.append(((*path, step), item))
    return links


def _items(value: Any) -> Iterator[tuple[Step, object]]:
    if isinstance(value, list | tuple):
        if len(value) <= _MOST_ITEMS:
            yield from enumerate(value)
    elif isinstance(value, dict):
        if len(value) <= _MOST_ITEMS:
            yield from ((key, item) for key, item in value.items() if type(key) in (str, int))
    elif not isinstance(value, type | FunctionType) and is_users_class(type(value)):
        attributes = getattr(value, "__dict__", None)
        if type(attributes) is dict:
            yield from (((name,), item) for name, item in attributes.items())


def follow(path: Sequence[Any], roots: Mapping[Any, object]) -> object:
    """The live object at `path`, as it was written or read from JSON; LookupError if there is none."""
    value: Any = roots[path[0]]
    for step in path[1:]:
        value = value.__dict__[step[0]] if isinstance(step, tuple | list) else value[step]
    return value
