"""The view of a panel: what of a cache is to be seen, in words."""

from __future__ import annotations

import json
import threading
import time

import pytest

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.news import Event
from ipycheckpoint.errors import StoreError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.surfaces.panel.model import COLUMNS, PAGE_ROWS
from ipycheckpoint.surfaces.panel.state import State
from tests.unit.surfaces.panel.conftest import identity, keep, seen


def facts(view) -> dict[str, str]:
    return {fact["name"]: fact["value"] for fact in view["summary"]}


def test_a_view_is_plain_json(cache) -> None:
    keep(cache, "train")
    view = seen(cache)
    assert json.loads(json.dumps(view)) == view


def test_an_empty_cache_says_how_to_begin(cache) -> None:
    view = seen(cache)
    assert (view["condition"], view["rows"]) == ("empty", [])
    assert "%%checkpoint" in view["message"]


def test_what_fits_nothing_is_told_apart_from_an_empty_cache(cache) -> None:
    keep(cache, "train")
    assert seen(cache, State(search="zebra"))["condition"] == "no match"


def test_a_store_that_cant_be_read_is_a_view_that_says_so(cache, monkeypatch) -> None:
    def totals():
        raise StoreError("records/* in /gone", "list", "no such device")

    monkeypatch.setattr(cache.catalogue, "totals", totals)
    view = seen(cache)
    assert view["condition"] == "error"
    assert "no such device" in view["message"]


def test_the_summary_counts_all_records_whatever_is_filtered(cache) -> None:
    for depth in (1, 2, 3):
        key = keep(cache, "train", depth=depth)
    cache.count_hit(cache.header(key), 0.5)
    view = seen(cache, State(search="zebra"), disk_nbytes=5000)
    assert facts(view) == {
        "Checkpoints": "3", "Disk used": "5.0 kB", "Hit rate": "25 %", "Time saved": "1.0 s", "Failed loads": "0",
        "Untrusted": "0",
    }  # fmt: skip


def test_what_sharing_saves_is_told(cache) -> None:
    import numpy as np

    shared = np.arange(100_000.0)
    for depth in (1, 2, 3):
        keep(cache, "train", shared, depth=depth)
    [disk] = [f for f in seen(cache, disk_nbytes=cache.upkeep.disk_nbytes())["summary"] if f["name"] == "Disk used"]
    assert disk["note"] == "1.6 MB saved by sharing"


def test_a_row_says_what_the_table_shows(cache) -> None:
    from dataclasses import replace

    from tests.contracts.cache_contract import draft

    header = cache.save(replace(draft(identity("fit", "x"), [1] * 100), tags=(("date", "2017-01-01"),), seconds=41.2))
    cache.count_hit(header, 0.2)
    [row] = seen(cache)["rows"]
    assert row["label"] == "fit"
    assert (row["status"], row["glyph"]) == ("restored", "✓")
    assert row["tags"] == ["date=2017-01-01"]
    assert (row["computed"], row["restored"], row["hits"], row["misses"]) == ("41.2 s", "0.2 s", "1", "1")
    assert sum(row["spark"]) == 1
    assert row["last_used"] == time.strftime("%H:%M", time.localtime(cache.rows()[0].last_used))


def test_every_column_but_the_picture_can_be_sorted_by(cache) -> None:
    keep(cache, "train")
    for column in COLUMNS[:-1]:
        assert len(seen(cache, State(order=column["order"]))["rows"]) == 1


def test_rows_come_in_pages_and_a_page_past_the_end_is_the_last_one(cache) -> None:
    for number in range(PAGE_ROWS + 7):
        keep(cache, "train", number=number)
    first, second = seen(cache), seen(cache, State(page=1))
    assert (len(first["rows"]), len(second["rows"])) == (PAGE_ROWS, 7)
    assert first["page"]["words"] == "1–50 of 57"
    assert second["page"] == {"number": 1, "count": 2, "words": "51–57 of 57"}
    assert seen(cache, State(page=99))["page"] == second["page"]


def test_what_runs_is_shown_before_it_is_kept(cache) -> None:
    view = seen(cache, running=[Event("computing", "train", Key("0" * 64), "cell")])
    assert view["running"] == [{"label": "train", "kind": "cell", "key": "0" * 64}]


def test_what_is_about_to_be_deleted_is_counted_and_weighed(cache) -> None:
    keys = [keep(cache, "train", bytes(100_000), depth=depth) for depth in (1, 2, 3)]
    selected = frozenset(keys[:2])
    assert seen(cache, State(selected=selected))["delete"] == "Delete selected 2 (200 kB)"
    assert seen(cache, State(selected=selected, armed="delete"))["delete"] == "Really delete 2 (200 kB)?"


def test_what_is_selected_and_gone_is_not_counted(cache) -> None:
    key = keep(cache, "train")
    assert seen(cache, State(selected=frozenset([key, Key("f" * 64)])))["selected"] == 1


def test_a_tag_that_is_looked_for_is_among_the_choices(cache) -> None:
    keep(cache, "train")
    assert ["run=7", "run=7"] in seen(cache, State(tag="run=7"))["choices"]["tag"]


@pytest.mark.parametrize("number", [1, 3])
def test_views_of_one_state_are_equal(cache, number) -> None:
    for depth in range(number):
        keep(cache, "train", depth=depth)
    assert seen(cache, now=1_800_000_000.0) == seen(cache, now=1_800_000_000.0)


def test_a_view_writes_nothing(cache, tmp_path) -> None:
    keep(cache, "train")
    cache.close()
    reader = Cache.at(tmp_path / "cache")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")}
    seen(reader)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")} == before
    reader.close()


def test_what_waits_for_a_shared_store_is_counted_until_it_is_there(tmp_path, monkeypatch) -> None:
    pytest.importorskip("fsspec")
    from ipycheckpoint.store.shared import RemoteStore

    gate = threading.Event()
    put = RemoteStore.put
    monkeypatch.setattr(RemoteStore, "put", lambda *given: gate.wait(60) and put(*given))
    cache = Cache.at(f"memory://{tmp_path.name}", local=tmp_path / "near")
    keep(cache, "train")
    view = seen(cache)
    assert view["waiting"] >= 1
    assert facts(view)["Not sent yet"] == str(view["waiting"])
    gate.set()
    cache.flush()
    assert seen(cache)["waiting"] == 0
    assert "Not sent yet" not in facts(seen(cache))
    cache.close()
