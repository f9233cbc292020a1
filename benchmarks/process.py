"""One step of one row with one tool: in a process of its own, which writes its figures down as JSON.

``python -m benchmarks.process ROW STEP TOOL DIRECTORY SEED SCALE ANSWER``
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import rows, tools

if TYPE_CHECKING:
    from benchmarks.row import Row, Scale

ROOT = Path(__file__).resolve().parent.parent
ALL = "*"
"""The name of a failure that leaves a step without figures."""


@dataclass
class Answer:
    """What a step gave."""

    figures: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def run_step(row: Row, step: str, tool_name: str, directory: Path, seed: int, scale: Scale) -> Answer:
    """Run a step in this process."""
    from benchmarks.bench import Bench

    bench = Bench(tools.tool_named(tool_name), directory, seed, row.sizes[scale])
    try:
        row.steps[step](bench)
    except Exception as problem:  # noqa: BLE001 - whatever a tool raises is told in the table
        traceback.print_exc()
        bench.failures[ALL] = f"{type(problem).__name__}: {problem}".splitlines()[0][:200]
    return Answer(bench.figures, bench.failures)


def in_process(row: Row, step: str, tool_name: str, directory: Path, seed: int, scale: Scale, hash_seed: int) -> Answer:
    """Run a step in a new process, and wait for it."""
    python = tools.python_of(tool_name)
    if not Path(python).exists():
        return Answer(failures={ALL: f"not installed: there is no {python}"})
    answer = directory / f"{step}.json"
    arguments = [row.name, step, tool_name, str(directory), str(seed), scale, str(answer)]
    with (directory / f"{step}.log").open("w") as log:
        # In a session of its own, so that whatever it starts ends with it.
        child = subprocess.Popen(
            [python, "-m", "benchmarks.process", *arguments],
            cwd=directory,
            env=environment(directory, hash_seed),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        seconds = row.seconds_limit[scale]
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            return Answer(failures={ALL: f"not done in {seconds} s"})
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    if not answer.exists():
        return Answer(failures={ALL: f"the process ended with {child.returncode}"})
    return Answer(**json.loads(answer.read_text()))


def environment(directory: Path, hash_seed: int) -> dict[str, str]:
    """Nothing of the user's: no settings, no caches, no secrets."""
    home = directory / "home"
    home.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return kept | {
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": str(hash_seed),
        "BENCHMARKS_RUNS": str(directory / "runs"),
    }


def main(arguments: list[str]) -> None:
    name, step, tool_name, directory, seed, scale, path = arguments
    made: Any = run_step(rows.row_named(name), step, tool_name, Path(directory), int(seed), scale)  # type: ignore[arg-type]  # an argument
    Path(path).write_text(json.dumps({"figures": made.figures, "failures": made.failures}))


if __name__ == "__main__":
    main(sys.argv[1:])
