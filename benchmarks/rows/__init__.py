"""The rows, in the order of the table. Each has a module of its own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.row import Row

_MODULES = {
    "F1": "f1_small_call",
    "F2": "f2_large_array",
    "F3": "f3_frame",
    "F4": "f4_nested",
    "F5-6": "f5_array_result",
    "F7": "f7_frame_result",
    "F8": "f8_strings_result",
    "F9": "f9_fresh_process",
    "F10": "f10_shared_bytes",
    "F11": "f11_many_small",
    "F12": "f12_four_processes",
    "M1": "m1_maps",
    "M2": "m2_bulk",
    "C1-2": "c1_small_cell",
    "C3": "c3_large_input",
    "C4": "c4_ordinary_cell",
    "C5": "c5_first_run",
    "G1": "g1_closures",
    "G2": "g2_records",
    "G3": "g3_names",
    "G4": "g4_maps",
}

NAMES = tuple(_MODULES)


def row_named(name: str) -> Row:
    """The row of that name. Raises KeyError if there is none."""
    return import_module(f"benchmarks.rows.{_MODULES[name]}").ROW
