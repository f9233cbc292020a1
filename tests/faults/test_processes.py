"""Many processes at once, some of them killed: nothing is torn, nothing is lost, nothing is computed twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ipycheckpoint.cache.verify import verify
from tests.faults.killing import NAMES
from tests.faults.scale import TORTURE, rounds
from tests.faults.work import draft, opened, version_in

ROOT = Path(__file__).parents[2]


def run(module: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.faults.{module}", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "11"},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def test_processes_that_are_killed_at_random_instants_tear_and_lose_nothing(tmp_path: Path) -> None:
    # Several stores one after the other: each begins with its first save.
    for seed in rounds(2, 20):
        place = tmp_path / str(seed)
        assert run("killing", place, 50 if TORTURE else 25, seed) == f"{50 if TORTURE else 25}\n"
        cache = opened(place)
        for name in NAMES:
            cache.save(draft(name, 2))
        assert {version_in(cache, name) for name in NAMES} == {2}
        assert verify(cache).is_good
        cache.close()


def test_of_many_processes_one_computes_what_all_ask_for(tmp_path: Path) -> None:
    processes, operations, keys = (16, 2_000, 200) if TORTURE else (4, 200, 20)
    assert run("crowd", tmp_path / "cache", processes, operations, keys).split() == ["0", str(keys), str(keys)]
