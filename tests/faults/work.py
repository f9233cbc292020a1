"""Records with values that tell whether they are whole, and what a Cache has of them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ipycheckpoint.cache.cache import Cache, Draft, Found, Spoiled
from ipycheckpoint.digest import digest
from ipycheckpoint.errors import CheckpointWarning
from ipycheckpoint.identity.identity import Identity, Ingredient, Key
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.record import Output
from ipycheckpoint.record.trust import Keyring

KEYRING = Keyring(secret=b"s" * 32)

SIZES = {"tiny": 3, "small": 2_000, "large": 30_000, "long": 1}
"""Floats: inside the stream, in a row, in a Blob of its own. A long one has a text besides, and is a file."""


def identity(name: str) -> Identity:
    source = f"def {name}(): ..."
    return Identity("call", f"work.{name}", (Ingredient("code", name, digest("x", name.encode()), source=source),))


def key_of(name: str) -> Key:
    return identity(name).key


def value_of(name: str, version: int = 0) -> dict[str, Any]:
    """What was computed for `name`, the size of which the name begins with."""
    size = name.partition("_")[0]
    seed = digest("value", name.encode(), str(version).encode())
    array = np.random.default_rng(int(seed[:8], 16)).random(SIZES[size])
    return {"name": name, "version": version, "array": array, "text": seed * 2_000 if size == "long" else seed}


def draft(name: str, version: int = 0) -> Draft:
    values = {"return": value_of(name, version)}
    return Draft(identity(name), (Output("return", "result"),), values, tuple(encode(values)), seconds=1.5)


def same(value: Any, name: str) -> bool:
    """Whether `value` is what was computed for `name`, of whatever version."""
    true = value_of(name, value["version"])
    return value["name"] == name and value["text"] == true["text"] and np.array_equal(value["array"], true["array"])


def version_in(cache: Cache, name: str) -> int | str | None:
    """Which version of `name` the Cache has; None where it has none, words where that can't be used.

    Raises AssertionError where a value isn't the one that was saved.
    """
    found = cache.find(key_of(name))
    if not isinstance(found, Found):
        return found.reason if isinstance(found, Spoiled) else None
    loaded = cache.load(found)
    if isinstance(loaded, LoadFailure):
        return str(loaded.exception)
    assert same(loaded["return"], name)
    return int(loaded["return"]["version"])  # type: ignore[index]


def opened(place: Path, **options: Any) -> Cache:
    return Cache.at(place, keyring=KEYRING, **options)


def content(place: Path, *names: str) -> dict[str, int | str | None]:
    """What a new process finds in the Cache at `place`, without a complaint."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        cache = opened(place)
        try:
            found = {name: version_in(cache, name) for name in names}
            # What was kept at the moment of a kill may not be listed before that.
            cache.catalogue.rebuild()
            assert {row.label for row in cache.rows()} >= {f"work.{n}" for n, v in found.items() if isinstance(v, int)}
            return found
        finally:
            cache.close()


def save_and_find(place: Path, name: str) -> None:
    """What another process does."""
    cache = opened(place)
    cache.save(draft(name))
    assert version_in(cache, name) == 0
    cache.close()
