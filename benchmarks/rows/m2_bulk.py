"""M2: a map of items that are all kept."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from benchmarks.bench import timed
from benchmarks.row import Figure, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.bench import Bench


def work(number):
    logging.getLogger("benchmarks").critical("began")
    return {"number": number, "half": number / 2}


def many(call: Any, items: Sequence[int]) -> list[Any]:
    """By the tool's own map, or one by one."""
    return call.map(items, progress=False) if hasattr(call, "map") else [call(item) for item in items]


def keep(bench: Bench) -> None:
    many(bench.decorated(work), range(bench.size["count"]))


def look_up(bench: Bench) -> None:
    call, items = bench.decorated(work), range(bench.size["count"])
    many(call, items[:10])
    found, took = timed(lambda: many(call, items))
    if bench.runs.count:
        bench.failures["each"] = "ran again"
    elif any(result["half"] != number / 2 for number, result in enumerate(found)):
        bench.failures["each"] = "another result came back"
    else:
        bench.figures["each"] = took / len(items)


ROW = Row(
    name="M2",
    title="a map of 10,000 items that are all kept, in a fresh process",
    figures=(Figure("each", of_best=1),),
    steps={"keep": keep, "look up": look_up},
    tools=("ipycheckpoint", "LIMIT", "joblib", "diskcache"),
    sizes={"full": {"count": 10_000}, "quick": {"count": 2_000}, "tiny": {"count": 30}},
    most_rounds=3,
    remark="Tools that have no map of their own are called for one item after the other.",
)
