"""C4: an ordinary cell, with the extension loaded and without."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.row import Figure, Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench


def run(bench: Bench) -> None:
    session = bench.tool.session(bench.directory)
    session.define("x = 1")
    without = statistics.median(session.run("x = 1") for _ in range(bench.size["cells"]))
    session.load()
    for _ in range(10):
        session.define("x = 1")
    with_it = statistics.median(session.run("x = 1") for _ in range(bench.size["cells"]))
    bench.figures["more than without"] = max(0.0, with_it - without)


ROW = Row(
    name="C4",
    title="an ordinary cell, `x = 1`, with the extension loaded",
    figures=(Figure("more than without", at_most=50e-6),),
    steps={"run": run},
    surface="cell",
    tools=("ipycheckpoint", "cache-magic", "ipyflow", "Kishu"),
    sizes={"full": {"cells": 500}, "quick": {"cells": 100}, "tiny": {"cells": 3}},
    remark="`python benchmarks/ordinary_cell.py` tells it for other kinds of cells.",
)
