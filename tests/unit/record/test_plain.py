"""JSON holds plain data exactly, and refuses the rest by name and path."""

from __future__ import annotations

import collections
import enum
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.errors import CannotKeep, FormatError, UsageError
from ipycheckpoint.record import codecs
from ipycheckpoint.record.plain import decode, encode

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


class Color(enum.IntEnum):
    RED = 1


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def endless():
    value = []
    value.append({"again": value})
    return value


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_plain_data_comes_back_exactly(values):
    loaded = {}
    for section in encode(values):
        json.loads(section.stream, parse_constant=pytest.fail)
        loaded |= decode(section.stream)
    assert repr(loaded) == repr(values)


def test_numbers_keep_their_type_and_sign():
    [section] = encode({"x": [-0.0, 1, 1.0, True, 10**30, 5e-324]})
    assert repr(decode(section.stream)["x"]) == repr([-0.0, 1, 1.0, True, 10**30, 5e-324])


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ((1,), "x"),
        ([1, {"a": (1,)}], "x[1]['a']"),
        ({1: 2}, "x"),
        ({"a": {None: 2}}, "x['a']"),
        ([float("nan")], "x[0]"),
        ({"a": float("inf")}, "x['a']"),
        (b"bytes", "x"),
        ({1, 2}, "x"),
        ([Color.RED], "x[0]"),
        ([collections.OrderedDict(a=1)], "x[0]"),
        ([object()], "x[0]"),
        ([10**5000], "x[0]"),
    ],
)
def test_anything_else_is_refused_with_the_path_to_it(value, path):
    with pytest.raises(CannotKeep) as caught:
        encode({"fine": 1, "x": value})
    assert caught.value.name == "x"
    assert f"`{path}`" in str(caught.value)


@pytest.mark.parametrize("value", [nested(10_000), endless()])
def test_what_is_too_deep_or_inside_of_itself_is_refused(value):
    with pytest.raises(CannotKeep, match="nested"):
        encode({"x": value})


@pytest.mark.parametrize("stream", [b"", b"[1]", b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_json_object_is_a_format_error(stream):
    with pytest.raises(FormatError):
        decode(stream)


@pytest.mark.parametrize("codec", codecs.CODECS)
def test_every_codec_reads_what_it_writes(codec):
    loaded = {}
    for section in codecs.encode({"a": [1, {"b": None}], "c": "text"}, codec):
        loaded |= codecs.decode(section.codec, section.stream, section.buffers)
    assert loaded == {"a": [1, {"b": None}], "c": "text"}


def test_dill_writes_all_when_asked_to():
    assert [section.codec for section in codecs.encode({"a": 1}, "dill")] == ["dill"]
    assert [section.codec for section in codecs.encode({"a": 1}, "pickle")] == ["pickle5"]


@pytest.mark.parametrize("codec", ["pickle", "dill"])
def test_what_shares_an_object_makes_one_section(codec):
    shared = [1]
    assert [s.names for s in codecs.encode({"a": shared, "b": [shared], "c": 1}, codec)] == [("a", "b"), ("c",)]


def test_a_codec_from_the_future_is_a_format_error_that_says_so():
    with pytest.raises(FormatError, match="a newer release"):
        codecs.decode("pickle9", b"")


def test_an_unknown_codec_names_what_is_allowed():
    with pytest.raises(UsageError, match="pickle, dill, json"):
        codecs.check_codec("yaml")
