"""How arrays and tensors go into a stream: their memory out of band, and shared memory shared.

Two arrays of one section that overlap in memory are written as views of one span, the union of the
memory that they reach, so that a write through one is seen in the other after loading, too. An array that
overlaps no other takes only its own content along, however large its base is.
"""

from __future__ import annotations

import bisect
import itertools
import pickle
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.record import rebuild
from ipycheckpoint.record.once import MANY, Unremembered, are_texts_of_one_holder
from ipycheckpoint.record.views import reduce_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EXACT_WORK = 10_000
# Steps that numpy may take to find out whether two arrays with a common range have a common byte.

_PAIRWISE = 64

_TENSOR_TYPES = {"bfloat16": "int16"}
# What torch has and numpy hasn't: written as integers of the same size.


class ReachedAgain(Exception):  # noqa: N818 - it says what is so, and is no error
    """What was written without a memo is in something else, too."""


class Reach(NamedTuple):
    """An array and the range of addresses that it reaches."""

    low: int
    high: int
    array: Any


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """The memory of several arrays as one array, bytes unless it holds objects."""

    low: int
    high: int
    memory: Any

    @property
    def key(self) -> tuple[int, int]:
        """What tells it from other spans."""
        return self.low, self.high


@dataclass(slots=True)
class Arrays:
    """Reduces the arrays and tensors of one stream, and remembers which memory they reach."""

    spans: Sequence[Span] = ()
    """Of which the arrays inside are written as views; in the order of memory."""
    live: Sequence[Reach] = ()
    """Arrays that are there already, and only linked to: their views are written as such."""
    pickler: Any = None
    """While it writes, the pickler whose memo may be turned off; None where it may not."""
    reached: list[Reach] = field(default_factory=list)
    _unremembered: list[Reach] = field(default_factory=list)
    _apart: dict[int, Any] = field(default_factory=dict)

    def keep_apart(self, manager: Any) -> None:
        """Never share the arrays of a data frame: pandas, not memory, knows when its frames share."""
        for values in getattr(manager, "arrays", ()):
            for array in (values, getattr(values, "_ndarray", None)):
                if array is not None:
                    self.set_apart(array)

    def set_apart(self, array: Any) -> None:
        """Write this array with its content, whatever memory it shares."""
        self._apart[id(array)] = array

    def reduce_array(self, array: Any) -> Any:
        """Content out of band, or a view of a span; NotImplemented leaves it to numpy."""
        reach = _reach(array)
        if reach is None:
            return NotImplemented
        if id(array) not in self._apart:
            if (view := self._view_of_live(reach)) is not None:
                return view
            if (span := span_at(self.spans, reach)) is not None:
                return _reduce_to_view(array, span.low, span.memory)
            self.reached.append(reach)
        if array.dtype.hasobject:
            return self._reduce_objects(array, reach)
        if 0 in array.strides and any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape, strict=True)):
            return _reduce_broadcast(array)
        if not array.flags.forc and reach.high - reach.low == array.nbytes:
            # Its axes are only turned or reversed. The layout decides whether a `reshape` shares memory, so it stays.
            return _reduce_to_view(array, reach.low, _memory(reach.low, reach.high, [reach]))
        return _reduce_plain(array)

    def _reduce_objects(self, array: Any, reach: Reach) -> Any:
        """As numpy does it, but texts that nothing else holds are written without a memo."""
        if any(other.low < reach.high and reach.low < other.high for other in self._unremembered):
            raise ReachedAgain
        if self.pickler is None or array.size < MANY:
            return NotImplemented
        make, arguments, (*state, items) = array.__reduce__()
        if not are_texts_of_one_holder(items):
            return NotImplemented
        self._unremembered.append(reach)
        return make, arguments, (*state, Unremembered(items, self.pickler))

    def _view_of_live(self, reach: Reach) -> Any:
        for live in self.live:
            if live.low <= reach.low and reach.high <= live.high and reach.array is not live.array:
                reduction = reduce_view(reach.array, live.array)
                if reduction is not None:
                    return reduction
        return None

    def reduce_tensor(self, tensor: Any, *, is_parameter: bool) -> Any:
        """A dense tensor of the CPU by way of its numpy array; NotImplemented leaves it to torch."""
        dtype = str(tensor.dtype).removeprefix("torch.")
        try:
            if (
                tensor.device.type != "cpu"
                or str(tensor.layout) != "torch.strided"
                or tensor.is_conj()
                or tensor.is_neg()
            ):
                return NotImplemented
            bare = tensor.detach()
            if dtype in _TENSOR_TYPES:
                bare = bare.view(getattr(_torch(), _TENSOR_TYPES[dtype]))
            array = bare.numpy()
        except (TypeError, RuntimeError):
            return NotImplemented  # quantized, nested, a subclass in disguise
        grad = tensor.grad if tensor.is_leaf else None
        state = {"grad": grad, "dict": dict(vars(tensor))} if grad is not None or vars(tensor) else None
        arguments = (array, dtype, tensor.requires_grad, is_parameter)
        return rebuild.tensor_v1, arguments, state, None, None, rebuild.fill_tensor_v1


def _torch() -> Any:
    return sys.modules["torch"]


def _reach(array: Any) -> Reach | None:
    # None for what has no memory of its own kind: nothing in it, or elements of variable width.
    if array.nbytes == 0 or (array.dtype.hasobject and array.dtype.kind != "O"):
        return None
    low = high = array.__array_interface__["data"][0]
    for stride, length in zip(array.strides, array.shape, strict=True):
        if stride < 0:
            low += stride * (length - 1)
        else:
            high += stride * (length - 1)
    return Reach(low, high + array.itemsize, array)


def reaches_of(values: Iterable[object]) -> list[Reach]:
    """The reach of each plain numpy array among `values`."""
    numpy = sys.modules.get("numpy")
    arrays = [value for value in values if numpy is not None and type(value) is numpy.ndarray]
    return [reach for array in arrays if (reach := _reach(array)) is not None]


def _reduce_to_view(array: Any, low: int, memory: Any) -> Any:
    offset = array.__array_interface__["data"][0] - low
    return rebuild.view_v1, (memory, offset, array.dtype, array.shape, array.strides, array.flags.writeable)


def _reduce_broadcast(array: Any) -> Any:
    base = array[tuple(slice(0, 1) if s == 0 else slice(None) for s in array.strides)]
    order = "F" if base.flags.f_contiguous and not base.flags.c_contiguous else "C"
    base = base.copy(order=order)
    strides = tuple(0 if old == 0 else new for old, new in zip(array.strides, base.strides, strict=True))
    return rebuild.broadcast_v1, (base, array.shape, strides, array.flags.writeable)


def _reduce_plain(array: Any) -> Any:
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    if not array.flags.forc:
        array = array.copy(order="C")
    flat = array.reshape(-1, order=order).view("u1")
    return rebuild.array_v1, (pickle.PickleBuffer(flat), array.dtype, array.shape, order)


def spans_of(reached: Iterable[Reach]) -> list[Span]:
    """The spans that several arrays have to share, in the order of memory."""
    different = {(r.low, r.high, r.array.strides, r.array.shape, r.array.dtype, id(r.array)): r for r in reached}
    spans = []
    cluster: list[Reach] = []
    high = 0
    for reach in sorted(different.values(), key=lambda r: (r.low, r.high)):
        if cluster and reach.low >= high:
            spans += _spans_of_cluster(cluster)
            cluster = []
        high = max(high, reach.high) if cluster else reach.high
        cluster.append(reach)
    return spans + _spans_of_cluster(cluster)


def span_at(spans: Sequence[Span], reach: Reach) -> Span | None:
    """Which of the `spans` an array has to be a view of, if any."""
    index = bisect.bisect_right(spans, reach.low, key=lambda span: span.low) - 1
    if index < 0:
        return None
    span = spans[index]
    return span if reach.high <= span.high and reach.array is not span.memory else None


def _spans_of_cluster(cluster: list[Reach]) -> list[Span]:
    # Among very many arrays with a common range some are taken to share: asking each pair would take long.
    if len(cluster) <= _PAIRWISE and not any(_share(one, two) for one, two in itertools.combinations(cluster, 2)):
        return []
    low, high = min(r.low for r in cluster), max(r.high for r in cluster)
    return [Span(low, high, _memory(low, high, cluster))]


def _share(one: Reach, two: Reach) -> bool:
    import numpy as np

    if one.high <= two.low or two.high <= one.low:
        return False
    try:
        return bool(np.shares_memory(one.array, two.array, max_work=_EXACT_WORK))  # type: ignore[arg-type] # stubs know only -1 and 0
    except (np.exceptions.TooHardError, OverflowError):
        return True


def _memory(low: int, high: int, cluster: list[Reach]) -> Any:
    # Every byte between `low` and `high` is within reach of one of the arrays, which hold on to the memory.
    import numpy as np

    arrays = [reach.array for reach in cluster]
    if arrays[0].dtype.hasobject:
        first = min(cluster, key=lambda r: r.low).array
        corner = first[(..., *(slice(0, 1) if stride >= 0 else slice(-1, None) for stride in first.strides))]
        shape, strides = ((high - low) // first.itemsize,), (first.itemsize,)
        return np.lib.stride_tricks.as_strided(corner.reshape(1), shape, strides)
    return np.asarray(_Memory(low, high, arrays))


class _Memory:
    """Tells numpy of memory that `owners` hold."""

    def __init__(self, low: int, high: int, owners: list[Any]) -> None:
        self.owners = owners
        readonly = not any(array.flags.writeable for array in owners)
        self.__array_interface__ = {"version": 3, "typestr": "|u1", "shape": (high - low,), "data": (low, readonly)}
