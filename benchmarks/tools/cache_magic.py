"""cache-magic's ``%cache``: a line for each variable, of an expression without spaces."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.runs import BEGAN, ENDED
from benchmarks.tools.celltool import CellTool
from benchmarks.tools.shells import Shell

if TYPE_CHECKING:
    from benchmarks.cell import Cell


class CacheMagic(Shell):
    extension = "cache_magic"

    def load(self) -> None:
        # It keeps what it keeps below the directory in which the shell was started.
        self.shell.starting_dir = str(self.directory)
        import cache_magic  # it is no extension: importing it defines the magic

        assert cache_magic, os.getcwd()

    def source(self, cell: Cell) -> str:
        return "\n".join(f"%cache {name}=({BEGAN},({expression}),{ENDED})[1]" for name, expression in cell.assignments)


TOOL = CellTool("cache-magic", CacheMagic)
