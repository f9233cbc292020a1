"""The Record: an immutable, self-describing thing. This module is its header.

A record is one line of JSON, a newline, and then the payload. ``json.loads(file.readline())``
reads the header, whoever wrote the file. Numbers called `offset` count bytes from the start of
the payload, which begins at the first multiple of 64 bytes after the newline; each section and
buffer begins at a multiple of 64, too. A buffer without an offset is a Blob of the Store.

What is compressed has its Digest from the bytes as they lie in the file, so that they are verified before
any code has looked into them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipycheckpoint.digest import Digest
    from ipycheckpoint.identity.identity import Ingredient, Key, Kind

ALIGNMENT = 64
"""Bytes: sections and buffers begin at multiples of it, so that arrays can be mapped in place."""

Compression = Literal["none", "fast", "small"]
"""How a section or buffer lies in a record: as it is, or made smaller, quickly (zlib) or well (lzma)."""

Role = Literal["result", "bound", "changed", "deleted", "linked", "import", "shown", "ambient", "data"]
"""What an output is to its run: a function's `result`; a name that a cell `bound`, `changed` in place,
`deleted`, `linked` to a live object, or bound by `import`; the value a cell has `shown`; what it changed about
the process, an `ambient` output; a savepoint's `data`."""


class Packed(NamedTuple):
    """How compressed bytes lie in a record."""

    compression: Compression
    nbytes: int
    """How many bytes they take there."""


class BufferRef(NamedTuple):
    """One large buffer of a section: inside the record at `offset`, or the Blob with this Digest."""

    digest: Digest
    nbytes: int
    offset: int | None = None
    packed: Packed | None = None
    """None where the bytes lie there as they are; a Blob's always do."""


class SectionRef(NamedTuple):
    """One stream with the outputs that share objects, and its buffers in order.

    A stream is several pickles with a common memo: the names, then the value of each. `codec` says who wrote
    it, ``pickle5`` or ``dill``; the same reader loads both. ``json`` is one JSON object, of names and values.
    """

    codec: str
    digest: Digest
    nbytes: int
    offset: int
    buffers: tuple[BufferRef, ...] = ()
    packed: Packed | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """One thing that a run left behind."""

    name: str
    role: Role
    type: str = ""
    nbytes: int = 0
    preview: str = ""
    section: int | None = None
    """Which section holds it; None where nothing needs to be unpickled (deleted, linked, import)."""
    target: str | None = None
    """For `linked`: the path of the live object. For `import`: the statement."""


@dataclass(frozen=True, slots=True)
class Header:
    """All that is known of a Record without unpickling anything.

    >>> import tempfile
    >>> from ipycheckpoint import read, save
    >>> path = tempfile.mkdtemp() + "/run.ckpt"
    >>> save(path, x=[1, 2], y="text")
    >>> header = read(path).header
    >>> header.label, [(output.name, output.type, output.preview) for output in header.outputs]
    ('run', [('x', 'list', '[1, 2]'), ('y', 'str', "'text'")])
    """

    kind: Kind
    label: str
    key: Key
    created: float
    """Seconds since the epoch."""
    seconds: float
    """How long the run took."""
    ingredients: tuple[Ingredient, ...]
    outputs: tuple[Output, ...]
    sections: tuple[SectionRef, ...]
    environment: Digest
    """The Blob that holds the Environment, as JSON."""
    texts: tuple[tuple[int, Digest], ...] = ()
    """Which Blob holds the source text of which Ingredient, by position: records of one function share it."""
    tags: tuple[tuple[str, str], ...] = ()
    expires: float | None = None
    """Seconds since the epoch, after which the record is no hit any more."""
    trace: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What the user should know of this result, such as "drew from an unseeded generator"."""

    @property
    def nbytes(self) -> int:
        """Bytes of payload, Blobs included, before any compression."""
        return sum(s.nbytes + sum(b.nbytes for b in s.buffers) for s in self.sections)
