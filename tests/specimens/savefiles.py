"""Free-standing files of every compression and codec: ``python savefiles.py write FOLDER`` or ``read FILE``.

Each format version has written one of each into ``savefiles``. Never write these again: what they hold is what releases
of their time have written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from ipycheckpoint.cache.savefile import read, save
from ipycheckpoint.digest import digest
from ipycheckpoint.identity.identity import Ingredient
from ipycheckpoint.record.codecs import CODECS
from ipycheckpoint.record.compression import COMPRESSIONS
from ipycheckpoint.record.format import FORMAT_VERSION
from ipycheckpoint.record.trust import Keyring

KEYRING = Keyring(secret=b"the secret of the specimens: 32+")
TAGS = (("date", "2017-01-01"), ("tag", "é=/"))
SOURCE = "def f():\n    return 'é'\n"

PLAIN = {"a": [1, -0.0, None, True, "é✓", 10**30, {"b": []}], "long": ["the same again"] * 200}


class Point:
    """One that comes along."""

    def __init__(self, x: int) -> None:
        self.x = x

    def doubled(self) -> int:
        return self.x * 2


def values(codec: str) -> dict[str, Any]:
    """What a file of this codec holds."""
    if codec == "json":
        return {"plain": PLAIN, "text": "x" * 1000}
    array = np.arange(3000.0)
    return {"plain": PLAIN, "array": array, "view": array[10:20], "point": Point(21), "set": {1, (2, "three")}}


def write(folder: Path) -> None:
    """One file of each kind."""
    code = Ingredient("code", "f", digest("code", SOURCE.encode()), source=SOURCE)
    for codec in CODECS:
        for compression in COMPRESSIONS:
            save(
                folder / f"format{FORMAT_VERSION}-{codec}-{compression}.ckpt",
                values(codec),
                label="TestPkg.bar",
                tags=TAGS,
                ingredients=[code],
                codec=codec,
                compression=compression,
                keyring=KEYRING,
            )


def check(path: Path) -> None:
    """All that is in one file is as it was."""
    record = read(path, keyring=KEYRING)
    assert record.is_trusted
    assert (record.header.label, record.tags, record.code) == ("TestPkg.bar", TAGS, SOURCE)
    assert record.environment is not None
    assert record.environment.packages["numpy"]
    loaded, expected = record.load(), values(path.stem.split("-")[1])
    assert list(loaded) == list(expected)
    assert repr(loaded["plain"]) == repr(PLAIN)
    if "text" in loaded:
        assert loaded["text"] == "x" * 1000
        return
    assert np.array_equal(loaded["array"], expected["array"])
    loaded["view"][0] = 7
    assert loaded["array"][10] == 7, "they share memory"
    assert loaded["point"].doubled() == 42
    assert loaded["set"] == expected["set"]
    assert record["array"][10] == 10


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        check(Path(sys.argv[2]))
        print("good")
