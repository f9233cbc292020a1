"""Checkpoints for notebooks: a slow cell or function never runs twice for the same inputs.

>>> import tempfile
>>> @checkpoint(store=tempfile.mkdtemp())
... def slow(x):
...     return x**2
>>> slow(12)
144
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ipycheckpoint.__about__ import __version__

if TYPE_CHECKING:
    from ipycheckpoint.digest import Digest as Digest
    from ipycheckpoint.errors import CannotKeep as CannotKeep
    from ipycheckpoint.errors import CheckpointError as CheckpointError
    from ipycheckpoint.errors import CheckpointWarning as CheckpointWarning
    from ipycheckpoint.errors import Unidentifiable as Unidentifiable
    from ipycheckpoint.errors import UsageError as UsageError
    from ipycheckpoint.identity.explain import Explanation as Explanation
    from ipycheckpoint.identity.identity import Identity as Identity
    from ipycheckpoint.identity.identity import Ingredient as Ingredient
    from ipycheckpoint.identity.identity import Key as Key
    from ipycheckpoint.identity.values import fingerprint as fingerprint
    from ipycheckpoint.record.record import Header as Header
    from ipycheckpoint.surfaces.decorator import CheckpointedFunction as CheckpointedFunction
    from ipycheckpoint.surfaces.decorator import checkpoint as checkpoint
    from ipycheckpoint.workspace import tags as tags

# Where each public name lives. They are imported when first asked for, so that importing this costs next to nothing.
_HOMES = {
    "CannotKeep": "errors",
    "CheckpointError": "errors",
    "CheckpointWarning": "errors",
    "CheckpointedFunction": "surfaces.decorator",
    "Digest": "digest",
    "Explanation": "identity.explain",
    "Header": "record.record",
    "Identity": "identity.identity",
    "Ingredient": "identity.identity",
    "Key": "identity.identity",
    "Unidentifiable": "errors",
    "UsageError": "errors",
    "checkpoint": "surfaces.decorator",
    "fingerprint": "identity.values",
    "tags": "workspace",
}

__all__ = [
    "CannotKeep",
    "CheckpointError",
    "CheckpointWarning",
    "CheckpointedFunction",
    "Digest",
    "Explanation",
    "Header",
    "Identity",
    "Ingredient",
    "Key",
    "Unidentifiable",
    "UsageError",
    "__version__",
    "checkpoint",
    "fingerprint",
    "load_ipython_extension",
    "tags",
    "unload_ipython_extension",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(ipython: Any) -> None:
    """Called by ``%load_ext ipycheckpoint``."""
    from ipycheckpoint.surfaces.magic import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Called by ``%unload_ext ipycheckpoint``."""
    from ipycheckpoint.surfaces.magic import unload

    unload(ipython)
