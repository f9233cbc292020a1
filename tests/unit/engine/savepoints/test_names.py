"""Names are declared once for the process, and may be renamed."""

from __future__ import annotations

from typing import Any

import pytest

from ipycheckpoint.engine.savepoints.names import Names, covers
from ipycheckpoint.errors import UsageError


@pytest.fixture
def names() -> Names:
    names = Names()
    names.register(["Pkg.foo", "Pkg.bar"])
    return names


def test_names_are_told_in_the_order_in_which_they_were_registered(names: Names) -> None:
    names.register(["Pkg.foo", "Pkg.baz"])
    assert names.available() == ["Pkg.foo", "Pkg.bar", "Pkg.baz"]


@pytest.mark.parametrize("name", ["", "Pkg.*", 3, None])
def test_what_cannot_be_a_name_is_refused_and_nothing_is_registered(names: Names, name: Any) -> None:
    with pytest.raises(UsageError, match="can't name a savepoint"):
        names.register(["Pkg.new", name])
    assert names.available() == ["Pkg.foo", "Pkg.bar"]


def test_a_chain_of_renames_leads_to_its_end(names: Names) -> None:
    names.deprecate("Pkg.oldest", "Pkg.old")
    names.deprecate("Pkg.old", "Pkg.foo")
    assert (names.resolve("Pkg.oldest"), names.check_pattern("Pkg.oldest")) == ("Pkg.foo", "Pkg.foo")


@pytest.mark.parametrize(("old", "new"), [("Pkg.foo", "Pkg.foo"), ("Pkg.b", "Pkg.a")])
def test_a_rename_that_leads_back_is_refused(names: Names, old: str, new: str) -> None:
    names.deprecate("Pkg.a", "Pkg.b")
    with pytest.raises(UsageError, match="leads back to it"):
        names.deprecate(old, new)


def test_a_name_that_is_deprecated_is_available_no_more(names: Names) -> None:
    names.deprecate("Pkg.bar", "Pkg.foo")
    assert (names.available(), names.deprecated()) == (["Pkg.foo"], {"Pkg.bar": "Pkg.foo"})


def test_a_deprecated_name_that_is_registered_again_stands_for_itself(names: Names) -> None:
    names.deprecate("Pkg.old", "Pkg.foo")
    names.register(["Pkg.old"])
    assert (names.resolve("Pkg.old"), names.deprecated()) == ("Pkg.old", {})


def test_a_rename_to_a_name_that_is_none_is_told(names: Names) -> None:
    names.deprecate("Pkg.old", "Pkg.fo")
    with pytest.raises(UsageError, match=r"'Pkg\.fo', which 'Pkg\.old' was renamed to, is no savepoint"):
        names.resolve("Pkg.old")


def test_where_there_are_no_names_the_message_says_so() -> None:
    with pytest.raises(UsageError, match="none is registered"):
        Names().resolve("a")


def test_where_nothing_is_near_the_message_tells_what_there_is(names: Names) -> None:
    with pytest.raises(UsageError, match=r"there are 'Pkg\.foo', 'Pkg\.bar'\."):
        names.resolve("something else")


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("a.b", "a.b", True),
        ("a", "a.b.c", True),
        ("a.b", "a.bc", False),
        ("a.b*", "a.bc", True),
        ("*.foo", "a.b.foo", True),
        ("a[b]", "a[b]", True),
        ("a?", "ab", False),
        ("A", "a.b", False),
    ],
)
def test_a_pattern_covers(pattern: str, name: str, expected: bool) -> None:
    assert covers(pattern, name) is expected
