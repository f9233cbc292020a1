"""Links lead from an input to every object that an output may turn out to be."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.engine.links import follow, has_identity, links_of


class Box:
    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


nested = st.recursive(
    st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4),
    max_leaves=20,
)


@given(nested, nested)
def test_every_link_leads_to_its_object_even_by_way_of_json(one: object, other: object) -> None:
    roots = {0: one, "slot 1": other}
    links = links_of(roots.items())
    for place, path in links.items():
        assert id(follow(path, roots)) == place
        assert follow(json.loads(json.dumps(path)), roots) is links.objects[place]


@pytest.mark.parametrize("value", [None, 1, 1.5, "text", b"bytes", True, (), range(3), len, json])
def test_what_is_as_good_as_its_equal_needs_no_link(value: object) -> None:
    assert not has_identity(value)
    assert links_of([(0, value)]) == {}


def test_attributes_of_the_users_objects_are_linked() -> None:
    box = Box(inner=[1])
    assert links_of([(0, box)])[id(box.inner)] == (0, ("inner",))
    assert follow((0, ("inner",)), {0: box}) is box.inner


def test_the_nearest_path_is_taken() -> None:
    shared = [1]
    assert links_of([(0, [[shared]]), (1, shared)])[id(shared)] == (1,)


def test_cycles_end() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert links_of([(0, loop)]) == {id(loop): (0,)}


def test_objects_stay_alive_so_that_no_other_can_have_their_id() -> None:
    rows = [[i] for i in range(100)]
    links = links_of([(0, rows)])
    rows.clear()
    fresh = [[i] for i in range(1000)]
    assert not any(id(row) in links for row in fresh)


def test_large_containers_are_not_looked_into() -> None:
    assert len(links_of([(0, [[i] for i in range(2000)])])) == 1


def test_paths_below_an_input_can_be_forgotten() -> None:
    links = links_of([(0, [[1]]), (1, [[2]])])
    links.forget_below(0)
    assert sorted(links.values()) == [(0,), (1,), (1, 0)]


def test_a_path_that_leads_nowhere_is_a_lookup_error() -> None:
    with pytest.raises(LookupError):
        follow((0, "a", 1), {0: {"a": []}})
