"""What became of a run, as a value: `Computed`, `Restored` or `Refused`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ipycheckpoint.errors import CheckpointError
    from ipycheckpoint.identity.explain import Explanation
    from ipycheckpoint.record.record import Header


class Computed(NamedTuple):
    """The code ran, and what it left is kept (or, in mode ``read``, is not)."""

    value: object
    explanation: Explanation
    seconds: float
    kept: Header | None = None
    keeping_seconds: float = 0.0
    looking_seconds: float = 0.0
    """How long it took to find that there was nothing to restore."""


class Restored(NamedTuple):
    """The code did not run: an earlier result took its place."""

    value: object
    explanation: Explanation
    header: Header
    seconds: float
    """How long it took to look up and load."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The code ran, and its result can't be kept; `problem` names what is in the way and the way out."""

    value: object
    explanation: Explanation
    seconds: float
    problem: CheckpointError

    def __post_init__(self) -> None:
        # The frames where it was raised would keep alive what the run has let go of.
        pending: list[BaseException | None] = [self.problem]
        while pending:
            problem = pending.pop()
            if problem is not None and problem.__traceback__ is not None:
                problem.__traceback__ = None
                pending += [problem.__cause__, problem.__context__]

    @property
    def reason(self) -> str:
        """The problem in words."""
        return str(self.problem)


Outcome = Computed | Restored | Refused
