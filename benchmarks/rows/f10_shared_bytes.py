"""F10: what results take on the disk that share most of their bytes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from benchmarks import data
from benchmarks.row import Figure, Row
from benchmarks.same import same

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

COUNT = 20
ARRAYS = "10 arrays, of which one changes"
COLUMNS = "a frame that gains a column"
VIEWS = "views of a kept array"
EQUAL = "equal results under 20 keys"


def arrays(seed, which, nbytes):
    logging.getLogger("benchmarks").critical("began")
    # One of ten arrays is another one in each result.
    return [data.array(seed + 100 * which if place == which % 10 else seed + place, nbytes) for place in range(10)]


def columns(seed, count, nbytes):
    logging.getLogger("benchmarks").critical("began")
    import pandas as pd

    frame = pd.DataFrame({"first": data.array(seed, nbytes)})
    for place in range(count):
        frame[f"column {place}"] = data.array(seed + 1 + place, nbytes)
    return frame


def whole(seed, nbytes):
    logging.getLogger("benchmarks").critical("began")
    return data.array(seed, nbytes)


def part(array, start):
    logging.getLogger("benchmarks").critical("began")
    return array[start:]


def equal(seed, number, nbytes):
    logging.getLogger("benchmarks").critical("began")
    assert number >= 0
    return data.array(seed, nbytes)


def keep_arrays(bench: Bench) -> None:
    calls = [(bench.seed, which, bench.size["each"]) for which in range(COUNT)]
    _keep(bench, ARRAYS, arrays, calls, (10 + COUNT - 1) * bench.size["each"])


def keep_columns(bench: Bench) -> None:
    calls = [(bench.seed, which, bench.size["each"]) for which in range(COUNT)]
    _keep(bench, COLUMNS, columns, calls, COUNT * bench.size["each"])


def keep_views(bench: Bench) -> None:
    nbytes = bench.size["whole"]
    array = bench.decorated(whole, bench.place(VIEWS))(bench.seed, nbytes)
    _keep(bench, VIEWS, part, [(array, 1000 * k + 1) for k in range(COUNT - 1)], nbytes)


def keep_equal(bench: Bench) -> None:
    nbytes = bench.size["whole"]
    _keep(bench, EQUAL, equal, [(bench.seed, which, nbytes) for which in range(COUNT)], nbytes)


def _keep(bench: Bench, figure: str, function, calls, new_nbytes: int) -> None:
    call = bench.decorated(function, bench.place(figure))
    for arguments in calls:
        call(*arguments)
    count = bench.runs.count
    for arguments in calls[:: len(calls) - 1]:
        if not same(call(*arguments), function(*arguments)):
            bench.failures[figure] = "another result came back"
            return
    if bench.runs.count != count + 2:
        bench.failures[figure] = "ran again"
        return
    _new_nbytes(bench, figure).write_text(str(new_nbytes))


def weigh(bench: Bench) -> None:
    """In a process of its own: what a tool needs only while it is open doesn't count."""
    for figure in (ARRAYS, COLUMNS, VIEWS, EQUAL):
        told = _new_nbytes(bench, figure)
        if told.exists():
            bench.figures[figure] = bench.disk(bench.place(figure))[0] / int(told.read_text())


def _new_nbytes(bench: Bench, figure: str) -> Path:
    return bench.place(f"{figure}.new")


ROW = Row(
    name="F10",
    title="bytes on disk after 20 results that share most bytes, over those that are new",
    figures=tuple(Figure(name, "x", at_most=1.1) for name in (ARRAYS, COLUMNS, VIEWS, EQUAL)),
    steps={"arrays": keep_arrays, "columns": keep_columns, "views": keep_views, "equal": keep_equal, "weigh": weigh},
    sizes={
        "full": {"each": 4_000_000, "whole": 40_000_000},
        "quick": {"each": 1_000_000, "whole": 10_000_000},
        "tiny": {"each": 200_000, "whole": 400_000},
    },
    are_apart=True,
    most_rounds=1,
    remark="Nothing is timed here. The LIMIT has a file for each result, and shares nothing.",
)
