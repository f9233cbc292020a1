"""How fast a store on S3 is, beside fsspec alone, against one S3 server on this machine, in one run.

    python -m benchmarks.s3_throughput [--megabytes 64] [--small 200] [--rounds 3]

The server is moto's, in a process of its own: it is slow, and the same for both. What counts is the difference.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable

import s3fs

from ipycheckpoint.store.shared import RemoteStore

Step = Callable[[], object]

ABSENT = 20

SERVER = """
import logging, moto.server, time
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = moto.server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
time.sleep(1e9)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--small", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            options = {
                "endpoint_url": f"http://127.0.0.1:{server.stdout.readline().strip()}",
                "key": "a",
                "secret": "b",
            }
            report(options, told.megabytes, told.small, told.rounds)
        finally:
            server.kill()


def report(options: dict[str, str], megabytes: int, small: int, rounds: int) -> None:
    plain = s3fs.S3FileSystem(**options, use_listings_cache=False)
    plain.makedirs("team", exist_ok=True)
    place = f"team/{uuid.uuid4().hex}"
    store = RemoteStore(f"s3://{place}", **options)
    large, little = os.urandom(megabytes * 1_000_000), os.urandom(4000)
    store.contains("a")  # the connection is open

    names = [f"records/{index}" for index in range(small)]
    paths = [f"{place}/plain/{index}" for index in range(small)]
    steps: dict[str, tuple[str, int, Step, Step]] = {
        f"put {megabytes} MB": (
            "MB/s", megabytes,
            lambda: store.put("blobs/a", [large]), lambda: plain.pipe_file(f"{place}/large", large),
        ),
        f"get {megabytes} MB": (
            "MB/s", megabytes, lambda: store.get("blobs/a"), lambda: plain.cat_file(f"{place}/large"),
        ),
        f"put {small} of 4 kB, one by one": (
            "a second", small,
            lambda: [store.put(name, [little]) for name in names],
            lambda: [plain.pipe_file(path, little) for path in paths],
        ),
        f"get {small} of 4 kB, one by one": (
            "a second", small,
            lambda: [store.get(name) for name in names], lambda: [plain.cat_file(path) for path in paths],
        ),
        f"get {small} of 4 kB at once": (
            "a second", small, lambda: store.fetch(names), lambda: plain.cat(paths),
        ),
        "look for what is not there": (
            "a second", ABSENT,
            lambda: [store.get("none") for _ in range(ABSENT)],
            lambda: [missing(plain, place) for _ in range(ABSENT)],
        ),
    }  # fmt: skip
    print(f"{'':46}{'store':>10}{'fsspec alone':>14}")
    for words, (unit, amount, ours, theirs) in steps.items():
        rates = [f"{amount / statistics.median(seconds(step) for _ in range(rounds)):,.0f}" for step in (ours, theirs)]
        print(f"{words + ', ' + unit:46}{rates[0]:>10}{rates[1]:>14}")


def missing(plain: s3fs.S3FileSystem, place: str) -> None:
    try:
        plain.cat_file(f"{place}/none")
    except FileNotFoundError:
        return
    raise AssertionError


def seconds(work: Step) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
