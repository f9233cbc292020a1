"""ipycheckpoint: for functions and for cells."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.tools.scripted import Scripted
from benchmarks.tools.shells import Shell

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cell import Cell


def listing(_: Any, directory: Path) -> int:
    from ipycheckpoint.cache.cache import Cache

    cache = Cache.at(directory)
    try:
        return len(cache.rows())
    finally:
        cache.close()


class Ours(Shell):
    """``%%checkpoint``, in IPython."""

    extension = "ipycheckpoint"

    def prepare(self) -> None:
        os.environ["IPYCHECKPOINT_DIR"] = str(self.directory)

    def source(self, cell: Cell) -> str:
        return f"%%checkpoint {cell.name}\n{cell.source}"


@dataclass(frozen=True)
class _Tool(Scripted):
    session = Ours


TOOL = _Tool(
    "ipycheckpoint",
    "from ipycheckpoint import checkpoint\ndecorate = checkpoint(DIRECTORY)",
    listing,
)
