"""Whether a value can hold live objects at all, found out at the speed of C.

A pickler that looks for live objects makes a call for each part of a value, which takes twenty times as long as to
write it. Most of what is large is plain data that holds none.
"""

from __future__ import annotations

from itertools import chain, compress, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})
_CONTAINERS = frozenset({list, tuple, dict})
_PLAIN = _ATOMS | _CONTAINERS

_CHUNK = 1 << 13  # few enough to stay in the processor's cache
_DEEPEST = 64
# A value may refer to its parts again and again: then the slow way, which remembers them, is faster.
_MOST = 1 << 24
_SUSPECT = 8


def is_apart(value: object, live: Mapping[int, object]) -> bool:
    """Whether `value` is plain data in which none of the `live` objects is, by their ids. False if that is hard to say.

    >>> inner = [1]
    >>> is_apart({"a": [inner]}, {}), is_apart({"a": [inner]}, {id(inner): inner}), is_apart({1, 2}, {})
    (True, False, False)
    """
    count = 0
    levels: list[Iterator[object]] = [iter((value,))]
    while levels:
        chunk = list(islice(levels[-1], _CHUNK))
        if not chunk:
            levels.pop()
            continue
        count += len(chunk)
        found = set(map(type, chunk))
        if count > _MOST or len(levels) > _DEEPEST or not found <= _PLAIN:
            return False
        if found.isdisjoint(_CONTAINERS):
            continue
        if found <= _CONTAINERS:
            containers = chunk
        else:
            containers = list(compress(chunk, map(_CONTAINERS.__contains__, map(type, chunk))))
        if not live.keys().isdisjoint(map(id, containers)):
            return False
        if len(levels) > _SUSPECT and len(set(map(id, containers))) * 2 < len(containers):
            return False
        levels.append(_inside(containers, has_dicts=dict in found))
    return True


def _inside(containers: Collection[Any], *, has_dicts: bool) -> Iterator[object]:
    """Items, and keys and values, in any order."""
    items = chain.from_iterable(containers)
    if not has_dicts:
        return items
    dicts = [container for container in containers if type(container) is dict]
    return chain(items, chain.from_iterable(map(dict.values, dicts)))
