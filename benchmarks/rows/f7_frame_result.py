"""F7: a frame of many kinds of columns is kept, and comes back."""

from __future__ import annotations

import logging

from benchmarks import data, results
from benchmarks.row import Row


def work(seed, count):
    logging.getLogger("benchmarks").critical("began")
    result = data.frame(seed, count)
    logging.getLogger("benchmarks").critical("ended")
    return result


ROW = Row(
    name="F7",
    title="result of 1e6 rows, a DataFrame",
    figures=results.FIGURES,
    steps=results.steps_of(work),
    sizes={
        "full": {"count": 1_000_000, "milliseconds": 1000},
        "quick": {"count": 200_000, "milliseconds": 200},
        "tiny": {"count": 1000, "milliseconds": 0},
    },
)
