"""F3: a call with a frame of many kinds of columns."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from benchmarks import data
from benchmarks.row import Figure, Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench


def work(frame):
    logging.getLogger("benchmarks").critical("began")
    return float(frame["weight"].sum())


def warm(bench: Bench) -> None:
    call = bench.decorated(work)
    frame = data.frame(bench.seed, bench.size["rows"])
    expected = bench.first(lambda: call(frame))
    bench.hit("same object", lambda: call(frame), expected)
    copy = data.rebuilt(frame)
    bench.hit("equal copy", lambda: call(copy), expected)


ROW = Row(
    name="F3",
    title="hit, DataFrame of 1e6 rows and 9 mixed columns as argument",
    figures=(Figure("same object", of_best=0.4, of_limit=2), Figure("equal copy", of_best=0.4, of_limit=2)),
    steps={"warm": warm},
    sizes={
        "full": {"rows": 1_000_000, "milliseconds": 1500},
        "quick": {"rows": 200_000, "milliseconds": 300},
        "tiny": {"rows": 1000, "milliseconds": 0},
    },
    remark="The equal copy is made column by column, so its blocks are others.",
)
