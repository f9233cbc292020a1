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
import math
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from ipycheckpoint.digest import Digest, digest_bytes
from ipycheckpoint.errors import CannotKeep, FormatError, IntegrityError
from ipycheckpoint.identity.identity import Ingredient, IngredientKind, Key, Kind, Part
from ipycheckpoint.record.compression import compress, decompress
from ipycheckpoint.record.record import (
    ALIGNMENT,
    BufferRef,
    Compression,
    Header,
    Output,
    Packed,
    Role,
    SectionRef,
)
from ipycheckpoint.record.trust import Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ipycheckpoint.record.codec import Section

FORMAT_VERSION = 1

BLOB_NBYTES = 64 * 1024
"""Buffers of this size and more are Blobs, unless everything goes into the record itself."""

_START = b'{"ipycheckpoint":'
_HEADER_NBYTES = 64 << 20
_HEADER_PARTS = 2_000_000
_DEPTH = 100
_LATEST = 253402300799.0  # the end of the year 9999, the last one that Python can tell
_MOST_NBYTES = 1 << 60
# A header is read whole, by whomever it was written: so there is an end to its size, to what it may grow to in memory,
# and to its numbers. None that we write comes near, and what would pass these limits isn't written.

_FLOAT = "$float"
# JSON has no NaN and no infinity: they are {"$float": "nan"}.

_HEXADECIMAL = re.compile(r"[0-9a-f]{64}\Z")

_upgrades: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
# From the version of the key to the next: a header as JSON in, a header as JSON out.


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything goes: `chunks` into the record, one after the other, `blobs` under their Digests."""

    sections: tuple[SectionRef, ...]
    chunks: tuple[bytes | memoryview, ...]
    blobs: Mapping[Digest, memoryview] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
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
        ref = SectionRef(section.codec, digest_bytes(stream), len(section.stream), payload.add(stream), packed=packed)
        buffers = []
        for buffer in section.buffers:
            if inline_all or buffer.nbytes < BLOB_NBYTES:
                chunk, packed = _packed(buffer, compression)
                buffers.append(BufferRef(digest_bytes(chunk), buffer.nbytes, payload.add(chunk), packed))
            else:
                found = digest_bytes(buffer)
                blobs[found] = buffer
                buffers.append(BufferRef(found, buffer.nbytes))
        refs.append(replace(ref, buffers=tuple(buffers)))
    return Layout(tuple(refs), tuple(payload.chunks), blobs)


def _packed(view: memoryview, compression: Compression) -> tuple[bytes | memoryview, Packed | None]:
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
    plain = _to_json(header)
    signature = None if sign is None else sign(_signed(FORMAT_VERSION, plain))
    wrapped = {"ipycheckpoint": FORMAT_VERSION, "header": plain, "signature": signature and asdict(signature)}
    if attached:
        wrapped["attached"] = dict(attached)
    line = _line(wrapped)
    if excess := _excess(line):
        raise CannotKeep("the header", "JSON", excess)
    return [line, *chunks]


def signed_again(view: bytes | memoryview, sign: Callable[[bytes], Signature]) -> list[bytes | memoryview]:
    """The bytes of the record in `view`, to the letter but for the signature. Raises FormatError."""
    stored = read_header(view)  # what can't be read isn't signed
    wrapped, _ = _parse(memoryview(view))
    wrapped["signature"] = asdict(sign(stored.signed))
    return [_line(wrapped), stored.payload]


def text_bytes(text: str) -> bytes:
    """The bytes that a text has its Digest from: UTF-8, with what is no character let through."""
    return text.encode("utf-8", "surrogatepass")


def _line(wrapped: dict[str, Any]) -> bytes:
    line = json.dumps(wrapped, separators=(",", ":"), allow_nan=False).encode()
    return line + b" " * (-(len(line) + 1) % ALIGNMENT) + b"\n"


def read_header(view: bytes | memoryview) -> Stored:
    """Read what `write` wrote, of this version or an earlier one. Raises FormatError."""
    view = memoryview(view)
    wrapped, start = _parse(view)
    version, plain = wrapped.get("ipycheckpoint"), wrapped.get("header")
    if type(version) is not int or not isinstance(plain, dict):
        raise FormatError("this is no record: its first line has no version or no header")
    if version > FORMAT_VERSION:
        raise FormatError(
            f"this record is of format {version}, and this release of ipycheckpoint reads up to "
            f"{FORMAT_VERSION}: a newer release can read it"
        )
    try:
        signed = _signed(version, plain)
        for old in range(version, FORMAT_VERSION):
            plain = _upgrades[old](plain)
        signature, attached = _signature(wrapped.get("signature")), _attached(wrapped.get("attached"))
        return Stored(_from_json(plain), signature, signed, view[start:], version, attached)
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
    return view if packed is None else decompress(what, view, packed.compression, nbytes)


def _check(what: str, expected: Digest, view: memoryview) -> None:
    found = digest_bytes(view)
    if found != expected:
        raise IntegrityError(what, expected, found)


def begins_as_record(view: bytes | memoryview) -> bool:
    """Whether these are the bytes of a record, as far as their beginning tells."""
    return bytes(view[: len(_START)]) == _START


def _parse(view: memoryview) -> tuple[dict[str, Any], int]:
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
        wrapped = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise FormatError(f"this is no record: its first line is no JSON ({problem})") from problem
    if not isinstance(wrapped, dict):
        raise FormatError("this is no record: its first line is no JSON object")
    return wrapped, end + 1 + -(end + 1) % ALIGNMENT


def _excess(line: bytes) -> str:
    """What is too much about the first line of a record; empty where nothing is."""
    if len(line) > _HEADER_NBYTES:
        return f"its first line has {len(line):,} bytes, and may have {_HEADER_NBYTES:,}"
    parts = line.count(b",") + line.count(b"{") + line.count(b"[")
    return f"its first line has {parts:,} parts, and may have {_HEADER_PARTS:,}" if parts > _HEADER_PARTS else ""


def _signed(version: int, plain: dict[str, Any]) -> bytes:
    # With the version: the same header may mean something else in another one.
    wrapped = {"ipycheckpoint": version, "header": plain}
    return json.dumps(wrapped, sort_keys=True, separators=(",", ":")).encode()


def _signature(plain: object) -> Signature | None:
    if not isinstance(plain, dict):
        return None
    return Signature(*(str(plain.get(name, "")) for name in ("scheme", "signer", "value")))


def _attached(plain: object) -> dict[str, str]:
    if not isinstance(plain, dict):
        return {}
    return {name: text for name, text in plain.items() if isinstance(text, str)}


def _to_json(header: Header) -> dict[str, Any]:
    plain = asdict(header)
    for ingredient in plain["ingredients"]:
        ingredient["parts"] = {path: list(part) for path, part in ingredient["parts"].items()}
    return cast("dict[str, Any]", _finite(plain))


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: repr(value)}
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _infinite(value: Any, depth: int = 0) -> Any:
    if depth > _DEPTH:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        if value.keys() == {_FLOAT}:
            return float(value[_FLOAT])
        return {key: _infinite(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_infinite(item, depth + 1) for item in value]
    return value


def _from_json(plain: dict[str, Any]) -> Header:
    plain = _infinite(plain)
    sections = tuple(_section(section) for section in plain["sections"])
    header = Header(
        kind=cast("Kind", _text(plain["kind"])),
        label=_text(plain["label"]),
        key=Key(_digest(plain["key"])),
        created=_moment(plain["created"]),
        seconds=_number(plain["seconds"]),
        ingredients=tuple(_ingredient(ingredient) for ingredient in plain["ingredients"]),
        outputs=tuple(_output(output, len(sections)) for output in plain["outputs"]),
        sections=sections,
        environment=_digest(plain["environment"]),
        texts=tuple((_count(position), _digest(text)) for position, text in plain.get("texts", ())),
        tags=tuple((_text(key), _text(value)) for key, value in plain.get("tags", ())),
        expires=None if plain.get("expires") is None else _number(plain["expires"]),
        trace=dict(plain.get("trace", {})),
        notes=tuple(_text(note) for note in plain.get("notes", ())),
    )
    if header.nbytes > _MOST_NBYTES:
        raise ValueError("its sections are larger than anything")
    return header


def _ingredient(plain: dict[str, Any]) -> Ingredient:
    return Ingredient(
        kind=cast("IngredientKind", _text(plain["kind"])),
        name=_text(plain["name"]),
        digest=_digest(plain["digest"]),
        preview=_text(plain.get("preview", "")),
        source=None if plain.get("source") is None else _text(plain["source"]),
        parts={
            path: Part(_digest(digest), _text(preview)) for path, (digest, preview) in plain.get("parts", {}).items()
        },
    )


def _output(plain: dict[str, Any], sections: int) -> Output:
    section = None if plain.get("section") is None else _count(plain["section"])
    if section is not None and section >= sections:
        raise ValueError(f"there is no section {section}")
    return Output(
        name=_text(plain["name"]),
        role=cast("Role", _text(plain["role"])),
        type=_text(plain.get("type", "")),
        nbytes=_count(plain.get("nbytes", 0)),
        preview=_text(plain.get("preview", "")),
        section=section,
        target=None if plain.get("target") is None else _text(plain["target"]),
    )


def _section(plain: dict[str, Any]) -> SectionRef:
    return SectionRef(
        codec=_text(plain["codec"]),
        digest=_digest(plain["digest"]),
        nbytes=_count(plain["nbytes"]),
        offset=_count(plain["offset"]),
        buffers=tuple(
            BufferRef(
                _digest(buffer["digest"]),
                _count(buffer["nbytes"]),
                None if buffer.get("offset") is None else _count(buffer["offset"]),
                _packing(buffer),
            )
            for buffer in plain.get("buffers", ())
        ),
        packed=_packing(plain),
    )


def _packing(plain: dict[str, Any]) -> Packed | None:
    packed = plain.get("packed")
    if packed is None:
        return None
    return Packed(cast("Compression", _text(packed["compression"])), _count(packed["nbytes"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.80} is no text")
    return value


def _digest(value: object) -> Digest:
    # It becomes a name in a store: nothing else may pass for one.
    if not _HEXADECIMAL.match(_text(value)):
        raise ValueError(f"{value!r:.80} is no Digest")
    return Digest(_text(value))


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MOST_NBYTES:
        raise ValueError(f"{value!r:.80} is no number of bytes")
    return value


def _number(value: object) -> float:
    if type(value) is not int and type(value) is not float:
        raise TypeError(f"{value!r:.80} is no number")
    return float(value)


def _moment(value: object) -> float:
    number = _number(value)
    if not -_LATEST <= number <= _LATEST:
        raise ValueError(f"{value!r:.80} is no time")
    return number
