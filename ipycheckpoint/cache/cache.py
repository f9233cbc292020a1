"""A Cache: Records in a Store. It saves, finds, verifies, loads and forgets them."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.digest import Digest, digest_bytes
from ipycheckpoint.errors import CheckpointError, FormatError, IntegrityError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.identity.outline import preview
from ipycheckpoint.record.codec import Section, decode
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.format import lay_out, read_header, read_section, write
from ipycheckpoint.record.record import Header
from ipycheckpoint.record.trust import Keyring

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ipycheckpoint.cache.catalogue import Catalogue, Row
    from ipycheckpoint.identity.identity import Identity, Ingredient, Kind
    from ipycheckpoint.record.format import Stored
    from ipycheckpoint.record.record import Output
    from ipycheckpoint.store.base import Content, Store

_TAPE = "tape"
"""The codec of the section that holds what the user saw."""

_COMPARED = 20
"""How many earlier records of a label are looked at for the nearest."""


_MOST_HEADERS = 1000
"""How many headers a process remembers, so that a record that is restored again and again is parsed once."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What becomes a Record when it is saved."""

    identity: Identity
    outputs: tuple[Output, ...]
    values: Mapping[str, object]
    """The values of the outputs that are in a section, for their previews."""
    sections: tuple[Section, ...]
    seconds: float
    tags: tuple[tuple[str, str], ...] = ()
    expires_seconds: float | None = None
    tape: bytes | None = None
    trace: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A record with a good signature. Nothing in it has been unpickled."""

    stored: Stored

    @property
    def header(self) -> Header:
        """What is known of it."""
        return self.stored.header


@dataclass(frozen=True, slots=True)
class Spoiled:
    """Something is there, and can't be used; `reason` says why, and what to do about it."""

    reason: str


class _Read(NamedTuple):
    """A header that was read before: as long as the record's stamp is the same, it is, too."""

    stamp: tuple[int, ...] | None
    stored: Stored
    """Without its payload, which each reader needs for itself."""
    start: int
    """Where the payload begins, in bytes."""
    is_trusted: bool = False
    """Its signature was found good."""


class Cache:
    """Records in `store`, listed in `catalogue`, signed and verified with `keyring`.

    >>> import tempfile
    >>> cache = Cache.at(tempfile.mkdtemp())
    >>> cache.header("0" * 64) is None
    True
    >>> cache.close()
    """

    def __init__(self, store: Store, catalogue: Catalogue, keyring: Keyring, directory: Path | None = None) -> None:
        self.directory = directory
        """The directory that is this cache's own, if it has one."""
        self._store = store
        self._catalogue = catalogue
        self._keyring = keyring
        self._verified: dict[Digest, tuple[int, ...]] = {}
        self._headers: OrderedDict[Key, _Read] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def location(self) -> str:
        """Where it is."""
        return self._store.location

    def save(self, draft: Draft) -> Header:
        """Keep `draft` under its Key. Raises StoreError; then nothing is kept."""
        tape = () if draft.tape is None else (Section((), draft.tape, (), _TAPE),)
        layout = lay_out((*draft.sections, *tape))
        environment = self._put_blob(Environment.current().to_json())
        now = time.time()
        header = Header(
            kind=draft.identity.kind,
            label=draft.identity.label,
            key=draft.identity.key,
            created=now,
            seconds=draft.seconds,
            ingredients=tuple(replace(ingredient, source=None) for ingredient in draft.identity.ingredients),
            outputs=_described(draft),
            sections=layout.sections,
            environment=environment,
            texts=self._put_texts(draft.identity.ingredients),
            tags=draft.tags,
            expires=None if draft.expires_seconds is None else now + draft.expires_seconds,
            trace=draft.trace,
            notes=draft.notes,
        )
        for blob_digest, blob in layout.blobs.items():
            if not self._store.contains(_blob(blob_digest)):
                self._store.put(_blob(blob_digest), [blob])
        # The record comes last: whoever finds it finds all that it refers to.
        self._store.put(_record(header.key), write(header, layout.chunks, self._keyring.sign))
        self._catalogue.add(header)
        return header

    def _put_blob(self, content: bytes) -> Digest:
        content_digest = digest_bytes(content)
        if not self._store.contains(_blob(content_digest)):
            self._store.put(_blob(content_digest), [content])
        return content_digest

    def _put_texts(self, ingredients: Sequence[Ingredient]) -> tuple[tuple[int, Digest], ...]:
        return tuple(
            (position, self._put_blob(ingredient.source.encode("utf-8", "surrogatepass")))
            for position, ingredient in enumerate(ingredients)
            if ingredient.source is not None
        )

    def _with_texts(self, header: Header) -> Header:
        ingredients = list(header.ingredients)
        for position, text in header.texts:
            content = self._store.get(_blob(text))
            if content is not None and position < len(ingredients):
                source = bytes(content.view).decode("utf-8", "surrogatepass")
                ingredients[position] = replace(ingredients[position], source=source)
        return replace(header, ingredients=tuple(ingredients))

    def find(self, key: Key) -> Found | Spoiled | None:
        """What is kept under `key`; nothing is unpickled, nothing written."""
        try:
            content = self._store.get(_record(key))
            if content is None:
                return None
            read = self._read_header(key, content)
        except CheckpointError as problem:
            return Spoiled(f"its record is damaged: {problem}")
        header = read.stored.header
        if header.key != key:
            return Spoiled("its record is damaged: it belongs to another key")
        if not read.is_trusted:
            if not self._keyring.verify(read.stored.signed, read.stored.signature):
                return Spoiled(f"its record of {_day(header)} is not signed by you, so it is not loaded")
            self._remember(key, read._replace(is_trusted=True))
        return Found(replace(read.stored, payload=content.view[read.start :]))

    def _read_header(self, key: Key, content: Content) -> _Read:
        known = self._headers.get(key)
        if known is not None and known.stamp == content.stamp:
            return known
        stored = read_header(content.view)
        start = content.view.nbytes - stored.payload.nbytes
        read = _Read(content.stamp, replace(stored, payload=memoryview(b"")), start)
        self._remember(key, read)
        return read

    def _remember(self, key: Key, read: _Read) -> None:
        if read.stamp is None:
            return
        with self._lock:
            self._headers[key] = read
            self._headers.move_to_end(key)
            if len(self._headers) > _MOST_HEADERS:
                self._headers.popitem(last=False)

    def load(
        self,
        found: Found,
        *,
        resolve: Callable[[tuple[object, ...]], object] | None = None,
        namespace: dict[str, Any] | None = None,
    ) -> dict[str, object] | LoadFailure:
        """The values of all outputs that are in a section, by name; or the first failure."""
        values: dict[str, object] = {}
        for index, section in enumerate(found.header.sections):
            if section.codec == _TAPE:
                continue
            raw: memoryview | bytes = b""
            try:
                raw, buffers = self._read(found, index)
                values |= decode(raw, buffers, resolve=resolve, namespace=namespace)
            except Exception as problem:  # noqa: BLE001 - unpickling raises whatever the classes in it raise
                names = [output.name for output in found.header.outputs if output.section == index]
                then = self._environment(found.header)
                return LoadFailure(", ".join(names), problem, raw, Environment.current(), then)
        return values

    def _read(self, found: Found, index: int) -> tuple[memoryview, list[memoryview]]:
        verified: set[Digest] = set()
        stamps: dict[Digest, tuple[int, ...]] = {}

        def blob(blob_digest: Digest) -> memoryview | None:
            content = self._store.get(_blob(blob_digest))
            if content is None:
                return None
            if content.stamp is not None:
                # The very file that was verified before, and not written since, needs no second look.
                if self._verified.get(blob_digest) == content.stamp:
                    verified.add(blob_digest)
                stamps[blob_digest] = content.stamp
            return content.view

        try:
            stream, buffers = read_section(found.stored, index, blob, verified)
        except IntegrityError as problem:
            if problem.expected in stamps:
                # A damaged blob serves no record: without it, the next save writes it again.
                self._store.remove(_blob(Digest(problem.expected)))
            raise
        with self._lock:
            self._verified |= stamps
        return stream, buffers

    def _environment(self, header: Header) -> Environment | None:
        try:
            content = self._store.get(_blob(header.environment))
            return None if content is None else Environment.from_json(bytes(content.view))
        except (CheckpointError, ValueError):
            return None

    def tape(self, found: Found) -> bytes:
        """What the user saw of the run, as `engine.tape` wrote it. Raises IntegrityError or FormatError."""
        for index, section in enumerate(found.header.sections):
            if section.codec == _TAPE:
                return bytes(self._read(found, index)[0])
        raise FormatError("this record has no tape")

    def header(self, key: Key) -> Header | None:
        """What is known of the record under `key`; None if there is none that can be read. Writes nothing."""
        try:
            header = self._bare_header(key)
            return None if header is None else self._with_texts(header)
        except CheckpointError:
            return None

    def _bare_header(self, key: Key) -> Header | None:
        content = self._store.get(_record(key))
        return None if content is None else self._read_header(key, content).stored.header

    def headers(self) -> Iterator[Header]:
        """The headers of all records that can be read, without source texts, in no particular order. Writes nothing."""
        for entry in self._store.entries("records/"):
            with suppress(CheckpointError):
                header = self._bare_header(Key(entry.name.removeprefix("records/")))
                if header is not None:
                    yield header

    def nearest(self, identity: Identity) -> Header | None:
        """The earlier record of the same label and kind with the most Ingredients in common, the newest of several."""
        digests = {ingredient.digest for ingredient in identity.ingredients}
        nearest, most = None, -1
        for key in self._catalogue.keys_of(identity.label, _COMPARED):
            header = None
            with suppress(CheckpointError):
                header = self._bare_header(key)
            if header is None or header.kind != identity.kind or key == identity.key:
                continue
            common = len(digests.intersection(ingredient.digest for ingredient in header.ingredients))
            if common > most:
                nearest, most = header, common
        return None if nearest is None else self._with_texts(nearest)

    def count_hit(self, header: Header, seconds: float) -> None:
        """Count a restore that took `seconds` in the statistics."""
        self._catalogue.hit(header.key, header.seconds - seconds)

    def rows(self) -> list[Row]:
        """The catalogue: a row for each record, newest first."""
        return self._catalogue.rows()

    def forget(self, key: Key) -> bool:
        """Remove the record under `key`; whether there was one."""
        removed = self._store.remove(_record(key))
        self._catalogue.remove(key)
        return removed

    def forget_label(self, label: str, kind: Kind | None = None) -> int:
        """Remove all records of `label`; how many there were."""
        return sum(self.forget(row.key) for row in self._catalogue.rows(label=label, kind=kind))

    def close(self) -> None:
        """Write down the statistics, and let go of files. It can be used again."""
        self._catalogue.close()
        close = getattr(self._store, "close", None)
        if close is not None:
            close()

    @classmethod
    def at(cls, directory: str | os.PathLike[str], *, keyring: Keyring | None = None) -> Cache:
        """The Cache in `directory`, which the first save makes; the user's own secret signs unless told otherwise."""
        from ipycheckpoint.cache.catalogue import Catalogue
        from ipycheckpoint.store.directory import DirectoryStore

        path = Path(directory)
        cache: Cache

        def headers() -> Iterator[Header]:
            return cache.headers()

        cache = cls(DirectoryStore(path), Catalogue(path / "catalogue.sqlite", headers), keyring or Keyring(), path)
        return cache


def _described(draft: Draft) -> tuple[Output, ...]:
    section_of = {name: index for index, section in enumerate(draft.sections) for name in section.names}
    shares = [len(section.names) for section in draft.sections]
    nbytes = [len(s.stream) + sum(buffer.nbytes for buffer in s.buffers) for s in draft.sections]
    described = []
    for output in draft.outputs:
        index = section_of.get(output.name)
        if index is None:
            described.append(output)
        else:
            value = draft.values[output.name]
            # What several outputs share can't be told apart: each is listed with its part of the whole.
            share = nbytes[index] // shares[index]
            kind = type(value).__qualname__
            # What is in the environment may be a secret: it stays in the section, and out of the header.
            shown = "" if output.role == "ambient" else preview(value)
            described.append(replace(output, type=kind, nbytes=share, preview=shown, section=index))
    return tuple(described)


def _day(header: Header) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(header.created))


def _record(key: str) -> str:
    return f"records/{key}"


def _blob(blob_digest: Digest) -> str:
    return f"blobs/{blob_digest}"
