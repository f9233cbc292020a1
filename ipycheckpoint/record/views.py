"""How an array that is a view of a live one is written: as where it lies in it, axis by axis, not byte by byte.

The live array may be laid out in another way when the view is made again: equal arrays are equal in any order.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ipycheckpoint.record import rebuild


class Along(NamedTuple):
    """A dimension of a view: by what step it goes along which axis of the other array."""

    axis: int
    step: int


def reduce_view(view: Any, live: Any) -> Any:
    """The reduction of `view` as a part of `live`; None where it can't be told as one."""
    for reduction in (_by_axes(view, live), _by_bytes(view, live)):
        if reduction is not None and _is_right(reduction, view):
            return reduction
    return None


def _is_right(reduction: Any, view: Any) -> bool:
    make, arguments = reduction
    made = make(*arguments)
    strides = [(a, b) for a, b, n in zip(made.strides, view.strides, view.shape, strict=True) if n > 1]
    return _address(made) == _address(view) and made.dtype == view.dtype and all(a == b for a, b in strides)


def _address(array: Any) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _by_axes(view: Any, live: Any) -> Any:
    if view.dtype != live.dtype:
        return None
    axes = [axis for axis in range(live.ndim) if live.shape[axis] > 1 and live.strides[axis] != 0]
    axes.sort(key=lambda axis: -abs(live.strides[axis]))
    starts = [0] * live.ndim
    rest = _address(view) - _address(live)
    rest -= sum(live.strides[axis] * (live.shape[axis] - 1) for axis in axes if live.strides[axis] < 0)
    for axis in axes:
        count, rest = divmod(rest, abs(live.strides[axis]))
        if not 0 <= count < live.shape[axis]:
            return None
        starts[axis] = count if live.strides[axis] > 0 else live.shape[axis] - 1 - count
    dimensions = [
        _along(stride, length, live, axes, starts) for stride, length in zip(view.strides, view.shape, strict=True)
    ]
    if rest or any(d is None and n > 1 for d, n in zip(dimensions, view.shape, strict=True)):
        return None
    plain = [None if d is None else tuple(d) for d in dimensions]
    return rebuild.live_view_v1, (live, tuple(starts), plain, view.shape, view.flags.writeable)


def _along(stride: int, length: int, live: Any, axes: list[int], starts: list[int]) -> Along | None:
    if length < 2:
        return None
    for axis in axes:
        step, rest = divmod(stride, live.strides[axis])
        if not rest and 0 <= starts[axis] + step * (length - 1) < live.shape[axis]:
            return Along(axis, step)
    return None


def _by_bytes(view: Any, live: Any) -> Any:
    order = "C" if live.flags.c_contiguous else "F" if live.flags.f_contiguous else None
    if order is None or (view.dtype.hasobject and view.dtype != live.dtype):
        return None
    offset = _address(view) - _address(live)
    if offset < 0 or offset + math.prod(view.shape) * view.itemsize > live.nbytes:
        return None
    arguments = (live, order, offset, view.dtype, view.shape, view.strides, view.flags.writeable)
    return rebuild.live_bytes_v1, arguments
