"""Run a notebook cold and then warm, compare the two, and tell what was saved: ``make demo``.

The notebook's directory is copied, so that it starts without a cache. Each run has a kernel of its own,
with another PYTHONHASHSEED. It fails when a checkpoint of the cold run is not restored in the warm one, or
when anything that a cell shows, or any value that it leaves behind, is not what it was in the cold run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
OUTCOME = "application/vnd.ipycheckpoint.outcome+json"
CENSUS = "application/vnd.ipycheckpoint.census+json"

# Runs in the kernel after the last cell. It goes by the bytes of values, not by our own fingerprints, so that
# a mistake in those can't hide behind itself. What it can't compare is left to what the cells show of it.
TAKE_CENSUS = """
def _census(value, seen=()):
    import datetime, hashlib, sys
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, datetime.date)):
        return f"{type(value).__name__} {value!r}"
    if id(value) in seen:
        return None
    seen = (*seen, id(value))
    if isinstance(value, (list, tuple, dict)):
        parts = [part for item in value.items() for part in item] if isinstance(value, dict) else list(value)
        lines = [_census(part, seen) for part in parts]
        return None if None in lines else f"{type(value).__name__} {lines}"
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy and isinstance(value, (numpy.ndarray, numpy.generic)) and not value.dtype.hasobject:
        content = hashlib.sha256(numpy.ascontiguousarray(value).tobytes()).hexdigest()
        return f"{type(value).__name__} {value.dtype} {value.shape} {content}"
    if pandas and isinstance(value, (pandas.DataFrame, pandas.Series)):
        content = hashlib.sha256(pandas.util.hash_pandas_object(value).to_numpy().tobytes()).hexdigest()
        names = [value.name] if isinstance(value, pandas.Series) else list(zip(value.columns, value.dtypes))
        return f"{type(value).__name__} {names} {content}"
    return None


def _take_census():
    from IPython.display import display
    named = {n: v for n, v in get_ipython().user_ns.items() if n not in get_ipython().user_ns_hidden and n[0] != "_"}
    lines = {name: _census(value) for name, value in named.items()}
    display({"CENSUS": {name: line for name, line in lines.items() if line is not None}}, raw=True)


_take_census()
""".replace("CENSUS", CENSUS)


@dataclass(frozen=True)
class CellRun:
    """One code cell, as it went in one run."""

    title: str
    seconds: float
    outcome: dict[str, Any] | None
    shown: list[Any] | None
    """What the user sees, without what we add; None where it tells of the run itself."""

    @property
    def status(self) -> str:
        return self.outcome["outcome"] if self.outcome else "ran"


@dataclass(frozen=True)
class Run:
    """One run of the whole notebook."""

    cells: list[CellRun]
    values: dict[str, str]
    """What the notebook left in the kernel, by name."""

    @property
    def seconds(self) -> float:
        return sum(cell.seconds for cell in self.cells)


def run(notebook: Path, executed: Path, *, hash_seed: int) -> Run:
    """Execute `notebook` in a fresh kernel and write it, with its outputs, to `executed`."""
    document = nbformat.read(notebook, as_version=4)
    census = nbformat.v4.new_code_cell(TAKE_CENSUS)
    document.cells.append(census)
    client = NotebookClient(
        document,
        timeout=None,
        resources={"metadata": {"path": str(notebook.parent)}},
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        client.execute(env={**os.environ, "PYTHONHASHSEED": str(hash_seed)})
    finally:
        document.cells.remove(census)
        nbformat.write(document, executed)
    cells = [cell_run(cell) for cell in document.cells if cell.cell_type == "code" and cell.source.strip()]
    return Run(cells, next(output.data[CENSUS] for output in census.outputs if CENSUS in output.get("data", {})))


def cell_run(cell: Any) -> CellRun:
    times = cell.metadata.get("execution", {})
    began, ended = times.get("iopub.execute_input"), times.get("shell.execute_reply")
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds() if began and ended else 0
    outcomes = [output.data[OUTCOME] for output in cell.outputs if OUTCOME in output.get("data", {})]
    return CellRun(
        title=title(cell.source),
        seconds=seconds,
        outcome=outcomes[-1] if outcomes else None,
        # `%checkpoint why` and its like report on the run: the two runs differ there, as they should.
        shown=None if cell.source.startswith("%checkpoint") else shown(cell.outputs),
    )


def title(source: str) -> str:
    first = next(line for line in source.splitlines() if line.strip())
    return first if len(first) <= 40 else first[:39] + "…"


def shown(outputs: list[Any]) -> list[Any]:
    """The outputs in order, without our own line; text of one stream in several pieces is one text."""
    items: list[Any] = []
    for output in outputs:
        if OUTCOME in output.get("data", {}):
            continue
        if output.output_type != "stream":
            items.append([output.output_type, dict(output.get("data", {}))])
        elif items and items[-1][0] == output.name:
            items[-1][1] += output.text
        else:
            items.append([output.name, output.text])
    return items


def differences(cold: Run, warm: Run) -> list[str]:
    """What is wrong with the warm run, a sentence each; nothing if all is well."""
    found = []
    if not any(cell.outcome for cell in cold.cells):
        found.append("no cell has told an outcome: is the extension loaded?")
    for before, after in zip(cold.cells, warm.cells, strict=True):
        if before.outcome and after.status != "restored":
            because = (after.outcome or {}).get("because", "")
            found.append(f"{after.title}: {after.status}, not restored" + (f" (because: {because})" if because else ""))
        if before.shown != after.shown:
            found.append(f"{after.title}: shows something else than in the cold run")
    found += [
        f"{name}: not the value that it had in the cold run"
        for name in sorted(cold.values.keys() | warm.values.keys())
        if cold.values.get(name) != warm.values.get(name)
    ]
    return found


def report(cold: Run, warm: Run) -> str:
    """The two runs side by side."""
    rows = [("cell", "cold", "", "warm", "", "kept")]
    for before, after in zip(cold.cells, warm.cells, strict=True):
        kept = before.outcome["nbytes"] if before.outcome else None
        rows.append(
            (before.title, before.status, f"{before.seconds:.2f} s", after.status, f"{after.seconds:.2f} s", size(kept))
        )
    kept = sum(cell.outcome["nbytes"] for cell in cold.cells if cell.outcome and cell.status == "computed")
    rows.append(("total", "", f"{cold.seconds:.2f} s", "", f"{warm.seconds:.2f} s", size(kept)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if column in {2, 4, 5} else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rule = "─" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def size(nbytes: float | None) -> str:
    if nbytes is None:
        return ""
    for unit in ("B", "kB", "MB"):
        if nbytes < 1000:
            return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1000
    return f"{nbytes:.1f} GB"


def main() -> int:
    parser = argparse.ArgumentParser(description="Run a notebook cold, then warm, and compare.")
    parser.add_argument("notebook", nargs="?", type=Path, default=ROOT / "notebooks" / "quickstart.ipynb")
    parser.add_argument("--output", type=Path, default=ROOT / "demo-output", help="a directory; it is made anew")
    options = parser.parse_args()

    shutil.rmtree(options.output, ignore_errors=True)
    directory = options.output / "notebook"
    shutil.copytree(
        options.notebook.parent, directory, ignore=shutil.ignore_patterns(".ipycheckpoint", ".ipynb_checkpoints")
    )
    notebook = directory / options.notebook.name

    # The user's own settings, secret and profile stay out of it.
    for name in [name for name in os.environ if name.startswith(("IPYCHECKPOINT_", "JPY_"))]:
        del os.environ[name]
    private = options.output.resolve() / "private"
    private.mkdir(mode=0o700)
    os.environ["IPYCHECKPOINT_SECRET_FILE"] = str(private / "secret")
    os.environ["IPYTHONDIR"] = str(private / "ipython")

    print(f"{options.notebook.name}, cold: a new kernel and an empty cache …", flush=True)
    cold = run(notebook, options.output / "cold.ipynb", hash_seed=1)
    print(f"{options.notebook.name}, warm: a new kernel and the same cache …\n", flush=True)
    warm = run(notebook, options.output / "warm.ipynb", hash_seed=2)

    print(report(cold, warm))
    print(f"\n{cold.seconds / max(warm.seconds, 0.001):.0f} times as fast the second time.")
    print(f"Both runs, to look at: {options.output / 'cold.ipynb'} and {options.output / 'warm.ipynb'}\n")

    wrong = differences(cold, warm)
    if wrong:
        print("But the warm run is not the cold one:")
        print("\n".join(f"  - {line}" for line in wrong))
        return 1
    print(f"Every output and {len(cold.values)} values are the same in both runs.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
