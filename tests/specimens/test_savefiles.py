"""Free-standing files of every compression and codec load for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipycheckpoint.record.codecs import CODECS
from ipycheckpoint.record.compression import COMPRESSIONS

HERE = Path(__file__).parent
SPECIMENS = sorted((HERE / "savefiles").glob("*.ckpt"))
PYTHONS = [path for path in os.environ.get("IPYCHECKPOINT_PYTHONS", "").split(os.pathsep) if path]


def run(python: str, action: str, path: Path) -> str:
    root = str(HERE.parent.parent)
    environ = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [python, HERE / "savefiles.py", action, path], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_a_specimen_of_each_codec_and_compression():
    kinds = {f"format1-{codec}-{compression}" for codec in CODECS for compression in COMPRESSIONS}
    assert kinds <= {path.stem for path in SPECIMENS}


@pytest.mark.parametrize("path", SPECIMENS, ids=lambda path: path.stem)
def test_a_specimen_loads_in_a_fresh_interpreter_as_it_was(path):
    assert run(sys.executable, "read", path) == "good\n"


@pytest.mark.parametrize("path", SPECIMENS, ids=lambda path: path.stem)
def test_its_first_line_tells_any_reader_of_json_who_wrote_it(path):
    with path.open("rb") as file:
        wrapped = json.loads(file.readline())
    environment = json.loads(wrapped["attached"][wrapped["header"]["environment"]])
    assert environment["python"].startswith("3.")
    assert wrapped["header"]["label"] == "TestPkg.bar"


if PYTHONS:  # executables named by whoever runs the tests; with none there is nothing to claim

    @pytest.mark.parametrize("python", PYTHONS)
    def test_another_python_loads_the_specimens(python):
        for path in SPECIMENS:
            assert run(python, "read", path) == "good\n"
