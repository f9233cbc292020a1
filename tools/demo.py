"""Run a notebook cold and then warm, compare the two, and tell what was saved: ``make demo``.

The notebook's directory is copied, so that it starts without a cache. Each run has a kernel of its own,
with another PYTHONHASHSEED. It fails when a checkpoint of the cold run is not restored in the warm one, or
when anything that a cell shows, or any value that it leaves behind, is not what it was in the cold run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tools.runs import ROOT, Run, make_private, not_as_in, not_restored, run, size


def differences(cold: Run, warm: Run) -> list[str]:
    """What is wrong with the warm run, a sentence each; nothing if all is well."""
    found = []
    if not any(cell.outcome for cell in cold.cells):
        found.append("no cell has told an outcome: is the extension loaded?")
    return found + not_restored(cold, warm) + not_as_in(cold, warm, "cold")


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
    make_private(options.output)

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
