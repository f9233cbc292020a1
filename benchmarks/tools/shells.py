"""An IPython shell in this process, with the extension of a tool, and the time that its cells take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cell import Cell


class Shell:
    """A session of a tool that is an extension."""

    extension: ClassVar[str]

    def __init__(self, directory: Path) -> None:
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        self.directory = directory
        directory.mkdir(exist_ok=True)
        config = Config()
        config.HistoryManager.enabled = False
        self.shell = InteractiveShell.instance(config=config, ipython_dir=str(directory.parent / "home"))
        self._places: dict[str, int] = {}
        self.prepare()

    def prepare(self) -> None:
        """What has to be settled before the extension is loaded."""

    def load(self) -> None:
        """Load the extension."""
        if message := self.shell.run_line_magic("load_ext", self.extension):
            raise ImportError(message)
        if self.extension not in self.shell.extension_manager.loaded:
            raise ImportError(f"{self.extension} is no extension")

    def source(self, cell: Cell) -> str:
        """The cell, with the line that makes the tool keep it."""
        raise NotImplementedError

    def run(self, source: str, name: str = "") -> float:
        """Run a cell; the seconds that it took. Raises what it raised."""
        place = self._places.setdefault(name, len(self._places)) if name else None
        began = time.perf_counter()
        result = self.shell.run_cell(source, store_history=True, cell_id=place)
        seconds = time.perf_counter() - began
        result.raise_error()
        return seconds

    def define(self, source: str) -> None:
        """Run a cell that nobody measures."""
        self.run(source)

    def empty(self) -> float:
        """The seconds of a cell that does nothing."""
        return self.run("pass")

    def first(self, cell: Cell) -> float:
        """Run the cell for the first time; its seconds."""
        return self.run(self.source(cell), cell.name)

    def again(self, cell: Cell) -> float:
        """Have it restored; the seconds that it took."""
        return self.run(self.source(cell), cell.name)

    def unbind(self, names: tuple[str, ...]) -> None:
        """Take what the cell binds away, so that only what is restored can be there."""
        for name in names:
            self.shell.user_ns.pop(name, None)

    def value(self, name: str) -> Any:
        """What a name is bound to."""
        return self.shell.user_ns[name]
