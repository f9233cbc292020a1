"""A cache of the user's: `PluggedCache` is what is known of its results, `Plug` the way to them that the engine takes.

A user's cache keeps results and tells nothing of them. So their records are kept beside it, without values, in a Cache
in the memory of this process: for explanations, listings and statistics.
"""

from __future__ import annotations

import atexit
import os
import secrets
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import finalize, ref

from ipycheckpoint.cache.cache import Cache, Found, Shared, Spoiled, texts_of
from ipycheckpoint.cache.listing import Listed
from ipycheckpoint.cache.packing import TAPE, UNKNOWN, environment_of, header_of, pack, unpack
from ipycheckpoint.cache.savefile import unpack as opened
from ipycheckpoint.cache.upkeep import listed
from ipycheckpoint.digest import Digest, digest
from ipycheckpoint.errors import CheckpointFailedError, CheckpointNotExist, FormatError, UsageError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.identity.outline import preview
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.format import Stored, read_section, write
from ipycheckpoint.record.record import Header, Output
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.record.unpickling import decode
from ipycheckpoint.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ipycheckpoint.cache.base import CacheBase
    from ipycheckpoint.cache.cache import Draft
    from ipycheckpoint.cache.listing import Row
    from ipycheckpoint.cache.news import News
    from ipycheckpoint.cache.opened import Record
    from ipycheckpoint.identity.identity import Identity, Kind

RESULT = "return"
"""The name of what a function returned, in its record."""

_MOST_RESULTS = 10_000
"""Of how many results of one cache a process remembers what it knows."""

_NOWHEN = 0.0
"""When a result was made of which nobody has told that."""

_KEY = object()


@dataclass(frozen=True, slots=True)
class Retrieved(Found):
    """A result as the user's cache gave it back."""

    value: object = None


class PluggedCache(Cache):
    """What this process knows of the results in `cache`: a Cache in memory, of records without their values.

    To forget one of its records is to forget the result. There is one for each cache, as long as that lives: see `of`.
    """

    def __init__(self, cache: CacheBase[Any, Any]) -> None:
        from ipycheckpoint.cache.catalogue import Catalogue

        store, ring = MemoryStore(), Keyring(secret=secrets.token_bytes(32))  # nobody else will read these records
        catalogue = Catalogue(None, partial(listed, store, ring), signers=ring.signers)
        super().__init__(store, catalogue, ring)
        self._name = type(cache).__name__
        self._context_ids: OrderedDict[Key, Any] = OrderedDict()
        self._cache: Callable[[], CacheBase[Any, Any] | None]
        try:
            self._cache = ref(cache)
        except TypeError:  # it can't be told when such a one is gone
            self._cache = lambda: cache

    @classmethod
    def of(cls, cache: CacheBase[Any, Any], news: News | None = None) -> PluggedCache:
        """That of `cache`; what happens is told to `news`."""
        known = _known.get(id(cache))
        if known is None:
            known = _known.setdefault(id(cache), cls(cache))
            with suppress(TypeError):
                finalize(cache, _known.pop, id(cache), None).atexit = False
        if news is not None:
            known.news = news
        return known

    @property
    def location(self) -> str:
        """The name of the class of the user's cache."""
        return self._name

    def ask(self, method: str, *arguments: object) -> Any:
        """What a method of the user's cache gives. Raises CheckpointNotExist, and CheckpointFailedError if it fails."""
        try:
            return getattr(self._cache(), method)(*arguments)
        except CheckpointNotExist:
            raise
        except Exception as problem:
            if method == "forget" and isinstance(problem, UsageError):
                raise  # that it can't, as `CacheBase` says
            said = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
            raise CheckpointFailedError(f"{self._name}.{method} raised {said}") from problem

    def __contains__(self, key: object) -> bool:
        """Whether anything is known of the result under `key`."""
        return key in self._context_ids

    def learn(self, context_id: object, header: Header) -> Header:
        """Remember what is known of the result under `context_id`."""
        texts = texts_of(header.ingredients)
        self._put_shared(texts.values())
        bare = replace(
            header,
            ingredients=tuple(ingredient.bare() for ingredient in header.ingredients),
            texts=tuple((position, text.digest) for position, text in texts.items()),
        )
        self._store.put(f"records/{bare.key}", write(bare, (), self._keyring.sign))
        self._catalogue.add(Listed(bare, self._keyring.signer))
        with self._lock:
            self._context_ids[bare.key] = context_id
            self._context_ids.move_to_end(bare.key)
            oldest = self._context_ids.popitem(last=False)[0] if len(self._context_ids) > _MOST_RESULTS else None
        if oldest is not None:
            self._store.remove(f"records/{oldest}")
            self._catalogue.remove(oldest)
        return bare

    def kept(self, context_id: object, header: Header) -> Header:
        """As `learn`, of a result that was handed to the user's cache just now."""
        environment = Shared.of(Environment.current().to_json())
        self._put_shared([environment])
        learned = self.learn(context_id, replace(header, environment=environment.digest))
        self._tell("kept", learned)
        return learned

    def look_around(self) -> PluggedCache:
        """Learn of all results that the user's cache tells of, those of other processes too; returns itself."""
        if hasattr(self._cache(), "catalogue"):
            with self._lock:
                known = list(self._context_ids.values())
            for context_id in self.ask("catalogue"):
                if context_id not in known:
                    self.learn(context_id, self._header_under(context_id))
        return self

    def _header_under(self, context_id: object) -> Header:
        with suppress(Exception):  # a listing tells what it can
            return unpack(self.ask("retrieve", context_id)).header
        key = Key(digest("listed", str(context_id).encode("utf-8", "surrogatepass")))
        return _header_under_key(key, str(context_id))

    def open(self, key: Key) -> Record | None:
        """The record under `key`, with its values where the user's cache was given a whole one."""
        with suppress(Exception):
            return opened(self.ask("retrieve", self._context_ids[key]), location=key)
        return super().open(key)

    def forget(self, key: Key) -> bool:
        """Forget the result under `key`; whether there was one. UsageError if the user's cache can't forget."""
        return self.forget_under(self._context_ids[key], key) if key in self._context_ids else False

    def forget_under(self, context_id: object, key: Key) -> bool:
        """As `forget`, whether anything is known of that result or not."""
        if not hasattr(self._cache(), "forget"):
            raise UsageError(f"{self._name} can't forget {context_id!r}: give it a method forget(context_id)")
        try:
            was_there = bool(self.ask("forget", context_id))
        except CheckpointNotExist:
            was_there = False
        super().forget(key)
        with self._lock:
            self._context_ids.pop(key, None)
        return was_there


_known: dict[int, PluggedCache] = {}
# By the id of the cache, as long as that lives.
atexit.register(_known.clear)  # while they can still be closed


class Plug:
    """The Records in a cache of the user's, each under its Key, or under `context_id` where that is given.

    `whole`, the cache is given signed records; otherwise the results as they are, which then can't be verified.
    `label` is what a result is listed under of which nothing is known.
    """

    directory = None

    def __init__(
        self,
        cache: CacheBase[Any, Any],
        *,
        whole: bool,
        label: str = "",
        context_id: object = _KEY,
        keyring: Keyring | None = None,
        news: News | None = None,
    ) -> None:
        self.plugged = PluggedCache.of(cache, news)
        self._cache = cache  # which lives at least as long as this
        self.is_plain = not whole
        """Whether the cache is given results as they are."""
        self._label = label
        self._given = context_id
        self._keyring = keyring

    @property
    def location(self) -> str:
        """The name of the class of the user's cache."""
        return self.plugged.location

    @staticmethod
    def claim_on(context_id: object) -> Hashable:
        """What stands for a run of this ContextId in this process; where it can't be compared, for this one run."""
        try:
            hash(context_id)
        except Exception:  # noqa: BLE001 - it is the user's own type
            return object()
        return os.getpid(), context_id  # what a parent's threads held when it forked, nobody holds in the child

    def under(self, context_id: object) -> Plug:
        """The same, where all that is asked for is what is kept under `context_id`."""
        whole = not self.is_plain
        return Plug(self._cache, whole=whole, label=self._label, context_id=context_id, keyring=self._keyring)

    def _context_id(self, key: Key) -> object:
        return key if self._given is _KEY else self._given

    def find(self, key: Key) -> Found | Spoiled | None:
        """What the cache has; None when nothing. Raises CheckpointFailedError when it fails."""
        try:
            kept = self.plugged.ask("retrieve", self._context_id(key))
        except CheckpointNotExist:
            return None
        if not self.is_plain:
            return self._opened(key, kept)
        header = self.plugged.header(key) or replace(_header_under_key(key, self._label), outputs=(_output(kept),))
        return Retrieved(Stored(header, None, b"", memoryview(b"")), value=kept)

    def _opened(self, key: Key, kept: object) -> Found | Spoiled:
        if not isinstance(kept, bytes | bytearray | memoryview):
            return Spoiled(f"{self.location} gave {type(kept).__qualname__} back, and not the bytes of its record")
        try:
            stored = unpack(kept)
        except FormatError as problem:
            return Spoiled(f"its record is damaged: {problem}")
        if stored.header.key != key:
            return Spoiled("its record is damaged: it belongs to another key")
        if not (self._keyring or Keyring()).verify(stored.signed, stored.signature):
            return Spoiled(f"its record in {self.location} is not signed by you, so it is not loaded")
        return Found(stored)

    def load(
        self,
        found: Found,
        *,
        resolve: Callable[[tuple[object, ...]], object] | None = None,
        namespace: dict[str, Any] | None = None,
    ) -> dict[str, object] | LoadFailure:
        """The values of all outputs, by name; or the first failure."""
        if isinstance(found, Retrieved):
            return {RESULT: found.value}
        values: dict[str, object] = {}
        for index, section in enumerate(found.header.sections):
            if section.codec == TAPE:
                continue
            raw: memoryview | bytes = b""
            try:
                raw, buffers = read_section(found.stored, index, _no_blob)
                values |= decode(raw, buffers, resolve=resolve, namespace=namespace)
            except Exception as problem:  # noqa: BLE001 - unpickling raises whatever the classes in it raise
                names = ", ".join(output.name for output in found.header.outputs if output.section == index)
                return LoadFailure(names, problem, raw, Environment.current(), environment_of(found.stored))
        return values

    def fail(self, key: Key, failure: LoadFailure) -> None:
        """Note that what is kept could not be loaded, and why, as long as this process lasts."""
        self.plugged.fail(key, failure)

    def save(self, draft: Draft) -> Header:
        """Hand `draft` to the cache. Raises CheckpointFailedError when it fails."""
        context_id = self._context_id(draft.identity.key)
        given: object
        if self.is_plain:
            given = draft.values[RESULT]
            header = replace(header_of(draft), outputs=(_output(given),))
        else:
            header, chunks = pack(draft, (self._keyring or Keyring()).sign)
            given = b"".join(chunks)
        self.plugged.ask("save", context_id, given)
        # With the texts, which the packed header has elsewhere.
        return self.plugged.kept(context_id, replace(header, ingredients=draft.identity.ingredients))

    def tape(self, found: Found) -> bytes:
        """What the user saw of the run. Raises IntegrityError or FormatError."""
        for index, section in enumerate(found.header.sections):
            if section.codec == TAPE:
                return bytes(read_section(found.stored, index, _no_blob)[0])
        raise FormatError("this record has no tape")

    def nearest(self, identity: Identity, before: float | None = None) -> Header | None:
        """The result that this process knows of with most in common with `identity`, the newest of several."""
        return self.plugged.nearest(identity, before)

    def count_hit(self, header: Header, seconds: float) -> None:
        """Count a restore that took `seconds`."""
        if header.key not in self.plugged:
            self.plugged.learn(self._context_id(header.key), header)
        self.plugged.count_hit(header, seconds)

    def header(self, key: Key) -> Header | None:
        """What is known of what is kept; None where nothing is. Raises CheckpointFailedError when the cache fails."""
        found = self.find(key)
        return found.header if isinstance(found, Found) else None

    def rows(self) -> list[Row]:
        """A row for each result that is known of, newest first."""
        return self.plugged.look_around().rows()

    def forget(self, key: Key) -> bool:
        """Forget what is kept; whether there was anything. UsageError if the cache can't."""
        return self.plugged.forget_under(self._context_id(key), key)

    def forget_label(self, label: str, kind: Kind | None = None) -> int:
        """Forget all that is known to be of `label`; how many results there were. UsageError if the cache can't."""
        return self.plugged.look_around().forget_label(label, kind)


def _no_blob(_: Digest) -> None:
    """All that a record needs is in it."""


def _header_under_key(key: Key, label: str) -> Header:
    """What can be said of a result that another process handed to its cache."""
    return Header("call", label, key, _NOWHEN, 0.0, (), (), (), UNKNOWN)


def _output(value: object) -> Output:
    return Output(RESULT, "result", type(value).__qualname__, preview=preview(value))
