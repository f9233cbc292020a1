"""The LIMIT, in the place of a tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.limit import LimitSession, Small
from benchmarks.tools.scripted import Scripted

if TYPE_CHECKING:
    from pathlib import Path


def listing(_: Any, directory: Path) -> int:
    return len(Small(str(directory)).keys())


@dataclass(frozen=True)
class _Tool(Scripted):
    session = LimitSession


TOOL = _Tool("blake3", "from benchmarks.limit import Limit\ndecorate = Limit(DIRECTORY).decorate", listing)
