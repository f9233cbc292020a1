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
    from ipycheckpoint.cache.base import CacheBase as CacheBase
    from ipycheckpoint.cache.base import ContextId as ContextId
    from ipycheckpoint.cache.base import ReturnValue as ReturnValue
    from ipycheckpoint.cache.index import Index as Index
    from ipycheckpoint.cache.index import index as index
    from ipycheckpoint.cache.lru import InMemoryLRUCache as InMemoryLRUCache
    from ipycheckpoint.cache.opened import Record as Record
    from ipycheckpoint.digest import Digest as Digest
    from ipycheckpoint.engine.savepoints.handlers import DictHandler as DictHandler
    from ipycheckpoint.engine.savepoints.handlers import FileHandler as FileHandler
    from ipycheckpoint.engine.savepoints.handlers import Handler as Handler
    from ipycheckpoint.errors import CannotKeep as CannotKeep
    from ipycheckpoint.errors import CheckpointError as CheckpointError
    from ipycheckpoint.errors import CheckpointFailedError as CheckpointFailedError
    from ipycheckpoint.errors import CheckpointFailedWarning as CheckpointFailedWarning
    from ipycheckpoint.errors import CheckpointNotExist as CheckpointNotExist
    from ipycheckpoint.errors import CheckpointWarning as CheckpointWarning
    from ipycheckpoint.errors import ExpensiveOverheadWarning as ExpensiveOverheadWarning
    from ipycheckpoint.errors import Unidentifiable as Unidentifiable
    from ipycheckpoint.errors import UsageError as UsageError
    from ipycheckpoint.identity.context import FuncCallContext as FuncCallContext
    from ipycheckpoint.identity.explain import Explanation as Explanation
    from ipycheckpoint.identity.identifier import AutoFuncCallIdentifier as AutoFuncCallIdentifier
    from ipycheckpoint.identity.identifier import FuncCallIdentifierBase as FuncCallIdentifierBase
    from ipycheckpoint.identity.identity import Identity as Identity
    from ipycheckpoint.identity.identity import Ingredient as Ingredient
    from ipycheckpoint.identity.identity import Key as Key
    from ipycheckpoint.identity.values import fingerprint as fingerprint
    from ipycheckpoint.record.failure import LoadFailure as LoadFailure
    from ipycheckpoint.record.record import Header as Header
    from ipycheckpoint.surfaces.decorator import DecoratorCheckpoint as DecoratorCheckpoint
    from ipycheckpoint.surfaces.decorator import checkpoint as checkpoint
    from ipycheckpoint.surfaces.defaults import defaults as defaults
    from ipycheckpoint.surfaces.files import load as load
    from ipycheckpoint.surfaces.files import read as read
    from ipycheckpoint.surfaces.files import save as save
    from ipycheckpoint.surfaces.files import trust as trust
    from ipycheckpoint.surfaces.files import upgrade as upgrade
    from ipycheckpoint.surfaces.function import CheckpointedFunction as CheckpointedFunction
    from ipycheckpoint.surfaces.panel import panel as panel
    from ipycheckpoint.surfaces.picklefile import PickleFileCache as PickleFileCache
    from ipycheckpoint.surfaces.savepoints import Session as Session
    from ipycheckpoint.surfaces.savepoints import available as available
    from ipycheckpoint.surfaces.savepoints import config as config
    from ipycheckpoint.surfaces.savepoints import deprecate as deprecate
    from ipycheckpoint.surfaces.savepoints import deprecated as deprecated
    from ipycheckpoint.surfaces.savepoints import enabled as enabled
    from ipycheckpoint.surfaces.savepoints import register as register
    from ipycheckpoint.surfaces.savepoints import savepoint as savepoint
    from ipycheckpoint.surfaces.sending import flush as flush
    from ipycheckpoint.tagging import carrying_tags as carrying_tags
    from ipycheckpoint.tagging import tags as tags

# Where each public name lives. They are imported when first asked for, so that importing this costs next to nothing.
_HOMES = {
    "AutoFuncCallIdentifier": "identity.identifier",
    "CacheBase": "cache.base",
    "CannotKeep": "errors",
    "CheckpointError": "errors",
    "CheckpointFailedError": "errors",
    "CheckpointFailedWarning": "errors",
    "CheckpointNotExist": "errors",
    "CheckpointWarning": "errors",
    "CheckpointedFunction": "surfaces.function",
    "ContextId": "cache.base",
    "DecoratorCheckpoint": "surfaces.decorator",
    "DictHandler": "engine.savepoints.handlers",
    "Digest": "digest",
    "ExpensiveOverheadWarning": "errors",
    "Explanation": "identity.explain",
    "FileHandler": "engine.savepoints.handlers",
    "FuncCallContext": "identity.context",
    "FuncCallIdentifierBase": "identity.identifier",
    "Handler": "engine.savepoints.handlers",
    "Header": "record.record",
    "Identity": "identity.identity",
    "InMemoryLRUCache": "cache.lru",
    "Index": "cache.index",
    "Ingredient": "identity.identity",
    "Key": "identity.identity",
    "LoadFailure": "record.failure",
    "PickleFileCache": "surfaces.picklefile",
    "Record": "cache.opened",
    "ReturnValue": "cache.base",
    "Session": "surfaces.savepoints",
    "Unidentifiable": "errors",
    "UsageError": "errors",
    "available": "surfaces.savepoints",
    "carrying_tags": "tagging",
    "checkpoint": "surfaces.decorator",
    "config": "surfaces.savepoints",
    "defaults": "surfaces.defaults",
    "deprecate": "surfaces.savepoints",
    "deprecated": "surfaces.savepoints",
    "enabled": "surfaces.savepoints",
    "fingerprint": "identity.values",
    "flush": "surfaces.sending",
    "index": "cache.index",
    "load": "surfaces.files",
    "panel": "surfaces.panel",
    "read": "surfaces.files",
    "register": "surfaces.savepoints",
    "save": "surfaces.files",
    "savepoint": "surfaces.savepoints",
    "tags": "tagging",
    "trust": "surfaces.files",
    "upgrade": "surfaces.files",
}

__all__ = [
    "AutoFuncCallIdentifier",
    "CacheBase",
    "CannotKeep",
    "CheckpointError",
    "CheckpointFailedError",
    "CheckpointFailedWarning",
    "CheckpointNotExist",
    "CheckpointWarning",
    "CheckpointedFunction",
    "ContextId",
    "DecoratorCheckpoint",
    "DictHandler",
    "Digest",
    "ExpensiveOverheadWarning",
    "Explanation",
    "FileHandler",
    "FuncCallContext",
    "FuncCallIdentifierBase",
    "Handler",
    "Header",
    "Identity",
    "InMemoryLRUCache",
    "Index",
    "Ingredient",
    "Key",
    "LoadFailure",
    "PickleFileCache",
    "Record",
    "ReturnValue",
    "Session",
    "Unidentifiable",
    "UsageError",
    "__version__",
    "available",
    "carrying_tags",
    "checkpoint",
    "config",
    "defaults",
    "deprecate",
    "deprecated",
    "enabled",
    "fingerprint",
    "flush",
    "index",
    "load",
    "load_ipython_extension",
    "panel",
    "read",
    "register",
    "save",
    "savepoint",
    "tags",
    "trust",
    "unload_ipython_extension",
    "upgrade",
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
