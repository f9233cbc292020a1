"""``python -m tests.faults.killing PLACE KILLS SEED``: processes that save, look up, forget and prune at once, and are
killed at random instants. They are forks of this one, so that a kill costs milliseconds.
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

from ipycheckpoint.cache.prune import Limits, prune
from ipycheckpoint.engine.flight import Flights
from tests.faults.work import draft, key_of, opened, version_in

NAMES = [f"{size}_{letter}" for size in ("tiny", "small", "large", "long") for letter in "abcdef"]
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
        elif what < 0.9:
            version_in(cache, name)
        elif what < 0.95:
            cache.forget(key_of(name))
        else:
            # Those who are slow to put their record are never that slow.
            prune(cache, Limits(max_bytes=1_000_000), young_seconds=0.05, grace_seconds=60)


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


def main(place: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    workers = [start(place, seed * 10_000 + number) for number in range(WORKERS)]
    for number in range(kills):
        time.sleep(chance.uniform(0.001, 0.12))
        worker = workers.pop(0)
        os.kill(worker, signal.SIGKILL)
        status = os.waitpid(worker, 0)[1]
        # One that had come to an end by itself had found something wrong.
        assert os.WIFSIGNALED(status), f"a worker failed after {number} kills"
        workers.append(start(place, seed * 10_000 + WORKERS + number))
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
    print(kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
