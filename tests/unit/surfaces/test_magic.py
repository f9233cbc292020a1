"""The magics, their settings and their completion, in a shell of their own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.error import UsageError
from traitlets.config import Config

from ipycheckpoint import workspace
from ipycheckpoint.surfaces import magic

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # a shell puts its own there
    config = Config()
    config.HistoryManager.enabled = False
    config.Checkpoint.directory = str(tmp_path / "cache")
    with workspace.using(workspace.Workspace({})) as here:
        shell = InteractiveShell(config=config)
        yield shell
        magic.unload(shell)
        here.close()
        InteractiveShell.clear_instance()


def test_settings_come_from_the_configuration_and_go_with_the_extension(shell: Any, tmp_path: Path) -> None:
    magic.load(shell)
    assert workspace.current().cache_directory() == tmp_path / "cache"
    magic.unload(shell)
    assert workspace.current().directory is None


def test_a_setting_that_cannot_be_is_a_usage_error(shell: Any) -> None:
    shell.config.Checkpoint.mode = "sometimes"
    with pytest.raises(UsageError, match="sometimes"):
        magic.load(shell)
    shell.config.Checkpoint.mode = ""


@pytest.mark.parametrize(
    ("line", "symbol", "expected"),
    [
        ("%%checkpoint --in", "--in", ["--inputs"]),
        ("%%checkpoint --inputs al", "al", ["alpha"]),
        ("%%checkpoint --exclude alpha be", "be", ["beta"]),
        ("%checkpoint p", "p", ["panel", "prune", "pin"]),
        ("%checkpoint f", "f", ["forget"]),
    ],
)
def test_options_and_names_are_completed(shell: Any, line: str, symbol: str, expected: list[str]) -> None:
    shell.user_ns.update(alpha=1, beta=2)

    class Event:
        pass

    event: Any = Event()
    event.line, event.symbol = line, symbol
    assert magic._completer(shell)(None, event) == expected


def test_list_and_forget_tell_what_they_do(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    magic.load(shell)
    shell.run_cell("%%checkpoint one\nx = 1")
    shell.run_line_magic("checkpoint", "list")
    assert "1 record in" in (listed := capsys.readouterr().out)
    assert "one:" in listed
    shell.run_line_magic("checkpoint", "forget one")
    assert capsys.readouterr().out == "forgot 1 record of one\n"


def test_the_magic_called_as_a_function_runs_the_cell(shell: Any) -> None:
    magic.load(shell)
    shell.run_cell_magic("checkpoint", "one", "x = 41 + 1\n")
    assert shell.user_ns["x"] == 42
    assert workspace.current().labels() == ["one"]
