"""The tests on every supported Python, and the cell tests on every supported IPython: ``make matrix``."""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True

# pyenv's shims fail for each version that isn't its global one; the interpreters behind them don't.
_pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
os.environ["PATH"] = os.pathsep.join([*map(str, _pyenv.glob("3.1[1-9]*/bin")), os.environ["PATH"]])

_CELL_TESTS = ("tests/unit/surfaces", "tests/unit/engine", "tests/semantics", "tests/notebooks")

# Each IPython with an ipykernel and ipywidgets of its time.
_IPYTHONS = {
    "7.34": ("ipython==7.34.0", "ipykernel<7", "ipywidgets<8"),
    "8": ("ipython==8.*", "ipykernel<7", "ipywidgets==8.*"),
    "9": ("ipython==9.*", "ipykernel>=7", "ipywidgets==8.*"),
}


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    session.install("--editable", ".[test]")
    session.run("pytest", "-m", "not e2e", *session.posargs)


@nox.session(python="3.11")
@nox.parametrize("version", list(_IPYTHONS), ids=list(_IPYTHONS))
def ipython(session: nox.Session, version: str) -> None:
    session.install(
        "--editable", ".[demo]", "hypothesis", "pytest>=8.2", "pytest-timeout>=2.3", "tqdm", *_IPYTHONS[version]
    )
    # What an older IPython warns of on a newer Python is not ours to mend.
    session.run("pytest", "-W", "default", *(session.posargs or _CELL_TESTS))
