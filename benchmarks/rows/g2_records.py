"""G: F11 with more records."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from benchmarks.bench import timed
from benchmarks.row import Figure, Row
from benchmarks.rows.f11_many_small import work

if TYPE_CHECKING:
    from benchmarks.bench import Bench

COUNTS = (1_000, 10_000, 100_000)


def grow(bench: Bench) -> None:
    call = bench.decorated(work)
    chance = random.Random(bench.seed)
    kept = 0
    for named in COUNTS[: bench.size["counts"]]:
        count = named // bench.size["divided_by"]
        last = range(count - count // 10, count)
        for number in range(kept, last.start):
            call(number, "text")
        took = timed(lambda last=last: [call(number, "text") for number in last])[1]
        bench.figures[f"store, {named:,}"] = took / len(last)
        kept = count
        numbers = [chance.randrange(count) for _ in range(500)]
        before = bench.runs.count
        took = timed(lambda numbers=numbers: [call(number, "text") for number in numbers])[1]
        if bench.runs.count == before:
            bench.figures[f"look up, {named:,}"] = took / len(numbers)
        else:
            bench.failures[f"look up, {named:,}"] = "ran again"


ROW = Row(
    name="G2",
    title="growth: F11 with more records",
    figures=(
        *(Figure(f"store, {count:,}") for count in COUNTS),
        *(Figure(f"look up, {count:,}") for count in COUNTS),
    ),
    steps={"grow": grow},
    tools=("ipycheckpoint", "LIMIT", "diskcache"),
    sizes={
        "full": {"counts": 3, "divided_by": 1},
        "quick": {"counts": 2, "divided_by": 1},
        "tiny": {"counts": 1, "divided_by": 20},
    },
    most_rounds=1,
    remark="Only with the tools that keep small results in one file.",
)
