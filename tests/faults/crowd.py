"""``python -m tests.faults.crowd PLACE PROCESSES OPERATIONS KEYS``: processes that call one checkpointed function."""

from __future__ import annotations

import os
import random
import sys
import traceback
from pathlib import Path

import ipycheckpoint as ck

RAN = 100  # the descriptor of a file that tells which calls were run


def truth(number: int) -> list[int]:
    return [number * number] * (number % 5 * 4_000 + 1)


def call(place: Path, operations: int, keys: int, seed: int) -> None:
    @ck.checkpoint(store=str(place))
    def compute(number: int) -> list[int]:
        os.write(RAN, f"{number}\n".encode())
        return [number * number] * (number % 5 * 4_000 + 1)

    chance = random.Random(seed)
    for _ in range(operations):
        number = chance.randrange(keys)
        assert compute(number) == truth(number)


def main(place: Path, processes: int, operations: int, keys: int) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(place.parent / "ran", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, RAN)
    children = []
    for seed in range(processes):
        child = os.fork()
        if not child:
            try:
                call(place, operations, keys, seed)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        children.append(child)
    failed = [child for child in children if os.waitpid(child, 0)[1]]
    ran = (place.parent / "ran").read_text().split()
    print(len(failed), len(ran), len(set(ran)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
