"""What every Cache promises, whatever Store is below it. A Cache's test class inherits it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipycheckpoint.cache.cache import Cache, Draft, Found, Spoiled
from ipycheckpoint.digest import digest
from ipycheckpoint.identity.identity import Identity, Ingredient
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.record import Output
from ipycheckpoint.record.trust import Keyring

KEYRING = Keyring(secret=b"s" * 32)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def identity(*names: str, label: str = "work") -> Identity:
    return Identity("call", label, tuple(Ingredient("argument", name, digest("x", name.encode())) for name in names))


def draft(of: Identity, value: object, **more: object) -> Draft:
    values = {"return": value}
    outputs = (Output("return", "result"),)
    return replace(Draft(of, outputs, values, tuple(encode(values)), seconds=1.5), **more)


def opened(path: str | Path, keyring: Keyring = KEYRING) -> Cache:
    """A Cache that knows no more than one of a fresh process."""
    return Cache.at(path, keyring=keyring)


class CacheContract:
    def open(self, keyring: Keyring) -> Cache:
        """A Cache on the one store of this test, signing with `keyring`."""
        raise NotImplementedError

    def damage(self, name: str, at: int) -> None:
        """Flip a bit of what the store has under `name`; negative `at` counts from the end."""
        raise NotImplementedError

    def names(self, prefix: str) -> list[str]:
        """What the store has."""
        raise NotImplementedError

    keyring = KEYRING

    @pytest.fixture
    def cache(self):
        cache = self.open(self.keyring)
        yield cache
        cache.close()

    def load(self, cache: Cache, of: Identity) -> object:
        found = cache.find(of.key)
        assert isinstance(found, Found)
        loaded = cache.load(found)
        assert isinstance(loaded, dict)
        return loaded["return"]

    def test_what_was_saved_is_found_and_loaded(self, cache):
        cache.save(draft(identity("a"), {"x": [1, 2.5, "three"]}))
        assert self.load(cache, identity("a")) == {"x": [1, 2.5, "three"]}

    @settings(suppress_health_check=[HealthCheck.differing_executors])  # each class that inherits it is one
    @given(value=VALUES)
    def test_any_plain_value_comes_back_equal_and_of_the_same_type(self, value):
        cache = self.open(self.keyring)
        cache.save(draft(identity("any"), value))
        loaded = self.load(cache, identity("any"))
        assert loaded == value
        assert type(loaded) is type(value)
        cache.close()

    def test_what_was_never_saved_is_not_found(self, cache):
        assert cache.find(identity("a").key) is None
        assert cache.header(identity("a").key) is None

    def test_the_header_tells_all_without_loading(self, cache):
        cache.save(draft(identity("a"), np.zeros(20_000), tags=(("date", "2017-01-01"),)))
        header = cache.header(identity("a").key)
        assert header is not None
        assert (header.label, header.kind, header.seconds) == ("work", "call", 1.5)
        assert header.tags == (("date", "2017-01-01"),)
        [output] = header.outputs
        assert (output.name, output.type, output.section) == ("return", "numpy.ndarray", 0)
        assert output.preview == "float64[20000]"
        assert 160_000 <= output.nbytes <= 161_000

    def test_a_later_record_takes_the_place_of_an_earlier_one(self, cache):
        cache.save(draft(identity("a"), 1))
        cache.save(draft(identity("a"), 2))
        assert self.load(cache, identity("a")) == 2
        assert len(cache.rows()) == 1

    def test_a_large_buffer_that_two_records_share_is_kept_once(self, cache):
        cache.save(draft(identity("a"), np.arange(100_000.0)))
        before = len(self.names("blobs/"))
        cache.save(draft(identity("b"), np.arange(100_000.0)))
        assert len(self.names("blobs/")) == before

    def test_a_source_text_that_many_records_share_is_kept_once_and_comes_back_with_each_header(self, cache):
        source = "def f():\n    return 'é'"

        def of(name: str) -> Identity:
            code = Ingredient("code", "f", digest("x"), source=source)
            return Identity("call", "f", (code, *identity(name).ingredients))

        cache.save(draft(of("a"), 1))
        before = len(self.names("blobs/"))
        cache.save(draft(of("b"), 2))
        assert len(self.names("blobs/")) == before
        for name in "ab":
            header = cache.header(of(name).key)
            assert header is not None
            assert header.ingredients[0].source == source
        nearest = cache.nearest(of("c"))
        assert nearest is not None
        assert nearest.ingredients[0].source == source

    def test_what_is_loaded_is_the_callers_own(self, cache):
        cache.save(draft(identity("a"), np.arange(100_000.0)))
        first = self.load(cache, identity("a"))
        first[:] = -1
        assert self.load(cache, identity("a"))[5] == 5.0

    def test_another_cache_on_the_same_store_finds_it_too(self, cache):
        cache.save(draft(identity("a"), 7))
        other = self.open(self.keyring)
        assert self.load(other, identity("a")) == 7
        other.close()

    def test_a_record_that_another_secret_signed_is_listed_but_not_loaded(self, cache):
        stranger = self.open(Keyring(secret=b"t" * 32))
        stranger.save(draft(identity("a"), 1))
        stranger.close()
        found = cache.find(identity("a").key)
        assert isinstance(found, Spoiled)
        assert "not signed by you" in found.reason
        assert cache.header(identity("a").key) is not None

    @pytest.mark.parametrize("at", [1, 40, 300, -1])
    def test_a_flipped_bit_is_noticed_wherever_it_is(self, cache, at):
        cache.save(draft(identity("a"), "x" * 50))
        self.damage(f"records/{identity('a').key}", at)
        found = cache.find(identity("a").key)
        loaded = cache.load(found) if isinstance(found, Found) else None
        assert isinstance(found, Spoiled) or isinstance(loaded, LoadFailure) or loaded == {"return": "x" * 50}
        if at in (1, -1):  # the version, and the last byte of the value
            assert isinstance(found, Spoiled) or isinstance(loaded, LoadFailure)

    def test_a_damaged_blob_is_a_load_failure_and_the_next_save_repairs_it(self):
        cache = self.open(self.keyring)
        value = np.arange(100_000.0)
        cache.save(draft(identity("a"), value))
        cache.close()
        [blob] = [name for name in self.names("blobs/") if name.removeprefix("blobs/") in self.blobs_of(cache)]
        self.damage(blob, 5000)
        again = self.open(self.keyring)
        found = again.find(identity("a").key)
        assert isinstance(found, Found)
        failure = again.load(found)
        assert isinstance(failure, LoadFailure)
        assert "damaged" in str(failure)
        again.save(draft(identity("a"), value))
        assert np.array_equal(self.load(again, identity("a")), value)
        again.close()

    def blobs_of(self, cache: Cache) -> set[str]:
        header = cache.header(identity("a").key)
        assert header is not None
        return {buffer.digest for section in header.sections for buffer in section.buffers}

    def test_a_damaged_blob_costs_no_other_blob(self):
        cache = self.open(self.keyring)
        cache.save(draft(identity("a"), [np.arange(100_000.0), np.arange(90_000.0)]))
        cache.close()
        first, second = sorted(self.blobs_of(cache))
        self.damage(f"blobs/{first}", 5000)
        again = self.open(self.keyring)
        found = again.find(identity("a").key)
        assert isinstance(found, Found)
        assert isinstance(again.load(found), LoadFailure)
        assert f"blobs/{second}" in self.names("blobs/")
        again.close()

    def test_a_record_moved_under_another_key_is_refused(self, cache):
        cache.save(draft(identity("a"), 1))
        self.move(f"records/{identity('a').key}", f"records/{identity('b').key}")
        found = cache.find(identity("b").key)
        assert isinstance(found, Spoiled)
        assert "another key" in found.reason

    def move(self, name: str, to: str) -> None:
        """Put what the store has under `name` under `to`."""
        raise NotImplementedError

    def test_forgetting_says_whether_there_was_anything(self, cache):
        cache.save(draft(identity("a"), 1))
        assert cache.forget(identity("a").key) is True
        assert cache.find(identity("a").key) is None
        assert cache.forget(identity("a").key) is False

    def test_all_records_of_a_label_are_forgotten_and_no_others(self, cache):
        for name in "abc":
            cache.save(draft(identity(name, label="one"), name))
        cache.save(draft(identity("d", label="two"), "d"))
        assert cache.forget_label("one") == 3
        assert [row.label for row in cache.rows()] == ["two"]
        assert self.load(cache, identity("d")) == "d"

    def test_the_nearest_record_is_the_one_with_most_in_common(self, cache):
        for names in ("abc", "abx", "xyz"):
            cache.save(draft(identity(*names), names))
        nearest = cache.nearest(identity("a", "b", "d", "c"))
        assert nearest is not None
        assert nearest.key == identity(*"abc").key

    def test_of_two_records_as_near_the_newer_one_is_the_nearest(self, cache, monkeypatch):
        clock = iter(range(1_000_000, 2_000_000))
        monkeypatch.setattr(time, "time", lambda: float(next(clock)))
        cache.save(draft(identity("a", "b"), 1))
        cache.save(draft(identity("a", "c"), 2))
        nearest = cache.nearest(identity("a", "d"))
        assert nearest is not None
        assert nearest.key == identity("a", "c").key

    def test_there_is_no_nearest_record_under_another_label(self, cache):
        cache.save(draft(identity("a", label="one"), 1))
        assert cache.nearest(identity("a", "b", label="two")) is None

    def test_hits_are_counted(self, cache):
        header = cache.save(draft(identity("a"), 1))
        cache.count_hit(header, 0.1)
        cache.count_hit(header, 0.1)
        [row] = cache.rows()
        assert row.hits == 2

    def test_threads_save_and_load_at_once(self, cache):
        problems = []

        def work(number: int) -> None:
            try:
                for step in range(10):
                    name = f"{number % 3} {step}"
                    cache.save(draft(identity(name), [name] * 100))
                    assert self.load(cache, identity(name)) == [name] * 100
            except Exception as problem:
                problems.append(problem)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert len(cache.rows()) == 30

    def test_the_tape_comes_back(self, cache):
        cache.save(draft(identity("a"), 1, tape=b'{"events": []}'))
        found = cache.find(identity("a").key)
        assert isinstance(found, Found)
        assert cache.tape(found) == b'{"events": []}'
        assert cache.load(found) == {"return": 1}
