"""Which outputs share objects, as their picklers saw it."""

from __future__ import annotations

import sys
import types
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipycheckpoint.record.references import References

_PLAIN = frozenset((str, bytes, int, bool, float, complex, tuple, frozenset))
# What is as good as its equal. (The parts of a tuple speak for themselves.) Subclasses may have attributes.


@cache
def _atoms() -> tuple[type, ...]:
    """So are these, whatever may be derived from them."""
    import datetime as dt  # with the rest of them these take a while to import, and a hit rarely asks
    import decimal
    import enum
    import fractions
    import pathlib
    import re
    import uuid

    return (
        types.NoneType, types.CodeType, types.ModuleType,
        types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, dt.date,
        dt.time, dt.timedelta, dt.tzinfo, decimal.Decimal, fractions.Fraction, enum.Enum,
        pathlib.PurePath, re.Pattern, uuid.UUID, range, slice,
    )  # fmt: skip


def has_identity(value: object, references: References) -> bool:
    """Whether the identity of `value` is felt: it can change, or is compared by `is`."""
    if isinstance(value, type | types.FunctionType):
        return references.is_brought(value)
    return not is_atom(value)


def is_atom(value: object) -> bool:
    """Whether `value` is as good as its equal: it can't change, and nobody compares it by `is`.

    >>> is_atom("text"), is_atom(["text"])
    (True, False)
    """
    if type(value) in _PLAIN or isinstance(value, _atoms()):
        return True
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.dtype | numpy.generic | numpy.ufunc)


def groups(marks: Sequence[Mapping[Any, Any]], counts: Callable[[Any], bool]) -> list[list[int]]:
    """The indices of outputs, those together that have a mark in common, in order.

    A mark is a key with something that tells whether it `counts`; that is asked only of common ones, since
    an output may have a million of them.

    >>> groups([{1: "a", 2: "b"}, {3: "c", 4: "-"}, {2: "b", 4: "-"}], str.isalpha)
    [[0, 2], [1]]
    """
    leader = list(range(len(marks)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = index = leader[leader[index]]
        return index

    owner: dict[Any, int] = {}
    by_size = sorted(leader, key=lambda index: len(marks[index]))
    for index in by_size:
        mine = marks[index]
        for shared in owner.keys() & mine.keys():
            if counts(mine[shared]):
                one, two = sorted((find(owner[shared]), find(index)))
                leader[two] = one
        if index != by_size[-1]:
            owner.update(dict.fromkeys(mine, index))
    found: dict[int, list[int]] = {}
    for index in range(len(marks)):
        found.setdefault(find(index), []).append(index)
    return list(found.values())
