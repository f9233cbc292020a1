"""Digests of values: properties, depth, sharing and cycles."""

from __future__ import annotations

import copy
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.digest import digest
from ipycheckpoint.errors import Unidentifiable
from ipycheckpoint.identity.kinds.plain import Extent, extent
from ipycheckpoint.identity.values import _digest, digest_value, fingerprint


class Box:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


def same(a, b):
    """Strictly equal: types, bits of floats, order of dicts; not which objects are shared."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a.hex() == b.hex()
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, frozenset | set):
        return len(a) == len(b) and all(any(same(x, y) for y in b) for x in a)
    if isinstance(a, Box):
        return same(sorted(vars(a).items()), sorted(vars(b).items()))
    return a == b


atoms = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, -0.0, 1.0, 0.5, float("nan")])
texts = st.text("ab1", max_size=2) | st.binary(max_size=1) | st.sampled_from(["x" * 5000, "y" * 5000])
keys = atoms | texts


def grow(inside):
    names = st.sampled_from("abc")
    return (
        st.lists(inside, max_size=3)
        | st.lists(inside, max_size=3).map(tuple)
        | st.dictionaries(keys, inside, max_size=3)
        | st.frozensets(keys, max_size=3)
        | st.sets(keys, max_size=3)
        | st.dictionaries(names, inside, max_size=2).map(lambda attributes: Box(**attributes))
    )


values = st.recursive(keys, grow, max_leaves=8)


@given(values, values)
def test_two_values_have_one_digest_if_and_only_if_they_are_equal(a, b):
    assert (digest_value(a) == digest_value(b)) is same(a, b)


@given(values)
def test_a_deep_copy_has_the_same_digest(value):
    assert digest_value(copy.deepcopy(value)) == digest_value(value)


@given(values, values)
def test_what_is_shared_does_not_count(a, b):
    copies = [copy.deepcopy(part) for part in (a, b, a)]
    assert digest_value([a, b, a]) == digest_value(copies)


@given(values, values)
def test_a_part_counts_in_every_place(a, b):
    different = digest_value(a) != digest_value(b)
    for hold in (lambda v: [v], lambda v: {"k": v}, lambda v: Box(k=v), lambda v: ({1}, v)):
        assert (digest_value(hold(a)) != digest_value(hold(b))) is different


@given(values)
def test_plainness_is_the_same_for_a_copy_that_shares_nothing(value):
    assert isinstance(extent([value, value]), Extent) is isinstance(extent([value, copy.deepcopy(value)]), Extent)


BOTTOMLESS, BOTTOMLESS_OBJECTS = 70_000, 30_000
"""Levels of lists, and of objects in objects, for which C's stack of 8 MiB has no room, let alone Python's."""


def deep(levels, innermost):
    value = innermost
    for _ in range(levels):
        value = [value]
    return value


def doubled(levels, innermost=1):
    value = innermost
    for _ in range(levels):
        value = [value, value]
    return value


@pytest.mark.parametrize("levels", [10, 62, 63, 64, 65, 200, BOTTOMLESS])
def test_depth_is_no_obstacle(levels):
    found = digest_value(deep(levels, 1))
    assert digest_value(deep(levels, 1)) == found
    assert digest_value(deep(levels, 2)) != found
    assert digest_value(deep(levels + 1, 1)) != found


def test_a_deep_chain_of_objects_is_no_obstacle():
    chain = None
    for _ in range(BOTTOMLESS_OBJECTS):
        chain = Box(next=chain)
    assert len(digest_value(chain)) == 64


@pytest.mark.parametrize("levels", [20, 23, 24, 64, 1000])
def test_shared_structures_are_digested_once(levels):
    assert digest_value(doubled(levels)) == digest_value(doubled(levels))
    assert digest_value(doubled(levels)) != digest_value(doubled(levels, 2))


def test_a_plain_value_goes_one_way_however_it_is_shared():
    def unshared(levels):
        return [unshared(levels - 1), unshared(levels - 1)] if levels else {"k": ({1.5},)}

    assert digest_value(doubled(10, {"k": ({1.5},)})) == digest_value(unshared(10))


def test_a_shared_and_a_copied_value_meet_at_the_limit_of_plain_data():
    rows = [[i] for i in range(1000)]
    shared = [rows] * 20
    assert digest_value([shared, {1}]) == digest_value([copy.deepcopy([list(rows) for _ in range(20)]), {1}])


def test_a_long_ring_may_be_entered_anywhere():
    boxes = [Box() for _ in range(5_000)]
    for box, following in zip(boxes, [*boxes[1:], boxes[0]], strict=True):
        box.next = following
    assert digest_value(boxes) == digest_value(boxes)
    boxes[777].mark = True
    assert digest_value(boxes) != digest_value(boxes[::-1])


def test_parents_and_children_find_each_other_in_every_process_the_same():
    def tree(names):
        root = Box(name="root")
        root.children = {Box(name=name, parent=root) for name in names}
        return root

    assert len({digest_value(tree(names)) for names in ("abcdef", "fedcba", "cafebd")}) == 1
    assert digest_value(tree("abc")) != digest_value(tree("abd"))


def test_digesting_leaves_the_value_alone():
    value = Box(a=[1, {2}], b=None)
    before = copy.deepcopy(vars(value))
    digest_value(value)
    assert vars(value) == before


LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (LOCK, "model"),
        (Box(client=Box(_lock=LOCK)), "model.client._lock"),
        ([1, {"a": (0, LOCK)}], "model[1]['a'][1]"),
        ({"a": {1}, 2: LOCK}, "model[2]"),
        (deep(3, {"x": LOCK}), "model[0][0][0]['x']"),
        ([[], [Box(a=1), Box(b=[LOCK])]], "model[1][1].b[0]"),
    ],
)
def test_a_refusal_says_where(value, path):
    with pytest.raises(Unidentifiable) as caught:
        digest_value(value, "model")
    assert caught.value.path == path
    assert caught.value.type_name == "_thread.lock"


def test_a_refusal_says_where_in_a_frame():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"n": [1, 2, 3], "conn": [None, None, LOCK]})
    with pytest.raises(Unidentifiable, match=r"`df\['conn'\]\[2\]`"):
        digest_value(frame, "df")


class Endless:
    def __reduce__(self):
        return Endless, (Endless(),)


def test_an_object_that_never_ends_is_refused(monkeypatch):
    monkeypatch.setattr("ipycheckpoint.identity.values._NEVER_ENDS", 1000)
    with pytest.raises(Unidentifiable, match="never ends"):
        digest_value(Endless())


class Sullen:
    def __reduce_ex__(self, protocol):
        raise ZeroDivisionError("not today")


class Unpicklable:
    def __reduce_ex__(self, protocol):
        raise TypeError("no pickles")


@pytest.mark.parametrize(("value", "reason"), [(Sullen(), "not today"), (Unpicklable(), "no pickles")])
def test_an_object_that_does_not_tell_its_state_is_refused_with_its_words(value, reason):
    with pytest.raises(Unidentifiable, match=reason):
        digest_value([value])


def test_the_fingerprint_of_a_value_is_its_digest():
    assert fingerprint({"a": 1}) == digest_value({"a": 1})


@given(st.lists(st.binary(max_size=2) | st.sampled_from([b"x" * 1023, b"x" * 1024, b"x" * 2_000_000])))
def test_framing_with_one_call_is_framing_field_by_field(fields):
    assert _digest("kind", *fields).hex() == digest("kind", *fields)
