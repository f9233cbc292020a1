"""How often the work under test has run, and for how long.

The work says so itself, by ``logging.getLogger("benchmarks").critical("began")``: a call into the standard library,
which no tool takes for a part of the result, and which no tool has to follow.
"""

from __future__ import annotations

import logging
import os
import time

BEGAN = 'logging.getLogger("benchmarks").critical("began")'
ENDED = 'logging.getLogger("benchmarks").critical("ended")'


class Runs(logging.Handler):
    """Counts, and keeps how long the last run took."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.seconds = 0.0
        self._began = 0.0
        # What several processes run is counted in a file that all of them append to.
        path = os.environ.get("BENCHMARKS_RUNS")
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if path else None

    def handle(self, record: logging.LogRecord) -> bool:
        """As `emit`, without the lock that a waiting process may have been forked with."""
        if record.msg == "began":
            self.count += 1
            if self._file is not None:
                os.write(self._file, b".")
            self._began = time.perf_counter()
        else:
            self.seconds = time.perf_counter() - self._began
        return True


def counted() -> Runs:
    """Begin to count in this process."""
    logger = logging.getLogger("benchmarks")
    logger.propagate = False
    logger.handlers[:] = [runs := Runs()]
    return runs
