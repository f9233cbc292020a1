"""Sizes and durations as people write them."""

from __future__ import annotations

import re

from ipycheckpoint.errors import UsageError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_duration(text: str | float) -> float:
    """Seconds that ``"90s"``, ``"30m"``, ``"12h"``, ``"1d"``, ``"2w"`` or a number stand for.

    >>> parse_duration("1d")
    86400.0
    """
    if isinstance(text, int | float):
        return float(text)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", text)
    if match is None:
        raise UsageError(f"{text!r} is no duration: a number with s, m, h, d or w is needed, as in 90s, 12h or 1d")
    return float(match[1]) * _SECONDS[match[2]]


def parse_size(text: str | float) -> int:
    """Bytes that ``"500MB"``, ``"1.5 GB"``, ``"2GiB"``, ``"4096"`` or a number stand for. Raises UsageError.

    >>> parse_size("1.5 GB"), parse_size("2KiB")
    (1500000000, 2048)
    """
    if isinstance(text, int | float):
        text = str(int(text))
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(|[kmgt])(i?)b?\s*", text.lower(), flags=re.ASCII)
    if match is None or (match[3] and not match[2]):
        raise UsageError(f"{text!r} is no size: a number with kB, MB, GB or TB is needed, as in 500MB or 5GB")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** _POWERS[match[2]])
