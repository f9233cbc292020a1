"""Files as values: a closed one is known by its name and mode, an open one can't be written down.

``with open(path) as file:`` leaves a closed file behind in nearly every notebook that reads one.
"""

from __future__ import annotations

import io
from typing import Any

from ipycheckpoint.record import rebuild
from ipycheckpoint.record.refusals import Refused, reason_against

KINDS = (io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO)


def reduce_file(file: Any) -> Any:
    """A closed file. Raises Refused for one that is open, or has no name."""
    name = getattr(file, "name", None)
    if not file.closed or not isinstance(name, str | bytes):
        raise Refused(reason_against(type(file)) or "an open file")
    encoding = file.encoding if isinstance(file, io.TextIOWrapper) else None
    return rebuild.closed_file_v1, (type(file).__name__, name, getattr(file, "mode", ""), encoding)
