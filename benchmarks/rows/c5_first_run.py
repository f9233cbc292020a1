"""C5: what keeping costs the first run of a cell, above the cell itself."""

from __future__ import annotations

import pickle
import statistics
from typing import TYPE_CHECKING

from benchmarks.bench import timed
from benchmarks.cell import Cell
from benchmarks.row import Figure, Row
from benchmarks.rows.c1_small_cell import CELL as SMALL
from benchmarks.rows.c1_small_cell import INPUTS
from benchmarks.same import same
from benchmarks.tools import is_limit

if TYPE_CHECKING:
    from benchmarks.bench import Bench

ARRAY = Cell("array", (("result", "data.array(seed,nbytes)"),))
WARM_UP = Cell("warm_up", (("warmed", "warm+1"),))
DICTS = Cell("dicts", (("records", "list(map(data.entry,range(seed,seed+count)))"),))


def keep_small(bench: Bench) -> None:
    _first(bench, "5 small outputs", SMALL, INPUTS.format(seed=bench.seed))


def keep_array(bench: Bench) -> None:
    inputs = f"import logging\nfrom benchmarks import data\nseed = {bench.seed}\nnbytes = {bench.size['nbytes']}"
    _first(bench, "an array of 200 MB", ARRAY, inputs)


def keep_dicts(bench: Bench) -> None:
    inputs = f"import logging\nfrom benchmarks import data\nseed = {bench.seed}\ncount = {bench.size['dicts']}"
    session = _first(bench, "a list of 1e6 dicts", DICTS, inputs)
    if session is not None and is_limit(bench.tool):
        # Here the LIMIT is one C pickle, and nothing else.
        bench.figures["a list of 1e6 dicts"] = timed(lambda: pickle.dumps(session.value("records"), 5))[1]


def _first(bench: Bench, figure: str, cell: Cell, inputs: str):
    # Each of the three is a notebook of its own.
    session = bench.tool.session(bench.place(cell.name))
    session.load()
    session.define(inputs)
    # The first cell that is kept pays for imports: the price is that of any other.
    session.define("warm = 1")
    session.first(WARM_UP)
    before = bench.runs.count
    empty = statistics.median(session.empty() for _ in range(3))
    seconds = session.first(cell)
    if bench.runs.count == before:
        bench.failures[figure] = "did not run"
        return None
    bench.figures[figure] = seconds - bench.runs.seconds - empty
    count = bench.runs.count
    value = session.value(cell.names[0])
    session.unbind(cell.names)
    session.again(cell)
    if bench.runs.count != count:
        bench.failures[figure] = "ran again"
    elif not same(session.value(cell.names[0]), value):
        bench.failures[figure] = "another result came back"
    return session


ROW = Row(
    name="C5",
    title="price of the first run of a cell, over the plain cell",
    figures=(
        Figure("5 small outputs", at_most=10e-3),
        Figure("an array of 200 MB"),
        Figure("a list of 1e6 dicts", of_limit=1.5),
    ),
    steps={"small": keep_small, "array": keep_array, "dicts": keep_dicts},
    surface="cell",
    sizes={
        "full": {"nbytes": 200_000_000, "dicts": 1_000_000},
        "quick": {"nbytes": 200_000_000, "dicts": 200_000},
        "tiny": {"nbytes": 200_000, "dicts": 100},
    },
    are_apart=True,
    no_measure=("ipyflow",),
    most_rounds=3,
    remark="The array should take no more than 1.5 times what F5 takes. The LIMIT of the dicts is one C pickle. "
    "ipyflow keeps the values in memory, and writes nothing.",
)
