from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.record.portable.frames import _renamed, reduce_pandas
from ipycheckpoint.record.portable.values import dumps, loads

NA, NAT = pd.NA, pd.NaT

COLUMNS = {
    "numbers": np.arange(3, dtype="i2"),
    "floats": [1.5, np.nan, 3],
    "objects": pd.Series(["a", None, [1]], dtype=object),
    "text": pd.Series(["a", "b", None]),
    "times": pd.date_range("2020", periods=3),
    "times in a zone": pd.date_range("2020-03-28", periods=3, tz="Europe/Berlin"),
    "times off UTC": pd.date_range("2020", periods=3, tz=dt.timezone(dt.timedelta(hours=1))),
    "times in seconds": np.array(["2020-01-01", "NaT", "5000-01-01"], "M8[s]"),
    "times in seconds in a zone": pd.Series(np.array(["2020-01-01", "NaT", "3000-01-01"], "M8[s]")).dt.tz_localize(
        "UTC"
    ),
    "spans": pd.to_timedelta([1, 2, None], unit="h"),
    "categories": pd.Categorical(["x", None, "y"], ["y", "x", "z"], ordered=True),
    "whole numbers with gaps": pd.array([1, None, 2**62], dtype="Int64"),
    "small ones": pd.array([1, None, 3], dtype="UInt8"),
    "truth with gaps": pd.array([True, None, False], dtype="boolean"),
    "floats with gaps": pd.array([1.5, None, 2], dtype="Float32"),
    "strings with gaps": pd.array(["a", None, "c"], dtype="string"),
    "months": pd.period_range("2020-01", periods=3, freq="M"),
    "intervals": pd.interval_range(0, 3, closed="left"),
    "mostly nothing": pd.arrays.SparseArray([0, 0, 1]),
}

INDICES = {
    "a range": pd.RangeIndex(2, 8, 2, name="n"),
    "numbers": pd.Index([3, 1, 2], name="key"),
    "text": pd.Index(["a", "b", "c"]),
    "objects": pd.Index([1, "a", None], dtype=object),
    "tuples": pd.Index([(1, 2), (3, 4), (5, 6)], tupleize_cols=False),
    "levels": pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("a", 3)], names=["x", None]),
    "days": pd.date_range("2020", periods=3, name="day"),
    "month ends": pd.date_range("2020", periods=3, freq=pd.offsets.MonthEnd()),
    "quarters": pd.period_range("2020Q1", periods=3, freq="Q"),
    "categories": pd.CategoricalIndex(["x", "y", "x"]),
    "intervals": pd.interval_range(0, 3),
    "repeated": pd.Index([1, 1, 1]),
}

SCALARS = [
    pd.Timestamp("2020-01-01 12:00"),
    pd.Timestamp("2020-06-01", tz="Europe/Berlin"),
    pd.Timestamp("2020-01-01 00:00+01:30"),
    pd.Timestamp("5000-01-01").as_unit("s"),
    pd.Timedelta("1h 2ns"),
    pd.Period("2020Q1"),
    pd.Interval(0, 1.5, closed="both"),
]


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_a_column_comes_back_with_its_dtype(column):
    frame = pd.DataFrame({"c": column})
    pd.testing.assert_frame_equal(loads(dumps(frame)), frame)


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_an_index_comes_back_as_rows_and_as_columns(index):
    pd.testing.assert_index_equal(loads(dumps(index)), index, exact=True)
    series = pd.Series([1, 2, 3], index=index, name="s")
    pd.testing.assert_series_equal(loads(dumps(series)), series)
    frame = pd.DataFrame(np.eye(3), columns=index)
    pd.testing.assert_frame_equal(loads(dumps(frame)), frame)


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_a_single_value_comes_back_with_its_type(value):
    again = loads(dumps(value))
    assert (type(again), again) == (type(value), value)
    assert getattr(again, "unit", None) == getattr(value, "unit", None)


def test_what_is_missing_is_the_one_and_only():
    assert [loads(dumps(value)) is value for value in (NA, NAT)] == [True, True]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=[1, 2]),
        pd.DataFrame(columns=["a"]),
        pd.DataFrame([[1, 2.5]], columns=["a", "a"]),
    ],
)
def test_odd_frames_come_back(frame):
    pd.testing.assert_frame_equal(loads(dumps(frame)), frame)


def test_attributes_and_subclasses_of_object_come_along():
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["source"] = "a file"
    assert loads(dumps(frame)).attrs == {"source": "a file"}


def test_dtypes_come_back():
    dtypes = [pd.CategoricalDtype(["a"], ordered=True), pd.Int64Dtype(), pd.PeriodDtype("M")]
    assert loads(dumps(dtypes)) == dtypes


def test_no_insides_of_pandas_are_named():
    data = dumps([pd.DataFrame(dict(COLUMNS)), *INDICES.values(), *SCALARS, NA])
    assert b"pandas." not in data.replace(b"ipycheckpoint.record.portable.frames", b"")


def test_a_subclass_of_a_users_own_is_left_to_itself():
    class Own(pd.DataFrame):
        pass

    assert reduce_pandas(Own()) is NotImplemented


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none()), st.sampled_from(["Int64", "object"]))
def test_any_whole_numbers_with_gaps_come_back(numbers, dtype):
    series = pd.Series(numbers, dtype=dtype)
    pd.testing.assert_series_equal(loads(dumps(series)), series)


@pytest.mark.skipif(pd.__version__ < "2.2", reason="the old names are those of this pandas")
@pytest.mark.parametrize(
    ("then", "now"), [("M", "ME"), ("2H", "2h"), ("Q-DEC", "QE-DEC"), ("15T", "15min"), ("W-SUN", "W-SUN"), ("D", "D")]
)
def test_frequencies_have_other_names_now(then, now):
    assert _renamed(then, {"M": "ME", "H": "h", "Q": "QE", "T": "min"}) == now
