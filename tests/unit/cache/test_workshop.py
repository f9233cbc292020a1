from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from ipycheckpoint.cache import workshop
from ipycheckpoint.cache.workshop import GivenInterpreter, Interpreter, NewEnvironment, nearest_interpreter, run
from ipycheckpoint.errors import CannotRescue

HERE = platform.python_version()


@pytest.fixture
def machine(monkeypatch):
    """A machine with the Pythons of `versions`, at paths that are called as they are."""

    def with_(*versions):
        def candidates(wanted):
            found = [(version, int(version.split(".")[1])) for version in versions]
            return iter(sorted(found, key=lambda item: abs(item[1] - wanted[1])))

        monkeypatch.setattr(workshop, "_candidates", candidates)
        monkeypatch.setattr(workshop, "_asked", lambda path: Interpreter(path, path))

    return with_


@pytest.mark.parametrize(
    ("versions", "wanted", "found"),
    [
        (("3.11.2", "3.11.4", "3.13.0"), "3.11.4", "3.11.4"),
        (("3.11.2", "3.13.0"), "3.11.4", "3.11.2"),
        (("3.9.1", "3.13.0"), "3.10.4", "3.9.1"),
        (("3.13.0",), "3.8.4", "3.13.0"),
        (("3.11.2", "3.12.1"), "3.12", "3.12.1"),
        ((), "3.11.4", None),
    ],
)
def test_the_nearest_python_is_found(machine, versions, wanted, found):
    machine(*versions)
    nearest = nearest_interpreter(wanted)
    assert (nearest and nearest.version) == found


def test_a_name_on_the_path_that_is_no_python_is_passed_over(monkeypatch, tmp_path):
    shim = tmp_path / f"python{sys.version_info.major}.{sys.version_info.minor}"
    shim.write_text("#!/bin/sh\nexit 1\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert nearest_interpreter(HERE).version == HERE


def test_one_that_pyenv_has_is_found(monkeypatch, tmp_path):
    inside = tmp_path / "versions" / "3.99.0" / "bin"
    inside.mkdir(parents=True)
    (inside / "python").write_text("#!/bin/sh\necho 3.99.0\n")
    (inside / "python").chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert nearest_interpreter("3.99.0") == (str(inside / "python"), "3.99.0")


def test_a_step_that_fails_is_told_with_the_end_of_what_it_said(tmp_path):
    program = "import sys; [print(f'line {n}', file=sys.stderr) for n in range(99)]; sys.exit(3)"
    with pytest.raises(CannotRescue, match="can't do it: line 93\n") as raised:
        run("do it", [sys.executable, "-c", program], tmp_path)
    assert raised.value.step == "do it"
    assert raised.value.reason.endswith("line 98")


def test_a_step_that_says_nothing_is_told_by_what_it_ended_with(tmp_path):
    with pytest.raises(CannotRescue, match="it ended with 3"):
        run("do it", [sys.executable, "-c", "raise SystemExit(3)"], tmp_path)


def test_a_program_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CannotRescue, match=r"can't do it: .*nowhere"):
        run("do it", [str(tmp_path / "nowhere")], tmp_path)


def test_settings_for_the_python_of_this_process_go_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/here")
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    program = "import os; print([name for name in os.environ if name.startswith('PYTHON')])"
    assert run("look", [sys.executable, "-c", program], tmp_path) == "[]\n"


def test_where_no_python_is_near_the_message_names_the_one_that_is_wanted(machine, tmp_path):
    machine()
    with pytest.raises(CannotRescue, match=r"can't find Python 3\.11\.4"):
        NewEnvironment(tmp_path / "e", "3.11.4", lambda words: None, uv="").interpreter()


def test_another_python_is_used_with_a_word(monkeypatch, tmp_path):
    said = []
    monkeypatch.setattr(workshop, "nearest_interpreter", lambda version: Interpreter(sys.executable, HERE))
    monkeypatch.setattr(workshop, "run", lambda what, command, directory: "")
    NewEnvironment(tmp_path / "e", "3.1.4", said.append, uv="").interpreter()
    assert f"Python 3.1.4 is not here: Python {HERE} takes its place" in said


def test_where_uv_can_not_get_it_venv_makes_it(monkeypatch, tmp_path):
    said, ran = [], []

    def fake(what, command, directory):
        ran.append(command)
        if "uv" in command[0]:
            raise CannotRescue(what, "first\nno network")
        return ""

    monkeypatch.setattr(workshop, "run", fake)
    NewEnvironment(tmp_path / "e", HERE, said.append, uv="/bin/uv").interpreter()
    assert f"uv can't get Python {HERE}: no network" in said
    assert [command[1:3] for command in ran] == [["venv", "--quiet"], ["-m", "venv"]]


@pytest.mark.parametrize("uv", ["", "/bin/uv"], ids=["pip", "uv"])
def test_what_is_installed_comes_with_constraints(monkeypatch, tmp_path, uv):
    ran = []
    monkeypatch.setattr(workshop, "run", lambda what, command, directory: ran.append(command) or "")
    environment = NewEnvironment(tmp_path / "e", HERE, lambda words: None, uv=uv)
    environment.install(["pandas==1.5.3"], ["numpy==1.23.5", "pandas==1.5.3"])
    place = ran[-1].index("-c")
    assert ran[-1][place + 2 :] == ["pandas==1.5.3"]
    assert Path(ran[-1][place + 1]).read_text().split() == ["numpy==1.23.5", "pandas==1.5.3"]


def test_where_nothing_is_required_nothing_is_installed(monkeypatch, tmp_path):
    ran = []
    monkeypatch.setattr(workshop, "run", lambda what, command, directory: ran.append(command) or "")
    NewEnvironment(tmp_path / "e", HERE, lambda words: None, uv="").install([], ["a==1"])
    assert [command[1:3] for command in ran] == [["-m", "venv"]]


def test_a_given_interpreter_is_taken_as_it_is():
    given = GivenInterpreter("/some/python")
    given.install(["pandas"], [])
    assert given.interpreter() == "/some/python"
