"""Run a scene as cells of an IPython shell with a tool: ``python -m benchmarks.features.cells TOOL DIRECTORY FILE``."""

from __future__ import annotations

import builtins
import json
import os
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.features import telling
from benchmarks.tools import tool_named


@dataclass(frozen=True)
class Cell:
    """What the sessions of the tools take for a cell."""

    source: str
    names: tuple[str, ...]
    name: str = "work"


def main(tool: str, directory: str, file: str) -> None:
    assert telling  # it counts
    told: dict[str, Any] = json.loads(Path(file).read_text())
    place = Path(directory)
    if tool == "Kishu":
        _without_front_end()
    if tool == "ipycache":
        _modules_of_old()
    session = tool_named(tool).session(place)
    os.environ.pop("ENV_KISHU_TEST_MODE", None)
    session.load()
    session.define(told["before"] or "pass")
    cell = Cell(told["work"], tuple(told["outputs"]))
    commits = place / "commits.json"
    if tool == "Kishu" and commits.exists():
        # It has no hits: the commit after the cell is checked out, as it was in the process before.
        session.commits = json.loads(commits.read_text())
        session.again(cell)
    else:
        session.first(cell)
    if tool == "Kishu":
        commits.write_text(json.dumps(session.commits))
    session.define(f"{told['after']}\nfrom benchmarks.features import telling\ntelling.tell(value)")


def _without_front_end() -> None:
    """As its test mode, but with the names of commits that it has otherwise: the others return in each process."""
    settings = Path.home() / ".kishu" / "config.ini"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text("[JUPYTERINT]\ntest_mode = True\n")


def _modules_of_old() -> None:
    """What its last release imports has other names today."""
    names = {
        "cPickle": "pickle",
        "IPython.config": "traitlets.config",
        "IPython.config.configurable": "traitlets.config.configurable",
        "IPython.utils.traitlets": "traitlets",
    }
    sys.modules.update({old: import_module(new) for old, new in names.items()})
    vars(builtins)["moves"] = SimpleNamespace(builtins=builtins)  # of six, which it forgets to import


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # What a tool leaves running is no part of the answer.
    os._exit(0)
