"""The tools: ours, the neighbours, and the LIMIT. Each has a module, loaded in the processes that need it."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

OURS = "ipycheckpoint"
LIMIT = "LIMIT"

FUNCTIONS = (OURS, LIMIT, "joblib", "joblib-mmap", "diskcache", "checkpointing", "cachier", "marimo")
"""Those that keep results of functions."""
CELLS = (OURS, LIMIT, "ipycache", "cache-magic", "ipyflow", "Kishu", "marimo")
"""Those that keep results of cells."""
UNCHECKED = {"cache-magic", "ipycache", "Kishu"}
"""Those that restore a cell whatever its inputs are: they are measured, but are no measure."""

_MODULES = {
    OURS: "ours",
    LIMIT: "straight_line",
    "joblib": "joblib",
    "joblib-mmap": "joblib_mmap",
    "diskcache": "diskcache",
    "checkpointing": "checkpointing",
    "cachier": "cachier",
    "marimo": "marimo",
    "ipycache": "ipycache",
    "cache-magic": "cache_magic",
    "ipyflow": "ipyflow",
    "Kishu": "kishu",
}
_ROOT = Path(__file__).resolve().parents[2]


def tool_named(name: str) -> Any:
    """The adapter of a tool. It imports the tool only when asked to do something."""
    return import_module(f"benchmarks.tools.{_MODULES[name]}").TOOL


def is_limit(tool: Any) -> bool:
    """Whether that is the LIMIT, which another environment may be unable to load."""
    module = sys.modules.get(f"{__name__}.{_MODULES[LIMIT]}")
    return module is not None and tool is module.TOOL


def python_of(name: str) -> str:
    """The interpreter that has it: Kishu needs other versions of what the others need."""
    if name == "Kishu":
        return os.environ.get("KISHU_PYTHON") or str(_ROOT / ".venv-bench-kishu" / "bin" / "python")
    return sys.executable
