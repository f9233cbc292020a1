"""F8: a dict of strings is kept, and comes back."""

from __future__ import annotations

import logging

from benchmarks import data, results
from benchmarks.row import Row


def work(seed, count):
    logging.getLogger("benchmarks").critical("began")
    result = data.strings(seed, count)
    logging.getLogger("benchmarks").critical("ended")
    return result


ROW = Row(
    name="F8",
    title="result of 1e5 strings, a dict",
    figures=results.FIGURES,
    steps=results.steps_of(work),
    sizes={
        "full": {"count": 100_000, "milliseconds": 1000},
        "quick": {"count": 100_000, "milliseconds": 200},
        "tiny": {"count": 1000, "milliseconds": 0},
    },
)
