"""Plain data as JSON, which any tool can read: exactly what JSON has, or a refusal that names the place."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from ipycheckpoint.errors import CannotKeep, FormatError
from ipycheckpoint.record.codec import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "json"

_ATOMS = frozenset({type(None), bool, int, float, str})
_DEPTH = 500  # half of what Python's own reader of JSON takes
_DIGITS = 4300  # the longest number that Python reads from text unless told otherwise


def encode(values: Mapping[str, object]) -> list[Section]:
    """Write each of `values` as a section of its own: ``{name: value}`` in UTF-8.

    Only None, bool, int, float, str, list, and dict with str keys, of just these types. What is shared is written
    out each time. Raises CannotKeep with the path to anything else.

    >>> [bytes(section.stream) for section in encode({"a": [1, None], "b": 0.5})]
    [b'{"a":[1,null]}', b'{"b":0.5}']
    """
    sections = []
    for name, value in values.items():
        try:
            _check(name, value, name, 0)
            stream = json.dumps({name: value}, separators=(",", ":"), allow_nan=False).encode()
        except (ValueError, RecursionError) as problem:  # this interpreter's own limits are narrower than ours
            raise CannotKeep(name, type(value).__name__, str(problem)) from problem
        sections.append(Section((name,), stream, (), JSON))
    return sections


def decode(stream: bytes | memoryview) -> dict[str, object]:
    """The values of one section by name. Runs nothing. Raises FormatError.

    >>> decode(b'{"a": [1, null]}')
    {'a': [1, None]}
    """
    try:
        values = json.loads(bytes(stream))
    except (ValueError, RecursionError) as problem:
        raise FormatError(f"this section is no JSON: {problem}") from problem
    if not isinstance(values, dict):
        raise FormatError("this section is no JSON object")
    return values


def _check(name: str, value: object, path: str, depth: int) -> None:
    kind = type(value)
    if kind is list or kind is dict:
        if depth == _DEPTH:
            raise CannotKeep(name, kind.__name__, f"it is nested more than {_DEPTH} deep, or inside of itself")
        if isinstance(value, list):
            for index, item in enumerate(value):
                _check(name, item, f"{path}[{index}]", depth + 1)
        elif isinstance(value, dict):
            for key, item in value.items():
                if type(key) is not str:
                    raise CannotKeep(name, kind.__name__, f"`{path}` has the key {key!r:.80}, and JSON only has texts")
                _check(name, item, f"{path}[{key!r:.80}]", depth + 1)
    elif kind not in _ATOMS:
        raise CannotKeep(
            name, kind.__name__, f"JSON has nothing for `{path}` ({kind.__qualname__}); the codec pickle keeps it"
        )
    elif isinstance(value, float) and not math.isfinite(value):
        raise CannotKeep(name, kind.__name__, f"JSON has nothing for `{path}` ({value}); the codec pickle keeps it")
    elif isinstance(value, int) and value.bit_length() > _DIGITS * 3:
        raise CannotKeep(name, kind.__name__, f"`{path}` is an integer of more digits than JSON readers take")
