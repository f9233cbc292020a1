"""Whether a shell runs a cell just now: what a panel writes into its namespace must not come in between."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Activity:
    """Follows the executions of `shell`, from any thread."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._lock = threading.Lock()
        self._running = 1 if _is_executing() else 0
        # Not `pre_execute`: the message that asks for something is announced by that, too.
        shell.events.register("pre_run_cell", self._begin)
        shell.events.register("post_run_cell", self._end)

    def close(self) -> None:
        """Follow no more."""
        for event, callback in (("pre_run_cell", self._begin), ("post_run_cell", self._end)):
            if callback in self._shell.events.callbacks[event]:
                self._shell.events.unregister(event, callback)

    @contextmanager
    def pause(self) -> Iterator[bool]:
        """Whether no cell runs; if so, none begins before the block is left."""
        with self._lock:
            yield self._running == 0

    def _begin(self, _: object = None) -> None:
        with self._lock:
            self._running += 1

    def _end(self, _: object = None) -> None:
        with self._lock:
            # An empty cell ends without having begun.
            self._running = max(0, self._running - 1)


def _is_executing() -> bool:
    """Whether we are called from inside a cell."""
    frame = sys._getframe()
    while (caller := frame.f_back) is not None:
        frame = caller
        if frame.f_code.co_name == "run_code" and frame.f_globals.get("__name__") == "IPython.core.interactiveshell":
            return True
    return False
