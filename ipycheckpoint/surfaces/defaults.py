"""``defaults``: the settings of this process, as a mapping."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint import workspace
from ipycheckpoint.errors import UsageError
from ipycheckpoint.identity.identifier import check_algorithm, check_protocol
from ipycheckpoint.surfaces.plugging import check_identifier, check_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipycheckpoint.workspace import Workspace


class _Setting(NamedTuple):
    read: Callable[[Workspace], Any]
    write: Callable[[Workspace, Any], None]
    """With None, it is as if nobody had set it. Raises UsageError."""


class Defaults(MutableMapping[str, Any]):
    """What holds wherever nobody says otherwise. To delete a setting is to take it back.

    ======================================  ==========================================================
    ``checkpoint.on_error``                 ``"warn"``, ``"raise"`` or ``"ignore"``
    ``checkpoint.mode``                     ``"on"``, ``"off"``, ``"read"`` or ``"refresh"``
    ``checkpoint.cache``                    a cache of your own, for functions and cells
    ``checkpoint.identifier``               an identifier of your own, for functions and cells
    ``checkpoint.wait_seconds``             how long to wait for who runs the same: seconds, or ``"10m"``
    ``cache.filesystem.directory``          where the cache is
    ``cache.filesystem.network``            whether that is reached over a network; None to find out
    ``cache.pickle_protocol``, ``hash.…``   for code that was written for `checkpointing`: of no effect
    ======================================  ==========================================================

    >>> defaults = Defaults()
    >>> defaults["checkpoint.on_error"] = "ignore"
    >>> defaults["checkpoint.on_error"]
    'ignore'
    >>> del defaults["checkpoint.on_error"]
    """

    def __init__(self) -> None:
        self._without_effect: dict[str, Any] = {}
        self._settings = {
            "cache.filesystem.directory": _Setting(lambda here: str(here.cache_directory()), _set_directory),
            "cache.filesystem.network": _Setting(lambda here: here.network, _set_network),
            "cache.pickle_protocol": self._noted("cache.pickle_protocol", 5, check_protocol),
            "hash.algorithm": self._noted("hash.algorithm", "blake3", check_algorithm),
            "hash.pickle_protocol": self._noted("hash.pickle_protocol", 5, check_protocol),
            "checkpoint.on_error": _Setting(lambda here: here.on_error, _set_on_error),
            "checkpoint.mode": _Setting(lambda here: here.mode, _set_mode),
            "checkpoint.wait_seconds": _Setting(lambda here: here.wait_seconds, _set_wait_seconds),
            "checkpoint.cache": _Setting(lambda here: here.plugged, _set_cache),
            "checkpoint.identifier": _Setting(lambda here: here.identifier, _set_identifier),
        }

    def _noted(self, key: str, default: object, check: Callable[[Any], object]) -> _Setting:
        def write(_: Workspace, value: Any) -> None:
            if value is None:
                self._without_effect.pop(key, None)
            else:
                self._without_effect[key] = check(value)

        return _Setting(lambda _: self._without_effect.get(key, default), write)

    def __getitem__(self, key: str) -> Any:
        return self._setting(key).read(workspace.current())

    def __setitem__(self, key: str, value: Any) -> None:
        self._setting(key).write(workspace.current(), value)

    def __delitem__(self, key: str) -> None:
        self._setting(key).write(workspace.current(), None)

    def __contains__(self, key: object) -> bool:
        return key in self._settings

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def __repr__(self) -> str:
        return repr(dict(self))

    def _setting(self, key: object) -> _Setting:
        setting = self._settings.get(key) if isinstance(key, str) else None
        if setting is None:
            near = get_close_matches(str(key), self._settings, n=3)
            told = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(self._settings)}"
            raise UnknownSetting(f"there is no setting {key!r}: {told}")
        return setting


class UnknownSetting(UsageError, KeyError):  # noqa: N818 - it reads as what it says
    """There is no setting of this name."""

    __str__ = Exception.__str__  # a KeyError shows the repr of its message


def _set_directory(here: Workspace, value: Any) -> None:
    here.directory = None if value is None else Path(value).expanduser().absolute()


def _set_on_error(here: Workspace, value: Any) -> None:
    here.on_error = workspace.check_on_error(value or "warn", "checkpoint.on_error")


def _set_mode(here: Workspace, value: Any) -> None:
    here.mode = value


def _set_wait_seconds(here: Workspace, value: Any) -> None:
    here.wait_seconds = value


def _set_network(here: Workspace, value: Any) -> None:
    here.network = workspace.check_switch(value, "cache.filesystem.network")


def _set_cache(here: Workspace, value: Any) -> None:
    here.plugged = check_place(value, "checkpoint.cache")


def _set_identifier(here: Workspace, value: Any) -> None:
    here.identifier = check_identifier(value, "checkpoint.identifier")


defaults = Defaults()
"""The settings of this process."""
