from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.cache.cache import Cache, Draft
from ipycheckpoint.cache.failures import Failures, PastFailure, open_failures
from ipycheckpoint.errors import FormatError, StoreError
from ipycheckpoint.identity.identity import Identity, Key
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.environment import Difference, Environment
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.record import Output
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.store.memory import MemoryStore

THEN = Environment("3.11.4", "cpython", "linux", "x86_64", {"numpy": "1.26.0"})
NOW = dataclasses.replace(THEN, python="3.13.0", packages={"numpy": "2.0.0"})
FAILURE = LoadFailure(
    "df", ModuleNotFoundError("No module named 'numpy.core'", name="numpy.core"), b"", NOW, THEN, type_name="x.Frame"
)
KEY = Key("a" * 64)

text = st.text(st.characters(exclude_categories=()), max_size=8)
pasts = st.builds(
    PastFailure,
    *[text] * 4,
    st.lists(st.builds(Difference, text, st.none() | text, st.none() | text), max_size=3).map(tuple),
    text,
    text,
    st.floats(0, 1e10),
    st.none() | st.floats(0, 1e10),
)


class Broken(MemoryStore):
    """Nothing can be written or read here."""

    def get(self, name):
        raise StoreError("here", "read", "broken")

    def put(self, name, chunks):
        raise StoreError("here", "write", "broken")

    def remove(self, name):
        raise StoreError("here", "remove", "broken")

    def entries(self, prefix=""):
        raise StoreError("here", "list", "broken")


@pytest.fixture
def store():
    return MemoryStore()


@given(pasts)
def test_a_failure_comes_back_from_json(past):
    assert PastFailure.from_json(past.to_json()) == past


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"name": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_failure_is_a_format_error(data):
    with pytest.raises(FormatError):
        PastFailure.from_json(data)


def test_what_is_known_of_a_failure_is_kept(store):
    Failures(store, clock=lambda: 5.0).add(KEY, FAILURE)
    past = Failures(store).get(KEY)
    assert past is not None
    assert (past.name, past.type_name, past.exception) == ("df", "x.Frame", "ModuleNotFoundError")
    assert past.differences[0] == Difference("numpy", "1.26.0", "2.0.0")
    assert (past.python, past.when, past.settled) == ("3.13.0", 5.0, None)
    assert past.how_to_load == FAILURE.how_to_load()
    assert past.line == "df: ModuleNotFoundError: No module named 'numpy.core'"


def test_a_failure_is_settled_and_stays_on_record(store):
    Failures(store).add(KEY, FAILURE)
    assert open_failures(store) == {KEY: "df: ModuleNotFoundError: No module named 'numpy.core'"}
    failures = Failures(store, clock=lambda: 7.0)
    failures.settle(KEY)
    assert open_failures(store) == {}
    assert failures.get(KEY).settled == 7.0


def test_a_failure_is_settled_once(store):
    times = iter([1.0, 2.0, 3.0])
    failures = Failures(store, clock=lambda: next(times))
    failures.add(KEY, FAILURE)
    failures.settle(KEY)
    failures.settle(KEY)
    assert failures.get(KEY).settled == 2.0


def test_a_failure_after_it_was_settled_is_a_new_one(store):
    failures = Failures(store)
    failures.settle(KEY)
    failures.add(KEY, FAILURE)
    failures.settle(KEY)
    failures.add(KEY, FAILURE)
    assert failures.get(KEY).settled is None


def test_what_never_failed_is_asked_of_the_store_once(store):
    asked = []
    entries = store.entries
    store.entries = lambda prefix="": asked.append(prefix) or entries(prefix)
    failures = Failures(store)
    for number in range(10):
        failures.settle(Key(f"{number:064}"))
    assert asked == ["failures/"]


def test_a_store_that_is_out_of_order_costs_nobody_anything():
    failures = Failures(Broken())
    failures.add(KEY, FAILURE)
    failures.settle(KEY)
    failures.forget(KEY)
    assert failures.get(KEY) is None


def test_a_damaged_entry_is_none(store):
    store.put(f"failures/{KEY}", [b"nonsense"])
    assert Failures(store).get(KEY) is None
    assert open_failures(store) == {}


def saved(cache):
    identity = Identity("call", "work", ())
    sections = tuple(encode({"return": [1, 2]}))
    return cache.save(Draft(identity, (Output("return", "result"),), {"return": [1, 2]}, sections, 1.5))


@pytest.fixture
def cache(tmp_path):
    cache = Cache.at(tmp_path / "cache", keyring=Keyring(secret=b"s" * 32))
    yield cache
    cache.close()


def test_the_catalogue_lists_a_failure_until_the_record_loads(cache):
    header = saved(cache)
    cache.fail(header.key, FAILURE)
    assert [row.failure for row in cache.rows()] == ["df: ModuleNotFoundError: No module named 'numpy.core'"]
    cache.count_hit(header, 0.1)
    assert [row.failure for row in cache.rows()] == [""]
    assert cache.failure(header.key).settled is not None


def test_the_catalogue_is_rebuilt_with_the_failures(cache):
    header = saved(cache)
    cache.fail(header.key, FAILURE)
    cache.catalogue.rebuild()
    assert [row.failure for row in cache.rows()] == [cache.failure(header.key).line]


def test_what_is_kept_anew_is_settled(cache):
    header = saved(cache)
    cache.fail(header.key, FAILURE)
    saved(cache)
    assert cache.failure(header.key).settled is not None


def test_what_is_forgotten_leaves_no_failure(cache):
    header = saved(cache)
    cache.fail(header.key, FAILURE)
    cache.forget(header.key)
    assert cache.failure(header.key) is None


def test_asking_for_a_failure_writes_nothing(cache, tmp_path):
    assert cache.failure(KEY) is None
    assert not (tmp_path / "cache").exists()
