"""The steps of rows whose work gives a result of one kind: it is kept, and comes back in another process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.row import Figure
from benchmarks.rows.f5_array_result import begin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from benchmarks.bench import Bench

FIGURES = (
    Figure("store", of_best=1.2),
    Figure("load, cold process", of_best=1),
    Figure("load, warm", of_best=1),
)


def steps_of(work: Callable[[int, int], Any]) -> Mapping[str, Callable[[Bench], None]]:
    """``work`` takes a seed and a count."""

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

    return {"store": store, "load": load}
