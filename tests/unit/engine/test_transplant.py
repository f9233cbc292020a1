"""A live object takes the state of another and stays itself."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

import pytest

from ipycheckpoint.engine.transplant import transplant, transplantable


class Plain:
    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("__hidden", "a", "b")

    def __init__(self, hidden: int, **attributes: int) -> None:
        self.__hidden = hidden
        for name, value in attributes.items():
            setattr(self, name, value)

    def content(self) -> tuple[int, object, object]:
        return self.__hidden, getattr(self, "a", None), getattr(self, "b", None)


@pytest.mark.parametrize(
    ("live", "state"),
    [
        ([1, 2], [3]),
        ({"a": 1, "b": 2}, {"c": 3}),
        ({1, 2}, {3}),
        (bytearray(b"abc"), bytearray(b"x")),
        (deque([1], 5), deque([2, 3], 5)),
        (OrderedDict(a=1, b=2), OrderedDict(b=3, a=4)),
    ],
)
def test_a_container_becomes_equal_and_stays_itself(live: Any, state: Any) -> None:
    place = id(live)
    assert transplantable(live)
    assert transplant(live, state)
    assert (live, list(live), id(live)) == (state, list(state), place)


def test_attributes_that_are_gone_are_gone() -> None:
    live = Plain(a=1, b=2)
    assert transplant(live, Plain(b=3, c=4))
    assert vars(live) == {"b": 3, "c": 4}


def test_slots_are_taken_over_private_ones_too() -> None:
    live = Slotted(1, a=2)
    assert transplant(live, Slotted(5, b=6))
    assert live.content() == (5, None, 6)


@pytest.mark.parametrize(
    ("live", "state"), [((1,), (2,)), (1, 2), ([1], (1,)), (int, str), (deque([1], 2), deque([1], 3))]
)
def test_what_cannot_be_is_left_alone(live: Any, state: Any) -> None:
    before = repr(live)
    assert not transplant(live, state)
    assert repr(live) == before


def test_an_array_changes_its_elements_under_its_views() -> None:
    np = pytest.importorskip("numpy")
    live = np.arange(4)
    view = live[1:]
    assert transplant(live, np.array([9, 8, 7, 6]))
    assert view.tolist() == [8, 7, 6]


@pytest.mark.parametrize("change", ["shape", "dtype", "read-only"])
def test_an_array_of_another_kind_is_refused(change: str) -> None:
    np = pytest.importorskip("numpy")
    live = np.arange(4)
    live.flags.writeable = change != "read-only"
    state = {"shape": np.arange(5), "dtype": np.arange(4.0), "read-only": np.arange(4)}[change]
    assert not transplant(live, state)
    assert live.tolist() == [0, 1, 2, 3]


def test_a_data_frame_changes_in_place() -> None:
    pd = pytest.importorskip("pandas")
    live = pd.DataFrame({"a": [1, 2]})
    live["a"]
    assert transplant(live, pd.DataFrame({"a": [3], "b": ["x"]}))
    assert live.to_dict("list") == {"a": [3], "b": ["x"]}
