"""The Trace: the files that a run was seen to touch, as they were then; verified before a hit.

What it read, and what it looked for and didn't find, must still be so; what it wrote or removed must still be as it
left it; and the directories that it listed must hold the same names, but for those that it made itself.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.digest import Digest
from ipycheckpoint.engine import audit
from ipycheckpoint.engine.files import Status, beginning, content, digest_of_names, names
from ipycheckpoint.engine.mentions import files_among, mentioned, mentions_the_same
from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.identity.explain import Change
from ipycheckpoint.identity.ownership import is_users_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ipycheckpoint.identity.work import Work

MOST_FILES = 1000
"""How many files and directories of one run are verified before a hit."""

_CHANGED = "changed since"
_DIRECTORY = Digest("directory")
_UNWATCHED = "unwatched"
_LEFT_OUT = "left out"
_WAY_OUT = "leave files out of it with --no-watch, or watch=False"

Entry = list[Any]
"""In JSON: the path, then what was there: Digest (None if nothing), bytes, and when the file was modified and changed
in nanoseconds. The times are left out where a later change might not show in them."""


@dataclass(slots=True)
class _File:
    """What the run does to one file."""

    name: str
    before: Status | None
    read: bool = False
    wrote: bool = False
    appended: bool = False
    """It does nothing else: what others append later doesn't undo that."""
    old: Digest | None = None
    """What was in it, if it was read before it was changed."""


@dataclass(slots=True)
class _Listing:
    name: str
    found: set[str]
    """The names that were there when it was first listed."""


class _Modules(NamedTuple):
    """Which modules there were at some moment."""

    names: frozenset[str]
    number: int
    last: object
    """The module that came last."""

    @classmethod
    def now(cls) -> _Modules:
        """Those of this moment."""
        global _modules  # noqa: PLW0603 - there is one set of modules, and hardly a call adds to it
        if not _modules.are_all():
            number, last = len(sys.modules), _last_module()
            _modules = cls(frozenset(sys.modules), number, last)  # what comes meanwhile is the last one then
        return _modules

    def are_all(self) -> bool:
        """Whether none have come since: what comes is the last one then."""
        return len(sys.modules) == self.number and _last_module() is self.last

    def more(self) -> list[object]:
        """Those that have come since."""
        return [] if self.are_all() else [sys.modules[name] for name in sys.modules.keys() - self.names]


def _last_module() -> object:
    try:
        return next(reversed(sys.modules.values()), None)
    except RuntimeError:  # another thread imports at this moment
        return None


_modules = _NO_MODULES = _Modules(frozenset(), 0, None)


class Watch:
    """Sees what one run touches, from `start` to `stop`; `trace` is what to keep of it.

    `own` is the directory of the cache: what is there is nobody's data.
    """

    def __init__(self, work: Work, own: Path | None) -> None:
        self._own = None if own is None else os.path.join(own, "")
        self._work = work
        self._texts: list[str] = []
        """What is mentioned, now and later."""
        self._changing: list[object] = []
        """What may mention something else later."""
        self._cwd = ""
        self._began = 0
        self._modules = _NO_MODULES
        self._mentioned: dict[str, Status | None] = {}
        self._files: dict[str, _File] = {}
        self._listings: dict[str, _Listing] = {}
        self._problem: Exception | None = None

    def start(self, *code: object) -> None:
        """Begin to watch. First, the files are looked at that `code`, or that of the Work, mentions."""
        self._cwd = _cwd()
        self._began = time.time_ns()
        try:
            things = (*self._work.values.values(), *self._work.code, *code)
            same: list[object] = []
            for thing in things:
                (same if mentions_the_same(thing) else self._changing).append(thing)
            self._texts = list(mentioned(same))
            self._mentioned = {path: Status.of(path) for path in self._mentioned_now()}
        except Exception as problem:  # noqa: BLE001 - attributes of the user's objects raise what they like
            self.fail(problem)
        self._modules = _Modules.now()
        audit.start(self)

    def stop(self) -> None:
        """The run has ended, in whatever way."""
        audit.stop(self)
        # What the code names was imported when it was identified, and counts there. This is what a script, a text or a
        # name made at run time brought.
        for module in self._modules.more():
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and is_users_file(file):
                self.read(file)

    def read(self, path: str) -> None:
        """See `audit.Watcher`."""
        file = self._file(path)
        if file is not None and not (file.wrote and (file.before is None or not file.appended)):
            file.read = True  # what is in it is not the run's own

    def write(self, path: str, *, appending: bool = False) -> None:
        """See `audit.Watcher`."""
        absolute = os.path.abspath(path)
        if audit.is_cached(absolute):
            self._files.pop(absolute, None)  # whatever is read there next counts by its content
            return
        file = self._file(path)
        if file is None:
            return
        if not file.wrote:
            file.wrote, file.appended = True, appending
            if file.read and file.before is not None:
                file.old = _content(absolute, Status.of(absolute))
        elif not appending:
            file.appended = False

    def scan(self, path: str) -> None:
        """See `audit.Watcher`."""
        absolute = os.path.abspath(path)
        inside = os.path.join(absolute, "")
        if absolute not in self._listings and self._is_data(inside) and not audit.is_cached(inside):
            self._listings[absolute] = _Listing(self._name(path, absolute), names(absolute))

    def fail(self, problem: Exception) -> None:
        """See `audit.Watcher`."""
        self._problem = problem

    def trace(self, *left: object) -> dict[str, Any]:
        """What to verify before a hit; nothing where nothing was touched. `left` is what the run left behind.

        Raises CheckpointError where no later run could find things as this one did.
        """
        if self._problem is not None:
            said = f"{type(self._problem).__name__}: {self._problem}"
            raise CheckpointError(f"which files the run touches can't be told ({said}); {_WAY_OUT}")
        self._add_mentioned(left)
        trace: dict[str, Any] = {}
        for absolute, file in self._files.items():
            kind, entry = self._entry(absolute, file)
            if entry is not None:
                trace.setdefault(kind, []).append(entry)
        for absolute, listing in self._listings.items():
            trace.setdefault("listed", []).append(self._listed(absolute, listing))
        return self._capped(trace)

    def _file(self, path: str) -> _File | None:
        """What is known of the file at `path`; None if it is no data."""
        absolute = os.path.abspath(path)
        file = self._files.get(absolute)
        if file is None and self._is_data(absolute):
            status = Status.of(absolute)
            if status is None or status.is_file or status.is_directory:
                file = self._files.setdefault(absolute, _File(self._name(path, absolute), status))
        return file

    def _is_data(self, absolute: str) -> bool:
        return audit.is_data(absolute) and (self._own is None or not absolute.startswith(self._own))

    def _name(self, path: str, absolute: str) -> str:
        """The path to keep: relative where the code gives it so, for a project that moves."""
        return absolute if os.path.isabs(path) or _cwd() != self._cwd else os.path.relpath(absolute, self._cwd)

    def _mentioned_now(self) -> list[str]:
        texts = (*self._texts, *mentioned(self._changing)) if self._changing else self._texts
        return [path for path in files_among(texts) if self._is_data(os.path.abspath(path))]

    def _add_mentioned(self, left: tuple[object, ...]) -> None:
        """What is mentioned, and nobody was heard to open: native code may have read it, or written it."""
        paths = [thing for thing in left if isinstance(thing, str | os.PathLike)]
        for path in dict.fromkeys((*self._mentioned, *self._mentioned_now(), *files_among(mentioned(paths)))):
            absolute = os.path.abspath(path)
            before, after = self._mentioned.get(path), Status.of(path)
            if absolute in self._files or not self._is_data(absolute):
                continue
            file = self._files[absolute] = _File(self._name(path, absolute), before or after)
            if before is None:
                file.read = after is not None and after.modified < self._began
            else:
                file.read = after is not None and after.has_content_of(before)
            file.wrote = not file.read

    def _entry(self, absolute: str, file: _File) -> tuple[str, Entry | None]:
        after = Status.of(absolute)
        if after is not None and not after.is_file and not file.wrote:
            return "read", None  # opening a directory fails, whatever is in it
        if file.read and file.wrote:
            if _content(absolute, after) != file.old:
                raise CheckpointError(
                    f"the run reads `{file.name}` and changes it: no other run will find what it found; {_WAY_OUT}"
                )
            return "read", _entry(absolute, file.name, after)
        if file.wrote:
            gone = file.before is None and after is None
            kind = "appended" if file.appended and after is not None else "written"
            return kind, None if gone else _entry(absolute, file.name, after, appended=kind == "appended")
        if after != file.before and (after is None or file.before is None or not after.has_content_of(file.before)):
            raise CheckpointError(f"`{file.name}` changed while the run read it; {_WAY_OUT}")
        return "read", _entry(absolute, file.name, after)

    def _listed(self, absolute: str, listing: _Listing) -> Entry:
        own = {os.path.basename(path) for path, file in self._files.items() if file.wrote and _is_in(path, absolute)}
        own |= _own_names(absolute, self._own)
        now = names(absolute) - own
        found = listing.found - own
        after = Status.of(absolute) if now == found else None
        return [listing.name, digest_of_names(found), len(found), *_times(after)]

    def _capped(self, trace: dict[str, Any]) -> dict[str, Any]:
        room = MOST_FILES
        left_out = 0
        for kind, entries in trace.items():
            left_out += max(0, len(entries) - room)
            trace[kind] = entries[:room]
            room = max(0, room - len(entries))
        below = os.path.join(self._cwd, "") if trace else ""
        if any(entry[0].startswith(below) for entries in trace.values() for entry in entries):
            trace["cwd"] = self._cwd
        if left_out:
            trace[_LEFT_OUT] = left_out
        return trace


def unwatched() -> dict[str, Any]:
    """The Trace of a run that nobody watched."""
    return {_UNWATCHED: True}


def notes(trace: Mapping[str, Any]) -> tuple[str, ...]:
    """What the user should know of a Trace."""
    left_out = trace.get(_LEFT_OUT)
    if not left_out:
        return ()
    return (f"it touched {left_out:,} more files than the {MOST_FILES:,} that are verified before it is restored",)


def contradictions(trace: Mapping[str, Any], own: Path | None) -> tuple[Change, ...]:
    """What is not as the run saw or left it: the first few things of it. Writes nothing."""
    if not trace:
        return ()
    return tuple(islice(_contradictions(trace, own), 3))


def hand_on(trace: Mapping[str, Any]) -> None:
    """Tell whoever watches now what the run behind a hit touched: for them, it is touched again."""
    for watcher in audit.watchers():
        for kind in ("read", "written", "appended", "listed"):
            for entry in trace.get(kind, ()):
                path = _places(entry[0], trace.get("cwd"))[0]
                if kind == "read":
                    watcher.read(path)
                elif kind == "listed":
                    watcher.scan(path)
                else:
                    watcher.write(path, appending=kind == "appended")


def _contradictions(trace: Mapping[str, Any], own: Path | None) -> Iterator[Change]:
    if trace.get(_UNWATCHED):
        yield Change("files", "the files that it touched were not watched")
    cwd = trace.get("cwd")
    for kind, whose in (("read", ""), ("written", ", which it wrote,"), ("appended", ", which it wrote to,")):
        for name, known, *status in trace.get(kind, ()):
            for place in _places(name, cwd):
                problem = _problem(place, known, status, appended=kind == "appended")
                if problem is not None:
                    yield Change(name, f"`{name}`{whose} {problem}")
                    break
    touched = {
        os.path.abspath(p) for k in ("written", "appended") for e in trace.get(k, ()) for p in _places(e[0], cwd)
    }
    for name, known, count, *times in trace.get("listed", ()):
        for place in _places(name, cwd):
            now = Status.of(place)
            if now is not None and times and [now.modified, now.changed] == times:
                continue
            absolute = os.path.abspath(place)
            ours = {os.path.basename(path) for path in touched if _is_in(path, absolute)}
            found = names(place) - ours - _own_names(absolute, None if own is None else os.path.join(own, ""))
            if digest_of_names(found) != known:
                yield Change(name, f"the names in `{name}` changed since: {count} → {len(found)}")
                break


def _problem(place: str, known: Digest | None, status: list[int], *, appended: bool) -> str | None:
    """What is wrong with a file, in words."""
    now = Status.of(place)
    if now is None:
        return None if known is None else "is gone"
    if known is None:
        return "is there now"
    if known == _DIRECTORY or not now.is_file:
        return None if known == _DIRECTORY and now.is_directory else _CHANGED
    nbytes, *times = status
    if now.nbytes == nbytes and times == [now.modified, now.changed]:
        return None
    try:
        if now.nbytes == nbytes and content(place, now) == known:
            return None
        # Others may have appended since, even since we looked.
        return None if appended and now.nbytes >= nbytes and beginning(place, nbytes) == known else _CHANGED
    except OSError as error:
        return f"can't be read ({error.strerror})"


def _places(name: str, cwd: str | None) -> list[str]:
    """Where the file is that was called `name`: in a project that was moved or copied it is elsewhere, or twice."""
    if cwd is None or not name.startswith(os.path.join(cwd, "")) or (here := _cwd()) == cwd:
        return [name]
    places = (os.path.join(here, os.path.relpath(name, cwd)), name)
    return [place for place in places if os.path.lexists(place)] or [name]


def _entry(absolute: str, name: str, status: Status | None, *, appended: bool = False) -> Entry:
    if status is None:
        return [name, None]
    if status.is_directory:
        return [name, _DIRECTORY]
    return [name, _content(absolute, status, appended=appended), status.nbytes, *_times(status)]


def _content(absolute: str, status: Status | None, *, appended: bool = False) -> Digest | None:
    if status is None:
        return None
    try:
        if not stat.S_ISREG(status.mode):
            return _DIRECTORY
        # Others may append at this moment, too.
        return beginning(absolute, status.nbytes) if appended else content(absolute, status)
    except OSError as error:
        raise CheckpointError(f"`{absolute}` can't be read ({error.strerror}); {_WAY_OUT}") from None


def _times(status: Status | None) -> tuple[int, ...]:
    return () if status is None or not status.is_settled else (status.modified, status.changed)


def _is_in(path: str, directory: str) -> bool:
    return os.path.dirname(path) == directory


def _own_names(directory: str, own: str | None) -> set[str]:
    return {os.path.basename(own[:-1])} if own is not None and _is_in(own[:-1], directory) else set()


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""
