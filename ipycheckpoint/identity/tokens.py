"""Tokens: the framed, typed pieces of which canonical forms of code are made."""

from __future__ import annotations

import struct
from typing import Any


def frame(tag: bytes, content: bytes) -> bytes:
    """One token: its kind (a byte), its length and its bytes."""
    return tag + len(content).to_bytes(4, "little") + content


def text(value: str) -> bytes:
    """A string that is part of the grammar: a type of node, an attribute, a keyword."""
    return frame(b"s", value.encode("utf-8", "surrogatepass"))


def constant(value: Any) -> bytes:
    """A typed constant: ``1``, ``True``, ``1.0`` and ``'1'`` all differ, ``-0.0`` and ``0.0`` do, sets have no order.

    Raises TypeError for what no code can hold as a constant.
    """
    match value:
        case None | True | False:
            return frame(b"k", repr(value).encode())
        case int():
            return frame(b"i", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))
        case float():
            return frame(b"f", struct.pack("<d", value))
        case complex():
            return frame(b"c", struct.pack("<dd", value.real, value.imag))
        case str():
            return frame(b"u", value.encode("utf-8", "surrogatepass"))
        case bytes():
            return frame(b"b", value)
        case tuple():
            return frame(b"t", b"".join(map(constant, value)))
        case frozenset():
            return frame(b"z", b"".join(sorted(map(constant, value))))
        case slice():
            return frame(b"/", b"".join(map(constant, (value.start, value.stop, value.step))))
    if value is ...:
        return frame(b"k", b"...")
    raise TypeError(f"{type(value).__qualname__} is no constant of code")
