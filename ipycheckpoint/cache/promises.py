"""What the name of an entry promises of the bytes under it."""

from __future__ import annotations

from ipycheckpoint.cache.garbage import BLOBS, RECORDS
from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import FormatError, IntegrityError
from ipycheckpoint.record.format import check_payload, read_header


def is_whole(name: str, view: memoryview) -> bool | None:
    """Whether the bytes under `name` are what it promises; None where nothing proves it, and nothing disproves it.

    >>> is_whole("blobs/" + digest_bytes(b"abc"), memoryview(b"abc")), is_whole("pins/5f", memoryview(b"abc"))
    (True, None)
    """
    if name.startswith(BLOBS):
        return digest_bytes(view) == name.removeprefix(BLOBS)
    if name.startswith(RECORDS):
        try:
            stored = read_header(view)
            check_payload(stored)
        except (FormatError, IntegrityError):
            return False
        return None if stored.header.key == name.removeprefix(RECORDS) else False
    return None
