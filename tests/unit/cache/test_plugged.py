"""The adapter around a cache of the user's does what the engine needs."""

from __future__ import annotations

import pytest

from ipycheckpoint.cache.base import CacheBase
from ipycheckpoint.cache.cache import Found, Spoiled
from ipycheckpoint.cache.plugged import Plug
from ipycheckpoint.errors import CheckpointFailedError, CheckpointNotExist, FormatError
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.trust import Keyring
from tests.contracts.cache_contract import KEYRING, draft, identity


class DictCache(CacheBase):
    def __init__(self):
        self.d = {}

    def save(self, context_id, result):
        self.d[context_id] = result

    def retrieve(self, context_id):
        if context_id not in self.d:
            raise CheckpointNotExist
        return self.d[context_id]

    def forget(self, context_id):
        return self.d.pop(context_id, None) is not None

    def catalogue(self):
        return list(self.d)


def plug(own, *, whole=False, keyring=KEYRING):
    return Plug(own, whole=whole, keyring=keyring)


@pytest.fixture(params=[False, True], ids=["results", "records"])
def cache(request):
    return plug(DictCache(), whole=request.param)


def load(cache, of):
    found = cache.find(of.key)
    assert isinstance(found, Found)
    return cache.load(found)


def test_what_was_saved_is_found_and_loaded(cache):
    cache.save(draft(identity("a"), [1, 2]))
    assert load(cache, identity("a")) == {"return": [1, 2]}
    assert cache.find(identity("b").key) is None


def test_its_header_tells_what_the_draft_told(cache):
    cache.save(draft(identity("a"), [1, 2], tags=(("run", "1"),)))
    header = cache.header(identity("a").key)
    assert (header.label, header.key, header.seconds, header.tags) == ("work", identity("a").key, 1.5, (("run", "1"),))
    assert [(output.name, output.preview) for output in header.outputs] == [("return", "[1, 2]")]
    assert cache.header(identity("b").key) is None


def test_the_nearest_result_is_the_one_with_most_in_common(cache):
    for names in ("abc", "abx", "xyz"):
        cache.save(draft(identity(*names), names))
    assert cache.nearest(identity(*"abdc")).key == identity(*"abc").key
    assert cache.nearest(identity("a", label="other")) is None


def test_hits_are_counted_and_listed(cache):
    header = cache.save(draft(identity("a"), 1))
    cache.save(draft(identity("b", label="other"), 2))
    cache.count_hit(header, 0.5)
    cache.count_hit(header, 0.5)
    assert {(row.label, row.hits, row.saved_seconds) for row in cache.rows()} == {("work", 2, 2.0), ("other", 0, 0.0)}


def test_all_results_of_a_label_are_forgotten_and_no_others(cache):
    for name in "ab":
        cache.save(draft(identity(name, label="one"), name))
    cache.save(draft(identity("c", label="two"), "c"))
    assert (cache.forget_label("one", "call"), cache.forget_label("two", "cell")) == (2, 0)
    assert [row.label for row in cache.rows()] == ["two"]
    assert (cache.forget(identity("c").key), cache.forget(identity("c").key)) == (True, False)


def test_another_adapter_of_the_same_cache_knows_as_much():
    own = DictCache()
    plug(own).save(draft(identity("a"), 1))
    assert plug(own).nearest(identity("b")).key == identity("a").key
    assert plug(DictCache()).nearest(identity("b")) is None


def test_under_a_context_id_the_cache_is_asked_for_just_that():
    own = DictCache()
    plug(own).under("mine").save(draft(identity("a"), 1))
    assert own.d == {"mine": 1}
    assert plug(own).find(identity("a").key) is None


def test_a_result_of_another_process_is_found_though_nothing_is_known_of_it():
    own = DictCache()
    own.save(identity("a").key, [1])
    cache = plug(own)
    assert load(cache, identity("a")) == {"return": [1]}
    header = cache.header(identity("a").key)
    assert (header.created, header.label) == (0.0, "")
    assert [row.label for row in cache.rows()] == [identity("a").key]


def test_records_of_another_process_are_listed_by_what_they_tell():
    own = DictCache()
    plug(own, whole=True).save(draft(identity("a"), 1))
    copy = DictCache()
    copy.d = dict(own.d)
    [row] = plug(copy, whole=True).rows()
    assert (row.label, row.seconds) == ("work", 1.5)


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (b"", "this is no record"),
        (b"\x80\x05N.", "this is no record"),
        ([1], "gave list back, and not the bytes of its record"),
        (None, "gave NoneType back"),
    ],
)
def test_what_is_no_record_is_not_loaded(kept, reason):
    own = DictCache()
    own.save(identity("a").key, kept)
    found = plug(own, whole=True).find(identity("a").key)
    assert isinstance(found, Spoiled)
    assert reason in found.reason


def test_a_record_under_another_key_or_signed_by_another_is_not_loaded():
    own = DictCache()
    cache = plug(own, whole=True)
    cache.save(draft(identity("a"), 1))
    own.d[identity("b").key] = own.d[identity("a").key]
    assert "another key" in cache.find(identity("b").key).reason
    stranger = plug(own, whole=True, keyring=Keyring(secret=b"t" * 32))
    assert "not signed by you" in stranger.find(identity("a").key).reason


@pytest.mark.parametrize("at", [1, 40, 300, -1])
def test_a_flipped_bit_is_noticed_wherever_it_is(at):
    own = DictCache()
    cache = plug(own, whole=True)
    cache.save(draft(identity("a"), "x" * 50))
    content = bytearray(own.d[identity("a").key])
    content[at] ^= 1
    own.d[identity("a").key] = bytes(content)
    found = cache.find(identity("a").key)
    assert isinstance(found, Spoiled) or isinstance(cache.load(found), LoadFailure)


def test_a_tape_is_in_the_record():
    cache = plug(DictCache(), whole=True)
    cache.save(draft(identity("a"), 1, tape=b'{"events": []}'))
    assert cache.tape(cache.find(identity("a").key)) == b'{"events": []}'
    assert load(cache, identity("a")) == {"return": 1}
    cache.save(draft(identity("b"), 1))
    with pytest.raises(FormatError, match="no tape"):
        cache.tape(cache.find(identity("b").key))


@pytest.mark.parametrize("method", ["retrieve", "save", "forget", "catalogue"])
def test_what_a_method_raises_is_told_by_its_name(method):
    def fails(*_):
        raise ZeroDivisionError("oh")

    own = DictCache()
    setattr(own, method, fails)
    cache = plug(own)
    use = {
        "retrieve": lambda: cache.find(identity("a").key),
        "save": lambda: cache.save(draft(identity("a"), 1)),
        "forget": lambda: cache.forget(identity("a").key),
        "catalogue": cache.rows,
    }[method]
    with pytest.raises(CheckpointFailedError, match=rf"DictCache\.{method} raised ZeroDivisionError: oh") as caught:
        use()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_process_remembers_so_many_results_and_no_more(monkeypatch):
    monkeypatch.setattr("ipycheckpoint.cache.plugged._MOST_RESULTS", 2)
    own = DictCache()
    cache = plug(own)
    for name in "abc":
        cache.save(draft(identity(name, label=name), name))
    assert [row.label for row in cache.plugged.rows()] == ["c", "b"]
    assert load(cache, identity("a")) == {"return": "a"}


def test_a_result_that_cannot_be_hashed_or_compared_is_no_reason_to_fail():
    class Odd:
        def __hash__(self):
            raise ZeroDivisionError

    assert Plug.claim_on(Odd()) != Plug.claim_on(Odd())


def test_a_claim_is_on_what_can_be_compared():
    assert Plug.claim_on((1, "a")) == Plug.claim_on((1, "a"))
    assert Plug.claim_on((1, "a")) != Plug.claim_on((1, "b"))
    assert Plug.claim_on([1]) != Plug.claim_on([1])
