"""Calls of a checkpointed function in another process: what goes there, what is done there, and what comes back.

The function goes by value, with all that it reaches (`engine.parcel`). Where the store of home is found under the same
place, the results are kept there, and their Keys come back. Anywhere else each record is made in memory, and comes back
whole.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
import time
import traceback
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint import tagging, workspace
from ipycheckpoint.cache.adopting import entries_of, known_name_of, name_of
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.catalogue import Catalogue
from ipycheckpoint.engine.parcel import Bundle, pack
from ipycheckpoint.errors import CheckpointError, CheckpointFailedError
from ipycheckpoint.identity.closure import unwrap
from ipycheckpoint.identity.values import digest_value
from ipycheckpoint.record.outcome import Refused
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.store.base import is_url
from ipycheckpoint.store.memory import MemoryStore
from ipycheckpoint.surfaces.function import CheckpointedFunction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipycheckpoint.cache.base import Records
    from ipycheckpoint.engine.lookup import Mode
    from ipycheckpoint.engine.parcel import Opened, Parcel
    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.record.outcome import Outcome
    from ipycheckpoint.workspace import OnError

_FLUSH_SECONDS = 10.0

_LARGE_NBYTES = 1 << 18  # a parcel that is smaller goes along with every job

_MOST_PARCELS = 8  # that a worker remembers, opened


class Call(NamedTuple):
    """The arguments of one item."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """The result is in the store of home."""

    key: Key


@dataclass(frozen=True, slots=True)
class Brought:
    """The result is a record, and these are its entries."""

    key: Key
    entries: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Sent:
    """The result itself, which is in no record; `problem` says why, unless nobody wanted one."""

    bundle: Bundle
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Raised:
    """What the function raised, in words as well, with its traceback."""

    bundle: Bundle | None
    words: str
    traceback: str

    def error(self) -> Exception:
        """The exception, as far as it could be brought here."""
        try:
            found = None if self.bundle is None else self.bundle.values()["error"]
        except Exception:  # noqa: BLE001 - its class may need what isn't here
            found = None
        error = found if isinstance(found, Exception) else CheckpointError(self.words)
        error.add_note(self.traceback)
        return error


Answer = Kept | Brought | Sent | Raised


class Reply(NamedTuple):
    """The answers to the calls of one errand."""

    answers: list[Answer]
    seconds: float
    lacks_parcel: bool = False
    """Nothing was done, since the worker has never seen what it needs for that."""
    unloaded: Raised | None = None
    """Nothing was done, since the worker can't load what it was sent."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where the results belong."""

    process: int
    place: str | None = None
    """What opens its cache; None where no other process can."""
    near: str | None = None
    """Its directory, in front of a URL where the place is one."""
    name: str = ""
    """Of its store."""
    signers: tuple[str, ...] = ()
    """Whose records are trusted there."""
    network: bool | None = None
    on_error: OnError = "warn"

    @classmethod
    def of(cls, records: Records) -> Home:
        """That of `records`, as others find it."""
        here = workspace.current()
        nowhere = cls(os.getpid(), on_error=here.on_error)
        if not isinstance(records, Cache) or records.place is None:
            return nowhere
        place, keyring = records.place, records.keyring
        keyring.sign(b"")  # so that there is a secret before the workers look for it
        try:
            name = name_of(records.store)
        except CheckpointError:  # a store that can't be written: results come back, and are complained of there
            return nowhere
        records.flush(_FLUSH_SECONDS)
        near = None if records.directory is None else str(records.directory)
        return cls(os.getpid(), place, near, name, keyring.signers(), here.network, here.on_error)

    def cache(self) -> Cache | None:
        """Its cache, if that is here, too, and what we sign is trusted there."""
        if self.place is None:
            return None
        with _lock:
            here = _homes.get(self)
            if here is None:
                here = _homes[self] = workspace.Workspace()
                here.plugged, here.network, here.on_error = self.place, self.network, self.on_error
                if is_url(self.place) and self.near is not None and os.path.isdir(self.near):
                    here.directory = Path(self.near).parents[1]
        try:
            cache = here.cache(self.place)
            is_home = known_name_of(cache.store) == self.name and cache.keyring.signer in self.signers
        except CheckpointError:
            return None
        if is_home and os.getpid() != self.process:
            # What else is checkpointed here is kept at home as well.
            workspace.settle(here)
        return cache if is_home else None


@dataclass(frozen=True, slots=True)
class Luggage:
    """What goes along with every call of one function."""

    parcel: Parcel | None
    """None where the worker may have it already."""
    mode: Mode
    tags: tagging.Tags
    home: Home
    number: str = field(default_factory=lambda: os.urandom(16).hex())
    """Its own, by which a worker knows that it has opened it before."""

    def light(self) -> Luggage:
        """The same without a parcel that is large: each worker needs it once."""
        if self.parcel is None or self.parcel.bundle.nbytes < _LARGE_NBYTES:
            return self
        return replace(self, parcel=None)

    def opened(self) -> Opened | None:
        """What is in the parcel, opened once in a process; None where that is missing."""
        with _lock:
            opened = _opened.get(self.number)
        if opened is None and self.parcel is not None:
            opened = self.parcel.opened()
            with _lock:
                _opened[self.number] = opened
                while len(_opened) > _MOST_PARCELS:
                    _opened.popitem(last=False)
        return opened


def luggage_for(function: CheckpointedFunction[..., Any], mode: Mode, tags: tagging.Tags, home: Home) -> Luggage:
    """What `function` needs elsewhere. Raises CannotKeep for what can't go there."""
    # Where results go, in which mode, and what to complain of, is home's business.
    options = replace(function._options, store=None, mode=None, on_error="ignore")
    module_level = isinstance(function.__reduce__(), str) and function.__module__ != "__main__"
    return Luggage(pack([function if module_level else unwrap(function), options]), mode, tags, home)


@dataclass(frozen=True, slots=True)
class Errand:
    """Some calls, to be made elsewhere."""

    luggage: Luggage
    calls: Bundle
    carry: bool = False
    """The results are brought back even if home is here."""

    def __call__(self) -> Reply:
        """Make the calls, in whatever process this is."""
        began = time.perf_counter()
        luggage = self.luggage
        try:
            opened = luggage.opened()
            if opened is None:
                return Reply([], 0.0, lacks_parcel=True)
            calls: Any = self.calls.values(opened.namespace)["calls"]
        except Exception as error:  # noqa: BLE001 - a package that isn't here, and whatever else loading raises
            # As a value, since executors make much of exceptions; and with the place, which may be one of many.
            error.add_note(f"in process {os.getpid()} on {platform.node()}, which can't load what it was sent")
            return Reply([], time.perf_counter() - began, unloaded=raised(error))
        cache = None if self.carry else luggage.home.cache()
        run = tagging.Carried(luggage.tags, _Runner(luggage.mode, opened, cache).answer, luggage.home.process)
        answers = [run(Call(*call)) for call in calls]
        if cache is not None and cache.flush():  # who is told a Key may look for it at once
            answers = [Brought(a.key, entries_of(cache.store, a.key)) if isinstance(a, Kept) else a for a in answers]
        return Reply(answers, time.perf_counter() - began)


class _Runner:
    """Makes calls of the function that was in a parcel; without a `cache` of home, for one in memory."""

    def __init__(self, mode: Mode, opened: Opened, cache: Cache | None) -> None:
        function, options = opened.things
        self._is_home = cache is not None
        self._cache = cache or _cache_in_memory()
        self._mode, self._opened = mode, opened
        self._function: CheckpointedFunction[..., Any] = CheckpointedFunction(
            unwrap(function),  # type: ignore[arg-type]  # a function was packed
            replace(options, store=self._cache, mode=mode),
        )

    def answer(self, call: Call) -> Answer:
        """Make one call."""
        function = self._function
        try:
            prepared = function._prepare(call.args, call.kwargs, self._mode)
            if prepared is None:
                return self._sent(function.__wrapped__(*call.args, **call.kwargs))
            run = functools.partial(function.__wrapped__, *call.args, **call.kwargs)
            outcome = function._outcome(prepared, run, self._mode)
            return self._packed(outcome, prepared.work.identity.key)
        except Exception as error:  # noqa: BLE001 - whatever the function raises goes home
            return raised(error, self._opened)

    def _packed(self, outcome: Outcome, key: Key) -> Answer:
        if isinstance(outcome, Refused):
            return self._sent(outcome.value, outcome.reason)
        if self._mode == "read":
            return self._sent(outcome.value)
        return Kept(key) if self._is_home else Brought(key, entries_of(self._cache.store, key))

    def _sent(self, value: object, problem: str = "") -> Sent:
        return Sent(self._bundle({"value": value}), problem)

    def _bundle(self, values: Mapping[str, object]) -> Bundle:
        return Bundle.of(values, self._opened.names, self._opened.namespace)


def raised(error: Exception, opened: Opened | None = None) -> Raised:
    """What goes home of `error`: itself, if it can, and words."""
    told = "".join(traceback.format_exception(error)).rstrip()
    try:
        values = {"error": error.with_traceback(None)}
        bundle = Bundle.of(values) if opened is None else Bundle.of(values, opened.names, opened.namespace)
    except CheckpointFailedError:
        bundle = None
    return Raised(bundle, f"{type(error).__name__}: {error}", told)


def reduction(function: CheckpointedFunction[..., Any], qualname: str) -> Any:
    """How any pickler reduces a `function` of ``__main__``: by value, for a reader whose ``__main__`` is another.

    By name alone if it can't be packed: then a reader that has it may still find it.
    """
    try:
        records = function._records()
        place = records.place if isinstance(records, Cache) and function._options.store is None else None
        options = (
            replace(function._options, store=None) if isinstance(function._options.store, Cache) else function._options
        )
        return made_elsewhere, (qualname, _definition(function), pack([unwrap(function), options]), place)
    except CheckpointError:
        return qualname


def made_elsewhere(qualname: str, definition: str, parcel: Parcel, place: str | None) -> Any:
    """The function called `qualname` here, if its definition is the same; else the one in the parcel."""
    found: Any = sys.modules["__main__"]
    for name in qualname.split("."):
        found = getattr(found, name, None)
    if isinstance(found, CheckpointedFunction) and definition and _definition(found) == definition:
        return found
    here = workspace.current()
    if place is not None and not here.is_told_where and (is_url(place) or os.path.isdir(place)):
        here.plugged = place
    opened = parcel.opened()
    return CheckpointedFunction(*opened.things)


def _definition(function: CheckpointedFunction[..., Any]) -> str:
    """The Digest of what it is, with all that it reaches; empty where it has no stable one."""
    try:
        return digest_value(function)
    except CheckpointError:
        return ""


def _cache_in_memory() -> Cache:
    return Cache(MemoryStore(), Catalogue(None, tuple), Keyring(secret=os.urandom(32)))


_lock = Lock()
_homes: dict[Home, workspace.Workspace] = {}
_opened: OrderedDict[str, Opened] = OrderedDict()
