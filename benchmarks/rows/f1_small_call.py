"""F1: a call with small arguments, whose function reaches a helper and two globals."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from benchmarks.row import Figure, Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench

SCALE = 3
WORD = "word"


def helper(number):
    return number * SCALE


def work(number, text):
    logging.getLogger("benchmarks").critical("began")
    return helper(number) + len(text) + len(WORD)


def warm(bench: Bench) -> None:
    call = bench.decorated(work)
    number, text = bench.seed % 1000, f"text {bench.seed}"
    expected = bench.first(lambda: call(number, text))
    bench.hit("hit", lambda: call(number, text), expected)


ROW = Row(
    name="F1",
    title="hit of `f(int, str)`, warm, whose closure has a helper and two globals",
    figures=(Figure("hit", of_best=1),),
    steps={"warm": warm},
    sizes={"full": {"milliseconds": 1500}, "quick": {"milliseconds": 300}, "tiny": {"milliseconds": 0}},
)
