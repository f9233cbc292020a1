"""Whether every part of a value is reached on one way only, found out at the speed of C.

Then nothing in its stream refers to anything before it, and the pickler needs no memo, which takes several times as
long as all the rest. Most of what is large and plain is of that kind: texts that were read or made one by one.

An object that one container holds, and nobody else, has the fewest references that anything in a container can have.
Only those with more have to be remembered, and compared with one another.
"""

from __future__ import annotations

from itertools import chain, compress, islice
from sys import getrefcount
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MANY = 1 << 13
"""Of fewer texts a memo is hardly felt."""

_CONTAINERS = frozenset({list, tuple, dict, set, frozenset})
_TEXTS = frozenset({str, bytes, bytearray})
_FELT = _TEXTS | _CONTAINERS
_MAY_CHANGE = _FELT - {str, bytes, frozenset}
_FREE = frozenset({type(None), bool, int, float})  # written anew each time, with a memo or without
_PLAIN = _FELT | _FREE

_CHUNK = 1 << 11  # few enough to stay in the processor's cache, and to give up soon
_DEEPEST = 40  # below that the pickler itself looks out for cycles, which takes long


def _references(chunk: list[Any]) -> list[int]:
    return list(map(getrefcount, chunk))


def _of_one_holder() -> int:
    holder = [object()]
    return _references(list(holder))[0]


_ALONE = _of_one_holder()


def reached_once(value: object) -> dict[int, object] | None:
    """The parts of plain `value`, itself among them, that others may hold as well, by id; without texts.

    None where any part is reached twice, where there is something that isn't plain data, and where the memo is
    likely to take no longer than to find this out.

    >>> inner = ["a long text"]
    >>> reached_once([inner, ["another text"]]) is None, reached_once([inner, inner]) is None
    (False, True)
    """
    if type(value) not in _CONTAINERS or _is_small(value):
        return None
    held: dict[int, object] = {id(value): value}
    seen = {id(value)}
    dicts: list[dict[Any, Any]] = []
    texts = others = 0
    levels = [_inside([value], dicts)]
    while levels:
        chunk = list(islice(levels[-1], _CHUNK))
        if not chunk:
            levels.pop()
            continue
        types = list(map(type, chunk))
        kinds = {types[0]} if types.count(types[0]) == len(types) else set(types)
        found = len(chunk) if kinds <= _TEXTS else sum(map(types.count, kinds & _TEXTS))
        texts, others = texts + found, others + len(chunk) - found
        if not kinds <= _PLAIN or others > texts // 2 + 2 * _CHUNK:
            return None
        if suspects := _suspects(chunk, _references(chunk)):
            before = len(seen)
            seen.update(map(id, suspects))
            if len(seen) < before + len(suspects) or len(seen) > _CHUNK + texts // 4:
                return None
            held.update((id(part), part) for part in suspects if type(part) not in (str, bytes))
        if not kinds.isdisjoint(_CONTAINERS):
            if len(levels) == _DEEPEST:
                return None
            levels.append(_inside(list(compress(chunk, map(_CONTAINERS.__contains__, types))), dicts))
    if not _have_own_keys(dicts):
        return None
    _add_parts_of_tuples(held)
    return held


def are_texts_of_one_holder(items: list[Any]) -> bool:
    """Whether `items`, a list of all that one other holds, are texts and numbers, and nobody else holds the texts."""
    counted = map(getrefcount, items)
    for begin in range(0, len(items), _CHUNK):
        references = list(islice(counted, _CHUNK))
        chunk = items[begin : begin + _CHUNK]
        types = set(map(type, chunk))
        if types <= _FREE or not types <= _FREE | {str, bytes} or _suspects(chunk, references):
            return False
    return True


class Unremembered:
    """A list that `pickler` writes without its memo: nothing in it is in anything else."""

    def __init__(self, items: list[Any], pickler: Any) -> None:
        self._items, self._pickler = items, pickler

    def __reduce__(self) -> Any:
        return list, (), None, chain(self._begin(), self._items, self._end())

    def _begin(self) -> Iterator[Any]:
        self._pickler.fast = True
        yield from ()

    def _end(self) -> Iterator[Any]:
        self._pickler.fast = False
        del self._pickler, self._items  # the pickler holds on to whatever it has written
        yield from ()


def _suspects(chunk: list[Any], references: list[int]) -> list[Any]:
    """Those of which the memo would make one object, and that more than one holds."""
    if references.count(_ALONE) == len(chunk):
        return []
    found = compress(chunk, map(_ALONE.__ne__, references))
    return [part for part in found if type(part) in _FELT and not _is_single(part)]


def _inside(containers: Collection[Any], dicts: list[dict[Any, Any]]) -> Iterator[Any]:
    """Values and keys, and items; `dicts` is given the dicts."""
    found = [container for container in containers if type(container) is dict]
    dicts += found
    return chain(chain.from_iterable(map(dict.values, found)), chain.from_iterable(containers))


def _add_parts_of_tuples(held: dict[int, object]) -> None:
    """What is in a tuple is held by whoever holds the tuple; of what is in a list, the list itself tells that."""
    waiting = [part for part in held.values() if type(part) is tuple]
    while waiting:
        found = [part for part in waiting.pop() if type(part) in _MAY_CHANGE]
        held.update((id(part), part) for part in found)
        waiting += [part for part in found if type(part) is tuple]


def _have_own_keys(dicts: list[dict[Any, Any]]) -> bool:
    # The attributes of several objects of a class may hold their names in common, which then count as held once.
    if len(dicts) < 2:
        return True
    return len(set(map(id, chain.from_iterable(dicts)))) == sum(map(len, dicts))


def _is_small(container: Any) -> bool:
    if len(container) >= MANY:
        return False
    items = container.values() if type(container) is dict else container
    return _CONTAINERS.isdisjoint(map(type, items))


def _is_single(part: Any) -> bool:
    """Whether there is only one of its kind, whoever makes it."""
    return not part if type(part) in (tuple, bytes) else type(part) is str and len(part) < 2 and part.isascii()
