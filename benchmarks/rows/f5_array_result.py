"""F5 and F6: a large array is kept, and comes back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from benchmarks import data
from benchmarks.row import Figure, Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench


def work(seed, nbytes):
    logging.getLogger("benchmarks").critical("began")
    result = data.array(seed, nbytes)
    logging.getLogger("benchmarks").critical("ended")
    return result


def other(number):
    logging.getLogger("benchmarks").critical("began")
    return number + 1


def begin(bench: Bench) -> None:
    """A call of another function: what a process pays once, whatever it loads, is told by F9."""
    assert bench.decorated(other)(bench.seed) == bench.seed + 1


def store(bench: Bench) -> None:
    begin(bench)
    call = bench.decorated(work)
    seed, nbytes = bench.seed, bench.size["nbytes"]
    expected = bench.first(lambda: call(seed, nbytes), "store")
    bench.hit("load, warm", lambda: call(seed, nbytes), expected)


def load(bench: Bench) -> None:
    _load(bench, "load, cold process")


def touch(bench: Bench) -> None:
    _touch(bench, "every byte touched")


def read(bench: Bench) -> None:
    _touch(bench, "page cache dropped")


def _load(bench: Bench, figure: str) -> None:
    begin(bench)
    call = bench.decorated(work)
    seed, nbytes = bench.seed, bench.size["nbytes"]
    bench.hit(figure, lambda: call(seed, nbytes), work(seed, nbytes), is_once=True)


def _touch(bench: Bench, figure: str) -> None:
    begin(bench)
    call = bench.decorated(work)
    seed, nbytes = bench.seed, bench.size["nbytes"]
    expected = work(seed, nbytes)

    def touched():
        return float(call(seed, nbytes).sum())

    bench.hit(figure, touched, float(expected.sum()), is_once=True)


ROW = Row(
    name="F5-6",
    title="result of 200 MB, an array",
    figures=(
        Figure("store", of_best=1.2),
        Figure("load, warm", of_best=1),
        Figure("load, cold process", of_best=1),
        Figure("every byte touched", of_best=1),
        Figure("page cache dropped", of_best=1),
    ),
    steps={"store": store, "load": load, "touch": touch, "read": read},
    remark="In a cold process, a small call of another function comes first.",
    dropped=("read",),
    sizes={
        "full": {"nbytes": 200_000_000, "milliseconds": 1000},
        "quick": {"nbytes": 200_000_000, "milliseconds": 200},
        "tiny": {"nbytes": 200_000, "milliseconds": 0},
    },
)
