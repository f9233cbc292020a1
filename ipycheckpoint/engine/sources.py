"""Ingredients from outside the process: watched files and pinned packages."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ipycheckpoint.digest import Digest, Hasher, digest
from ipycheckpoint.engine.files import Status, content
from ipycheckpoint.errors import UsageError
from ipycheckpoint.identity.identity import Ingredient

if TYPE_CHECKING:
    from collections.abc import Iterable


def watched(patterns: Iterable[str | os.PathLike[str]]) -> list[Ingredient]:
    """An Ingredient for each path or glob: what is in the files and directories, or that nothing is there."""
    return [_watched(os.fspath(pattern)) for pattern in patterns]


def _watched(pattern: str) -> Ingredient:
    paths = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]
    hasher = Hasher("files")
    root = os.path.dirname(pattern)
    for path in paths:
        if len(paths) > 1:
            hasher.field(os.path.relpath(path, root or ".").encode())
        hasher.field(_content(Path(path)).encode())
    there = [path for path in paths if os.path.exists(path)]
    nbytes = sum(os.path.getsize(path) for path in there)
    preview = f"{len(there)} file{'' if len(there) == 1 else 's'}, {nbytes:,} bytes" if there else "not there"
    return Ingredient("file", pattern, hasher.hexdigest(), preview)


def _content(path: Path) -> Digest:
    if path.is_dir():
        hasher = Hasher("directory")
        for child in sorted(path.rglob("*")):
            hasher.field(str(child.relative_to(path)).encode())
            hasher.field(_content(child).encode() if child.is_file() else b"")
        return hasher.hexdigest()
    status = Status.of(str(path))
    return digest("absent") if status is None else content(str(path), status)


def pinned(packages: Iterable[str]) -> list[Ingredient]:
    """An Ingredient for the installed version of each package; UsageError for one that isn't installed."""
    found = []
    for name in packages:
        import importlib.metadata  # it takes as long as the rest of a first hit, and few pin anything

        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            raise UsageError(f"can't pin {name!r}: no package of this name is installed") from None
        found.append(Ingredient("package", name, digest("package", name.encode(), version.encode()), version))
    return found
