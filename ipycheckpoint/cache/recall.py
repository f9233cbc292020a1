"""Recall: small results, loaded in short, and held for as long as their records stay as they were."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import StoreError
from ipycheckpoint.identity.sighting import is_frozen
from ipycheckpoint.record.brief import LARGEST_NBYTES, Brief, brief_of
from ipycheckpoint.record.unpickling import decode
from ipycheckpoint.store.base import Content

if TYPE_CHECKING:
    from ipycheckpoint.cache.cache import Found
    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.record.record import Header
    from ipycheckpoint.record.trust import Keyring
    from ipycheckpoint.store.base import Store

_MOST = 1000

_UNKNOWN = object()
# The state of the store when it was read. The next time it is looked at once more, and then known.


class Recalled(NamedTuple):
    """The result of a call, as good as loaded."""

    header: Brief
    value: object


@dataclass(slots=True)
class _Held:
    header: Brief
    name: str
    content: Content
    state: object
    stream: bytes | None
    """None where `value` can't change, and so may be given to everyone."""
    value: object = None


class Recall:
    """Holds verified streams, and asks `store` each time whether the record is still the one that they are from.

    Only results of calls that nothing else hangs on: no files that the run touched, no argument that it changed, no
    expiry, no blobs.
    """

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store, self._keyring = store, keyring
        self._held: OrderedDict[Key, _Held] = OrderedDict()
        self._lock = Lock()

    def load(self, name: str, key: Key) -> Recalled | None:
        """Load the result under `name`, if its record can be told in brief, and hold it. Writes nothing."""
        try:
            content = self._store.get(name)
            told = None if content is None else brief_of(content.view, key, self._keyring.verify)
            return None if content is None or told is None else self._hold(name, content.stamp, *told)
        except Exception:  # noqa: BLE001 - whoever looks it up in full tells what is wrong with it
            return None

    def hold(self, name: str, found: Found) -> None:
        """Hold the result of `found`, the trusted record under `name` that was just loaded, if it is of the kind."""
        header, content = found.header, found.content
        if content is None or not is_plain(header):
            return
        (section,) = header.sections
        stream = bytes(found.stored.payload[section.offset : section.offset + section.nbytes])
        # It was read once more, so it is verified once more: nothing else may be unpickled.
        if digest_bytes(stream) == section.digest:
            self._hold(name, content.stamp, Brief.of(header), stream)

    def _hold(self, name: str, stamp: tuple[int, ...] | None, brief: Brief, stream: bytes) -> Recalled:
        (value,) = decode(stream).values()
        # What can't change may be given to everyone as it is.
        frozen = is_frozen(value)
        content = Content(memoryview(b""), stamp)
        held = _Held(brief, name, content, _UNKNOWN, None if frozen else stream, value if frozen else None)
        with self._lock:
            self._held[brief.key] = held
            while len(self._held) > _MOST:
                self._held.popitem(last=False)
        return Recalled(brief, value)

    def get(self, key: Key) -> Recalled | None:
        """The result under `key`, the caller's own; None where it must be looked up. Writes nothing."""
        held = self._held.get(key)
        if held is None:
            return None
        try:
            state = self._store.state(held.name, held.content)
            if state != held.state and not self._is_still_there(held, state):
                self._held.pop(key, None)
                return None
        except StoreError:
            return None
        if held.stream is None:
            return Recalled(held.header, held.value)
        (value,) = decode(held.stream).values()
        return Recalled(held.header, value)

    def _is_still_there(self, held: _Held, state: object) -> bool:
        # Something has changed in the store, but perhaps elsewhere.
        content = self._store.get(held.name)
        if state is None or content is None or content.stamp != held.content.stamp:
            return False
        held.state = state
        return True


def is_plain(header: Header) -> bool:
    """Whether `header` is of a small result that nothing else hangs on."""
    return (
        header.kind == "call"
        and len(header.outputs) == len(header.sections) == 1
        and header.outputs[0].role == "result"
        and header.sections[0].nbytes <= LARGEST_NBYTES
        and not header.sections[0].buffers
        and not header.trace
        and not header.notes
        and header.expires is None
    )
