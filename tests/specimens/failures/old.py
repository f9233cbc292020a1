"""What Python 3.9 pickles: ``python3.9 old.py > FILE``, with pandas 1.1 and numpy 1.19. See `write.py`."""

from __future__ import annotations

import datetime as dt
import io
import json
import pickle
import platform
import sys

import numpy as np
import pandas as pd


def values():
    """One object of a module that Python 3.11 has not got, one of insides of pandas, and two that last."""
    import binhex

    info = binhex.FInfo()
    info.Creator = "SPEC"
    return {
        "plain": {"when": dt.date(2020, 1, 2), "numbers": [1, 2.5, 10**30]},
        "array": np.arange(4, dtype="i2"),
        "frame": pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}, index=[10, 20]),
        "info": info,
    }


def stream_of(name, value):
    """As a section of a record: the names, then the value, with a common memo."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 5)
    pickler.dump((name,))
    pickler.dump(value)
    return file.getvalue().hex()


def main():
    """Print the streams, the types, and the Environment."""
    found = values()
    told = {
        "streams": {name: stream_of(name, value) for name, value in found.items()},
        "types": {name: f"{type(value).__module__}.{type(value).__qualname__}" for name, value in found.items()},
        "environment": {
            "python": platform.python_version(),
            "implementation": sys.implementation.name,
            "platform": sys.platform,
            "machine": platform.machine(),
            "packages": {"numpy": np.__version__, "pandas": pd.__version__},
            "image": None,
        },
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
