"""F8: a dict of strings is kept, and comes back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from benchmarks import data
from benchmarks.row import Figure, Row
from benchmarks.rows.f5_array_result import begin

if TYPE_CHECKING:
    from benchmarks.bench import Bench


def work(seed, count):
    logging.getLogger("benchmarks").critical("began")
    result = data.strings(seed, count)
    logging.getLogger("benchmarks").critical("ended")
    return result


def store(bench: Bench) -> None:
    begin(bench)
    call = bench.decorated(work)
    seed, count = bench.seed, bench.size["count"]
    bench.first(lambda: call(seed, count), "store")


def load(bench: Bench) -> None:
    begin(bench)
    call = bench.decorated(work)
    seed, count = bench.seed, bench.size["count"]
    expected = work(seed, count)
    bench.hit("load, cold process", lambda: call(seed, count), expected, is_once=True)
    bench.hit("load, warm", lambda: call(seed, count), expected)


ROW = Row(
    name="F8",
    title="result of 1e5 strings, a dict",
    figures=(
        Figure("store", of_best=1.2),
        Figure("load, cold process", of_best=1),
        Figure("load, warm", of_best=1),
    ),
    steps={"store": store, "load": load},
    sizes={
        "full": {"count": 100_000, "milliseconds": 1000},
        "quick": {"count": 100_000, "milliseconds": 200},
        "tiny": {"count": 1000, "milliseconds": 0},
    },
)
