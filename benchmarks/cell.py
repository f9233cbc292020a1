"""A cell under test: assignments, so that tools which keep single expressions can take part, too."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.runs import BEGAN, ENDED


@dataclass(frozen=True)
class Cell:
    """What it is called, and the names that it binds to expressions, in order."""

    name: str
    assignments: tuple[tuple[str, str], ...]

    @property
    def source(self) -> str:
        """As a user writes it, but that it says when it runs."""
        body = "\n".join(f"{name} = {expression}" for name, expression in self.assignments)
        return f"{BEGAN}\n{body}\n{ENDED}"

    @property
    def names(self) -> tuple[str, ...]:
        """What it binds."""
        return tuple(name for name, _ in self.assignments)
