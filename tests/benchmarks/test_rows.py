"""The benchmarks themselves: each row runs, and gives right results, with us and with the LIMIT. Nothing is timed."""

from __future__ import annotations

import pytest

from benchmarks import rows, table
from benchmarks.__main__ import tools_of
from benchmarks.process import ALL, Answer, in_process
from benchmarks.reasons import REASONS
from benchmarks.row import Figure, Row
from benchmarks.table import Measured, shown

pytest.importorskip("pandas")


def measure(row, tool, directory):
    answers = [
        in_process(row, step, tool, directory, seed=3, scale="tiny", hash_seed=place)
        for place, step in enumerate(row.steps)
    ]
    return Answer(
        {name: value for answer in answers for name, value in answer.figures.items()},
        {name: reason for answer in answers for name, reason in answer.failures.items()},
    )


@pytest.mark.parametrize("name", rows.NAMES)
def test_a_row_runs_with_us_and_gives_right_results(name, tmp_path):
    row = rows.row_named(name)
    answer = measure(row, "ipycheckpoint", tmp_path)
    assert not answer.failures
    named = [figure.name for figure in row.figures]
    assert answer.figures
    assert set(answer.figures) <= set(named)
    # A row of growth has as many figures as its size allows.
    assert name.startswith("G") or set(answer.figures) == set(named)


@pytest.mark.parametrize("name", [name for name in rows.NAMES if "LIMIT" in tools_of(rows.row_named(name))])
def test_a_row_runs_with_the_limit_and_gives_right_results(name, tmp_path):
    pytest.importorskip("xxhash")
    assert not measure(rows.row_named(name), "LIMIT", tmp_path).failures


def forgets(bench):
    bench.hit("hit", lambda: work(bench), 1)


def errs(bench):
    bench.hit("hit", lambda: 2, 1)


def breaks(_):
    raise OSError("no disk")


def work(bench):
    bench.runs.count += 1
    return 1


@pytest.mark.parametrize(
    ("step", "failures"),
    [
        (forgets, {"hit": "ran again"}),
        (errs, {"hit": "another result came back"}),
        (breaks, {ALL: "OSError: no disk"}),
    ],
)
def test_what_is_no_hit_is_told_as_a_failure(step, failures, tmp_path, monkeypatch):
    from benchmarks.process import run_step

    monkeypatch.setenv("BENCHMARKS_RUNS", "")
    row = Row("X", "", (Figure("hit"),), {"step": step}, {"tiny": {"milliseconds": 0}})
    assert run_step(row, "step", "joblib", tmp_path, 1, "tiny") == Answer({}, failures)


def test_a_tool_that_is_not_installed_is_told_as_such(tmp_path, monkeypatch):
    monkeypatch.setenv("KISHU_PYTHON", str(tmp_path / "nowhere"))
    answer = in_process(rows.row_named("C3"), "restore", "Kishu", tmp_path, 1, "tiny", 0)
    assert answer.failures[ALL].startswith("not installed")


@pytest.fixture
def measured():
    row = Row("X", "a row", (Figure("hit", of_best=1, of_limit=3, at_most=1),), {}, {})
    measured = Measured([row])
    for tool, seconds in {"ipycheckpoint": 2e-3, "LIMIT": 1e-3, "joblib": 4e-3, "Kishu": 1e-6}.items():
        measured.add(row, tool, "step", {"hit": seconds}, {})
    measured.add(row, "diskcache", "step", {"hit": 1e-6}, {"hit": "ran again"})
    return measured


def test_the_best_neighbour_is_right_and_looks_at_the_inputs(measured):
    row = measured.rows[0]
    assert measured.best(row, row.figures[0]) == ("joblib", 4e-3)


def test_the_summary_tells_ratios_and_goals(measured):
    line = table.summary(measured).splitlines()[-1]
    assert line == "| X | hit | 2.00 ms | joblib 4.00 ms | 1.00 ms | 0.50 | 2.00 | ≤ 1 b ✓, ≤ 3 L ✓, ≤ 1.00 s ✓ |"


def test_a_failure_stays_in_the_table_with_its_reason(measured):
    text = table.of_row(measured, measured.rows[0])
    assert "| diskcache | failed [1] |" in text
    assert "[1] ran again" in text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12.5e-6, "s", "12.5 µs"),
        (1e-3, "s", "1.00 ms"),
        (1.5, "s", "1.50 s"),
        (600.0, "bytes", "600 B"),
        (8192.0, "bytes", "8.19 kB"),
        (20004.0, "count", "20,004"),
        (6.93, "x", "6.93 ×"),
        (None, "s", "–"),
    ],
)
def test_a_figure_has_three_digits_and_its_unit(value, unit, text):
    assert shown(value, unit) == text


def test_a_goal_that_is_missed_is_told_with_its_reason(measured):
    assert table.missed(measured) == ""
    row = Row("F2", "a row", (Figure("hit", of_best=0.1), Figure("copy")), {}, {})
    slow = Measured([row])
    for tool, seconds in {"ipycheckpoint": 2e-3, "joblib": 4e-3}.items():
        slow.add(row, tool, "step", {"hit": seconds, "copy": seconds}, {})
    assert "- **F2** (hit): all bytes go through BLAKE3" in table.missed(slow)


def test_every_row_that_can_miss_a_goal_has_a_reason():
    goals = {
        row.name
        for row in map(rows.row_named, rows.NAMES)
        if any(one.of_best or one.of_limit or one.at_most for one in row.figures)
    }
    assert goals - REASONS.keys() <= {"C4", "F10"}  # which nobody has seen missed
