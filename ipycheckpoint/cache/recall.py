"""Recall: results loaded in short, and held for as long as their records stay as they were.

Of a large one, its stream is held and no more: each time, its Blobs are mapped again.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.identity.sighting import is_frozen
from ipycheckpoint.record.brief import LARGEST_NBYTES, Brief, brief_of
from ipycheckpoint.record.unpickling import decode
from ipycheckpoint.store.base import Content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipycheckpoint.cache.cache import Found
    from ipycheckpoint.cache.stamps import Stamps
    from ipycheckpoint.digest import Digest
    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.record.record import Header
    from ipycheckpoint.record.trust import Keyring
    from ipycheckpoint.store.base import Store

_MOST = 1000

_UNKNOWN = object()
# The state of the store when it was read. The next time it is looked at once more, and then known.


class Absent:
    """There is no record at all."""


ABSENT = Absent()


class Recalled(NamedTuple):
    """The result of a call, as good as loaded."""

    header: Brief
    value: object


class _Held:
    __slots__ = ("blobs", "content", "header", "name", "state", "stream", "value")

    def __init__(
        self, header: Brief, name: str, content: Content, stream: bytes | None, value: object, blobs: Sequence[Digest]
    ) -> None:
        self.header, self.name, self.content = header, name, content
        self.state: object = _UNKNOWN
        self.stream = stream
        """None where `value` can't change, and so may be given to everyone."""
        self.value = value
        self.blobs = blobs
        """The buffers of the stream."""


class Recall:
    """Holds verified streams, and asks `store` each time whether the record is still the one that they are from.

    Only results of calls that nothing else hangs on: no files that the run touched, no argument that it changed, no
    expiry. Those with Blobs only where `stamps` say of each that it is the very file that was verified.
    """

    def __init__(self, store: Store, keyring: Keyring, stamps: Stamps | None) -> None:
        self._store, self._keyring, self._stamps = store, keyring, stamps
        self._held: OrderedDict[Key, _Held] = OrderedDict()
        self._lock = Lock()

    def load(self, name: str, key: Key) -> Recalled | Absent | None:
        """Load the result under `name`, if its record can be told in brief, and hold it. Writes nothing."""
        try:
            content = self._store.get(name)
            if content is None:
                return ABSENT
            told = brief_of(content.view, key, self._keyring.verify)
            return None if told is None else self._hold(name, content.stamp, *told)
        except Exception:  # noqa: BLE001 - whoever looks it up in full tells what is wrong with it
            return None

    def hold(self, name: str, found: Found) -> None:
        """Hold the result of `found`, the trusted record under `name` that was just loaded, if it is of the kind."""
        header, content = found.header, found.content
        if content is None or not is_short(header):
            return
        (section,) = header.sections
        if section.buffers and self._stamps is None:
            return
        stream = bytes(found.stored.payload[section.offset : section.offset + section.nbytes])
        # It was read once more, so it is verified once more: nothing else may be unpickled.
        if digest_bytes(stream) != section.digest:
            return
        if section.buffers:
            blobs = tuple(buffer.digest for buffer in section.buffers)
            self._keep(_Held(Brief.of(header), name, _bare(content.stamp), stream, None, blobs))
            return
        with suppress(Exception):  # what refers to something live, for instance, is looked up in full each time
            self._hold(name, content.stamp, Brief.of(header), stream)

    def _hold(self, name: str, stamp: tuple[int, ...] | None, brief: Brief, stream: bytes) -> Recalled:
        (value,) = decode(stream).values()
        # What can't change may be given to everyone as it is.
        frozen = is_frozen(value)
        self._keep(_Held(brief, name, _bare(stamp), None if frozen else stream, value if frozen else None, ()))
        return Recalled(brief, value)

    def _keep(self, held: _Held) -> None:
        with self._lock:
            self._held[held.header.key] = held
            while len(self._held) > _MOST:
                self._held.popitem(last=False)

    def get(self, key: Key) -> Recalled | None:
        """The result under `key`, the caller's own; None where it must be looked up. Writes nothing."""
        held = self._held.get(key)
        if held is None:
            return None
        try:
            state = self._store.state(held.name, held.content)
            if state == held.state or self._is_still_there(held, state):
                if held.stream is None:
                    return Recalled(held.header, held.value)
                buffers = self._mapped(held) if held.blobs else ()
                if buffers is not None:
                    (value,) = decode(held.stream, buffers).values()
                    return Recalled(held.header, value)
        except Exception:  # noqa: BLE001 - whoever looks it up in full tells what is wrong with it
            return None
        self._held.pop(key, None)
        return None

    def _mapped(self, held: _Held) -> list[memoryview] | None:
        """Its Blobs, private to the caller; None where one isn't the file that was verified."""
        views = []
        for blob in held.blobs:
            content = self._store.get(f"blobs/{blob}")
            if content is None or content.stamp is None or content.view.readonly or self._stamps is None:
                return None
            if not self._stamps.vouches(held.header.key, blob, content.stamp):
                return None
            views.append(content.view)
        return views

    def _is_still_there(self, held: _Held, state: object) -> bool:
        # Something has changed in the store, but perhaps elsewhere.
        content = self._store.get(held.name)
        if state is None or content is None or content.stamp != held.content.stamp:
            return False
        held.state = state
        return True


def is_plain(header: Header) -> bool:
    """Whether `header` is of a small result that nothing else hangs on."""
    return is_short(header) and not header.sections[0].buffers


def is_short(header: Header) -> bool:
    """Whether `header` is of a result that nothing else hangs on, and that is small, but for Blobs."""
    return (
        header.kind == "call"
        and len(header.outputs) == len(header.sections) == 1
        and header.outputs[0].role == "result"
        and header.sections[0].nbytes <= LARGEST_NBYTES
        and all(buffer.offset is None for buffer in header.sections[0].buffers)
        and not header.trace
        and not header.notes
        and header.expires is None
    )


def _bare(stamp: tuple[int, ...] | None) -> Content:
    return Content(memoryview(b""), stamp)
