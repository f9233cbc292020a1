from __future__ import annotations

import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ipycheckpoint.__about__ import __version__
from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.surfaces.cli import COMMANDS, main, parser
from ipycheckpoint.surfaces.commands.answer import FAILED, MISUSED


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_command_has_a_summary_and_help(command, capsys):
    assert main([command.name, "--help"]) == 0
    assert command.summary[1:] in capsys.readouterr().out
    assert command.summary in parser().format_help()


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["rescue"], ["rescue", "x", "--unknown"], ["--unknown"]])
def test_a_wrong_call_says_how_it_is_called(arguments, capsys):
    assert main(arguments) == MISUSED
    assert "usage: ipycheckpoint" in capsys.readouterr().err


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_an_error_of_ours_is_told_without_a_traceback(monkeypatch, capsys):
    def fail(options):
        raise CheckpointError("what, which, and what to do")

    monkeypatch.setattr("ipycheckpoint.surfaces.rescuing.run", fail)
    assert main(["rescue", "x"]) == MISUSED
    assert capsys.readouterr().err == "ipycheckpoint rescue: what, which, and what to do\n"


def test_what_the_command_ends_with_is_what_the_process_ends_with(monkeypatch):
    monkeypatch.setattr("ipycheckpoint.surfaces.rescuing.run", lambda options: FAILED)
    assert main(["rescue", "x"]) == FAILED


def test_python_dash_m_is_the_command():
    done = subprocess.run([sys.executable, "-m", "ipycheckpoint", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, __version__)


def test_the_script_is_the_command():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))["project"]
    assert pkgutil.resolve_name(project["scripts"]["ipycheckpoint"]) is main


def test_only_the_module_of_the_command_that_is_called_is_imported():
    program = "import sys; from ipycheckpoint.surfaces.cli import main; main(['--version']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "ipycheckpoint.surfaces.rescuing" not in done.stdout
