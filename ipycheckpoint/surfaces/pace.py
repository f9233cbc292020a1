"""When to say how far something has come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.progress import Progress

FIRST_SECONDS = 0.5
"""What takes less needs no word."""

_NEXT_SECONDS = 0.2


class Pace:
    """When to say how far something has come, and how long the rest will take: made when it begins.

    `clock` gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock() + FIRST_SECONDS
        self._part: tuple[str, int] | None = None
        self._since = 0.0

    def is_due(self, progress: Progress) -> bool:
        """Whether a word is due: the first after half a second, then at most five a second."""
        now = self._clock()
        part = (progress.what, progress.total)
        if part != self._part:
            self._part, self._since = part, now
        if now < self._due:
            return False
        self._due = now + _NEXT_SECONDS
        return True

    def seconds_left(self, progress: Progress) -> float | None:
        """How long it takes yet at the pace so far; None where nothing can be said."""
        if not 0 < progress.done < progress.total:
            return None
        return (self._clock() - self._since) * (progress.total - progress.done) / progress.done
