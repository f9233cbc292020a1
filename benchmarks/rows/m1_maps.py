"""M1: a map over a pool, of items that all must run."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from benchmarks.bench import timed
from benchmarks.row import Figure, Row
from benchmarks.tools import is_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from benchmarks.bench import Bench

WORKERS = 2


def work(number):
    return {"number": number, "half": number / 2}


def threads(bench: Bench) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        _measure(bench, pool, "threads")


def processes(bench: Bench) -> None:
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        _measure(bench, pool, "processes")


def _measure(bench: Bench, pool: Executor, figure: str) -> None:
    plain = import_module("benchmarks.rows.m1_maps").work  # not the one of __main__, which workers don't have
    call, items = bench.decorated(plain), range(bench.size["count"])
    over = (lambda items: list(pool.map(plain, items))) if is_limit(bench.tool) else _way(call, figure, pool)
    over(range(-50, 0))  # workers start, and import what they need
    found, took = timed(lambda: over(items))
    if found != list(map(plain, items)):
        bench.failures[figure] = "another result came back"
    else:
        bench.figures[figure] = took / len(items)


def _way(call: Any, kind: str, pool: Executor) -> Callable[[Sequence[int]], list[Any]]:
    """How many items are done with the tool: by its own map, or as its documentation says."""
    if hasattr(call, "map"):
        return lambda items: call.map(items, pool, progress=False)
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=WORKERS, backend="threading" if kind == "threads" else "loky")
    return lambda items: parallel(delayed(call)(item) for item in items)


ROW = Row(
    name="M1",
    title="a map over two workers, first run: what an item costs",
    figures=(Figure("threads", of_best=1), Figure("processes", of_best=1)),
    steps={"threads": threads, "processes": processes},
    tools=("ipycheckpoint", "LIMIT", "joblib"),
    sizes={"full": {"count": 2000}, "quick": {"count": 500}, "tiny": {"count": 20}},
    are_apart=True,
    most_rounds=3,
    remark="joblib is `Memory` in `Parallel`. The LIMIT is `executor.map`, which keeps nothing. The work takes "
    "microseconds.",
)
