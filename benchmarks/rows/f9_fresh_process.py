"""F9: the first hit of a fresh process, from its start to its end."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.row import Figure, Row

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

PROGRAM = """

@decorate
def work(number, text):
    import os

    os.write(2, b"ran")
    return number * 3 + len(text)


print(work(14, "text"))
"""


def run(bench: Bench) -> None:
    program = bench.scratch / "program.py"
    program.write_text(bench.tool.script(bench.directory) + PROGRAM)
    stdout, stderr, _ = wall(program)
    if stdout.strip() != "46" or "ran" not in stderr:
        raise AssertionError(f"the first run gave {stdout!r} and {stderr!r}")
    seconds = []
    for _ in range(bench.size["processes"]):
        stdout, stderr, took = wall(program)
        if stdout.strip() != "46":
            bench.failures["whole process"] = "another result came back"
            return
        if "ran" in stderr:
            bench.failures["whole process"] = "ran again"
            return
        seconds.append(took)
    bench.figures["whole process"] = statistics.median(seconds)


def wall(program: Path) -> tuple[str, str, float]:
    """What a process printed that imports the program, so that its compiled form is kept, and its seconds."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", "import program"],
        cwd=program.parent,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise ChildProcessError(done.stderr.strip().splitlines()[-1])
    return done.stdout, done.stderr, took


ROW = Row(
    name="F9",
    title="first hit in a fresh process, whole wall time",
    figures=(Figure("whole process", of_best=1),),
    steps={"run": run},
    sizes={"full": {"processes": 15}, "quick": {"processes": 5}, "tiny": {"processes": 1}},
)
