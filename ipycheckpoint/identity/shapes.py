"""A Shape: what one value is made of, said by its type and digested by the walker in `values`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Buffer  # annotations only: nothing is imported at run time


class Shape(NamedTuple):
    """One value, one level deep: all that counts is in here, and nothing else."""

    kind: str
    """What it is, such as ``numpy.ndarray``: two kinds never have the same digest."""
    data: tuple[Buffer, ...] = ()
    """Raw bytes that count: any number of C-contiguous buffers, framed each."""
    parts: Sequence[object] = ()
    """The values inside, in order."""
    labels: Callable[[int], str] | None = None
    """The step of the path that leads to part `i`: ``[3]``, ``['a']``, ``.weights``."""
    unordered: bool = False
    """The parts are a set: their order does not count."""


class Refusal(NamedTuple):
    """The value has no stable identity."""

    reason: str
    """Why, and the way out, as the end of a sentence."""


Shaper = Callable[[Any], Shape | Refusal]


def positions(index: int) -> str:
    """The label of an item in a sequence.

    >>> positions(3)
    '[3]'
    """
    return f"[{index}]"


def named(*labels: str) -> Callable[[int], str]:
    """Labels for a fixed number of parts; what comes after them is numbered.

    >>> named(".index", ".name")(1)
    '.name'
    """
    return lambda index: labels[index] if index < len(labels) else f"[{index - len(labels)}]"


def text(value: object) -> bytes:
    """The bytes of ``str(value)``, lone surrogates included, for a field of `Shape.data`."""
    return str(value).encode("utf-8", "surrogatepass")
