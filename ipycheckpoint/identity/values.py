"""The Digest of any value: one walk over the graph of what is inside, each type saying only its Shape.

**Acyclic values.** A value is digested after its parts: kind, data, and the digests of the parts, every field
framed. What is shared inside is digested once and counts as often as it is met, so equal values are equal
whether they share or not. Leaves (numbers, None, short texts) go into the node that holds them; plain data
goes through the C pickler as a whole (see `kinds.plain`).

**Cycles.** The walk is Tarjan's algorithm for strongly connected components (SIAM J. Comput. 1 (1972) 146),
so each component is complete when its entry, the member that was visited first, is left. Its members are
numbered in the order of the visit and encoded in that order: a part outside the component by its digest, one
inside by its number. That is the digest of the component, and a member's digest is that and its number.
So within a cycle, and only there, it counts which objects are one and the same.

**Sets.** The digests of the parts are sorted. For the numbers above, parts are visited in the order of their
own digests without what is inside. Two that are equal in that, in a set that is part of a cycle, may be
numbered either way: the one case where equal values can get two digests, and never the other way round.

The walk keeps its own stack, so depth is bounded by memory alone. It is linear in values and references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blake3 import blake3

from ipycheckpoint.digest import Digest, Hasher
from ipycheckpoint.errors import Unidentifiable
from ipycheckpoint.identity.kinds import plain
from ipycheckpoint.identity.kinds.plain import (
    CONTAINERS,
    MAX_COUNT,
    MAX_DEPTH,
    Extent,
    Familiar,
    extent,
    is_leaf,
)
from ipycheckpoint.identity.registry import Registry, builtin_registry, qualified
from ipycheckpoint.identity.shapes import Refusal, Shape
from ipycheckpoint.progress import advance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from typing_extensions import Buffer  # annotations only: nothing is imported at run time

_SMALL_NBYTES = 1024
_LENGTHS = [length.to_bytes(8, "little") for length in range(_SMALL_NBYTES)]
_NEVER_ENDS = 1_000_000  # steps deep: an object that makes a new one of its kind whenever it is asked
_TOLD_EVERY = 1024  # values; some milliseconds
_SCAN_CREDIT = 1 << 20  # values; what may be spent on looking for plain data in vain
_SCAN_EARNINGS = 100  # values more for each one that is visited, which takes about as long


def digest_value(
    value: object, name: str = "value", *, fingerprints: Mapping[str | type, Callable[[Any], object]] | None = None
) -> Digest:
    """The Digest of `value`, called `name` in messages: equal for equal values, in every process.

    `fingerprints` maps types, or their full names, to functions that return something simpler to digest in
    the place of such a value. Raises Unidentifiable, with the path, when something inside has no identity.

    >>> digest_value([1, 2, {"a": 0.5}]) == digest_value([1, 2, {"a": 0.5}])
    True
    >>> digest_value([1]) == digest_value([True])
    False
    """
    if is_leaf(value):
        return Digest(plain.digest_leaf(value).hex())
    registry = builtin_registry.overlaid(fingerprints) if fingerprints else builtin_registry
    return Digest(_Walk(registry, name).digest(value).hex())


class Fingerprint:
    """The Digest of a value, and the registry of types that have a say in it.

    >>> fingerprint((1, "a")) == fingerprint([1, "a"])
    False
    """

    def __call__(self, value: object) -> Digest:
        """The Digest of `value`. Raises Unidentifiable, with the path to what has no identity."""
        return digest_value(value)

    def register(self, kind: str | type) -> Callable[[Callable[[Any], object]], Callable[[Any], object]]:
        """Make the decorated function, which returns something simpler, stand for values of this class.

        `kind` is the class, or its full name, which needs no import; subclasses are meant, too. Raises
        UsageError for plain types such as ``list``.

        >>> @fingerprint.register("shop.Catalogue")
        ... def catalogue(value):
        ...     return value.version, sorted(value.items)
        """

        def register(function: Callable[[Any], object]) -> Callable[[Any], object]:
            builtin_registry.register(kind, function)
            return function

        return register


fingerprint = Fingerprint()


class _Node:
    """One value on the walk."""

    __slots__ = (
        *("children", "digest", "encoded", "extent", "index", "leaves", "local", "low"),
        *("mask", "next", "open", "parts", "shape", "value", "where"),
    )

    def __init__(self, value: object) -> None:
        self.value = value  # alive as long as its id is looked up
        self.parts: list[object] = []  # those that are no leaves
        self.where: list[int] | None = None  # their positions among all parts; None when these are all
        self.leaves: Sequence[object] = ()
        self.encoded: bytes | None = None  # the leaves, where that is known already
        self.mask: bytes = b""
        self.shape: Shape | None = None
        self.children: list[_Node] = []
        self.next = 0
        self.index = -1
        self.low = -1
        self.open = False
        self.extent: Extent | None = None
        self.local: bytes | None = None
        self.digest: bytes | None = None

    def own_digest(self) -> bytes:
        """The digest of this value without the parts that are no leaves."""
        if self.local is None:
            if self.shape is None:
                return self.full_digest()
            shape = self.shape
            if shape.unordered:
                leaves = plain.set_of_leaves(self.leaves) if self.leaves else b""
            else:
                leaves = plain.leaf_bytes(self.leaves) if self.encoded is None else self.encoded
            count = len(shape.data).to_bytes(4, "little")
            self.local = _digest("value", shape.kind.encode(), count, *shape.data, self.mask, leaves)
        return self.local

    def full_digest(self) -> bytes:
        """The digest of this value and all that is inside; its parts have theirs."""
        if self.digest is None:
            if self.extent is not None:
                self.digest = plain.digest_plain(self.value, self.extent)
            elif self.children:
                digests: Iterable[bytes] = (child.full_digest() for child in self.children)
                if self.is_unordered:
                    digests = sorted(digests)
                self.digest = _digest("values", self.own_digest(), b"".join(digests))
            else:
                self.digest = self.own_digest()
            self.shape = self.encoded = None  # the buffers in it may be large, and have been digested
        return self.digest

    @property
    def is_unordered(self) -> bool:
        return self.shape is not None and self.shape.unordered


class _Walk:
    """One walk from one value. `path` is the way to the node in hand, whose `next` part is looked at."""

    def __init__(self, registry: Registry, name: str) -> None:
        self._shaper = registry.shaper
        self._name = name
        self._nodes: dict[int, _Node] = {}
        self._path: list[_Node] = []
        self._open: list[_Node] = []
        self._visited = 0
        self._credit = _SCAN_CREDIT

    def digest(self, value: object) -> bytes:
        """The digest of `value`, 32 bytes."""
        root = self._node(value)
        self._enter(root)
        path, nodes = self._path, self._nodes
        while path:
            node = path[-1]
            position = node.next
            if position == len(node.parts):
                path.pop()
                if node.low == node.index:
                    self._close(node)
                if path:
                    path[-1].next += 1
                    path[-1].low = min(path[-1].low, node.low)
                continue
            part = node.parts[position]
            child = nodes.get(id(part)) or self._node(part)
            node.children.append(child)
            if child.index < 0:
                self._enter(child)
                if path[-1] is not node:
                    continue
            elif child.open:
                node.low = min(node.low, child.index)
            node.next = position + 1
        return root.full_digest()

    def _node(self, value: object) -> _Node:
        """The node of a value that is met for the first time: its Shape is taken here, once."""
        node = _Node(value)
        kind = type(value)
        self._nodes[id(value)] = node
        self._credit += _SCAN_EARNINGS
        try:
            if kind in CONTAINERS and self._credit > 0:
                found = extent(value)
                if isinstance(found, Familiar):
                    node.extent, node.digest = found
                    return node
                if isinstance(found, Extent):
                    node.extent = found
                    return node
                self._credit -= found.cost
            shape = self._shaper(kind)(value)
        except Unidentifiable:
            raise
        except Exception as error:
            raise self._refused(value, f"asking for its state raised {type(error).__name__}: {error}") from error
        if isinstance(shape, Refusal):
            raise self._refused(value, shape.reason)
        node.shape = shape
        self._sort_out(node, shape)
        return node

    def _sort_out(self, node: _Node, shape: Shape) -> None:
        """Tell leaves from parts that are nodes themselves."""
        parts = shape.parts
        if not parts:
            return
        if shape.data and not shape.unordered:  # its own digest is made at once, so nothing is held for long
            node.encoded = plain.encoded_leaves(parts)
        if node.encoded is not None:
            node.leaves = parts
            return
        if plain.all_leaves(parts):
            node.leaves = list(parts)
            return
        where = [position for position, part in enumerate(parts) if not is_leaf(part)]
        if len(where) == len(parts):
            node.parts = list(parts)
            return
        node.parts = [parts[position] for position in where]
        node.where = where
        mask = bytearray(len(parts))
        for position in where:
            mask[position] = 1
        inside = iter(mask)
        node.leaves = [part for part in parts if not next(inside)]
        if not shape.unordered:
            node.mask = bytes(mask)

    def _enter(self, node: _Node) -> None:
        node.index = node.low = self._visited
        self._visited += 1
        if not self._visited % _TOLD_EVERY:
            advance()
        if not node.parts:
            if node.extent is None and type(node.value) in CONTAINERS:
                node.extent = _extent_of(node)
            if node.shape is not None and node.shape.data:
                node.full_digest()
            return
        if len(self._path) >= _NEVER_ENDS:
            raise self._refused(node.value, "what is inside never ends")
        node.open = True
        self._open.append(node)
        self._path.append(node)
        if len(node.parts) > 1 and node.is_unordered:
            node.parts = self._in_order(node)

    def _in_order(self, node: _Node) -> list[object]:
        order = []
        for position, part in enumerate(node.parts):
            node.next = position
            order.append((self._nodes.get(id(part)) or self._node(part)).own_digest())
        node.next = 0
        return [node.parts[i] for i in sorted(range(len(order)), key=order.__getitem__)]

    def _close(self, entry: _Node) -> None:
        """Digest the component that was entered here; all that it leads to has been digested."""
        if self._open[-1] is entry and entry not in entry.children:
            self._open.pop()
            entry.open = False
            if type(entry.value) in CONTAINERS:
                entry.extent = _extent_of(entry)
            if entry.extent is None:
                entry.full_digest()
            entry.children = []
            return
        start = next(i for i in range(len(self._open) - 1, -1, -1) if self._open[i] is entry)
        members = self._open[start:]
        del self._open[start:]
        numbers = {id(member): number.to_bytes(8, "little") for number, member in enumerate(members)}
        hasher = Hasher("cycle")
        for member in members:
            inside = (
                b"\1" + numbers[id(child)] if id(child) in numbers else b"\0" + child.full_digest()
                for child in member.children
            )
            ways = sorted(inside) if member.is_unordered else inside
            hasher.field(member.own_digest()).field(b"".join(ways))
        cycle = hasher.digest()
        for member in members:
            member.open = False
            member.digest = _digest("in cycle", cycle, numbers[id(member)])
            member.children = []
            member.shape = None

    def _refused(self, value: object, reason: str) -> Unidentifiable:
        steps = [self._name]
        for node in self._path:
            if node.next < len(node.parts) and node.shape is not None and node.shape.labels is not None:
                steps.append(node.shape.labels(node.where[node.next] if node.where else node.next))
        return Unidentifiable("".join(steps), qualified(type(value)), reason)


def _extent_of(node: _Node) -> Extent | None:
    """The same as `plain.extent`, from those of the parts."""
    depth = 2 if node.leaves else 1
    count = 1 + len(node.leaves)
    for child in node.children:
        if child.extent is None:
            return None
        depth = max(depth, 1 + child.extent.depth)
        count += child.extent.size
    return Extent(depth, count) if depth <= MAX_DEPTH and count <= MAX_COUNT else None


def _digest(kind: str, *fields: Buffer) -> bytes:
    """The 32 bytes of `digest.digest`: with one call instead of several where the fields are small."""
    framed: list[bytes] = [_LENGTHS[len(kind)], kind.encode()]
    for field in fields:
        if not isinstance(field, bytes) or len(field) >= _SMALL_NBYTES:
            break
        framed += (_LENGTHS[len(field)], field)
    else:
        return blake3(b"".join(framed)).digest()
    hasher = Hasher(kind)
    for field in fields:
        hasher.field(field)
    return hasher.digest()
