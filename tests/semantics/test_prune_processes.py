"""Savers, pruners and killers at one store: no record ever loses a Blob."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ipycheckpoint.cache.archive import write_archive
from ipycheckpoint.cache.cache import Found
from ipycheckpoint.cache.verify import verify
from tests.contracts.cache_contract import draft, identity, opened

ROOT = Path(__file__).parents[2]

PRELUDE = """
import random, sys
import numpy as np
from ipycheckpoint.cache import garbage
from ipycheckpoint.cache.prune import Limits, prune
from tests.contracts.cache_contract import draft, identity, opened

# No time at all: only the order of things protects a record in the making.
garbage.GRACE_SECONDS = 0.0
directory, seed, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
cache = opened(directory)
random = random.Random(seed)
"""

# Values that records share, so that what one lets go another may come to need at the same moment.
SAVER = (
    PRELUDE
    + """
for number in range(rounds):
    name, value = f"{seed}-{random.randrange(4)}", random.randrange(3)
    cache.save(draft(identity(name), [np.full(20_000, value), np.full(10_000, number % 2)], seconds=value))
    problems = cache.upkeep.verify(identity(name).key)
    assert not problems, problems
    if random.random() < 0.5:
        cache.forget(identity(name).key)
print("done", flush=True)
"""
)

PRUNER = (
    PRELUDE
    + """
while rounds:
    rounds -= 1
    prune(cache, Limits(keep_versions=6), young_seconds=0.0 if random.random() < 0.3 else 60.0)
print("done", flush=True)
"""
)


def start(program: str, directory: Path, seed: int, rounds: int, *more: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *map(str, (directory, seed, rounds, *more))]
    environ = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def every_record_is_whole(directory: Path) -> int:
    cache = opened(directory)
    rows = cache.rows()
    for row in rows:
        found = cache.find(row.key)
        assert isinstance(found, Found)
        assert isinstance(cache.load(found), dict)
    cache.close()
    return len(rows)


def test_savers_and_pruners_at_once_leave_every_record_whole(tmp_path):
    directory = tmp_path / "cache"
    savers = [start(SAVER, directory, seed, 50) for seed in (1, 2)]
    pruners = [start(PRUNER, directory, seed, 10**9) for seed in (3, 4)]
    try:
        for saver in savers:
            out, errors = saver.communicate(timeout=120)
            assert out == "done\n", errors
        assert [pruner.poll() for pruner in pruners] == [None, None]
    finally:
        for pruner in pruners:
            pruner.kill()
            pruner.communicate()
    every_record_is_whole(directory)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX's")
def test_a_killed_pruner_leaves_a_store_that_opens_with_every_record_whole(tmp_path):
    directory = tmp_path / "cache"
    pick = random.Random(5)
    for seed in range(5):
        saver = start(SAVER, directory, seed, 6)
        pruner = start(PRUNER, directory, 100 + seed, 10**9)
        out, errors = saver.communicate(timeout=120)
        assert out == "done\n", errors
        time.sleep(pick.random() * 0.1)
        pruner.send_signal(signal.SIGKILL)
        pruner.communicate()
        every_record_is_whole(directory)
    cache = opened(directory)
    assert verify(cache, fix=True).is_good
    assert verify(cache).is_good
    cache.close()


IMPORTER = (
    PRELUDE
    + """
from ipycheckpoint.cache.archive import read_archive
print("ready", flush=True)
read_archive(cache, sys.argv[4])
print("done", flush=True)
"""
)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX's")
def test_a_killed_import_leaves_whole_records_and_the_next_one_brings_the_rest(tmp_path):
    source = opened(tmp_path / "source")
    for number in range(150):
        source.save(draft(identity(f"n{number}"), [np.full(20_000, number // 3), number]))
    write_archive(source, [row.key for row in source.rows()], tmp_path / "all.ckpts")
    source.close()
    pick = random.Random(7)
    for seed in range(4):
        importer = start(IMPORTER, tmp_path / "cache", seed, 0, tmp_path / "all.ckpts")
        importer.stdout.readline()
        time.sleep(pick.random() * 0.2)
        importer.send_signal(signal.SIGKILL)
        importer.communicate()
        every_record_is_whole(tmp_path / "cache")
    out, errors = start(IMPORTER, tmp_path / "cache", 9, 0, tmp_path / "all.ckpts").communicate(timeout=120)
    assert out == "ready\ndone\n", errors
    assert every_record_is_whole(tmp_path / "cache") == 150
