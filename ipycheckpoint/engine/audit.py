"""What the interpreter tells of files: opened, listed, removed, renamed, for whoever watches just now.

An audit hook can't be removed, so there is one, added when somebody watches for the first time. It hears of the whole
process: a thread that a run has started counts as the run.
"""

from __future__ import annotations

import os
import re
import site
import sys
import sysconfig
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import unquote

from ipycheckpoint.identity.ownership import is_users

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import FrameType

    R = TypeVar("R")


class Watcher(Protocol):
    """Who is told what is about to happen. Paths are as the code gives them."""

    def read(self, path: str) -> None:
        """The content of a file is about to be read, or looked for."""
        ...

    def write(self, path: str, *, appending: bool = False) -> None:
        """A file is about to be made, changed, replaced or removed."""
        ...

    def scan(self, path: str) -> None:
        """The names in a directory are about to be read."""
        ...

    def fail(self, problem: Exception) -> None:
        """Something was touched that nobody could make sense of."""
        ...


_watchers: tuple[Watcher, ...] = ()
_lock = threading.Lock()
_busy = threading.local()
_is_hooked = False


def start(watcher: Watcher) -> None:
    """Tell `watcher` of everything from now on."""
    global _watchers, _is_hooked  # noqa: PLW0603 - the hook is one for the process
    with _lock:
        if not _is_hooked:
            sys.addaudithook(_hook)
            _is_hooked = True
        _watchers = (*_watchers, watcher)


def stop(watcher: Watcher) -> None:
    """Tell `watcher` no more."""
    global _watchers  # noqa: PLW0603 - as above
    with _lock:
        _watchers = tuple(other for other in _watchers if other is not watcher)


def watchers() -> tuple[Watcher, ...]:
    """Who watches now."""
    return _watchers


def run(thunk: Callable[[], R]) -> R:
    """Call `thunk`: what is touched below is work, not our own doing."""
    return thunk()


async def run_async(thunk: Callable[[], Awaitable[R]]) -> R:
    """As `run`, for a coroutine function."""
    return await thunk()


_WORK = (run.__code__, run_async.__code__)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _watchers:
        return
    tell = _EVENTS.get(event)
    if tell is None or getattr(_busy, "now", False):
        return
    _busy.now = True  # looking at a file makes events, too
    try:
        if event in _ON_BEHALF or _is_work(sys._getframe(1)):
            for watcher in _watchers:
                tell(watcher, *args)
    except Exception as problem:  # noqa: BLE001 - what we can't follow must not stop what the user does
        for watcher in _watchers:
            watcher.fail(problem)
    finally:
        _busy.now = False


def _is_work(frame: FrameType | None) -> bool:
    """Whether the user's code brings about what `frame` does; else it is our own doing, or an import."""
    while frame is not None:
        if frame.f_code in _WORK:
            return True
        verdict = _verdict(frame.f_globals.get("__name__"))
        if verdict is not None:
            return verdict
        frame = frame.f_back
    return True


_NOT_WORK = re.compile(
    rf"{__name__.partition('.')[0]}|_frozen_importlib(_external)?|importlib\._bootstrap(_external)?"
    r"|importlib[._]metadata|zipimport|linecache"
)


@lru_cache(maxsize=4096)
def _verdict(module: str | None) -> bool | None:
    """Whether what a module does is work. None: that is for the one who called it to say."""
    name = module if isinstance(module, str) else None
    match = _NOT_WORK.match(name or "")
    if match is not None and (name or "")[match.end() : match.end() + 1] in ("", "."):
        return False
    return True if is_users(name) else None


def _opened(watcher: Watcher, path: Any, mode: str | None, flags: int) -> None:
    given = _path(path)
    if given is None or os.path.isdir(given):  # with O_TMPFILE, for a file that has no name
        return
    if mode is None or not set("wax+").intersection(mode):
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC))
        appends = bool(flags & os.O_APPEND)
        keeps = not flags & (os.O_TRUNC | os.O_EXCL) and not (appends and flags & os.O_WRONLY)
    else:
        writes, appends = True, "a" in mode
        keeps = "r" in mode or (appends and "+" in mode)
    if not writes:
        watcher.read(given)
        return
    if keeps and ("r" in (mode or "") or os.path.exists(given)):
        watcher.read(given)
    watcher.write(given, appending=appends)


def _connected(watcher: Watcher, database: Any) -> None:
    given = _path(database)
    if given is None or given in ("", ":memory:"):
        return
    if given.startswith("file:"):
        given, _, query = given.removeprefix("file:").partition("?")
        if "mode=memory" in query or given == ":memory:":
            return
        given = unquote(given)
    if os.path.exists(given):
        watcher.read(given)  # if it is changed by the end, it was read and changed
        watcher.read(f"{given}-wal")
    else:
        watcher.write(given)


def _listed(watcher: Watcher, path: Any = None) -> None:
    given = _path("." if path is None else path)
    if given is not None:
        watcher.scan(given or ".")


def _changed(watcher: Watcher, path: Any, *more: Any) -> None:
    given = _path(path)
    if given is not None and _is_here(more):
        watcher.write(given)


def _renamed(watcher: Watcher, source: Any, target: Any, *more: Any) -> None:
    _changed(watcher, source, *more)
    _changed(watcher, target, *more)


def _linked(watcher: Watcher, _: Any, target: Any, *more: Any) -> None:
    _changed(watcher, target, *more)


def _truncated(watcher: Watcher, path: Any, _: int) -> None:
    given = _path(path)
    if given is not None:
        watcher.read(given)
        watcher.write(given)


def _is_here(descriptors: tuple[Any, ...]) -> bool:
    # Relative to an open directory: the removal of a tree, which is told of as a whole.
    return not descriptors or all(descriptor == -1 for descriptor in descriptors)


def _path(path: Any) -> str | None:
    """As text; None for the number of an open file."""
    return None if isinstance(path, int) else os.fsdecode(path)


_EVENTS: dict[str, Callable[..., None]] = {
    "open": _opened,
    "os.link": _linked,
    "os.listdir": _listed,
    "os.mkdir": lambda watcher, path, _, descriptor: _changed(watcher, path, descriptor),
    "os.remove": _changed,
    "os.rename": _renamed,
    "os.rmdir": _changed,
    "os.scandir": _listed,
    "os.symlink": _linked,
    "os.truncate": _truncated,
    "shutil.rmtree": lambda watcher, path, *_: _changed(watcher, path),
    "sqlite3.connect": _connected,
    "ipycheckpoint.list": lambda watcher, path: watcher.scan(path),
    "ipycheckpoint.read": lambda watcher, path: watcher.read(path),
    "ipycheckpoint.write": lambda watcher, path: watcher.write(path),
}

_ON_BEHALF = frozenset(event for event in _EVENTS if event.startswith("ipycheckpoint."))
# What `store.files` does with files of the user's own is told by itself, and is work whoever's frames are on the stack.


_PASSING = re.compile(
    r"/(?:__pycache__|\.ipycheckpoint|\.ipynb_checkpoints|joblib_memmapping_folder_[^/]*|loky-[^/]*)(?:/|$)"
    r"|^/dev/(?!shm/)|^/dev/shm/(?:sem\.|psm_|pym-|loky)"
    r"|/(?:\.cache|\.config|Caches)/(?:matplotlib|fontconfig)/|/\.matplotlib/|/fontlist-v[0-9]+\.json$|/matplotlibrc$"
    r"|-shm$"
)


def is_data(path: str) -> bool:
    """Whether the file at the absolute `path` is data: nothing of the system, of what is installed, or of tools."""
    return not path.startswith(_not_data()) and _PASSING.search(path.replace(os.sep, "/")) is None


@lru_cache(maxsize=1)
def _not_data() -> tuple[str, ...]:
    places = {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    places |= {*site.getsitepackages(), site.getusersitepackages()}
    parts = ["share", "etc", "lib"]
    if sys.prefix != sys.base_prefix:
        # Not all of the environment: some make it in the very directory of their project.
        parts += ["bin", "include", "Scripts", "Include"]
    places |= {os.path.join(prefix, part) for prefix in (sys.prefix, sys.base_prefix) for part in parts}
    places |= {os.path.realpath(place) for place in places}
    places |= {"/proc", "/sys", "/etc", "/run", "/usr/share", "/usr/lib"}
    return tuple(os.path.join(place, "") for place in sorted(places))


def is_cached(path: str) -> bool:
    """Whether `path` is in the user's directory for what programs keep to save time, and may delete at any time."""
    return path.startswith(_cache_home())


@lru_cache(maxsize=1)
def _cache_home() -> str:
    home = Path("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or home.expanduser(), "")
