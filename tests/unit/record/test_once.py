from __future__ import annotations

import io
import pickle
import pickletools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.record.codec import decode, encode
from ipycheckpoint.record.once import reached_once

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
PLAIN = st.recursive(
    LEAVES,
    lambda parts: (
        st.lists(parts)
        | st.tuples(parts, parts)
        | st.dictionaries(st.text() | st.tuples(LEAVES), parts)
        | st.sets(st.text() | st.frozensets(st.text()))
    ),
)


class Mine:
    pass


def texts(count, start="text"):
    return {f"{start} key {number}": f"{start} {number}" for number in range(count)}


def in_order(part):
    return (True, sorted(part)) if isinstance(part, frozenset) else (False, [part])


def ways(value, found=None):
    """For each part, in the order of the way through, which one of those before it is the very same object."""
    found = {} if found is None else found
    if isinstance(value, (type(None), bool, int, float)):
        return []
    number = found.setdefault(id(value), len(found))
    if not isinstance(value, (list, tuple, dict, set, frozenset)):
        return [number]
    parts = sorted(value, key=in_order) if isinstance(value, (set, frozenset)) else value
    parts = [*value, *value.values()] if isinstance(value, dict) else parts
    return [number, *(each for part in parts for each in ways(part, found))]


def loaded(value, **options):
    [section] = encode({"value": value}, **options)
    return decode(section.stream, section.buffers)["value"]


def memoizes(value):
    """Whether the stream of `value` has a memo."""
    [section] = encode({"value": value})
    second = section.stream.index(pickle.STOP) + 1
    return any(code.name == "MEMOIZE" for code, _, _ in pickletools.genops(section.stream[second:]))


@given(PLAIN)
def test_what_was_one_object_is_one_object_again_and_nothing_else(value):
    assert loaded([value, [value]]) == [value, [value]]
    assert ways(loaded([value, [value]])) == ways([value, [value]])


@given(PLAIN, PLAIN)
def test_what_is_reached_once_comes_back_as_it_was(one, two):
    assert loaded([[one], two]) == [[one], two]
    assert ways(loaded([[one], two])) == ways([[one], two])


def test_a_large_dict_of_texts_is_written_without_a_memo():
    value = texts(10_000)
    assert not memoizes(value)
    assert loaded(value) == value


def test_a_reader_that_calls_nothing_reads_what_has_no_memo():
    class Plain(pickle.Unpickler):
        def find_class(self, module, name):
            raise AssertionError(f"{module}.{name}")

    value = texts(10_000)
    [section] = encode({"value": value})
    reader = Plain(io.BytesIO(section.stream))
    assert [reader.load(), reader.load()] == [("value",), value]


def test_texts_that_others_hold_as_well_are_told_from_one_another():
    value = texts(10_000)
    held = list(value.values())[:100]
    assert not memoizes(value)
    value["again"] = held[0]
    assert memoizes(value)


def test_a_text_that_is_reached_twice_needs_the_memo():
    value = texts(10_000)
    value["again"] = value["text key 7"]
    back = loaded(value)
    assert memoizes(value)
    assert back["again"] is back["text key 7"]


def test_a_text_that_is_reached_twice_far_apart_needs_the_memo():
    value = [list(texts(10_000, "one").values()), list(texts(10_000, "two").values())]
    value[1][-1] = value[0][0]
    back = loaded(value)
    assert back[1][-1] is back[0][0]


def test_the_empty_text_is_one_object_anyway():
    assert reached_once([["", "a", b"", ()], ["", "a", b"", ()]]) is not None


def test_names_that_several_namespaces_hold_in_common_need_the_memo():
    one, two = Mine(), Mine()
    for each in (one, two):
        vars(each)[f"name {len(texts(1))}"] = 1
    before = [next(iter(vars(each))) for each in (one, two)]
    assert before[0] is before[1]
    del before
    first, _, second = loaded([vars(one), texts(5000), vars(two)])
    assert next(iter(first)) is next(iter(second))


def test_a_value_in_itself_needs_the_memo():
    value = [texts(10_000)]
    value.append(value)
    back = loaded(value)
    assert back[1] is back


def test_a_value_of_many_levels_needs_the_memo():
    value = ["deep"]
    for _ in range(200):
        value = [value]
    assert memoizes(value)
    assert loaded(value) == value


@pytest.mark.parametrize("part", [Mine, Mine(), 1j, range(3), len], ids=["class", "object", "1j", "range", "len"])
def test_what_is_not_plain_may_refer_to_anything(part):
    assert reached_once([["text"], part]) is None


@pytest.mark.parametrize("value", ["text", 1, None, [1, "a"], {"a": 1.5}], ids=repr)
def test_for_what_is_small_nothing_is_found_out(value):
    assert reached_once(value) is None


def test_of_what_is_mostly_numbers_nothing_is_found_out():
    assert reached_once([[float(number) for number in range(10_000)]]) is None


def test_outputs_that_share_a_part_share_it_again():
    part = ["shared"]
    one, two = {**texts(10_000, "one"), "part": part}, {**texts(10_000, "two"), "part": part}
    [section] = encode({"one": one, "two": two})
    back = decode(section.stream, section.buffers)
    assert back["one"]["part"] is back["two"]["part"]
    assert back == {"one": one, "two": two}


@pytest.mark.parametrize("wrapped", [lambda part: (part,), lambda part: (("a",), (None, part))], ids=["1", "2"])
def test_outputs_that_share_a_tuple_share_what_is_in_it(wrapped):
    shared = wrapped(["inner"])
    values = {"one": [["first"], shared], "two": [["second"], shared], "three": shared}
    [section] = encode(values)
    back = decode(section.stream, section.buffers)
    inner = [back["one"][1], back["two"][1], back["three"]]
    while isinstance(inner[0], tuple):
        inner = [part[-1] for part in inner]
    assert inner[0] is inner[1] is inner[2]


def test_outputs_of_which_one_holds_the_other_share_it_again():
    one = texts(10_000)
    two = [["more"], one]
    [section] = encode({"one": one, "two": two})
    back = decode(section.stream, section.buffers)
    assert back["two"][1] is back["one"]


def test_outputs_that_share_nothing_can_be_loaded_alone():
    sections = encode({"one": texts(10_000, "one"), "two": texts(10_000, "two")})
    assert [section.names for section in sections] == [("one",), ("two",)]


def test_a_live_part_is_referred_to():
    live = ["live"]
    value = {**texts(10_000), "live": live}
    [section] = encode({"value": value}, links={id(live): ("path",)}, live=[live])
    back = decode(section.stream, section.buffers, resolve=lambda path: live if path == ("path",) else None)
    assert back["value"]["live"] is live


def test_a_value_that_is_live_itself_is_written_with_its_content():
    value = texts(10_000)
    [section] = encode({"value": value}, links={id(value): ("path",)}, live=[value])
    assert decode(section.stream, section.buffers)["value"] == value


def column(count=10_000, start="text"):
    array = np.empty(count, object)
    array[:] = list(texts(count, start).values())
    return array


def memoizes_texts(value):
    """Whether most of the stream of `value` goes through the memo."""
    [section] = encode({"value": value})
    second = section.stream.index(pickle.STOP) + 1
    return sum(code.name == "MEMOIZE" for code, _, _ in pickletools.genops(section.stream[second:])) > 5000


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(10_000,), (100, 100), (1, 10_000)], ids=str)
def test_an_array_of_texts_is_written_without_a_memo_and_comes_back_as_it_was(shape, order):
    value = np.array(column().reshape(shape), order=order)
    value.flat[1], value.flat[2], value.flat[3], value.flat[4] = None, 1.5, "", 10**30
    back = loaded(value)
    assert not memoizes_texts(value)
    assert back.dtype == object
    assert back.tolist() == value.tolist()
    assert back.flags.f_contiguous == value.flags.f_contiguous
    assert back.flags.writeable


def test_an_array_of_texts_is_written_the_same_again_and_again():
    value = column()
    assert len({encode({"value": value})[0].stream for _ in range(3)}) == 1
    assert not memoizes_texts(value)


def test_what_comes_after_an_array_of_texts_has_its_memo():
    inner = ["inner"]
    back = loaded((column(), inner, inner))
    assert back[1] is back[2]


@pytest.mark.parametrize(
    "part",
    [["list"], Mine, 1j, np.float64(1.5), bytearray(b"a"), "held by others, too"],
    ids=lambda part: type(part).__name__,
)
def test_an_array_with_anything_else_in_it_has_its_memo(part):
    value = column()
    value[5_000] = part
    assert memoizes_texts(value)


def test_a_text_that_is_in_an_array_twice_is_one_object_again():
    value = column()
    value[9_999] = value[0]
    back = loaded(value)
    assert back[9_999] is back[0]


def test_a_text_that_is_in_two_arrays_is_one_object_again():
    one, two = column(), column(start="other")
    two[9_999] = one[0]
    back = loaded([one, two])
    assert back[1][9_999] is back[0][0]


@pytest.mark.parametrize("part", [slice(None), slice(100), slice(None, None, -1)], ids=str)
def test_frames_on_the_same_texts_have_them_in_common_again(part):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": pd.Series(column(), dtype=object)})
    for frames in ([frame, frame.iloc[part]], [frame.iloc[part], frame]):
        one, two = loaded(frames)
        same = {id(text) for text in one["a"].array} & {id(text) for text in two["a"].array}
        assert len(same) == min(len(one), len(two))
        assert one.equals(frames[0])
        assert two.equals(frames[1])


def test_views_of_an_array_of_texts_share_its_memory_again():
    array = column()
    one, two = loaded([array, array[::2]])
    one[0] = "changed"
    assert two[0] == "changed"


def test_an_array_of_texts_that_somebody_else_holds_has_its_memo():
    value = column()
    held = value.tolist()
    assert memoizes_texts(value)
    del held
    assert not memoizes_texts(value)


def test_outputs_with_a_text_in_common_are_sections_of_their_own():
    one, two = column(), column(start="other")
    two[9_999] = one[0]
    assert len(encode({"one": one, "two": two})) == 2
