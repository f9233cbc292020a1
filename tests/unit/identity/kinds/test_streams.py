"""Large plain data that was digested before is recognized, and nothing else is taken for it."""

from __future__ import annotations

import copy
import pickle
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.errors import Unidentifiable
from ipycheckpoint.identity.kinds import plain
from ipycheckpoint.identity.kinds.plain import Extent, Familiar, NotPlain, extent
from ipycheckpoint.identity.kinds.streams import Streams
from ipycheckpoint.identity.values import digest_value

atoms = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3)
values = st.recursive(
    atoms,
    lambda inside: st.lists(inside) | st.lists(inside).map(tuple) | st.dictionaries(atoms, inside),
    max_leaves=10,
)


class Text(str):
    __slots__ = ()


class Meddlesome:
    def __reduce_ex__(self, protocol):
        raise AssertionError("nobody may ask")


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch):
    monkeypatch.setattr(plain, "_values", Streams(plain._STREAM))
    monkeypatch.setattr(plain, "_leaves", Streams(b""))


def rows(count=5000):
    return [{"number": number, "name": str(number), "sizes": [number, 0.5, None]} for number in range(count)]


def with_in_the_middle(item):
    made = rows()
    made[2500]["sizes"][1] = item
    return made


def test_large_plain_data_is_familiar_once_it_was_digested():
    before = extent(rows())
    digest = digest_value(rows())
    assert isinstance(before, Extent)
    assert extent(rows()) == Familiar(before, bytes.fromhex(digest))


def test_the_digest_is_the_same_before_and_after():
    assert digest_value(rows()) == digest_value(rows())


def test_a_familiar_part_of_something_that_is_not_plain_gives_the_same_digest():
    before = digest_value([rows(), 1j])
    digest_value(rows())
    assert digest_value([rows(), 1j]) == before


@pytest.mark.parametrize(
    "item",
    [
        {0.5},
        frozenset({0.5}),
        bytearray(b"0.5"),
        pickle.PickleBuffer(b"0.5"),
        Text("0.5"),
        "x" * (plain.MAX_TEXT + 1),
        b"x" * 100_000,
        Meddlesome(),
        int,
        len,
        ...,
    ],
    ids=lambda item: type(item).__name__,
)
def test_what_is_not_plain_inside_is_never_taken_for_plain(item):
    digest_value(rows())
    assert isinstance(extent(with_in_the_middle(item)), NotPlain)


def test_a_buffer_is_not_taken_for_the_bytes_that_it_shows():
    digest_value(with_in_the_middle(b"0.5"))
    assert isinstance(extent(with_in_the_middle(pickle.PickleBuffer(b"0.5"))), NotPlain)


@pytest.mark.parametrize("other", [0.25, 1, True, "0.5", b"0.5", -0.5, (), []])
def test_other_plain_data_is_not_familiar(other):
    digest_value(rows())
    assert isinstance(extent(with_in_the_middle(other)), Extent)


def test_sharing_inside_makes_no_difference():
    row = {"number": 1, "name": "one", "sizes": [1, 0.5, None]}
    shared = [row] * 5000
    digest_value([copy.deepcopy(row) for _ in range(5000)])
    assert isinstance(extent(shared), Familiar)


def test_what_unfolds_without_end_is_given_up_soon():
    digest_value(rows())
    value = rows(1000)
    for _ in range(40):
        value = [value, value]
    assert digest_value(value) == digest_value(copy.deepcopy(value))


def test_a_cycle_in_something_large_is_no_plain_data():
    digest_value(rows())
    cyclic = rows()
    cyclic[0]["sizes"].append(cyclic)
    assert isinstance(extent(cyclic), NotPlain)


def test_what_is_too_deep_is_no_plain_data():
    digest_value(rows())
    deep = rows()
    for _ in range(100_000):
        deep = [deep]
    assert isinstance(extent(deep), NotPlain)


def test_a_value_that_can_not_be_identified_is_refused_as_ever():
    digest_value(rows())
    with pytest.raises(Unidentifiable, match=r"\[2500\]\['sizes'\]\[1\]"):
        digest_value(with_in_the_middle(number for number in ()))


@given(values, values)
def test_two_values_have_one_stream_only_if_they_are_equal_in_everything(a, b):
    streams = Streams(b"")
    streams.learn(a, True)
    assert (streams.recall(b) is not None) == (digest_value(a) == digest_value(b))


def test_a_stream_of_something_else_is_left_after_its_first_pieces():
    streams = Streams(b"")
    streams.learn(list(range(1_000_000)), True)
    pieces = []
    assert streams.recall(list(range(5, 1_000_005)), pieces) is None
    assert len(pieces) == 1


def test_the_beginning_of_a_familiar_stream_is_left_where_the_known_one_ends():
    streams = Streams(b"")
    streams.learn([1] * 100_000, True)
    pieces = []
    assert streams.recall([1] * 5_000_000, pieces) is None
    assert sum(map(len, pieces)) < 1_000_000


def test_what_is_remembered_is_bounded():
    streams = Streams(b"")
    for number in range(2500):
        streams.learn([number], True)
    assert len(streams._facts) <= 1000
    assert len(streams._marks) <= 2000


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the limit is only of functions in Python since 3.12")
def test_nothing_is_tried_where_the_limit_of_recursion_guards_nothing():
    streams = Streams(b"")
    streams.learn([1], True)
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        assert streams.recall([1]) is None
    finally:
        sys.setrecursionlimit(before)


def test_many_objects_of_an_array_are_the_same_before_and_after():
    numpy = pytest.importorskip("numpy")

    def names(last):
        return numpy.array([f"name {number}" for number in range(10_000)] + [last], dtype=object)

    first = digest_value(names("z"))
    assert digest_value(names("z")) == first
    assert len({digest_value(names(last)) for last in ("z", Text("z"), b"z", "y" * 5000, ("z",), None)}) == 6
