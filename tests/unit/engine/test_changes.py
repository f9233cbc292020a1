"""A hit brings about in other objects what the run did to its own."""

from __future__ import annotations

import copy

from ipycheckpoint.engine.changes import Change, changes_in, make, name_of, states_of
from ipycheckpoint.engine.links import links_of


def test_objects_inside_a_changed_input_get_their_states_and_remain_themselves() -> None:
    before = {"a": [1], "b": 2}
    links = links_of([(0, before)])
    before["a"].append(9)
    kept = copy.deepcopy(states_of(links, [0]))
    there = {"a": [1], "b": 2}
    inner = there["a"]
    assert make([change for change in changes_in(kept, {0: there}) if change.live is inner]) == []
    assert (inner, there) == ([1, 9], {"a": [1, 9], "b": 2})


def test_of_an_input_with_very_many_parts_only_the_whole_is_written() -> None:
    links = links_of([(0, [[i] for i in range(500)])])
    assert list(states_of(links, [0])) == [name_of(0)]
    assert list(links.values()) == [(0,)]


def test_what_cannot_take_another_state_is_returned() -> None:
    change = Change((1,), (2,))
    assert make([change, Change([1], [2])]) == [change]


def test_a_setstate_that_raises_is_returned_too() -> None:
    class Stubborn:
        def __setstate__(self, state: object) -> None:
            raise ValueError(state)

    change = Change(Stubborn(), Stubborn())
    assert make([change]) == [change]
