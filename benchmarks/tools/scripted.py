"""What the tools for functions have in common: each is a few lines of its own that define ``decorate``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Scripted:
    """A tool, as its own documentation says that it is used."""

    distribution: str
    source: str
    """Defines ``decorate`` for the results in DIRECTORY."""
    listing: Callable[[Any, Path], int] | None = None
    """Lists all that is kept of a decorated function; how many there are. None where the tool has no way to."""

    def version(self) -> str:
        """As it is installed here."""
        return version(self.distribution)

    def script(self, directory: Path) -> str:
        """Its lines, for a program of its own."""
        return self.source.replace("DIRECTORY", repr(str(directory)))

    def decorate(self, function: Callable[..., Any], directory: Path) -> Callable[..., Any]:
        """The function, as the tool keeps its results."""
        directory.parent.mkdir(parents=True, exist_ok=True)
        names: dict[str, Any] = {}
        exec(self.script(directory), names)  # noqa: S102 - our own lines
        return names["decorate"](function)
