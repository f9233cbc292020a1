"""F2: a call with a large array."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from benchmarks import data
from benchmarks.row import Figure, Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench


def work(array):
    logging.getLogger("benchmarks").critical("began")
    return float(array[::4096].sum())


def warm(bench: Bench) -> None:
    call = bench.decorated(work)
    array = data.array(bench.seed, bench.size["nbytes"])
    expected = bench.first(lambda: call(array))
    bench.hit("same object", lambda: call(array), expected)
    copy = array.copy()
    bench.hit("equal copy", lambda: call(copy), expected)


ROW = Row(
    name="F2",
    title="hit, 100 MB array as argument",
    figures=(Figure("same object", of_best=0.15, of_limit=3), Figure("equal copy", of_best=0.15, of_limit=3)),
    steps={"warm": warm},
    sizes={
        "full": {"nbytes": 100_000_000, "milliseconds": 1500},
        "quick": {"nbytes": 100_000_000, "milliseconds": 300},
        "tiny": {"nbytes": 100_000, "milliseconds": 0},
    },
)
