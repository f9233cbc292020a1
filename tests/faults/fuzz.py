"""``python -m tests.faults.fuzz CORPUS -max_total_time=60``: our readers under atheris, which looks for new ways."""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ipycheckpoint", "json"]):
    from ipycheckpoint.cache.archive import read_archive
    from ipycheckpoint.cache.failures import PastFailure
    from ipycheckpoint.cache.savefile import unpack
    from ipycheckpoint.errors import CheckpointError
    from ipycheckpoint.record.environment import Environment
    from ipycheckpoint.record.format import check_payload, read_header

from tests.faults.work import KEYRING, opened

PLACE = Path(tempfile.mkdtemp(prefix="ipycheckpoint-fuzz-"))


def read(data: bytes) -> None:
    """The first byte says to which reader the others go."""
    which, rest = data[:1], data[1:]
    with suppress(CheckpointError):
        if which == b"r":
            check_payload(read_header(rest))
        elif which == b"f":
            PastFailure.from_json(rest)
        elif which == b"e":
            Environment.from_json(rest)
        elif which == b"a":
            (PLACE / "x.ckpts").write_bytes(rest)
            read_archive(opened(PLACE / "cache"), PLACE / "x.ckpts")
        else:
            record = unpack(rest, keyring=KEYRING)
            repr(record), record._repr_html_(), record.environment, record.ingredients


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
