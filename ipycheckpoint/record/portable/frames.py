"""Frames, series and indices of pandas in a form that every release of pandas reads. See `values`.

A frame is its columns; a column is a plain array where it can be, else what its kind of array is made of.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

_RENAMED = {
    "A": "YE", "Y": "YE", "Q": "QE", "M": "ME", "BA": "BYE", "BY": "BYE", "BQ": "BQE", "BM": "BME", "CBM": "CBME",
    "H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns",
}  # fmt: skip
# What pandas 2.2 calls the frequencies of earlier ones.

_RENAMED_PERIODS = {"A": "Y", "H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns"}


def _pandas() -> Any:
    import pandas as pd

    return pd


def reduce_pandas(value: Any) -> Any:
    """As `pickle.Pickler.reducer_override`, for what comes from pandas."""
    pd = _pandas()

    kind = type(value)
    if kind is pd.DataFrame:
        columns = [_content(value.iloc[:, position]) for position in range(value.shape[1])]
        return frame, (value.columns, value.index, columns, dict(value.attrs))
    if kind is pd.Series:
        return series, (_content(value), value.index, value.name, dict(value.attrs))
    if isinstance(value, pd.Index):
        return _reduce_index(value)
    if value is pd.NA or value is pd.NaT:
        return missing, ("NA" if value is pd.NA else "NaT",)
    if isinstance(value, pd.Timestamp):
        return timestamp, (value.asm8, _zone(value.tz))
    if isinstance(value, pd.Timedelta):
        return timedelta, (value.asm8,)
    if isinstance(value, pd.Period):
        return period, (value.ordinal, value.freqstr)
    if isinstance(value, pd.Interval):
        return interval, (value.left, value.right, value.closed)
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return _reduce_array(value)
    if isinstance(value, pd.CategoricalDtype):
        return category_dtype, (value.categories, value.ordered)
    if isinstance(value, pd.api.extensions.ExtensionDtype):
        return extension_dtype, (str(value),)
    return NotImplemented


def _content(held: Any) -> Any:
    """What a series or an index holds: an array of numpy where its dtype is numpy's, else one of pandas."""
    import numpy as np

    return held.to_numpy() if isinstance(held.dtype, np.dtype) else held.array


def _reduce_index(value: Any) -> Any:
    import numpy as np

    pd = _pandas()

    if isinstance(value, pd.MultiIndex):
        codes = [np.asarray(part) for part in value.codes]
        return multi_index, (list(value.levels), codes, list(value.names))
    if isinstance(value, pd.RangeIndex):
        return range_index, (value.start, value.stop, value.step, value.name)
    return index, (_content(value), value.name, getattr(value, "freqstr", None))


def _reduce_array(value: Any) -> Any:
    import numpy as np

    pd = _pandas()

    if isinstance(value, pd.Categorical):
        return categorical, (np.asarray(value.codes), value.categories, value.ordered)
    if isinstance(value, pd.arrays.DatetimeArray):
        return moments, (value.asi8.view(f"M8[{getattr(value, 'unit', 'ns')}]"), _zone(value.tz))
    if isinstance(value, pd.arrays.PeriodArray):
        return periods, (value.asi8, value.freqstr)
    if isinstance(value, pd.arrays.IntervalArray):
        return intervals, (value.left, value.right, value.closed)
    if isinstance(value, (pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray)):
        mask = np.asarray(value.isna())
        return nullable, (value.to_numpy(dtype=value.dtype.numpy_dtype, na_value=value.dtype.type(0)), mask)
    return listed, (str(value.dtype), list(value))


def _zone(tz: Any) -> Any:
    """The name of a time zone, or its offset from UTC where it has none."""
    if tz is None or isinstance(tz, dt.timezone):
        return tz
    name = getattr(tz, "zone", None) or getattr(tz, "key", None)
    if name:
        return str(name)
    offset = tz.utcoffset(None)
    return tz if offset is None else dt.timezone(offset)


# Constructors: what a portable form calls.


def _series(content: Any, **named: Any) -> Any:
    pd = _pandas()

    # Without its dtype, pandas 3 would take an array of objects that are all strings for one of its own kind.
    return pd.Series(content, dtype=content.dtype, copy=False, **named)


def frame(columns: Any, rows: Any, contents: list[Any], attrs: dict[Any, Any]) -> Any:
    """A frame from its columns: their index, that of the rows, and what each holds."""
    pd = _pandas()

    made = pd.DataFrame({place: _series(content, index=rows) for place, content in enumerate(contents)}, index=rows)
    made.columns = columns
    made.attrs.update(attrs)
    return made


def series(content: Any, rows: Any, name: Any, attrs: dict[Any, Any]) -> Any:
    """A series."""
    made = _series(content, index=rows, name=name)
    made.attrs.update(attrs)
    return made


def index(content: Any, name: Any, frequency: str | None) -> Any:
    """An index of any kind but those below."""
    pd = _pandas()

    made = pd.Index(content, dtype=content.dtype, name=name, tupleize_cols=False)
    if frequency is not None and isinstance(made, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        try:
            made.freq = frequency
        except ValueError:
            made.freq = _renamed(frequency, _RENAMED)
    return made


def range_index(start: int, stop: int, step: int, name: Any) -> Any:
    """An index that counts."""
    pd = _pandas()

    return pd.RangeIndex(start, stop, step, name=name)


def multi_index(levels: list[Any], codes: list[Any], names: list[Any]) -> Any:
    """An index of several levels."""
    pd = _pandas()

    return pd.MultiIndex(levels, codes, names=names, verify_integrity=False)


def categorical(codes: Any, categories: Any, ordered: bool) -> Any:
    """An array of categories."""
    pd = _pandas()

    return pd.Categorical.from_codes(codes, categories, ordered)


def moments(utc: Any, zone: Any) -> Any:
    """An array of times in `zone`, from what they are in UTC."""
    pd = _pandas()

    made = pd.DatetimeIndex(utc)
    return made.array if zone is None else made.tz_localize("UTC").tz_convert(zone).array


def periods(ordinals: Any, frequency: str) -> Any:
    """An array of periods."""
    pd = _pandas()

    return pd.arrays.PeriodArray(ordinals, dtype=f"period[{_renamed(frequency, _RENAMED_PERIODS)}]")


def intervals(left: Any, right: Any, closed: Any) -> Any:
    """An array of intervals."""
    pd = _pandas()

    return pd.arrays.IntervalArray.from_arrays(left, right, closed)


def nullable(data: Any, mask: Any) -> Any:
    """An array of numbers or truth values of which some are missing."""
    pd = _pandas()

    kinds: dict[str, Any] = {"b": pd.arrays.BooleanArray, "f": pd.arrays.FloatingArray}
    return kinds.get(data.dtype.kind, pd.arrays.IntegerArray)(data, mask)


def listed(dtype: str, items: list[Any]) -> Any:
    """An array of any other kind that pandas knows by the name of its dtype."""
    pd = _pandas()

    return pd.array(items, dtype=dtype)


def missing(name: str) -> Any:
    """``NA`` or ``NaT``."""
    pd = _pandas()

    return getattr(pd, name)


def timestamp(utc: Any, zone: Any) -> Any:
    """One moment in `zone`, from what it is in UTC."""
    pd = _pandas()

    made = pd.Timestamp(utc)
    return made if zone is None else made.tz_localize("UTC").tz_convert(zone)


def timedelta(span: Any) -> Any:
    """One span of time."""
    pd = _pandas()

    return pd.Timedelta(span)


def period(ordinal: int, frequency: str) -> Any:
    """One period."""
    pd = _pandas()

    return pd.Period(ordinal=ordinal, freq=_renamed(frequency, _RENAMED_PERIODS))


def interval(left: Any, right: Any, closed: Any) -> Any:
    """One interval."""
    pd = _pandas()

    return pd.Interval(left, right, closed)


def category_dtype(categories: Any, ordered: bool | None) -> Any:
    """The dtype of an array of categories."""
    pd = _pandas()

    return pd.CategoricalDtype(categories, ordered)


def extension_dtype(name: str) -> Any:
    """A dtype that pandas knows by its name."""
    pd = _pandas()

    return pd.api.types.pandas_dtype(name)


def _renamed(frequency: str, names: dict[str, str]) -> str:
    """A frequency such as ``2M`` or ``Q-DEC`` as it is called here."""
    pd = _pandas()

    head, dash, rest = frequency.partition("-")
    count = head[: len(head) - len(head.lstrip("0123456789"))]
    name = head[len(count) :]
    known = tuple(int(part) for part in pd.__version__.split(".")[:2])
    return f"{count}{names.get(name, name) if known >= (2, 2) else name}{dash}{rest}"
