"""The tests on each supported Python, with the oldest and the newest packages that are promised: ``make matrix``.

Each session writes what came of it into ``docs/compatibility.json`` and ``docs/compatibility.md``. ``versions`` and
those after it run the tests that other versions can break, which is a few minutes each; ``tests`` runs all.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"  # which finds the oldest versions that fit
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["versions", "ipython8", "colab"]

# pyenv's shims fail for each version that isn't its global one; the interpreters behind them don't.
_pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
os.environ["PATH"] = os.pathsep.join([*map(str, _pyenv.glob("3.1[1-9]*/bin")), os.environ["PATH"]])

PYTHONS = ["3.11", "3.12", "3.13"]

# What a version of Python, IPython, a widget, a pickler or a data library can break.
SLICE = (
    "tests/golden",
    "tests/specimens",
    "tests/unit/identity",
    "tests/unit/record",
    "tests/unit/surfaces",
    "tests/semantics/test_cells.py",
    "tests/semantics/test_functions.py",
    "tests/semantics/test_functions_data.py",
    "tests/semantics/test_load_failures.py",
    "tests/notebooks/test_kernels.py",
)

# What the slice needs besides the demo; the tests of other data libraries are skipped where they aren't installed.
_TESTING = (
    "attrs",
    "hypothesis",
    "numpy",
    "polars",
    "pyarrow",
    "pydantic",
    "pytest",
    "pytest-timeout",
    "scipy",
    "tqdm",
)
_NAME = re.compile(r"[\w-]+")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests but those in a browser."""
    session.install("--editable", ".[test]")
    _test(session, "all tests", ("-n", "2", "--dist", "worksteal", "-m", "not e2e"))


@nox.session(python=PYTHONS)
@nox.parametrize("age", ["oldest", "newest"], ids=["oldest", "newest"])
def versions(session: nox.Session, age: str) -> None:
    """The oldest packages that pyproject.toml promises, as far as they have wheels for this Python; the newest ones."""
    oldest = ("--resolution", "lowest-direct", "--only-binary", ":all:", "--no-binary", "ipycheckpoint")
    session.install(*(oldest if age == "oldest" else ("--upgrade",)), "--editable", ".[demo,cli,remote]", *_testing())
    # What old packages warn of on a newer Python is not ours to mend.
    _test(session, age, ("-W", "default") if age == "oldest" else ())


@nox.session(python="3.11")
def ipython8(session: nox.Session) -> None:
    """The IPython between the oldest and the newest."""
    session.install("--editable", ".[demo,cli,remote]", *_testing(), "ipython==8.*", "ipykernel<7")
    _test(session, "IPython 8", ("-W", "default"))


@nox.session
@nox.parametrize(["python", "kernel"], [("3.11", "5"), ("3.12", "6")], ids=["ipykernel5", "ipykernel6"])
def colab(session: nox.Session, kernel: str) -> None:
    """The old IPython, kernel and widgets of Colab, beside new data libraries; ipykernel 5 needs Python 3.11."""
    old = ("ipython==7.34.0", "ipywidgets==7.7.1", f"ipykernel=={kernel}.*")
    session.install("--editable", ".[cli,remote]", *_testing(), *old, *_of_extra("demo", but="ipykernel"))
    _test(session, f"as on Colab, ipykernel {kernel}", ("-W", "default"))


def _testing() -> list[str]:
    lines = [*_of_extra("check"), *_of_extra("test")]
    return [line for line in lines if _name(line) in _TESTING]


def _of_extra(extra: str, but: str = "") -> list[str]:
    lines = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"][extra]
    return [line for line in lines if _name(line) != but]


def _name(requirement: str) -> str:
    found = _NAME.match(requirement)
    assert found, requirement
    return found.group()


def _test(session: nox.Session, title: str, options: tuple[str, ...]) -> None:
    """Run what was asked for, or the slice, and write down what came of it, if nothing else was asked for."""
    junit = Path(session.create_tmp()) / "junit.xml"
    chosen = session.posargs or (() if title == "all tests" else SLICE)
    try:
        session.run("pytest", *options, "--junitxml", str(junit), *chosen)
    finally:
        if not session.posargs and junit.exists():
            session.run("python", "-m", "tools.compatibility", title, str(junit))
