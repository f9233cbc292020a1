"""F4: a call with nested dicts and lists."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from benchmarks import data
from benchmarks.row import Figure, Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench


def work(groups):
    logging.getLogger("benchmarks").critical("began")
    return len(groups)


def warm(bench: Bench) -> None:
    call = bench.decorated(work)
    leaves = bench.size["leaves"]
    groups = data.nested(bench.seed, leaves)
    expected = bench.first(lambda: call(groups))
    bench.hit("same object", lambda: call(groups), expected)
    copy = data.nested(bench.seed, leaves)
    bench.hit("equal copy", lambda: call(copy), expected)


ROW = Row(
    name="F4",
    title="hit, nested dicts and lists of 1e6 leaves as argument",
    figures=(Figure("same object", of_best=0.6, of_limit=2), Figure("equal copy", of_best=0.6, of_limit=2)),
    steps={"warm": warm},
    sizes={
        "full": {"leaves": 1_000_000, "milliseconds": 2000},
        "quick": {"leaves": 200_000, "milliseconds": 300},
        "tiny": {"leaves": 1000, "milliseconds": 0},
    },
)
