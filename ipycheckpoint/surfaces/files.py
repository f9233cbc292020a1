"""Files that anyone can keep, send and read again: `save`, `load`, `read`, `trust` and `upgrade`."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, overload

from ipycheckpoint.cache import savefile
from ipycheckpoint.errors import CheckpointError, CheckpointWarning, UsageError
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.moves import moving
from ipycheckpoint.store.files import files_at
from ipycheckpoint.tagging import current_tags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipycheckpoint.cache.opened import Record

Path = str | os.PathLike[str]


def save(
    path: Path,
    values: Mapping[str, object] | None = None,
    /,
    *,
    compression: str = "none",
    codec: str = "pickle",
    **named: object,
) -> None:
    """Write values as one free-standing file at `path`, a path or any URL that fsspec knows.

    Values are named, or given in a mapping where a name is no identifier, or is `compression` or `codec`. What was
    there is replaced in one step: whoever reads `path`, and whatever happens, finds the old file or the new one.

    Args:
        path: Where; folders on the way are made.
        values: Values by name.
        compression: ``none`` (loads at once, arrays as maps of the file), ``fast`` (zlib) or ``small`` (lzma).
        codec: ``pickle``, ``dill`` (all by dill), or ``json`` (plain data only, for any tool).
        **named: More values by name.

    Raises:
        CannotKeep: a value can't be written.
        StoreError: the file can't be; what was there is there still.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/run.ckpt"
    >>> save(path, x=[1, 2], y="text")
    >>> load(path)
    {'x': [1, 2], 'y': 'text'}
    """
    both = [name for name in named if values is not None and name in values]
    if both:
        raise UsageError(f"`{both[0]}` is given twice, in the mapping and by name")
    together = {**(values or {}), **named}
    if not together:
        raise UsageError("there is nothing to save: give values by name, as in save(path, x=x)")
    savefile.save(path, together, tags=current_tags(), compression=compression, codec=codec)


@overload
def load(path: Path, *, moved: Mapping[str, str] | None = None) -> dict[str, Any]: ...


@overload
def load(path: Path, name: str, /, *, moved: Mapping[str, str] | None = None) -> Any: ...


@overload
def load(
    path: Path, name: str, other: str, /, *names: str, moved: Mapping[str, str] | None = None
) -> tuple[Any, ...]: ...


def load(path: Path, *names: str, moved: Mapping[str, str] | None = None) -> Any:
    """All values of the file at `path` by name; of one name, that value; of several, a tuple of theirs.

    Only what is asked for is read and loaded. What can't be loaded comes as a `LoadFailure` in the value's place, and
    one warning names all of those.

    Args:
        path: Where.
        *names: What.
        moved: The new names of classes, functions and modules that had others then:
            ``{"shop.Order": "shop.models.Order"}``.

    Raises:
        StoreError: there is no such file.
        FormatError: it is none of ours.
        Untrusted: it isn't signed by anyone we trust.
        KeyError: it has no value of that name.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/run.ckpt"
    >>> save(path, x=[1, 2], y="text")
    >>> load(path, "x"), load(path, "y", "x")
    ([1, 2], ('text', [1, 2]))
    """
    with moving(moved):
        values = savefile.read(path).load(*names)
    failures = [value for value in values.values() if isinstance(value, LoadFailure)]
    if failures:
        warnings.warn(_in_words(os.fspath(path), failures), CheckpointWarning, stacklevel=2)
    if not names:
        return values
    return values[names[0]] if len(names) == 1 else tuple(values[name] for name in names)


def read(path: Path) -> Record:
    """The file at `path` as a `Record`: what it says of itself, whoever wrote it, and its values one by one.

    Raises:
        StoreError: there is no such file.
        FormatError: it is none of ours.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/run.ckpt"
    >>> save(path, x=[1, 2], y="text")
    >>> read(path)["x"]
    [1, 2]
    """
    return savefile.read(path)


def trust(path: Path) -> Record:
    """Sign the file at `path` as the user's own, so that it can be loaded. Look at ``read(path)`` before.

    Raises:
        StoreError: there is no such file, or it can't be written.
        FormatError: it is none of ours, or cut off.
        IntegrityError: it is damaged.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/theirs.ckpt"
    >>> save(path, x=[1, 2])
    >>> trust(path).is_trusted
    True
    """
    savefile.trust(path)
    return savefile.read(path)


def upgrade(*paths: Path) -> list[str]:
    """Rewrite files of earlier format versions in today's: those at `paths`, and below those that are directories.

    Returns the paths of those that were rewritten. One that is damaged, or signed by nobody we trust, stays as it is,
    and a warning names it.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> save(folder + "/run.ckpt", x=[1, 2])
    >>> upgrade(folder)  # it has today's format
    []
    """
    done = []
    for file in [file for path in paths for file in _records_at(os.fspath(path))]:
        try:
            if savefile.upgrade(file):
                done.append(file)
        except CheckpointError as problem:
            warnings.warn(f"{file} stays as it is: {problem}", CheckpointWarning, stacklevel=2)
    return done


def _records_at(path: str) -> list[str]:
    """The file at `path`, or the records below it if it is a directory."""
    files = files_at(path)
    is_file = path.endswith(savefile.SUFFIX) if "://" in files.location else not os.path.isdir(files.location)
    if is_file:
        return [path]
    names = sorted(entry.name for entry in files.entries() if entry.name.endswith(savefile.SUFFIX))
    return [file for name in names if savefile.is_record(file := f"{files.location}/{name}")]


def _in_words(path: str, failures: list[LoadFailure]) -> str:
    names = ", ".join(f"`{failure.name}`" for failure in failures)
    alike = failures[0].exception
    more = "" if len(failures) == 1 else f" (and {len(failures) - 1} more)"
    return f"{path}: can't load {names}: {type(alike).__name__}: {alike}{more}; each is a LoadFailure that tells more"
