"""Work: Ingredients from live values, fingerprints of the user's own, and what has changed since."""

from __future__ import annotations

import functools
from decimal import Decimal
from typing import Any

import pytest

from ipycheckpoint.errors import Unidentifiable
from ipycheckpoint.identity.calls import identify_call, unfold
from ipycheckpoint.identity.values import digest_value
from ipycheckpoint.identity.work import Digester, Work, tag_ingredients

LIMIT = [1]


def double(x: int) -> int:
    return 2 * x + LIMIT[0]


def f(x: Any, y: Any = None) -> Any:
    return double(x)


def work(*args: Any, **options: Any) -> Work:
    return identify_call(unfold(f, args), "f", **options)


def test_the_ingredients_are_the_code_what_it_reaches_and_the_arguments() -> None:
    ingredients = work(1).identity.ingredients
    assert [(i.kind, i.name) for i in ingredients] == [
        ("code", "f"),
        ("function", "double"),
        ("global", "LIMIT"),
        ("argument", "x"),
        ("argument", "y"),
    ]


def test_functions_have_their_source_for_the_explanation() -> None:
    sources = {i.name: i.source for i in work(1).identity.ingredients if i.source}
    assert sources["double"].startswith("def double(x: int) -> int:")


def test_descriptions_are_not_in_the_key() -> None:
    plain = work([1, 2])
    described = plain.described()
    assert described.identity.key == plain.identity.key
    assert described.identity.ingredients[3].preview == "[1, 2]"
    assert set(described.identity.ingredients[3].parts) == {"[0]", "[1]"}


def test_what_was_changed_in_place_is_found_by_its_position() -> None:
    argument = {"a": [1]}
    before = work(argument, "same")
    assert before.changed() == []
    argument["a"].append(2)
    assert before.changed() == [3]


def test_what_has_lost_its_identity_has_changed() -> None:
    argument: list[Any] = [1]
    before = work(argument)
    argument.append(i for i in ())
    assert before.changed() == [3]


def test_a_fingerprint_by_name_is_asked_when_looking_for_changes_too() -> None:
    argument = [1, "noise"]
    before = work(argument, fingerprints={"x": lambda x: x[0]})
    argument[1] = "other noise"
    assert before.changed() == []
    argument[0] = 2
    assert before.changed() == [3]


def test_a_fingerprint_by_name_reaches_globals_too() -> None:
    first = work(1, fingerprints={"LIMIT": len}).identity.key
    LIMIT[0] += 1
    try:
        assert work(1, fingerprints={"LIMIT": len}).identity.key == first
    finally:
        LIMIT[0] -= 1


def test_a_fingerprint_by_name_hides_what_is_inside_from_the_outline() -> None:
    ingredient = work([1, 2], fingerprints={"x": len}).described().identity.ingredients[3]
    assert (ingredient.preview, ingredient.parts) == ("[1, 2]", {})


@pytest.mark.parametrize("kind", [Decimal, "decimal.Decimal"])
def test_a_fingerprint_by_type_is_asked_wherever_such_a_value_is(kind: Any) -> None:
    digester = Digester({kind: lambda number: int(number)})
    assert digester.digest("x", [Decimal("1.5")]) == digester.digest("x", [Decimal("1.2")])
    assert digester.digest("x", [Decimal("1.5")]) != digester.digest("x", [Decimal("2.5")])


def test_without_fingerprints_a_digest_is_that_of_the_value() -> None:
    assert Digester().digest("x", [1, 2]) == digest_value([1, 2])


def test_what_stands_for_a_value_is_never_that_value() -> None:
    assert Digester({"x": len}).digest("x", [7, 8, 9]) != digest_value(3)


def test_a_fingerprint_function_that_raises_is_named_with_its_argument() -> None:
    with pytest.raises(Unidentifiable, match=r"`x` \(int\).*its fingerprint function raised TypeError") as caught:
        Digester({"x": len}).digest("x", 5)
    assert isinstance(caught.value.__cause__, TypeError)


def test_a_fingerprint_may_be_any_callable() -> None:
    first = functools.partial(max, key=abs)
    assert Digester({"x": first}).digest("x", [1, -5]) == Digester({"x": first}).digest("x", [2, -5])


def test_tags_count_by_key_and_value_and_order() -> None:
    one, two, swapped = (
        [i.digest for i in tag_ingredients(tags)]
        for tags in ([("a", "b"), ("c", "d")], [("a", "bc"), ("", "d")], [("c", "d"), ("a", "b")])
    )
    assert one != two
    assert one == swapped[::-1]
