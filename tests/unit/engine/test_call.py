"""One call: restored, or run and kept."""

from __future__ import annotations

import array
import asyncio
import dataclasses
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.engine.call import Terms, run_call, run_call_async
from ipycheckpoint.engine.flight import Flights
from ipycheckpoint.identity.calls import identify_call, unfold
from ipycheckpoint.record.outcome import Computed, Outcome, Refused, Restored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipycheckpoint.identity.work import Work


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache.at(tmp_path / "cache")
    yield cache
    cache.close()


def f(x: Any) -> Any:
    return [x]


def work(*args: Any, function: Any = f) -> Work:
    return identify_call(unfold(function, args), "f")


def run(cache: Cache, *args: Any, gives: Any = None, **terms: Any) -> Outcome:
    return run_call(cache, Flights(cache.directory), work(*args), lambda: gives, Terms(**terms))


def test_the_first_run_is_kept_and_the_second_restored(cache: Cache) -> None:
    first, second = run(cache, 1, gives="a"), run(cache, 1, gives="b")
    assert isinstance(first, Computed)
    assert isinstance(second, Restored)
    assert (first.value, second.value) == ("a", "a")
    assert first.kept is not None
    assert first.kept.key == second.header.key


def test_what_the_run_raises_is_raised_and_not_kept(cache: Cache) -> None:
    def fails() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        run_call(cache, Flights(cache.directory), work(1), fails, Terms())
    assert isinstance(run(cache, 1), Computed)


@pytest.mark.parametrize(
    ("mode", "kinds"), [("on", [Computed, Restored]), ("read", [Computed, Computed]), ("refresh", [Computed, Computed])]
)
def test_the_mode_says_what_is_looked_up_and_kept(cache: Cache, mode: Any, kinds: list[type]) -> None:
    assert [type(run(cache, 1, mode=mode)) for _ in range(2)] == kinds


def test_to_read_is_to_restore_what_was_kept_before(cache: Cache) -> None:
    run(cache, 1, gives="kept")
    assert run(cache, 1, mode="read", gives="new").value == "kept"


def test_a_refreshed_result_takes_the_place_of_the_old(cache: Cache) -> None:
    run(cache, 1, gives="old")
    run(cache, 1, gives="new", mode="refresh")
    assert run(cache, 1).value == "new"


def test_a_result_expires(cache: Cache) -> None:
    run(cache, 1, gives="old", expires_seconds=-1)
    outcome = run(cache, 1, gives="new")
    assert outcome.value == "new"
    assert "expired" in outcome.explanation.reason


def test_a_result_that_cannot_be_kept_is_still_given(cache: Cache) -> None:
    lock = threading.Lock()
    outcome = run(cache, 1, gives=lock)
    assert isinstance(outcome, Refused)
    assert outcome.value is lock
    assert cache.header(work(1).identity.key) is None


def test_whatever_breaks_while_keeping_costs_no_result(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(draft: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(cache, "save", broken)
    outcome = run(cache, 1, gives="result")
    assert isinstance(outcome, Refused)
    assert outcome.value == "result"
    assert "MemoryError: no room" in outcome.reason


def test_another_that_kept_it_meanwhile_saves_the_run(cache: Cache) -> None:
    """Between our look and our turn someone else may be done."""

    class Late(Flights):
        def alone(self, key: Any, **options: Any) -> Any:
            run(cache, 1, gives="theirs")
            return super().alone(key, **options)

    outcome = run_call(cache, Late(cache.directory), work(1), lambda: "ours", Terms())
    assert outcome.value == "theirs"


def test_what_was_absent_a_moment_ago_is_looked_up_once_more_and_alone(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    find = cache.find
    monkeypatch.setattr(cache, "find", lambda key: looks.append(key) or find(key))
    assert isinstance(run(cache, 1, gives="ours", is_absent=True), Computed)
    assert len(looks) == 1
    assert run(cache, 1, gives="again", is_absent=True).value == "ours"


def test_a_miss_is_described_once(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outline of a large argument is not for nothing."""
    calls = []
    kind = type(work(1))
    described = kind.described
    monkeypatch.setattr(kind, "described", lambda self: calls.append(1) or described(self))
    run(cache, 1)
    assert len(calls) == 1


def test_a_coroutine_is_kept_and_restored(cache: Cache) -> None:
    async def gives(value: str) -> str:
        return value

    async def both() -> list[object]:
        flights = Flights(cache.directory)
        return [(await run_call_async(cache, flights, work(1), lambda v=v: gives(v), Terms())).value for v in "ab"]

    assert asyncio.run(both()) == ["a", "a"]


@dataclasses.dataclass
class Model:
    rows: list[Any]
    name: str = "m"


def changing(change: Any, value: Any, cache: Cache, warned: list[str]) -> tuple[Outcome, Outcome]:
    """Run `change` on one value, and restore it on an equal one."""
    import copy

    values = value, copy.deepcopy(value)
    return tuple(
        run_call(cache, Flights(cache.directory), work(v), lambda v=v: change(v), Terms(warn=warned.append))
        for v in values
    ), values  # type: ignore[return-value]


def test_a_change_in_place_is_repeated_with_a_warning_that_names_the_argument(cache: Cache) -> None:
    warned: list[str] = []
    (_, second), (one, two) = changing(lambda m: m.rows.append(1), Model([0]), cache, warned)
    assert isinstance(second, Restored)
    assert one == two == Model([0, 1])
    assert [message.partition(" in place")[0] for message in warned] == ["f changes its argument `x`"]


def test_others_who_hold_a_part_of_what_changed_see_the_change_on_a_hit(cache: Cache) -> None:
    run_call(cache, Flights(cache.directory), work({"rows": [0]}), lambda: None, Terms())
    part = [0]
    whole = {"rows": part}
    first = {"rows": [0]}
    run_call(cache, Flights(cache.directory), work(first), lambda: first["rows"].append(1), Terms(mode="refresh"))
    run_call(cache, Flights(cache.directory), work(whole), lambda: None, Terms())
    assert part == [0, 1]
    assert whole["rows"] is part


def test_a_part_that_was_only_moved_is_the_same_object_on_a_hit(cache: Cache) -> None:
    first = [[1], [2]]
    run_call(cache, Flights(cache.directory), work(first), lambda: first.reverse(), Terms())
    one, two = [1], [2]
    rows = [one, two]
    run_call(cache, Flights(cache.directory), work(rows), lambda: None, Terms())
    assert rows[0] is two
    assert rows[1] is one
    assert (one, two) == ([1], [2])


def test_what_changed_inside_a_tuple_is_changed_on_a_hit(cache: Cache) -> None:
    first = ([1], "text", [2])
    run_call(cache, Flights(cache.directory), work(first), lambda: first[0].append(2), Terms())
    live = ([1], "text", [2])
    outcome = run_call(cache, Flights(cache.directory), work(live), lambda: None, Terms())
    assert isinstance(outcome, Restored)
    assert live == ([1, 2], "text", [2])


REGISTRY: list[Any] = []


class Registering:
    def register(self) -> None:
        REGISTRY.append(1)


def register() -> None:
    REGISTRY.append(1)


@pytest.mark.parametrize("argument", [array.array("i", [1]), (array.array("i", [1]), [1]), Registering(), register])
def test_a_change_that_a_hit_could_not_repeat_is_not_kept(cache: Cache, argument: Any) -> None:
    """An array of the standard library, and what methods and functions do to globals that only they reach."""

    def change() -> None:
        if isinstance(argument, Registering):
            argument.register()
        elif argument is register:
            argument()
        else:
            (argument[0] if isinstance(argument, tuple) else argument).append(2)

    outcome = run_call(cache, Flights(cache.directory), work(argument), change, Terms())
    assert isinstance(outcome, Refused)
    assert "changed it in place" in outcome.reason


def test_a_result_that_is_a_part_of_an_argument_is_that_part_on_a_hit(cache: Cache) -> None:
    first = {"models": [["a"], ["b"]]}
    run_call(cache, Flights(cache.directory), work(first), lambda: first["models"][1], Terms())
    live = {"models": [["a"], ["b"]]}
    outcome = run_call(cache, Flights(cache.directory), work(live), lambda: None, Terms())
    assert isinstance(outcome, Restored)
    assert outcome.value is live["models"][1]


@pytest.mark.parametrize("broken", ["find", "load", "nearest", "count_hit", "save"])
def test_a_fault_of_the_cache_costs_a_warning_and_never_the_result(
    cache: Cache, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of order")

    if broken in ("load", "count_hit"):
        run(cache, 1, gives="a")
    monkeypatch.setattr(cache, broken, fail)
    said: list[str] = []
    outcome = run(cache, 1, gives="a", warn=said.append)
    assert outcome.value == "a"
    assert "out of order" in "".join([*said, str(getattr(outcome, "problem", "")), outcome.explanation.reason])
