"""Whatever is done in whatever order, a Store is a dict of bytes, and a Cache one of records."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.catalogue import Catalogue
from ipycheckpoint.cache.prune import Limits, prune
from ipycheckpoint.cache.upkeep import listed
from ipycheckpoint.cache.verify import verify
from ipycheckpoint.store.base import Store
from ipycheckpoint.store.directory import DirectoryStore
from ipycheckpoint.store.memory import MemoryStore
from tests.faults.scale import TORTURE
from tests.faults.work import KEYRING, draft, key_of, opened, version_in

SETTINGS = settings(max_examples=300 if TORTURE else 12, stateful_step_count=80 if TORTURE else 30, deadline=None)

NAMES = st.sampled_from(["a", "b/a", "b/ab/c", "records/" + "5f" * 32, "blobs/" + "5f" * 32, "x=1/%25"])
BYTES = st.integers(0, 200).flatmap(lambda n: st.binary(min_size=n, max_size=n)) | st.just(bytes(70_000))


class StoreMachine(RuleBasedStateMachine):
    """Two openings of one place, taken in turns, against a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.stores = [self.open(), self.open()]
        self.model: dict[str, bytes] = {}

    def open(self) -> Store:
        raise NotImplementedError

    def teardown(self) -> None:
        for store in self.stores:
            getattr(store, "close", lambda: None)()
        shutil.rmtree(self.place)

    @rule(which=st.booleans(), name=NAMES, value=BYTES)
    def put(self, which: bool, name: str, value: bytes) -> None:
        half = len(value) // 2
        self.stores[which].put(name, [value[:half], memoryview(value)[half:]])
        self.model[name] = value

    @rule(which=st.booleans(), name=NAMES)
    def remove(self, which: bool, name: str) -> None:
        assert self.stores[which].remove(name) == (self.model.pop(name, None) is not None)

    @rule(which=st.booleans(), name=NAMES)
    def get(self, which: bool, name: str) -> None:
        content = self.stores[which].get(name)
        assert (None if content is None else bytes(content.view)) == self.model.get(name)
        if content is not None:
            assert self.stores[which].state(name, content) is not None
            content.view[:1] = b"!"[: content.view.nbytes]  # it is the caller's own

    @rule(which=st.booleans(), name=NAMES)
    def contains(self, which: bool, name: str) -> None:
        assert self.stores[which].contains(name) == (name in self.model)

    @rule(which=st.booleans(), name=NAMES)
    def renew(self, which: bool, name: str) -> None:
        assert self.stores[which].renew(name, time.time() + 60) == (name in self.model)

    @rule(which=st.booleans(), name=NAMES, old=st.booleans())
    def remove_old(self, which: bool, name: str, old: bool) -> None:
        before = time.time() + (60 if old else -60)
        assert self.stores[which].remove_old(name, before) == (old and name in self.model)
        if old:
            self.model.pop(name, None)

    @rule(which=st.booleans(), prefix=st.sampled_from(["", "b/", "blobs/", "records/5f", "x"]))
    def entries(self, which: bool, prefix: str) -> None:
        found = {entry.name: entry.nbytes for entry in self.stores[which].entries(prefix)}
        assert found == {name: len(value) for name, value in self.model.items() if name.startswith(prefix)}

    @rule(which=st.booleans())
    def reopen(self, which: bool) -> None:
        getattr(self.stores[which], "close", lambda: None)()


class DirectoryMachine(StoreMachine):
    def open(self) -> Store:
        return DirectoryStore(self.place, inline_nbytes=100)


class NetworkMachine(StoreMachine):
    def open(self) -> Store:
        return DirectoryStore(self.place, network=True)


class MemoryMachine(StoreMachine):
    def open(self) -> Store:
        self.shared = getattr(self, "shared", MemoryStore())
        return self.shared


TestDirectoryStore = pytest.mark.filterwarnings("error")(DirectoryMachine.TestCase)
TestNetworkStore = NetworkMachine.TestCase
TestMemoryStore = MemoryMachine.TestCase
for case in (TestDirectoryStore, TestNetworkStore, TestMemoryStore):
    case.settings = SETTINGS

WORK = st.sampled_from(["tiny_a", "tiny_b", "small_a", "large_a", "large_b", "long_a"])


class CacheMachine(RuleBasedStateMachine):
    """Two openings of one Cache, taken in turns, against a dict of versions."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.caches = [self.open(), self.open()]
        self.model: dict[str, int] = {}
        self.pinned: set[str] = set()

    def open(self) -> Cache:
        return opened(self.place / "cache")

    def teardown(self) -> None:
        for cache in self.caches:
            cache.close()
        shutil.rmtree(self.place)

    @rule(which=st.booleans(), name=WORK, version=st.integers(0, 3))
    def save(self, which: bool, name: str, version: int) -> None:
        self.caches[which].save(draft(name, version))
        self.model[name] = version

    @rule(which=st.booleans(), name=WORK)
    def look_up(self, which: bool, name: str) -> None:
        assert version_in(self.caches[which], name) == self.model.get(name)
        header = self.caches[which].header(key_of(name))
        assert (header is not None) == (name in self.model)
        if header is not None:
            self.caches[which].count_hit(header, 0.1)
            assert header.ingredients[0].source == f"def {name}(): ..."

    @rule(which=st.booleans(), name=WORK)
    def forget(self, which: bool, name: str) -> None:
        assert self.caches[which].forget(key_of(name)) == (self.model.pop(name, None) is not None)
        self.pinned.discard(name)

    @precondition(lambda self: self.model)
    @rule(which=st.booleans(), choose=st.randoms())
    def pin(self, which: bool, choose: object) -> None:
        name = choose.choice(sorted(self.model))  # type: ignore[attr-defined]
        self.caches[which].upkeep.pin(key_of(name))
        self.pinned.add(name)

    @rule(which=st.booleans())
    def prune_all(self, which: bool) -> None:
        prune(self.caches[which], Limits(max_bytes=0), young_seconds=-60, grace_seconds=-60)
        self.model = {name: version for name, version in self.model.items() if name in self.pinned}

    @rule(which=st.booleans())
    def collect(self, which: bool) -> None:
        prune(self.caches[which], Limits(), grace_seconds=-60)

    @rule(which=st.booleans())
    def rebuild(self, which: bool) -> None:
        assert self.caches[which].catalogue.rebuild() == len(self.model)

    @rule(which=st.booleans())
    def check(self, which: bool) -> None:
        assert verify(self.caches[which]).is_good

    @rule(which=st.booleans())
    def reopen(self, which: bool) -> None:
        self.caches[which].close()

    @invariant()
    def both_list_the_same(self) -> None:
        for cache in self.caches:
            assert {row.label for row in cache.rows()} == {f"work.{name}" for name in self.model}


class MemoryCacheMachine(CacheMachine):
    def open(self) -> Cache:
        self.shared = getattr(self, "shared", None) or self._one()
        return self.shared

    def _one(self) -> Cache:
        store = MemoryStore()
        return Cache(store, Catalogue(None, lambda: listed(store, KEYRING), signers=KEYRING.signers), KEYRING)


TestCache = CacheMachine.TestCase
TestMemoryCache = MemoryCacheMachine.TestCase
for case in (TestCache, TestMemoryCache):
    case.settings = SETTINGS
