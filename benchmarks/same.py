"""Whether a value that comes from a cache is what the work gave."""

from __future__ import annotations

import sys
from typing import Any


def same(one: Any, other: Any) -> bool:
    """Whether two values have the same types and contents, down to the parts of lists and dicts."""
    if type(one) is not type(other):
        # A memory map is an array that came from a file.
        numpy = sys.modules.get("numpy")
        if numpy is None or not (isinstance(one, numpy.ndarray) and isinstance(other, numpy.ndarray)):
            return False
    module = type(one).__module__.partition(".")[0]
    if module == "numpy":
        import numpy as np

        return one.dtype == other.dtype and one.shape == other.shape and bool(np.array_equal(one, other))
    if module == "pandas":
        return bool(one.equals(other)) and list(one.dtypes) == list(other.dtypes)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and any(type(part).__module__ != "builtins" for part in one):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
