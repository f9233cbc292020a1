"""This process: its settings, the current Cache, the tags in force, and what the last runs said of themselves."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections import OrderedDict
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.engine.flight import Flights
from ipycheckpoint.engine.lookup import MODES, Mode
from ipycheckpoint.errors import UsageError
from ipycheckpoint.identity.ownership import is_users_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipycheckpoint.identity.explain import Explanation

DIRECTORY = ".ipycheckpoint"
"""The name of the cache directory beside a notebook or script."""

Tags = tuple[tuple[str, str], ...]

_tags: ContextVar[Tags] = ContextVar("ipycheckpoint_tags", default=())
_MOST_EXPLANATIONS = 1000
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class Workspace:
    """The state of this process, in one place. Tests and embedders make their own; `current` gives the one in use."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._caches: dict[Path, Cache] = {}
        self._flights: dict[Path | None, Flights] = {}
        self._lock = threading.Lock()
        self._explanations: OrderedDict[str, Explanation] = OrderedDict()
        self._home: Path | None = None
        self.directory: Path | None = None
        """Where the cache is, if a setting says so."""
        self.notebook: Path | None = None
        """The notebook that this kernel serves, if a front end told."""
        self._mode: Mode | None = None

    @property
    def mode(self) -> Mode:
        """What happens at a checkpoint: the setting, else ``IPYCHECKPOINT_MODE``, else ``on``."""
        return self._mode or check_mode(self._environ.get("IPYCHECKPOINT_MODE") or "on", "IPYCHECKPOINT_MODE")

    @mode.setter
    def mode(self, mode: str | None) -> None:
        self._mode = None if mode is None else check_mode(mode, "mode")

    def cache_directory(self) -> Path:
        """The directory of the current cache: a setting, ``IPYCHECKPOINT_DIR``, or the place beside the work."""
        if self.directory is not None:
            return self.directory
        from_environment = self._environ.get("IPYCHECKPOINT_DIR")
        if from_environment:
            return Path(from_environment).expanduser().absolute()
        if self._home is None:
            # Found once: a later `os.chdir` moves no cache.
            self._home = self._find_home()
        return self._home / DIRECTORY

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
        directory = self.cache_directory() if store is None else Path(store).expanduser().absolute()
        with self._lock:
            cache = self._caches.get(directory)
            if cache is None:
                cache = self._caches[directory] = Cache.at(directory)
            return cache

    def flights(self, cache: Cache) -> Flights:
        """Who runs what in `cache` right now."""
        with self._lock:
            flights = self._flights.get(cache.directory)
            if flights is None:
                flights = self._flights[cache.directory] = Flights(cache.directory)
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


@contextmanager
def tags(*given: Mapping[str, object] | tuple[str, object], **named: object) -> Iterator[Tags]:
    """Tag every checkpoint in the block, and in all that it calls; blocks nest, and keep their order.

    Tags are named, or given in mappings and pairs where a key is no identifier.

    >>> with tags(date="2017-01-01"), tags({"run": 3}):
    ...     current_tags()
    (('date', '2017-01-01'), ('run', '3'))
    """
    pairs: list[tuple[str, object]] = []
    for item in (*given, named):
        pairs += [item] if isinstance(item, tuple) else item.items()
    token = _tags.set(_tags.get() + tuple((check_tag(key), str(value)) for key, value in pairs))
    try:
        yield _tags.get()
    finally:
        _tags.reset(token)


def current_tags() -> Tags:
    """The tags in force here, outermost first."""
    return _tags.get()


def check_tag(key: object) -> str:
    """Return `key` if it can be a tag's; UsageError otherwise."""
    if not isinstance(key, str) or not key or "=" in key:
        raise UsageError(f"{key!r} can't be the key of a tag: a text without '=' is needed, as in date=2017-01-01")
    return key


def check_mode(mode: str, name: str) -> Mode:
    """Return `mode` if it is one; UsageError naming `name` and what is allowed otherwise."""
    if mode not in get_args(Mode):
        raise UsageError(f"{name} is {mode!r}; it must be one of {', '.join(MODES)}")
    return mode  # type: ignore[return-value]  # checked above


def parse_duration(text: str | float) -> float:
    """Seconds that ``"90s"``, ``"30m"``, ``"12h"``, ``"1d"``, ``"2w"`` or a number stand for.

    >>> parse_duration("1d")
    86400.0
    """
    if isinstance(text, int | float):
        return float(text)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", text)
    if match is None:
        raise UsageError(f"{text!r} is no duration: a number with s, m, h, d or w is needed, as in 90s, 12h or 1d")
    return float(match[1]) * _UNITS[match[2]]
