"""Notebooks in fresh processes: an IPython shell whose outputs are kept in order, forked anew for each run.

Run as a program it is the process that forks: it has imported what is slow to import, and one hash seed. It reads a
request in a line of JSON, runs it in a child, and writes a line of JSON back.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUTCOME = "application/vnd.ipycheckpoint.outcome+json"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cell:
    """One cell, as it went."""

    outputs: list[list[Any]]
    """What was seen, in order, such as ``["stdout", text]``, ``["result", bundle]`` or ``["error", name]``."""
    abouts: list[dict[str, Any]]
    """What our own lines under the cell say."""

    @property
    def outcome(self) -> str | None:
        return self.abouts[-1]["outcome"] if self.abouts else None

    @property
    def because(self) -> str:
        return self.abouts[-1]["because"] if self.abouts else ""

    @property
    def text(self) -> str:
        """All that was written to stdout and stderr."""
        return "".join(output[1] for output in self.outputs if output[0] in ("stdout", "stderr"))

    @property
    def errors(self) -> list[str]:
        return [output[1] for output in self.outputs if output[0] == "error"]


@dataclass(frozen=True)
class Run:
    """A whole notebook, as it went."""

    cells: list[Cell]
    values: list[str]
    """The `repr` of each expression that was looked at afterwards."""

    @property
    def outcomes(self) -> list[str]:
        """The outcomes of all cells that had one."""
        return [cell.outcome for cell in self.cells if cell.outcome]

    @property
    def outputs(self) -> list[list[list[Any]]]:
        return [cell.outputs for cell in self.cells]


class Shells:
    """Two processes with different hash seeds that fork a shell for each notebook, in turn."""

    def __init__(self) -> None:
        self._processes = [self._start(seed) for seed in (0, 1)]
        self._turns = itertools.cycle(self._processes)

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

    def run(self, request: dict[str, Any]) -> Run:
        process = next(self._turns)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        if "problem" in answer:
            raise AssertionError(answer["problem"])
        return Run([Cell(**cell) for cell in answer["cells"]], answer["values"])

    def close(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


class Bench:
    """Runs notebooks on one cache directory, each in a process of its own, beside the modules that it needs."""

    def __init__(self, shells: Shells, directory: Path) -> None:
        self._shells = shells
        self.directory = directory

    def run(self, *cells: str, look: tuple[str, ...] = (), loaded: bool = True, **environ: str) -> Run:
        """Run `cells` in a fresh process, then look at expressions; `loaded`, whether with the extension."""
        return self._shells.run(
            {
                "cells": cells,
                "look": look,
                "loaded": loaded,
                "directory": str(self.directory),
                "environ": {"IPYCHECKPOINT_DIR": str(self.directory / "cache"), **environ},
            }
        )

    def twice(self, *cells: str, look: tuple[str, ...] = ()) -> tuple[Run, Run, Run]:
        """Run `cells` without the magic, then cold, then warm."""
        plain = [re.sub(r"^%%checkpoint.*\n", "", cell, flags=re.MULTILINE) for cell in cells]
        return (
            self.run(*plain, look=look, loaded=False),
            self.run(*cells, look=look),
            self.run(*cells, look=look),
        )

    def module(self, name: str, text: str) -> None:
        """Write a module beside the notebook."""
        path = self.directory / f"{name}.py"
        path.write_text(text)
        # Files of one second and size look alike to Python's cache of compiled modules.
        stamp = 1_600_000_000 + next(_stamps)
        os.utime(path, (stamp, stamp))


_stamps = itertools.count()


# What follows runs in the processes.


def _serve() -> None:
    # Imported once, before forking: the extension, and what it imports with the first record.
    import ipycheckpoint.cache.catalogue
    import ipycheckpoint.store.directory
    import ipycheckpoint.surfaces.magic  # noqa: F401

    try:
        import numpy  # noqa: F401, ICN001
        import pandas  # noqa: F401, ICN001
    except ImportError:
        pass
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            with os.fdopen(writing, "w") as pipe:
                pipe.write(_answer(json.loads(line)))
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
        print(answer or json.dumps({"problem": "the process died"}), flush=True)


def _answer(request: dict[str, Any]) -> str:
    import traceback

    try:
        return json.dumps(_run(request), default=repr)
    except BaseException:
        return json.dumps({"problem": traceback.format_exc()})


def _run(request: dict[str, Any]) -> dict[str, Any]:
    import warnings

    os.environ.update(request["environ"])
    os.chdir(request["directory"])
    sys.path.insert(0, request["directory"])
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    warnings.simplefilter("default")
    shell, events = _make_shell()
    if request["loaded"]:
        shell.run_line_magic("load_ext", "ipycheckpoint")
    cells = []
    for source in request["cells"]:
        events.clear()
        result = shell.run_cell(source, store_history=True)
        failure = result.error_before_exec or result.error_in_exec
        if failure is not None:
            events.append(["error", type(failure).__name__])
        cells.append(_tidy(events))
    values = [repr(eval(expression, shell.user_ns)) for expression in request["look"]]
    return {"cells": cells, "values": values}


def _make_shell() -> tuple[Any, list[list[Any]]]:
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    events: list[list[Any]] = []

    class Publisher(DisplayPublisher):
        def publish(
            self, data: Any, metadata: Any = None, *args: Any, transient: Any = None, update: bool = False, **more: Any
        ) -> None:
            events.append(["display", dict(data), dict(transient or {}), update])

        def clear_output(self, wait: bool = False) -> None:
            events.append(["clear", wait])

    class Hook(DisplayHook):
        def write_output_prompt(self) -> None:
            pass

        def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
            events.append(["result", dict(format_dict)])

        def finish_displayhook(self) -> None:
            self._is_active = False

    class Stream:
        encoding = "utf-8"
        errors = "strict"

        def __init__(self, name: str) -> None:
            self.name = name

        def write(self, text: str) -> int:
            events.append([self.name, text])
            return len(text)

        def writelines(self, lines: Any) -> None:
            for line in lines:
                self.write(line)

        def flush(self) -> None:
            pass

        def isatty(self) -> bool:
            return False

    class Shell(InteractiveShell):
        display_pub_class = Publisher
        displayhook_class = Hook

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    sys.stdout, sys.stderr = Stream("stdout"), Stream("stderr")  # type: ignore[assignment]
    shell = Shell.instance(config=config)
    return shell, events


def _tidy(events: list[list[Any]]) -> dict[str, Any]:
    outputs: list[list[Any]] = []
    abouts = []
    for event in events:
        if event[0] == "display" and OUTCOME in event[1]:
            abouts.append(event[1][OUTCOME])
        elif event[0] in ("stdout", "stderr") and outputs and outputs[-1][0] == event[0]:
            outputs[-1] = [event[0], outputs[-1][1] + event[1]]
        elif event[0] not in ("stdout", "stderr") or event[1]:
            outputs.append(event)
    return {"outputs": outputs, "abouts": abouts}


if __name__ == "__main__":
    _serve()
