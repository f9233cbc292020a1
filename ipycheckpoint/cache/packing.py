"""A Draft as the bytes of one whole record, which needs no Store, and back: for caches that keep bytes."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ipycheckpoint.cache.cache import described
from ipycheckpoint.digest import Digest, digest_bytes
from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.record.codec import Section
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.format import lay_out, read_header, text_bytes, write
from ipycheckpoint.record.record import Header

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.cache.cache import Draft
    from ipycheckpoint.record.format import Stored
    from ipycheckpoint.record.record import Compression
    from ipycheckpoint.record.trust import Signature

TAPE = "tape"
"""The codec of the section that holds what the user saw."""

UNKNOWN = digest_bytes(b"")
"""In place of the Environment where nobody has told which it was."""


def pack(
    draft: Draft, sign: Callable[[bytes], Signature], compression: Compression = "none"
) -> tuple[Header, list[bytes | memoryview]]:
    """The header of `draft`, and its whole record in chunks."""
    tape = () if draft.tape is None else (Section((), draft.tape, (), TAPE),)
    layout = lay_out((*draft.sections, *tape), inline_all=True, compression=compression)
    attached: dict[Digest, str] = {}

    def attach(text: str) -> Digest:
        found = digest_bytes(text_bytes(text))
        attached[found] = text
        return found

    ingredients = draft.identity.ingredients
    header = replace(
        header_of(draft),
        ingredients=tuple(replace(ingredient, source=None) for ingredient in ingredients),
        outputs=described(draft),
        sections=layout.sections,
        environment=attach(Environment.current().to_json().decode()),
        texts=tuple((at, attach(i.source)) for at, i in enumerate(ingredients) if i.source is not None),
    )
    return header, write(header, layout.chunks, sign, attached)


def header_of(draft: Draft) -> Header:
    """What a header tells of `draft` where the values are kept apart."""
    now = time.time()
    return Header(
        kind=draft.identity.kind,
        label=draft.identity.label,
        key=draft.identity.key,
        created=now,
        seconds=draft.seconds,
        ingredients=draft.identity.ingredients,
        outputs=draft.outputs,
        sections=(),
        environment=UNKNOWN,
        tags=draft.tags,
        expires=None if draft.expires_seconds is None else now + draft.expires_seconds,
        trace=draft.trace,
        notes=draft.notes,
    )


def unpack(data: bytes | bytearray | memoryview) -> Stored:
    """The record in `data`, of which nothing has been verified or loaded. Raises FormatError."""
    # What is loaded is the caller's to write to, and `data` is the cache's own: it is only ever copied from.
    return read_header(memoryview(data).toreadonly())


def environment_of(stored: Stored) -> Environment | None:
    """The Environment that made a record; None where that is lost or altered."""
    try:
        text = stored.text(stored.header.environment)
        return None if text is None else Environment.from_json(text_bytes(text))
    except (CheckpointError, ValueError):
        return None
