"""An Explanation says what changed, from what to what, and where."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipycheckpoint.digest import digest
from ipycheckpoint.identity.explain import Explanation, clock, compare
from ipycheckpoint.identity.identity import Ingredient
from ipycheckpoint.identity.outline import outline, preview
from ipycheckpoint.identity.values import digest_value


def value(name, held, kind="input"):
    return Ingredient(kind, name, digest_value(held), preview(held), parts=outline(held))


def code(name, source, kind="function"):
    return Ingredient(kind, name, digest("code", source.encode()), source=source)


def only_change(before, after):
    [change] = compare(before, after)
    return change


def test_nothing_that_is_the_same_is_a_change():
    same = [value("x", 1), code("f", "def f(): pass")]
    assert compare(same, same) == ()


def test_a_changed_value_is_shown_before_and_after():
    assert only_change([value("x", 1)], [value("x", 2)]).what == "input `x` changed: 1 → 2"


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, "['b']: 2 → 3"),
        ({"a": 1}, {"a": 1, "b": 3}, "['b'] is new: 3"),
        ({"a": 1, "b": 2}, {"a": 1}, "['b'] is gone"),
        ([1, 2, 3], [1, 5, 3], "[1]: 2 → 5"),
        ({"model": {"depth": 3}}, {"model": {"depth": 4}}, "['model']['depth']: 3 → 4"),
    ],
)
def test_it_says_where_inside_a_container(before, after, place):
    assert only_change([value("x", before)], [value("x", after)]).places == (place,)


def test_it_names_the_column_of_a_data_frame():
    pandas = pytest.importorskip("pandas")
    before = pandas.DataFrame({"age": [1, 2], "name": ["a", "b"]})
    after = before.assign(age=[1, 3])
    [place] = only_change([value("df", before)], [value("df", after)]).places
    assert "['age']" in place


def test_it_names_an_attribute():
    class Model:
        pass

    before, after = Model(), Model()
    before.rate, after.rate = 0.1, 0.2
    assert only_change([value("m", before)], [value("m", after)]).places == (".rate: 0.1 → 0.2",)


def test_a_changed_function_comes_with_a_unified_diff():
    change = only_change([code("f", "def f():\n    return 1")], [code("f", "def f():\n    return 2")])
    assert change.what == "function `f` changed"
    assert "-    return 1" in change.diff
    assert "+    return 2" in change.diff


def test_the_same_text_that_reaches_other_things_is_told_from_an_edit():
    before = code("f", "def f(): return g()")
    assert "now reaches other things" in only_change([before], [replace(before, digest=digest("x"))]).what


def test_a_long_diff_is_cut_and_says_so():
    before = code("f", "\n".join(f"a{n}" for n in range(200)))
    after = code("f", "\n".join(f"b{n}" for n in range(200)))
    assert only_change([before], [after]).diff.splitlines()[-1].endswith("more lines")


def test_a_renamed_ingredient_with_the_same_digest_is_no_change():
    assert compare([value("a", 1)], [value("b", 1)]) == ()


def test_what_came_and_what_went_is_named():
    whats = {change.what for change in compare([value("a", 1)], [value("b", 2)])}
    assert whats == {"input `b` is new: 2", "input `a` is gone: 1"}


def test_repeated_tags_are_compared_one_by_one():
    def tag(text):
        return Ingredient("tag", "run", digest("tag", text.encode()), text)

    assert only_change([tag("1"), tag("2")], [tag("1"), tag("3")]).what == "tag `run` changed: 2 → 3"


def test_renaming_the_work_itself_is_no_change_of_its_code():
    before, after = code("f", "x", "code"), replace(code("g", "x", "code"))
    assert compare([before], [after]) == ()


def test_html_from_names_values_and_code_is_escaped():
    evil = "<script>alert(1)</script>"
    changes = compare([value(evil, 1), code("f", "a", "code")], [value(evil, evil), code("f", evil, "code")])
    text = Explanation("miss", evil, evil, changes, 0.0)._repr_html_()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_the_text_says_with_which_record_it_was_compared():
    explanation = Explanation("miss", "model", "input `x` changed", compare([value("x", 1)], [value("x", 2)]), 0.0)
    assert str(explanation).splitlines() == [
        "model: miss, input `x` changed",
        f"compared with the record of {clock(0.0)}:",
        "  • input `x` changed: 1 → 2",
    ]
