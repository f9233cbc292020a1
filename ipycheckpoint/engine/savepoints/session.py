"""A session: several saves, which become files together at its end, or not at all."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ipycheckpoint.engine.savepoints.snapshot import snapshot
from ipycheckpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipycheckpoint.engine.savepoints.handlers import Handler
    from ipycheckpoint.engine.savepoints.savepoints import Route
    from ipycheckpoint.store.files import Pending

Tags = tuple[tuple[str, str], ...]

_WITH_IT = ", and all of its session,"


class Staged:
    """What is saved in a session to one savepoint: by the tags that are in force, the latest value of each key."""

    def __init__(self, route: Route | None) -> None:
        self.route = route
        self.is_spoiled = False
        """Something could not be saved, so nothing is."""
        self.has_ended = False
        self._values: dict[Tags, dict[str, object]] = {}
        self._lock = threading.Lock()

    def add(self, tags: Tags, values: Callable[[], Mapping[str, object]]) -> str | None:
        """Take what `values` gives as it is now. Returns what to tell of a failure, or raises it, as the Route says."""
        if self.has_ended:
            raise UsageError("this session has ended, and what it holds is saved: begin another one")
        if self.route is None or self.is_spoiled:
            return None
        try:
            copies = snapshot(values())
        except Exception as problem:  # noqa: BLE001 - copying runs whatever the classes of the values say
            self.is_spoiled = True
            return self.route.failed(problem, _WITH_IT)
        with self._lock:
            self._values.setdefault(tags, {}).update(copies)
        return None

    def pages(self) -> list[Page]:
        """What is to be saved."""
        if self.route is None:
            return []
        with self._lock:
            return [Page(self.route, tags, dict(values)) for tags, values in self._values.items()]


@dataclass(frozen=True, slots=True)
class Page:
    """The values of one savepoint under some tags."""

    route: Route
    tags: Tags
    values: Mapping[str, object]

    @property
    def can_prepare(self) -> bool:
        """Whether the handler can do more than save at once."""
        return hasattr(self.route.handler, "prepare")

    def prepare(self) -> Pending:
        """Do all that can fail, as far as the handler can, before anything is seen."""
        handler: Any = self.route.handler
        step = handler.prepare if self.can_prepare else partial(_later, handler)
        pending: Pending = step(self.route.name, self.tags, self.values)
        return pending


def _later(handler: Handler, name: str, tags: Tags, values: Mapping[str, object]) -> Pending:
    from ipycheckpoint.store.files import Pending

    return Pending(lambda: handler.save(name, tags, values), lambda: None)


def commit(staged: Sequence[Staged]) -> str | None:
    """Save all, once. Returns what to tell of a failure, after which nothing is saved, or raises it."""
    for each in staged:
        each.has_ended = True
    if any(each.is_spoiled for each in staged):
        return None
    # When one fails that can only save, nothing of the others is seen yet.
    pages = sorted((page for each in staged for page in each.pages()), key=lambda page: page.can_prepare)
    pending: list[Pending] = []
    failing: Page | None = None
    try:
        for page in pages:
            failing = page
            pending.append(page.prepare())
        for page, ready in zip(pages, pending, strict=True):
            failing = page
            ready.commit()
    except Exception as problem:  # noqa: BLE001 - a user's handler raises anything
        assert failing is not None, "nothing fails without a page"
        return failing.route.failed(problem, _WITH_IT)
    finally:
        for ready in pending:
            with suppress(Exception):
                ready.discard()
    return None
