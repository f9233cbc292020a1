"""joblib.Memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.tools.scripted import Scripted

if TYPE_CHECKING:
    from pathlib import Path


def listing(function: Any, _: Path) -> int:
    return len(function.store_backend.get_items())


TOOL = Scripted(
    "joblib",
    "from joblib import Memory\ndecorate = Memory(DIRECTORY, verbose=0).cache",
    listing,
)
