"""A cache as somebody might have after some weeks of work, for the pictures in the docs. Imported in a kernel."""

from __future__ import annotations

import random
import sys
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import numpy as np

from ipycheckpoint import workspace
from ipycheckpoint.cache.cache import Draft
from ipycheckpoint.digest import digest
from ipycheckpoint.identity.identity import Identity, Ingredient
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.record import Output

HOUR = 3600.0

TRAIN = """\
@checkpoint(pin="scikit-learn")
def train(features, depth):
    forest = RandomForestRegressor(max_depth=depth, n_jobs=-1)
    return forest.fit(features.drop(columns="price"), features["price"])"""

# Label, kind, hours ago, seconds, kilobytes, hits, tags, names of what it left, code.
RECORDS = [
    ("load orders", "cell", 190, 38.4, 9200, 31, {}, ["orders", "customers"], "orders = pd.read_csv('orders.csv')"),
    ("features", "cell", 140, 112.0, 24300, 12, {}, ["features"], "features = build(orders, window=14)"),
    ("features", "cell", 50, 127.0, 26100, 22, {}, ["features"], "features = build(orders, window=28)"),
    ("train", "call", 49, 301.0, 2400, 9, {"depth": "8"}, ["return"], TRAIN.replace("n_jobs=-1", "n_jobs=4")),
    ("train", "call", 26, 344.0, 4100, 5, {"depth": "12"}, ["return"], TRAIN),
    ("train", "call", 2, 402.0, 7700, 3, {"depth": "16"}, ["return"], TRAIN),
    (
        "cross-validate",
        "cell",
        1.5,
        1260.0,
        310,
        2,
        {"depth": "16"},
        ["scores"],
        "scores = cross_val_score(model, X, y)",
    ),
    ("geocode", "call", 300, 2212.0, 1900, 64, {}, ["return"], "def geocode(addresses): ..."),
    ("maps", "cell", 1, 17.2, 880, 1, {}, ["tiles", "figure"], "figure = draw(tiles)"),
]


@contextmanager
def at(moment: float) -> Iterator[None]:
    """Let it be `moment`, seconds since the epoch, for whoever keeps or restores."""
    catalogue = workspace.current().cache().catalogue
    clock, catalogue._clock = catalogue._clock, lambda: moment
    with mock.patch("ipycheckpoint.cache.cache.time.time", return_value=moment):
        try:
            yield
        finally:
            catalogue._clock = clock


def hang() -> None:
    """Keep them all, and restore them as often as it says."""
    cache, now, chance = workspace.current().cache(), time.time(), random.Random(7)
    for label, kind, hours, seconds, kilobytes, hits, tags, names, code in RECORDS:
        values = {name: np.frombuffer(chance.randbytes(kilobytes * 1000 // len(names)), np.uint8) for name in names}
        ingredients = [
            Ingredient("code", label, digest("code", code.encode()), source=code),
            Ingredient("input", "orders", digest("x", b"orders"), "DataFrame 1,204,331 × 14"),
            *(Ingredient("argument", key, digest("x", value.encode()), value) for key, value in tags.items()),
        ]
        role = "result" if kind == "call" else "bound"
        draft = Draft(
            Identity(kind, label, tuple(ingredients)), tuple(Output(name, role) for name in names), values,
            tuple(encode(values)), seconds, tuple(tags.items()), trace={"read": [["orders.csv", "0" * 64, 1]]},
        )  # fmt: skip
        with at(now - hours * HOUR):
            header = cache.save(draft)
        for _ in range(hits):
            with at(now - chance.random() ** 2 * hours * HOUR):
                cache.count_hit(header, chance.random() / 2)
    cache.catalogue.flush()
    break_one()


def break_one() -> None:
    """One record doesn't load: its package has moved on since."""
    cache, current = workspace.current().cache(), Environment.current()
    module = types.ModuleType("sklearn_old")
    exec("class Tree:\n    pass", module.__dict__)
    sys.modules["sklearn_old"] = module
    values = {"return": module.Tree()}
    code = "def train_baseline(features):\n    return Tree().fit(features)"
    identity = Identity("call", "train baseline", (Ingredient("code", "", digest("code", code.encode()), source=code),))
    then = replace(current, python="3.11.4", packages={**current.packages, "scikit-learn": "1.2.2", "numpy": "1.24.4"})
    with at(time.time() - 700 * HOUR), mock.patch.object(Environment, "current", return_value=then):
        key = cache.save(Draft(identity, (Output("return", "result"),), values, tuple(encode(values)), 96.0)).key
    del sys.modules["sklearn_old"]
    problem = ModuleNotFoundError("No module named 'sklearn.tree._old'", name="sklearn.tree._old")
    cache.fail(key, LoadFailure("return", problem, b"", current, then, type_name="sklearn.tree._old.Tree", origin=key))
    cache.upkeep.pin(cache.catalogue.rows(label="geocode")[0].key)
