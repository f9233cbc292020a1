"""A tool that keeps cells and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any


@dataclass(frozen=True)
class CellTool:
    """What it is called, and how a session with it begins."""

    distribution: str
    session: Any
    """Of a directory, makes an object with the methods of `benchmarks.tools.shells.Shell`."""

    def version(self) -> str:
        """As it is installed here."""
        return version(self.distribution)
