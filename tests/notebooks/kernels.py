"""Notebooks in real kernels: each run in a fresh one, with another hash seed, beside one cache."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

OUTCOME = "application/vnd.ipycheckpoint.outcome+json"
ROOT = Path(__file__).resolve().parents[2]

_seeds = itertools.count(1)


def run(directory: Path, *cells: str, loaded: bool = True, environ: dict[str, str] | None = None) -> list[Any]:
    """The executed code cells; errors are among their outputs."""
    sources = ["%load_ext ipycheckpoint"] * loaded + list(cells)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(
        notebook,
        timeout=120,
        allow_errors=True,
        resources={"metadata": {"path": str(directory)}},
        extra_arguments=["--log-level=ERROR", "--HistoryManager.enabled=False"],
    )
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    client.execute(env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(next(_seeds)), **(environ or {})})
    return notebook.cells[loaded:]


def outcome(cell: Any) -> str | None:
    """What our line says under a cell."""
    abouts = [output.data[OUTCOME] for output in cell.outputs if OUTCOME in output.get("data", {})]
    return abouts[-1]["outcome"] if abouts else None


def seen(cell: Any) -> list[Any]:
    """What the user sees, without our line: texts in one piece, the rest as it was published."""
    shown: list[Any] = []
    for output in cell.outputs:
        if OUTCOME in output.get("data", {}):
            continue
        if output.output_type == "stream":
            if shown and shown[-1][0] == output.name:
                shown[-1][1] += output.text
            else:
                shown.append([output.name, output.text])
        elif output.output_type == "error":
            shown.append(["error", output.ename, output.traceback])
        else:
            shown.append([output.output_type, dict(output.data), dict(output.metadata)])
    return shown
