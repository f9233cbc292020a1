"""C1 and C2: a cell with small inputs and outputs is restored, alone and beside a large array that it doesn't use."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from benchmarks.bench import timed
from benchmarks.cell import Cell
from benchmarks.row import Figure, Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench

INPUTS = """
import logging
count = {seed}
ratio = 0.5 + {seed}
label = "label {seed}"
sizes = list(range(10))
colours = {{"red": 1, "green": 2}}
"""

CELL = Cell(
    "small",
    (
        ("total", "count+1"),
        ("half", "ratio/2"),
        ("title", "label.upper()"),
        ("written", "list(map(str,sizes))"),
        ("shades", "sorted(colours)"),
    ),
)


def expected(seed: int) -> dict[str, object]:
    return {
        "total": seed + 1,
        "half": (0.5 + seed) / 2,
        "title": f"LABEL {seed}",
        "written": [str(size) for size in range(10)],
        "shades": ["green", "red"],
    }


def restore(bench: Bench) -> None:
    session = bench.tool.session(bench.directory)
    session.load()
    session.define(INPUTS.format(seed=bench.seed))
    session.first(CELL)
    alone = hit_above_empty(bench, session, CELL, expected(bench.seed), "hit")
    # What the namespace holds besides, so the difference is taken in one process.
    session.define(f"import numpy\nlarge = numpy.ones({bench.size['nbytes']} // 8)")
    session.again(CELL)
    beside = hit_above_empty(bench, session, CELL, expected(bench.seed), "hit beside 1 GB")
    if alone is not None and beside is not None:
        bench.figures["difference"] = max(0.0, beside - alone)


def hit_above_empty(bench: Bench, session, cell: Cell, values: dict[str, object], figure: str) -> float | None:
    """The median seconds of a hit, above those of an empty cell in the same shell."""
    session.unbind(cell.names)
    count = bench.runs.count
    once = timed(lambda: session.again(cell))[0]
    found = {name: session.value(name) for name in values}
    if bench.runs.count != count:
        bench.failures[figure] = "ran again"
        return None
    if found != values:
        bench.failures[figure] = "another result came back"
        return None
    hits, empties = [once], []
    end = time.perf_counter() + bench.size["milliseconds"] / 1000
    while len(hits) < 3 or time.perf_counter() < end:
        empties.append(session.empty())
        hits.append(session.again(cell))
    if bench.runs.count != count:
        bench.failures[figure] = "ran again"
        return None
    took = bench.figures[figure] = statistics.median(hits) - statistics.median(empties)
    return took


ROW = Row(
    name="C1-2",
    title="cell hit, 5 small inputs and outputs, above an empty cell",
    figures=(
        Figure("hit", at_most=1.5e-3),
        Figure("hit beside 1 GB"),
        Figure("difference", at_most=0.1e-3),
    ),
    steps={"restore": restore},
    surface="cell",
    sizes={
        "full": {"nbytes": 1_000_000_000, "milliseconds": 2000},
        "quick": {"nbytes": 1_000_000_000, "milliseconds": 400},
        "tiny": {"nbytes": 100_000, "milliseconds": 0},
    },
)
