"""What the catalogue lists: a `Row` for each Record, and the questions that can be asked of all of them."""

from __future__ import annotations

import json
import math
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ipycheckpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.record.record import Header

Status = Literal["kept", "restored", "expired", "failed", "untrusted"]
"""``kept``: not restored yet. ``failed``: its last load failed. ``untrusted``: signed by nobody whom we accept."""

STATUSES: tuple[Status, ...] = ("kept", "restored", "expired", "failed", "untrusted")

STRANGER = "?"
"""In place of the signer of a record whose signature is missing or wrong."""

MOMENT_SECONDS = 600
"""Restores are counted for each ten minutes."""

VERSION = 4
"""Of the tables. A file of another version is made anew."""

SCHEMA = (
    """CREATE TABLE records (
        id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, kind TEXT, label TEXT, created REAL, seconds REAL,
        nbytes INTEGER, tags TEXT, outputs TEXT, words TEXT, expires REAL, signer TEXT, pinned INTEGER, failure TEXT,
        hits INTEGER, misses INTEGER, last_used REAL, saved_seconds REAL, restored_seconds REAL
    )""",
    "CREATE INDEX by_label ON records (label, created)",
    "CREATE INDEX by_created ON records (created)",
    "CREATE INDEX by_last_used ON records (last_used)",
    "CREATE INDEX by_seconds ON records (seconds)",
    "CREATE INDEX by_nbytes ON records (nbytes)",
    "CREATE INDEX by_tags ON records (tags)",
    # All that the totals are made of, so that they are summed up without reading the rows.
    "CREATE INDEX sums ON records (hits, misses, saved_seconds, nbytes, signer, failure, pinned)",
    "CREATE TABLE restores (key TEXT, moment INTEGER, hits INTEGER, PRIMARY KEY (key, moment)) WITHOUT ROWID",
    # Up to which rows of the store all is listed. None at all: not all headers are in, and it is not to be trusted.
    "CREATE TABLE marks (position INTEGER PRIMARY KEY, version INTEGER)",
    # Which slips that may still be there are written up.
    "CREATE TABLE slips (name TEXT PRIMARY KEY) WITHOUT ROWID",
)

_YEAR_9999 = 253_370_764_800.0
_MOST = 2**62  # what SQLite takes for a number

_INSERT = f"INSERT INTO records VALUES (NULL, {', '.join('?' * 18)}) ON CONFLICT (key) DO UPDATE SET " + ", ".join(
    f"{column} = excluded.{column}"
    for column in "kind label created seconds nbytes tags outputs words expires signer failure".split()
)
# What a record was good for stays when it is made again, and so does its pin. One that was found already is not made
# twice; all values on the right are those before the update.
MADE = f"{_INSERT}, misses = misses + (created != excluded.created)"
FOUND = f"{_INSERT}, pinned = excluded.pinned"
REMOVE = "DELETE FROM records WHERE key = ?"
REMOVE_RESTORES = "DELETE FROM restores WHERE key = ?"
USE = """UPDATE records SET hits = hits + ?, last_used = max(last_used, ?), saved_seconds = saved_seconds + ?,
    restored_seconds = restored_seconds + ? WHERE key = ?"""
RESTORE = """INSERT INTO restores SELECT key, ?, ? FROM records WHERE key = ?
    ON CONFLICT (key, moment) DO UPDATE SET hits = hits + excluded.hits"""
PIN = "UPDATE records SET pinned = ? WHERE key = ?"
FAIL = "UPDATE records SET failure = ? WHERE key = ?"

# Its values are the accepted signers, and the time.
LISTED = """WITH listed AS (SELECT *, restored_seconds / max(hits, 1) AS restored, CASE
    WHEN instr(?, signer) = 0 THEN 'untrusted' WHEN failure != '' THEN 'failed' WHEN expires <= ? THEN 'expired'
    WHEN hits > 0 THEN 'restored' ELSE 'kept' END AS status FROM records)"""
# In the order of the fields of a Row.
COLUMNS = """key, kind, label, created, seconds, nbytes, tags, outputs, hits, last_used, saved_seconds, misses,
    restored_seconds, expires, pinned != 0, failure, status"""

ORDERS = frozenset(
    "created label kind seconds nbytes hits misses last_used saved_seconds restored status tags outputs".split()
)
"""What rows can be ordered by."""


class Listed(NamedTuple):
    """A Record as it is in the store, with what stands beside it."""

    header: Header
    signer: str = ""
    """Whose signature was found good; STRANGER where none was."""
    pinned: bool = False
    failure: str = ""
    """Why its last load failed, in a line."""
    hits: int = 0
    """What others have told of, where the listing is of a shared store."""
    last_used: float = 0.0
    """Seconds since the epoch, as they have told."""


class Row(NamedTuple):
    """One Record, as the catalogue lists it. A tuple, since there may be very many at once."""

    key: Key
    kind: str
    label: str
    created: float
    """Seconds since the epoch."""
    seconds: float
    """How long the run took."""
    nbytes: int
    tags: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    """Their names."""
    hits: int
    last_used: float
    """Seconds since the epoch; when it was made, if it has had no hit."""
    saved_seconds: float
    """What all hits have saved together."""
    misses: int = 1
    """How often it was computed and kept."""
    restored_seconds: float = 0.0
    """What all hits have taken together."""
    expires: float | None = None
    """Seconds since the epoch, after which it is no hit any more."""
    pinned: bool = False
    """It is not pruned."""
    failure: str = ""
    """Why its last load failed, in a line."""
    status: Status = "kept"

    @property
    def restored(self) -> float | None:
        """How many seconds a hit takes, on average; None if there was none."""
        return self.restored_seconds / self.hits if self.hits else None


class Totals(NamedTuple):
    """All Records together."""

    records: int
    nbytes: int
    """The sum of their sizes, as if they shared nothing."""
    hits: int
    misses: int
    saved_seconds: float
    failed: int
    untrusted: int
    pinned: int


def values_of(listed: Listed) -> tuple[Any, ...]:
    """What MADE and FOUND put into the table."""
    header = listed.header
    names = tuple([output.name for output in header.outputs])
    created, expires = possible(header.created), None if header.expires is None else possible(header.expires)
    return (
        header.key, plain(header.kind), plain(header.label), created, possible(header.seconds),
        min(header.nbytes, _MOST),
        _json_of(header.tags), _json_of(names), _words(header, names), expires, listed.signer, int(listed.pinned),
        plain(listed.failure), listed.hits, 1, max(created, listed.last_used), 0.0, 0.0,
    )  # fmt: skip


def rows_of(found: list[tuple[Any, ...]]) -> list[Row]:
    """The Rows of what COLUMNS gave, at the speed of C."""
    if not found:
        return []
    columns: list[Iterable[Any]] = list(zip(*found, strict=True))
    for name, made in (("tags", pairs_of), ("outputs", _names_of), ("pinned", bool)):
        place = Row._fields.index(name)
        columns[place] = map(made, columns[place])
    return list(map(partial(tuple.__new__, Row), zip(*columns, strict=True)))


@lru_cache(maxsize=1000)
def _names_of(outputs: str) -> tuple[str, ...]:
    return tuple(json.loads(outputs))


@lru_cache(maxsize=1000)
def pairs_of(tags: str) -> tuple[tuple[str, str], ...]:
    """The tags that a column of the table holds."""
    return tuple((name, value) for name, value in json.loads(tags))


def ordered(order: str, *, descending: bool, indexed: bool = True) -> str:
    """The ORDER BY clause, with the help of an index or without. Raises UsageError."""
    if order not in ORDERS:
        raise UsageError(f"can't order by {order!r}: it is one of {', '.join(sorted(ORDERS))}")
    way = "DESC" if descending else "ASC"
    return f"ORDER BY {'' if indexed else '+'}{order} {way}, id {way}"


def condition(
    label: str | None = None,
    kind: str | None = None,
    tag: tuple[str, str] | None = None,
    search: str | None = None,
    status: str | None = None,
    keys: Collection[str] | None = None,
) -> tuple[str, list[Any]]:
    """The WHERE clause, and its values."""
    terms: list[str] = []
    values: list[Any] = []
    for column, wanted in [("label", label), ("kind", kind), ("status", status)]:
        if wanted is not None:
            terms.append(f"{column} = ?")
            values.append(plain(wanted))
    if tag is not None:
        # A quote inside of a tag is escaped in JSON, so this text is nowhere but where the pair is.
        terms.append("instr(tags, ?) > 0")
        values.append(_json(tag))
    if keys is not None:
        terms.append("key IN (SELECT value FROM json_each(?))")
        values.append(_json(sorted(keys)))
    for word in plain(search or "").casefold().split():
        # The Key by its beginning; failures are looked at apart, since they come later than the words.
        terms.append(
            "(instr(words, ?) > 0 OR instr(label, ?) > 0 OR key BETWEEN ? AND ?"
            " OR (failure != '' AND instr(lower(failure), ?) > 0))"
        )
        values.extend([word, word, word, f"{word}g", word])
    return ("WHERE " + " AND ".join(terms) if terms else ""), values


def possible(seconds: float) -> float:
    """`seconds`, or the nearest that a calendar has: whoever made a header may have written anything."""
    return min(max(seconds, 0.0), _YEAR_9999) if math.isfinite(seconds) else 0.0


@lru_cache(maxsize=100)
def _json_of(value: tuple[str, ...] | tuple[tuple[str, str], ...]) -> str:
    # Most records of a process have the same tags, and outputs of the same names.
    return _json(value)


def _words(header: Header, names: tuple[str, ...]) -> str:
    """What is searched: no word that is looked for has a space in it, so none is found across two of these."""
    tags = [f"{key}={value}" for key, value in header.tags]
    # A label in small letters is searched as it is, and needn't be there twice.
    label = () if header.label.casefold() == header.label else (header.label,)
    return plain("\n".join([*label, *tags, *names]).casefold())


def plain(text: str) -> str:
    """`text` without what is no character, which SQLite refuses: half of a pair, or a byte of a file's name."""
    return text.encode("utf-8", "backslashreplace").decode()


def _json(value: object) -> str:
    return plain(_to_json(value))  # what is replaced there, JSON reads as it was


_to_json = json.JSONEncoder(ensure_ascii=False).encode
