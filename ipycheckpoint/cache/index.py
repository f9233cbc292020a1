"""The Index of a directory: which savepoints lie there, told by their paths alone."""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, overload

from ipycheckpoint.cache.places import place_of, read_place
from ipycheckpoint.cache.savefile import SUFFIX, read
from ipycheckpoint.errors import CheckpointError, UsageError
from ipycheckpoint.store.files import files_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ipycheckpoint.cache.opened import Record
    from ipycheckpoint.cache.places import Place
    from ipycheckpoint.store.base import Entry as FileEntry

FIELDS = ("path", "name", "fullname", "prefixes", "tags", "saved_at", "nbytes")
_SHOWN = 50
_PRINTED = 10


class Entry(Mapping[str, object]):
    """One savepoint of an Index. As a mapping it is a row of a table: its fields, and the tags that have a column.

    ``entry.date`` is the value of the tag `date`, where there is one such tag; ``entry.tag("path")`` is that of a tag
    that is called as something else here.

    Attributes:
        path: The path or URL of its file.
        saved_at: When the file was written, in UTC.
        nbytes: The size of the file.
    """

    def __init__(self, location: str, found: FileEntry, told: Place, columns: Sequence[str] = ()) -> None:
        """`told` is what the path of `found` tells, below `location`."""
        self._relative, self._told, self._columns = found.name, told, columns
        self.path = f"{location.rstrip('/')}/{found.name}" if "://" in location else os.path.join(location, found.name)
        self.saved_at = datetime.fromtimestamp(found.modified, UTC)
        self.nbytes = found.nbytes

    @cached_property
    def _place(self) -> Place:
        if self._told.is_whole:
            return self._told
        try:
            header = self.read().header
        except CheckpointError:
            return self._told
        # A header may say anything; the path is what we go by.
        if place_of(header.label, header.tags) != self._relative:
            return self._told
        *prefixes, name = header.label.split(".")
        return self._told._replace(prefixes=tuple(prefixes), name=name, tags=header.tags)

    @property
    def name(self) -> str:
        """The name without prefixes: ``bar``."""
        return self._place.name

    @property
    def fullname(self) -> str:
        """The name as it was registered: ``TestPkg.bar``."""
        return ".".join((*self.prefixes, self.name))

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What stands before the name: ``("TestPkg",)``."""
        return self._place.prefixes

    @property
    def tags(self) -> tuple[tuple[str, str], ...]:
        """All tags in order, repeated ones, too."""
        return self._place.tags

    def tag(self, key: str) -> str:
        """The value of the tag `key`. Raises UsageError where there is none, or more than one."""
        values = [value for found, value in self.tags if found == key]
        if len(values) == 1:
            return values[0]
        if values:
            told = f"{len(values)} times, as {', '.join(values)}"
            raise UsageError(f"{self.path} has the tag {key!r} {told}: `entry.tags` has them all")
        keys = ", ".join(dict.fromkeys(found for found, _ in self.tags)) or "none"
        raise UsageError(f"{self.path} has no tag {key!r}; its tags are: {keys}")

    def load(self) -> dict[str, object]:
        """The values by name, with a LoadFailure for each that fails. Raises what `read` raises, and Untrusted."""
        return self.read().load()

    def read(self) -> Record:
        """Open the file; nothing in it is loaded yet. Raises StoreError, and FormatError where it is no record."""
        return read(self.path)

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self.tag(name)
        except UsageError as problem:
            raise AttributeError(str(problem), name=name, obj=self) from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(key for key, _ in self.tags if key.isidentifier())})

    def __getitem__(self, key: str) -> object:
        if key in FIELDS:
            return getattr(self, key)
        if key not in self._columns:
            raise KeyError(key)
        return next((value for found, value in self.tags if found == key), None)

    def __iter__(self) -> Iterator[str]:
        return iter((*FIELDS, *self._columns))

    def __len__(self) -> int:
        return len(FIELDS) + len(self._columns)

    def __eq__(self, other: object) -> bool:
        # An Entry is what lies at one path, however many columns its Index has.
        return isinstance(other, Entry) and (self.path, self.saved_at, self.nbytes) == (
            other.path,
            other.saved_at,
            other.nbytes,
        )

    def __hash__(self) -> int:
        return hash((self.path, self.saved_at, self.nbytes))

    def __repr__(self) -> str:
        tags = "".join(f", {key}={value}" for key, value in self.tags)
        return f"Entry({self.fullname}{tags})"


class Index(Sequence[Entry]):
    """The savepoints below a place, ordered by path. ``pandas.DataFrame(index)`` has a row for each.

    A tag has a column of its own there, unless it is repeated somewhere or called as a field is; the column `tags` has
    them all.

    >>> import tempfile
    >>> from ipycheckpoint import config, register, savepoint, tags
    >>> place = tempfile.mkdtemp()
    >>> register("Weather", ["wind"])
    >>> with config("Weather", place), tags(day=1):
    ...     savepoint("Weather.wind", [3, 4])
    >>> [(entry.fullname, entry.day, entry.load()) for entry in index(place)]
    [('Weather.wind', '1', {'data': [3, 4]})]
    """

    def __init__(self, location: str, entries: Iterable[Entry]) -> None:
        self.location = location
        self._entries = list(entries)

    @overload
    def __getitem__(self, which: int) -> Entry: ...
    @overload
    def __getitem__(self, which: slice) -> Index: ...
    def __getitem__(self, which: int | slice) -> Entry | Index:
        if isinstance(which, slice):
            return Index(self.location, self._entries[which])
        return self._entries[which]

    def __len__(self) -> int:
        return len(self._entries)

    def where(self, *conditions: Callable[[Entry], bool], **equal: object) -> Index:
        """Those of which all conditions hold, and whose fields and tags have the given values, as text.

        ``index.where(name="bar", date="2017-01-01")``; of a tag that is repeated, one of its values has to agree.
        """

        def holds(entry: Entry) -> bool:
            return all(condition(entry) for condition in conditions) and all(
                getattr(entry, key) == value if key in FIELDS else (key, str(value)) in entry.tags
                for key, value in equal.items()
            )

        return Index(self.location, filter(holds, self._entries))

    def __repr__(self) -> str:
        lines = [f"{entry.fullname}{''.join(f' {k}={v}' for k, v in entry.tags)}" for entry in self[:_PRINTED]]
        return "\n  ".join([f"Index of {self.location}: {_counted(len(self))}", *lines, *self._more(_PRINTED)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(entry.fullname)}</td>"
            f"<td>{html.escape(' '.join(f'{key}={value}' for key, value in entry.tags))}</td>"
            f"<td>{entry.saved_at:%Y-%m-%d %H:%M:%S} UTC</td><td>{entry.nbytes:,} bytes</td></tr>"
            for entry in self[:_SHOWN]
        )
        more = "".join(f"<div>{text}</div>" for text in self._more(_SHOWN))
        return (
            f"<div><b>{html.escape(self.location)}</b><div>{_counted(len(self))}</div>"
            f"<table><tr><th>savepoint</th><th>tags</th><th>saved</th><th>size</th></tr>{rows}</table>{more}</div>"
        )

    def _more(self, shown: int) -> list[str]:
        return [f"… and {len(self) - shown} more"] if len(self) > shown else []


def index(place: str | os.PathLike[str], *, all_files: bool = False) -> Index:
    """The savepoints below `place`, a directory or URL, without opening them. Writes nothing.

    Names, prefixes and tags are those that the paths tell, from `place` on. Files of others are left out unless you
    ask for `all_files`. Raises UsageError where there is no such directory, and StoreError where it can't be listed.

    >>> import tempfile
    >>> index(tempfile.mkdtemp())[:]  # doctest: +ELLIPSIS
    Index of ...: no savepoints
    """
    files = files_at(place)
    if "://" not in files.location and not os.path.isdir(files.location):
        raise UsageError(f"there is no directory {files.location} to index")
    found = sorted((f for f in files.entries() if all_files or f.name.endswith(SUFFIX)), key=lambda entry: entry.name)
    places = [read_place(file.name) for file in found]
    columns = _columns(place.tags for place in places if place.is_whole)
    entries = (Entry(files.location, file, place, columns) for file, place in zip(found, places, strict=True))
    return Index(files.location, entries)


def _columns(tags: Iterable[tuple[tuple[str, str], ...]]) -> tuple[str, ...]:
    """The keys that each Entry has at most once, in order of appearance."""
    most: dict[str, int] = {}
    for pairs in tags:
        for key, count in Counter(key for key, _ in pairs).items():
            most[key] = max(count, most.get(key, 0))
    return tuple(key for key, count in most.items() if count == 1 and key not in FIELDS)


def _counted(count: int) -> str:
    return "1 savepoint" if count == 1 else f"{count:,} savepoints" if count else "no savepoints"
