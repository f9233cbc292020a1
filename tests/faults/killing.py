"""``python -m tests.faults.killing PLACE ROUNDS SEED``: processes that save, look up, forget, prune, import, rebuild
and mend at once, and are killed at random instants, in each round one of them or all. They are forks of this one, so
that a kill costs milliseconds. Whenever none is left, every value is looked at, and so is every byte.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

from ipycheckpoint.cache.archive import read_archive, write_archive
from ipycheckpoint.cache.prune import Limits, prune
from ipycheckpoint.cache.verify import verify
from ipycheckpoint.engine.flight import Flights
from tests.faults.work import draft, key_of, opened, version_in

NAMES = [f"{size}_{letter}" for size in ("tiny", "small", "large", "long") for letter in "abcdef"]
VERSIONS = {0, 1, 2, None}
WORKERS = 3


def work(place: Path, seed: int) -> None:
    """Until it is killed: what it reads is what was saved, or it isn't there."""
    warnings.simplefilter("ignore")
    chance = random.Random(seed)
    cache, flights = opened(place), Flights(place)
    while True:
        name, what = chance.choice(NAMES), chance.random()
        if what < 0.4:
            with flights.alone(key_of(name)):
                cache.save(draft(name, chance.randrange(3)))
        elif what < 0.85:
            assert version_in(cache, name) in VERSIONS
        elif what < 0.9:
            cache.forget(key_of(name))
        elif what < 0.95:
            # Those who are slow to put their record are never that slow.
            prune(cache, Limits(max_bytes=1_000_000), young_seconds=0.05, grace_seconds=60)
        elif what < 0.97:
            read_archive(cache, archive(place))
        elif what < 0.985:
            verify(cache, fix=True)
        else:
            cache.catalogue.rebuild()


def archive(place: Path) -> Path:
    """Some of the records, to import."""
    path = place.parent / f"{place.name}.ckpts"
    if not path.exists():
        source = opened(place.parent / f"{place.name}-source")
        for name in NAMES[::3]:
            source.save(draft(name, 1))
        write_archive(source, [key_of(name) for name in NAMES[::3]], path)
        source.close()
    return path


def check(place: Path) -> None:
    """What the dead have left: every value is true, what is wrong can be mended, and that costs no value."""
    cache = opened(place)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {name: version_in(cache, name) for name in NAMES}
        assert set(found.values()) <= VERSIONS, found
        verify(cache, fix=True)
        findings = verify(cache).findings
    assert not [finding for finding in findings if finding.is_wrong], findings
    assert {name: version_in(cache, name) for name in NAMES} == found
    assert {row.label for row in cache.rows()} == {f"work.{name}" for name in NAMES if found[name] is not None}
    cache.close()


def start(place: Path, seed: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work(place, seed)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def main(place: Path, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    archive(place)
    workers: list[int] = []
    for number in range(rounds):
        while len(workers) < WORKERS:
            workers.append(start(place, seed * 10_000 + number * WORKERS + len(workers)))
        time.sleep(chance.uniform(0.001, 0.12))
        everybody = chance.random() < 0.5
        for _ in range(WORKERS if everybody else 1):
            worker = workers.pop(0)
            os.kill(worker, signal.SIGKILL)
            status = os.waitpid(worker, 0)[1]
            # One that had come to an end by itself had found something wrong.
            assert os.WIFSIGNALED(status), f"a worker failed in round {number}"
        if everybody:
            check(place)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
    check(place)
    print(rounds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
