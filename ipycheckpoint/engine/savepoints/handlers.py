"""Where the values of savepoints go: files, a dict, or whatever else a user's own handler does with them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from ipycheckpoint.cache.places import place_of
from ipycheckpoint.cache.savefile import SUFFIX, pack
from ipycheckpoint.engine.savepoints.snapshot import snapshot
from ipycheckpoint.errors import UsageError
from ipycheckpoint.identity.values import digest_value
from ipycheckpoint.record.codecs import check_codec
from ipycheckpoint.record.compression import check_compression
from ipycheckpoint.store.files import Pending, files_at

if TYPE_CHECKING:
    from ipycheckpoint.store.files import Files


class Handler(Protocol):
    """Where savepoints go: anything that can `save`, which may raise whatever it likes.

    One that also has `prepare`, with the arguments of `save`, takes part in sessions that save all or nothing: it
    returns an object with `commit`, which lets the values be seen, and `discard`. The others of a session are called
    when all of these are prepared.

    >>> class Printing:
    ...     def save(self, name, tags, values):
    ...         print(name, list(tags), dict(values))
    >>> from ipycheckpoint import config, register, savepoint, tags
    >>> register("Weather", ["wind"])
    >>> with config("Weather", Printing()), tags(day=1):
    ...     savepoint("Weather.wind", [3, 4])
    Weather.wind [('day', '1')] {'data': [3, 4]}
    """

    def save(self, name: str, tags: Sequence[tuple[str, str]], values: Mapping[str, object]) -> None:
        """Save `values` of the savepoint `name` under `tags`, outermost first. They may change when it has returned."""
        ...


class FileHandler:
    """Saves to files below `place`, a directory or any URL: ``PLACE/date=2017-01-01/TestPkg/bar.ckpt``.

    Args:
        place: A relative path counts from the working directory as it is now. URLs are those that fsspec knows. Or
            the Files of such a place.
        compression: ``"none"``, ``"fast"`` or ``"small"``.
        codec: ``"pickle"``, ``"dill"`` or ``"json"``.

    >>> import tempfile
    >>> from ipycheckpoint import load
    >>> place = tempfile.mkdtemp()
    >>> FileHandler(place, codec="json").save("Weather.wind", [("day", "1")], {"data": [3, 4]})
    >>> load(f"{place}/day=1/Weather/wind.ckpt")
    {'data': [3, 4]}
    """

    def __init__(
        self, place: str | os.PathLike[str] | Files, *, compression: str = "none", codec: str = "pickle"
    ) -> None:
        self._files = files_at(place) if isinstance(place, str | os.PathLike) else place
        self._compression, self._codec = check_compression(compression), check_codec(codec)

    @property
    def location(self) -> str:
        """The directory or URL."""
        return self._files.location

    def save(self, name: str, tags: Sequence[tuple[str, str]], values: Mapping[str, object]) -> None:
        """Write the file, whole. Raises CannotKeep, and StoreError; then what was there is there still."""
        self.prepare(name, tags, values).commit()

    def prepare(self, name: str, tags: Sequence[tuple[str, str]], values: Mapping[str, object]) -> Pending:
        """Write the file under a name where nobody sees it. Raises as `save` does."""
        chunks = pack(values, label=name, tags=tags, compression=self._compression, codec=self._codec)
        return self._files.prepare(place_of(name, tags), chunks)

    def __repr__(self) -> str:
        return f"FileHandler({self.location!r}, compression={self._compression!r}, codec={self._codec!r})"


class DictHandler(Mapping[str, Mapping[str, object]]):
    """Keeps copies of the values in memory: ``handler["date=2017-01-01/TestPkg/bar"]["data"]``.

    What is there isn't replaced by other values, unless with `force`; an equal value is no other.

    >>> handler = DictHandler()
    >>> handler.save("TestPkg.foo", [("run", "1")], {"x": [1]})
    >>> handler["run=1/TestPkg/foo"]["x"]
    [1]
    """

    def __init__(self, *, force: bool = False) -> None:
        self._force = force
        self._saved: dict[str, Mapping[str, object]] = {}

    def save(self, name: str, tags: Sequence[tuple[str, str]], values: Mapping[str, object]) -> None:
        """Keep `values`. Raises UsageError where others are kept, and CannotKeep for what can't be copied."""
        self.prepare(name, tags, values).commit()

    def prepare(self, name: str, tags: Sequence[tuple[str, str]], values: Mapping[str, object]) -> Pending:
        """Copy `values`. Raises as `save` does."""
        place = place_of(name, tags).removesuffix(SUFFIX)
        kept = self._saved.get(place)
        if kept is not None and not self._force:
            other = [key for key in (*kept, *(values.keys() - kept.keys())) if not _agree(key, kept, values)]
            if other:
                raise UsageError(
                    f"{place} is there already with other values of {', '.join(map(repr, other))}: "
                    "DictHandler(force=True) replaces them, and tags(…) keep both"
                )
        copies = MappingProxyType(snapshot(values))
        return Pending(lambda: self._saved.update({place: copies}), lambda: None)

    def __getitem__(self, place: str) -> Mapping[str, object]:
        return self._saved[place]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._saved))

    def __len__(self) -> int:
        return len(self._saved)

    def __repr__(self) -> str:
        return f"DictHandler({', '.join(self)})"


def _agree(key: str, kept: Mapping[str, object], values: Mapping[str, object]) -> bool:
    """Whether the value of `key` is the same in both. Raises Unidentifiable where that can't be told."""
    if key not in kept or key not in values:
        return False
    return kept[key] is values[key] or digest_value(kept[key], key) == digest_value(values[key], key)
