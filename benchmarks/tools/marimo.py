"""marimo's persistent cache: ``@persistent_cache`` of functions, ``with persistent_cache`` in the cells of an app."""

from __future__ import annotations

import dis
import sys
import textwrap
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

from benchmarks.tools.scripted import Scripted

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cell import Cell

APP = """
import marimo

app = marimo.App()


@app.cell
def inputs():
{inputs}
    return ({names})


@app.cell
def kept({parameters}):
    import time
    import marimo
    import benchmarks.tools.marimo

    began = time.perf_counter()
    with marimo.persistent_cache({name!r}, save_path={directory!r}):
{cell}
    benchmarks.tools.marimo.took.append(time.perf_counter() - began)
    return ({outputs})
"""

took: list[float] = []
"""The seconds of the block in each run of the app."""


class App:
    """A session: an app of two cells, of which the second is kept."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self._inputs: list[str] = []
        self._apps: dict[str, Any] = {}
        self._values: dict[str, Any] = {}

    def load(self) -> None:
        import marimo

        assert marimo

    def define(self, source: str) -> None:
        """What the first cell begins with."""
        self._inputs.append(source)
        self._apps.clear()

    def empty(self) -> float:
        """Nothing: what is measured is the block alone."""
        return 0.0

    def first(self, cell: Cell) -> float:
        return self.again(cell)

    def again(self, cell: Cell) -> float:
        if cell.name not in self._apps:
            self._apps[cell.name] = self._app(cell)
        _, self._values = self._apps[cell.name].run()
        return took[-1]

    def unbind(self, names: tuple[str, ...]) -> None:
        """Each run of an app begins with nothing."""

    def value(self, name: str) -> Any:
        return self._values[name]

    def _app(self, cell: Cell) -> Any:
        inputs = "\n".join(self._inputs)
        names = _bound(inputs)
        reads = sorted(set(names) & _read(cell.source))
        path = self.directory / f"{cell.name}.py"
        path.write_text(
            APP.format(
                inputs=textwrap.indent(inputs, " " * 4),
                names="".join(f"{name}, " for name in names),
                parameters=", ".join(reads),
                name=cell.name,
                directory=str(self.directory / "kept"),
                cell=textwrap.indent(cell.source, " " * 8),
                outputs="".join(f"{name}, " for name in cell.names),
            )
        )
        spec = spec_from_file_location(f"app_{cell.name}", path)
        assert spec
        assert spec.loader
        module = sys.modules[spec.name] = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.app


def _bound(source: str) -> list[str]:
    instructions = dis.get_instructions(compile(source, "<inputs>", "exec"))
    return list(dict.fromkeys(one.argval for one in instructions if one.opname == "STORE_NAME"))


def _read(source: str) -> set[str]:
    return set(compile(source, "<cell>", "exec").co_names)


@dataclass(frozen=True)
class _Tool(Scripted):
    session = App


# It takes the names that a function reaches from the frame that it is called in: so those of the module are there.
TOOL = _Tool(
    "marimo",
    """from functools import partial
import marimo

def decorate(function):
    keep = partial(marimo.persistent_cache, save_path=DIRECTORY)
    return eval("keep(function)", {**function.__globals__, "keep": keep, "function": function})
""",
)
