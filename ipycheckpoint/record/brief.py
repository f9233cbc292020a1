"""What a hit needs to know of a small record: what is asked for again and again is told in microseconds.

Whoever signed the header looked at it when it was written. So it is verified, and not looked at piece by piece. What
can't be told like this, for whatever reason, is None, and read as any other record is.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.record.format import FORMAT_VERSION, payload_start, signed_bytes
from ipycheckpoint.record.trust import SCHEME, Signature

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.identity.identity import Key, Kind
    from ipycheckpoint.record.record import Header

LARGEST_NBYTES = 16 * 1024
"""What is larger takes its time anyway."""

# As `format.write` leaves it: the header lies there as it was signed.
_LINE = re.compile(
    rb'\{"ipycheckpoint":%d,"header":(\{"created":[^\n]*\}),'
    rb'"signature":\{"scheme":"%b","signer":"([0-9a-f]+)","value":"([0-9a-f]{64})"\}\} *\n'
    % (FORMAT_VERSION, SCHEME.encode())
)

_read = json.JSONDecoder().raw_decode

_MORE = ("trace", "notes", "expires")


class Brief(NamedTuple):
    """A call whose record holds one small result, and nothing else that a hit must look at."""

    kind: Kind
    label: str
    key: Key
    created: float
    """Seconds since the epoch."""
    seconds: float
    """How long the run took."""

    @classmethod
    def of(cls, header: Header) -> Brief:
        """The same of a header that was read in full."""
        return cls(header.kind, header.label, header.key, header.created, header.seconds)


def brief_of(
    record: memoryview, key: Key, is_trusted: Callable[[bytes, Signature], bool]
) -> tuple[Brief, bytes] | None:
    """What is to be told of the `record` under `key`, and its one stream, verified; None where it isn't of the kind."""
    if record.nbytes > 2 * LARGEST_NBYTES:
        return None
    whole = bytes(record)
    line = _LINE.match(whole)
    if line is None:
        return None
    body, signer, value = line.groups()
    if not is_trusted(signed_bytes(FORMAT_VERSION, body), Signature(SCHEME, signer.decode(), value.decode())):
        return None
    header: dict[str, Any] = _read(body.decode())[0]
    outputs, sections = header["outputs"], header["sections"]
    if header["key"] != key or header["kind"] != "call" or len(outputs) != 1 or len(sections) != 1:
        return None
    (output,), (section,) = outputs, sections
    if output["role"] != "result" or "buffers" in section or "packed" in section:
        return None
    if not header.keys().isdisjoint(_MORE):
        return None
    begin = payload_start(line.end()) + section["offset"]
    stream = whole[begin : begin + section["nbytes"]]
    if len(stream) > LARGEST_NBYTES or digest_bytes(stream) != section["digest"]:
        return None
    return Brief("call", header["label"], key, header["created"], header["seconds"]), stream
