"""Values as they are at this moment, for who saves them later."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def snapshot(values: Mapping[str, object]) -> dict[str, object]:
    """Copies of `values`, which share with each other what these share, and nothing that can change with them.

    Raises CannotKeep, with the name of a value that can neither be copied nor written.

    >>> numbers = [1]
    >>> before = snapshot({"a": numbers, "b": numbers})
    >>> numbers.append(2)
    >>> before["a"], before["a"] is before["b"]
    ([1], True)
    """
    try:
        return copy.deepcopy(dict(values))
    except Exception:  # noqa: BLE001 - a `__deepcopy__` raises anything, and what can be written has a copy all the same
        from ipycheckpoint.record.codecs import decode, encode

        copies: dict[str, object] = {}
        for section in encode(values, "pickle"):
            # The buffers are the live values' own memory.
            buffers = [memoryview(bytearray(buffer)) for buffer in section.buffers]
            copies |= decode(section.codec, section.stream, buffers)
        return {name: copies[name] for name in values}
