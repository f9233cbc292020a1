"""A look-up gives a hit with its values in hand, or a miss and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ipycheckpoint.cache.cache import Cache, Draft
from ipycheckpoint.engine.lookup import Hit, Miss, explain, look_up
from ipycheckpoint.identity.work import Collector
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.record import Output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipycheckpoint.identity.work import Work


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache.at(tmp_path)
    yield cache
    cache.close()


def work(*values: int) -> Work:
    collector = Collector()
    for name, value in zip("abcdef", values, strict=False):
        collector.add_value("argument", name, value)
    return collector.work("call", "f")


def save(cache: Cache, done: Work, value: object, **options: float) -> None:
    sections = tuple(encode({"return": value}))
    cache.save(Draft(done.identity, (Output("return", "result"),), {"return": value}, sections, 1.0, **options))  # type: ignore[arg-type]  # one option only


def said(found: Hit | Miss) -> str:
    return found.explanation.reason


def test_what_is_kept_is_a_hit_with_its_values(cache: Cache) -> None:
    save(cache, work(1), [42])
    found = look_up(cache, work(1), "on", pytest.fail)
    assert isinstance(found, Hit)
    assert found.values == {"return": [42]}
    assert explain(cache, work(1)).verdict == "hit"


def test_a_miss_compares_with_the_nearest_record_of_the_label(cache: Cache) -> None:
    save(cache, work(1, 2, 3), 0)
    save(cache, work(8, 9, 3), 0)
    assert said(look_up(cache, work(1, 2, 4), "on", pytest.fail)) == "argument `c` changed"
    assert explain(cache, work(1, 2, 4)).reason == "argument `c` changed"


def test_many_changes_are_counted(cache: Cache) -> None:
    save(cache, work(1, 2, 3, 4, 5), 0)
    assert said(look_up(cache, work(6, 7, 8, 9, 10), "on", pytest.fail)).endswith("and 2 more")


def test_a_first_run_says_that_it_is_one(cache: Cache) -> None:
    assert said(look_up(cache, work(1), "on", pytest.fail)) == "nothing was kept under this label yet"


def test_refresh_does_not_look(cache: Cache) -> None:
    save(cache, work(1), 42)
    assert said(look_up(cache, work(1), "refresh", pytest.fail)) == "you asked to run it again"


def test_an_expired_record_is_a_miss_without_a_warning(cache: Cache) -> None:
    save(cache, work(1), 42, expires_seconds=-1.0)
    assert "expired" in said(look_up(cache, work(1), "on", pytest.fail))


class Fragile:
    broken = False

    def __setstate__(self, state: object) -> None:
        if Fragile.broken:
            raise ValueError("broken")

    def __getstate__(self) -> object:
        return 1


def test_what_cannot_be_loaded_is_a_miss_with_a_warning_that_names_it(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(cache, work(1), Fragile())
    monkeypatch.setattr(Fragile, "broken", True)
    warned: list[str] = []
    found = look_up(cache, work(1), "on", warned.append)
    assert isinstance(found, Miss)
    assert "could not be loaded" in said(found)
    assert "f runs again" in warned[0]
