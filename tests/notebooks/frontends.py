"""One notebook in every front end: each plays the same cells in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pexpect
from IPython.core.inputtransformer2 import TransformerManager

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]

_SECONDS = 60
# Where the front end is a terminal, cells are pasted, and Alt-Enter runs them.
_PASTED = "\x1b[200~{}\x1b[201~"
_RUN = "\x1b\r"
_QUIET = ("--log-level=ERROR", "--HistoryManager.enabled=False")


@dataclass(frozen=True)
class Place:
    """Where a notebook is played: the cache is beside it, and its last cell writes a report there."""

    directory: Path
    hash_seed: int = 0
    name: str = "notebook"
    """Of its files, so that several can be played in one place at once."""

    @property
    def report(self) -> Path:
        return self.directory / f"{self.name}.json"

    @property
    def out(self) -> Path:
        return self.directory / f"{self.name} out.ipynb"

    def environ(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        more = {"PYTHONPATH": path, "PYTHONHASHSEED": str(self.hash_seed), "PROMPT_TOOLKIT_NO_CPR": "1"}
        more |= {"IPYCHECKPOINT_DIR": str(self.directory / "cache"), "REPORT": str(self.report)}
        return {**os.environ, **more}

    def notebook(self, cells: Sequence[str], *, parameters: int | None = None) -> Path:
        """Write the cells as a notebook; the one with the number `parameters` is what papermill looks for."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        if parameters is not None:
            notebook.cells[parameters].metadata.tags = ["parameters"]
        path = self.directory / f"{self.name}.ipynb"
        nbformat.write(notebook, path)
        return path

    def command(self, *words: str | Path) -> str:
        """Run this Python with arguments; what it wrote to stdout."""
        arguments = [sys.executable, "-W", "ignore", *map(str, words)]
        run = subprocess.run(
            arguments, cwd=self.directory, env=self.environ(), capture_output=True, text=True, timeout=_SECONDS
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout


def nbclient(place: Place, cells: Sequence[str]) -> str:
    """As ``jupyter execute`` does it."""
    place.command("-c", "from nbclient.cli import main; main()", place.notebook(cells), "--inplace")
    return _shown(place.directory / f"{place.name}.ipynb")


def nbconvert(place: Place, cells: Sequence[str]) -> str:
    place.command("-m", "nbconvert", "--to=notebook", "--execute", place.notebook(cells), "--inplace")
    return _shown(place.directory / f"{place.name}.ipynb")


def papermill(place: Place, cells: Sequence[str]) -> str:
    place.command("-m", "papermill", place.notebook(cells), place.out, "--no-progress-bar")
    return _shown(place.out)


def file_of_a_notebook(place: Place, cells: Sequence[str]) -> str:
    return place.command("-m", "IPython", *_QUIET, place.notebook(cells))


def script(place: Place, cells: Sequence[str]) -> str:
    """As ``jupyter nbconvert --to script`` writes it."""
    path = place.directory / f"{place.name}.ipy"
    path.write_text("\n".join(TransformerManager().transform_cell(cell) for cell in cells))
    return place.command("-m", "IPython", *_QUIET, path)


def terminal(place: Place, cells: Sequence[str]) -> str:
    return _typed(place, cells, "IPython", "--colors=NoColor", "--no-banner", *_QUIET)


def console(place: Place, cells: Sequence[str]) -> str:
    return _typed(place, cells, "jupyter_console", "--log-level=ERROR")


def _typed(place: Place, cells: Sequence[str], *words: str) -> str:
    arguments = ["-W", "ignore", "-m", *words]
    environ = place.environ() | {"TERM": "xterm"}
    shown = ""
    with contextlib.closing(
        pexpect.spawn(
            sys.executable, arguments, cwd=str(place.directory), env=environ, encoding="utf-8", timeout=_SECONDS
        )
    ) as process:
        for number, cell in enumerate(cells, 1):
            process.expect(rf"In (\x1b\[[\d;]*m)*\[(\x1b\[[\d;]*m)*{number}\D")
            shown += process.before
            process.send(_PASTED.format(cell) + _RUN)
        process.expect(rf"In (\x1b\[[\d;]*m)*\[(\x1b\[[\d;]*m)*{len(cells) + 1}\D")
        shown += process.before
        process.sendeof()
        process.expect([r"\[y\]", pexpect.EOF])
        process.sendline("y")
        process.expect(pexpect.EOF)
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)


def _shown(path: Path) -> str:
    outputs = [output for cell in nbformat.read(path, 4).cells for output in cell.outputs]
    return "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)


def reported(place: Place) -> object:
    """What the last cell wrote, which must be new."""
    text = place.report.read_text()
    place.report.unlink()
    return json.loads(text)
