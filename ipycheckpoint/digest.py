"""Digests: BLAKE3 over an injective, typed, length-framed encoding.

Every field is written as its length (8 bytes, little endian) and its bytes, and the first
field is the kind of thing that is digested. So no two different sequences of fields can ever
feed the same bytes: ``("ab", "c")`` and ``("a", "bc")`` differ, and so do ``1.5`` and ``"1.5"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NewType, Self

from blake3 import blake3

from ipycheckpoint.progress import advance, slices

if TYPE_CHECKING:
    from typing_extensions import Buffer  # annotations only: nothing is imported at run time

Digest = NewType("Digest", str)
"""64 hexadecimal characters: a BLAKE3 hash of 32 bytes."""

_PARALLEL_NBYTES = 1 << 20  # below a mebibyte the threads cost more than they save


class Hasher:
    """Feeds fields, one after the other, to one BLAKE3 hash.

    >>> Hasher("pair").field(b"ab").field(b"c").hexdigest()[:8]
    '276daca5'
    """

    __slots__ = ("_hash",)

    def __init__(self, kind: str) -> None:
        self._hash = blake3()
        self.field(kind.encode())

    def field(self, data: Buffer) -> Self:
        """Add one field: any object with a C-contiguous buffer, of any size, without a copy."""
        if type(data) is bytes and len(data) < _PARALLEL_NBYTES:
            # Nearly all fields are short bytes: one call instead of five.
            self._hash.update(len(data).to_bytes(8, "little") + data)
            return self
        view = memoryview(data)
        self._hash.update(view.nbytes.to_bytes(8, "little"))
        self._update(view)
        return self

    def _update(self, view: memoryview) -> None:
        if view.nbytes >= _PARALLEL_NBYTES:
            # Threads are a matter of the whole hash, so a large field is hashed on its own.
            self._hash.update(_feed(blake3(max_threads=blake3.AUTO), view).digest())
        else:
            self._hash.update(_flat(view))

    def copy(self) -> Hasher:
        """Another one that has been fed the same."""
        hasher = Hasher.__new__(Hasher)
        hasher._hash = self._hash.copy()
        return hasher

    def digest(self) -> bytes:
        """The 32 bytes of the hash of all fields so far."""
        return self._hash.digest()

    def hexdigest(self) -> Digest:
        """The Digest of all fields so far."""
        return Digest(self._hash.hexdigest())


def digest(kind: str, *fields: Buffer) -> Digest:
    """The Digest of `fields`, which are of the given `kind`.

    >>> digest("text", b"ab", b"c") == digest("text", b"a", b"bc")
    False
    """
    hasher = Hasher(kind)
    for field in fields:
        hasher.field(field)
    return hasher.hexdigest()


def digest_bytes(*chunks: Buffer) -> Digest:
    """The plain BLAKE3 of `chunks` one after the other: what ``b3sum`` prints for a file of them.

    >>> digest_bytes(b"hello ", b"world") == digest_bytes(b"hello world")
    True
    """
    views = [memoryview(chunk) for chunk in chunks]
    nbytes = sum(view.nbytes for view in views)
    if nbytes >= _PARALLEL_NBYTES:
        content = blake3(max_threads=blake3.AUTO)
        for view in views:
            _feed(content, view)
    else:
        content = blake3(max_threads=1)
        for view in views:
            content.update(_flat(view))
        advance(nbytes)
    return Digest(content.hexdigest())


def _feed(content: blake3, view: memoryview) -> blake3:
    for piece in slices(_flat(view)):
        content.update(piece)
        advance(len(piece))
    return content


def _flat(view: memoryview) -> memoryview:
    # An empty view of several dimensions can't be cast, and needs no cast.
    return view.cast("B") if view.nbytes else memoryview(b"")
