"""C3: a cell that reads a large array is restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.cell import Cell
from benchmarks.row import Figure, Row
from benchmarks.rows.c1_small_cell import hit_above_empty

if TYPE_CHECKING:
    from benchmarks.bench import Bench

CELL = Cell("reads", (("total", "float(large[::4096].sum())"),))


def restore(bench: Bench) -> None:
    session = bench.tool.session(bench.directory)
    session.load()
    session.define(
        f"import logging\nfrom benchmarks import data\nlarge = data.array({bench.seed}, {bench.size['nbytes']})"
    )
    session.first(CELL)
    from benchmarks import data

    total = float(data.array(bench.seed, bench.size["nbytes"])[::4096].sum())
    hit_above_empty(bench, session, CELL, {"total": total}, "hit")


ROW = Row(
    name="C3",
    title="cell that reads a 500 MB array, hit",
    figures=(Figure("hit", of_best=0.15, of_limit=3),),
    steps={"restore": restore},
    surface="cell",
    sizes={
        "full": {"nbytes": 500_000_000, "milliseconds": 2000},
        "quick": {"nbytes": 500_000_000, "milliseconds": 300},
        "tiny": {"nbytes": 100_000, "milliseconds": 0},
    },
    no_measure=("ipyflow",),
    most_rounds=3,
    remark="ipyflow looks at no bytes: it goes by what it has seen cells do, and ends with the kernel.",
)
