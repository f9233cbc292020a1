"""G: a small call whose function reaches 10, 100 and 1,000 others."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

from benchmarks.row import Figure, Row

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

COUNTS = (10, 100, 1000)


def program(count: int, seed: int) -> str:
    """A module in which `work` calls `count` functions, each with a global of its own."""
    lines = ["import logging"]
    for place in range(count):
        lines += [f"G{place} = {seed + place}", f"def helper_{place}(x):", f"    return x + G{place}"]
    calls = " + ".join(f"helper_{place}(x)" for place in range(count))
    return "\n".join(
        [*lines, "def work(x):", '    logging.getLogger("benchmarks").critical("began")', f"    return {calls}"]
    )


def module(directory: Path, count: int, seed: int):
    path = directory / f"closure_{count}.py"
    path.write_text(program(count, seed) + "\n")
    spec = spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    made = sys.modules[path.stem] = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def warm(bench: Bench) -> None:
    for count in COUNTS[: bench.size["counts"]]:
        call = bench.decorated(module(bench.scratch, count, bench.seed).work)
        expected = bench.first(lambda call=call: call(1))
        bench.hit(f"{count:,} functions", lambda call=call: call(1), expected)


ROW = Row(
    name="G1",
    title="growth: F1 with functions in the closure",
    figures=tuple(Figure(f"{count:,} functions") for count in COUNTS),
    steps={"warm": warm},
    sizes={
        "full": {"counts": 3, "milliseconds": 500},
        "quick": {"counts": 3, "milliseconds": 200},
        "tiny": {"counts": 1, "milliseconds": 0},
    },
    most_rounds=2,
    remark="joblib, diskcache, cachier and marimo don't look at the functions that a function calls.",
)
