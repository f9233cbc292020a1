"""This process: its settings, the current Cache, and what the last runs said of themselves."""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from weakref import WeakKeyDictionary

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.news import News
from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.engine.flight import WAIT_SECONDS, Flights
from ipycheckpoint.engine.lookup import MODES, Mode
from ipycheckpoint.errors import UsageError
from ipycheckpoint.identity.ownership import is_users_file
from ipycheckpoint.record.trust import Keyring, accepted_paths
from ipycheckpoint.store.base import Write, is_url
from ipycheckpoint.store.folder import DIRECTORY
from ipycheckpoint.units import parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipycheckpoint.cache.base import CacheBase, Records
    from ipycheckpoint.cache.plugged import PluggedCache
    from ipycheckpoint.engine.savepoints.names import Names
    from ipycheckpoint.engine.savepoints.savepoints import Savepoints
    from ipycheckpoint.identity.explain import Explanation
    from ipycheckpoint.identity.identifier import FuncCallIdentifierBase

OnError = Literal["warn", "raise", "ignore"]
"""When a checkpoint fails: do the work and warn; raise, with its result where there is one; or just do the work."""

_MOST_EXPLANATIONS = 1000


class Workspace:
    """The state of this process, in one place. Tests and embedders make their own; `current` gives the one in use."""

    def __init__(self, environ: Mapping[str, str] | None = None, names: Names | None = None) -> None:
        """`names` are the savepoints that there are: mostly those that code in this process has declared."""
        self._environ = os.environ if environ is None else environ
        self._caches: dict[str, Cache] = {}
        self._flights: dict[Path | None, Flights] = {}
        self._plugged_flights: WeakKeyDictionary[PluggedCache, Flights] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._explanations: OrderedDict[str, Explanation] = OrderedDict()
        self.news = News()
        """What happens to the checkpoints of this process."""
        self._home: str | None = None
        self.directory: Path | None = None
        """Where the cache is, if a setting says so."""
        self.store: str | None = None
        """The store that the cache is shared through, if a setting says so: a URL, such as ``s3://team/cache``."""
        self.notebook: Path | None = None
        """The notebook that this kernel serves, if a front end told."""
        self._names = names
        self._mode: Mode | None = None
        self._max_bytes: int | None = None
        self.accept: tuple[Path, ...] = ()
        """Secrets of others whose records are trusted in caches, besides those that ``IPYCHECKPOINT_ACCEPT`` names:
        files, or folders of them."""
        self.on_error: OnError = "warn"
        """What is done when a function can't be identified, found or kept, where it doesn't say so itself."""
        self.plugged: str | os.PathLike[str] | Cache | CacheBase[Any, Any] | None = None
        """What a setting says the cache is: mostly one of the user's own."""
        self.identifier: FuncCallIdentifierBase | None = None
        """The user's own identifier, if a setting says so."""
        self._wait_seconds: float | None = None
        self._network: bool | None = None

    @cached_property
    def savepoints(self) -> Savepoints:
        """Which savepoints are configured, of those that there are."""
        from ipycheckpoint.engine.savepoints.savepoints import NAMES, Savepoints  # a library's: most work has none

        return Savepoints(NAMES if self._names is None else self._names)

    @property
    def wait_seconds(self) -> float:
        """For how long to wait for who runs the same: the setting, else ``IPYCHECKPOINT_WAIT``, else a day."""
        if self._wait_seconds is not None:
            return self._wait_seconds
        return parse_duration(self._environ.get("IPYCHECKPOINT_WAIT") or WAIT_SECONDS)

    @wait_seconds.setter
    def wait_seconds(self, seconds: str | float | None) -> None:
        self._wait_seconds = None if seconds is None else parse_duration(seconds)

    @property
    def network(self) -> bool | None:
        """Whether caches are reached over a network: the setting, else ``IPYCHECKPOINT_NETWORK``, else None.

        Then it is found out for each cache when it is first used.
        """
        if self._network is not None:
            return self._network
        return check_switch(self._environ.get("IPYCHECKPOINT_NETWORK") or None, "IPYCHECKPOINT_NETWORK")

    @network.setter
    def network(self, network: bool | None) -> None:
        self._network = network

    @property
    def write(self) -> Write:
        """When what is kept is in a shared store: at once, if ``IPYCHECKPOINT_WRITE`` is ``through``; else later."""
        write = self._environ.get("IPYCHECKPOINT_WRITE") or "behind"
        if write not in get_args(Write):
            raise UsageError(f"IPYCHECKPOINT_WRITE is {write!r}; it must be one of {', '.join(get_args(Write))}")
        return write  # type: ignore[return-value]  # just checked

    @property
    def mode(self) -> Mode:
        """What happens at a checkpoint: the setting, else ``IPYCHECKPOINT_MODE``, else ``on``."""
        return self._mode or check_mode(self._environ.get("IPYCHECKPOINT_MODE") or "on", "IPYCHECKPOINT_MODE")

    @mode.setter
    def mode(self, mode: str | None) -> None:
        self._mode = None if mode is None else check_mode(mode, "mode")

    @property
    def max_bytes(self) -> int | None:
        """What a cache is pruned to after a save: the setting, else ``IPYCHECKPOINT_MAX_BYTES``, else no limit."""
        if self._max_bytes is not None:
            return self._max_bytes
        told = self._environ.get("IPYCHECKPOINT_MAX_BYTES")
        return parse_size(told) if told else None

    @max_bytes.setter
    def max_bytes(self, max_bytes: int | None) -> None:
        with self._lock:
            self._max_bytes = max_bytes
            for cache in self._caches.values():
                cache.max_bytes = self.max_bytes

    def cache_directory(self) -> Path:
        """The directory of the current cache: a setting, ``IPYCHECKPOINT_DIR``, or the place beside the work."""
        place = self._place()
        return self._near(place) if is_url(place) else Path(_absolute(place))

    def _near(self, url: str) -> Path:
        """The directory in front of `url`."""
        return Path(_absolute(self._home_place())) / "near" / digest_bytes(url.encode())[:16]

    def _place(self) -> str:
        if self.store is not None:
            return self.store
        if self.directory is not None:
            return os.fspath(self.directory)
        return self._environ.get("IPYCHECKPOINT_STORE") or self._home_place()

    def _home_place(self) -> str:
        """The directory that is this process's own."""
        if self.directory is not None:
            return os.fspath(self.directory)
        from_environment = self._environ.get("IPYCHECKPOINT_DIR")
        if from_environment:
            return from_environment
        if self._home is None:
            # Found once: a later `os.chdir` moves no cache.
            self._home = os.fspath(self._find_home() / DIRECTORY)
        return self._home

    @property
    def is_told_where(self) -> bool:
        """Whether a setting or the environment says where the cache is."""
        told = any(self._environ.get(name) for name in ("IPYCHECKPOINT_DIR", "IPYCHECKPOINT_STORE"))
        return told or any(place is not None for place in (self.directory, self.store, self.plugged))

    def why_there(self) -> str:
        """Why the current cache is where it is."""
        if self.store is not None or self.directory is not None:
            return "a setting says so"
        if self._environ.get("IPYCHECKPOINT_STORE"):
            return "IPYCHECKPOINT_STORE says so"
        if self._environ.get("IPYCHECKPOINT_DIR"):
            return "IPYCHECKPOINT_DIR says so"
        return "it is beside the notebook or script, or in the working directory"

    def _find_home(self) -> Path:
        if self.notebook is not None:
            return self.notebook.absolute().parent
        session = self._environ.get("JPY_SESSION_NAME", "")  # set by Jupyter servers: the notebook's path
        if session.endswith(".ipynb"):
            beside = Path(session).absolute().parent
            if beside.is_dir():
                return beside
        script = getattr(sys.modules.get("__main__"), "__file__", None)
        if script is not None and "ipykernel" not in script and is_users_file(os.path.abspath(script)):
            return Path(script).absolute().parent
        return Path.cwd()

    def cache(self, store: str | os.PathLike[str] | Cache | None = None) -> Cache:
        """The Cache at `store`, or the current one; each directory has one Cache in a process."""
        if isinstance(store, Cache):
            return store
        place = self._place() if store is None else os.fspath(store)
        cache = self._caches.get(place)  # most are asked for by their full paths
        if cache is not None:
            return cache
        local = self._near(place) if is_url(place) else None
        place = place if is_url(place) else _absolute(place)
        with self._lock:
            cache = self._caches.get(place)
            if cache is None:
                keyring, max_bytes = Keyring(accept=self._accepted), self.max_bytes
                cache = Cache.at(
                    place, keyring=keyring, news=self.news, network=self.network, local=local, write=self.write
                )
                cache.max_bytes = max_bytes
                self._caches[place] = cache
            return cache

    def _accepted(self) -> tuple[Path, ...]:
        return (*accepted_paths(self._environ), *self.accept)

    def flights(self, cache: Records) -> Flights:
        """Who runs what in `cache` right now."""
        with self._lock:
            plugged: PluggedCache | None = getattr(cache, "plugged", None)
            if plugged is not None:
                flights = self._plugged_flights.setdefault(plugged, Flights(None))
            else:
                found = self._flights.get(cache.directory)
                flights = self._flights[cache.directory] = found or Flights(cache.directory)
            flights.wait_seconds = self.wait_seconds
            return flights

    def remember(self, explanation: Explanation) -> None:
        """Remember the latest Explanation of a label."""
        with self._lock:
            self._explanations[explanation.label] = explanation
            self._explanations.move_to_end(explanation.label)
            while len(self._explanations) > _MOST_EXPLANATIONS:
                self._explanations.popitem(last=False)

    def explanation(self, label: str | None = None) -> Explanation | None:
        """The latest Explanation of `label`, or of all."""
        with self._lock:
            if label is not None:
                return self._explanations.get(label)
            return next(reversed(self._explanations.values()), None)

    def labels(self) -> list[str]:
        """The labels that have an Explanation, oldest first."""
        with self._lock:
            return list(self._explanations)

    def close(self) -> None:
        """Close the caches; the workspace can be used again."""
        with self._lock:
            for cache in self._caches.values():
                cache.close()
            self._caches.clear()


def _absolute(place: str) -> str:
    return os.path.abspath(Path(place).expanduser())


_current = Workspace()


def current() -> Workspace:
    """The Workspace in use."""
    return _current


@contextmanager
def using(workspace: Workspace) -> Iterator[Workspace]:
    """Make `workspace` the current one of the whole process for a while."""
    global _current  # noqa: PLW0603 - this is the one place where the process's state lives
    before, _current = _current, workspace
    try:
        yield workspace
    finally:
        _current = before


def settle(workspace: Workspace) -> Workspace:
    """Make `workspace` the current one for good: this process works for another one, whose settings it has."""
    global _current  # noqa: PLW0603 - as above
    _current = workspace
    return workspace


def check_mode(mode: str, name: str) -> Mode:
    """Return `mode` if it is one; UsageError naming `name` and what is allowed otherwise."""
    if mode not in MODES:
        raise UsageError(f"{name} is {mode!r}; it must be one of {', '.join(MODES)}")
    return mode


def check_switch(switch: object, name: str) -> bool | None:
    """Return what `switch` says: True, False, or None for nothing; UsageError naming `name` otherwise.

    >>> check_switch("1", "network"), check_switch("off", "network"), check_switch(None, "network")
    (True, False, None)
    """
    if switch is None or isinstance(switch, bool):
        return switch
    said = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    found = said.get(str(switch).strip().lower())
    if found is None:
        raise UsageError(f"{name} is {switch!r}; it must be 1 or 0")
    return found


def check_on_error(on_error: object, name: str) -> OnError:
    """Return `on_error` if it is one; UsageError naming `name` and what is allowed otherwise."""
    if on_error not in get_args(OnError):
        raise UsageError(f"{name} is {on_error!r}; it must be one of {', '.join(get_args(OnError))}")
    return on_error  # type: ignore[return-value]  # checked above
