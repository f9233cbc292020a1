"""What has come into a directory since its catalogue was written: most saves leave it to a later moment to be listed.

A store counts its rows as they come, and the catalogue keeps Marks: rows up to which it knows all. What came after the
newest Mark that is still there is what it has missed, whoever put it, and however they ended.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from ipycheckpoint.cache.listing import Listed
from ipycheckpoint.errors import CheckpointError, StoreError
from ipycheckpoint.identity.identity import Key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipycheckpoint.record.trust import Keyring
    from ipycheckpoint.store.directory import DirectoryStore

Mark = tuple[int, int]
"""A row of a store: its number, and the version that it had."""

_RECORDS, _PINS = "records/", "pins/"

BEGINNING: Mark = (0, 0)
"""Before the first row of any store."""


class Arrival(NamedTuple):
    """A row that came after a Mark."""

    mark: Mark
    key: Key | None
    """Of the record that it is; None for anything else."""


class Missed(NamedTuple):
    """All that came after a Mark, in order."""

    since: Mark
    arrivals: tuple[Arrival, ...]

    @property
    def tells_of_records(self) -> bool:
        """Whether a record is among them."""
        return any(arrival.key is not None for arrival in self.arrivals)


class Arrivals:
    """What comes into `store`, whose records are signed with `keyring`. Writes nothing; raises StoreError."""

    def __init__(self, store: DirectoryStore, keyring: Keyring) -> None:
        self._store, self._keyring = store, keyring

    def will_tell_of(self, nbytes: int) -> bool:
        """Whether a record of so many bytes that was just put is among the arrivals: in a file it isn't."""
        return self._store.is_row(nbytes)

    def newest(self) -> Mark:
        """The Mark to keep by whoever is about to look at all that there is."""
        return self._store.newest_row() or BEGINNING

    def since(self, marks: Sequence[Mark]) -> Missed | None:
        """What came after the first of `marks` that is still there; None where none is."""
        for mark in marks:
            rows = self._store.rows_from(mark[0])
            if mark == BEGINNING:
                return Missed(mark, tuple(map(_arrival, rows)))
            if rows and rows[0][:2] == mark:
                return Missed(mark, tuple(map(_arrival, rows[1:])))
        return None

    def listed(self, key: Key) -> Listed | None:
        """The record under `key`; None where it is gone, or can't be read."""
        # A hit needs none of these, and loads none.
        from ipycheckpoint.cache.failures import Failures
        from ipycheckpoint.cache.rolls import signer_of
        from ipycheckpoint.record.format import read_header

        with suppress(CheckpointError):
            content = self._store.get(_RECORDS + key)
            if content is not None:
                stored = read_header(content.view)
                past = Failures(self._store).get(key)
                failure = "" if past is None or past.settled is not None else past.line
                is_pinned = self._store.contains(_PINS + key)
                return Listed(stored.header, signer_of(stored, self._keyring), is_pinned, failure)
        return None

    def state(self) -> object:
        """Equal states mean that nothing has come or gone."""
        try:
            return self._store.rows_state()
        except StoreError:
            return None

    def close(self) -> None:
        """Let go of the files of the store; the next use opens them again."""
        self._store.close()


def _arrival(row: tuple[int, int, str]) -> Arrival:
    number, version, name = row
    return Arrival((number, version), Key(name[_PREFIX:]) if name.startswith(_RECORDS) else None)


_PREFIX = len(_RECORDS)
