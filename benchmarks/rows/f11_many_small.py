"""F11: many small results."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING

from benchmarks.bench import NO_WAY, repeated, timed
from benchmarks.row import Figure, Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench


def work(number, text):
    logging.getLogger("benchmarks").critical("began")
    return {"number": number, "text": text, "half": number / 2}


def store(bench: Bench) -> None:
    call, count = bench.decorated(work), bench.size["count"]
    began = time.perf_counter()
    for number in range(count):
        call(number, "text")
    bench.figures["store one"] = (time.perf_counter() - began) / count
    if bench.runs.count != count:
        bench.failures["store one"] = f"{bench.runs.count:,} of {count:,} calls ran"


def look_up(bench: Bench) -> None:
    call, count = bench.decorated(work), bench.size["count"]
    chance = random.Random(bench.seed)
    numbers = chance.sample(range(count), bench.size["calls"])
    for number in range(10):
        call(number, "text")
    results, took = timed(lambda: [call(number, "text") for number in numbers])
    if bench.runs.count:
        bench.failures["look one up"] = "ran again"
    elif any(result["half"] != number / 2 for result, number in zip(results, numbers, strict=True)):
        bench.failures["look one up"] = "another result came back"
    else:
        bench.figures["look one up"] = took / len(numbers)


def list_all(bench: Bench) -> None:
    bench.figures["bytes each"], bench.figures["files"] = (
        bench.disk()[0] / bench.size["count"],
        float(bench.disk()[1]),
    )
    if bench.tool.listing is None:
        bench.failures["list all"] = NO_WAY
        return
    call = bench.decorated(work)
    count, took = timed(lambda: bench.tool.listing(call, bench.directory))
    if count != bench.size["count"]:
        bench.failures["list all"] = f"listed {count:,} of {bench.size['count']:,}"
        return
    bench.figures["list all"] = repeated(
        lambda: bench.tool.listing(call, bench.directory), bench.size["milliseconds"] / 1000, took
    )


ROW = Row(
    name="F11",
    title="10,000 small results",
    figures=(
        Figure("store one", of_best=1.2),
        Figure("look one up", of_best=1),
        Figure("list all", of_best=2),
        Figure("bytes each", "bytes", at_most=2048),
        Figure("files", "count", at_most=10),
    ),
    steps={"store": store, "look up": look_up, "list": list_all},
    sizes={
        "full": {"count": 10_000, "calls": 2000, "milliseconds": 1000},
        "quick": {"count": 2_000, "calls": 1000, "milliseconds": 200},
        "tiny": {"count": 50, "calls": 50, "milliseconds": 0},
    },
    most_rounds=3,
    remark="Each is looked up for the first time in its process.",
)
