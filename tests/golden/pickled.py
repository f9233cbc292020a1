"""A checkpointed function of ``__main__``, as any pickler writes it: ``python pickled.py > FILE``.

What is written stays readable, so a new file takes a new number, and the old ones stay.
"""

from __future__ import annotations

import os
import pickle
import sys

from ipycheckpoint import checkpoint

SCALE = 3


class Point:
    def __init__(self, x):
        self.x = x


def scaled(point):
    return Point(point.x * SCALE)


@checkpoint(name="move", watch=False, tags={"run": 1})
def move(x):
    return scaled(Point(x)).x


def written() -> bytes:
    """Without a place of this machine."""
    os.environ["IPYCHECKPOINT_DIR"] = "/nowhere"
    pickle.dumps(move)  # which imports whatever it needs
    sys.path.clear()
    return pickle.dumps(move, protocol=4)


if __name__ == "__main__":
    sys.stdout.buffer.write(written())
