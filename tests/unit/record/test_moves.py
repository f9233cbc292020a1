from __future__ import annotations

import sys
from types import ModuleType

import pytest

from ipycheckpoint.record.codec import decode, encode
from ipycheckpoint.record.moves import moving


def define(monkeypatch, module, name):
    made = ModuleType(module)
    kind = type(name, (), {"__module__": module})
    setattr(made, name, kind)
    monkeypatch.setitem(sys.modules, module, made)
    return kind


@pytest.fixture
def section(monkeypatch):
    """An instance of ``old_shop.Order``, which is not there any more."""
    order = define(monkeypatch, "old_shop", "Order")()
    order.price = 3
    [section] = encode({"order": order})
    monkeypatch.delitem(sys.modules, "old_shop")
    return section


def loaded(section):
    return decode(section.stream, section.buffers)["order"]


@pytest.mark.parametrize("moves", [{"old_shop.Order": "new_shop.Purchase"}, {"old_shop.Order": "new_shop:Purchase"}])
def test_a_class_is_found_under_its_new_name(section, monkeypatch, moves):
    purchase = define(monkeypatch, "new_shop", "Purchase")
    with moving(moves):
        order = loaded(section)
    assert type(order) is purchase
    assert order.price == 3


def test_all_of_a_module_is_found_in_the_new_one(section, monkeypatch):
    kind = define(monkeypatch, "new_shop", "Order")
    with moving({"old_shop": "new_shop"}):
        assert type(loaded(section)) is kind


def test_what_is_said_of_a_class_goes_before_what_is_said_of_its_module(section, monkeypatch):
    define(monkeypatch, "new_shop", "Order")
    kind = define(monkeypatch, "other_shop", "Other")
    with moving({"old_shop": "new_shop", "old_shop.Order": "other_shop.Other"}):
        assert type(loaded(section)) is kind


def test_a_new_name_that_is_not_there_either_is_an_error(section):
    with moving({"old_shop": "nowhere"}), pytest.raises(ModuleNotFoundError, match="nowhere"):
        loaded(section)


def test_nothing_is_moved_afterwards(section, monkeypatch):
    define(monkeypatch, "new_shop", "Order")
    with moving({"old_shop": "new_shop"}):
        loaded(section)
    with pytest.raises(ModuleNotFoundError, match="old_shop"):
        loaded(section)
