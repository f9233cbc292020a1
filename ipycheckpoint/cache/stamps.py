"""Which Blobs were verified before, in this process or another, and are untouched: they need no second look.

What another process has verified is an entry of the local store beside the record: the `Stamp` of the file of each of
its Blobs, signed as a header is. Blobs are data, and never code; streams, which are code, are verified each time.
"""

from __future__ import annotations

import json
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

from ipycheckpoint.digest import Digest
from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.record.trust import Signature
from ipycheckpoint.store.stamps import Stamp, stamp_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.record.trust import Keyring
    from ipycheckpoint.store.base import Store

_BLOBS, _STAMPS = "blobs/", "stamps/"

_MOST_UNWRITTEN = 1000


class Stamps:
    """What is known of the files of Blobs in `store`; `keyring` signs what other processes are told.

    Only a directory on a disk of this machine can tell a file that was written to from one that wasn't
    (`DirectoryStore.stamp`); elsewhere nothing is kept, and each process verifies for itself.
    """

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._local: Any = getattr(store, "local", store)
        self._stamp = None if getattr(self._local, "is_network", True) else self._local.stamp
        self._keyring = keyring
        self._verified: dict[Digest, tuple[int, ...]] = {}
        self._told: tuple[Key, Mapping[Digest, Stamp]] | None = None
        self._unwritten: dict[Key, dict[Digest, Stamp]] = {}
        self._lock = Lock()

    def vouches(self, key: Key, blob: Digest, stamp: tuple[int, ...]) -> bool:
        """Whether the very file with `stamp`, of a Blob of the record under `key`, was verified. Writes nothing."""
        return self._verified.get(blob) == stamp or (isinstance(stamp, Stamp) and self._read(key).get(blob) == stamp)

    def add(self, key: Key, verified: Mapping[Digest, tuple[int, ...]]) -> None:
        """These Blobs of the record under `key` were verified, or vouched for. Writes nothing: that `write` does."""
        with self._lock:
            self._verified |= verified
        telling = {blob: s for blob, s in verified.items() if isinstance(s, Stamp) and s.is_telling}
        if self._stamp is None or not telling:
            return
        told = self._read(key)
        if any(told.get(blob) != stamp for blob, stamp in telling.items()):
            with self._lock:
                if len(self._unwritten) < _MOST_UNWRITTEN:
                    self._unwritten.setdefault(key, dict(told)).update(telling)

    def write(self, key: Key) -> None:
        """Tell other processes what was verified of the record under `key`, if that is new. Raises nothing."""
        if self._unwritten:
            with self._lock:
                stamps = self._unwritten.pop(key, None)
            if stamps is not None:
                self._put(key, stamps)

    def kept(self, key: Key, blobs: Iterable[Digest]) -> None:
        """These Blobs were put just now for the record under `key`, as they are. Raises nothing."""
        if self._stamp is None:
            return
        stamps = {}
        with suppress(CheckpointError):
            for blob in blobs:
                stamp = self._stamp(_BLOBS + blob)
                if stamp is not None and stamp.is_telling:
                    stamps[blob] = stamp
        if stamps:
            with self._lock:
                self._verified |= stamps
            self._put(key, stamps)

    def forget(self, key: Key) -> None:
        """Forget what others were told of the record under `key`. Raises StoreError."""
        with self._lock:
            self._unwritten.pop(key, None)
            self._told = None
        if self._stamp is not None:
            self._local.remove(_STAMPS + key)

    def _put(self, key: Key, stamps: Mapping[Digest, Stamp]) -> None:
        plain = {blob: list(stamp) for blob, stamp in stamps.items()}
        signature = self._keyring.sign(_signed(plain))
        content = {"stamps": plain, "signature": [signature.scheme, signature.signer, signature.value]}
        with suppress(CheckpointError):  # where it can't be written, others verify for themselves
            self._local.put(_STAMPS + key, [json.dumps(content, separators=(",", ":")).encode()])
        self._told = (key, stamps)

    def _read(self, key: Key) -> Mapping[Digest, Stamp]:
        told = self._told
        if told is None or told[0] != key:
            told = self._told = (key, self._found(key))
        return told[1]

    def _found(self, key: Key) -> Mapping[Digest, Stamp]:
        """What others have told, if they are whom we trust."""
        if self._stamp is None:
            return {}
        with suppress(CheckpointError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            content = self._local.get(_STAMPS + key)
            if content is not None:
                plain = json.loads(bytes(content.view))
                stamps = plain["stamps"]
                if self._keyring.verify(_signed(stamps), Signature(*plain["signature"])):
                    return {Digest(blob): stamp for blob, said in stamps.items() if (stamp := stamp_from(said))}
        return {}


def _signed(plain: Mapping[Any, object]) -> bytes:
    # It begins as no header does, so that neither can pass for the other.
    return b"stamps " + json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
