"""Whether a cell runs, seen from anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from ipycheckpoint.surfaces.panel.activity import Activity


@pytest.fixture
def shell(monkeypatch) -> Any:
    import sys

    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # a shell puts its own there
    config = Config()
    config.HistoryManager.enabled = False
    yield InteractiveShell(config=config)
    InteractiveShell.clear_instance()


def is_idle(activity: Activity) -> bool:
    with activity.pause() as idle:
        return idle


def test_a_cell_that_runs_is_seen(shell) -> None:
    activity = Activity(shell)
    shell.user_ns["look"] = lambda: is_idle(activity)
    shell.run_cell("during = look()")
    assert shell.user_ns["during"] is False
    assert is_idle(activity)


def test_one_that_is_made_in_a_cell_knows_that_it_runs(shell) -> None:
    shell.user_ns["begin"] = lambda: Activity(shell)
    shell.user_ns["look"] = is_idle
    shell.run_cell("activity = begin(); during = look(activity)")
    assert shell.user_ns["during"] is False
    assert is_idle(shell.user_ns["activity"])


@pytest.mark.parametrize("cell", ["1 / 0", "", "get_ipython().run_cell('1 / 0')", "x ="])
def test_however_a_cell_ends_it_has_ended(shell, cell, capsys) -> None:
    activity = Activity(shell)
    shell.run_cell(cell)
    assert is_idle(activity)


def test_a_closed_one_leaves_no_trace(shell) -> None:
    before = {event: list(callbacks) for event, callbacks in shell.events.callbacks.items()}
    Activity(shell).close()
    assert shell.events.callbacks == before
