"""G: C1 in a namespace of 10 to 10,000 names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.row import Figure, Row
from benchmarks.rows.c1_small_cell import CELL, INPUTS, expected, hit_above_empty

if TYPE_CHECKING:
    from benchmarks.bench import Bench

COUNTS = (10, 100, 1_000, 10_000)


def grow(bench: Bench, count: int) -> None:
    session = bench.tool.session(bench.place(f"{count} names"))
    session.load()
    session.define(INPUTS.format(seed=bench.seed))
    session.first(CELL)
    session.define("\n".join(f"name_{place} = [{place}]" for place in range(min(count, bench.size["most"]))))
    session.again(CELL)
    hit_above_empty(bench, session, CELL, expected(bench.seed), f"{count:,} names")


ROW = Row(
    name="G3",
    title="growth: C1 in a larger namespace",
    figures=tuple(Figure(f"{count:,} names") for count in COUNTS),
    steps={str(count): partial(grow, count=count) for count in COUNTS},
    surface="cell",
    tools=("ipycheckpoint", "LIMIT", "ipyflow", "marimo"),
    sizes={
        "full": {"most": 10_000, "milliseconds": 500},
        "quick": {"most": 10_000, "milliseconds": 200},
        "tiny": {"most": 10, "milliseconds": 0},
    },
    are_apart=True,
    most_rounds=2,
)
