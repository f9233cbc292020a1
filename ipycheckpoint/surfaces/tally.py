"""How far a map has come: hits, misses, failures, and the time that is left; by tqdm where that can be imported."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from ipycheckpoint.surfaces.badge import seconds_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_SECONDS = 0.5  # what takes less needs no word
_NEXT_SECONDS = 0.2


class Tally:
    """Counts what became of the `total` items of a map of `label`; with `shown`, where the user sees it."""

    def __init__(self, label: str, total: int, *, shown: bool) -> None:
        self.hits = self.misses = self.failures = 0
        self._total = total
        self._display: _Display | None = None
        if shown and total:
            with suppress(Exception):  # what can't be shown must not cost the work
                self._display = _new_display(label, total)

    @property
    def done(self) -> int:
        """How many items have come to an end."""
        return self.hits + self.misses + self.failures

    def hit(self) -> None:
        """An item was restored."""
        self.hits += 1
        self._show()

    def ran(self) -> None:
        """An item was computed."""
        self.misses += 1
        self._show()

    def failed(self) -> None:
        """An item raised."""
        self.failures += 1
        self._show()

    def close(self) -> None:
        """There is no more to come."""
        if self._display is not None:
            with suppress(Exception):
                self._display.close(self)

    def _show(self) -> None:
        if self._display is not None:
            with suppress(Exception):
                self._display.show(self)


class _Display(Protocol):
    """Where it is shown."""

    def show(self, tally: Tally) -> None: ...

    def close(self, tally: Tally) -> None: ...


def _new_display(label: str, total: int) -> _Display:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return Line(label, total)
    return _Bar(tqdm, label, total)


class _Bar:
    """A bar of tqdm's."""

    def __init__(self, tqdm: Any, label: str, total: int) -> None:
        self._tqdm, self._label, self._total = tqdm, label, total
        self._bar: Any = None

    def show(self, tally: Tally) -> None:
        if self._bar is None:
            if tally.done == tally.hits:
                return  # what is restored says nothing of how long the rest will take
            self._bar = self._tqdm(
                desc=self._label, total=self._total, initial=tally.hits, unit="item", delay=_FIRST_SECONDS
            )
        self._bar.set_postfix_str(_counts(tally), refresh=False)
        self._bar.update(tally.done - self._bar.n)

    def close(self, tally: Tally) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(_counts(tally), refresh=False)
            self._bar.close()


class Line:
    """A line on stderr, written over while it is a terminal's or a notebook's; elsewhere only the last word."""

    def __init__(self, label: str, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._label, self._total, self._clock = label, total, clock
        self._due = clock() + _FIRST_SECONDS
        self._since: tuple[float, int] | None = None
        self._is_up = False
        is_kernels = type(sys.stderr).__module__.startswith("ipykernel")
        self._is_live = is_kernels or bool(getattr(sys.stderr, "isatty", bool)())

    def show(self, tally: Tally) -> None:
        """Say how far it has come, if it is time for that."""
        now = self._clock()
        if self._since is None and tally.misses + tally.failures:
            self._since = (now, tally.done)
        if not self._is_live or now < self._due:
            return
        self._due = now + _NEXT_SECONDS
        left = self._seconds_left(now, tally.done)
        self._write(self._words(tally) + ("" if left is None else f", {seconds_in_words(left)} left"))

    def close(self, tally: Tally) -> None:
        """Say what became of all, where that took long enough to be wondered about."""
        if self._is_up or self._clock() >= self._due:
            self._write(self._words(tally))
            sys.stderr.write("\n")

    def _seconds_left(self, now: float, done: int) -> float | None:
        if self._since is None or done <= self._since[1]:
            return None
        began, before = self._since
        return (now - began) * (self._total - done) / (done - before)

    def _words(self, tally: Tally) -> str:
        return f"{self._label}: {tally.done} of {self._total}, {_counts(tally)}"

    def _write(self, words: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r{words[:width]:{width}}" if self._is_live else words)
        sys.stderr.flush()
        self._is_up = True


def _counts(tally: Tally) -> str:
    words = [(tally.hits, "restored"), (tally.misses, "computed"), (tally.failures, "failed")]
    return ", ".join(f"{number} {word}" for number, word in words if number)
