"""What a session of the matrix leaves is told on the page."""

from __future__ import annotations

import doctest
import json
import re
import tomllib
from pathlib import Path

import pytest

from tools import compatibility

ROOT = Path(__file__).resolve().parent.parent
JUNIT = '<testsuites><testsuite tests="10" failures="1" errors="2" skipped="3"/></testsuites>'


@pytest.fixture
def docs(tmp_path, monkeypatch):
    (tmp_path / "compatibility.md").write_text(f"a\n{compatibility.BEGIN}\n{compatibility.END}\nz\n")
    (tmp_path / "junit.xml").write_text(JUNIT)
    monkeypatch.setattr(compatibility, "DOCS", tmp_path)
    return tmp_path


def test_what_neither_failed_nor_was_skipped_has_passed(docs):
    assert compatibility.counts(docs / "junit.xml") == {"passed": 4, "failed": 3, "skipped": 3}


def test_a_session_has_one_row_however_often_it_is_run(docs):
    for title in ("newest", "oldest", "newest"):
        compatibility.main(title, str(docs / "junit.xml"))
    rows = re.findall(r"^\| (\w+est) \|", (docs / "compatibility.md").read_text(), flags=re.MULTILINE)
    assert rows == ["newest", "oldest"]
    assert len(json.loads((docs / "compatibility.json").read_text())) == 2


def test_the_page_without_markers_is_an_error():
    with pytest.raises(ValueError, match="no markers"):
        compatibility.shown("nothing", {})


def test_the_page_shows_what_was_written_down():
    results = json.loads((ROOT / "docs" / "compatibility.json").read_text("utf-8"))
    assert compatibility.table(results) in (ROOT / "docs" / "compatibility.md").read_text("utf-8")


def test_the_slice_is_there():
    source = (ROOT / "noxfile.py").read_text("utf-8")
    named = re.findall(r'^    "(tests/[\w/.]+)",$', source, flags=re.MULTILINE)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_package_of_the_page_has_a_lower_bound_or_belongs_to_one_that_has():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (
        project["dependencies"] + project["optional-dependencies"]["test"] + project["optional-dependencies"]["demo"]
    )
    bounded = {re.match(r"[\w-]+", line)[0] for line in lines if ">=" in line}
    assert set(compatibility.PACKAGES) <= bounded


def test_its_examples_hold():
    assert doctest.testmod(compatibility).attempted
    assert not doctest.testmod(compatibility).failed
