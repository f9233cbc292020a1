"""A Cache: Records in a Store. It saves, finds, verifies, loads and forgets them."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.cache.failures import Failures
from ipycheckpoint.cache.listing import Listed
from ipycheckpoint.cache.news import Event, News
from ipycheckpoint.cache.recall import Recall, is_plain, is_short
from ipycheckpoint.cache.stamps import Stamps
from ipycheckpoint.digest import Digest, digest_bytes
from ipycheckpoint.errors import CheckpointError, FormatError, IntegrityError, StoreError
from ipycheckpoint.progress import aloud, measured
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.format import lay_out, read_header, read_section, write
from ipycheckpoint.record.record import Header, Output
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.record.unpickling import decode
from ipycheckpoint.store.base import is_url
from ipycheckpoint.store.system import REAL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from ipycheckpoint.cache.catalogue import Catalogue
    from ipycheckpoint.cache.failures import PastFailure
    from ipycheckpoint.cache.listing import Row
    from ipycheckpoint.cache.news import Happening
    from ipycheckpoint.cache.opened import Reading, Record
    from ipycheckpoint.cache.prune import Pruned, Room
    from ipycheckpoint.cache.recall import Absent, Recalled
    from ipycheckpoint.cache.upkeep import Upkeep
    from ipycheckpoint.identity.identity import Identity, Ingredient, Key, Kind
    from ipycheckpoint.record.brief import Brief
    from ipycheckpoint.record.codec import Section
    from ipycheckpoint.record.environment import Environment
    from ipycheckpoint.record.format import Stored
    from ipycheckpoint.store.base import Content, Store, Write
    from ipycheckpoint.store.system import System

_TAPE = "tape"
"""The codec of the section that holds what the user saw."""

_COMPARED = 8
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
    content: Content | None = None
    """The bytes as the store gave them, where they are of one."""

    @property
    def header(self) -> Header:
        """What is known of it."""
        return self.stored.header


class Spoiled(NamedTuple):
    """Something is there, and can't be used; `reason` says why, and what to do about it."""

    reason: str


class Shared(NamedTuple):
    """What many records have in common: the Environment, the source texts."""

    digest: Digest
    content: bytes

    @classmethod
    @lru_cache(maxsize=10)
    def of(cls, content: bytes) -> Shared:
        """`content`, digested once."""
        return cls(digest_bytes(content), content)


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

    is_plain = False
    """It keeps records, not the very results."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        keyring: Keyring,
        directory: Path | None = None,
        news: News | None = None,
        *,
        place: str | None = None,
    ) -> None:
        self.directory = directory
        """The directory that is this cache's own, if it has one."""
        self.catalogue = catalogue
        """The listing of its records."""
        self.failures = Failures(store, catalogue)
        """What is known of loads that failed."""
        self.news = news or News()
        """Who wants to know what happens to its records."""
        self.max_bytes: int | None = None
        """It prunes itself to stay below that."""
        self.place = place
        """What opens it in another process, a path or URL; None where nothing does."""
        self._room: Room | None = None
        self._store = store
        self._catalogue = catalogue
        self._keyring = keyring
        self._stamps = Stamps(store, keyring)
        self._headers: OrderedDict[Key, _Read] = OrderedDict()
        self._is_far = hasattr(store, "bring")
        """What isn't near is asked for only once."""
        self._recall = Recall(store, keyring, None if self._is_far else self._stamps)
        self._lock = threading.Lock()

    @property
    def location(self) -> str:
        """Where it is."""
        return self._store.location

    @cached_property
    def upkeep(self) -> Upkeep:
        """Pins, trust and verification."""
        from ipycheckpoint.cache.upkeep import Upkeep  # here and below: what a hit doesn't need, it doesn't load

        return Upkeep(self._store, self._catalogue, self._keyring)

    def save(self, draft: Draft) -> Header:
        """Keep `draft` under its Key. Raises StoreError; then nothing is kept."""
        from ipycheckpoint.cache.garbage import GRACE_SECONDS
        from ipycheckpoint.record.codec import Section

        began = time.time()
        tape = () if draft.tape is None else (Section((), draft.tape, (), _TAPE),)
        layout = lay_out((*draft.sections, *tape))
        environment = Shared.of(self._environment_now().to_json())
        texts = texts_of(draft.identity.ingredients)
        self._put_shared([environment, *texts.values()])
        now = time.time()
        header = Header(
            kind=draft.identity.kind,
            label=draft.identity.label,
            key=draft.identity.key,
            created=now,
            seconds=round(draft.seconds, 9),  # no clock tells more, and the rest is digits
            ingredients=tuple(each if each.source is None else each.bare() for each in draft.identity.ingredients),
            outputs=described(draft),
            sections=layout.sections,
            environment=environment.digest,
            texts=tuple((position, text.digest) for position, text in texts.items()),
            tags=draft.tags,
            expires=None if draft.expires_seconds is None else now + draft.expires_seconds,
            trace=draft.trace,
            notes=draft.notes,
        )
        new = {found: blob for found, blob in layout.blobs.items() if not self._is_there(found)}
        puts: list[tuple[str, Sequence[bytes | memoryview]]] = [(_blob(found), [blob]) for found, blob in new.items()]
        # The record comes last: whoever finds it finds all that it refers to.
        puts.append((_record(header.key), write(header, layout.chunks, self._keyring.sign)))
        sizes = [sum(memoryview(chunk).nbytes for chunk in chunks) for _, chunks in puts]
        with measured("keeping", sum(sizes)) as meter:
            for (name, chunks), nbytes in zip(puts, sizes, strict=True):
                self._store.put(name, chunks)
                meter.complete(nbytes)
        if threading.active_count() == 1:
            # Else another thread may have changed an array after its Digest was taken, which whoever loads it finds.
            self._stamps.kept(header.key, new)
        if time.time() - began > GRACE_SECONDS / 2:
            # So long after its Blobs, some may have been taken for garbage before the record came.
            self._put_shared([environment, *texts.values()])
            self._put_blobs(layout.blobs)
        self._catalogue.add(Listed(header, self._keyring.signer), sizes[-1])
        self.failures.settle(header.key)
        self._tell("kept", header)
        if self.max_bytes is not None:
            from ipycheckpoint.cache.prune import Room

            self._room = self._room or Room()
            self._room.take(self, self.max_bytes, sum(sizes))
        return header

    def _environment_now(self) -> Environment:
        from ipycheckpoint.record.environment import Environment

        # Where others read it, too, it says who they can ask.
        now = Environment.current()
        return now.signed() if is_url(self.place) else now

    def _put_shared(self, contents: Iterable[Shared]) -> None:
        from ipycheckpoint.cache.garbage import are_surely_renewed

        wanted = {each.digest: each.content for each in contents}
        if not are_surely_renewed(self._store, list(map(_blob, wanted))):
            self._put_blobs(wanted)

    def _put_blobs(self, contents: Mapping[Digest, bytes] | Mapping[Digest, memoryview]) -> None:
        """Put each, unless it is there; then it counts as put now."""
        for blob_digest, content in contents.items():
            if not self._is_there(blob_digest):
                self._store.put(_blob(blob_digest), [content])

    def _is_there(self, blob_digest: Digest) -> bool:
        from ipycheckpoint.cache.garbage import renewed

        return renewed(self._store, _blob(blob_digest))

    def _with_texts(self, header: Header) -> Header:
        ingredients = list(header.ingredients)
        for position, text in header.texts:
            content = self._text(text)
            if content is not None and position < len(ingredients):
                source = content.decode("utf-8", "surrogatepass")
                ingredients[position] = replace(ingredients[position], source=source)
        return replace(header, ingredients=tuple(ingredients))

    def find(self, key: Key) -> Found | Spoiled | None:
        """What is kept under `key`; nothing is unpickled, nothing written."""
        try:
            content = self._store.get(_record(key))
            if content is None:
                return None
            read = self._read_header(key, content)
        except StoreError as problem:
            return Spoiled(str(problem))
        except CheckpointError as problem:
            return Spoiled(f"its record is damaged: {problem}")
        header = read.stored.header
        if header.key != key:
            return Spoiled("its record is damaged: it belongs to another key")
        if not read.is_trusted:
            if not self._keyring.verify(read.stored.signed, read.stored.signature):
                return Spoiled(f"its record of {_day(header)} is not signed by you, so it is not loaded")
            self._remember(key, read._replace(is_trusted=True))
        return Found(read.stored._replace(payload=content.view[read.start :]), content)

    def bring(self, keys: Collection[Key]) -> set[Key]:
        """Those of `keys` that may have a record; what is far away of these comes near, all at once."""
        bring = getattr(self._store, "bring", None)
        if bring is None:
            return set(keys)
        there = bring([_record(key) for key in keys])
        found = {key for key in keys if _record(key) in there}
        headers = [self.find(key) for key in found]
        bring([_blob(blob) for one in headers if isinstance(one, Found) for blob in _buffers(one.header)])
        return found

    def _read_header(self, key: Key, content: Content) -> _Read:
        known = self._headers.get(key)
        if known is not None and known.stamp == content.stamp:
            return known
        stored = read_header(content.view)
        start = content.view.nbytes - stored.payload.nbytes
        read = _Read(content.stamp, stored._replace(payload=memoryview(b"")), start)
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

    def recall(self, key: Key) -> Recalled | Absent | None:
        """The result of a call, if it is short and nothing else hangs on it; None where it must be looked up."""
        recalled: Recalled | Absent | None = self._recall.get(key)
        if recalled is None and not self._is_far and not self._was_large(key):
            recalled = self._recall.load(_record(key), key)
        return recalled

    def hold(self, key: Key) -> None:
        """Have `recall` know the result under `key`, if nothing else hangs on it. Writes nothing."""
        known = self._headers.get(key)
        found = self.find(key) if known is None or is_short(known.stored.header) else None
        if isinstance(found, Found):
            self._recall.hold(_record(key), found)

    def _was_large(self, key: Key) -> bool:
        """Whether the record under `key` was none to recall when it was last read: it is not read again for that."""
        known = self._headers.get(key)
        return known is not None and not is_plain(known.stored.header)

    def load(
        self,
        found: Found,
        *,
        resolve: Callable[[tuple[object, ...]], object] | None = None,
        namespace: dict[str, Any] | None = None,
    ) -> dict[str, object] | LoadFailure:
        """The values of all outputs that are in a section, by name; or the first failure."""
        values: dict[str, object] = {}
        opened = self._open_blobs(found.header)
        sizes = [
            0 if section.codec == _TAPE else section.nbytes + sum(buffer.nbytes for buffer in section.buffers)
            for section in found.header.sections
        ]
        with measured("loading", sum(sizes)) as meter:
            for index, section in enumerate(found.header.sections):
                if section.codec == _TAPE:
                    continue
                raw: memoryview | bytes = b""
                try:
                    raw, buffers = self._read(found, index, opened)
                    meter.complete(sizes[index])
                    values |= decode(raw, buffers, resolve=resolve, namespace=namespace)
                except Exception as problem:  # noqa: BLE001 - unpickling raises whatever the classes in it raise
                    from ipycheckpoint.record.environment import Environment

                    names = [output.name for output in found.header.outputs if output.section == index]
                    return LoadFailure(
                        ", ".join(names),
                        problem,
                        raw,
                        Environment.current(),
                        self._environment(found.header),
                        type_name=next((o.type for o in found.header.outputs if names == [o.name]), ""),
                        origin=found.header.key,
                    )
        return values

    def _open_blobs(self, header: Header) -> dict[Digest, Content | None]:
        """All Blobs, before any is read, which may take long: what is pruned meanwhile stays readable."""
        wanted = {b.digest: b.nbytes for section in header.sections for b in section.buffers if b.offset is None}
        if self._is_far and wanted:
            self._fetch(wanted)
        opened: dict[Digest, Content | None] = {}
        for blob in wanted:
            with suppress(CheckpointError):  # it is asked for again, and told of then
                opened[blob] = self._store.get(_blob(blob))
        return opened

    def _fetch(self, blobs: Mapping[Digest, int]) -> None:
        """Have `blobs` come near, those that aren't: who listens, or waits for it, is told how far it has come."""
        from ipycheckpoint.cache.garbage import GRACE_SECONDS, renewed

        missing = [blob for blob in blobs if not self._store.local.contains(_blob(blob))]  # type: ignore[attr-defined]  # it has two tiers
        if not missing:
            return
        told = time.monotonic()
        with aloud(f"fetching from {self.location}", sum(blobs[blob] for blob in missing)) as meter:
            for index, blob in enumerate(missing):
                if time.monotonic() > told + GRACE_SECONDS / 4:
                    # The record may have been pruned since it was found: what is not here yet is needed still.
                    told = time.monotonic()
                    for each in missing[index:]:
                        renewed(self._store, _blob(each))
                with suppress(CheckpointError):
                    self._store.get(_blob(blob))
                meter.complete(blobs[blob])

    def _read(
        self, found: Found, index: int, opened: dict[Digest, Content | None] | None = None
    ) -> tuple[memoryview, list[memoryview]]:
        """A section's stream and buffers. Blobs of `opened` are taken from there: each is one reader's alone."""
        verified: set[Digest] = set()
        stamps: dict[Digest, tuple[int, ...]] = {}

        def blob(blob_digest: Digest) -> memoryview | None:
            content = opened.pop(blob_digest, None) if opened else None
            if content is None:
                content = self._store.get(_blob(blob_digest))
            if content is None:
                return None
            if content.stamp is not None:
                # The very file that was verified before, and not written since, needs no second look.
                if self._stamps.vouches(found.header.key, blob_digest, content.stamp):
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
        self._stamps.add(found.header.key, stamps)
        return stream, buffers

    def _environment(self, header: Header) -> Environment | None:
        from ipycheckpoint.record.environment import Environment

        try:
            content = self._text(header.environment)
            return None if content is None else Environment.from_json(content)
        except CheckpointError:
            return None

    def _text(self, wanted: Digest) -> bytes | None:
        """A Blob that is shown and not loaded; None where it is gone, or isn't what was kept."""
        content = self._store.get(_blob(wanted))
        return bytes(content.view) if content is not None and digest_bytes(content.view) == wanted else None

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

    def open(self, key: Key) -> Record | None:
        """The record under `key`, whoever signed it; None if there is none. Nothing is loaded yet, nothing written.

        Raises FormatError for a damaged one.
        """
        from ipycheckpoint.cache.opened import Record

        content = self._store.get(_record(key))
        if content is None:
            return None
        read = self._read_header(key, content)
        if read.stored.header.key != key:
            raise FormatError(f"the record under {key} belongs to another key")
        # What is handed out is the caller's to write to, so what is held is only ever copied from.
        found = Found(read.stored._replace(payload=content.view[read.start :].toreadonly()))

        def blob(wanted: Digest) -> memoryview | None:
            kept = self._store.get(_blob(wanted))
            return None if kept is None else kept.view

        def reading() -> Reading:
            return lambda index: self._read(found, index)

        return Record(found.stored, location=key, keyring=self._keyring, reading=reading, blob=blob)

    def _bare_header(self, key: Key) -> Header | None:
        content = self._store.get(_record(key))
        return None if content is None else self._read_header(key, content).stored.header

    def nearest(self, identity: Identity, before: float | None = None) -> Header | None:
        """The earlier record of the same label and kind with the most Ingredients in common, the newest of several.

        `before`, in seconds since the epoch, leaves out what was made later.
        """
        digests = {ingredient.digest for ingredient in identity.ingredients}
        nearest, most = None, -1
        for key in self._catalogue.keys_of(identity.label, _COMPARED, before):
            header = None
            with suppress(CheckpointError):
                header = self._bare_header(key)
            if header is None or header.kind != identity.kind or key == identity.key:
                continue
            common = len(digests.intersection(ingredient.digest for ingredient in header.ingredients))
            if common > most:
                nearest, most = header, common
        return None if nearest is None else self._with_texts(nearest)

    def fail(self, key: Key, failure: LoadFailure) -> None:
        """Note beside the record under `key` that it could not be loaded, and why."""
        self.failures.add(key, failure)
        if self.news.is_heard:
            for row in self._catalogue.rows(keys=[key]):
                self.news.tell(Event("failed", row.label, key))

    def failure(self, key: Key) -> PastFailure | None:
        """The last load of the record under `key` that failed; None if none has. Writes nothing."""
        return self.failures.get(key)

    def count_hit(self, header: Header | Brief, seconds: float) -> None:
        """Count a restore that took `seconds` in the statistics."""
        self.failures.settle(header.key)
        self._stamps.write(header.key)
        self._catalogue.hit(header.key, header.seconds - seconds, seconds)
        self._tell("restored", header)

    def _tell(self, what: Happening, header: Header | Brief) -> None:
        if self.news.is_heard:
            self.news.tell(Event(what, header.label, header.key, header.kind))

    def rows(self) -> list[Row]:
        """The catalogue: a row for each record, newest first."""
        return self._catalogue.rows()

    def forget(self, key: Key) -> bool:
        """Remove the record under `key`; whether there was one."""
        removed = self._store.remove(_record(key))
        self._forgotten(key)
        return removed

    def forget_old(self, key: Key, before: float) -> bool:
        """Remove the record under `key` if it was kept `before` that, in seconds since the epoch; whether it was."""
        removed = self._store.remove_old(_record(key), before)
        if removed:
            self._forgotten(key)
        return removed

    def _forgotten(self, key: Key) -> None:
        self._store.remove(f"pins/{key}")
        self._stamps.forget(key)
        self.failures.forget(key)
        self._catalogue.remove(key)
        if self.news.is_heard:
            self.news.tell(Event("forgotten", "", key))

    def prune(
        self,
        *,
        max_bytes: int | None = None,
        older_than: float | None = None,
        keep_versions: int | None = None,
        dry_run: bool = False,
    ) -> Pruned:
        """Remove what is not worth its place, and garbage; with `dry_run`, only tell what that would be.

        `older_than` is in seconds since the last use. What is pinned stays, and what is in use. Raises StoreError.
        """
        from ipycheckpoint.cache.prune import Limits, prune

        return prune(self, Limits(max_bytes, older_than, keep_versions), dry_run=dry_run)

    @property
    def store(self) -> Store:
        """Where its bytes are."""
        return self._store

    @property
    def keyring(self) -> Keyring:
        """Who signs, and whose signatures are accepted."""
        return self._keyring

    def forget_label(self, label: str, kind: Kind | None = None) -> int:
        """Remove all records of `label`; how many there were."""
        return sum(self.forget(row.key) for row in self._catalogue.rows(label=label, kind=kind))

    def flush(self, seconds: float | None = None) -> int:
        """Wait until a shared store has all that is kept here, for `seconds` at most; how many entries are left."""
        flush = getattr(self._store, "flush", None)
        return 0 if flush is None else flush(seconds)

    def close(self) -> None:
        """Write down the statistics, and let go of files. It can be used again."""
        self._catalogue.close()
        close = getattr(self._store, "close", None)
        if close is not None:
            close()

    @classmethod
    def at(
        cls,
        place: str | os.PathLike[str],
        *,
        keyring: Keyring | None = None,
        news: News | None = None,
        network: bool | None = None,
        system: System = REAL,
        local: Path | None = None,
        write: Write = "behind",
    ) -> Cache:
        """The Cache at `place`, a directory or a URL; the user's own secret signs unless told otherwise.

        The first save makes the directory. Whether it is reached over a `network` is found out unless it is said. In
        front of a URL, the directory `local` keeps what was read from there, and what is on its way there: `write`
        says when it gets there.
        """
        from ipycheckpoint.cache.arrivals import Arrivals
        from ipycheckpoint.cache.catalogue import Catalogue
        from ipycheckpoint.store.directory import DirectoryStore

        ring = keyring or Keyring()
        if is_url(place) and local is None:
            from ipycheckpoint.cache.sharing import far_cache

            return far_cache(os.fspath(place), ring, news)
        path = Path(place) if local is None else local
        store = DirectoryStore(path, network=network, system=system)
        catalogue = Catalogue(
            path / "catalogue.sqlite",
            lambda: _listed(store, ring),
            None if store.is_network else Arrivals(store, ring),
            signers=ring.signers,
            network=store.is_network,
            system=system,
        )
        cache = cls(store, catalogue, ring, path, news, place=os.fspath(path))
        if local is not None:
            from ipycheckpoint.cache.sharing import near_cache

            return near_cache(os.fspath(place), cache, write)
        return cache


def _listed(store: Store, keyring: Keyring) -> Iterator[Listed]:
    from ipycheckpoint.cache.upkeep import listed

    return listed(store, keyring)


def described(draft: Draft) -> tuple[Output, ...]:
    """The outputs of `draft`, those in a section with type, size and preview."""
    from ipycheckpoint.identity.outline import preview
    from ipycheckpoint.record.codec import type_name

    places: dict[str, tuple[int, int]] = {}
    for index, section in enumerate(draft.sections):
        nbytes = len(section.stream) + sum([buffer.nbytes for buffer in section.buffers])
        for name in section.names:
            # What several outputs share can't be told apart: each is listed with its part of the whole.
            places[name] = index, nbytes // len(section.names)
    told = []
    for output in draft.outputs:
        if output.name not in places:
            told.append(output)
        else:
            index, share = places[output.name]
            value = draft.values[output.name]
            kind = type_name(value)
            # What is in the environment may be a secret: it stays in the section, and out of the header.
            shown = "" if output.role == "ambient" else preview(value)
            told.append(Output(output.name, output.role, kind, share, shown, index, output.target))
    return tuple(told)


def texts_of(ingredients: Sequence[Ingredient]) -> dict[int, Shared]:
    """The source texts, by the position of their Ingredients."""
    return {index: _text(each.source) for index, each in enumerate(ingredients) if each.source is not None}


@lru_cache(maxsize=100)
def _text(source: str) -> Shared:
    return Shared.of(source.encode("utf-8", "surrogatepass"))


def _buffers(header: Header) -> Iterator[Digest]:
    for section in header.sections:
        yield from (buffer.digest for buffer in section.buffers if buffer.offset is None)


def _day(header: Header) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(header.created))


def _record(key: str) -> str:
    return f"records/{key}"


def _blob(blob_digest: Digest) -> str:
    return f"blobs/{blob_digest}"
