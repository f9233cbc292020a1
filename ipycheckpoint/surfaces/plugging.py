"""What users plug in: which cache and which identifier are meant, and whether something can be one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ipycheckpoint import workspace
from ipycheckpoint.cache.base import CacheBase
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.errors import CheckpointFailedError, UsageError
from ipycheckpoint.identity.identifier import AutoFuncCallIdentifier
from ipycheckpoint.progress import play_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ipycheckpoint.cache.base import Records
    from ipycheckpoint.identity.context import FuncCallContext
    from ipycheckpoint.identity.identifier import FuncCallIdentifierBase
    from ipycheckpoint.progress import Progress
    from ipycheckpoint.surfaces.picklefile import PickleFileCache


def _waiting() -> AbstractContextManager[Callable[[Progress], None]]:
    from ipycheckpoint.surfaces.waiting import waiting  # for who waits for what comes from afar

    return waiting()


play_to(_waiting)

Place = str | os.PathLike[str] | Cache | CacheBase[Any, Any]
"""Where results may live: a directory, a Cache of ours, or a cache of the user's."""


def records_at(place: Place | None, *, whole: bool = False, label: str = "") -> Records:
    """The Records at `place`, or the current ones.

    A cache of the user's is given whole records if they are to be `whole`; `label` is what its results are listed
    under where nothing else is known of them.
    """
    found = _found(place)
    if isinstance(found, Cache):
        return found
    from ipycheckpoint.cache.plugged import Plug

    whole = whole or bool(getattr(found, "keeps_records", False))
    return Plug(found, whole=whole, label=label, news=workspace.current().news)


def listing_at(place: Place | None = None) -> Cache:
    """What is known of all that is kept at `place`, or at the current one."""
    found = _found(place)
    if isinstance(found, Cache):
        return found
    from ipycheckpoint.cache.plugged import PluggedCache

    return PluggedCache.of(found, workspace.current().news).look_around()


def _found(place: Place | None) -> Cache | CacheBase[Any, Any]:
    here = workspace.current()
    if place is None:
        place = here.plugged
        if place is None:
            return here.cache()
    if isinstance(place, (str, os.PathLike, Cache)):
        return here.cache(place)
    ours = _ours_in_disguise(place)
    return place if ours is None else ours.records


def _ours_in_disguise(place: CacheBase[Any, Any]) -> PickleFileCache | None:
    from ipycheckpoint.surfaces.picklefile import PickleFileCache

    return place if isinstance(place, PickleFileCache) and place.does_as_made else None


def identifies_as_we_do(identifier: object) -> bool:
    """Whether `identifier` is ours, and no subclass that does otherwise."""
    return getattr(type(identifier), "identify", None) is AutoFuncCallIdentifier.identify


def ask(identifier: Any, context: FuncCallContext) -> object:
    """The ContextId that `identifier` gives. Raises CheckpointFailedError when it fails."""
    try:
        return identifier.identify(context)
    except CheckpointFailedError:
        raise
    except Exception as fault:
        said = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
        raise CheckpointFailedError(f"{type(identifier).__name__}.identify raised {said}") from fault


def gives_results_alone(place: Place | None) -> bool:
    """Whether `place` is a cache of the user's that is given the results of functions, and nothing besides."""
    if place is None or isinstance(place, str | os.PathLike | Cache):
        return False
    if _ours_in_disguise(place) is not None:
        return False
    return not getattr(place, "keeps_records", False)


def check_place(place: Any, name: str) -> Place | None:
    """Return `place` if it can be a cache, or say where one is; UsageError naming `name` otherwise."""
    if place is None or isinstance(place, str | os.PathLike | Cache | CacheBase):
        return place
    if isinstance(place, type):
        raise UsageError(f"{name} is the class {place.__name__}; one of its objects is needed: {place.__name__}(…)")
    if hasattr(place, "identify"):
        raise UsageError(f"{name} is {type(place).__name__}, an identifier: the identifier comes first, then the cache")
    if isinstance(place, int | float | complex | bytes | tuple | list | set | dict):
        raise UsageError(f"{name} is {place!r}; a directory, or an object with methods save and retrieve, is needed")
    return place  # type: ignore[no-any-return]  # whether it has the methods shows when it is used


def check_identifier(identifier: Any, name: str) -> FuncCallIdentifierBase | None:
    """Return `identifier` if it can be one; UsageError naming `name` otherwise."""
    if isinstance(identifier, type):
        kind = identifier.__name__
        raise UsageError(f"{name} is the class {kind}; one of its objects is needed: {kind}(…)")
    if isinstance(identifier, str | os.PathLike | Cache | CacheBase | int | float | dict | list | tuple):
        raise UsageError(f"{name} is {identifier!r}; an object with a method identify(context) is needed")
    return identifier  # type: ignore[no-any-return]  # whether it has the method shows when it is used
