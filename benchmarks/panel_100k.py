"""How the panel fares with many records: ``python -m benchmarks.panel_100k [RECORDS]``.

The store is built quickly, of headers alone. Printed is the time that the kernel's process spends on each step.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.listing import ORDERS
from ipycheckpoint.digest import digest
from ipycheckpoint.identity.identity import Ingredient, Key
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.format import write
from ipycheckpoint.record.record import Header, Output, SectionRef
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.store.directory import DirectoryStore
from ipycheckpoint.surfaces.panel.actions import Actions
from ipycheckpoint.surfaces.panel.details import details
from ipycheckpoint.surfaces.panel.model import view
from ipycheckpoint.surfaces.panel.state import PAGE_ROWS, State

LABELS = ["prepare", "features", "train", "evaluate", "plot", "analysis.model.fit", "analysis.model.predict", "report"]
NAMES = ["frame", "model", "scores", "fig", "weights", "summary", "rows", "index"]
BATCH = 5000


def header_of(number: int, environment: str, chance: random.Random) -> Header:
    """A record such as a notebook would make, of nothing."""
    empty = digest("nothing")
    return Header(
        kind=chance.choice(["cell", "call", "call"]),
        label=chance.choice(LABELS) + chance.choice(["", "", f" {chance.randrange(50)}"]),
        key=Key(digest("key", str(number).encode())),
        created=1_750_000_000.0 + number,
        seconds=chance.lognormvariate(1, 2),
        ingredients=(Ingredient("code", "", empty), Ingredient("argument", "x", digest("x", str(number).encode()))),
        outputs=tuple(Output(name, "bound", "DataFrame", 100) for name in chance.sample(NAMES, 2)),
        sections=(SectionRef("pickle5", empty, int(chance.lognormvariate(12, 3)), 0),),
        environment=environment,
        tags=(("date", f"2017-01-{number % 28 + 1:02}"), ("run", str(number % 100))),
    )


def build(directory: Path, count: int) -> None:
    """Fill the store in `directory` with `count` records, and leave the catalogue to whoever asks first."""
    keyring, store = Keyring(), DirectoryStore(directory)
    environment = Environment.current()
    store.put(f"blobs/{environment.digest}", [environment.to_json()])
    chance = random.Random(0)
    for begin in range(0, count, BATCH):
        rows = []
        for number in range(begin, min(begin + BATCH, count)):
            header = header_of(number, environment.digest, chance)
            data = b"".join(write(header, (), keyring.sign))
            rows.append((f"records/{header.key}", number + 1, header.created, data))
        # As `put` does, but in one transaction: what is measured is not the making.
        store._rows.change(lambda c, rows=rows: c.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", rows))
    store.close()


@contextmanager
def timed(what: str):
    began = time.process_time()
    yield
    print(f"{what:<48}{(time.process_time() - began) * 1000:>10.1f} ms")


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "cache"
        with timed(f"building a store of {count:,} records"):
            build(directory, count)
        cache = Cache.at(directory)
        with timed("making the catalogue from all headers, once"):
            cache.catalogue.rebuild()
        use(cache, count)
        cache.close()
        measure(Cache.at(directory), count)


def use(cache: Cache, count: int) -> None:
    chance = random.Random(1)
    with timed("counting 10,000 hits"):
        for _ in range(10_000):
            key = Key(digest("key", str(chance.randrange(count)).encode()))
            cache.catalogue.hit(key, 2.0, 0.01)
        cache.catalogue.flush()


def measure(cache: Cache, count: int) -> None:
    def quickest(what: str, work, *, anew: bool = True) -> None:
        """The quickest of three times; with `anew`, nothing that was found before helps."""
        times = []
        for _ in range(3):
            if anew:
                cache.catalogue._matches.clear()
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
        print(f"{what:<48}{min(times) * 1000:>10.1f} ms")

    with timed("first paint: summary, first page, choices"):
        rows = view(cache, State())["rows"]
    quickest("summary alone", lambda: cache.catalogue._answers.clear() or cache.catalogue.totals())
    for order in sorted(ORDERS):
        quickest(f"page sorted by {order}", lambda order=order: view(cache, State(order=order)), anew=False)
    quickest("next page", lambda: view(cache, State(page=1)), anew=False)
    quickest("last page", lambda: view(cache, State(page=count // PAGE_ROWS - 1)), anew=False)
    for name, state in {
        "search that fits many": State(search="model"),
        "search that fits none": State(search="zebra"),
        "filter by kind": State(kind="cell"),
        "filter by status": State(status="restored"),
        "filter by tag": State(tag="run=7"),
        "all of them, sorted by size": State(search="fit", kind="call", tag="run=7", order="nbytes"),
    }.items():
        quickest(name, lambda state=state: view(cache, state))
    quickest("details of a record", lambda: details(cache, State(opened=rows[0]["key"])))
    actions = Actions(cache)
    for number in (1, 50):
        state = State(selected=frozenset(row["key"] for row in rows[:number]), armed="delete")
        with timed(f"deleting {number}"):
            actions.act(state, {"do": "delete", "armed": "delete"})
        rows = rows[number:] or view(cache, State())["rows"]
    with timed("weighing the store, in a thread of its own"):
        cache.upkeep.disk_nbytes()
    cache.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
