"""Load a record of `write.py` and check what is in it: ``python read.py FILE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ipycheckpoint.record.codec import decode
from ipycheckpoint.record.format import Stored, read_header, read_section
from ipycheckpoint.record.trust import Keyring

SECRET = b"the secret of the specimens: 32+"


def load(path: Path, namespace: dict[str, Any]) -> tuple[Stored, dict[str, object]]:
    """The record and all that is in it."""
    stored = read_header(bytearray(path.read_bytes()))
    assert Keyring(secret=SECRET).verify(stored.signed, stored.signature), "its signature is not good any more"
    values: dict[str, object] = {}
    for index in range(len(stored.header.sections)):
        stream, buffers = read_section(stored, index, lambda digest: None)
        values |= decode(stream, buffers, namespace=namespace)
    return stored, values


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from checks import check

    here: dict[str, Any] = {}
    check(load(Path(sys.argv[1]), here)[1], here)
    print("good")
