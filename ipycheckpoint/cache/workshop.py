"""Where a record is rescued: an environment like the one that saved it, made for once, or one that is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ipycheckpoint.errors import CannotRescue
from ipycheckpoint.record.environment import interpreter_in_environment, uv_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_TOLD_LINES = 6
# Of what a step that failed has written, the last ones: there the reason stands.


class Workshop(Protocol):
    """An environment to load in. Each method raises CannotRescue, which says what could not be done."""

    def interpreter(self) -> str:
        """The Python of the environment, which is made now if need be."""
        ...

    def install(self, requirements: Sequence[str], constraints: Sequence[str]) -> None:
        """Have `requirements` there; whatever else they need comes as `constraints` say."""
        ...


class GivenInterpreter:
    """An environment that is there already. Nothing is installed: it has what it has."""

    def __init__(self, python: str) -> None:
        self._python = python

    def interpreter(self) -> str:
        """The Python that was given."""
        return self._python

    def install(self, requirements: Sequence[str], constraints: Sequence[str]) -> None:
        """Nothing to do."""


class NewEnvironment:
    """A virtual environment in `directory` with the Python `version`, made with uv where there is one, else with venv.

    `say` is told what takes long, and where something else than what was asked for has to do.
    """

    def __init__(self, directory: Path, version: str, say: Callable[[str], None], *, uv: str | None = None) -> None:
        self._directory = directory
        self._version = version
        self._say = say
        self._uv = uv_path() if uv is None else uv or None
        self._python: str | None = None

    def interpreter(self) -> str:
        """The Python of the environment."""
        if self._python is None:
            self._python = self._make()
        return self._python

    def _make(self) -> str:
        self._say(f"making an environment with Python {self._version}")
        inside = str(self._directory / interpreter_in_environment())
        found = nearest_interpreter(self._version)
        is_right = found is not None and fits(found.version, self._version)
        if self._uv is not None:
            try:
                self._run(
                    "make an environment with uv",
                    self._uv,
                    "venv",
                    "--quiet",
                    "--python",
                    found.path if found and is_right else self._version,
                )
                return inside
            except CannotRescue as problem:
                self._say(f"uv can't get Python {self._version}: {problem.reason.splitlines()[-1].strip()}")
        if found is None:
            raise CannotRescue(f"find Python {self._version}", "none is installed here that can make an environment")
        if not is_right:
            self._say(f"Python {self._version} is not here: Python {found.version} takes its place")
        self._run("make an environment", found.path, "-m", "venv")
        return inside

    def install(self, requirements: Sequence[str], constraints: Sequence[str]) -> None:
        """Install `requirements` from where pip or uv installs from."""
        python = self.interpreter()
        if not requirements:
            return
        self._say(f"installing {' '.join(requirements)}")
        listed = self._directory / "constraints.txt"
        listed.write_text("\n".join(constraints), "utf-8")
        pinned = ("-c", str(listed), *requirements)
        what = f"install {' '.join(requirements)}"
        if self._uv is not None:
            run(what, [self._uv, "pip", "install", "--quiet", "--python", python, *pinned], self._directory)
        else:
            quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
            run(what, [python, "-m", "pip", "install", *quiet, *pinned], self._directory)

    def _run(self, what: str, *command: str) -> None:
        # Elsewhere than here: a pyproject.toml of the user's has no say.
        self._directory.mkdir(parents=True, exist_ok=True)
        run(what, [*command, str(self._directory)], self._directory)


class Interpreter(NamedTuple):
    """A Python on this machine."""

    path: str
    version: str


def nearest_interpreter(version: str) -> Interpreter | None:
    """That very Python, else one of the same minor version, else of the nearest; None if there is none at all.

    >>> import platform
    >>> nearest_interpreter(platform.python_version()).version == platform.python_version()
    True
    """
    wanted = _numbers(version)
    best: tuple[int, Interpreter] | None = None
    for path, hint in _candidates(wanted):
        if best is not None and abs(hint - wanted[1]) > best[0]:
            break  # they come nearest first: none of the others can be nearer
        found = _asked(path)
        if found is None:
            continue
        if fits(found.version, version):
            return found
        distance = abs(_numbers(found.version)[1] - wanted[1])
        if best is None or distance < best[0]:
            best = distance, found
    return None if best is None else best[1]


def fits(version: str, wanted: str) -> bool:
    """Whether `version` is the one that is `wanted`, or, where that names no patch release, one of it.

    >>> fits("3.11.4", "3.11"), fits("3.11.4", "3.11.4"), fits("3.11.4", "3.1")
    (True, True, False)
    """
    return f"{version}.".startswith(f"{wanted}.")


def _candidates(wanted: tuple[int, int]) -> Iterator[tuple[str, int]]:
    """Paths, with the minor version that each seems to have, the nearest first."""
    here = sys.version_info
    found = {getattr(sys, "_base_executable", sys.executable): here.minor}
    names = {f"python{wanted[0]}.{minor}": minor for minor in range(7, here.minor + 5)}
    for name, minor in names.items():
        for directory in os.get_exec_path():
            if path := shutil.which(name, path=directory):
                found.setdefault(path, minor)
    for root in _version_managers():
        for inside in root.glob(f"{wanted[0]}.*/bin/python"):
            found.setdefault(str(inside), _numbers(inside.parts[-3])[1])
    yield from sorted(found.items(), key=lambda item: abs(item[1] - wanted[1]))


def _version_managers() -> Iterator[Path]:
    # A shim on the PATH runs the version that is chosen there; the others stand beside it.
    if (home := os.environ.get("PYENV_ROOT")) is not None:
        yield Path(home) / "versions"
    yield Path("~/.pyenv/versions").expanduser()


def _asked(path: str) -> Interpreter | None:
    question = "import sys, venv, ensurepip; print('.'.join(map(str, sys.version_info[:3])))"
    try:
        done = subprocess.run([path, "-I", "-c", question], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return Interpreter(path, done.stdout.strip())


def _numbers(version: str) -> tuple[int, int]:
    """The major and minor version, as far as they are told.

    >>> _numbers("3.11.4"), _numbers("3")
    ((3, 11), (3, 0))
    """
    parts = [int("".join(filter(str.isdigit, part)) or 0) for part in version.split(".")]
    return (*parts, 0, 0)[0], (*parts, 0, 0)[1]


def run(what: str, command: Sequence[str], directory: Path) -> str:
    """What `command` printed, run in `directory` without this process's Python settings.

    Raises CannotRescue with the end of what it wrote to its error stream.
    """
    # What is set for the Python that runs here would send the other one to this one's packages.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory, env=environ)
    except OSError as problem:
        raise CannotRescue(what, str(problem)) from problem
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise CannotRescue(what, "\n".join(lines[-_TOLD_LINES:]) or f"it ended with {done.returncode}")
    return done.stdout
