"""What changes inside of functions and classes is noticed, and what does not is not."""

from __future__ import annotations

from typing import Any

import pytest

from ipycheckpoint.engine.hidden import HiddenState


def counter() -> Any:
    n = 0

    def count() -> int:
        nonlocal n
        n += 1
        return n

    return count


def calls(inner: Any) -> Any:
    def outer() -> Any:
        return inner()

    return outer


class Base:
    items: list[int] = []
    limit = 3


class Derived(Base):
    pass


@pytest.mark.parametrize("wrap", [lambda f: f, calls])
def test_a_variable_of_a_closure_is_watched_however_it_is_reached(wrap: Any) -> None:
    function = wrap(counter())
    hidden = HiddenState([("f", function)])
    assert hidden.changed() is None
    function()
    assert (hidden.changed() or "").endswith(".n")


def test_an_attribute_of_a_function_is_watched() -> None:
    function = counter()
    hidden = HiddenState([("f", function)])
    function.calls = 1
    assert hidden.changed() == "f.calls"


def test_attributes_of_a_class_and_its_bases_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = HiddenState([("D", Derived)])
    monkeypatch.setattr(Base, "limit", 4)
    assert hidden.changed() == "Base.limit"


def test_a_container_of_a_class_is_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Base, "items", [1])
    hidden = HiddenState([("B", Base)])
    Base.items.append(2)
    assert hidden.changed() == "B.items"


def test_an_equal_number_in_its_place_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Base, "limit", float("2.5"))
    hidden = HiddenState([("B", Base)])
    monkeypatch.setattr(Base, "limit", float("2.5"))
    assert hidden.changed() is None


@pytest.mark.parametrize("value", [1, [1], len, int, pytest])
def test_what_is_not_code_of_the_users_is_not_watched(value: object) -> None:
    assert HiddenState([("v", value)]).changed() is None
