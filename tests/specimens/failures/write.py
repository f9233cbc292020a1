"""Write a record that doesn't load everywhere: ``python write.py SPECIMEN FILE``.

Each is to be written with the Python and packages that it is called after; ``python3.9`` takes what `old.py` has
printed under Python 3.9 as a third argument. What is in ``data`` is never written again: it is real.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from ipycheckpoint.cache import savefile
from ipycheckpoint.digest import Digest, digest_bytes
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.record.codec import Section
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.format import lay_out, write
from ipycheckpoint.record.record import Header, Output
from ipycheckpoint.record.trust import Keyring

RING = Keyring(secret=b"the secret of the specimens: 32+")


def pandas15(path: Path) -> None:
    """pandas 1.5 and numpy 1.23: the index of whole numbers is of a module that pandas 2 hasn't got."""
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame(
        {"count": np.arange(3), "name": ["a", None, "c"], "when": pd.date_range("2020-01-01", periods=3, tz="UTC")},
        index=pd.Index([3, 5, 7], name="key"),
    )
    frame["kind"] = pd.Categorical(["x", "y", "x"])
    values = {
        "frame": frame,
        "in_a_dict": {"series": pd.Series([1.5, 2.5], index=pd.Index([1, 2]), name="s")},
        "array": np.arange(6.0).reshape(2, 3),
        "plain": {"a": [1, 2.5, None]},
    }
    savefile.save(path, values, keyring=RING)


def missing_package(path: Path) -> None:
    """An object of a package that is nobody's dependency here."""
    import semver

    values = {"version": semver.Version(1, 2, 3), "plain": [1, 2, 3]}
    savefile.save(path, values, keyring=RING)


def renamed(path: Path) -> None:
    """Instances of two classes of a module of the user's: one is renamed later, the other's module is gone."""

    def define(module: str, name: str) -> Any:
        made = sys.modules.setdefault(module, ModuleType(module))
        kind = type(name, (), {"__module__": module})
        setattr(made, name, kind)
        return kind

    order, item = define("specimen_shop", "Order")(), define("specimen_stock", "Item")()
    order.price, order.lines = 3, ["a", "b"]
    item.name = "bolt"
    savefile.save(path, {"order": order, "item": item, "plain": (1, 2)}, keyring=RING)


def truncated(path: Path) -> None:
    """The second of two values ends with the file, too early."""
    savefile.save(path, {"whole": list(range(100)), "cut": ["text"] * 50 + list(range(5000))}, keyring=RING)
    path.write_bytes(path.read_bytes()[:-2000])


def lambdas(path: Path) -> None:
    """A lambda without its source, which no other Python minor version can run, and one with it."""
    import linecache

    values: dict[str, Any] = {}
    exec("without_source = lambda x: x + 1", values)
    text = "with_source = lambda x: x + 2\n"
    linecache.cache["<specimen>"] = (len(text), None, [text], "<specimen>")
    exec(compile(text, "<specimen>", "exec"), values)
    del values["__builtins__"]
    savefile.save(path, {**values, "plain": "text"}, keyring=RING)


def python39(path: Path, printed: Path) -> None:
    """Streams that Python 3.9 has pickled, in a record of ours."""
    told = json.loads(printed.read_text("utf-8"))
    sections = [Section((name,), bytes.fromhex(stream), ()) for name, stream in told["streams"].items()]
    layout = lay_out(sections, inline_all=True)
    environment = Environment.from_json(json.dumps(told["environment"]).encode()).to_json().decode()
    found = Digest(digest_bytes(environment.encode()))
    header = Header(
        kind="savepoint",
        label="python3.9",
        key=Key(digest_bytes(b"python3.9")),
        created=1700000000.0,
        seconds=0.0,
        ingredients=(),
        outputs=tuple(
            Output(name, "data", told["types"][name], section=index) for index, name in enumerate(told["streams"])
        ),
        sections=layout.sections,
        environment=found,
    )
    path.write_bytes(b"".join(write(header, layout.chunks, RING.sign, {found: environment})))


SPECIMENS = {
    "pandas1.5": pandas15,
    "missing-package": missing_package,
    "renamed": renamed,
    "truncated": truncated,
    "lambdas": lambdas,
    "python3.9": python39,
}

if __name__ == "__main__":
    SPECIMENS[sys.argv[1]](*map(Path, sys.argv[2:]))
