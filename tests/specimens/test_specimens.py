"""Records of every format version and every Python load for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SPECIMENS = sorted((HERE / "data").glob("*.ckpt"))
PYTHONS = [path for path in os.environ.get("IPYCHECKPOINT_PYTHONS", "").split(os.pathsep) if path]


def run(python: str, script: str, path: Path) -> str:
    root = str(HERE.parent.parent)
    environ = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [python, HERE / script, path], env=environ, capture_output=True, text=True, check=False, cwd=path.parent
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_specimens_of_three_pythons():
    assert {"format1-python3.11.ckpt", "format1-python3.12.ckpt", "format1-python3.13.ckpt"} <= {
        path.name for path in SPECIMENS
    }


@pytest.mark.parametrize("path", SPECIMENS, ids=lambda path: path.stem)
def test_a_specimen_loads_in_a_fresh_interpreter_as_it_was(path):
    assert run(sys.executable, "read.py", path) == "good\n"


def test_what_this_python_writes_it_loads_in_another_process(tmp_path):
    run(sys.executable, "write.py", tmp_path / "new.ckpt")
    assert run(sys.executable, "read.py", tmp_path / "new.ckpt") == "good\n"


if PYTHONS:  # executables named by whoever runs the tests; with none there is nothing to claim

    @pytest.mark.parametrize("python", PYTHONS)
    def test_what_another_python_writes_loads_here(python, tmp_path):
        run(python, "write.py", tmp_path / "there.ckpt")
        assert run(sys.executable, "read.py", tmp_path / "there.ckpt") == "good\n"

    @pytest.mark.parametrize("python", PYTHONS)
    def test_what_this_python_writes_loads_there(python, tmp_path):
        run(sys.executable, "write.py", tmp_path / "here.ckpt")
        assert run(python, "read.py", tmp_path / "here.ckpt") == "good\n"
