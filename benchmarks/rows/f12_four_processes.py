"""F12: four processes ask for the same result at once."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks import data
from benchmarks.row import Figure, Row
from benchmarks.same import same

if TYPE_CHECKING:
    from benchmarks.bench import Bench

PROCESSES = 4


def work(seed, nbytes, seconds):
    logging.getLogger("benchmarks").critical("began")
    result = data.array(seed, nbytes)
    time.sleep(seconds)
    logging.getLogger("benchmarks").critical("ended")
    return result


def at_once(bench: Bench) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(bench.size | {"seed": bench.seed, "place": place})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"BENCHMARKS_TOOL": _name(bench), "BENCHMARKS_DIRECTORY": str(bench.scratch)},
        )
        for place in range(PROCESSES)
    ]
    for child in children:
        assert child.stdout
        child.stdout.readline()
    began = time.time() + 0.05
    for child in children:
        assert child.stdin
        child.stdin.write(f"{began}\n")
        child.stdin.flush()
    told = [json.loads(child.communicate()[0].splitlines()[-1]) for child in children]
    runs = sum(one["runs"] for one in told)
    if not all(one["is_right"] for one in told):
        bench.failures["runs"] = bench.failures["wall time"] = "another result came back"
        return
    bench.figures["runs"] = float(runs)
    bench.figures["wall time"] = max(one["ended"] for one in told) - began


def _name(bench: Bench) -> str:
    from benchmarks import tools

    return next(name for name in tools.FUNCTIONS if tools.tool_named(name) is bench.tool)


def child(size: dict[str, int]) -> None:
    from pathlib import Path

    from benchmarks import tools
    from benchmarks.bench import Bench

    directory = Path(os.environ["BENCHMARKS_DIRECTORY"])
    bench = Bench(tools.tool_named(os.environ["BENCHMARKS_TOOL"]), directory, size["seed"], size)
    # Not the one of __main__: tools name functions by their modules.
    call = bench.decorated(import_module("benchmarks.rows.f12_four_processes").work)
    expected = data.array(bench.seed, size["nbytes"])
    print("ready", flush=True)
    began = float(sys.stdin.readline())
    time.sleep(max(0, began - time.time()))
    value = call(bench.seed, size["nbytes"], size["milliseconds"] / 1000)
    ended = time.time()
    print(json.dumps({"runs": bench.runs.count, "ended": ended, "is_right": same(value, expected)}), flush=True)


ROW = Row(
    name="F12",
    title="4 processes, the same 1 s call at once, a result of 32 MB",
    figures=(Figure("runs", "count", at_most=1), Figure("wall time", at_most=1.2)),
    steps={"at once": at_once},
    sizes={
        "full": {"nbytes": 32_000_000, "milliseconds": 1000},
        "quick": {"nbytes": 32_000_000, "milliseconds": 1000},
        "tiny": {"nbytes": 100_000, "milliseconds": 50},
    },
    most_rounds=3,
    seconds_limit={"full": 60, "quick": 30, "tiny": 30},
)

if __name__ == "__main__":
    child(json.loads(sys.argv[1]))
