"""An Explanation that is made when somebody reads it: of most runs, nobody asks why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipycheckpoint.identity.explain import Explanation

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.identity.explain import Verdict

_POSTPONED = frozenset(("reason", "changes", "against"))


class Postponed(Explanation):
    """Why `label` is a hit or a miss, as `make` will say it. Whatever `make` raises is what it says then.

    >>> explanation = Postponed("miss", "train", lambda: Explanation("miss", "train", "argument `x` changed"))
    >>> explanation.verdict, explanation.reason
    ('miss', 'argument `x` changed')
    """

    __slots__ = ("_make",)

    def __init__(self, verdict: Verdict, label: str, make: Callable[[], Explanation]) -> None:
        for name, value in (("verdict", verdict), ("label", label), ("_make", make)):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """Called where a slot is empty: fill those that wait."""
        if name not in _POSTPONED:
            raise AttributeError(name)
        told = self._told()
        for each in _POSTPONED:
            object.__setattr__(self, each, getattr(told, each))
        object.__setattr__(self, "_make", lambda: told)  # it needs the cache no more
        return getattr(told, name)

    def _told(self) -> Explanation:
        try:
            make: Callable[[], Explanation] = self._make
            return make()
        except Exception as fault:  # noqa: BLE001 - an explanation must not cost anything
            reason = f"what it depends on can't be compared: {type(fault).__name__}: {fault}"
            return Explanation(self.verdict, self.label, reason)

    def __eq__(self, other: object) -> bool:
        return self._plain() == (other._plain() if isinstance(other, Postponed) else other)

    def __hash__(self) -> int:
        return hash(self._plain())

    def __reduce__(self) -> Any:
        return Explanation, (self.verdict, self.label, self.reason, self.changes, self.against)

    def _plain(self) -> Explanation:
        return Explanation(self.verdict, self.label, self.reason, self.changes, self.against)
