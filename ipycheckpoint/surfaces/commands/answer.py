"""What a command is asked with, and what it answers: plain data, and the same in words."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.surfaces.commands.place import Place

GOOD, FAILED, MISUSED = 0, 1, 2
"""What a command ends with: all is well; something is wrong, or nothing fits; it was called wrongly."""

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Context:
    """In what circumstances a command is asked."""

    cache: Cache
    place: Place
    """Where the cache is, and why there."""
    confirm: Callable[[str], bool] | None = None
    """Asks the user; None where nobody can be asked."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words under heads."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[str] = frozenset()
    """The heads of columns that are aligned to the right."""

    def __str__(self) -> str:
        lines = [self.heads, *(tuple(map(harmless, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

        def line(row: tuple[str, ...]) -> str:
            cells = zip(row, widths, self.heads, strict=True)
            return _GAP.join(
                cell.rjust(width) if head in self.numbers else cell.ljust(width) for cell, width, head in cells
            ).rstrip()

        return "\n".join(map(line, lines))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found or did.

    >>> print(Answer({"records": 0}, ("nothing is kept here",)))
    nothing is kept here
    >>> Answer({"records": 0}).to_json()
    '{"records": 0}'
    """

    data: Any
    """What `to_json` gives."""
    parts: tuple[str | Table, ...] = ()
    """What is to be read, from top to bottom."""
    code: int = GOOD
    plain: str = ""
    """What is put out as it is, for other programs, in place of `parts`."""

    def to_json(self) -> str:
        """As JSON, for programs."""
        return json.dumps(_finite(self.data), allow_nan=False, default=str)

    def __str__(self) -> str:
        return self.plain or "\n".join(str(part) if isinstance(part, Table) else _lines(part) for part in self.parts)


def harmless(text: str) -> str:
    r"""`text` in one line, without what a terminal would take for a command: anyone may have written a header.

    >>> harmless("a\x1b[2Jb\nc")
    'a\\x1b[2Jb\\nc'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity, which a header may have."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _lines(text: str) -> str:
    return "\n".join(map(harmless, text.split("\n")))
