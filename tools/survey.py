"""Run the five long notebooks plain, cold, warm and edited, and compare: ``make survey``.

Each says in its metadata what an edit in its middle is: ``{"cell": id, "old": text, "new": text}``. It runs five
times, each in a kernel of its own with another PYTHONHASHSEED: plain, that is, without the extension; cold, with an
empty cache; warm; then edited, and the edited one plain. Whatever a cell shows and whatever values are left must be
those of the plain run, and whatever the cold run kept must be restored in the warm one.
"""

from __future__ import annotations

import argparse
import copy
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import nbformat

from tools.runs import ROOT, Run, make_private, not_as_in, not_restored, run_document, size

NOTEBOOKS = ("cleaning", "selection", "images", "words", "simulation")
PACKAGES = ("ipython", "numpy", "pandas", "scikit-learn", "scikit-image", "scipy", "matplotlib")

PAGE = """# Five notebooks

Five notebooks as people write them, under `%checkpoint auto`: every cell is a checkpoint, and those that take a
second or more are kept. `make survey` runs each of them *plain*, without the extension; *cold*, with an empty cache;
*warm*, in a new kernel with the same cache; and *edited*, in a new kernel again, after a change in the middle. It
compares what every cell shows, and every value that is left at the end and that can be compared by its content, with
the plain run of the same notebook, and writes this page.

| notebook | code cells | kept | plain | cold | warm | edited, plain | edited | restored after the edit | bytes |
|---|---|---|---|---|---|---|---|---|---|
{rows}

Times are seconds for all cells together; *edited* stands beside what the edited notebook takes without checkpoints.
Each edit was chosen so that it spoils some slow cells and not all: what an edit costs depends on what depends on it.
*Bytes* is what the cache directory holds after the cold run.

What the edits are:

{edits}

{found}

Measured on {machine}.
"""


@dataclass(frozen=True)
class Survey:
    """One notebook, in all its runs."""

    name: str
    edit: dict[str, str]
    plain: Run
    cold: Run
    warm: Run
    edited_plain: Run
    edited: Run
    nbytes: int

    @property
    def kept(self) -> int:
        return sum(cell.status == "computed" for cell in self.cold.cells)

    @property
    def refused(self) -> list[str]:
        """The slow cells that could not be kept, and why; that is no failure, but it is told."""
        return [f"{cell.title}: {cell.because}" for cell in self.cold.cells if cell.status == "refused"]

    def differences(self) -> list[str]:
        """What is wrong, a sentence each; nothing if all is well."""
        found = [] if self.kept else ["nothing was kept: is the extension loaded?"]
        found += [f"cold: {line}" for line in not_as_in(self.plain, self.cold, "plain")]
        found += [f"warm: {line}" for line in not_as_in(self.plain, self.warm, "plain")]
        found += [f"warm: {line}" for line in not_restored(kept_only(self.cold), self.warm)]
        found += [f"edited: {line}" for line in not_as_in(self.edited_plain, self.edited, "edited plain")]
        if self.plain.values == self.edited_plain.values:
            found.append("the edit changes nothing")
        return [f"{self.name}, {line}" for line in found]

    def row(self) -> str:
        spent = (self.plain, self.cold, self.warm, self.edited_plain, self.edited)
        pairs = zip(self.cold.cells, self.edited.cells, strict=True)
        restored = sum(cold.status == "computed" and edited.status == "restored" for cold, edited in pairs)
        cells = [
            f"[{self.name}](../notebooks/{self.name}.ipynb)",
            str(len(self.cold.cells)),
            str(self.kept),
            *(f"{run.seconds:.1f}" for run in spent),
            f"{restored} of {self.kept}",
            size(self.nbytes),
        ]
        return f"| {' | '.join(cells)} |"


def kept_only(cold: Run) -> Run:
    """`cold` as if what was refused had told nothing: such a cell need not be restored."""
    cells = [c if c.status == "computed" else type(c)(c.title, c.seconds, None, c.shown) for c in cold.cells]
    return Run(cells, cold.values)


def without_extension(document: Any) -> Any:
    """The notebook with comments in place of our lines, so that its cells have the same numbers."""
    plain = copy.deepcopy(document)
    for cell in code_cells(plain):
        lines = cell.source.splitlines()
        ours = ("%load_ext ipycheckpoint", "%checkpoint", "%%checkpoint")
        cell.source = "\n".join(f"# {line}" if line.startswith(ours) else line for line in lines)
    return plain


def with_edit(document: Any) -> Any:
    """The notebook after the edit that its metadata tell of."""
    edit = document.metadata["edit"]
    edited = copy.deepcopy(document)
    (cell,) = [cell for cell in code_cells(edited) if cell.id == edit["cell"]]
    if cell.source.count(edit["old"]) != 1:
        raise ValueError(f"the edit's old text must be in cell {edit['cell']!r} once: {edit['old']!r}")
    cell.source = cell.source.replace(edit["old"], edit["new"])
    return edited


def code_cells(document: Any) -> list[Any]:
    return [cell for cell in document.cells if cell.cell_type == "code"]


def survey(name: str, directory: Path) -> Survey:
    """Run the notebook `name` in `directory`, which is made anew, and leave all executed notebooks there."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    document = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    edited = with_edit(document)
    runs = {}
    nbytes = 0
    versions = {
        "plain": without_extension(document),
        "cold": document,
        "warm": document,
        "edited": edited,
        "edited_plain": without_extension(edited),
    }
    for hash_seed, (kind, notebook) in enumerate(versions.items(), start=1):
        print(f"{name}, {kind} …", end=" ", flush=True)
        executed = directory / f"{kind}.ipynb"
        runs[kind] = run_document(copy.deepcopy(notebook), directory, executed, hash_seed=hash_seed)
        print(f"{runs[kind].seconds:.1f} s", flush=True)
        if kind == "cold":
            cache = directory / ".ipycheckpoint"
            nbytes = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    return Survey(name, document.metadata["edit"], nbytes=nbytes, **runs)


def page(surveys: list[Survey], wrong: list[str]) -> str:
    """What docs/survey.md says."""
    edits = [f"- {s.name}: `{s.edit['old'].strip()}` becomes `{s.edit['new'].strip()}`" for s in surveys]
    refused = [f"- {s.name}: {line}" for s in surveys for line in s.refused]
    if wrong:
        found = "What is not as in the plain run:\n\n" + "\n".join(f"- {line}" for line in wrong)
    else:
        count = sum(len(s.plain.values) + len(s.edited_plain.values) for s in surveys)
        found = f"Every output and {count} values are the same as without checkpoints."
    if refused:
        found += "\n\nSlow cells that could not be kept, and what they said:\n\n" + "\n".join(refused)
    installed = {name.lower() for name in (d.name for d in distributions())}
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES if package in installed)
    machine = f"{platform.system()} with {os.cpu_count()} processors: Python {platform.python_version()}, {packages}"
    rows = "\n".join(s.row() for s in surveys)
    return PAGE.format(rows=rows, edits="\n".join(edits), found=found, machine=machine)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run long notebooks plain, cold, warm and edited, and compare.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NOTEBOOKS)}; all if none is given")
    parser.add_argument("--output", type=Path, default=ROOT / "survey-output", help="a directory; it is made anew")
    options = parser.parse_args()
    names = options.names or NOTEBOOKS
    if unknown := set(names) - set(NOTEBOOKS):
        parser.error(f"there is no notebook {', '.join(sorted(unknown))}")

    shutil.rmtree(options.output, ignore_errors=True)
    options.output.mkdir(parents=True)
    make_private(options.output)
    surveys = [survey(name, options.output / name) for name in names]
    wrong = [line for s in surveys for line in s.differences()]
    text = page(surveys, wrong)
    print("\n" + text)
    if not options.names:
        (ROOT / "docs" / "survey.md").write_text(text, encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
