"""The Digests of code are the same in every process, on every Python, and from release to release.

Where a change of them is meant, `SCHEME` in `ipycheckpoint.identity.identity` changes, too, and the file is written
anew: ``python tests/golden/code_snippets.py > tests/golden/code.json``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SNIPPETS = HERE / "code_snippets.py"
GOLDEN: dict[str, str] = json.loads((HERE / "code.json").read_text(encoding="utf-8"))


def _snippets():
    spec = importlib.util.spec_from_file_location("code_snippets", SNIPPETS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_MODULE = _snippets()
_DIGESTS = _MODULE.digests()


def _others() -> list[str]:
    """Other interpreters at hand that can load the package."""
    named = os.environ.get("IPYCHECKPOINT_PYTHONS")
    found = named.split(os.pathsep) if named else map(shutil.which, ("python3.11", "python3.12", "python3.13"))
    here = Path(sys.executable).resolve()
    return [python for python in found if python and Path(python).resolve() != here and _can_load(python)]


def _can_load(python: str) -> bool:
    probe = "import sys, blake3; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0


def _run(python: str, seed: str) -> dict[str, str]:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([python, str(SNIPPETS)], capture_output=True, check=True, env=environment)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", _DIGESTS)
def test_the_digest_has_not_moved(name):
    assert _DIGESTS[name] == GOLDEN[name]


def test_every_snippet_is_pinned():
    assert set(GOLDEN) == {*_MODULE.FUNCTIONS, *_MODULE.CELLS, *_MODULE.NEWER}


def test_all_snippets_differ():
    assert len(set(GOLDEN.values())) == len(GOLDEN)


@pytest.mark.parametrize("seed", ["1", "4242"])
def test_another_hash_seed_gives_the_same_digests(seed):
    assert _run(sys.executable, seed) == _DIGESTS


if _OTHERS := _others():

    @pytest.mark.parametrize("python", _OTHERS)
    def test_another_python_gives_the_same_digests(python):
        assert _run(python, "7").items() <= GOLDEN.items()
