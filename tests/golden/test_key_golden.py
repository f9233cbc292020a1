"""The Digests of values and the Keys of calls and cells are the same in every process, and from release to release.

Where a change of them is meant, `SCHEME` in `ipycheckpoint.identity.identity` changes, too, and the file is written
anew: ``python tests/golden/key_samples.py > tests/golden/keys.json``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
GOLDEN: dict[str, str] = json.loads((HERE / "keys.json").read_text(encoding="utf-8"))


def run(seed: str) -> dict[str, str]:
    environ = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(HERE.parent.parent)}
    done = subprocess.run(
        [sys.executable, str(HERE / "key_samples.py")], capture_output=True, text=True, check=True, env=environ
    )
    return json.loads(done.stdout[done.stdout.index("{\n") :])


@pytest.fixture(scope="module")
def digests() -> dict[str, str]:
    return run("1")


@pytest.mark.parametrize("name", GOLDEN)
def test_the_digest_or_key_has_not_moved(name, digests):
    if name not in digests:
        pytest.skip("needs a package that isn't here, or a newer one")
    assert digests[name] == GOLDEN[name]


def test_every_sample_is_pinned(digests):
    assert set(digests) <= set(GOLDEN)


def test_all_samples_differ():
    assert len(set(GOLDEN.values())) == len(GOLDEN)


def test_another_hash_seed_gives_the_same_digests_and_keys(digests):
    assert run("4242") == digests
