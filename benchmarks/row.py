"""What a row of the table is: a workload, in steps, and the figures that come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.bench import Bench

Unit = Literal["s", "bytes", "count", "x"]
Scale = Literal["full", "quick", "tiny"]


@dataclass(frozen=True)
class Figure:
    """One number of a row: less is better. The goals are ours."""

    name: str
    unit: Unit = "s"
    of_best: float | None = None
    """As a multiple of the best neighbour's."""
    of_limit: float | None = None
    """As a multiple of the LIMIT's."""
    at_most: float | None = None
    """In its own unit."""


@dataclass(frozen=True)
class Row:
    """A workload. Each step runs in a process of its own; all steps of a tool share one fresh directory."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    steps: Mapping[str, Callable[[Bench], None]]
    sizes: Mapping[Scale, Mapping[str, int]]
    surface: Literal["function", "cell"] = "function"
    tools: tuple[str, ...] | None = None
    """Those that take part; all of the surface unless given."""
    no_measure: tuple[str, ...] = ()
    """Those that are never the best neighbour, as the remark tells."""
    are_apart: bool = False
    """The steps don't need each other: after one that fails, the others can run."""
    most_rounds: int = 99
    dropped: tuple[str, ...] = ()
    """The steps before which the files of the tool are dropped from the page cache."""
    remark: str = ""
    seconds_limit: Mapping[Scale, int] = field(default_factory=lambda: {"full": 600, "quick": 90, "tiny": 60})
    """What a step may take before it counts as failed."""
