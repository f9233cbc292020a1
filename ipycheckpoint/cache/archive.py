"""Archives: some records of a cache in one file, to take to another cache.

An archive is a tar file, so that ``tar tf`` lists it. First comes ``ipycheckpoint-archive.json``, which tells what is
in it, then come the very entries of the store, ``blobs/DIGEST`` and ``records/KEY``, each Blob once.

An archive may come from anyone. So it is read by code of our own that knows regular files with these names and nothing
else: no links, no paths, no extensions. All names and sizes are looked at before anything is written, and every byte is
verified by its Digest before the record that needs it is put. The signatures stay as they are: whoever is accepted is
trusted, everyone else's records are listed, and not loaded.
"""

from __future__ import annotations

import json
import re
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, overload

from ipycheckpoint.cache import garbage
from ipycheckpoint.cache.garbage import BLOBS, RECORDS, blobs_of, renewed
from ipycheckpoint.cache.listing import STRANGER, Listed
from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import CheckpointError, FormatError, IntegrityError, StoreError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.record.format import check_payload, read_header
from ipycheckpoint.store.files import file_at

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.record.format import Stored
    from ipycheckpoint.record.record import Header

SUFFIX = ".ckpts"
"""How the names of these files end."""

VERSION = 1

_CONTENTS = "ipycheckpoint-archive.json"
_BLOCK = tarfile.BLOCKSIZE
_NAME = re.compile(r"(?:records|blobs)/[0-9a-f]{64}\Z")
_MOST_MEMBERS = 10_000_000
_MOST_TOLD = 10_000  # records that the first entry tells of
_CONTENTS_NBYTES = 64 * 1024 * 1024  # what is larger was not written by us


@dataclass(frozen=True, slots=True)
class Exported:
    """What went into an archive."""

    keys: tuple[Key, ...]
    nbytes: int
    """Of the file."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the records of an archive."""

    trusted: tuple[Header, ...]
    """They are hits from now on."""
    untrusted: tuple[Header, ...]
    """They are listed, and not loaded until they are trusted."""
    known: tuple[Key, ...]
    """They were there already."""
    refused: tuple[tuple[Key, str], ...]
    """They are not whole, and why."""


class _Member(NamedTuple):
    """Where an entry lies in an archive."""

    start: int
    nbytes: int


def write_archive(cache: Cache, keys: Iterable[Key], path: str | os.PathLike[str]) -> Exported:
    """Write the records under `keys`, with all that they refer to, as the file at `path`, a path or URL.

    It takes the place of what may be there, when it is whole. Raises StoreError, and FormatError or IntegrityError for
    a record that isn't whole: then nothing is written.
    """
    store = cache.store
    headers: dict[Key, Header] = {}
    names: dict[str, None] = {}
    for key in keys:
        content = store.get(RECORDS + key)
        if content is None:
            continue  # forgotten since it was chosen
        stored = read_header(content.view)
        check_payload(stored)
        headers[key] = stored.header
        names |= dict.fromkeys(blobs_of(stored.header))
    names |= dict.fromkeys(RECORDS + key for key in headers)
    contents = {
        "ipycheckpoint-archive": VERSION,
        "created": time.time(),
        "count": len(headers),
        "records": [
            {"key": key, "label": header.label, "kind": header.kind}
            for key, header in islice(headers.items(), _MOST_TOLD)
        ],
    }
    pieces = _Pieces(json.dumps(contents, indent=1).encode() + b"\n", list(names), lambda name: _entry(cache, name))
    files, name = file_at(path)
    files.write(name, pieces)
    return Exported(tuple(headers), pieces.nbytes)


def _entry(cache: Cache, name: str) -> memoryview:
    content = cache.store.get(name)
    if content is None:
        raise FormatError(
            f"{name[:20]}… is gone from {cache.location}: `ipycheckpoint verify` tells which record it costs"
        )
    if name.startswith(BLOBS) and (found := digest_bytes(content.view)) != name.removeprefix(BLOBS):
        raise IntegrityError(name[:20], name.removeprefix(BLOBS), found)
    return content.view


class _Pieces(Sequence[bytes | memoryview]):
    """The chunks of an archive, each entry read when it is its turn and let go after that."""

    def __init__(self, contents: bytes, names: Sequence[str], entry: Callable[[str], memoryview]) -> None:
        self._contents, self._names, self._entry = contents, names, entry
        self.nbytes = 0

    def __len__(self) -> int:
        return 3 * (len(self._names) + 1) + 1

    @overload
    def __getitem__(self, index: int) -> bytes | memoryview: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes | memoryview]: ...
    def __getitem__(self, index: int | slice) -> bytes | memoryview | Sequence[bytes | memoryview]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        if index == len(self) - 1:
            return self._counted(bytes(2 * _BLOCK))
        number, part = divmod(index, 3)
        if part == 0:
            self._now = memoryview(self._contents) if number == 0 else self._entry(self._names[number - 1])
            return self._counted(_head(_CONTENTS if number == 0 else self._names[number - 1], self._now.nbytes))
        return self._counted(self._now if part == 1 else bytes(-self._now.nbytes % _BLOCK))

    def _counted(self, chunk: bytes | memoryview) -> bytes | memoryview:
        self.nbytes += memoryview(chunk).nbytes
        return chunk


def _head(name: str, nbytes: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = nbytes, 0o600, 0  # the same records make the same bytes
    return member.tobuf(tarfile.GNU_FORMAT)


def read_archive(cache: Cache, path: str | os.PathLike[str]) -> Imported:
    """Put the records of the archive at `path`, a path or URL, into `cache`.

    One that is there already stays, unless it isn't trusted and the other is. A record that isn't whole is refused
    alone. Raises StoreError, and FormatError for what is no archive: then nothing was put.
    """
    files, name = file_at(path)
    content = files.read(name)
    if content is None:
        raise StoreError(str(path), "read", "there is no such file")
    reader = _Reader(cache, content.view, _members(content.view))
    for member in list(reader.members):
        if member.startswith(RECORDS):
            reader.take(Key(member.removeprefix(RECORDS)))
    done = reader.imported()
    if len(cache.catalogue.rows(keys=done.known)) < len(done.known):
        cache.catalogue.rebuild()  # an import that was killed had put them, and not listed them yet
    return done


def _members(view: memoryview) -> dict[str, _Member]:
    """Where which entry is. Raises FormatError for anything that `write_archive` doesn't write."""
    found: dict[str, _Member] = {}
    at = 0
    while True:
        block = bytes(view[at : at + _BLOCK])
        if at and block == bytes(_BLOCK):
            return found
        try:
            member = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, ValueError) as problem:
            raise FormatError(f"this is no archive of checkpoints, or one that is cut off: {problem}") from problem
        start = at + _BLOCK
        if member.type != tarfile.REGTYPE or member.linkname:
            raise FormatError(
                f"this archive holds {member.name!r:.100}, which is no regular file: nothing was imported"
            )
        if not 0 <= member.size <= view.nbytes - start:
            raise FormatError(f"this archive is cut off: {member.name!r:.100} would end past its last byte")
        if at == 0:
            _check_contents(member.name, view[start : start + member.size])
        elif not _NAME.match(member.name) or member.name in found or len(found) >= _MOST_MEMBERS:
            raise FormatError(f"this archive holds {member.name!r:.100}, which can't be: nothing was imported")
        else:
            found[member.name] = _Member(start, member.size)
        at = start + member.size + -member.size % _BLOCK


def _check_contents(name: str, view: memoryview) -> None:
    version: object = None
    if name == _CONTENTS and view.nbytes <= _CONTENTS_NBYTES:
        try:
            version = json.loads(bytes(view))["ipycheckpoint-archive"]
        except (ValueError, TypeError, KeyError, RecursionError):
            version = None
    if type(version) is not int:
        raise FormatError(f"this is no archive of checkpoints: it doesn't begin with {_CONTENTS}")
    if version > VERSION:
        raise FormatError(f"this archive is of format {version}, and this release reads up to {VERSION}")


class _Reader:
    """Takes records out of an archive, one by one."""

    def __init__(self, cache: Cache, view: memoryview, members: dict[str, _Member]) -> None:
        self._cache, self._store = cache, cache.store
        self._view = view
        self.members = members
        self._verified: set[str] = set()
        self._signers = cache.keyring.signers()
        self._trusted: list[Header] = []
        self._untrusted: list[Header] = []
        self._known: list[Key] = []
        self._refused: list[tuple[Key, str]] = []

    def imported(self) -> Imported:
        """What became of all records."""
        return Imported(tuple(self._trusted), tuple(self._untrusted), tuple(self._known), tuple(self._refused))

    def take(self, key: Key) -> None:
        """Put the record under `key`, if it is whole and isn't there already."""
        view = self._bytes(RECORDS + key)
        try:
            stored = read_header(view)
            if stored.header.key != key:
                raise FormatError("it belongs to another key")
            check_payload(stored)
            is_trusted = self._is_trusted(stored)
            if not is_trusted and stored.signature is not None and stored.signature.signer in self._signers:
                raise FormatError("its header is not the one that was signed")
            if self._is_known(key, is_trusted):
                self._known.append(key)
                return
            needed = list(dict.fromkeys(blobs_of(stored.header)))
            for name in needed:
                self._check(name)
        except (FormatError, IntegrityError) as problem:
            self._refused.append((key, str(problem)))
            return
        began = time.time()
        self._put(needed)
        self._store.put(RECORDS + key, [view])
        if time.time() - began > garbage.GRACE_SECONDS / 2:
            self._put(needed)
        signer = stored.signature.signer if is_trusted and stored.signature is not None else STRANGER
        self._cache.catalogue.add(Listed(stored.header, signer))
        (self._trusted if is_trusted else self._untrusted).append(stored.header)

    def _bytes(self, name: str) -> memoryview:
        start, nbytes = self.members[name]
        return self._view[start : start + nbytes].toreadonly()

    def _is_trusted(self, stored: Stored) -> bool:
        return self._cache.keyring.verify(stored.signed, stored.signature)

    def _is_known(self, key: Key, is_trusted: bool) -> bool:
        """Whether what is there stays."""
        try:
            content = self._store.get(RECORDS + key)
            return content is not None and (not is_trusted or self._is_trusted(read_header(content.view)))
        except CheckpointError:
            return False

    def _check(self, name: str) -> None:
        """Raises unless the Blob is in the archive, whole, or in the store."""
        if name in self._verified:
            return
        if name in self.members:
            found = digest_bytes(self._bytes(name))
            if found != name.removeprefix(BLOBS):
                raise IntegrityError(name[:20], name.removeprefix(BLOBS), found)
        elif not self._store.contains(name):
            raise FormatError(f"{name[:20]}… is not in the archive")
        self._verified.add(name)

    def _put(self, needed: Iterable[str]) -> None:
        for name in needed:
            if not renewed(self._store, name) and name in self.members:
                self._store.put(name, [self._bytes(name)])
