"""Polars: frames and series by logical content, through Arrow where that is there."""

from __future__ import annotations

import sys
from typing import Any

from ipycheckpoint.identity.registry import shapes_of
from ipycheckpoint.identity.shapes import Refusal, Shape, named, positions, text

_BY_ITEMS = ("Categorical", "Object", "Unknown", "Decimal", "Array")
"""What, even deep inside a dtype, has no Arrow form that is the same in every process."""


@shapes_of("polars.dataframe.frame.DataFrame")
def _frame(frame: Any) -> Shape:
    names = frame.columns
    parts = [type(frame), frame.height, *frame.get_columns()]
    fixed = (".__class__", ".height")
    labels = named(*fixed, *(f"[{name!r}]" for name in names))
    return Shape("polars.DataFrame", (), parts, labels)


@shapes_of("polars.series.series.Series")
def _series(series: Any) -> Shape:
    dtype = repr(series.dtype)
    head = (text(series.name), text(dtype))
    if "pyarrow" not in sys.modules or any(name in dtype for name in _BY_ITEMS):
        return Shape("polars.Series", (*head, b"items"), series.to_list(), positions)
    return Shape("polars.Series", (*head, b"arrow"), (series.to_arrow(),), named(""))


@shapes_of("polars.lazyframe.frame.LazyFrame")
def _lazy(_: object) -> Refusal:
    return Refusal("it is a plan, and what the files in it hold can't be seen; use `.collect()`")
