"""What a step of a row works with: its tool, its size, and where it puts its figures."""

from __future__ import annotations

import gc
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.runs import counted
from benchmarks.same import same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NO_WAY = "has no way to"
"""The failure of a tool that doesn't offer what a figure is about."""

_QUICK = 200e-6  # what takes less is timed in batches, for the clock's own sake
_BATCH = 2e-3
_BLOCK = 512  # what `st_blocks` counts in, whatever the file system


class Bench:
    """One tool, one workload, one process."""

    def __init__(self, tool: Any, directory: Path, seed: int, size: Mapping[str, int]) -> None:
        self.tool = tool
        self.directory = directory / "cache"
        """Where the tool keeps what it keeps."""
        self.scratch = directory
        self.seed = seed
        self.size = size
        self.figures: dict[str, float] = {}
        """In units of the row."""
        self.failures: dict[str, str] = {}
        """Why there is no figure."""
        self.runs = counted()

    def place(self, name: str) -> Path:
        """Another directory for the tool."""
        return self.scratch / name.replace(" ", "-")

    def decorated(self, function: Callable[..., Any], directory: Path | None = None) -> Callable[..., Any]:
        """The function, as the tool keeps its results."""
        return self.tool.decorate(function, directory or self.directory)

    def first(self, call: Callable[[], Any], figure: str | None = None) -> Any:
        """The result of a call that has to run; the figure is its price, without what the work itself takes."""
        before = self.runs.count
        value, seconds = timed(call)
        if self.runs.count == before:
            raise AssertionError("the first call did not run")
        if figure is not None:
            self.figures[figure] = seconds - self.runs.seconds
        return value

    def hit(
        self,
        figure: str,
        call: Callable[[], Any],
        expected: Any,
        *,
        is_once: bool = False,
        seconds: float | None = None,
    ) -> None:
        """How long a call takes whose result is kept: the very first one, or the median of many.

        It fails if the work runs again, or if another value comes back.
        """
        before = self.runs.count
        value, took = timed(call)
        if not self._is_right(figure, value, expected, before):
            return
        if not is_once:
            del value  # so that no call has to make room beside it
            took = repeated(call, self.size["milliseconds"] / 1000 if seconds is None else seconds, took)
            if self.runs.count != before:
                self.failures[figure] = "ran again"
                return
        self.figures[figure] = took

    def _is_right(self, figure: str, value: Any, expected: Any, runs_before: int) -> bool:
        if self.runs.count != runs_before:
            self.failures[figure] = "ran again"
        elif not same(value, expected):
            self.failures[figure] = "another result came back"
        return figure not in self.failures

    def disk(self, directory: Path | None = None) -> tuple[int, int]:
        """Bytes that the tool occupies on the disk, and its files."""
        walked = os.walk(directory or self.directory)
        found = [Path(folder, name).stat() for folder, _, names in walked for name in names]
        return sum(status.st_blocks * _BLOCK for status in found), len(found)


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and its seconds."""
    gc.collect()
    began = time.perf_counter()
    value = call()
    return value, time.perf_counter() - began


def repeated(call: Callable[[], Any], seconds: float, once: float) -> float:
    """The median seconds of a call that takes about `once`, over as many as `seconds` allow, but at least three."""
    gc.collect()
    count = max(1, int(_BATCH / max(once, 1e-6))) if once < _QUICK else 1
    samples: list[float] = []
    end = time.perf_counter() + seconds
    while len(samples) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        for _ in range(count):
            call()
        samples.append((time.perf_counter() - began) / count)
    return statistics.median(samples)
