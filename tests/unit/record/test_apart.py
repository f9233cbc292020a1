from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.record.apart import is_apart
from ipycheckpoint.record.codec import decode, encode


class Mine:
    pass


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
PLAIN = st.recursive(
    ATOMS,
    lambda parts: st.lists(parts) | st.tuples(parts, parts) | st.dictionaries(st.text() | st.tuples(ATOMS), parts),
)


def containers(value):
    if isinstance(value, (list, tuple, dict)):
        yield value
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from containers(part)


@given(PLAIN)
def test_plain_data_is_apart_from_what_is_not_in_it(value):
    other = ["live"]
    assert is_apart(value, {id(other): other})


@given(PLAIN, st.data())
def test_plain_data_is_not_apart_from_any_of_its_containers(value, data):
    found = list(containers(value))
    if found:
        one = data.draw(st.sampled_from(range(len(found))))
        assert not is_apart(value, {id(found[one]): found[one]})


@pytest.mark.parametrize(
    "value",
    [{1}, [Mine()], {"a": (Mine,)}, [len], bytearray(b"a"), [[range(3)]]],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_data_may_hold_anything(value):
    assert not is_apart(value, {})


def test_a_value_in_itself_comes_to_an_end():
    value = []
    value.append(value)
    assert not is_apart(value, {})


def test_parts_that_are_shared_again_and_again_are_left_to_who_remembers_them():
    value = [1]
    for _ in range(60):
        value = [value, value]
    assert not is_apart(value, {})


def test_parts_beyond_the_first_chunk_are_looked_at():
    live = [1]
    value = [[number] for number in range(200_000)]
    assert is_apart(value, {id(live): live})
    value.append(live)
    assert not is_apart(value, {id(live): live})


def test_a_live_object_in_plain_data_is_referred_to():
    live = [1, 2]
    [section] = encode({"x": {"a": [live]}}, links={id(live): ("live",)})
    value = decode(section.stream, section.buffers, resolve=lambda path: {("live",): live}[path])
    assert value["x"]["a"][0] is live


def test_plain_data_without_live_objects_is_written_as_if_there_were_none():
    value = {"a": [1, "b", (2.5, None)]}
    live = ["live"]
    assert encode({"x": value}, links={id(live): ("live",)})[0].stream == encode({"x": value})[0].stream
