"""Sightings: what code was seen to reach, and whether it still reaches the very same, told in microseconds.

To identify a call, all that its code reaches is digested. Most of that can't have changed while each name still leads
to the very object that it led to: functions as long as they have their code, and whatever can't change at all. Only
the rest, such as lists and arrays, is digested again.
"""

from __future__ import annotations

import gc
from operator import attrgetter, is_, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ipycheckpoint.errors import Unidentifiable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CellType, FunctionType

    from ipycheckpoint.digest import Digest

    Digesting = Callable[[str, object], Digest]

_MISSING = object()
_ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes, type(...)))
_LARGE_NBYTES = 1 << 20  # what is held here stays in memory, also when the user has let go of it
_DEEPEST = 5


class Holder(Protocol):
    """A namespace, or what can be asked as one."""

    def get(self, key: str, default: object, /) -> object:
        """What has this name now, or `default`."""
        ...


class Variable:
    """The variable of an enclosing function, asked as a namespace that has no other name."""

    __slots__ = ("_cell",)

    def __init__(self, cell: CellType) -> None:
        self._cell = cell

    def get(self, _: str, default: object, /) -> object:
        """What the variable is bound to now, or `default`."""
        try:
            return self._cell.cell_contents
        except ValueError:
            return default


class Attributes:
    """The attributes of an object, asked as a namespace: its own dict may be replaced."""

    __slots__ = ("_owner",)

    def __init__(self, owner: object) -> None:
        self._owner = owner

    def get(self, key: str, default: object, /) -> object:
        """What this attribute is now, or `default`."""
        return self._owner.__dict__.get(key, default)


class _Names(NamedTuple):
    """What was seen of one namespace, to be asked for at once, at the speed of C."""

    namespace: dict[str, object]
    get: Callable[[dict[str, object]], tuple[object, ...]]
    values: tuple[object, ...]
    missing: frozenset[str]


_ATTRIBUTES = attrgetter("__dict__")


class _Data(NamedTuple):
    holder: Holder
    key: str
    name: str
    digest: Digest


class _Referents:
    """All that functions refer to: code, defaults, name and the rest.

    The garbage collector is asked, since reading a function's code or defaults is an audit event, and who listens to
    those, as we do, makes it several times as slow.
    """

    __slots__ = ("_functions", "_referents")

    def __init__(self) -> None:
        self._functions: list[FunctionType] = []
        self._referents: list[object] = []

    def add(self, function: FunctionType, *parts: object) -> bool:
        """Take it as it is now; whether `parts`, those that aren't None, can be seen there."""
        function.__dict__  # noqa: B018 - it is made when it is first asked for, and is a referent from then on
        found = gc.get_referents(function)
        self._functions.append(function)
        self._referents += found
        return {id(part) for part in parts if part is not None} <= set(map(id, found))

    def are_the_same(self) -> bool:
        """Whether each is the very object that it was."""
        if not self._functions:
            return True
        now = gc.get_referents(*self._functions)
        return len(now) == len(self._referents) and all(map(is_, now, self._referents))

    def are_equal(self) -> bool:
        """The same, several times as fast, of functions without defaults.

        Code that is equal does the same, a name is a text, and for all the rest it does not matter.
        """
        try:
            return gc.get_referents(*self._functions) == self._referents
        except Exception:  # noqa: BLE001 - attributes of functions may be anything, and say so when they are compared
            return False


class Sighting:
    """Made while code is followed, `settled` once that is done, and asked before each later call.

    >>> names = {"rate": 0.5, "other": 1}
    >>> sighting = Sighting()
    >>> sighting.same(names, "rate")
    >>> sighting.settle({}, lambda name, value: "")
    True
    >>> names["other"] = 2
    >>> sighting.holds()
    True
    >>> names["rate"] = 0.75
    >>> sighting.holds()
    False
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[int, str], tuple[Holder, str, object]] = {}
        self._same: list[tuple[Holder, str, object]] = []
        self._names: list[_Names] = []
        self._plain = _Referents()
        self._with_defaults = _Referents()
        self._bare: list[FunctionType] = []
        self._pending: list[tuple[Holder, str, str, object]] = []
        self._data: list[_Data] = []
        self._classes: list[tuple[type, str, Digest]] = []
        self._digesting: Digesting = _never
        self._is_certain = True

    def same(self, holder: Holder, key: str) -> None:
        """`key` must lead to the very object that it leads to now, or still to nothing."""
        self._seen[id(holder), key] = (holder, key, holder.get(key, _MISSING))

    def data(self, holder: Holder, key: str, name: str, place: object) -> None:
        """What `key` leads to is known to `settle` by its `place`, and called `name`."""
        value = holder.get(key, _MISSING)
        if is_frozen(value):
            self._seen[id(holder), key] = (holder, key, value)
        else:
            self._pending.append((holder, key, name, place))

    def function(self, function: FunctionType) -> None:
        """`function` must have its code, its defaults and its name."""
        code, defaults, by_keyword = function.__code__, function.__defaults__, function.__kwdefaults__
        has_defaults = defaults is not None or by_keyword is not None
        if not (self._with_defaults if has_defaults else self._plain).add(function, code, defaults, by_keyword):
            self.doubt()
        if not is_frozen(defaults):
            self.doubt()
        if by_keyword is not None:
            for name, value in by_keyword.items():
                self.same(by_keyword, name)
                if not is_frozen(value):
                    self.doubt()

    def cls(self, cls: type, name: str, digest: Digest) -> None:
        """The class `cls`, called `name`, must have its Digest."""
        self._classes.append((cls, name, digest))

    def bare(self, function: FunctionType | None) -> None:
        """`function` must have no attributes; None stands for one that surely has some."""
        if function is None or function.__dict__:
            self.doubt()
        else:
            self._bare.append(function)

    def doubt(self) -> None:
        """Something was reached of which nobody can tell in short whether it is the same."""
        self._is_certain = False

    def settle(self, digests: Mapping[object, Digest], digesting: Digesting) -> bool:
        """Take the Digests of data by their places, and how to make them; whether it can ever hold."""
        self._digesting = digesting
        for holder, key, name, place in self._pending:
            digest = digests.get(place)
            if digest is not None:  # else the user said that it doesn't count
                self._data.append(_Data(holder, key, name, digest))
        self._pending.clear()
        self._sort_out()
        return self._is_certain

    def _sort_out(self) -> None:
        """Put together what was seen of one namespace."""
        names: dict[int, tuple[dict[str, object], dict[str, object]]] = {}
        for (place, key), (holder, _, value) in self._seen.items():
            if type(holder) is dict:
                names.setdefault(place, (holder, {}))[1][key] = value
            else:
                self._same.append((holder, key, value))
        for namespace, seen in names.values():
            missing = frozenset(key for key, value in seen.items() if value is _MISSING)
            there = {key: value for key, value in seen.items() if key not in missing}
            if len(there) > 1:
                self._names.append(_Names(namespace, itemgetter(*there), tuple(there.values()), missing))
            else:  # of a single name, `itemgetter` gives no tuple
                self._same += ((namespace, key, value) for key, value in seen.items())

    @property
    def is_of_objects(self) -> bool:
        """Whether each name leads to the very same object as long as it holds, and not to one that is equal."""
        return not self._data

    def holds(self) -> bool:
        """Whether all is as it was seen."""
        try:
            for namespace, get, values, missing in self._names:
                if not all(map(is_, get(namespace), values)) or not namespace.keys().isdisjoint(missing):
                    return False
        except KeyError:
            return False
        for holder, key, value in self._same:
            if holder.get(key, _MISSING) is not value:
                return False
        if not self._plain.are_equal() or not self._with_defaults.are_the_same() or any(map(_ATTRIBUTES, self._bare)):
            return False
        return not (self._data or self._classes) or self._holds_by_digest()

    def _holds_by_digest(self) -> bool:
        try:
            return all(
                self._digesting(name, holder.get(key, _MISSING)) == digest for holder, key, name, digest in self._data
            ) and all(self._digesting(name, cls) == digest for cls, name, digest in self._classes)
        except Unidentifiable:
            return False


def is_frozen(value: Any, depth: int = 0) -> bool:
    """Whether nothing about `value` can change, and it may well be held on to.

    >>> is_frozen((1, "a")), is_frozen([1]), is_frozen(([1],))
    (True, False, False)
    """
    kind = type(value)
    if kind in (str, bytes):
        return len(value) < _LARGE_NBYTES
    if kind is tuple or kind is frozenset:
        return depth < _DEEPEST and len(value) < 100 and all(is_frozen(item, depth + 1) for item in value)
    return kind in _ATOMS or value is _MISSING


def _never(_name: str, _value: object) -> Digest:
    raise AssertionError("a sighting must be settled first")
