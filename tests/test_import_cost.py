"""Importing ipycheckpoint is cheap, and brings in nothing that isn't needed yet."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LATER = [
    "IPython", "anywidget", "asyncio", "dill", "filelock", "ipywidgets", "multiprocessing", "numpy", "pandas", "polars",
    "pyarrow", "scipy", "sklearn", "sqlite3", "torch", "tqdm", "traitlets",
]  # fmt: skip


ONLY_TO_KEEP = [
    "decimal", "difflib", "fractions", "html", "ipycheckpoint.cache.garbage", "ipycheckpoint.cache.opened",
    "ipycheckpoint.cache.plugged", "ipycheckpoint.cache.prune", "ipycheckpoint.cache.savefile",
    "ipycheckpoint.cache.upkeep", "ipycheckpoint.engine.callrun", "ipycheckpoint.engine.savepoints.savepoints",
    "ipycheckpoint.identity.outline", "ipycheckpoint.record.codec", "ipycheckpoint.record.environment",
    "ipycheckpoint.surfaces.picklefile", "lzma", "platform", "secrets", "uuid",
]  # fmt: skip
"""What a hit has no use for: to keep, to look after, to show, or to plug in."""

ONLY_FOR_OTHERS = [
    "ipycheckpoint.engine.audit", "ipycheckpoint.engine.files",
    "ipycheckpoint.engine.links", "ipycheckpoint.engine.mentions", "ipycheckpoint.engine.sources",
    "ipycheckpoint.engine.trace", "ipycheckpoint.engine.transplant",
    "ipycheckpoint.identity.bytecode", "ipycheckpoint.identity.context", "ipycheckpoint.identity.kinds.arrays",
    "ipycheckpoint.identity.kinds.frames", "ipycheckpoint.identity.kinds.objects", "sysconfig", "textwrap",
]  # fmt: skip
"""What a plain function of numbers and texts, which touches no files, has no use for."""

PROGRAM = """
import json, sys
from ipycheckpoint import checkpoint

@checkpoint(store=sys.argv[1])
def work(number, text):
    print("ran")
    return number * 3 + len(text)

work(14, "text")
print(json.dumps(list(sys.modules)))
"""


@pytest.fixture(scope="module")
def loaded_by_a_hit(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules that the first hit of a fresh process needs."""
    folder = tmp_path_factory.mktemp("hit")
    program = folder / "program.py"
    program.write_text(PROGRAM)

    def run() -> list[str]:
        command = [sys.executable, str(program), str(folder / "cache")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    assert run()[0] == "ran"
    [line] = run()
    return set(json.loads(line))


@pytest.mark.parametrize("module", ONLY_TO_KEEP + ONLY_FOR_OTHERS)
def test_the_first_hit_of_a_process_does_not_load(loaded_by_a_hit: set[str], module: str) -> None:
    assert module not in loaded_by_a_hit


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that ``import ipycheckpoint`` loads in a fresh interpreter."""
    program = (
        "import json, sys; b = set(sys.modules); import ipycheckpoint; print(json.dumps(list(set(sys.modules) - b)))"
    )
    return set(json.loads(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout))


def test_of_us_the_import_loads_no_more_than_where_everything_is(loaded: set[str]) -> None:
    assert {name for name in loaded if name.startswith("ipycheckpoint")} == {"ipycheckpoint", "ipycheckpoint.__about__"}


def test_of_others_the_import_loads_no_more_than_typing_and_importlib_need(loaded: set[str]) -> None:
    program = "import json, sys; import typing, importlib, __future__; print(json.dumps(list(sys.modules)))"
    needed = set(json.loads(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout))
    assert {name for name in loaded if not name.startswith("ipycheckpoint")} <= needed


@pytest.mark.parametrize("module", LATER)
def test_the_import_does_not_load(loaded: set[str], module: str) -> None:
    assert module not in loaded
