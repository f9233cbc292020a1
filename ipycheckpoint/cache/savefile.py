"""One free-standing file: a whole record that needs no Store, at a path of the user's own or at a URL."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ipycheckpoint.cache import packing
from ipycheckpoint.cache.cache import Draft
from ipycheckpoint.cache.opened import Record, distrust
from ipycheckpoint.digest import Digest, digest
from ipycheckpoint.errors import FormatError, StoreError, Untrusted, UsageError
from ipycheckpoint.identity.identity import Identity, Ingredient
from ipycheckpoint.identity.work import tag_ingredients
from ipycheckpoint.record.codecs import check_codec, encode
from ipycheckpoint.record.compression import check_compression
from ipycheckpoint.record.format import (
    FORMAT_VERSION,
    begins_as_record,
    check_payload,
    read_header,
    read_section,
    signed_again,
    text_bytes,
    write,
)
from ipycheckpoint.record.record import Header, Output
from ipycheckpoint.record.trust import Keyring, secret_path
from ipycheckpoint.store.files import file_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipycheckpoint.cache.opened import Reading
    from ipycheckpoint.record.format import Stored
    from ipycheckpoint.store.base import Content
    from ipycheckpoint.store.files import Files

SUFFIX = ".ckpt"
"""How the names of these files end."""


def pack(
    values: Mapping[str, object],
    *,
    label: str,
    tags: Sequence[tuple[str, str]] = (),
    ingredients: Sequence[Ingredient] = (),
    compression: str = "none",
    codec: str = "pickle",
    keyring: Keyring | None = None,
) -> list[bytes | memoryview]:
    """The bytes of a signed record of `values`, whole, in chunks that are to be written before the values change.

    Its Key is that of the savepoint `label` under `tags`, and of `ingredients`, if there are more. Raises CannotKeep
    with the name of a value that can't be written, and UsageError for an unknown `compression` or `codec`.

    >>> ring = Keyring(secret=b"s" * 32)
    >>> data = b"".join(pack({"x": 1}, label="TestPkg.foo", keyring=ring))
    >>> unpack(data, keyring=ring)["x"]
    1
    """
    return _packed(values, label, tags, ingredients, compression, codec, keyring)[1]


def save(
    path: str | os.PathLike[str],
    values: Mapping[str, object],
    *,
    label: str | None = None,
    tags: Sequence[tuple[str, str]] = (),
    ingredients: Sequence[Ingredient] = (),
    compression: str = "none",
    codec: str = "pickle",
    keyring: Keyring | None = None,
) -> Header:
    """Write `values` as the file at `path`, a path or URL, in place of what may be there; its name is the `label`.

    When this returns, it is on the disk. Raises what `pack` raises, and StoreError; then what was there is there still.
    """
    files, name = file_at(path)
    title = PurePath(name).stem if label is None else label
    header, chunks = _packed(values, title, tags, ingredients, compression, codec, keyring)
    files.write(name, chunks)
    return header


def read(path: str | os.PathLike[str], *, keyring: Keyring | None = None) -> Record:
    """Open the file at `path`, a path or URL. Nothing in it is loaded yet, and nobody need have signed it.

    Raises StoreError where there is none that can be read, and FormatError where it is no record.
    """
    files, name, content = _find(path)
    stamp = content.stamp

    def again() -> memoryview | None:
        # Another private map of the very same file costs nothing, and its pages are the caller's own to write to.
        with suppress(StoreError):
            found = None if stamp is None else files.read(name)
            return found.view if found is not None and found.stamp == stamp else None
        return None

    return _opened(_parsed(content.view, os.fspath(path)), os.fspath(path), keyring, again)


def unpack(data: bytes | bytearray | memoryview, *, location: str = "record", keyring: Keyring | None = None) -> Record:
    """Open the bytes of a record, as `pack` made them; `location` is what messages call it. Raises FormatError."""
    return _opened(_parsed(memoryview(data), location), location, keyring, lambda: None)


def trust(path: str | os.PathLike[str], *, keyring: Keyring | None = None) -> bool:
    """Sign the file at `path` with the user's own secret, whoever signed it before; whether that was needed.

    What it holds can be loaded from then on, which runs what it says. Raises as `read` does, and for a damaged one
    IntegrityError or FormatError; then it stays as it is.
    """
    keyring = keyring or _own()
    files, name, content = _find(path)
    stored = _parsed(content.view, os.fspath(path))
    if keyring.verify(stored.signed, stored.signature):
        return False
    check_payload(stored)
    files.write(name, signed_again(content.view, keyring.sign))
    return True


def upgrade(path: str | os.PathLike[str], *, keyring: Keyring | None = None) -> bool:
    """Rewrite the file at `path` in this release's format, signed by the user; whether it was of an earlier one.

    Raises as `read` does, Untrusted, and for a damaged one IntegrityError or FormatError; then it stays as it is.
    """
    keyring = keyring or _own()
    files, name, content = _find(path)
    stored = _parsed(content.view, os.fspath(path))
    if stored.version == FORMAT_VERSION:
        return False
    if not keyring.verify(stored.signed, stored.signature):
        raise Untrusted(distrust(os.fspath(path), stored) + _way(os.fspath(path)))
    check_payload(stored)
    attached = {Digest(wanted): text for wanted, text in stored.attached.items()}
    files.write(name, write(stored.header, [stored.payload], keyring.sign, attached))
    return True


def _packed(
    values: Mapping[str, object],
    label: str,
    tags: Sequence[tuple[str, str]],
    ingredients: Sequence[Ingredient],
    compression: str,
    codec: str,
    keyring: Keyring | None,
) -> tuple[Header, list[bytes | memoryview]]:
    for name in values:
        if not isinstance(name, str):
            raise UsageError(f"{name!r} can't name a value: a text is needed")
    how = check_compression(compression)
    sections = encode(values, check_codec(codec))
    named = Ingredient("savepoint", label, digest("savepoint", text_bytes(label)))
    identity = Identity("savepoint", label, (named, *tag_ingredients(tags), *ingredients))
    outputs = tuple(Output(name, "data") for name in values)
    draft = Draft(identity, outputs, values, tuple(sections), seconds=0.0, tags=tuple(tags))
    return packing.pack(draft, (keyring or _own()).sign, how)


def _find(path: str | os.PathLike[str]) -> tuple[Files, str, Content]:
    files, name = file_at(path)
    content = files.read(name)
    if content is None:
        raise StoreError(os.fspath(path), "read", "there is no such file")
    return files, name, content


def is_record(path: str | os.PathLike[str]) -> bool:
    """Whether the file at `path` begins as a record does; others use names that end in ``.ckpt``, too."""
    return begins_as_record(_find(path)[2].view)


def _parsed(view: memoryview, location: str) -> Stored:
    try:
        return read_header(view)
    except FormatError as problem:
        raise FormatError(f"{location}: {problem}") from problem


def _opened(stored: Stored, location: str, keyring: Keyring | None, again: Callable[[], memoryview | None]) -> Record:
    """`again` gives the whole file once more, private and writable, as long as it is the one that was parsed."""
    # What is handed out is the caller's to write to, so what is held is only ever copied from.
    held = stored._replace(payload=stored.payload.toreadonly())
    nbytes = stored.payload.nbytes

    def reading() -> Reading:
        whole = again()
        private = held if whole is None else held._replace(payload=whole[whole.nbytes - nbytes :])
        return lambda index: read_section(private, index, lambda _: None)

    return Record(held, location=location, keyring=keyring or _own(), reading=reading, to_trust=_way(location))


def _own() -> Keyring:
    """The user's own, one for each place of the secret: where it can't be written, this process still knows it."""
    try:
        return _keyring_at(secret_path())
    except RuntimeError:  # there is no home directory
        return _keyring_at(None)


@lru_cache(maxsize=8)
def _keyring_at(path: Path | None) -> Keyring:
    return Keyring(path)


def _way(location: str) -> str:
    """How to go on with a file of someone else."""
    return (
        f". ipycheckpoint.read({location!r}) shows what it is; if you know where it comes from, "
        f"ipycheckpoint.trust({location!r}) signs it as yours"
    )
