"""Kishu: every cell is committed, and a hit is the checkout of a commit, whatever the inputs are."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from benchmarks.tools.celltool import CellTool
from benchmarks.tools.shells import Shell

if TYPE_CHECKING:
    from benchmarks.cell import Cell


class Kishu(Shell):
    extension = "kishu"

    def prepare(self) -> None:
        # Its own word for: there is no front end to talk to.
        os.environ["ENV_KISHU_TEST_MODE"] = "1"

    def load(self) -> None:
        import nbformat
        from kishu.jupyterint import KishuForJupyter
        from kishu.notebook_id import NotebookId

        notebook = self.directory / "notebook.ipynb"
        nbformat.write(nbformat.v4.new_notebook(), notebook)
        self.kishu: Any = KishuForJupyter(NotebookId("notebook", notebook, "kernel"), self.shell)
        self.kishu.install_kishu_hooks()
        self.commits: dict[str, str] = {}

    def source(self, cell: Cell) -> str:
        return cell.source

    def empty(self) -> float:
        """Nothing: a checkout is no cell, and to commit an empty one costs as much as any other."""
        return 0.0

    def first(self, cell: Cell) -> float:
        seconds = super().first(cell)
        self.commits[cell.name] = self.kishu._kishu_branch.get_head().commit_id
        return seconds

    def unbind(self, names: tuple[str, ...]) -> None:
        """It has to see that they go."""
        self.run(f"for name in {names!r}:\n    globals().pop(name, None)")

    def again(self, cell: Cell) -> float:
        self.unbind(cell.names)
        began = time.perf_counter()
        self.kishu.checkout(self.commits[cell.name], skip_notebook=True)
        return time.perf_counter() - began


TOOL = CellTool("kishu", Kishu)
