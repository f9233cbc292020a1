"""The bytes of a record: one line of JSON, then the payload. See `record` for the picture.

The line wraps the header with the version of the format and the signature of the rest of it::

    {"ipycheckpoint": 1, "header": {...}, "signature": {"scheme": ..., "signer": ..., "value": ...}}

A record that is a file of its own has ``"attached"`` beside them: texts by Digest, namely what the Store keeps
as Blobs for others, the Environment's JSON and the sources of Ingredients.

Spaces before the newline bring the payload to a multiple of 64 bytes. The header holds the Digest of each
section and buffer, so a good signature, and Digests that agree, vouch for every byte that is loaded.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.digest import Digest, digest_bytes
from ipycheckpoint.errors import CannotKeep, FormatError, IntegrityError
from ipycheckpoint.record.headers import header_from_json, header_to_json
from ipycheckpoint.record.record import ALIGNMENT, BufferRef, Packed, SectionRef
from ipycheckpoint.record.trust import Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ipycheckpoint.record.codec import Section
    from ipycheckpoint.record.record import Compression, Header

FORMAT_VERSION = 1

BLOB_NBYTES = 64 * 1024
"""Buffers of this size and more are Blobs, unless everything goes into the record itself."""

_START, _HEADER = b'{"ipycheckpoint":', b',"header":'
# A header that begins like this lies there as it was signed, with its keys in order. Any other begins with its kind.
_LINE = re.compile(
    rb'\{"ipycheckpoint":([0-9]{1,9}),"header":(\{"created":.*\}),("signature":(?:null|\{"scheme":).*)\Z', re.DOTALL
)
_HEADER_NBYTES = 64 << 20
_HEADER_PARTS = 2_000_000
# A header is read whole, by whomever it was written: so there is an end to its size, and to what it may grow to in
# memory. None that we write comes near, and what would pass these limits isn't written.

_upgrades: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
# From the version of the key to the next: a header as JSON in, a header as JSON out.


class Layout(NamedTuple):
    """Where everything goes: `chunks` into the record, one after the other, `blobs` under their Digests."""

    sections: tuple[SectionRef, ...]
    chunks: tuple[bytes | memoryview, ...]
    blobs: Mapping[Digest, memoryview] = field(default_factory=dict)


class Stored(NamedTuple):
    """A record as it was found. Nothing in it has been unpickled, nor its signature looked at."""

    header: Header
    signature: Signature | None
    signed: bytes
    """What the signature has to be of."""
    payload: memoryview
    version: int = FORMAT_VERSION
    """The version of the format that it was written in."""
    attached: Mapping[str, str] = field(default_factory=dict)
    """Texts by the Digests that they claim to have."""

    def text(self, wanted: Digest) -> str | None:
        """The attached text with the Digest `wanted`; None if there is none. Raises IntegrityError."""
        found = self.attached.get(wanted)
        if found is not None:
            _check("a text in the first line", wanted, memoryview(text_bytes(found)))
        return found


def lay_out(sections: Sequence[Section], *, inline_all: bool = False, compression: Compression = "none") -> Layout:
    """Plan the payload: small buffers inside the record, large ones as Blobs, or `inline_all` of them.

    What goes into the record is compressed where that makes it smaller; Blobs never are.

    >>> from ipycheckpoint.record.codec import encode
    >>> [section] = lay_out(encode({"a": 1})).sections
    >>> section.codec, section.offset
    ('pickle5', 0)
    """
    payload = _Payload()
    blobs: dict[Digest, memoryview] = {}
    refs = []
    for section in sections:
        stream, packed = _packed(memoryview(section.stream), compression)
        place = section.codec, digest_bytes(stream), len(section.stream), payload.add(stream)
        buffers = []
        for buffer in section.buffers:
            if inline_all or buffer.nbytes < BLOB_NBYTES:
                chunk, smaller = _packed(buffer, compression)
                buffers.append(BufferRef(digest_bytes(chunk), buffer.nbytes, payload.add(chunk), smaller))
            else:
                found = digest_bytes(buffer)
                blobs[found] = buffer
                buffers.append(BufferRef(found, buffer.nbytes))
        refs.append(SectionRef(*place, tuple(buffers), packed))
    return Layout(tuple(refs), tuple(payload.chunks), blobs)


def _packed(view: memoryview, compression: Compression) -> tuple[bytes | memoryview, Packed | None]:
    if compression == "none":
        return view, None
    from ipycheckpoint.record.compression import compress  # with lzma and zlib, which caches don't need

    smaller = compress(view, compression)
    return (view, None) if smaller is None else (smaller, Packed(compression, len(smaller)))


class _Payload:
    """Chunks, each at a multiple of ALIGNMENT."""

    def __init__(self) -> None:
        self.chunks: list[bytes | memoryview] = []
        self._nbytes = 0

    def add(self, chunk: bytes | memoryview) -> int:
        """Where `chunk` begins."""
        if padding := -self._nbytes % ALIGNMENT:
            self.chunks.append(bytes(padding))
        offset = self._nbytes + padding
        self.chunks.append(chunk)
        self._nbytes = offset + memoryview(chunk).nbytes
        return offset


def write(
    header: Header,
    chunks: Sequence[bytes | memoryview] = (),
    sign: Callable[[bytes], Signature] | None = None,
    attached: Mapping[Digest, str] | None = None,
) -> list[bytes | memoryview]:
    """The bytes of a record, in chunks: `chunks` are those of the Layout that gave the header its sections.

    Raises CannotKeep for a header that no reader would take.
    """
    plain = header_to_json(header)
    body = _canonical(plain)
    signature = None if sign is None else sign(signed_bytes(FORMAT_VERSION, body))
    if header.trace or any(len(ingredient.parts) > 1 for ingredient in header.ingredients):
        body = json.dumps(plain, separators=(",", ":")).encode()  # the order in there is worth more than some time
    rest: dict[str, Any] = {"signature": signature and _plain(signature)}
    if attached:
        rest["attached"] = dict(attached)
    line = _line(FORMAT_VERSION, body, rest)
    if excess := _excess(line):
        raise CannotKeep("the header", "JSON", excess)
    return [line, *chunks]


def signed_again(view: bytes | memoryview, sign: Callable[[bytes], Signature]) -> list[bytes | memoryview]:
    """The bytes of the record in `view`, to the letter but for the signature. Raises FormatError."""
    stored = read_header(view)  # what can't be read isn't signed
    wrapped, _, body = _parse(memoryview(view))
    del wrapped["ipycheckpoint"]
    header = wrapped.pop("header")
    body = body or json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    return [_line(stored.version, body, {**wrapped, "signature": _plain(sign(stored.signed))}), stored.payload]


def text_bytes(text: str) -> bytes:
    """The bytes that a text has its Digest from: UTF-8, with what is no character let through."""
    return text.encode("utf-8", "surrogatepass")


def _line(version: int, body: bytes, rest: dict[str, Any]) -> bytes:
    ending = _compact(rest).encode()
    line = b"%b%d%b%b,%b" % (_START, version, _HEADER, body, ending[1:])
    return line + b" " * (-(len(line) + 1) % ALIGNMENT) + b"\n"


def read_header(view: bytes | memoryview) -> Stored:
    """Read what `write` wrote, of this version or an earlier one. Raises FormatError."""
    view = memoryview(view)
    wrapped, start, body = _parse(view)
    version, plain = wrapped.get("ipycheckpoint"), wrapped.get("header")
    if type(version) is not int or not isinstance(plain, dict):
        raise FormatError("this is no record: its first line has no version or no header")
    if version > FORMAT_VERSION:
        raise FormatError(
            f"this record is of format {version}, and this release of ipycheckpoint reads up to "
            f"{FORMAT_VERSION}: a newer release can read it"
        )
    try:
        signed = _signed(version, plain) if body is None else signed_bytes(version, body)
        for old in range(version, FORMAT_VERSION):
            plain = _upgrades[old](plain)
        signature, attached = _signature(wrapped.get("signature")), _attached(wrapped.get("attached"))
        return Stored(header_from_json(plain), signature, signed, view[start:], version, attached)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as problem:
        raise FormatError(f"the header of this record can't be read: {problem!r}") from problem


def read_section(
    stored: Stored,
    index: int,
    blob: Callable[[Digest], memoryview | None],
    verified: Collection[Digest] = (),
) -> tuple[memoryview, list[memoryview]]:
    """The stream and the buffers of a section, for `codec.decode`, once their Digests agree.

    `blob` gives the bytes of a Blob, private to this call, or None if it is gone; those of `verified`
    aren't digested again. Buffers inside the record are views of it: decode each section once from one
    reading. The stream, which is what is run, is a copy: nobody can change it in the file after it was verified.
    Raises IntegrityError and, for a place that isn't in the record, FormatError.
    """
    ref = stored.header.sections[index]
    stream = _inside(stored, f"section {index}", ref.digest, ref.offset, ref.nbytes, ref.packed, copy=True)
    buffers = []
    for number, buffer in enumerate(ref.buffers):
        what = f"buffer {number} of section {index}"
        if buffer.offset is not None:
            view = _inside(stored, what, buffer.digest, buffer.offset, buffer.nbytes, buffer.packed)
        else:
            found = blob(buffer.digest)
            if found is None:
                raise FormatError(f"{what} is gone: the store has no blob {buffer.digest[:12]}…")
            view = found
            if buffer.digest not in verified:
                _check(what, buffer.digest, view)
        # What is restored is the caller's own, to write to.
        buffers.append(memoryview(bytearray(view)) if view.readonly else view)
    return stream, buffers


def check_payload(stored: Stored) -> None:
    """Whether all that lies in the record itself is there and whole. Raises FormatError and IntegrityError."""
    for index, ref in enumerate(stored.header.sections):
        _place(stored, f"section {index}", ref.digest, ref.offset, ref.nbytes, ref.packed)
        for number, buffer in enumerate(ref.buffers):
            if buffer.offset is not None:
                what = f"buffer {number} of section {index}"
                _place(stored, what, buffer.digest, buffer.offset, buffer.nbytes, buffer.packed)


def _place(
    stored: Stored,
    what: str,
    expected: Digest,
    offset: int,
    nbytes: int,
    packed: Packed | None,
    *,
    copy: bool = False,
) -> memoryview:
    """The bytes as they lie in the record, or a `copy` of them, verified."""
    end = offset + (nbytes if packed is None else packed.nbytes)
    if end > stored.payload.nbytes:
        raise FormatError(f"this record is cut off: {what} would end past its last byte")
    view = stored.payload[offset:end]
    if copy:
        view = memoryview(bytes(view))
    _check(what, expected, view)
    return view


def _inside(
    stored: Stored,
    what: str,
    expected: Digest,
    offset: int,
    nbytes: int,
    packed: Packed | None,
    *,
    copy: bool = False,
) -> memoryview:
    view = _place(stored, what, expected, offset, nbytes, packed, copy=copy or packed is not None)
    if packed is None:
        return view
    from ipycheckpoint.record.compression import decompress  # as above

    return decompress(what, view, packed.compression, nbytes)


def _check(what: str, expected: Digest, view: memoryview) -> None:
    found = digest_bytes(view)
    if found != expected:
        raise IntegrityError(what, expected, found)


def begins_as_record(view: bytes | memoryview) -> bool:
    """Whether these are the bytes of a record, as far as their beginning tells."""
    return bytes(view[: len(_START)]) == _START


def _parse(view: memoryview) -> tuple[dict[str, Any], int, bytes | None]:
    """The first line, where the payload begins, and the header as it was signed, where it lies there in that form."""
    if not begins_as_record(view):
        raise FormatError("this is no record: it doesn't begin as one")
    end, step = -1, 64 * 1024
    for begin in range(0, min(view.nbytes, _HEADER_NBYTES), step):
        found = bytes(view[begin : begin + step]).find(b"\n")
        if found >= 0:
            end = begin + found
            break
    if end < 0:
        raise FormatError("this is no record, or one that is cut off: its header has no end")
    line = bytes(view[:end])
    if excess := _excess(line):
        raise FormatError(f"this is no record: {excess}")
    try:
        wrapped, body = _taken_apart(line)
    except (ValueError, RecursionError) as problem:
        raise FormatError(f"this is no record: its first line is no JSON ({problem})") from problem
    if not isinstance(wrapped, dict):
        raise FormatError("this is no record: its first line is no JSON object")
    return wrapped, payload_start(end + 1), body


def payload_start(nbytes: int) -> int:
    """Where the payload begins after a first line of so many bytes."""
    return nbytes + -nbytes % ALIGNMENT


def _taken_apart(line: bytes) -> tuple[Any, bytes | None]:
    if found := _LINE.match(line):
        # What was signed, as it lies there, is what is parsed: nothing beside it can pass for it.
        version, body, rest = found.groups()
        with suppress(ValueError):
            return {**json.loads(b"{" + rest), "ipycheckpoint": int(version), "header": json.loads(body)}, body
    return json.loads(line), None


def _excess(line: bytes) -> str:
    """What is too much about the first line of a record; empty where nothing is."""
    if len(line) > _HEADER_NBYTES:
        return f"its first line has {len(line):,} bytes, and may have {_HEADER_NBYTES:,}"
    parts = line.count(b",") + line.count(b"{") + line.count(b"[")
    return f"its first line has {parts:,} parts, and may have {_HEADER_PARTS:,}" if parts > _HEADER_PARTS else ""


def _signed(version: int, plain: dict[str, Any]) -> bytes:
    return signed_bytes(version, _canonical(plain))


def signed_bytes(version: int, body: bytes) -> bytes:
    """What the signature of a header is of; `body` is the header as JSON, with its keys in order and no spaces."""
    # With the version: the same header may mean something else in another one.
    return b'{"header":%b,"ipycheckpoint":%d}' % (body, version)


def _canonical(plain: dict[str, Any]) -> bytes:
    return _in_order(plain).encode()


_in_order = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_compact = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _plain(signature: Signature) -> dict[str, str]:
    return {"scheme": signature.scheme, "signer": signature.signer, "value": signature.value}


def _signature(plain: object) -> Signature | None:
    if not isinstance(plain, dict):
        return None
    return Signature(*(str(plain.get(name, "")) for name in ("scheme", "signer", "value")))


def _attached(plain: object) -> dict[str, str]:
    if not isinstance(plain, dict):
        return {}
    return {name: text for name, text in plain.items() if isinstance(text, str)}
