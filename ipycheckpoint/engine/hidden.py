"""Hidden state: what a run may change inside functions, classes and modules, where no hit could change it again.

A counter in a closure, an attribute of a function or class, a global of a local module: they are inputs, so a change
of them is seen by the next run; but one that this run makes can't be repeated, so its result is not kept.
"""

from __future__ import annotations

from enum import EnumMeta
from functools import _lru_cache_wrapper
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.errors import Unidentifiable
from ipycheckpoint.identity import code
from ipycheckpoint.identity.closure import is_users_class, is_users_function, unwrap
from ipycheckpoint.identity.ownership import is_users
from ipycheckpoint.identity.values import digest_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipycheckpoint.digest import Digest

_MOST = 1000


_PLAIN = (type(None), bool, int, float, complex, str, bytes)


class _Seen(NamedTuple):
    value: object
    digest: Digest | None = None

    def is_as(self, other: _Seen) -> bool:
        if self.value is other.value:
            return self.digest == other.digest
        return type(self.value) is type(other.value) and isinstance(self.value, _PLAIN) and self.value == other.value


_NOTHING = _Seen(object())


class HiddenState:
    """The state of functions, classes and modules of the user's, as it was when this was made."""

    def __init__(self, roots: Iterable[tuple[str, object]]) -> None:
        self._holders: dict[int, tuple[str, object]] = {}
        pending = [(name, unwrap(value)) for name, value in roots]
        while pending and len(self._holders) < _MOST:
            name, value = pending.pop()
            if isinstance(value, MethodType):
                value = value.__func__
            if id(value) not in self._holders and _holds_state(value):
                self._holders[id(value)] = (name, value)
                pending += _reached(value)
        self._before = {place: _parts(value) for place, (_, value) in self._holders.items()}

    def changed(self) -> str | None:
        """The path to something that is not what it was; None if all is."""
        for place, (name, value) in self._holders.items():
            before, after = self._before[place], _parts(value)
            for step in sorted(before.keys() | after.keys()):
                if not before.get(step, _NOTHING).is_as(after.get(step, _NOTHING)):
                    return f"{name}.{step}"
        return None


def _holds_state(value: object) -> bool:
    if isinstance(value, ModuleType):
        return is_users(value.__name__) and value.__name__ != "__main__"
    return is_users_function(value) or is_users_class(value) or isinstance(value, _lru_cache_wrapper)


def _reached(value: Any) -> list[tuple[str, object]]:
    if isinstance(value, FunctionType):
        names = {reference.name for reference in code.of_function(value).references}
        found = [(name, value.__globals__[name]) for name in sorted(names) if name in value.__globals__]
        return [(name, unwrap(item)) for name, item in (*found, *_cells(value).items())]
    if isinstance(value, type):
        return [(base.__name__, base) for base in value.__bases__]
    return []


def _cells(function: FunctionType) -> dict[str, object]:
    held = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            held[name] = cell.cell_contents
        except ValueError:  # not bound yet
            held[name] = _NOTHING
    return held


def _parts(value: Any) -> dict[str, _Seen]:
    held = {**_cells(value), **vars(value)} if isinstance(value, FunctionType) else dict(vars(value))
    # Data that functions reach is an input of its own, whose changes are kept; that of classes and of defaults is not.
    look = _look_into if isinstance(value, type) else _Seen
    parts = {name: look(part) for name, part in held.items() if not (name.startswith("__") and name.endswith("__"))}
    parts |= {name: _look_into(part) for name, part in _defaults(value).items()}
    if isinstance(value, EnumMeta):
        # They go by name, so what anyone sets on them is nowhere else.
        members: dict[str, Any] = dict(value.__members__)
        parts |= {f"{name}.{key}": _Seen(part) for name in members for key, part in vars(members[name]).items()}
    return parts


def _defaults(value: Any) -> dict[str, object]:
    if not isinstance(value, FunctionType):
        return {}
    code = value.__code__
    names = code.co_varnames[: code.co_argcount]
    defaults = value.__defaults__ or ()
    return {**dict(zip(names[len(names) - len(defaults) :], defaults, strict=True)), **(value.__kwdefaults__ or {})}


def _look_into(part: object) -> _Seen:
    if isinstance(part, list | dict | set | bytearray):
        try:
            return _Seen(part, digest_value(part))
        except Unidentifiable:
            return _Seen(part)
    return _Seen(part)
