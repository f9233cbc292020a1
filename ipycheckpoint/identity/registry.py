"""Which Shape goes with which type: a table keyed by type *name*, so that nothing is imported to fill it."""

from __future__ import annotations

import functools
import importlib
import sys
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from ipycheckpoint.errors import UsageError
from ipycheckpoint.identity.shapes import Refusal, Shape, Shaper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_S = TypeVar("_S", bound=Shaper)
_E = TypeVar("_E")

PLAIN_TYPES = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict})
"""Values made of these, exactly, take a path of their own, at the speed of the C pickler."""

_CLOSED = PLAIN_TYPES | {set, frozenset}
_CLOSED_NAMES = {kind.__name__: kind for kind in _CLOSED} | {f"builtins.{kind.__name__}": kind for kind in _CLOSED}


def qualified(kind: type) -> str:
    """The full name of a class.

    >>> qualified(dict)
    'builtins.dict'
    """
    return f"{kind.__module__}.{kind.__qualname__}"


_Users = dict[str | type, "Callable[[Any], object]"]


class Registry:
    """Finds the Shaper of a type: the user's own first, then ``__fingerprint__``, then the built-in kinds."""

    def __init__(self, users: Mapping[str | type, Callable[[Any], object]] | None = None) -> None:
        self._users: _Users = {}
        self._later: tuple[_Users, ...] = ()
        self._exact: dict[str, Shaper] = {}
        self._kinds: dict[str, Shaper] = {}
        self._fallback: Shaper = _no_shape
        # By the ids of types, and with weak references that forget them: what a notebook defines is not held alive.
        self._cache: dict[int, Shaper] = {}
        self._alive: dict[int, weakref.ref[type]] = {}
        for kind, function in (users or {}).items():
            self.register(kind, function)

    def register(self, kind: str | type, function: Callable[[Any], object]) -> None:
        """Let `function` stand for values of `kind` and of its subclasses.

        Raises UsageError for plain types such as ``list`` and ``int``.
        """
        if (_CLOSED_NAMES.get(kind) if isinstance(kind, str) else kind) in _CLOSED:
            raise UsageError(f"{kind!r} can't have a fingerprint of its own: register the type that holds it")
        self._users.pop(kind, None)  # the last one is to be the last in order, too
        self._users[kind] = function
        self._cache.clear()

    def shape(self, names: tuple[str, ...], shaper: Shaper, *, subclasses: bool) -> None:
        """Let `shaper` give the Shape of the types of these names, and of their `subclasses` or not."""
        (self._kinds if subclasses else self._exact).update(dict.fromkeys(names, shaper))
        self._cache.clear()

    def fallback(self, shaper: Shaper) -> None:
        """Let `shaper` give the Shape of everything else."""
        self._fallback = shaper
        self._cache.clear()

    def overlaid(self, users: Mapping[str | type, Callable[[Any], object]]) -> Registry:
        """This registry with `users` before all others; nothing is changed here."""
        _load_families()
        registry = Registry(users)
        registry._later = (*self._later, self._users)
        registry._exact, registry._kinds, registry._fallback = self._exact, self._kinds, self._fallback
        return registry

    def shaper(self, kind: type) -> Shaper:
        """The Shaper of the values of exactly this type."""
        found = self._cache.get(id(kind))
        if found is None:
            self._cache[id(kind)] = found = self._find(kind)
            self._alive[id(kind)] = weakref.ref(kind, functools.partial(self._forget, id(kind)))
        return found

    def _forget(self, place: int, _: object) -> None:
        self._cache.pop(place, None)
        self._alive.pop(place, None)

    def _find(self, kind: type) -> Shaper:
        _load_families()
        for users in (self._users, *self._later):
            function = nearest(kind.__mro__, users)
            if function is not None:
                return _standing_for(function)
        own = getattr(kind, "__fingerprint__", None)
        if callable(own):
            return _standing_for(own)
        return nearest((kind,), self._exact) or nearest(kind.__mro__, self._kinds) or self._fallback


_FAMILIES = (
    "classes", "closure", "kinds.arrays", "kinds.arrow", "kinds.basics", "kinds.frames", "kinds.images", "kinds.models",
    "kinds.objects", "kinds.plain", "kinds.polars", "kinds.refused", "kinds.sparse", "kinds.tensors",
)  # fmt: skip


@functools.cache
def _load_families() -> None:
    """Import what registers the built-in kinds: numbers and texts need none of it."""
    for family in _FAMILIES:
        importlib.import_module(f"{__package__}.{family}")


def nearest(kinds: tuple[type, ...], table: Mapping[Any, _E]) -> _E | None:
    """The entry of the first of `kinds` that the table names, by the class, by its full name, or by another."""
    aliases = {key if isinstance(key, type) else _resolve(key): entry for key, entry in table.items()}
    for kind in kinds:
        entry = aliases.get(kind) or table.get(qualified(kind))
        if entry is not None:
            return entry
    return None


def _resolve(name: str) -> type | None:
    """The class that goes by this name in the modules that are loaded: ``pandas.DataFrame``, wherever it is defined."""
    steps = name.split(".")
    for length in range(len(steps) - 1, 0, -1):
        module = sys.modules.get(".".join(steps[:length]))
        if module is not None:
            # By `vars`, since the `__getattr__` of a lazy package would import what we ask for.
            found: Any = vars(module).get(steps[length])
            for step in steps[length + 1 :]:
                found = vars(found).get(step) if isinstance(found, type) else None
            return found if isinstance(found, type) else None
    return None


def _standing_for(function: Callable[[Any], object]) -> Shaper:
    """The Shaper of values that `function` replaces by something simpler.

    The class is a part: a method of it that is edited must be seen, as for any other instance.
    """

    def shaper(value: Any) -> Shape | Refusal:
        try:
            simpler = function(value)
        except Exception as error:  # noqa: BLE001 - the user's function may raise anything
            return Refusal(f"its fingerprint function raised {type(error).__name__}: {error}")
        if simpler is value:
            return Refusal("its fingerprint function returned the value itself: return something simpler")
        return Shape("fingerprint", (), (type(value), simpler), lambda index: "" if index else ".__class__")

    return shaper


def _no_shape(_: Any) -> Refusal:
    return Refusal("nothing is known of its type")


builtin_registry = Registry()
"""The registry of this process."""


def shapes_of(*names: str, subclasses: bool = True) -> Callable[[_S], _S]:
    """Register a Shaper for the types of these names, and for their subclasses if it says so."""

    def register(shaper: _S) -> _S:
        builtin_registry.shape(names, shaper, subclasses=subclasses)
        return shaper

    return register
