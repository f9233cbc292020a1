"""How a scene is written down for each tool, as its own documents say that it is used."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from textwrap import indent
from typing import TYPE_CHECKING, Protocol

from benchmarks.tools import python_of, tool_named

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.features.scene import Scene, Surface


class Dialect(Protocol):
    """One tool, for functions or for cells."""

    tool: str
    surface: Surface

    def command(self, scene: Scene, cache: Path, work: Path, *, explains: bool) -> list[str]:
        """Write the program into `work`; how it is run. With `explains`, the tool is asked to say all that it can."""
        ...


@dataclass(frozen=True)
class Script:
    """A function in a script, under a decorator."""

    tool: str
    setup: str
    """Defines ``keep`` for results in DIRECTORY."""
    telling_setup: str | None = None
    """The same, where the tool can be asked to say more."""
    question: str = ""
    """Asks why, before the call."""
    surface: Surface = "function"

    def command(self, scene: Scene, cache: Path, work: Path, *, explains: bool) -> list[str]:
        setup = (self.telling_setup if explains else None) or self.setup
        call = f"work({', '.join(scene.inputs)})"
        program = [
            "from benchmarks.features import telling",
            scene.before,
            setup.replace("DIRECTORY", repr(str(cache))),
            f"@keep\n{_function(scene)}",
            self.question.replace("CALL", ", ".join(scene.inputs)) if explains else "",
            f"import asyncio\nresult = asyncio.run({call})" if scene.is_async else f"result = {call}",
            scene.after,
            "telling.tell(value)",
        ]
        path = work / "program.py"
        path.write_text("\n\n".join(program) + "\n")
        return [sys.executable, str(path)]


def _function(scene: Scene) -> str:
    head = f"{'async ' if scene.is_async else ''}def work({', '.join(scene.inputs)}):"
    return f"{head}\n{indent(scene.work, '    ')}\n    return result"


@dataclass(frozen=True)
class Cells:
    """A cell of an IPython shell, with the tool's magic above it."""

    tool: str
    question: str = ""
    surface: Surface = "cell"

    def command(self, scene: Scene, cache: Path, work: Path, *, explains: bool) -> list[str]:
        cache.mkdir(parents=True, exist_ok=True)
        path = work / "cells.json"
        before = f"{scene.before}\n{self.question}" if explains else scene.before
        told = {"before": before, "work": scene.work, "after": scene.after, "outputs": scene.outputs}
        path.write_text(json.dumps(told))
        return [python_of(self.tool), "-m", "benchmarks.features.cells", self.tool, str(cache), str(path)]


@dataclass(frozen=True)
class Marimo:
    """A notebook of marimo's, run as a script: ``with persistent_cache`` or ``@persistent_cache`` in a cell."""

    surface: Surface
    tool: str = "marimo"

    def command(self, scene: Scene, cache: Path, work: Path, *, explains: bool) -> list[str]:  # noqa: ARG002 - of the Protocol
        place = repr(str(cache))
        call = f"{'await ' if scene.is_async else ''}work({', '.join(scene.inputs)})"
        if self.surface == "function":
            kept = [f"@mo.persistent_cache(save_path={place})\n{_function(scene)}", f"result = {call}"]
        else:
            kept = [f'with mo.persistent_cache("work", save_path={place}):\n{indent(scene.work, "    ")}']
        cells = ["import marimo as mo\nfrom benchmarks.features import telling", scene.before, *kept]
        cells.append(f"{scene.after}\ntelling.tell(value)")
        path = work / "notebook.py"
        path.write_text(
            "import marimo\n\napp = marimo.App()\n"
            + "".join(
                f"\n\n@app.cell\n{'async ' if 'await ' in cell else ''}def _():\n{indent(cell, '    ')}\n    return\n"
                for cell in cells
                if cell
            )
            + '\n\nif __name__ == "__main__":\n    app.run()\n'
        )
        return [sys.executable, str(path)]


DIALECTS: tuple[Dialect, ...] = (
    Script(
        "ipycheckpoint",
        "from ipycheckpoint import checkpoint\nkeep = checkpoint(DIRECTORY)",
        question="print(work.why(CALL))",
    ),
    Cells("ipycheckpoint", question="%checkpoint why work"),
    Script(
        "joblib",
        "from joblib import Memory\nkeep = Memory(DIRECTORY, verbose=0).cache",
        "from joblib import Memory\nkeep = Memory(DIRECTORY, verbose=100).cache",
    ),
    Marimo("function"),
    Marimo("cell"),
    Cells("ipycache"),
    Script(
        "cachier",
        "from cachier import cachier\nkeep = cachier(cache_dir=DIRECTORY, separate_files=True)",
        question="import logging\nlogging.basicConfig(level='DEBUG')",
    ),
    Script("diskcache", "from diskcache import Cache\nkeep = Cache(DIRECTORY).memoize()"),
    Cells("Kishu"),
)

TOOLS = tuple(dict.fromkeys(dialect.tool for dialect in DIALECTS))


def version_of(tool: str) -> str:
    """As it is installed where this runs."""
    return str(tool_named(tool).version())
