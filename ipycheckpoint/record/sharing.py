"""Which outputs share objects, as their picklers saw it."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import pathlib
import re
import sys
import types
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipycheckpoint.record.references import References

_ATOMS: tuple[type, ...] = (
    str, bytes, int, float, complex, tuple, frozenset, types.NoneType, types.CodeType, types.ModuleType,
    types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, dt.date,
    dt.time, dt.timedelta, dt.tzinfo, decimal.Decimal, fractions.Fraction, enum.Enum,
    pathlib.PurePath, re.Pattern, uuid.UUID, range, slice,
)  # fmt: skip
# What is as good as its equal. (The parts of a tuple speak for themselves.)


def identities(memo: Any, references: References) -> set[int]:
    """The ids of the objects in a pickler's `memo` whose identity is felt: what can change, or is compared by `is`."""
    entries = memo.copy()  # of the C pickler, whose memo is not a dict
    atoms: tuple[type, ...] = _ATOMS
    if (numpy := sys.modules.get("numpy")) is not None:
        atoms = (*_ATOMS, numpy.dtype, numpy.generic, numpy.ufunc)
    return {
        key
        for key, (_, value) in entries.items()
        if not (
            not references.is_brought(value)
            if isinstance(value, type | types.FunctionType)
            else isinstance(value, atoms)
        )
    }


def groups(marks: Sequence[set[Any]]) -> list[list[int]]:
    """The indices of outputs, those together that have a mark in common, in order.

    >>> groups([{1, 2}, {3}, {2}])
    [[0, 2], [1]]
    """
    leader = list(range(len(marks)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = index = leader[leader[index]]
        return index

    owner: dict[Any, int] = {}
    for index, mine in enumerate(marks):
        for shared in owner.keys() & mine:
            one, two = sorted((find(owner[shared]), find(index)))
            leader[two] = one
        owner.update(dict.fromkeys(mine, index))
    found: dict[int, list[int]] = {}
    for index in range(len(marks)):
        found.setdefault(find(index), []).append(index)
    return list(found.values())
