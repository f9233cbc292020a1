"""G: M2 with more items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.bench import timed
from benchmarks.row import Figure, Row
from benchmarks.rows.m2_bulk import many, work

if TYPE_CHECKING:
    from benchmarks.bench import Bench

COUNTS = (1_000, 10_000, 100_000)


def grow(bench: Bench) -> None:
    call = bench.decorated(work)
    for named in COUNTS[: bench.size["counts"]]:
        items = range(named // bench.size["divided_by"])
        many(call, items)
        before = bench.runs.count
        _, took = timed(lambda items=items: many(call, items))
        if bench.runs.count == before:
            bench.figures[f"{named:,} items"] = took / len(items)
        else:
            bench.failures[f"{named:,} items"] = "ran again"


ROW = Row(
    name="G4",
    title="growth: M2 with more items, an item",
    figures=tuple(Figure(f"{count:,} items") for count in COUNTS),
    steps={"grow": grow},
    tools=("ipycheckpoint", "LIMIT", "diskcache"),
    sizes={
        "full": {"counts": 3, "divided_by": 1},
        "quick": {"counts": 2, "divided_by": 1},
        "tiny": {"counts": 1, "divided_by": 20},
    },
    most_rounds=1,
    remark="Only with the tools that keep small results in one file.",
)
