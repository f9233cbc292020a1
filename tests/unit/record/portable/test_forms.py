from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest

from ipycheckpoint.record.portable.forms import write


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": (1, 2.5, None, True, "é")}, {"a": [1, 2.5, None, True, "é"]}),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        ([np.float64(1.5)], [1.5]),
        (pd.DataFrame({"a": [1]}, index=["r"]), {"columns": ["a"], "index": ["r"], "data": [[1]]}),
    ],
)
def test_json_has_plain_data_arrays_and_tables(tmp_path, value, told):
    write(value, "json", tmp_path / "x")
    assert json.loads((tmp_path / "x").read_text("utf-8")) == told


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": {1, 2}}, b"bytes"])
def test_json_refuses_what_it_can_not_tell(tmp_path, value):
    with pytest.raises(TypeError, match="no form in JSON"):
        write(value, "json", tmp_path / "x")


def test_json_refuses_numbers_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write(float("nan"), "json", tmp_path / "x")


@pytest.mark.parametrize("value", [pd.DataFrame({"a": [1, 2]}), pd.Series([1, 2], name="a")], ids=["frame", "series"])
def test_parquet_has_tables(tmp_path, value):
    pytest.importorskip("pyarrow")
    write(value, "parquet", tmp_path / "x")
    assert pd.read_parquet(tmp_path / "x")["a"].tolist() == [1, 2]


def test_parquet_refuses_what_is_no_table(tmp_path):
    with pytest.raises(TypeError, match="a list is no table"):
        write([1], "parquet", tmp_path / "x")


def test_npy_has_arrays_and_no_pickles(tmp_path):
    write(np.arange(3), "npy", tmp_path / "x.npy")
    assert np.load(tmp_path / "x.npy").tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="allow_pickle"):
        write(np.array([object()]), "npy", tmp_path / "y.npy")


def test_pickle_is_one_that_every_python_reads(tmp_path):
    write({"a": 1}, "pickle", tmp_path / "x")
    data = (tmp_path / "x").read_bytes()
    assert data[1] == 4
    assert pickle.loads(data) == {"a": 1}
