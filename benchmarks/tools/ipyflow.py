"""ipyflow's ``%%memoize``: in memory, so its results end with the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.tools.celltool import CellTool
from benchmarks.tools.shells import Shell

if TYPE_CHECKING:
    from benchmarks.cell import Cell


class Ipyflow(Shell):
    extension = "ipyflow"

    def source(self, cell: Cell) -> str:
        return f"%%memoize\n{cell.source}"

    def unbind(self, names: tuple[str, ...]) -> None:
        """It goes by what happens in cells: what is taken away behind its back stays away."""


TOOL = CellTool("ipyflow", Ipyflow)
