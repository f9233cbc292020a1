"""What a question is about: a piece of work, what stands before it, and what is looked at afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

Surface = Literal["function", "cell"]
Word = Literal["yes", "partly", "no", "–"]

RAN = '__import__("logging").getLogger("benchmarks").critical("began")'
"""The work says that it runs: a call into the standard library, which no tool has to follow, and that binds no name."""


@dataclass(frozen=True)
class Scene:
    """Work that binds ``result``: the body of a function with the inputs as parameters, or a cell that reads them."""

    body: str
    before: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ("result",)
    """What a user names where a tool has to be told."""
    after: str = "value = result"
    """Binds ``value``, which is what is compared."""
    is_async: bool = False

    def but(self, **changes: Any) -> Scene:
        """The scene, edited."""
        return replace(self, **changes)

    @property
    def work(self) -> str:
        """The body, which says that it runs."""
        return f"{RAN}\n{self.body}"


@dataclass(frozen=True)
class Seen:
    """What one process did."""

    runs: int = 0
    """How often the work ran."""
    value: Any = None
    text: str = ""
    """All that was printed, warnings among it."""
    failure: str | None = None
    """What was raised, if anything."""


@dataclass(frozen=True)
class Verdict:
    """An answer, and what it rests on."""

    word: Word
    why: str


@dataclass(frozen=True)
class Answers:
    """Of each surface that a tool has."""

    of: dict[Surface, Verdict] = field(default_factory=dict)

    @property
    def word(self) -> Word:
        """One word for all: *partly*, where a tool can do it for functions only, or for cells only."""
        words = {verdict.word for verdict in self.of.values() if verdict.word != "–"}
        if not words:
            return "–"
        return words.pop() if len(words) == 1 else "partly"

    @property
    def why(self) -> str:
        """What it rests on, once where all surfaces agree."""
        told = {surface: verdict.why for surface, verdict in self.of.items()}
        if len(set(told.values())) == 1:
            return next(iter(told.values()))
        return "; ".join(f"{surface}: {why}" for surface, why in told.items())
