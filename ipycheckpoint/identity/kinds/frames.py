"""pandas: frames, series and indexes by what they hold, column by column, not by how the blocks lie in memory."""

from __future__ import annotations

from typing import Any

from ipycheckpoint.identity.kinds.objects import by_reduction
from ipycheckpoint.identity.registry import shapes_of
from ipycheckpoint.identity.shapes import Refusal, Shape, named, text


@shapes_of("pandas.DataFrame")
def _frame(frame: Any) -> Shape:
    titles = list(frame.columns)
    columns = [_elements(frame.iloc[:, i]) for i in range(len(titles))]
    parts = [type(frame), frame.columns, frame.index, *_extras(frame), *columns]
    fixed = (".__class__", ".columns", ".index", *_extra_labels(frame))
    return Shape("DataFrame", (), parts, lambda i: fixed[i] if i < len(fixed) else f"[{titles[i - len(fixed)]!r}]")


@shapes_of("pandas.Series")
def _series(series: Any) -> Shape:
    parts = [type(series), _elements(series), series.index, series.name, *_extras(series)]
    return Shape("Series", (), parts, named(".__class__", ".array", ".index", ".name", *_extra_labels(series)))


def _extras(value: Any) -> list[object]:
    """What else a frame carries: `attrs`, flags, and what a subclass says that it keeps (`_metadata`)."""
    return [value.attrs, value.flags.allows_duplicate_labels, *(getattr(value, name, None) for name in _kept(value))]


def _extra_labels(value: Any) -> list[str]:
    return [".attrs", ".flags", *(f".{name}" for name in _kept(value))]


def _kept(value: Any) -> list[str]:
    return [name for name in value._metadata if name not in {"name", "_name"}]


@shapes_of("pandas.RangeIndex")
def _range_index(index: Any) -> Shape:
    return Shape("RangeIndex", (), (index.start, index.stop, index.step, index.name), named(*[""] * 3, ".name"))


@shapes_of("pandas.MultiIndex")
def _multi_index(index: Any) -> Shape:
    # By levels and codes, as it is pickled: `levels` is there to be seen, with what no row uses any more, and the
    # rows as tuples would take a hundred times as long.
    parts = [type(index), list(index.names), *index.levels, *index.codes]
    return Shape("MultiIndex", (), parts, named(".__class__", ".names"))


@shapes_of("pandas.Index")
def _index(index: Any) -> Shape:
    parts = [type(index), _elements(index), index.name, getattr(index, "freq", None)]
    return Shape("Index", (), parts, named(".__class__", ".array", ".name", ".freq"))


def _elements(column: Any) -> object:
    """The elements of a series or an index: a NumPy array where that is all there is to them."""
    import numpy as np

    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def _as_numbers(array: Any) -> object:
    import numpy as np

    return np.asarray(array.astype("int64"))


@shapes_of("pandas.Categorical")
def _categorical(array: Any) -> Shape:
    parts = [array.codes, array.categories, bool(array.ordered)]
    return Shape("Categorical", (), parts, named(".codes", ".categories", ".ordered"))


@shapes_of("pandas.arrays.DatetimeArray", "pandas.arrays.TimedeltaArray", "pandas.arrays.PeriodArray")
def _moments(array: Any) -> Shape:
    return Shape("moments", (text(array.dtype),), (_as_numbers(array),))


@shapes_of("pandas.arrays.IntervalArray")
def _intervals(array: Any) -> Shape:
    return Shape("intervals", (text(array.closed),), (array.left, array.right), named(".left", ".right"))


@shapes_of("pandas.arrays.BooleanArray", "pandas.arrays.IntegerArray", "pandas.arrays.FloatingArray")
def _nullable(array: Any) -> Shape:
    # What lies under the mask is whatever an operation has left there.
    numbers = array.to_numpy(dtype=array.dtype.numpy_dtype, na_value=array.dtype.type(0))
    return Shape("nullable", (text(array.dtype),), (numbers, array.isna()))


@shapes_of("pandas.arrays.StringArray", "pandas.arrays.ArrowStringArray", "pandas.arrays.ArrowExtensionArray")
@shapes_of("pandas.core.arrays.string_arrow.ArrowStringArrayNumpySemantics")
def _strings(array: Any) -> Shape:
    dtype = array.dtype
    head = (text(dtype), text(getattr(dtype, "storage", "")), text(getattr(dtype, "na_value", "")))
    if getattr(dtype, "storage", "pyarrow") == "python":
        return Shape("strings", head, (array.to_numpy(dtype=object),))
    return Shape("arrow strings", head, (array.__arrow_array__(),))


@shapes_of("pandas.arrays.SparseArray")
def _sparse(array: Any) -> Shape:
    parts = [array.sp_values, array.sp_index.to_int_index().indices, array.fill_value, len(array)]
    return Shape("sparse", (text(array.dtype),), parts, named(".sp_values", ".sp_index", ".fill_value"))


@shapes_of("pandas.arrays.NumpyExtensionArray", "pandas.arrays.PandasArray")
def _wrapped(array: Any) -> Shape:
    return Shape("NumpyExtensionArray", (), (array.to_numpy(),))


@shapes_of("pandas.CategoricalDtype")
def _categorical_dtype(dtype: Any) -> Shape:
    return Shape("CategoricalDtype", (), (dtype.categories, dtype.ordered), named(".categories", ".ordered"))


@shapes_of("pandas.api.extensions.ExtensionDtype")
def _dtype(dtype: Any) -> Shape | Refusal:
    if not type(dtype).__module__.startswith("pandas."):
        return by_reduction(dtype)
    # The object keeps what it has worked out; its text and these say all.
    details = (getattr(dtype, "storage", ""), getattr(dtype, "na_value", ""), getattr(dtype, "fill_value", ""))
    return Shape("dtype", (text(type(dtype).__name__), text(dtype), text(details)))


@shapes_of("pandas.Timestamp", "pandas.Timedelta")
def _moment(value: Any) -> Shape:
    # Both are subclasses of those of the standard library, whose state has no nanoseconds.
    zone = getattr(value, "tzinfo", None)
    return Shape(
        f"pandas.{type(value).__name__}",
        (text(value.asm8.dtype), text(value.asm8.astype("int64"))),
        (zone, getattr(value, "fold", 0)),
        named(".tzinfo"),
    )


@shapes_of("pandas._libs.tslibs.nattype.NaTType")
def _not_a_time(_: object) -> Shape:
    return Shape("pandas.NaT")


@shapes_of("pandas._libs.missing.NAType")
def _not_available(_: object) -> Shape:
    return Shape("pandas.NA")


@shapes_of("pandas.Period")
def _period(value: Any) -> Shape:
    return Shape("pandas.Period", (text(value.freqstr),), (value.ordinal,))
