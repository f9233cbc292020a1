from __future__ import annotations

import argparse
import collections
import datetime as dt
import decimal
import io
import pickle
import uuid

import pytest

from ipycheckpoint.record.codec import decode, encode
from ipycheckpoint.record.remains import Remains, stand_in


def without_its_class(value):
    """`value` as it is loaded where its class can't be had."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            kind = type(value)
            same = (module, name) == (kind.__module__, kind.__name__)
            return stand_in(f"{module}.{name}") if same else super().find_class(module, name)

    return Unpickler(io.BytesIO(pickle.dumps(value))).load()


def test_attributes_are_what_they_were():
    left = without_its_class(argparse.Namespace(price=3, lines=["a"]))
    assert (left.type_name, left.price, left.lines) == ("argparse.Namespace", 3, ["a"])


def test_slots_are_attributes_too():
    left = without_its_class(uuid.UUID(int=5))
    assert left.int == 5


@pytest.mark.parametrize(
    ("value", "arguments"),
    [(decimal.Decimal("1.5"), ("1.5",)), (dt.timedelta(1, 2, 3), (1, 2, 3))],
    ids=["Decimal", "timedelta"],
)
def test_arguments_are_what_the_class_was_called_with(value, arguments):
    assert without_its_class(value).arguments == arguments


def test_the_items_of_a_list_or_mapping_are_there():
    assert without_its_class(collections.deque([1, 2])).items == [1, 2]
    assert without_its_class(collections.Counter("aab")).arguments == ({"a": 2, "b": 1},)
    assert without_its_class(collections.OrderedDict(a=1)).items == [("a", 1)]


def test_a_state_that_is_no_dict_is_kept_as_it_is():
    left = stand_in("shop.Order")()
    left.__setstate__([1, 2])
    assert left.state == [1, 2]


def test_what_was_not_there_is_an_attribute_error_that_names_the_class():
    with pytest.raises(AttributeError, match=r"'cost' in <Remains of shop\.Order: price>"):
        Remains("shop.Order", (), {"price": 1}).cost


def test_remains_are_kept_and_loaded_like_anything_else_even_in_a_cycle():
    left = Remains("shop.Order", (1,), {"price": 3})
    left.items.append(left)
    left.state = "state"
    [section] = encode({"left": left})
    again = decode(section.stream, section.buffers)["left"]
    assert (again.type_name, again.arguments, again.price, again.state) == ("shop.Order", (1,), 3, "state")
    assert again.items[0] is again
