"""Look a piece of work up: a hit with its values in hand, or a miss and why."""

from __future__ import annotations

import time
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from ipycheckpoint.cache.cache import Found, Spoiled
from ipycheckpoint.engine.postponed import Postponed
from ipycheckpoint.identity.explain import Explanation, clock, compare
from ipycheckpoint.record.failure import LoadFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipycheckpoint.cache.base import Records
    from ipycheckpoint.identity.identity import Identity
    from ipycheckpoint.identity.work import Work
    from ipycheckpoint.record.brief import Brief
    from ipycheckpoint.record.record import Header

Mode = Literal["on", "off", "read", "refresh"]
"""``on``: restore or run and keep. ``off``: just run. ``read``: restore, keep nothing. ``refresh``: run and keep."""

MODES: tuple[Mode, ...] = ("on", "off", "read", "refresh")


class Hit(NamedTuple):
    """An earlier result, loaded and verified; nothing has been touched yet."""

    found: Found
    values: Mapping[str, object]
    explanation: Explanation
    seconds: float

    @property
    def header(self) -> Header:
        """What is known of the record."""
        return self.found.header


class Miss(NamedTuple):
    """The work must run."""

    explanation: Explanation
    work: Work
    """The same Work with previews and outlines, taken while its values are still what they were before the run."""
    is_new: bool = False
    """Nothing at all is kept for it."""


def look_up(
    cache: Records,
    work: Work,
    mode: Mode,
    warn: Callable[[str], None],
    *,
    resolve: Callable[[tuple[object, ...]], object] | None = None,
    namespace: dict[str, object] | None = None,
    watch: bool = True,
) -> Hit | Miss:
    """Find what is kept for `work` and load it. Touches neither the namespace nor the record.

    A load that fails is noted beside the record, but in mode ``read``, which writes nothing.
    `watch`, whether the files that the run touched must still be as it saw and left them.
    """
    began = time.perf_counter()
    label = work.identity.label
    if mode == "refresh":
        return Miss(Explanation("miss", label, "you asked to run it again"), work.described())
    found = cache.find(work.identity.key)
    problem = _problem(found)
    if problem is not None:
        if isinstance(found, Spoiled):
            warn(f"{label} runs again: {problem}")
        return Miss(Explanation("miss", label, problem), work.described())
    if not isinstance(found, Found):
        described = work.described()
        return Miss(explain_later(cache, described.identity), described, is_new=True)
    contradicted = _contradicted(cache, label, found.header) if watch else None
    if contradicted is not None:
        return Miss(contradicted, work.described())
    loaded = cache.load(found, resolve=resolve, namespace=namespace)
    if isinstance(loaded, LoadFailure):
        if mode != "read":
            cache.fail(found.header.key, loaded)
        warn(f"{label} runs again: {loaded.summary}")
        reason = f"its record of {clock(found.header.created)} could not be loaded: {loaded.exception}"
        return Miss(Explanation("miss", label, reason), work.described())
    return Hit(found, loaded, explain_hit(label, found.header), time.perf_counter() - began)


def explain(cache: Records, work: Work, *, watch: bool = True) -> Explanation:
    """Why `work` would be a hit or a miss now. Loads nothing, writes nothing; `watch` is as for `look_up`."""
    found = cache.find(work.identity.key)
    problem = _problem(found)
    if problem is not None:
        return Explanation("miss", work.identity.label, problem)
    if isinstance(found, Found):
        label, header = work.identity.label, found.header
        contradicted = _contradicted(cache, label, header) if watch else None
        return contradicted or explain_hit(label, header)
    return explain_miss(cache, work.described().identity)


def explain_hit(label: str, header: Header | Brief) -> Explanation:
    """The explanation of a hit."""
    return _explanation_of_hit(label, header.created)


@lru_cache(maxsize=1000)
def _explanation_of_hit(label: str, created: float) -> Explanation:
    return Postponed("hit", label, partial(_told_of_hit, label, created))


def _told_of_hit(label: str, created: float) -> Explanation:
    if not created:  # a result that another process handed to a cache of the user's
        return Explanation("hit", label, "there is a result under its ContextId")
    reason = f"nothing that it depends on has changed since {clock(created)}"
    return Explanation("hit", label, reason, against=created)


def explain_miss(cache: Records, identity: Identity, before: float | None = None) -> Explanation:
    """Compare `identity` with the nearest record of its label, of those made `before`, in seconds since the epoch."""
    label = identity.label
    nearest = cache.nearest(identity, before)
    if nearest is None:
        return Explanation("miss", label, "nothing was kept under this label yet")
    changes = compare(nearest.ingredients, identity.ingredients)
    reason = "; ".join(change.what.partition(":")[0] for change in changes[:3])
    reason = reason or "its ingredients come in another order"
    if len(changes) > 3:
        reason += f" and {len(changes) - 3} more"
    return Explanation("miss", label, reason, changes, nearest.created)


def explain_later(cache: Records, identity: Identity) -> Explanation:
    """As `explain_miss`, when somebody reads it: until then, nothing is looked for but the time."""
    return Postponed("miss", identity.label, partial(explain_miss, cache, identity, time.time()))


def _contradicted(cache: Records, label: str, header: Header) -> Explanation | None:
    """Why a record is no hit, though it has the Key: what it saw or left in files is not so any more."""
    if not header.trace:
        return None
    from ipycheckpoint.engine.trace import contradictions  # most work touches no files

    changes = contradictions(header.trace, cache.directory)
    if not changes:
        return None
    return Explanation("miss", label, "; ".join(change.what for change in changes), changes, header.created)


def _problem(found: Found | Spoiled | None) -> str | None:
    if isinstance(found, Spoiled):
        return found.reason
    if isinstance(found, Found):
        expires = found.header.expires
        if expires is not None and expires <= time.time():
            return f"the record of {clock(found.header.created)} expired at {clock(expires)}"
    return None
