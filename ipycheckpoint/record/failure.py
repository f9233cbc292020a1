"""A LoadFailure: what could not be loaded, and what would get it back. A value, not an exception."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipycheckpoint.record.environment import Difference, Environment

_SHOWN = 8


@dataclass(frozen=True, repr=False, eq=False)
class LoadFailure:
    """Stands in the place of the output `name`, with all that is known of why it isn't there."""

    name: str
    exception: BaseException
    raw: memoryview | bytes
    """The bytes of the section, for whoever can read them."""
    now: Environment
    then: Environment | None = None
    """None where the record doesn't know."""
    notes: tuple[str, ...] = field(default=())

    @property
    def differences(self) -> list[Difference]:
        """What has changed between the Environment that saved and this one."""
        return [] if self.then is None else self.then.differences(self.now)

    @property
    def command(self) -> str | None:
        """The shell command that makes the Environment that saved."""
        return None if self.then is None else self.then.rebuild_command()

    def __repr__(self) -> str:
        return f"<LoadFailure {self.name}: {type(self.exception).__name__}>"

    def __str__(self) -> str:
        lines = [f"`{self.name}` can't be loaded: {type(self.exception).__name__}: {self.exception}"]
        differences = [str(difference) for difference in self.differences]
        if differences:
            more = f", and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
            lines.append(f"changed since it was saved: {', '.join(differences[:_SHOWN])}{more}")
        elif self.then is not None:
            lines.append("Python, platform and packages are those that saved it")
        if differences and self.command is not None:
            lines.append(f"the environment that saved it: {self.command}")
        return "\n".join([*lines, *self.notes])
