"""The details of a record: what it is made of, how it differs from other versions, and how it is got back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.surfaces.panel.details import details
from ipycheckpoint.surfaces.panel.state import State
from tests.contracts.cache_contract import draft
from tests.unit.surfaces.panel.conftest import identity, keep


def of(cache, key, **more):
    return details(cache, State(opened=key), **more)


def test_nothing_opened_is_nothing(cache) -> None:
    assert details(cache, State()) == {}


def test_details_are_plain_json(cache) -> None:
    keep(cache, "train", depth=1)
    found = of(cache, keep(cache, "train", depth=2))
    assert json.loads(json.dumps(found)) == found


def test_a_record_that_is_gone_is_told(cache) -> None:
    assert "gone" in of(cache, Key("0" * 64))["problem"]


def test_a_record_that_cant_be_read_is_told(cache) -> None:
    key = keep(cache, "train")
    cache._store.put(f"records/{key}", [b"garbage"])
    assert "can't be read" in of(cache, key)["problem"]


def test_a_version_is_compared_with_the_one_before_it(cache) -> None:
    keep(cache, "train", code="def f():\n    return 1")
    found = of(cache, keep(cache, "train", code="def f():\n    return 2"))
    assert found["code"] == "def f():\n    return 2"
    [change] = found["changes"]
    assert "+    return 2" in change["diff"]


def test_a_version_is_compared_with_any_other_one(cache) -> None:
    first = keep(cache, "train", depth=1)
    keep(cache, "train", depth=2)
    last = keep(cache, "train", depth=3)
    found = details(cache, State(opened=last, against=first))
    assert [change["what"] for change in found["changes"]] == ["argument `depth` changed: 1 → 3"]
    assert [version["compared"] for version in found["versions"]] == [False, False, True]
    assert [version["opened"] for version in found["versions"]] == [True, False, False]


def test_the_first_version_is_compared_with_none(cache) -> None:
    found = of(cache, keep(cache, "train"))
    assert (found["against"], found["changes"]) == ("", [])


def test_other_kinds_of_the_same_label_are_no_versions(cache) -> None:
    keep(cache, "train", depth=1)
    cell = cache.save(draft(replace(identity("train", "x"), kind="cell"), 1))
    assert len(of(cache, cell.key)["versions"]) == 1


def test_the_plot_is_of_time_and_size_from_the_oldest_to_the_newest(cache) -> None:
    for seconds in (1.0, 4.0, 2.0):
        key = cache.save(replace(draft(identity("train", "x", depth=seconds), 1), seconds=seconds)).key
    plot = of(cache, key)["plot"]
    assert plot["seconds"] == [0.25, 1.0, 0.5]
    assert plot["longest"] == "4.0 s"


def test_a_miss_is_explained_and_a_hit_is_not(cache) -> None:
    key = keep(cache, "train")
    assert "df changed" in of(cache, key, explanation=Explanation("miss", "train", "df changed"))["why"]
    assert of(cache, key, explanation=Explanation("hit", "train", "kept"))["why"] == ""


def test_the_files_that_it_touched_are_listed(cache) -> None:
    trace = {"read": [["data.csv", "0" * 64, 10]], "written": [["out.csv", None]], "cwd": "/work"}
    key = cache.save(replace(draft(identity("train", "x"), 1), trace=trace)).key
    assert of(cache, key)["trace"] == [{"what": "read", "names": ["data.csv"]}, {"what": "wrote", "names": ["out.csv"]}]


def test_a_failed_load_is_told_with_what_differs_and_the_way_out(cache) -> None:
    key = keep(cache, "train")
    now = Environment.current()
    then = replace(now, packages={**now.packages, "scikit-learn": "0.1"})
    error = ModuleNotFoundError("No module named 'sklearn.old'", name="sklearn.old")
    cache.fail(key, LoadFailure("model", error, b"", now, then, type_name="sklearn.old.Tree", origin=key))
    failure = of(cache, key)["failure"]
    assert failure["exception"] == "ModuleNotFoundError: No module named 'sklearn.old'"
    assert failure["differences"][0][:2] == ["scikit-learn", "0.1"]
    assert "scikit-learn==0.1" in failure["how_to_load"]


def test_the_code_that_loads_it_does(cache) -> None:
    key = keep(cache, "train", [1, 2, 3])
    namespace: dict[str, object] = {}
    exec(of(cache, key)["code_to_load"], namespace)
    assert namespace["result"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("label", "name"), [("train", "train_result"), ("module.fit", "fit_result"), ("a b", "result")]
)
def test_a_value_is_given_a_name(cache, label, name) -> None:
    assert of(cache, keep(cache, label))["name"] == name


def test_very_long_code_is_cut(cache) -> None:
    code = "\n".join(f"x = {number}" for number in range(5000))
    shown = of(cache, keep(cache, "train", code=code))["code"].splitlines()
    assert len(shown) == 401
    assert shown[-1] == "… 4,600 more lines"
