"""Tables of Arrow and polars, and sparse matrices, in a form that lasts. See `values`."""

from __future__ import annotations

import io
from typing import Any


def reduce_table(family: str, value: Any) -> Any:
    """As `pickle.Pickler.reducer_override`, for what comes from polars, pyarrow or scipy."""
    if family == "polars":
        return _reduce_polars(value)
    if family == "pyarrow":
        return _reduce_arrow(value)
    kind = type(value).__name__
    if type(value).__module__.startswith("scipy.sparse") and kind.endswith(("_matrix", "_array")):
        entries = value.tocoo()
        return sparse, (kind, entries.data, entries.row, entries.col, value.shape)
    return NotImplemented


def _reduce_polars(value: Any) -> Any:
    import polars as pl

    if type(value) in (pl.DataFrame, pl.Series):
        file = io.BytesIO()
        (value if type(value) is pl.DataFrame else value.to_frame()).write_ipc(file)
        return polars, (file.getvalue(), type(value) is pl.Series)
    return NotImplemented


def _reduce_arrow(value: Any) -> Any:
    import pyarrow as pa

    if type(value) is not pa.Table:
        return NotImplemented
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, value.schema) as writer:
        writer.write_table(value)
    return arrow, (sink.getvalue().to_pybytes(),)


# Constructors: what a portable form calls.


def polars(ipc: bytes, is_series: bool) -> Any:
    """A frame or series of polars from an Arrow file."""
    import polars as pl

    made = pl.read_ipc(io.BytesIO(ipc))
    return made.to_series() if is_series else made


def arrow(ipc: bytes) -> Any:
    """A table of Arrow from an Arrow stream."""
    import pyarrow as pa

    return pa.ipc.open_stream(ipc).read_all()


def sparse(kind: str, data: Any, row: Any, column: Any, shape: tuple[int, ...]) -> Any:
    """A sparse matrix or array from its entries."""
    import scipy.sparse as sp

    entries = (sp.coo_matrix if kind.endswith("_matrix") else sp.coo_array)((data, (row, column)), shape)
    return entries.asformat(kind.partition("_")[0])
