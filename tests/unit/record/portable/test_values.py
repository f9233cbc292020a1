from __future__ import annotations

import datetime as dt
import decimal
import fractions
import pickle
import pickletools
import sys
import uuid
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.record.portable.values import dumps, loads, revive
from ipycheckpoint.record.remains import Remains

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=10,
)


@given(plain)
def test_plain_data_come_back_equal(value):
    assert loads(dumps(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        decimal.Decimal("1.50"),
        fractions.Fraction(1, 3),
        uuid.UUID(int=5),
        {1, 2},
        frozenset({1}),
        range(3),
        1j,
        type(None),
        int,
        len,
        ...,
    ],
    ids=repr,
)
def test_what_the_standard_library_makes_comes_back_equal(value):
    assert loads(dumps(value)) == value


def test_it_is_a_pickle_of_protocol_4():
    protocols = [argument for opcode, argument, _ in pickletools.genops(dumps([1])) if opcode.name == "PROTO"]
    assert protocols == [4]


def test_shared_objects_stay_shared_and_cycles_close():
    shared = [1]
    shared.append(shared)
    one, two = loads(dumps([shared, shared]))
    assert one is two
    assert one[1] is one


def test_an_object_whose_class_is_not_here_comes_as_remains_and_is_told(monkeypatch):
    module = ModuleType("shop")
    module.Order = type("Order", (), {"__module__": "shop"})
    monkeypatch.setitem(sys.modules, "shop", module)
    order = module.Order()
    order.price = 3
    data = dumps([order])
    monkeypatch.delitem(sys.modules, "shop")
    [left], lost = revive(data)
    assert isinstance(left, Remains)
    assert (left.type_name, left.price, lost) == ("shop.Order", 3, ["shop.Order"])


def test_remains_that_were_carried_over_are_told_too():
    left, lost = revive(dumps(Remains("shop.Order", (1,), {"price": 3})))
    assert (left.price, left.arguments, lost) == (3, (1,), ["shop.Order"])


def test_classes_of_what_has_changed_can_be_left_out():
    left, lost = revive(dumps([decimal.Decimal("1.5"), fractions.Fraction(1, 2)]), without=["decimal"])
    assert left[0].arguments == ("1.5",)
    assert left[1] == fractions.Fraction(1, 2)
    assert lost == ["decimal.Decimal"]


def test_an_instance_of_a_notebooks_class_finds_the_class_that_is_here_now(monkeypatch):
    main = sys.modules["__main__"]
    then = type("Order", (), {"__module__": "__main__"})  # in no namespace: a stream has brought it along
    order = then()
    order.price = 3
    data = dumps(order)
    assert isinstance(loads(data), Remains)
    now = type("Order", (), {"__module__": "__main__"})
    monkeypatch.setattr(main, "Order", now, raising=False)
    assert type(loads(data)) is now
    assert loads(data).price == 3


def test_code_without_its_source_is_refused_by_name():
    with pytest.raises(pickle.PicklingError, match="<lambda>` is code without its source"):
        dumps({"f": lambda: 1})
