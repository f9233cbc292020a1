"""What the kernel of a tested notebook does to have something to show. Imported there, not by the tests."""

from __future__ import annotations

import sys
import time
import types
from pathlib import Path

from ipycheckpoint import workspace
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.surfaces.decorator import checkpoint
from ipycheckpoint.tagging import tags


@checkpoint(name="prepare")
def prepare(rows):
    return list(range(rows))


@checkpoint(name="train")
def train(depth):
    time.sleep(0.02)
    return {"depth": depth, "weights": [depth / 7] * 2000}


@checkpoint(name="evaluate")
def evaluate(model):
    return sum(model["weights"])


@checkpoint(name="fit with the old library")
def fit():
    module = types.ModuleType("vanished")
    exec("class Model:\n    pass", module.__dict__)
    sys.modules["vanished"] = module
    return module.Model()


@checkpoint(name="slow step")
def slow(path):
    wait_for(path)
    return path


def wait_for(path: str) -> None:
    """Let a cell run until the test makes the file at `path`."""
    while not Path(path).exists():
        time.sleep(0.05)


def begin(directory: str) -> None:
    """An empty cache in `directory`."""
    import ipywidgets

    ipywidgets.Widget.close_all()
    workspace.current().directory = Path(directory)


def fill() -> None:
    """A few of everything: versions, tags, hits."""
    for rows in (1000, 20_000, 300_000):
        prepare(rows)
    for depth in (3, 5):
        with tags(run=depth, model="tree"):
            model = train(depth)
            train(depth)
    evaluate(model)


def fail() -> None:
    """A record that can't be loaded here."""
    fit()
    sys.modules.pop("vanished", None)
    cache = workspace.current().cache()
    [row] = cache.catalogue.rows(label="fit with the old library")
    cache.fail(row.key, cache.open(row.key)["return"])


def distrust() -> None:
    """A record that somebody else has signed."""
    here = workspace.current().cache()
    other = type(here).at(here.directory, keyring=Keyring(secret=b"x" * 32), news=here.news)

    @checkpoint(name="from a stranger", store=other)
    def stranger():
        return 42

    stranger()
    other.close()


def many(count: int) -> None:
    """More than one page."""
    for number in range(count):
        prepare(number)
