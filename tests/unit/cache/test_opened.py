"""A Record shows all that it says of itself, and loads each value alone, as the caller's own."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ipycheckpoint.cache.cache import Cache, Draft
from ipycheckpoint.cache.catalogue import Catalogue
from ipycheckpoint.cache.opened import Record
from ipycheckpoint.cache.savefile import pack, unpack
from ipycheckpoint.digest import digest
from ipycheckpoint.errors import FormatError, IntegrityError, Untrusted
from ipycheckpoint.identity.identity import Identity, Ingredient
from ipycheckpoint.record import format as record_format
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.record import ALIGNMENT, Output
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.store.memory import MemoryStore

KEYRING = Keyring(secret=b"k" * 32)
OTHER = Keyring(secret=b"o" * 32)


class Canary:
    """Tells when it is unpickled."""

    sang = 0

    def __reduce__(self):
        return sing, ()


def sing():
    Canary.sang += 1


class Broken:
    """Can be written and not be loaded."""

    def __reduce__(self):
        return fail, ("it is broken",)


def fail(words):
    raise RuntimeError(words)


CODE = Ingredient("code", "f", digest("code", b"f"), source="def f(): …")


def opened(keyring=KEYRING, ingredients=(), tags=(), **values) -> Record:
    data = b"".join(pack(values, label="work", keyring=KEYRING, ingredients=ingredients, tags=tags))
    return unpack(data, location="work.ckpt", keyring=keyring)


def altered(change, **values) -> Record:
    """A record whose first line somebody has changed."""
    data = b"".join(pack(values, label="work", keyring=KEYRING))
    wrapped = json.loads(data.splitlines()[0])
    change(wrapped)
    line = json.dumps(wrapped, separators=(",", ":")).encode()
    payload = bytes(record_format.read_header(data).payload)
    return unpack(line + b" " * (-(len(line) + 1) % ALIGNMENT) + b"\n" + payload, keyring=KEYRING)


def test_each_value_is_had_by_its_name():
    record = opened(x=1, y=[2])
    assert record.names() == list(record) == ["x", "y"]
    assert len(record) == 2
    assert "x" in record
    assert "z" not in record
    assert (record["x"], record["y"]) == (1, [2])
    assert record.load() == {"x": 1, "y": [2]}
    assert record.load("y") == {"y": [2]}


def test_values_come_in_the_order_in_which_they_were_saved_or_asked_for():
    shared = [1]
    record = opened(a=shared, b=0, c=shared)
    assert list(record.load()) == ["a", "b", "c"]
    assert list(record.load("c", "b")) == ["c", "b"]


def test_one_value_loads_without_the_others():
    record = opened(canary=Canary(), x=1)
    Canary.sang = 0
    assert record["x"] == 1
    assert Canary.sang == 0


def test_one_value_is_read_and_verified_without_the_others():
    data = bytearray(b"".join(pack({"x": 1, "y": np.zeros(5000)}, label="work", keyring=KEYRING)))
    data[-1] ^= 1
    record = unpack(data, keyring=KEYRING)
    assert record["x"] == 1
    assert isinstance(record["y"].exception, IntegrityError)


def test_a_value_is_loaded_anew_each_time_and_is_the_callers_own():
    record = opened(x=np.zeros(10), y=[1])
    first = record["x"]
    first[0] = 1
    record["y"].append(2)
    assert record["x"][0] == 0
    assert record["y"] == [1]


def test_values_that_shared_objects_share_them_again():
    array = np.arange(10)
    record = opened(a=array, view=array[2:4], b=1)
    loaded = record.load()
    loaded["view"][0] = 70
    assert loaded["a"][2] == 70
    one = record.load("view", "a")
    assert np.shares_memory(one["view"], one["a"])


def test_a_name_that_is_not_there_is_a_key_error_with_those_that_are_near():
    record = opened(alpha=1, beta=2)
    with pytest.raises(KeyError, match="did you mean `alpha`"):
        record["alpa"]
    with pytest.raises(KeyError, match="it has `alpha`, `beta`"):
        record.load("alpha", "x")


def test_a_value_that_cannot_be_loaded_is_a_load_failure_and_the_others_are_there():
    loaded = opened(good=1, bad=[Broken()]).load()
    assert loaded["good"] == 1
    failure = loaded["bad"]
    assert isinstance(failure, LoadFailure)
    assert (failure.name, str(failure.exception), failure.origin) == ("bad", "it is broken", "work.ckpt")
    assert failure.then == failure.now == Environment.current()
    assert b"it is broken" in bytes(failure.raw)


def test_of_values_that_share_objects_each_has_its_own_failure():
    broken = Broken()
    loaded = opened(a=[broken], b=[broken]).load()
    assert [(name, failure.name) for name, failure in loaded.items()] == [("a", "a"), ("b", "b")]


def test_of_values_that_share_objects_those_before_the_one_that_fails_are_there():
    shared = [1]
    loaded = opened(a=shared, b=[shared, Broken()], c=shared).load()
    assert loaded["a"] == [1]
    assert [name for name, value in loaded.items() if isinstance(value, LoadFailure)] == ["b", "c"]


def test_a_record_that_is_cut_off_shows_its_header_and_loads_what_is_left():
    data = b"".join(pack({"x": 1, "y": np.arange(9000)}, label="work", keyring=KEYRING))
    record = unpack(data[:-100], keyring=KEYRING)
    assert record.names() == ["x", "y"]
    assert record["x"] == 1
    assert isinstance(record["y"].exception, FormatError)
    assert "cut off" in str(record["y"].exception)


def test_nothing_of_a_strangers_is_loaded_and_all_that_it_says_is_shown():
    Canary.sang = 0
    record = opened(keyring=OTHER, ingredients=(CODE,), tags=(("date", "1"),), canary=Canary())
    assert not record.is_trusted
    with pytest.raises(Untrusted, match=rf"signed by {KEYRING.sign(b'').signer}.*ipycheckpoint.trust\('work.ckpt'\)"):
        record["canary"]
    with pytest.raises(Untrusted):
        record.load()
    with pytest.raises(Untrusted):
        record.section_of("canary")
    assert Canary.sang == 0
    assert record.names() == ["canary"]
    assert record.environment == Environment.current()
    assert record.code == "def f(): …"
    assert record.tags == (("date", "1"),)
    assert "trusted=False" in repr(record)


def test_an_unsigned_one_says_so():
    record = altered(lambda wrapped: wrapped.pop("signature"), x=1)
    with pytest.raises(Untrusted, match="is not signed"):
        record.load()


def test_a_header_that_was_altered_is_a_strangers():
    record = altered(lambda wrapped: wrapped["header"].update(label="another"), x=1)
    assert record.header.label == "another"
    with pytest.raises(Untrusted):
        record["x"]


def test_an_environment_that_was_altered_is_none_and_the_values_load():
    def change(wrapped):
        wrapped["attached"] = {name: text.replace("python", "pythom") for name, text in wrapped["attached"].items()}

    record = altered(change, x=1)
    assert record.environment is None
    assert record["x"] == 1


def test_source_texts_come_back_with_their_ingredients():
    record = opened(ingredients=(CODE,), x=1)
    assert record.ingredients[-1] == CODE
    assert record.code == CODE.source
    assert record.header.ingredients[-1].source is None


def test_a_source_that_was_altered_is_none():
    data = b"".join(pack({"x": 1}, label="work", keyring=KEYRING, ingredients=(CODE,)))
    record = unpack(data.replace(b"def f", b"def g"), keyring=KEYRING)
    assert record.code is None
    assert record["x"] == 1


def test_it_shows_names_version_python_codec_and_image(monkeypatch):
    here = Environment("3.11.4", "cpython", "linux", "x86_64", image="lab:2026-11")
    monkeypatch.setattr(Environment, "current", lambda: here)
    assert repr(opened(x=1, y=2)) == "Record([x, y]; version=1, python=3.11.4, codec=pickle5, image='lab:2026-11')"


def test_it_shows_the_compression_if_there_is_one():
    data = b"".join(pack({"x": "a" * 1000}, label="work", keyring=KEYRING, compression="small"))
    assert repr(unpack(data, keyring=KEYRING)).endswith("compression=small)")


def test_all_that_it_shows_as_html_is_escaped():
    evil = "<script>alert(1)</script>"
    data = b"".join(pack({evil: evil}, label=evil, tags=[(evil, evil)], keyring=KEYRING))
    shown = unpack(data, location=evil, keyring=OTHER)._repr_html_()
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") >= 5


def test_what_a_terminal_would_obey_is_not_shown_as_it_is():
    assert "\x1b" not in repr(opened(**{"\x1b[2J": 1}))


@pytest.mark.parametrize("created", [1e300, -1e300, {"$float": "nan"}, {"$float": "inf"}])
def test_a_header_of_an_impossible_time_is_refused(created):
    with pytest.raises(FormatError, match="is no time"):
        altered(lambda wrapped: wrapped["header"].update(created=created), x=1)


def test_it_knows_the_format_that_it_was_written_in(monkeypatch):
    data = b"".join(pack({"x": 1}, label="work", keyring=KEYRING))
    monkeypatch.setattr(record_format, "FORMAT_VERSION", 2)
    monkeypatch.setitem(record_format._upgrades, 1, lambda old: old)
    assert unpack(data, keyring=KEYRING).format_version == 1


# Out of a Cache


@pytest.fixture
def cache():
    cache = Cache(MemoryStore(), Catalogue(None, lambda: iter(())), KEYRING)
    yield cache
    cache.close()


def keep(cache, outputs=None, **values):
    code = Ingredient("code", "f", digest("code", repr(sorted(values)).encode()), source="def f(): …")
    outputs = outputs or tuple(Output(name, "bound") for name in values)
    return cache.save(Draft(Identity("cell", "work", (code,)), outputs, values, tuple(encode(values)), 1.0))


def test_what_a_cache_keeps_under_a_key_opens_as_a_record(cache):
    array = np.arange(100_000)
    header = keep(cache, x=array, y=1)
    record = cache.open(header.key)
    assert (record.names(), record.location, record.is_trusted) == (["x", "y"], header.key, True)
    assert np.array_equal(record["x"], array)
    assert record.environment == Environment.current()
    assert record.code == "def f(): …"


def test_what_is_loaded_of_it_is_the_callers_own(cache):
    record = cache.open(keep(cache, small=np.zeros(10), large=np.zeros(100_000)).key)
    for name in ["small", "large"]:
        record[name][0] = 1
        assert record[name][0] == 0


def test_there_is_no_record_where_nothing_is_kept(cache):
    assert cache.open("0" * 64) is None


def test_outputs_that_are_no_values_are_not_among_its_names(cache):
    outputs = (
        Output("x", "bound"), Output("old", "deleted"), Output("np", "import", target="import numpy as np"),
        Output("~random", "ambient"),
    )  # fmt: skip
    record = cache.open(keep(cache, outputs, **{"x": 1, "~random": 2}).key)
    assert record.names() == ["x"]


def test_a_strangers_record_in_a_cache_shows_its_header_only(cache):
    header = keep(cache, x=1)
    theirs = Cache(cache._store, Catalogue(None, lambda: iter(())), OTHER)
    record = theirs.open(header.key)
    assert record.names() == ["x"]
    assert record.environment == Environment.current()
    with pytest.raises(Untrusted):
        record["x"]
    theirs.close()


def test_a_damaged_record_in_a_cache_is_a_format_error(cache):
    header = keep(cache, x=1)
    cache._store.put(f"records/{header.key}", [b"nonsense"])
    with pytest.raises(FormatError):
        cache.open(header.key)


def test_a_record_under_anothers_key_is_a_format_error(cache):
    header = keep(cache, x=1)
    other = "1" * 64
    cache._store.put(f"records/{other}", [cache._store.get(f"records/{header.key}").view])
    with pytest.raises(FormatError, match="another key"):
        cache.open(other)
