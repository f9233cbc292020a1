"""Links: how an output that *is* a live object, there before the run, finds it again on a hit.

A path begins with the number of an input and goes on with indices and keys: ``(2, "a", 3)`` is
``input2["a"][3]``. Equal Keys mean equal inputs under equal numbers, whatever they are called.
"""

from __future__ import annotations

from types import BuiltinFunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Path = tuple[int | str, ...]

_MOST_ITEMS = 1000
# Nobody can tell two equal ones of these apart, so they need no links; tuples may hold what does.
_ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented), range, ModuleType)


def has_identity(value: object) -> bool:
    """Whether it matters which of two equal objects `value` is."""
    if isinstance(value, tuple):
        return len(value) > 0
    return not isinstance(value, (*_ATOMS, BuiltinFunctionType))


def links_of(roots: Iterable[tuple[int | str, object]]) -> dict[int, Path]:
    """The path of each root and of the items one level inside it, by the identity of the live object.

    The caller keeps the roots alive for as long as it uses the links.
    """
    links: dict[int, Path] = {}
    inside: list[tuple[Path, object]] = []
    for start, value in roots:
        if has_identity(value):
            links.setdefault(id(value), (start,))
            inside.append(((start,), value))
    for path, value in inside:
        for step, item in _items(value):
            if has_identity(item):
                links.setdefault(id(item), (*path, step))
    return links


def _items(value: Any) -> Iterator[tuple[int | str, object]]:
    if isinstance(value, list | tuple) and len(value) <= _MOST_ITEMS:
        yield from enumerate(value)
    elif isinstance(value, dict) and len(value) <= _MOST_ITEMS:
        yield from ((key, item) for key, item in value.items() if type(key) in (str, int))


def follow(path: Path, roots: Mapping[int | str, object]) -> object:
    """The live object at `path`; LookupError if there is none."""
    value: Any = roots[path[0]]
    for step in path[1:]:
        value = value[step]
    return value

