"""Round trips: through sections only, or through the bytes of a whole record."""

from __future__ import annotations

import pytest

from ipycheckpoint.record.codec import decode, encode


def through(values, *, resolve=None, namespace=None, **rules):
    """`values`, written and loaded, each section on a copy of its buffers."""
    loaded = {}
    for section in encode(values, **rules):
        buffers = [memoryview(bytearray(buffer)) for buffer in section.buffers]
        loaded |= decode(section.stream, buffers, resolve=resolve, namespace=namespace)
    return loaded


@pytest.fixture
def round_trip():
    return through
