"""What the scripts that map over executors have in common: a function that tells of its runs, and the pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.semantics.scenes import Program

FUNCTION = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from ipycheckpoint import checkpoint, tags
SCALE = 3
def scaled(x):
    return x * SCALE
@checkpoint(watch=False)
def f(x):
    with open("runs.txt", "a") as file:
        file.write(f"{x}\\n")
    time.sleep(float(os.environ.get("NAP", 0)))
    return scaled(x)
def pool(kind):
    if kind == "threads":
        return ThreadPoolExecutor(2)
    if kind == "loky":
        from loky import get_reusable_executor
        return get_reusable_executor(2)
    return ProcessPoolExecutor(2, multiprocessing.get_context(kind))
"""
"""How a script begins. Each run of ``f`` takes the seconds that NAP says."""


def runs(program: Program) -> list[int]:
    """The items that ran, in order."""
    path = program.directory / "runs.txt"
    return sorted(int(line) for line in path.read_text().split()) if path.exists() else []
