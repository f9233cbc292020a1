"""Arrays, scalars and dtypes of numpy in a form that every release of numpy reads. See `values`."""

from __future__ import annotations

import io
from typing import Any


def reduce_numpy(value: Any) -> Any:
    """As `pickle.Pickler.reducer_override`, for what comes from numpy."""
    import numpy as np

    if type(value) is np.ndarray:
        if value.dtype.kind == "T":
            return NotImplemented  # strings of variable length: they are of numpy 2, and so is who reads them
        if value.dtype.hasobject:
            return objects, (value.dtype, value.shape, value.ravel().tolist())
        return array, (_npy(value),)
    if type(value) is np.ma.MaskedArray:
        return masked, (np.asarray(value.data), np.ma.getmaskarray(value), value.fill_value)
    if isinstance(value, np.generic):
        return scalar, (_npy(np.asarray(value)),) if not value.dtype.hasobject else NotImplemented
    if isinstance(value, np.dtype) and value.kind != "T":
        return dtype, (np.lib.format.dtype_to_descr(value),)
    if isinstance(value, np.ufunc):
        return ufunc, (value.__name__,)
    return NotImplemented


def _npy(value: Any) -> bytes:
    import numpy as np

    file = io.BytesIO()
    np.save(file, value, allow_pickle=False)
    return file.getvalue()


# Constructors: what a portable form calls.


def array(npy: bytes) -> Any:
    """An array from a file of numpy's own format."""
    import numpy as np

    return np.load(io.BytesIO(npy), allow_pickle=False)


def objects(kind: Any, shape: tuple[int, ...], flat: list[Any]) -> Any:
    """An array of Python objects."""
    import numpy as np

    made = np.empty(len(flat), kind)
    for index, item in enumerate(flat):  # an assignment of the whole would look into lists
        made[index] = item
    return made.reshape(shape)


def masked(data: Any, mask: Any, fill_value: Any) -> Any:
    """A masked array."""
    import numpy as np

    return np.ma.MaskedArray(data, mask, fill_value=fill_value)


def scalar(npy: bytes) -> Any:
    """A number with numpy's type."""
    return array(npy)[()]


def dtype(description: Any) -> Any:
    """A numpy dtype from its description."""
    import numpy as np

    return np.lib.format.descr_to_dtype(description)


def ufunc(name: str) -> Any:
    """A function of numpy itself."""
    import numpy as np

    return getattr(np, name)
