"""F7: a frame of many kinds of columns is kept, and comes back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from benchmarks import data
from benchmarks.row import Figure, Row
from benchmarks.rows.f5_array_result import begin

if TYPE_CHECKING:
    from benchmarks.bench import Bench


def work(seed, rows):
    logging.getLogger("benchmarks").critical("began")
    result = data.frame(seed, rows)
    logging.getLogger("benchmarks").critical("ended")
    return result


def store(bench: Bench) -> None:
    begin(bench)
    call = bench.decorated(work)
    seed, rows = bench.seed, bench.size["rows"]
    bench.first(lambda: call(seed, rows), "store")


def load(bench: Bench) -> None:
    begin(bench)
    call = bench.decorated(work)
    seed, rows = bench.seed, bench.size["rows"]
    expected = work(seed, rows)
    bench.hit("load, cold process", lambda: call(seed, rows), expected, is_once=True)
    bench.hit("load, warm", lambda: call(seed, rows), expected)


ROW = Row(
    name="F7",
    title="result of 1e6 rows, a DataFrame",
    figures=(
        Figure("store", of_best=1.2),
        Figure("load, cold process", of_best=1),
        Figure("load, warm", of_best=1),
    ),
    steps={"store": store, "load": load},
    sizes={
        "full": {"rows": 1_000_000, "milliseconds": 1000},
        "quick": {"rows": 200_000, "milliseconds": 200},
        "tiny": {"rows": 1000, "milliseconds": 0},
    },
)
