"""Which rule holds for a name is found once, and anew after every change."""

from __future__ import annotations

from typing import Any

import pytest

from ipycheckpoint.engine.savepoints.handlers import DictHandler
from ipycheckpoint.engine.savepoints.names import Names
from ipycheckpoint.engine.savepoints.savepoints import Route, Rule, Savepoints
from ipycheckpoint.errors import CannotKeep, StoreError, UsageError


@pytest.fixture
def names() -> Names:
    names = Names()
    names.register(["Pkg.foo", "Pkg.bar"])
    return names


def test_a_route_is_found_once(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    savepoints = Savepoints(names)
    savepoints.add([Rule("Pkg", DictHandler())])
    first = savepoints.route("Pkg.foo")
    monkeypatch.setattr(names, "resolve", None)
    assert savepoints.route("Pkg.foo") is first


def test_a_rule_that_is_added_takes_the_place_of_an_earlier_one_for_the_same_pattern(names: Names) -> None:
    savepoints, handler = Savepoints(names), DictHandler()
    for _ in range(3):
        savepoints.add([Rule("Pkg.foo", handler), Rule("Pkg.bar", handler)])
    assert len(savepoints.rules) == 2


def test_a_name_that_is_renamed_after_it_was_used_goes_where_the_new_one_goes(names: Names) -> None:
    savepoints, handler = Savepoints(names), DictHandler()
    savepoints.add([Rule("Pkg.bar", handler)])
    assert savepoints.route("Pkg.foo") is None
    names.deprecate("Pkg.foo", "Pkg.bar")
    assert savepoints.route("Pkg.foo") == Route("Pkg.bar", handler)


def test_an_unknown_name_is_an_error_each_time(names: Names) -> None:
    savepoints = Savepoints(names)
    for _ in range(2):
        with pytest.raises(UsageError):
            savepoints.route("Pkg.fo")


class At:
    """A handler that says where it is."""

    location = "/there"

    def save(self, *args: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (CannotKeep("x", "socket", "it is one"), "Leave `x` out, or save something of it that can be written; "),
        (StoreError("/there/a", "write", "No space left"), "Make room there, or configure another place; "),
        (ZeroDivisionError("of its own"), "ZeroDivisionError: of its own. The values themselves are untouched. config"),
    ],
)
def test_a_failure_is_told_with_the_way_out(problem: Exception, message: str) -> None:
    told = Route("Pkg.foo", At()).failed(problem)
    assert told.startswith("Pkg.foo is not saved to /there: ")
    assert message in told
    assert told.endswith("config('Pkg.foo', None) turns it off")


def test_a_failure_is_raised_where_that_was_asked_for() -> None:
    with pytest.raises(ZeroDivisionError):
        Route("Pkg.foo", At(), "raise").failed(ZeroDivisionError())
