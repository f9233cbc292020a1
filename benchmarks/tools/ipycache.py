"""ipycache's ``%%cache``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.tools.celltool import CellTool
from benchmarks.tools.shells import Shell

if TYPE_CHECKING:
    from benchmarks.cell import Cell


class Ipycache(Shell):
    extension = "ipycache"

    def source(self, cell: Cell) -> str:
        return f"%%cache {self.directory / cell.name}.pkl {' '.join(cell.names)}\n{cell.source}"


TOOL = CellTool("ipycache", Ipycache)
