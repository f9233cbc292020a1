"""The bytes of a record: one line of JSON, then the payload. See `record` for the picture.

The line wraps the header with the version of the format and the signature of the rest of it::

    {"ipycheckpoint": 1, "header": {...}, "signature": {"scheme": ..., "signer": ..., "value": ...}}

Spaces before the newline bring the payload to a multiple of 64 bytes. The header holds the Digest of each
section and buffer, so a good signature, and Digests that agree, vouch for every byte that is loaded.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

from ipycheckpoint.digest import Digest, digest_bytes
from ipycheckpoint.errors import FormatError, IntegrityError
from ipycheckpoint.identity.identity import Ingredient, IngredientKind, Key, Kind, Part
from ipycheckpoint.record.record import ALIGNMENT, BufferRef, Header, Output, Role, SectionRef
from ipycheckpoint.record.trust import Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ipycheckpoint.record.codec import Section

FORMAT_VERSION = 1

BLOB_NBYTES = 64 * 1024
"""Buffers of this size and more are Blobs, unless everything goes into the record itself."""

_START = b'{"ipycheckpoint":'
_HEADER_NBYTES = 256 * 1024 * 1024
# A header is read whole: past this size, what looks like one is something else.

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


def lay_out(sections: Sequence[Section], *, inline_all: bool = False) -> Layout:
    """Plan the payload: small buffers inside the record, large ones as Blobs, or `inline_all` of them.

    >>> from ipycheckpoint.record.codec import encode
    >>> [section] = lay_out(encode({"a": 1})).sections
    >>> section.codec, section.offset
    ('pickle5', 0)
    """
    payload = _Payload()
    blobs: dict[Digest, memoryview] = {}
    refs = []
    for section in sections:
        offset = payload.add(section.stream)
        buffers = []
        for buffer in section.buffers:
            found = digest_bytes(buffer)
            if inline_all or buffer.nbytes < BLOB_NBYTES:
                buffers.append(BufferRef(found, buffer.nbytes, payload.add(buffer)))
            else:
                blobs[found] = buffer
                buffers.append(BufferRef(found, buffer.nbytes))
        nbytes = len(section.stream)
        refs.append(SectionRef(section.codec, digest_bytes(section.stream), nbytes, offset, tuple(buffers)))
    return Layout(tuple(refs), tuple(payload.chunks), blobs)


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
) -> list[bytes | memoryview]:
    """The bytes of a record, in chunks: `chunks` are those of the Layout that gave the header its sections."""
    plain = _to_json(header)
    signature = None if sign is None else sign(_signed(FORMAT_VERSION, plain))
    wrapped = {"ipycheckpoint": FORMAT_VERSION, "header": plain, "signature": signature and asdict(signature)}
    line = json.dumps(wrapped, separators=(",", ":"), allow_nan=False).encode()
    return [line + b" " * (-(len(line) + 1) % ALIGNMENT) + b"\n", *chunks]


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
        return Stored(_from_json(plain), _signature(wrapped.get("signature")), signed, view[start:])
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
    reading. Raises IntegrityError and, for a place that isn't in the record, FormatError.
    """
    ref = stored.header.sections[index]
    stream = _place(stored, f"section {index}", ref.offset, ref.nbytes)
    _check(f"section {index}", ref.digest, stream)
    buffers = []
    for number, buffer in enumerate(ref.buffers):
        what = f"buffer {number} of section {index}"
        if buffer.offset is not None:
            view = _place(stored, what, buffer.offset, buffer.nbytes)
        else:
            found = blob(buffer.digest)
            if found is None:
                raise FormatError(f"{what} is gone: the store has no blob {buffer.digest[:12]}…")
            view = found
        if buffer.offset is not None or buffer.digest not in verified:
            _check(what, buffer.digest, view)
        # What is restored is the caller's own, to write to.
        buffers.append(memoryview(bytearray(view)) if view.readonly else view)
    return stream, buffers


def _place(stored: Stored, what: str, offset: int, nbytes: int) -> memoryview:
    if offset + nbytes > stored.payload.nbytes:
        raise FormatError(f"this record is cut off: {what} would end past its last byte")
    return stored.payload[offset : offset + nbytes]


def _check(what: str, expected: Digest, view: memoryview) -> None:
    found = digest_bytes(view)
    if found != expected:
        raise IntegrityError(what, expected, found)


def _parse(view: memoryview) -> tuple[dict[str, Any], int]:
    if bytes(view[: len(_START)]) != _START:
        raise FormatError("this is no record: it doesn't begin as one")
    end, step = -1, 64 * 1024
    for begin in range(0, min(view.nbytes, _HEADER_NBYTES), step):
        found = bytes(view[begin : begin + step]).find(b"\n")
        if found >= 0:
            end = begin + found
            break
    if end < 0:
        raise FormatError("this is no record, or one that is cut off: its header has no end")
    try:
        wrapped = json.loads(bytes(view[:end]))
    except (ValueError, RecursionError) as problem:
        raise FormatError(f"this is no record: its first line is no JSON ({problem})") from problem
    if not isinstance(wrapped, dict):
        raise FormatError("this is no record: its first line is no JSON object")
    return wrapped, end + 1 + -(end + 1) % ALIGNMENT


def _signed(version: int, plain: dict[str, Any]) -> bytes:
    # With the version: the same header may mean something else in another one.
    wrapped = {"ipycheckpoint": version, "header": plain}
    return json.dumps(wrapped, sort_keys=True, separators=(",", ":")).encode()


def _signature(plain: object) -> Signature | None:
    if not isinstance(plain, dict):
        return None
    return Signature(*(str(plain.get(name, "")) for name in ("scheme", "signer", "value")))


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


def _infinite(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_FLOAT}:
            return float(value[_FLOAT])
        return {key: _infinite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_infinite(item) for item in value]
    return value


def _from_json(plain: dict[str, Any]) -> Header:
    plain = _infinite(plain)
    sections = tuple(_section(section) for section in plain["sections"])
    return Header(
        kind=cast("Kind", _text(plain["kind"])),
        label=_text(plain["label"]),
        key=Key(_digest(plain["key"])),
        created=_number(plain["created"]),
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
            )
            for buffer in plain.get("buffers", ())
        ),
    )


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
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r:.80} is no number of bytes")
    return value


def _number(value: object) -> float:
    if type(value) is not int and type(value) is not float:
        raise TypeError(f"{value!r:.80} is no number")
    return value
