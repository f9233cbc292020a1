"""Recognition: the Key of a call in microseconds, as long as its function reaches the very things that it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.identity.calls import bind_function
from ipycheckpoint.identity.identity import Identity, Ingredient, Key, fed, hasher_of
from ipycheckpoint.identity.values import digest_value
from ipycheckpoint.identity.work import IGNORED, Work, ignored, tag_ingredients

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import FunctionType

    from ipycheckpoint.digest import Digest, Hasher
    from ipycheckpoint.identity.sighting import Sighting

_MOST_CALLS = 1000
_LONGEST = 1000
_TEXTS = frozenset((str, bytes))
_KINDS = _TEXTS | {int, bool, float, type(None)}

_Signature = tuple[object, ...]


class _Known:
    __slots__ = ("calls", "code", "function", "hasher", "sighting")

    def __init__(self, function: FunctionType, sighting: Sighting, hasher: Hasher, code: Work | None) -> None:
        self.function, self.sighting = function, sighting
        self.hasher = hasher
        """Fed with all Ingredients but the arguments and tags."""
        self.code = code
        """What has these, where all that it holds is held on to by the sighting as well."""
        self.calls: dict[_Signature, _Call] = {}


class _Call(NamedTuple):
    """A call that was digested."""

    bound: Sequence[tuple[str, object]]
    digests: Sequence[Digest]
    """Of the arguments."""
    tags: Sequence[Ingredient]
    key: Key


class Recognizer:
    """Learns from each call of one function that is identified in full. `ignored` are parameters that don't count.

    A call is recognized where its arguments are numbers or short texts; others take longer to digest than all the rest.
    """

    def __init__(self, ignored: frozenset[str] = frozenset()) -> None:
        self._ignored = ignored
        self._known: _Known | None = None

    def learn(self, function: FunctionType, sighting: Sighting | None, code: Work) -> None:
        """Remember what `function` was seen to reach, if that can be asked, and its `code`: a call's Work so far."""
        self._known = None
        if sighting is not None:
            hasher = hasher_of(code.identity.kind, code.identity.ingredients)
            self._known = _Known(function, sighting, hasher, code if sighting.is_of_objects else None)

    def code(self, function: object, label: str) -> Work | None:
        """What was learned of the code of `function`, called `label`, if it surely reaches the very same objects."""
        known = self._known
        if known is None or known.function is not function or known.code is None:
            return None
        return known.code if known.code.identity.label == label and known.sighting.holds() else None

    def key(
        self,
        function: FunctionType,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        tags: tuple[tuple[str, str], ...],
    ) -> Key | None:
        """The Key of a call, or None where it must be identified in full."""
        known = self._known
        if known is None or known.function is not function:
            return None
        signature = _signature(args, kwargs, tags)
        if signature is None or not known.sighting.holds():
            return None
        call = known.calls.get(signature)
        if call is None:
            bound = None if _are_long((*args, *kwargs.values())) else bind_function(function, args, kwargs)
            if bound is None:
                return None  # where the arguments don't fit, the call itself says what is wrong
            call = self._digested(known, bound, tags)
            if len(known.calls) >= _MOST_CALLS:
                known.calls.clear()
            known.calls[signature] = call
        return call.key

    def work(
        self,
        function: FunctionType,
        label: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        tags: tuple[tuple[str, str], ...],
    ) -> Work | None:
        """The Work of a call whose `key` was asked for, or None where it must be identified in full."""
        known, code = self._known, self.code(function, label)
        if known is None or code is None or known.code is not code:
            return None
        signature = _signature(args, kwargs, tags)
        call = None if signature is None else known.calls.get(signature)
        if call is None:
            return None
        ingredients, values = list(code.identity.ingredients), dict(code.values)
        for (name, value), found in zip(call.bound, call.digests, strict=True):
            if found == IGNORED:
                ingredients.append(ignored("argument", name))
            else:
                values[len(ingredients)] = value
                ingredients.append(Ingredient("argument", name, found))
        identity = Identity.of_key("call", label, (*ingredients, *call.tags), call.key)
        return Work(identity, values, code.digester, code.code)

    def _digested(self, known: _Known, bound: Sequence[tuple[str, object]], tags: Sequence[tuple[str, str]]) -> _Call:
        digests = [IGNORED if name in self._ignored else digest_value(value, name) for name, value in bound]
        hasher, last = known.hasher.copy(), tag_ingredients(tags) if tags else ()
        for found in digests:
            hasher.field(b"argument").field(bytes.fromhex(found))
        return _Call(bound, digests, last, Key(fed(hasher, last).hexdigest()))


def _signature(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], tags: tuple[tuple[str, str], ...]
) -> _Signature | None:
    """What tells calls apart in this process; None for arguments that aren't all numbers and texts."""
    values = (*args, *kwargs.values()) if kwargs else args
    kinds = tuple(map(type, values))
    if not _KINDS.issuperset(kinds):
        return None
    if float in kinds and any(type(value) is float and value == 0 for value in values):
        return None  # -0.0 == 0.0, but is another value
    return (kinds, values, tuple(kwargs), tags) if kwargs else (kinds, values, tags)


def _are_long(values: Iterable[Any]) -> bool:
    """Whether there is a text among `values` that is no short one."""
    return any(type(value) in _TEXTS and len(value) > _LONGEST for value in values)
