from __future__ import annotations

import pytest

from ipycheckpoint.record.portable.values import dumps, loads


def test_a_frame_of_polars_comes_back():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "y"], "c": [[1], [2, 3]]})
    assert loads(dumps(frame)).equals(frame)
    again = loads(dumps(frame["a"]))
    assert (again.name, again.to_list()) == ("a", [1, None])


def test_a_table_of_arrow_comes_back_with_its_metadata():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": [1, None], "b": ["x", "y"]}).replace_schema_metadata({"k": "v"})
    again = loads(dumps(table))
    assert again.equals(table, check_metadata=True)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "lil", "dok", "dia"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_a_sparse_matrix_comes_back_in_its_form(form, kind):
    sp = pytest.importorskip("scipy.sparse")
    value = getattr(sp, f"coo_{kind}")(([1.5, 2.5], ([0, 2], [1, 1])), (3, 4)).asformat(form)
    again = loads(dumps(value))
    assert (type(again), again.dtype) == (type(value), value.dtype)
    assert (again.toarray() == value.toarray()).all()
    assert b"scipy.sparse" not in dumps(value)
