"""The program that runs in the other environment, run here."""

from __future__ import annotations

import ast
import io
import json
import pickle
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ipycheckpoint.record import portable
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.portable.thaw import main
from ipycheckpoint.record.portable.values import revive


@pytest.fixture
def thaw(tmp_path):
    def do(sections, form=None, names=None):
        plan = []
        for number, section in enumerate(sections):
            buffers = [f"{number}.{place}" for place in range(len(section.buffers))]
            (tmp_path / f"{number}").write_bytes(section.stream)
            for buffer, content in zip(buffers, section.buffers, strict=True):
                (tmp_path / buffer).write_bytes(content)
            plan.append({"names": names or list(section.names), "stream": f"{number}", "buffers": buffers})
        (tmp_path / "job.json").write_text(json.dumps({"sections": plan, "form": form}))
        main(str(tmp_path))
        return json.loads((tmp_path / "report.json").read_text())

    return do


def value_of(tmp_path, about, name):
    return revive((tmp_path / about["portable"]).read_bytes())[0][name]


def test_each_value_is_carried_over(thaw, tmp_path):
    numpy = pytest.importorskip("numpy")
    report = thaw(encode({"a": [1, 2], "b": numpy.arange(20_000)}))
    assert value_of(tmp_path, report["a"], "a") == [1, 2]
    assert value_of(tmp_path, report["b"], "b").sum() == sum(range(20_000))


def test_values_that_share_objects_share_them_again(thaw, tmp_path):
    shared = [1]
    report = thaw(encode({"a": shared, "b": {"k": shared}}))
    assert report["a"]["portable"] == report["b"]["portable"]
    values = revive((tmp_path / report["a"]["portable"]).read_bytes())[0]
    assert values["b"]["k"] is values["a"]


def test_one_that_can_not_be_carried_over_costs_the_others_nothing(thaw, tmp_path):
    shared = [1]
    namespace = {}
    exec("f = lambda: 1", namespace)
    report = thaw(encode({"a": shared, "b": [shared, namespace["f"]]}))
    assert value_of(tmp_path, report["a"], "a") == [1]
    assert "can't be carried over" in report["b"]["problem"]


def test_one_that_does_not_load_costs_the_others_nothing(thaw, tmp_path):
    [good] = encode({"a": 1})
    [bad] = encode({"b": 2})
    report = thaw([type(bad)(bad.names, bad.stream[:-3], ()), good])
    assert report["b"]["unloaded"].startswith("it doesn't load there, either: ")
    assert value_of(tmp_path, report["a"], "a") == 1


def test_a_class_that_is_not_there_either_leaves_what_its_objects_hold(thaw, tmp_path, monkeypatch):
    module = ModuleType("old_shop")
    module.Order = type("Order", (), {"__module__": "old_shop"})
    monkeypatch.setitem(sys.modules, "old_shop", module)
    order = module.Order()
    order.price = 3
    sections = encode({"order": order})
    monkeypatch.delitem(sys.modules, "old_shop")
    report = thaw(sections)
    assert report["order"]["partial"]
    assert value_of(tmp_path, report["order"], "order").price == 3


def test_a_value_is_written_in_the_form_that_was_asked_for(thaw, tmp_path):
    report = thaw(encode({"a": [1, 2], "b": {1}}), form="json")
    assert json.loads((tmp_path / report["a"]["file"]).read_text()) == [1, 2]
    assert "no form in JSON" in report["b"]["unwritten"]
    assert "portable" in report["b"]


def test_only_what_is_named_is_carried_over(thaw):
    shared = [1]
    assert set(thaw(encode({"a": shared, "b": [shared]}), names=["b"])) == {"b"}


def test_a_live_object_of_then_is_not_there(thaw):
    live = [1]
    report = thaw(encode({"a": [live]}, links={id(live): ("x",)}))
    assert "refers to a live object" in report["a"]["unloaded"]


ROOM = Path(portable.__file__).parent
PACKAGE = ROOM.parents[1]


@pytest.mark.parametrize(
    "path",
    [
        *sorted(ROOM.glob("*.py")),
        PACKAGE / "__init__.py",
        PACKAGE / "record" / "__init__.py",
        PACKAGE / "record" / "remains.py",
    ],
    ids=lambda path: path.stem,
)
def test_what_runs_there_is_code_for_an_old_python(path):
    ast.parse(path.read_text("utf-8"), feature_version=(3, 8))


def test_a_stream_that_another_pickler_has_written_is_read_too(thaw, tmp_path):
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 2)
    pickler.dump(("a",))
    pickler.dump({"k": 1})
    [section] = encode({"a": 1})
    report = thaw([type(section)(("a",), file.getvalue(), ())])
    assert value_of(tmp_path, report["a"], "a") == {"k": 1}
