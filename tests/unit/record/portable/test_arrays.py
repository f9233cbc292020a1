from __future__ import annotations

import sys

import numpy as np
import pytest

from ipycheckpoint.record.portable.values import dumps, loads, revive
from ipycheckpoint.record.remains import Remains

ARRAYS = {
    "numbers": np.arange(6.0).reshape(2, 3),
    "F order": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "strided": np.arange(10)[::3],
    "no dimension": np.array(5),
    "empty": np.empty((0, 3), "i2"),
    "big-endian": np.arange(3, dtype=">i4"),
    "text": np.array(["a", "bcd"]),
    "bytes": np.array([b"a", b"bcd"]),
    "times": np.array(["2020-01-01", "NaT"], dtype="M8[s]"),
    "spans": np.array([1, 2], dtype="m8[ms]"),
    "records": np.array([(1, "x"), (2, "y")], dtype=[("a", "<i4"), ("b", "<U1")]),
    "truth": np.array([True, False]),
    "half": np.array([1.5], dtype="f2"),
    "complex": np.array([1 + 2j]),
    "objects": np.array([[1], [2, 3], None], dtype=object),
    "objects in two dimensions": np.array([["a", 1], [None, 2.5]], dtype=object),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_an_array_comes_back_with_dtype_shape_and_content(array):
    again = loads(dumps(array))
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert np.array_equal(again, array) or np.array_equal(again.astype(str), array.astype(str))


@pytest.mark.parametrize(
    "value", [np.float32(1.5), np.int64(3), np.str_("a"), np.bool_(True), np.datetime64("2020", "s")]
)
def test_a_number_keeps_its_type(value):
    again = loads(dumps(value))
    assert (type(again), again) == (type(value), value)


@pytest.mark.parametrize("dtype", ["f8", "M8[ns]", "U3", [("a", "i4"), ("b", "f8", (2,))], object])
def test_a_dtype_comes_back(dtype):
    assert loads(dumps(np.dtype(dtype))) == np.dtype(dtype)


def test_a_masked_array_keeps_its_mask_and_fill_value():
    again = loads(dumps(np.ma.array([1, 2], mask=[False, True], fill_value=7)))
    assert (again.tolist(), again.fill_value) == ([1, None], 7)


def test_a_function_of_numpy_is_that_function():
    assert loads(dumps(np.sin)) is np.sin


def test_no_insides_of_numpy_are_named():
    assert b"numpy" not in dumps([*ARRAYS.values(), np.float32(1), np.dtype("f8"), np.sin])


def test_without_numpy_an_array_comes_as_remains_that_hold_its_bytes(monkeypatch):
    data = dumps(np.arange(3))
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "numpy" else found(name))
    left, lost = revive(data)
    assert isinstance(left, Remains)
    assert lost == ["numpy.array"]
    assert left.arguments[0].startswith(b"\x93NUMPY")
    assert "numpy" in sys.modules
