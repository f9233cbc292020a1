"""By name or by value? How a stream speaks of functions and classes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ipycheckpoint.record import known, rebuild

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipycheckpoint.digest import Digest

_NOTHING = object()


class References:
    """Decides which functions and classes a stream refers to by name: those that the reader will find there.

    `by_value` is asked about what ``__main__`` defines, and says whether the stream must bring it along;
    `namespace` is where those names live, if not in ``__main__`` itself. With `recognised`, the reader is told how to
    recognise a class that it gets by value.
    """

    def __init__(
        self,
        by_value: Callable[[object], bool] | None,
        namespace: Mapping[str, object] | None,
        *,
        recognised: bool = False,
    ) -> None:
        self._by_value = by_value
        self._namespace = namespace
        self._recognised = recognised
        self._brought: dict[int, object] = {}

    def bring(self, thing: object) -> None:
        """From now on `thing` goes by value: it is part of something that does."""
        self._brought[id(thing)] = thing

    def definition_of(self, cls: type) -> Digest | None:
        """By what the reader will know `cls`, if it has such a class already; None where it needn't look."""
        if not self._recognised or cls.__module__ != "__main__" or self._in_main(cls.__qualname__) is not cls:
            return None
        return known.definition_of(cls)

    def is_brought(self, thing: object) -> bool:
        """Whether `thing` went by value."""
        return id(thing) in self._brought

    def by_name(self, thing: Any) -> Any:
        """The reduction of a `thing` that goes by name; None for one that goes by value, which is noted."""
        if id(thing) in self._brought:
            return None
        module, qualname = getattr(thing, "__module__", None), _qualname(thing)
        if module == "__main__":
            if self._by_value is not None and not self._by_value(thing) and self._in_main(qualname) is thing:
                return rebuild.main_v1, (qualname,)
        elif isinstance(module, str) and _look_up(_module_vars(module), qualname) is thing:
            return NotImplemented  # pickle's own way: module and qualified name
        self.bring(thing)
        return None

    def place_of(self, namespace: dict[str, Any]) -> str | None:
        """The name of the module whose globals `namespace` is; None if it is no module's."""
        if namespace is self._namespace:
            return "__main__"
        name = namespace.get("__name__")
        if isinstance(name, str) and (name == "__main__" or _module_vars(name) is namespace):
            return name
        return None

    def _in_main(self, qualname: str | None) -> object:
        for place in (self._namespace, vars(sys.modules["__main__"])):
            if place is not None and (found := _look_up(place, qualname)) is not _NOTHING:
                return found
        return _NOTHING


def _qualname(thing: Any) -> str | None:
    # A TypeVar has no qualified name.
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    return name if isinstance(name, str) else None


def _module_vars(name: str) -> Mapping[str, object] | None:
    return getattr(sys.modules.get(name), "__dict__", None)


def _look_up(place: Mapping[str, object] | None, qualname: str | None) -> object:
    if place is None or not isinstance(qualname, str) or "<" in qualname:
        return _NOTHING
    first, *rest = qualname.split(".")
    found = place.get(first, _NOTHING)
    for name in rest:
        found = getattr(found, name, _NOTHING)
    return found
