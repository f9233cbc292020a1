"""A cache with a little of everything, and the panel's eyes on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ipycheckpoint import workspace
from ipycheckpoint.digest import digest
from ipycheckpoint.identity.identity import Identity, Ingredient
from ipycheckpoint.surfaces.panel.model import view
from ipycheckpoint.surfaces.panel.state import State
from tests.contracts.cache_contract import draft

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipycheckpoint.cache.cache import Cache


def identity(label: str, code: str, **arguments: object) -> Identity:
    """What a call of `label` would be."""
    given = [Ingredient("argument", name, digest("x", repr(v).encode()), repr(v)) for name, v in arguments.items()]
    return Identity("call", label, (Ingredient("code", label, digest("c", code.encode()), source=code), *given))


def keep(cache: Cache, label: str, value: object = 1, code: str = "def f(): ...", **arguments: object) -> str:
    """Keep `value`; its Key."""
    return cache.save(draft(identity(label, code, **arguments), value)).key


@pytest.fixture
def cache(tmp_path) -> Iterator[Cache]:
    with workspace.using(workspace.Workspace({"IPYCHECKPOINT_DIR": str(tmp_path / "cache")})) as here:
        yield here.cache()
        here.close()


def seen(cache: Cache, state: State | None = None, **more: object) -> dict[str, object]:
    return view(cache, state or State(), **more)
