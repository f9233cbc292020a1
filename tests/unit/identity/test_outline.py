"""Outlines and previews: for people who want to know what changed."""

from __future__ import annotations

import copy
import enum
import math
import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.identity.outline import outline, preview
from ipycheckpoint.identity.values import digest_value


@dataclass
class Model:
    weights: list
    name: str = "m"


class Hue(enum.Enum):
    RED = 1


class Rude:
    def __repr__(self):
        raise RuntimeError("no")

    def __getattribute__(self, name):
        raise RuntimeError("no")


def test_an_outline_names_items_and_attributes_by_path():
    found = outline({"m": Model([1, 2]), "n": (3,)})
    assert set(found) == {
        *("['m']", "['n']", "['m'].weights", "['m'].name", "['m'].weights[0]", "['m'].weights[1]", "['n'][0]"),
    }
    assert found["['m'].name"] == (digest_value("m"), "'m'")


def test_an_outline_is_as_deep_as_asked():
    assert set(outline({"a": {"b": {"c": 1}}}, depth=1)) == {"['a']"}


def test_an_outline_has_no_more_entries_than_asked():
    assert len(outline({i: dict.fromkeys(range(50), 0) for i in range(50)}, entries=70)) == 70


def test_a_long_list_is_one_thing():
    assert outline([0] * 51) == {}


def test_parts_without_identity_are_left_out():
    assert set(outline({"a": 1, "b": threading.Lock()})) == {"['a']"}


def test_an_outline_of_a_cycle_ends():
    loop = []
    loop.append(loop)
    assert set(outline(loop)) == {"[0]", "[0][0]", "[0][0][0]"}


def test_a_frame_is_its_columns_and_its_index():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"age": [1, 2], "name": ["a", "b"]})
    changed = frame.assign(age=[1, 3])
    before, after = outline(frame), outline(changed)
    assert set(before) == {".index", "['age']", "['name']"}
    assert {path for path in before if before[path].digest != after[path].digest} == {"['age']"}


def test_an_array_is_one_thing():
    np = pytest.importorskip("numpy")
    assert outline(np.arange(3)) == {}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (1, "1"),
        ("a", "'a'"),
        (None, "None"),
        (math.nan, "nan"),
        ([1, "a"], "[1, 'a']"),
        ((1,), "(1,)"),
        ({"a": [1]}, "{'a': [1]}"),
        ({2, 1}, "set({1, 2})"),
        pytest.param(10**5000, "int of 16,610 bits", id="long int"),
        (Hue.RED, "Hue.RED"),
        (Model([1]), "Model(name='m', …)"),
        (len, "function len"),
        (Model, "class Model"),
        (math, "module math"),
        (ValueError("x"), "ValueError('x')"),
        (object(), "object"),
    ],
)
def test_a_preview_says_what_it_is(value, line):
    assert preview(value) == line


def test_previews_of_arrays_and_frames_say_their_extent():
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    assert preview(np.zeros((1000, 20))) == "float64[1000, 20]"
    assert preview(pd.DataFrame(np.zeros((1000, 5)))) == "DataFrame 1,000 × 5"
    assert preview(pd.Series([1, 2])) == "Series int64[2]"
    assert preview(np.float64(1)) == "float64(1.0)"


@given(st.recursive(st.text() | st.integers(), lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside)))
def test_a_preview_is_one_short_line(value):
    line = preview(value, limit=40)
    assert len(line) <= 40
    assert "\n" not in line


@pytest.mark.parametrize(
    "make",
    [
        Rude,
        lambda: [Rude()],
        lambda: test_a_preview_is_one_short_line,
        object,
        threading.Lock,
        lambda: [object()],
        lambda: Model([object()]),
    ],
)
def test_a_preview_never_raises_and_shows_no_address(make):
    assert "0x" not in preview(make())


def test_the_outline_of_what_refers_to_itself_many_times_ends():
    many = []
    one = [many]
    many.extend([one] * 64)
    assert set(outline(one)) == set(outline(copy.deepcopy(one)))
