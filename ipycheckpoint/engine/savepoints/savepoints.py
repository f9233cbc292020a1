"""The savepoints of a workspace: which are configured, and what happens at each."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from ipycheckpoint.engine.savepoints.names import Names, covers
from ipycheckpoint.errors import CannotKeep, CheckpointError, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ipycheckpoint.engine.savepoints.handlers import Handler

OnError = Literal["warn", "raise", "ignore"]

NAMES = Names()
"""The names of this process."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where the values of one savepoint go."""

    name: str
    handler: Handler
    on_error: OnError = "warn"

    def failed(self, problem: Exception, with_it: str = "") -> str | None:
        """What to tell of `problem`, if anything; else it costs nothing. Raises it where the user asked for that."""
        if self.on_error == "raise":
            raise problem
        if self.on_error == "ignore":
            return None
        told = str(problem) if isinstance(problem, CheckpointError) else f"{type(problem).__name__}: {problem}"
        where = getattr(self.handler, "location", None) or repr(self.handler)
        return (
            f"{self.name}{with_it} is not saved to {where}: {told}. The values themselves are untouched. "
            f"{_way_out(problem)}config({self.name!r}, None) turns it off"
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """What the user said of all names that `pattern` covers, those that come later, too."""

    pattern: str
    handler: Handler | None
    """None: nothing is saved."""
    on_error: OnError = "warn"


class Savepoints:
    """What the user configured. Of several rules for a name, the latest counts.

    >>> names = Names()
    >>> names.register(["TestPkg.foo"])
    >>> Savepoints(names).route("TestPkg.foo") is None
    True
    """

    def __init__(self, names: Names = NAMES) -> None:
        self.names = names
        self._rules: tuple[Rule, ...] = ()
        self._routes: dict[str, Route | None] = {}
        self._version = names.version
        self._lock = threading.Lock()

    def route(self, name: str) -> Route | None:
        """Where the savepoint `name` goes; None if nowhere. Raises UsageError for a name that is none."""
        # This is all that a savepoint costs that nobody configured.
        if self._version == self.names.version:
            try:
                return self._routes[name]
            except KeyError:
                pass
        return self._find(name)

    def _find(self, name: str) -> Route | None:
        with self._lock:
            if self._version != self.names.version:
                self._version, self._routes = self.names.version, {}
            found = self.names.resolve(name)
            route = None
            for rule in reversed(self._rules):
                if covers(rule.pattern, found):
                    route = None if rule.handler is None else Route(found, rule.handler, rule.on_error)
                    break
            self._routes[name] = route
            return route

    def enabled(self) -> list[str]:
        """The names that go somewhere, in the order in which they were declared."""
        return [name for name in self.names.available() if self.route(name) is not None]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What the user said, in order."""
        return self._rules

    @rules.setter
    def rules(self, rules: Sequence[Rule]) -> None:
        with self._lock:
            self._rules, self._routes = tuple(rules), {}

    def add(self, rules: Sequence[Rule]) -> None:
        """Add `rules`, in place of earlier ones for the same patterns."""
        with self._lock:
            patterns = {rule.pattern for rule in rules}
            self._rules = (*(rule for rule in self._rules if rule.pattern not in patterns), *rules)
            self._routes = {}


def check_on_error(on_error: str) -> OnError:
    """Return `on_error` if it is one; UsageError otherwise."""
    if on_error not in get_args(OnError):
        raise UsageError(f"on_error is {on_error!r}; it must be one of {', '.join(get_args(OnError))}")
    return on_error  # type: ignore[return-value]  # checked above


def as_handler(to: object, settings: Mapping[str, object]) -> Handler | None:
    """The Handler that `to` is, or a FileHandler at the place that it names, with `settings`. Raises UsageError."""
    if isinstance(to, str | os.PathLike):
        from ipycheckpoint.engine.savepoints.handlers import FileHandler

        return FileHandler(to, **settings)  # type: ignore[arg-type]  # it says itself what it takes
    if settings:
        raise UsageError(f"{', '.join(settings)}: only a path or URL takes settings here; a handler has its own")
    if to is not None and not callable(getattr(to, "save", None)):
        raise UsageError(f"{to!r} is no handler: a path, a URL, None, or an object with a method `save` is needed")
    return to  # type: ignore[return-value]  # as far as can be told


def _way_out(problem: Exception) -> str:
    if isinstance(problem, CannotKeep):
        return f"Leave `{problem.name}` out, or save something of it that can be written; "
    return "Make room there, or configure another place; " if isinstance(problem, StoreError) else ""
