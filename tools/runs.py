"""Notebooks run in fresh kernels, and what each cell showed and what was left behind: for the demo and the survey."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
OUTCOME = "application/vnd.ipycheckpoint.outcome+json"
CENSUS = "application/vnd.ipycheckpoint.census+json"

# Runs in the kernel after the last cell, for the census must not be restored itself.
LEAVE = 'get_ipython().extension_manager.unload_extension("ipycheckpoint");'

# Runs after that. It goes by the bytes of values, not by our own fingerprints, so that
# a mistake in those can't hide behind itself. What it can't compare is left to what the cells show of it.
TAKE_CENSUS = """
def _census(value, seen=()):
    import datetime, hashlib, random, sys
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, datetime.date, datetime.timedelta)):
        return f"{type(value).__name__} {value!r}"
    if id(value) in seen:
        return "seen above"
    seen = (*seen, id(value))
    kind = type(value).__name__
    if isinstance(value, (list, tuple, dict)):
        parts = [part for item in value.items() for part in item] if isinstance(value, dict) else list(value)
        lines = [_census(part, seen) for part in parts]
        return None if None in lines else f"{kind} {lines}"
    if isinstance(value, (set, frozenset)):
        lines = [_census(part, seen) for part in value]
        return None if None in lines else f"{kind} {sorted(lines)}"
    if isinstance(value, random.Random):
        return f"{kind} {value.getstate()}"
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy and isinstance(value, (numpy.ndarray, numpy.generic)):
        if value.dtype.hasobject:
            lines = [_census(part, seen) for part in value.ravel().tolist()]
            return None if None in lines else f"{kind} {value.shape} {lines}"
        content = hashlib.sha256(numpy.ascontiguousarray(value).tobytes()).hexdigest()
        return f"{kind} {value.dtype} {value.shape} {content}"
    if numpy and isinstance(value, numpy.random.Generator):
        return _census(value.bit_generator.state, seen)
    if pandas and isinstance(value, (pandas.DataFrame, pandas.Series, pandas.Index)):
        if isinstance(value, pandas.Index):
            names, table = value.names, value
        elif isinstance(value, pandas.Series):
            names, table = [value.name, value.dtype], value
        else:
            names, table = list(zip(value.columns, value.dtypes)), value
        try:
            hashes = numpy.asarray(pandas.util.hash_pandas_object(table))
        except TypeError:  # a column of lists or the like
            return None
        return f"{kind} {names} {hashlib.sha256(hashes.tobytes()).hexdigest()}"
    if type(value).__module__ == "__main__" and hasattr(value, "__dict__"):
        state = _census(vars(value), seen)
        return None if state is None else f"{kind} {state}"
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

    @property
    def because(self) -> str:
        return self.outcome.get("because", "") if self.outcome else ""


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
    return run_document(nbformat.read(notebook, as_version=4), notebook.parent, executed, hash_seed=hash_seed)


def run_document(document: Any, directory: Path, executed: Path, *, hash_seed: int) -> Run:
    """Execute `document` in a fresh kernel in `directory` and write it, with its outputs, to `executed`."""
    *_, census = added = [nbformat.v4.new_code_cell(source) for source in (LEAVE, TAKE_CENSUS)]
    document.cells += added
    client = NotebookClient(
        document,
        timeout=None,
        resources={"metadata": {"path": str(directory)}},
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        client.execute(env={**os.environ, "PYTHONHASHSEED": str(hash_seed)})
    finally:
        del document.cells[-len(added) :]
        nbformat.write(document, executed)
    cells = [cell_run(cell) for cell in document.cells if cell.cell_type == "code" and cell.source.strip()]
    return Run(cells, next(output.data[CENSUS] for output in census.outputs if CENSUS in output.get("data", {})))


def cell_run(cell: Any) -> CellRun:
    times = cell.metadata.get("execution", {})
    began, ended = times.get("iopub.execute_input"), times.get("shell.execute_reply")
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds() if began and ended else 0
    outcomes = [output.data[OUTCOME] for output in cell.outputs if OUTCOME in output.get("data", {})]
    # `%checkpoint why` and its like report on the run: two runs differ there, as they should.
    reports = re.search(r"^%checkpoint", cell.source, flags=re.MULTILINE)
    return CellRun(
        title=title(cell.source),
        seconds=seconds,
        outcome=outcomes[-1] if outcomes else None,
        shown=None if reports else shown(cell.outputs),
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
            bundle = output.get("data", {})
            items.append([output.output_type, {kind: looks(kind, data) for kind, data in bundle.items()}])
        elif items and items[-1][0] == output.name:
            items[-1][1] += output.text
        else:
            items.append([output.name, output.text])
    return [[name, looks("text/plain", what)] if isinstance(what, str) else [name, what] for name, what in items]


def looks(kind: str, data: Any) -> Any:
    """What counts of one representation: the pixels of an image; a text but for addresses and the kernel's process."""
    if kind == "image/png":
        from PIL import Image

        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            return [image.mode, *image.size, hashlib.sha256(image.tobytes()).hexdigest()]
    return re.sub(r"\b0x[0-9a-f]{6,}\b|(?<=/ipykernel_)\d+(?=/)", "…", data) if isinstance(data, str) else data


def settled(items: list[Any]) -> list[Any]:
    """What was shown, with what was written between two displays sorted by stream.

    A kernel sends on what is written to stdout and to stderr at its leisure, so their order tells nothing.
    """
    pieces: list[Any] = []
    for is_stream, group in itertools.groupby(items, key=lambda item: item[0] in {"stdout", "stderr"}):
        if is_stream:
            texts = {"stderr": "", "stdout": ""}
            for name, text in group:
                texts[name] += text
            pieces.append(texts)
        else:
            pieces += group
    return pieces


def not_as_in(expected: Run, run: Run, name: str) -> list[str]:
    """What `run` shows or leaves that is not as in `expected`, the `name` run, a sentence each."""
    found = [
        f"{cell.title}: shows something else than in the {name} run"
        for before, cell in zip(expected.cells, run.cells, strict=True)
        if None not in (before.shown, cell.shown) and settled(before.shown) != settled(cell.shown)
    ]
    found += [
        f"{value}: not the value that it had in the {name} run"
        for value in sorted(expected.values.keys() | run.values.keys())
        if expected.values.get(value) != run.values.get(value)
    ]
    return found


def not_restored(cold: Run, warm: Run) -> list[str]:
    """The checkpoints that the cold run kept, or said that it couldn't, and the warm one didn't restore."""
    return [
        f"{after.title}: {after.status}, not restored" + (f" (because: {after.because})" if after.because else "")
        for before, after in zip(cold.cells, warm.cells, strict=True)
        if before.outcome and after.status != "restored"
    ]


def size(nbytes: float | None) -> str:
    if nbytes is None:
        return ""
    for unit in ("B", "kB", "MB"):
        if nbytes < 1000:
            return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1000
    return f"{nbytes:.1f} GB"


def make_private(output: Path) -> None:
    """Keep the user's own settings, secret and profile out of the runs; `output` is a directory that exists."""
    for name in [name for name in os.environ if name.startswith(("IPYCHECKPOINT_", "JPY_"))]:
        del os.environ[name]
    private = output.resolve() / "private"
    private.mkdir(mode=0o700)
    os.environ["IPYCHECKPOINT_SECRET_FILE"] = str(private / "secret")
    os.environ["IPYTHONDIR"] = str(private / "ipython")
