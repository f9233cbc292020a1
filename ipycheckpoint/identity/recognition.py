"""Recognition: the Key of a call in microseconds, as long as its function reaches the very things that it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ipycheckpoint.identity.calls import bind_function
from ipycheckpoint.identity.identity import Key, hasher_of
from ipycheckpoint.identity.values import digest_value
from ipycheckpoint.identity.work import IGNORED, tag_ingredients

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import FunctionType

    from ipycheckpoint.digest import Hasher
    from ipycheckpoint.identity.identity import Identity
    from ipycheckpoint.identity.sighting import Sighting

_MOST_KEYS = 1000
_LONGEST = 1000
_TEXTS = frozenset((str, bytes))
_KINDS = _TEXTS | {int, bool, float, type(None)}

_Signature = tuple[object, ...]


@dataclass(slots=True)
class _Known:
    function: FunctionType
    sighting: Sighting
    code: Hasher
    """Fed with all Ingredients but the arguments and tags."""
    keys: dict[_Signature, Key] = field(default_factory=dict)


class Recognizer:
    """Learns from each call of one function that is identified in full. `ignored` are parameters that don't count.

    A call is recognized where its arguments are numbers or short texts; others take longer to digest than all the rest.
    """

    def __init__(self, ignored: frozenset[str] = frozenset()) -> None:
        self._ignored = ignored
        self._known: _Known | None = None

    def learn(self, function: FunctionType, sighting: Sighting | None, code: Identity) -> None:
        """Remember what `function` was seen to reach, if that can be asked, and the Ingredients `code` of that."""
        self._known = None if sighting is None else _Known(function, sighting, hasher_of(code.kind, code.ingredients))

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
        key = known.keys.get(signature)
        if key is None and not _are_long(args) and not _are_long(kwargs.values()):
            key = self._digested(known, args, kwargs, tags)
            if key is not None:
                if len(known.keys) >= _MOST_KEYS:
                    known.keys.clear()
                known.keys[signature] = key
        return key

    def _digested(
        self, known: _Known, args: tuple[Any, ...], kwargs: Mapping[str, Any], tags: Sequence[tuple[str, str]]
    ) -> Key | None:
        bound = bind_function(known.function, args, kwargs)
        if bound is None:
            return None  # the call itself says what is wrong
        hasher = known.code.copy()
        for name, value in bound:
            found = IGNORED if name in self._ignored else digest_value(value, name)
            hasher.field(b"argument").field(bytes.fromhex(found))
        for tag in tag_ingredients(tags):
            hasher.field(tag.kind.encode()).field(bytes.fromhex(tag.digest))
        return Key(hasher.hexdigest())


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
