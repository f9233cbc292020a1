"""The forms that other programs read: one object as a file of Parquet, npy, JSON or pickle.

Like all of this room, it runs on any Python since 3.8.
"""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PROTOCOL = 4
"""Every Python since 3.4 reads it."""


def write(value: Any, form: str, path: Path) -> None:
    """Write `value` to `path` as `form`. Raises TypeError where it has no such form, or what its library raises.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "x.json")
    >>> write({"a": (1, 2)}, "json", path)
    >>> path.read_text()
    '{"a": [1, 2]}'
    """
    _WRITERS[form](value, path)


def _to_parquet(value: Any, path: Path) -> None:
    if hasattr(value, "to_frame"):
        value = value.to_frame()
    if hasattr(value, "write_parquet"):
        value.write_parquet(path)
    elif hasattr(value, "to_parquet"):
        value.to_parquet(path)
    elif type(value).__module__.partition(".")[0] == "pyarrow":
        import pyarrow.parquet as pq

        pq.write_table(value, path)
    else:
        raise TypeError(f"a {type(value).__name__} is no table")


def _to_npy(value: Any, path: Path) -> None:
    import numpy as np

    with path.open("wb") as file:
        np.save(file, np.asarray(value), allow_pickle=False)


def _to_json(value: Any, path: Path) -> None:
    path.write_text(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _to_pickle(value: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(value, PROTOCOL))


def _plain(value: Any) -> Any:
    """`value` as JSON has it: a table as its columns, an array as lists. What JSON can't tell is a TypeError."""
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("a dict whose keys are no texts has no form in JSON")
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if hasattr(value, "to_json") and hasattr(value, "columns"):
        return json.loads(value.to_json(orient="split", date_format="iso"))
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


_WRITERS = {"parquet": _to_parquet, "npy": _to_npy, "json": _to_json, "pickle": _to_pickle}
