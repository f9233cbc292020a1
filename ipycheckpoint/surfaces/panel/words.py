"""How the panel says things: each fact is put into words once, for the widget, HTML and text alike."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GLYPHS = {"kept": "●", "restored": "✓", "expired": "◷", "failed": "✗", "untrusted": "⚠", "computing": "▶"}

SPARK_BARS = 12


def moment(seconds: float, now: float) -> str:
    """When something was, for people who know what day it is: ``14:02``, ``yesterday 14:02``, ``2017-01-01``."""
    then, today = time.localtime(seconds), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    if then[:3] == time.localtime(now - 86400)[:3]:
        return time.strftime("yesterday %H:%M", then)
    return time.strftime("%Y-%m-%d", then)


def exactly(seconds: float) -> str:
    """When something was, in full."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def counted(number: int, what: str) -> str:
    """``1 record``, ``2 records``.

    >>> counted(1, "record"), counted(12000, "record")
    ('1 record', '12,000 records')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def bars(moments: Mapping[int, int], first: int, last: int) -> list[int]:
    """How often something was restored in each twelfth of the time from `first` to `last`.

    >>> bars({0: 3, 11: 1}, 0, 11)
    [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    >>> bars({}, 0, 11)
    []
    """
    found = [0] * SPARK_BARS if moments else []
    span = max(last - first + 1, 1)
    for when, hits in moments.items():
        found[min(max(when - first, 0) * SPARK_BARS // span, SPARK_BARS - 1)] += hits
    return found


def one_of(words: Iterable[str], most: int = 4) -> list[str]:
    """`words`, or the first of them and how many more there are.

    >>> one_of("abcdef", 3)
    ['a', 'b', 'c', '+3']
    """
    listed = list(words)
    return listed if len(listed) <= most else [*listed[:most], f"+{len(listed) - most}"]
