"""Verify: look at every byte of a store, tell what is wrong, and mend it.

What is mended costs nothing that could still be had: a damaged record or Blob is moved aside, under ``damaged/``, where
it stays for a month; rows that can be read are taken over from a damaged SQLite file. What stands in the way of entries
(a link, a pipe, a folder) is renamed, and never followed. Savepoints are left as they are, and so are records that a
newer release wrote, or that somebody else signed. Whoever dies half-way leaves what the next `verify` can mend.
"""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ipycheckpoint.cache.garbage import ASIDE, BLOBS, RECORDS, blobs_of, collect, survey
from ipycheckpoint.cache.listing import SCHEMA, VERSION, plain, possible
from ipycheckpoint.cache.rolls import ROLLS
from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import CheckpointError, StoreError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.record.format import FORMAT_VERSION, check_payload, read_header
from ipycheckpoint.store import damage
from ipycheckpoint.store.base import PENDING, is_name
from ipycheckpoint.store.system import REAL, remove_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.cache.garbage import Survey
    from ipycheckpoint.record.format import Stored
    from ipycheckpoint.store.base import Store
    from ipycheckpoint.store.system import System

What = Literal[
    "damaged record", "damaged blob", "damaged database", "unreadable", "in the way", "stale listing", "leftover",
    "garbage", "untrusted", "newer", "wrong time",
]  # fmt: skip
"""``unreadable``: the store could not give it just now, and it may be whole. ``in the way``: no file, where only files
of ours should be. ``leftover``: what a killed process was writing. ``newer``: a record of a format that this release
can't read. ``wrong time``: when it was put can't be told, so nothing would ever remove it."""

_HARMLESS: frozenset[What] = frozenset(("leftover", "garbage", "untrusted", "newer", "wrong time"))

_LISTING = damage.Files("catalogue", SCHEMA, VERSION, disposable=True)
_AHEAD_SECONDS = 86400.0  # by which another machine's clock may go before ours


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    what: What
    name: str
    """Of the entry or file."""
    told: str
    """In words."""
    label: str = ""
    """Of the record, where that can be told."""
    done: str = ""
    """How it was mended; empty where it wasn't."""

    @property
    def is_wrong(self) -> bool:
        """Whether it should not be so, and still is."""
        return self.what not in _HARMLESS and not self.done


@dataclass(frozen=True, slots=True)
class Verified:
    """What a store was found to be."""

    findings: tuple[Finding, ...]
    records: int
    blobs: int
    nbytes: int
    """Of all entries, each of which was read."""

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong, or nothing any more."""
        return not any(finding.is_wrong for finding in self.findings)


def verify(cache: Cache, *, fix: bool = False, system: System = REAL) -> Verified:
    """Read every record and Blob of `cache`, and with `fix` mend what is wrong. Unpickles nothing.

    Without `fix` nothing is written. Raises StoreError where the store as a whole can't be read, or be mended.
    """
    findings = [*_intruders(cache, fix, system), *_databases(cache, fix, system)]
    seen = survey(cache.store)
    if fix and (late := _databases(cache, fix, system, noticed=True)):
        findings += late  # it was noticed, and moved aside, by the survey
        seen = survey(cache.store)
    blobs = {finding.name: finding for finding in _blobs(cache, seen)}
    records = [*_unreadable(cache, seen), *_records(cache, seen, blobs)]
    findings += [_set_aside(cache, seen, finding) if fix else finding for finding in (*blobs.values(), *records)]
    findings += _times(cache, seen, fix)
    findings += _garbage(cache, seen, fix)
    findings += _leftovers(cache, fix, system)
    findings += _listing(cache, {finding.name for finding in findings if finding.what == "untrusted"}, fix)
    if fix:
        findings += _databases(cache, fix, system, noticed=True)
    number = sum(name.startswith(BLOBS) for name in seen.others)
    return Verified(tuple(findings), len(seen.records) + len(seen.unreadable), number, seen.nbytes)


@contextmanager
def _mending(path: Path) -> Iterator[None]:
    """What the operating system refuses is told as ours."""
    try:
        yield
    except OSError as error:
        raise StoreError(str(path), "mend", error.strerror or str(error)) from error


def _intruders(cache: Cache, fix: bool, system: System) -> Iterator[Finding]:
    if cache.directory is None:
        return
    with _mending(cache.directory):
        for path in damage.intruders(cache.directory, system=system):
            done = f"it is now {damage.push_aside(path, system=system).name}" if fix else ""
            yield Finding("in the way", str(path), "no file or folder of ours can stand here", done=done)


def _blobs(cache: Cache, seen: Survey) -> Iterator[Finding]:
    for name in seen.others:
        if name.startswith(BLOBS):
            try:
                problem = _problem_of_blob(cache, name)
            except StoreError as unread:
                yield Finding("damaged blob" if _is_odd(unread) else "unreadable", name, str(unread))
                continue
            if problem:
                yield Finding("damaged blob", name, problem)


def _problem_of_blob(cache: Cache, name: str) -> str:
    content = cache.store.get(name)
    if content is None:
        return ""  # it was removed since
    found = digest_bytes(content.view)
    return "" if found == name.removeprefix(BLOBS) else f"its Digest is {found[:12]}…"


def _unreadable(cache: Cache, seen: Survey) -> Iterator[Finding]:
    for key, problem in seen.unreadable.items():
        yield Finding(_what_is(cache, key), RECORDS + key, problem)


def _what_is(cache: Cache, key: Key) -> What:
    """What a record is whose header could not be read a moment ago."""
    try:
        content = cache.store.get(RECORDS + key)
        if content is not None:
            read_header(content.view)
    except StoreError as problem:
        return "damaged record" if _is_odd(problem) else "unreadable"
    except CheckpointError:
        return "newer" if _is_newer(cache, key) else "damaged record"
    return "unreadable"


def _is_odd(problem: StoreError) -> bool:
    """Whether a row is there, and holds what no store has put into it: that will not be read at another time either."""
    return isinstance(problem.__cause__, sqlite3.DataError)


def _is_newer(cache: Cache, key: Key) -> bool:
    with suppress(CheckpointError, ValueError, AttributeError, RecursionError):
        content = cache.store.get(RECORDS + key)
        line = b"" if content is None else bytes(content.view).partition(b"\n")[0]
        version = json.loads(line).get("ipycheckpoint")
        return type(version) is int and version > FORMAT_VERSION
    return False


def _records(cache: Cache, seen: Survey, damaged_blobs: Mapping[str, Finding]) -> Iterator[Finding]:
    signers = cache.keyring.signers()
    for key in seen.records:
        label, problem = "", ""
        what: What = "damaged record"
        try:
            content = cache.store.get(RECORDS + key)
            if content is None:
                continue
            stored = read_header(content.view)
            label = stored.header.label
            if stored.header.key != key:
                problem = "it belongs to another key"
            else:
                check_payload(stored)
                problem = _problem_of_blobs(cache, seen, stored, damaged_blobs)
        except CheckpointError as found:
            problem, what = str(found), "unreadable" if isinstance(found, StoreError) else what
        else:
            if not problem and not cache.keyring.verify(stored.signed, stored.signature):
                signer = "" if stored.signature is None else stored.signature.signer
                if signer in signers:
                    problem = "its header is not the one that was signed"
                else:
                    told = f"signed by {signer}, whom you don't accept" if signer else "nobody has signed it"
                    yield Finding("untrusted", RECORDS + key, told, label)
        if problem:
            yield Finding(what, RECORDS + key, problem, label)


def _problem_of_blobs(cache: Cache, seen: Survey, stored: Stored, damaged_blobs: Mapping[str, Finding]) -> str:
    for name in dict.fromkeys(blobs_of(stored.header)):
        if name in damaged_blobs:
            if damaged_blobs[name].what == "unreadable":
                raise StoreError(f"{name[:18]}…", "read", damaged_blobs[name].told)
            return f"{name[:18]}… is damaged"
        if name not in seen.others and not cache.store.contains(name):
            return f"{name[:18]}… is gone"
    return ""


def _set_aside(cache: Cache, seen: Survey, finding: Finding) -> Finding:
    """Move what is damaged to where nobody stumbles over it."""
    if not finding.is_wrong or finding.what == "unreadable":
        return finding
    name = finding.name
    key = Key(name.removeprefix(RECORDS))
    if key in seen.records and seen.records[key].kind == "savepoint":
        return finding
    # It is nothing to send to others, who may have a whole one.
    store: Store = getattr(cache.store, "local", cache.store)
    try:
        content = store.get(name)
    except StoreError as problem:
        if not _is_odd(problem):
            raise
        content = None
    if content is not None:
        store.put(ASIDE + name, [content.view])
    # Somebody may have put a good one in its place meanwhile.
    store.remove_old(PENDING + name, seen.began)
    if name.startswith(RECORDS):
        cache.forget_old(key, seen.began)
    else:
        store.remove_old(name, seen.began)
    return replace(finding, done="moved aside" if content is not None else "removed, since nothing of it can be read")


def _times(cache: Cache, seen: Survey, fix: bool) -> Iterator[Finding]:
    entries = [*(kept.entry for kept in seen.records.values()), *seen.others.values()]
    for entry in entries:
        if not 0 < entry.modified <= seen.began + _AHEAD_SECONDS:
            done = "it counts as put now" if fix and cache.store.renew(entry.name, math.inf) else ""
            yield Finding("wrong time", entry.name, "it was put at a time that can't be", done=done)


def _garbage(cache: Cache, seen: Survey, fix: bool) -> Iterator[Finding]:
    # With `fix`, what only a record needed that was moved aside stays with it.
    for entry in collect(cache.store, survey(cache.store) if fix else seen, dry_run=not fix):
        if not entry.name.startswith(ASIDE):
            told = f"no record refers to these {entry.nbytes:,} bytes"
            yield Finding("garbage", entry.name, told, done="removed" if fix else "")


def _leftovers(cache: Cache, fix: bool, system: System) -> Iterator[Finding]:
    if cache.directory is None:
        return
    with _mending(cache.directory):
        for path, nbytes in damage.leftovers(cache.directory, system=system):
            if fix:
                remove_file(system, str(path))
            told = f"{nbytes:,} bytes that a killed process was writing"
            yield Finding("leftover", str(path), told, done="removed" if fix else "")


def _databases(cache: Cache, fix: bool, system: System, *, noticed: bool = False) -> list[Finding]:
    """What is wrong with the SQLite files; only those that were `noticed`, and have another name by now, if so told."""
    folder = cache.directory
    if folder is None:
        return []
    findings = []
    with _mending(folder):
        for tables, mend in ((damage.SMALL, _salvage), (_LISTING, _make_anew)):
            paths = (
                damage.unsalvaged(folder, tables.stem, system=system)
                if noticed
                else damage.damaged(folder, tables, system=system)
            )
            for path in paths:
                told = damage.complaint(path, tables, system=system) or "it was found to be damaged"
                done = mend(cache, path, system) if fix else ""
                findings.append(Finding("damaged database", str(path), told, done=done))
    return findings


def _salvage(cache: Cache, path: Path, system: System) -> str:
    """Put what can be read from a damaged file back into the store, as far as it is whole and isn't there already.

    In words, what was done; empty where the file can't be opened just now.
    """
    path = damage.put_aside(path, system=system)
    number = 0
    try:
        for name, data in damage.rows(path, system=system):
            if _is_whole(name, data) and not cache.store.contains(name):
                cache.store.put(name, [data])
                number += 1
    except sqlite3.OperationalError:
        return ""
    damage.close_case(path, system=system)
    return f"took over {number} of its entries"


def _make_anew(cache: Cache, path: Path, system: System) -> str:
    """There is nothing in a listing that the records don't tell."""
    cache.catalogue.close()
    damage.empty(damage.put_aside(path, system=system), system=system)
    cache.catalogue.rebuild()
    return "made anew from the records"


def _is_whole(name: str, data: bytes) -> bool:
    prefix, slash, rest = name.partition("/")
    with suppress(CheckpointError):
        if prefix + slash == BLOBS:
            return digest_bytes(data) == rest
        if prefix + slash == RECORDS:
            stored = read_header(data)
            check_payload(stored)
            return stored.header.key == rest
        return is_name(name)
    return False


def _listing(cache: Cache, untrusted: Collection[str], fix: bool) -> Iterator[Finding]:
    """The catalogue against the records that are there now, of which these are untrusted."""
    kept = survey(cache.store).records
    there = {
        (key, k.kind, plain(k.label), possible(k.created), possible(k.seconds), k.nbytes, RECORDS + key in untrusted)
        for key, k in kept.items()
    }
    listed = _listed(cache)
    if there == listed:
        return
    if fix:
        cache.catalogue.rebuild()
        if there != _listed(cache):
            _drop_rolls(cache)
    told = (
        f"{len(there - listed)} records are not in the catalogue, {len(listed - there)} in it are gone or were others"
    )
    yield Finding("stale listing", "catalogue", told, done="made anew from the records" if fix else "")


def _listed(cache: Cache) -> set[tuple[object, ...]]:
    rows = cache.catalogue.rows()
    return {(r.key, r.kind, r.label, r.created, r.seconds, r.nbytes, r.status == "untrusted") for r in rows}


def _drop_rolls(cache: Cache) -> None:
    """A roll that tells of other records than there are is no help: without any, all records are opened."""
    rolls = [entry.name for entry in cache.store.entries(ROLLS)]
    for name in rolls:
        cache.store.remove(name)
    if rolls:
        cache.catalogue.rebuild()
