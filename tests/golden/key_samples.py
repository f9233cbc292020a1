"""Values, calls and a cell whose Digests and Keys must never move by accident.

Run as a script it prints those of this interpreter, and of the packages that it has, as JSON.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import json
import os
import pathlib
import re
import tempfile
import uuid
from importlib.util import find_spec
from typing import Any

from ipycheckpoint import checkpoint
from ipycheckpoint.identity.values import digest_value

VALUES: dict[str, Any] = {
    "nothing": [None, Ellipsis, NotImplemented],
    "numbers": [0, 1, -1, 10**30, True, False, 1.0, -0.0, 1e300, float("inf"), float("nan"), 1j],
    "texts": ["", "a", "é", "\ud800", b"", b"a", bytearray(b"a")],
    "lists and tuples": [[], (), [1, (2, [3])], [[]], [()]],
    "sets": [set(), {1, 2, 3}, frozenset({"a", "b"}), {(1, "x"), (2, "y")}],
    "dicts": [{}, {"a": 1, "b": [2]}, {1: "x", (1, 2): None}],
    "ranges and slices": [range(3), range(0, 10, 2), slice(1, None, 2)],
    "collections": [
        collections.OrderedDict(a=1),
        collections.Counter("aab"),
        collections.deque([1, 2], maxlen=3),
        collections.defaultdict(list, a=[1]),
    ],
    "times": [
        dt.date(2026, 1, 2),
        dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
        dt.timedelta(days=1, seconds=2),
        dt.time(1, 2, 3),
    ],
    "exact numbers": [decimal.Decimal("1.10"), fractions.Fraction(1, 3)],
    "others": [
        pathlib.PurePosixPath("a/b"),
        re.compile("a+"),
        uuid.UUID(int=7),
        len,
        dict,
        functools.partial(int, base=2),
    ],
}


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


class Color(enum.Enum):
    RED = 1


class Scaled:
    factor = 3

    def __init__(self, by: int) -> None:
        self.by = by

    def scale(self, number: int) -> int:
        return number * self.by * self.factor


def of_numpy() -> dict[str, Any]:
    import numpy as np

    structured = np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")])
    return {
        "arrays": [np.arange(6, dtype="<i8").reshape(2, 3), np.array([1.5, -0.0]), np.array([], dtype="<f4")],
        "arrays of other kinds": [
            np.array(["a", "bc"]),
            np.array([True, False]),
            structured,
            np.array([1, "a"], dtype=object),
        ],
        "numpy's scalars": [np.float64(1.5), np.int32(3), np.bool_(True)],
        "times of numpy": [np.array(["2026-01-02"], dtype="datetime64[ns]")],
    }


def of_pandas() -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    if int(pd.__version__.partition(".")[0]) < 3:
        return {}  # its objects hold other things
    # Labels that are texts are of another type where pyarrow is installed.
    return {
        "a frame": [pd.DataFrame({0: np.array([1, 2], dtype="int64"), 1: [0.5, 1.5]}, index=pd.RangeIndex(2))],
        "a series": [pd.Series(np.array([1.0, 2.0]), name="s", index=pd.RangeIndex(2))],
        "categories": [pd.Categorical.from_codes([0, 1, 0], categories=pd.Index([1, 2], dtype="int64"))],
        "times of pandas": [pd.Timestamp("2026-01-02 03:04:05"), pd.Timedelta(days=1)],
    }


RATE = 2


def convert(number: int) -> int:
    return number * 10 + RATE


@checkpoint
def work(amount: int, *more: int, way: str = "up") -> Any:
    return convert(amount), [convert(one) for one in more], way


@checkpoint
def of_object(scaled: Scaled, point: Point, color: Color) -> int:
    return scaled.scale(point.x) if color is Color.RED else 0


CELL = """\
%%checkpoint golden
total = convert(amount) + RATE
squares = [n * n for n in range(amount)]
"""

DEFINED = """\
RATE = 2
amount = 4
def convert(number):
    return number * 10 + RATE
"""


def of_calls() -> dict[str, str]:
    return {
        "a call": work.identity(1).key,
        "a call with more arguments": work.identity(1, 2, 3, way="down").key,
        "a call with objects": of_object.identity(Scaled(2), Point(1), Color.RED).key,
    }


def of_cell() -> dict[str, str]:
    from IPython.core.interactiveshell import InteractiveShell

    from ipycheckpoint.cache.cache import Cache

    with tempfile.TemporaryDirectory() as directory:
        os.environ |= {"IPYCHECKPOINT_DIR": directory, "IPYTHONDIR": directory, "JUPYTER_DATA_DIR": directory}
        shell = InteractiveShell.instance()
        shell.run_line_magic("load_ext", "ipycheckpoint")
        for source in (DEFINED, CELL):
            shell.run_cell(source).raise_error()
        cache = Cache.at(directory)
        [row] = cache.rows()
        cache.close()
        shell.run_line_magic("unload_ext", "ipycheckpoint")
        return {"a cell": row.key}


def digests() -> dict[str, str]:
    """The Digests of all values, and the Keys."""
    values = VALUES | (of_numpy() if find_spec("numpy") else {}) | (of_pandas() if find_spec("pandas") else {})
    return {name: digest_value(list(value)) for name, value in values.items()} | of_calls() | of_cell()


if __name__ == "__main__":
    print(json.dumps(digests(), indent=2))
