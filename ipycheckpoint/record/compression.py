"""Bytes made smaller, and back: never more of them than was promised."""

from __future__ import annotations

import lzma
import zlib
from typing import TYPE_CHECKING, Any, cast, get_args

from ipycheckpoint.errors import FormatError, UsageError
from ipycheckpoint.record.record import Compression

if TYPE_CHECKING:
    from collections.abc import Callable

COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)

_SLICE_NBYTES = 1 << 20  # what is read at once: an interrupt comes through, and nothing large is held twice

_SMALLEST_NBYTES = 128  # below it, compression costs more than it saves

_MEMORY_NBYTES = 256 * 1024 * 1024  # what lzma may take to decompress: our own streams need a tenth of it

_NEW: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "fast": (lambda: zlib.compressobj(1), zlib.decompressobj),
    # The Digest of the bytes is verified anyway: lzma's own sum would be a second one. Its default preset takes some
    # ten times as long as this one, and makes numbers and texts hardly any smaller.
    "small": (
        lambda: lzma.LZMACompressor(check=lzma.CHECK_NONE, preset=2),
        lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_NBYTES),
    ),
}


def check_compression(compression: str) -> Compression:
    """Return `compression` if it is one; UsageError otherwise.

    >>> check_compression("fast")
    'fast'
    """
    if compression not in COMPRESSIONS:
        raise UsageError(f"compression is {compression!r}; it must be one of {', '.join(COMPRESSIONS)}")
    return compression


def compress(view: memoryview, compression: Compression) -> bytes | None:
    r"""The bytes of `view`, made smaller; None where they stay as they are.

    >>> compress(memoryview(bytes(10_000)), "fast")[:2], compress(memoryview(bytes(10_000)), "none")
    (b'x\x01', None)
    """
    if compression == "none" or view.nbytes < _SMALLEST_NBYTES:
        return None
    compressor = _NEW[compression][0]()
    flat = view.cast("B")
    parts, nbytes = [], 0
    for begin in range(0, flat.nbytes, _SLICE_NBYTES):
        parts.append(compressor.compress(flat[begin : begin + _SLICE_NBYTES]))
        nbytes += len(parts[-1])
        if nbytes >= flat.nbytes:
            return None  # noise: it takes less room as it is
    packed = b"".join((*parts, compressor.flush()))
    return packed if len(packed) < flat.nbytes else None


def decompress(what: str, view: memoryview, compression: str, nbytes: int) -> memoryview:
    """The `nbytes` bytes that `view` was made of, private and writable. Raises FormatError if it wasn't."""
    if compression not in _NEW:
        raise FormatError(
            f"{what} is compressed as {compression!r}, and this release of ipycheckpoint knows "
            f"{', '.join(COMPRESSIONS)}: a newer release can read it"
        )
    decompressor = _NEW[compression][1]()
    out = bytearray()
    try:
        for begin in range(0, view.nbytes, _SLICE_NBYTES):
            piece = view[begin : begin + _SLICE_NBYTES]
            while not decompressor.eof:
                # One byte more than there may be, so that a stream that goes on is seen to.
                room = min(_SLICE_NBYTES, nbytes - len(out) + 1)
                out += (made := decompressor.decompress(piece, room))
                if len(out) > nbytes:
                    raise FormatError(f"{what} holds more than the {nbytes:,} bytes that its header promises")
                piece = memoryview(_left(decompressor))
                if not made and not piece:
                    break
    except (zlib.error, lzma.LZMAError) as problem:
        raise FormatError(f"{what} can't be decompressed: {problem}") from problem
    if len(out) < nbytes or not decompressor.eof:
        raise FormatError(f"{what} holds {len(out):,} bytes, and its header promises {nbytes:,}")
    return memoryview(out)


def _left(decompressor: Any) -> bytes:
    """What the decompressor wants to be given again: zlib hands it back, lzma keeps it."""
    return cast("bytes", getattr(decompressor, "unconsumed_tail", b""))
