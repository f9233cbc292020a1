"""Runs of notebooks with the magic and without it, compared after each cell.

A notebook runs plain, cold, warm in another process, and once more on the same cache with one cell edited; all that can
be told of its namespace must be the same as it is without the magic.

Run as a program it is the process that forks, as `tests.semantics.shells` is.
"""

from __future__ import annotations

import dataclasses
import gc
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.semantics.random_notebooks import NAMES, SETUP, Notebook
from tests.semantics.telling import Teller, without_addresses

if TYPE_CHECKING:
    import random

ROOT = Path(__file__).resolve().parents[2]


_MOST_SECONDS = 6
"""An endless loop, such as one over a list that it appends to, ends with its process."""


class Died(Exception):
    """The process of a run ended without an answer."""


class Forks:
    """Processes with different hash seeds that fork a shell for each run."""

    def __init__(self) -> None:
        self._processes = [self._start(seed) for seed in (0, 1)]

    @staticmethod
    def _start(seed: int) -> subprocess.Popen[str]:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environ = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environ,
        )

    def run(
        self, which: int, script: list[str], directory: Path, *, loaded: bool, tell: bool = True
    ) -> list[dict[str, Any]]:
        """What each cell left."""
        process = self._processes[which]
        assert process.stdin is not None
        assert process.stdout is not None
        request = {"script": script, "directory": str(directory), "loaded": loaded, "tell": tell}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        if answer is None:
            raise Died
        if isinstance(answer, str):
            raise AssertionError(answer)
        return answer

    def close(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@dataclass
class Tally:
    """What became of all cells of all notebooks."""

    notebooks: int = 0
    outcomes: dict[str, int] = dataclasses.field(default_factory=dict)
    refusals: dict[str, int] = dataclasses.field(default_factory=dict)

    def count(self, run: str, cells: list[dict[str, Any]]) -> None:
        for cell in cells:
            if cell["outcome"]:
                key = f"{run}: {cell['outcome']}"
                self.outcomes[key] = self.outcomes.get(key, 0) + 1
            if cell["outcome"] == "refused":
                reason = re.sub(r"`[^`]*`|\d+", "…", cell["because"])
                self.refusals[reason] = self.refusals.get(reason, 0) + 1


def difference(forks: Forks, notebook: Notebook, tally: Tally | None = None) -> str | None:
    """What is not as it is without the magic, or None."""
    with tempfile.TemporaryDirectory() as directory:
        found = _difference(forks, notebook, Path(directory), tally or Tally())
        if found is None and notebook.edited is not None:
            found = _difference(forks, notebook.after_edit(), Path(directory), tally or Tally(), only_warm="edited")
    return found


def _difference(
    forks: Forks, notebook: Notebook, directory: Path, tally: Tally, only_warm: str | None = None
) -> str | None:
    tally.notebooks += only_warm is None
    try:
        plain = forks.run(0, notebook.script(magic=False), directory, loaded=False)
    except Died:
        return None
    if any("SyntaxError" in cell["error"] for cell in plain):
        return None
    script = notebook.script(magic=True)
    cold = []
    for which, name in [(1, only_warm)] if only_warm else [(0, "cold"), (1, "warm")]:
        cells = forks.run(which, script, directory, loaded=True)
        tally.count(name, cells)
        if found := _compared(name, plain, cells):
            return found
        if name == "warm" and len(set(notebook.order)) == len(notebook.order):
            return _needless(cold, cells)
        cold = cells
    return None


def _needless(cold: list[dict[str, Any]], warm: list[dict[str, Any]]) -> str | None:
    """The first cell that was kept and isn't restored, though nothing has changed."""
    for number, (first, then) in enumerate(zip(cold, warm, strict=True)):
        if first["outcome"] == "computed" and then["outcome"] != "restored":
            return f"warm, execution {number}: needless miss: {then['because']}"
    return None


def settled(forks: Forks, notebook: Notebook, random: random.Random) -> Notebook:
    """The notebook without most of the statements that raise where they stand: a cell ends there."""
    statements = [(i, statement) for i, cell in enumerate(notebook.cells) for statement in cell]
    try:
        with tempfile.TemporaryDirectory() as directory:
            told = forks.run(0, [statement for _, statement in statements], Path(directory), loaded=False, tell=False)
    except Died:
        return notebook
    good = [
        (i, statement)
        for (i, statement), cell in zip(statements, told, strict=True)
        if not cell["error"] or random.random() < 0.1
    ]
    cells = tuple(tuple(s for i, s in good if i == number) or ("pass",) for number in range(len(notebook.cells)))
    return dataclasses.replace(notebook, cells=cells)


def _compared(run: str, plain: list[dict[str, Any]], other: list[dict[str, Any]]) -> str | None:
    for number, (expected, found) in enumerate(zip(plain, other, strict=True)):
        where = f"{run}, execution {number} ({found['outcome']}: {found['because']})"
        for key in ("error", "outputs", "names", "probes"):
            if expected[key] != found[key]:
                if isinstance(expected[key], dict):
                    texts = [
                        f"{name}: {expected[key].get(name)}  !=  {found[key].get(name)}"
                        for name in sorted(expected[key].keys() | found[key].keys())
                        if expected[key].get(name) != found[key].get(name)
                    ]
                    return f"{where}: {key}\n  " + "\n  ".join(texts)
                return f"{where}: {key}\n  {expected[key]}\n  {found[key]}"
    return None


# What follows runs in the processes.


def _serve() -> None:
    import numpy  # noqa: F401, ICN001
    import pandas  # noqa: F401, ICN001

    import ipycheckpoint.surfaces.magic  # noqa: F401 - imported once, before forking
    from ipycheckpoint.surfaces import pace
    from tests.semantics.shells import _make_shell

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    shell, events = _make_shell()
    pace.FIRST_SECONDS = float("inf")  # how far something has come is told after a while, and machines differ in speed
    shell.showtraceback = shell._format_exception_for_storage = lambda *_, **__: None
    shell.run_cell("1;" + "\n".join(SETUP))
    shell.reset(new_session=True)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            with os.fdopen(writing, "w") as pipe:
                pipe.write(_answer(shell, events, json.loads(line)))
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
        print(answer or json.dumps(None), file=answers, flush=True)


def _answer(shell: Any, events: list[list[Any]], request: dict[str, Any]) -> str:
    import traceback

    try:
        return json.dumps(_run(shell, events, request), default=repr)
    except BaseException:
        return json.dumps(traceback.format_exc())


def _run(shell: Any, events: list[list[Any]], request: dict[str, Any]) -> list[dict[str, Any]]:
    import signal
    import warnings

    from tests.semantics.shells import _tidy

    signal.setitimer(signal.ITIMER_PROF, _MOST_SECONDS)  # of its own time: the machine may be busy with other things
    signal.alarm(20 * _MOST_SECONDS)
    os.chdir(request["directory"])
    os.environ["IPYCHECKPOINT_DIR"] = str(Path(request["directory"]) / "cache")
    warnings.simplefilter("ignore")
    if request["loaded"]:
        shell.run_line_magic("load_ext", "ipycheckpoint")
    cells = []
    last = len(request["script"]) - 1
    for number, source in enumerate(request["script"]):
        events.clear()
        result = shell.run_cell(source, store_history=True)
        failure = result.error_before_exec or result.error_in_exec
        tidied = _tidy(events)
        about = tidied["abouts"][-1] if tidied["abouts"] else {}
        outputs = json.loads(without_addresses(json.dumps(tidied["outputs"], default=repr)))
        cells.append({
            "error": "" if failure is None else without_addresses(f"{type(failure).__name__}: {failure}"[:60]),
            "outputs": outputs,
            "names": _names(shell) if request["tell"] else {},
            "probes": _probed(shell) if request["tell"] and number == last else {},
            "outcome": about.get("outcome"),
            "because": about.get("because"),
        })  # fmt: skip
    return cells


def _names(shell: Any) -> dict[str, str]:
    from ipycheckpoint.identity.ownership import is_shells_own

    gc.collect()  # whether a weak reference still leads anywhere is no matter of when the collector comes by
    teller = Teller(shell.user_ns)
    hidden = shell.user_ns_hidden
    told = {
        name: teller.tell(value)
        for name, value in sorted(shell.user_ns.items())
        if not is_shells_own(name) and (name not in hidden or hidden[name] is not value)
    }
    return {
        **told,
        "_": teller.tell(shell.user_ns.get("_")),
        "Out": teller.tell(shell.user_ns["Out"]),
        **teller.memory(),
    }


def _probed(shell: Any) -> dict[str, str]:
    """What the functions of the notebook return now, their sources, and what calling them leaves behind."""
    told = {}
    for name in sorted(n for n in shell.user_ns if n in NAMES):
        value = shell.user_ns.get(name)
        if not callable(value) or getattr(value, "__module__", None) == "numpy":  # an array that is not set
            continue
        try:
            if inspect.isfunction(value) or (isinstance(value, type) and value.__module__ == "__main__"):
                told[f"source of {name}"] = inspect.getsource(value).strip()
        except (OSError, TypeError) as problem:
            told[f"source of {name}"] = f"{type(problem).__name__}"
        try:
            result = value(2)
        except Exception as problem:
            result = type(problem).__name__
        told[f"{name}(2)"] = Teller(shell.user_ns).tell(result)
    return told | {f"{name} afterwards": text for name, text in _names(shell).items()}


if __name__ == "__main__":
    _serve()
