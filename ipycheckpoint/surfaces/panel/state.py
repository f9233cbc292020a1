"""What a panel looks at just now, and how it gets there: `State.after` follows what the user asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ipycheckpoint.cache.listing import ORDERS, STATUSES
from ipycheckpoint.identity.identity import Key

Intent = Mapping[str, Any]
"""What the user asks for, as JSON: ``{"do": "sort", "by": "nbytes"}``."""

PAGE_ROWS = 50

KINDS = ("cell", "call", "savepoint")

_ASCENDING = frozenset(("label", "kind", "status", "tags", "outputs"))
"""What is first sorted from A to Z; numbers and times come with the largest first."""


@dataclass(frozen=True, slots=True)
class State:
    """The part of the cache that a panel shows, and what it is about to do."""

    search: str = ""
    kind: str = ""
    status: str = ""
    tag: str = ""
    """A tag as ``key=value``; empty, as above, for all."""
    order: str = "last_used"
    descending: bool = True
    page: int = 0
    selected: frozenset[Key] = frozenset()
    opened: Key | None = None
    """The record whose details are shown."""
    against: Key | None = None
    """The version that it is compared with; None for the one before."""
    armed: str = ""
    """What a second click does."""
    notice: str = ""
    """What happened last, in a sentence."""
    is_alarming: bool = False
    """The notice tells of something that went wrong."""

    @property
    def filters(self) -> dict[str, Any]:
        """What picks the rows, as `Catalogue.rows` and `count` take it."""
        key, equals, value = self.tag.partition("=")
        return {
            "search": self.search or None,
            "kind": self.kind or None,
            "status": self.status or None,
            "tag": (key, value) if equals else None,
        }

    @property
    def is_filtered(self) -> bool:
        """Whether some records may be left out."""
        return bool(self.search.strip() or self.kind or self.status or self.tag)

    def saying(self, notice: str, *, alarming: bool = False) -> State:
        """The same, with something to say."""
        return replace(self, notice=notice, is_alarming=alarming)

    def after(self, intent: Intent) -> State:
        """What is looked at after `intent`, as far as that changes nothing but the view; itself for anything else."""
        match intent:
            case {"do": "search", "text": str(text)}:
                return self._at_start(search=text[:200])
            case {"do": "filter", "by": "kind", "value": str(kind)} if kind in ("", *KINDS):
                return self._at_start(kind=kind)
            case {"do": "filter", "by": "status", "value": str(status)} if status in ("", *STATUSES):
                return self._at_start(status=status)
            case {"do": "filter", "by": "tag", "value": str(tag)}:
                return self._at_start(tag=tag)
            case {"do": "clear"}:
                return self._at_start(search="", kind="", status="", tag="")
            case {"do": "sort", "by": str(order)} if order in ORDERS:
                descending = not self.descending if order == self.order else order not in _ASCENDING
                return self._at_start(order=order, descending=descending)
            case {"do": "page", "number": int(page)} if page >= 0:
                return replace(self, page=page, armed="")
            case {"do": "select", "keys": [*keys], "on": bool(on)}:
                named = {Key(str(key)) for key in keys}
                return replace(self, selected=self.selected | named if on else self.selected - named, armed="")
            case {"do": "open", "key": str(key)}:
                return replace(self, opened=Key(key), against=None, armed="")
            case {"do": "close"}:
                return replace(self, opened=None, against=None, armed="")
            case {"do": "compare", "key": str(key)}:
                return replace(self, against=Key(key), armed="")
            case {"do": "disarm"}:
                return replace(self, armed="")
        return self

    def _at_start(self, **changed: Any) -> State:
        """The first page of something else: what was selected there may be out of sight, so it is let go."""
        return replace(self, **changed, page=0, armed="", selected=frozenset())
