"""An Explanation that is made when somebody reads it."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.engine.lookup import Miss, look_up
from ipycheckpoint.engine.postponed import Postponed
from ipycheckpoint.identity.explain import Change, Explanation
from tests.unit.engine.test_lookup import save, work

if TYPE_CHECKING:
    from pathlib import Path

TOLD = Explanation("miss", "f", "argument `x` changed", (Change("x", "argument `x` changed"),), 5.0)


def test_it_says_what_it_is_made_of_once_it_is_read() -> None:
    made: list[int] = []
    explanation = Postponed("miss", "f", lambda: made.append(1) or TOLD)  # type: ignore[func-returns-value]  # None
    assert (explanation.verdict, explanation.label, made) == ("miss", "f", [])
    assert (explanation.reason, explanation.changes, explanation.against) == (TOLD.reason, TOLD.changes, 5.0)
    assert str(explanation) == str(TOLD)
    assert explanation._repr_html_() == TOLD._repr_html_()
    assert made == [1]


def test_it_equals_the_explanation_that_it_makes_and_is_pickled_as_that() -> None:
    explanation = Postponed("miss", "f", lambda: TOLD)
    assert explanation == TOLD
    assert TOLD == explanation
    assert hash(explanation) == hash(TOLD)
    assert type(pickle.loads(pickle.dumps(explanation))) is Explanation
    assert pickle.loads(pickle.dumps(explanation)) == TOLD


def test_what_stands_in_its_way_is_what_it_says() -> None:
    def fail() -> Explanation:
        raise RuntimeError("out of order")

    assert "RuntimeError: out of order" in Postponed("miss", "f", fail).reason


def test_it_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError):
        Postponed("miss", "f", lambda: TOLD).other  # type: ignore[attr-defined]  # it isn't there


def test_a_miss_is_compared_with_what_was_there_at_that_time(tmp_path: Path) -> None:
    cache = Cache.at(tmp_path)
    first = look_up(cache, work(1, 2), "on", pytest.fail)
    save(cache, work(1, 2), 0)
    second = look_up(cache, work(1, 3), "on", pytest.fail)
    save(cache, work(1, 3), 0)
    save(cache, work(1, 4), 0)
    assert isinstance(first, Miss)
    assert isinstance(second, Miss)
    assert first.explanation.reason == "nothing was kept under this label yet"
    assert second.explanation.reason == "argument `b` changed"
    cache.close()
