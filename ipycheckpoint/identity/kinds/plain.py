"""Plain data: lists, tuples and dicts of numbers, texts and None, and nothing else.

It is digested as one stream of the C pickler with the memo off, which is the same for equal values
on every Python that we support, whatever they share inside. What is plain depends on the value alone,
*unfolded* as if nothing in it were shared: otherwise equal values could go different ways.
"""

from __future__ import annotations

import pickle
from itertools import chain, compress, islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from blake3 import blake3

from ipycheckpoint.identity.kinds.streams import Streams
from ipycheckpoint.identity.registry import PLAIN_TYPES, shapes_of
from ipycheckpoint.identity.shapes import Shape, positions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

ATOMS = frozenset({type(None), bool, int, float})
TEXTS = frozenset({str, bytes})
CONTAINERS = frozenset({list, tuple, dict})

MAX_DEPTH = 64  # the pickler recurses in C, so it must never get anything deep
MAX_COUNT = 1 << 24  # values; bounds the work where a little memory unfolds into a lot
MAX_TEXT = 4096  # characters or bytes; a longer text is digested once, however often it is shared
_CHUNK = 1 << 13  # values; few enough to stay in the processor's cache
_LARGE = 1 << 12  # values; from here on it pays to ask whether the same was there before
_SUSPECT_COUNT, _SUSPECT_DEPTH = 1 << 20, 8
# Past either, a value may be one that refers to itself again and again, and is looked at more closely.


class Extent(NamedTuple):
    """How large a plain value is when unfolded; an atom has a depth and a size of one."""

    depth: int
    size: int


class Familiar(NamedTuple):
    """The value is plain: an equal one was digested before."""

    extent: Extent
    digest: bytes


class NotPlain(NamedTuple):
    """The value is not plain, or so shared inside that another way to find out is faster."""

    cost: int
    """What it took to see, in values."""


def is_leaf(value: object) -> bool:
    """Whether `value` is a number, None, or a text of moderate length."""
    kind = type(value)
    return kind in ATOMS or (kind in TEXTS and len(value) <= MAX_TEXT)  # type: ignore[arg-type] # texts have a length


def all_leaves(values: Sequence[object]) -> bool:
    """Whether `is_leaf` holds for each, at the speed of C."""
    found = set(map(type, values))
    return found <= _LEAVES and not _has_long_text(values, found)


_LEAVES = ATOMS | TEXTS


def extent(value: object) -> Extent | Familiar | NotPlain:
    """The Extent of a plain value. Goes through it in chunks, at the speed of C, in bounded memory.

    What is large and was digested before is recognized by its digest, in a fraction of the time.
    """
    if type(value) not in CONTAINERS:
        return Extent(1, 1) if is_leaf(value) else NotPlain(1)
    count = deepest = 1
    is_asked = False
    levels: list[Iterator[object]] = [_inside((value,), has_dicts=type(value) is dict)]
    while levels:
        chunk = list(islice(levels[-1], _CHUNK))
        if not chunk:
            levels.pop()
            continue
        depth = len(levels) + 1
        deepest = max(deepest, depth)
        count += len(chunk)
        found = set(map(type, chunk))
        if depth > MAX_DEPTH or count > MAX_COUNT or not found <= PLAIN_TYPES or _has_long_text(chunk, found):
            return NotPlain(count + 50 * deepest)
        if count >= _LARGE and not is_asked:
            is_asked = True
            known = _values.recall(value)
            if known is not None:
                return Familiar(known.fact, known.digest)
        if found.isdisjoint(CONTAINERS):
            continue
        containers = _containers(chunk, found)
        is_suspect = depth > _SUSPECT_DEPTH or count > _SUSPECT_COUNT
        if is_suspect and len(set(map(id, containers))) * 2 < len(containers):
            return NotPlain(count)
        levels.append(_inside(containers, has_dicts=dict in found))
    return Extent(deepest, count)


def _containers(values: list[object], found: set[type]) -> list[object]:
    if found <= CONTAINERS:
        return values
    return list(compress(values, map(CONTAINERS.__contains__, map(type, values))))


def _inside(containers: Sequence[Any], *, has_dicts: bool) -> Iterator[object]:
    """What is in the containers: items, and keys and values, in any order."""
    # Not by `gc.get_referents`, which does not show what is in the `__dict__` of an instance on Python 3.13.
    items = chain.from_iterable(containers)
    if not has_dicts:
        return items
    dicts = [container for container in containers if type(container) is dict]
    return chain(items, chain.from_iterable(map(dict.values, dicts)))


def _has_long_text(values: Sequence[object], found: set[type]) -> bool:
    """Whether there is one among `values`, of which `found` are the types."""
    texts = found & TEXTS
    if not texts:
        return False
    long: Iterable[Any] = values if texts == found else compress(values, map(texts.__contains__, map(type, values)))
    return max(map(len, long)) > MAX_TEXT


class _Sink:
    """A file that hashes what is written to it."""

    __slots__ = ("write",)

    def __init__(self, update: Callable[[Any], object]) -> None:
        self.write = update


_STREAM = b"\x05\0\0\0\0\0\0\0plain"  # a framed kind, as `Hasher` writes it; a pickle ends itself
_SCALAR = b"\x06\0\0\0\0\0\0\0scalar"


_values = Streams[Extent](_STREAM)
_leaves = Streams[Literal[True]](b"")


def digest_plain(value: object, extent: Extent) -> bytes:
    """The digest, 32 bytes, of a value that has this Extent."""
    if extent.size >= _LARGE:
        return _values.learn(value, extent)
    content = blake3(_STREAM)
    pickler = pickle.Pickler(_Sink(content.update), 5)
    pickler.fast = True
    pickler.dump(value)
    return content.digest()


def digest_leaf(value: object) -> bytes:
    """The digest, 32 bytes, of one leaf."""
    return blake3(_SCALAR + pickle.dumps(value, 5)).digest()


def leaf_bytes(leaves: Sequence[object]) -> bytes:
    """An injective encoding of a sequence of leaves."""
    if not leaves:
        return b""
    chunks: list[bytes] = []
    pickler = pickle.Pickler(_Sink(chunks.append), 5)
    pickler.fast = True
    pickler.dump(leaves if type(leaves) is list else list(leaves))
    return b"".join(chunks)


def encoded_leaves(values: Sequence[object]) -> bytes | None:
    """The `leaf_bytes` of many values that are leaves, all of them; None for others, and for few."""
    if type(values) is not list or len(values) < _LARGE:
        return None
    pieces: list[bytes] = []
    if _leaves.recall(values, pieces) is None:
        if not all_leaves(values):
            return None
        pieces.clear()
        _leaves.learn(values, True, pieces)
    return b"".join(pieces)


def set_of_leaves(leaves: Sequence[Any]) -> bytes:
    """An injective encoding of leaves that does not depend on their order."""
    kinds = set(map(type, leaves))
    if len(kinds) == 1 and kinds <= _SORTABLE:
        return b"sorted" + leaf_bytes(sorted(leaves))
    return b"encoded" + leaf_bytes(sorted(pickle.dumps(leaf, 5) for leaf in leaves))


_SORTABLE = frozenset({int, str, bytes})


@shapes_of("builtins.list", subclasses=False)
def _list(value: list[object]) -> Shape:
    return Shape("list", (), value, positions)


@shapes_of("builtins.tuple", subclasses=False)
def _tuple(value: tuple[object, ...]) -> Shape:
    return Shape("tuple", (), value, positions)


@shapes_of("builtins.dict", subclasses=False)
def _dict(value: dict[object, object]) -> Shape:
    return Shape("dict", (), [*value, *value.values()], key_labels(value))


@shapes_of("builtins.set", subclasses=False)
def _set(value: set[object]) -> Shape:
    return Shape("set", (), list(value), lambda _: "{…}", unordered=True)


@shapes_of("builtins.frozenset", subclasses=False)
def _frozenset(value: frozenset[object]) -> Shape:
    return Shape("frozenset", (), list(value), lambda _: "{…}", unordered=True)


@shapes_of("builtins.str", subclasses=False)
def _str(value: str) -> Shape:
    return Shape("str", (value.encode("utf-8", "surrogatepass"),))


@shapes_of("builtins.bytes", subclasses=False)
def _bytes(value: bytes) -> Shape:
    return Shape("bytes", (value,))


def key_labels(keys: Iterable[object]) -> Callable[[int], str]:
    """Labels for the keys of a mapping and then its values: a value is at ``['name']``."""

    def label(index: int) -> str:
        names = list(keys)
        if index < len(names):
            return f".keys()[{index}]"
        key = names[index - len(names)]
        return f"[{key!r}]" if is_leaf(key) else f".values()[{index - len(names)}]"

    return label
