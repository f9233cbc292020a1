"""Measure all rows with all tools: ``python -m benchmarks``, or ``make bench``.

In each round, every row meets every tool once, in an order that the seed shuffles, in fresh processes and in a fresh
directory. What is told is the median over the rounds, the least and the most.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import pagecache, rows, table, tools
from benchmarks.process import ALL, ROOT, Answer, in_process
from benchmarks.table import Measured

if TYPE_CHECKING:
    from benchmarks.row import Row, Scale


def main() -> int:
    # However it is stopped, the process at work ends with it, and what was measured is told.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _options()
    chosen = [rows.row_named(name) for name in options.rows]
    measured = Measured(rows=chosen)
    directory = options.directory / f"run-{os.getpid()}"
    began = time.monotonic()
    try:
        for number in range(options.rounds):
            _round(number, chosen, directory, measured, options)
    except KeyboardInterrupt:
        print("Stopped; this is what there is.")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    about = _about(options, time.monotonic() - began, measured)
    if options.json:
        options.json.write_text(
            json.dumps({"about": about, "samples": measured.samples, "failures": measured.failures})
        )
    text = table.page(measured, about)
    if options.page:
        options.page.write_text(text)
    print("\n" + table.summary(measured))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"which rows: {', '.join(rows.NAMES)}; all unless given")
    parser.add_argument("--tools", nargs="+", help="which tools; all unless given")
    parser.add_argument("--rounds", type=int, help="3, or 2 with --quick")
    parser.add_argument("--seed", type=int, default=1, help="of all data, and of the order")
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds, and smaller values where the title allows it"
    )
    parser.add_argument("--scale", choices=["full", "quick", "tiny"], help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, default=ROOT / "bench-output", help="where the tools keep things")
    parser.add_argument("--json", type=Path, help="a file for all samples")
    parser.add_argument("--page", type=Path, help="a file for the tables, in Markdown")
    parser.add_argument("--remark", default="", help="a sentence for the page, such as what else the machine did")
    options = parser.parse_args()
    unknown = [name for name in options.rows if name not in rows.NAMES]
    if unknown:
        parser.error(f"no row is called {', '.join(unknown)}")
    options.rows = options.rows or list(rows.NAMES)
    options.rounds = options.rounds or (2 if options.quick else 3)
    options.scale = options.scale or ("quick" if options.quick else "full")
    return options


def tools_of(row: Row, chosen: list[str] | None = None) -> list[str]:
    """The tools that take part in a row."""
    names = row.tools or (tools.FUNCTIONS if row.surface == "function" else tools.CELLS)
    return [name for name in names if chosen is None or name in chosen]


def _round(number: int, chosen: list[Row], directory: Path, measured: Measured, options: argparse.Namespace) -> None:
    chance = random.Random(f"{options.seed} {number}")
    jobs = [(row, name) for row in chosen if number < row.most_rounds for name in tools_of(row, options.tools)]
    chance.shuffle(jobs)
    for place, (row, name) in enumerate(jobs):
        print(
            f"\rround {number + 1} of {options.rounds}, {place + 1} of {len(jobs)}: {row.name} {name:<16}",
            end="",
            flush=True,
        )
        place_of_job = directory / f"{number}-{row.name}-{name}"
        place_of_job.mkdir(parents=True)
        for step, answer in _job(row, name, place_of_job, options.seed, options.scale, chance):
            measured.add(row, name, step, answer.figures, answer.failures)
        shutil.rmtree(place_of_job, ignore_errors=True)
    print()


def _job(
    row: Row, tool: str, directory: Path, seed: int, scale: Scale, chance: random.Random
) -> list[tuple[str, Answer]]:
    """All steps of a row with one tool, up to one that fails altogether."""
    answers = []
    for step in row.steps:
        problem = pagecache.drop(directory / "cache") if step in row.dropped else None
        if problem is not None:
            answers.append((step, Answer(failures={ALL: problem})))
            continue
        answer = in_process(row, step, tool, directory, seed, scale, chance.randrange(1 << 32))
        answers.append((step, answer))
        if ALL in answer.failures and not row.are_apart:
            break
    return answers


def _about(options: argparse.Namespace, seconds: float, measured: Measured) -> dict[str, Any]:
    """What the figures depend on besides the code."""
    versions = {}
    for name in dict.fromkeys([*tools.FUNCTIONS, *tools.CELLS]):
        python = tools.python_of(name)
        if Path(python).exists() and any(name in of_row for of_row in measured.samples.values()):
            source = f"from benchmarks.tools import tool_named; print(tool_named({name!r}).version())"
            told = subprocess.run([python, "-c", source], cwd=ROOT, capture_output=True, text=True, check=False)
            versions[name] = told.stdout.strip() or "unknown"
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.system()} {platform.release()}, {_processor()}, {os.cpu_count()} processors",
        "python": f"Python {platform.python_version()}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in ("numpy", "pandas", "blake3", "ipython")),
        "versions": versions,
        "seed": options.seed,
        "rounds": options.rounds,
        "scale": options.scale,
        "minutes": round(seconds / 60),
        "remark": options.remark,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
