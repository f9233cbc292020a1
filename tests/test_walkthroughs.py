"""The notebooks that walk through savepoints and load failures show what they say, cold and warm."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import nbformat
import pytest

from tools import runs

WRITTEN = ["testpkg.py", "shop.py"]  # by %%writefile, which tells whether there was such a file

# What a cell shows, among other things.
SHOWN = {
    "savepoints": [
        ("available", "['TestPkg.foo', 'TestPkg.bar', 'TestPkg.baz']"),
        ("idle", "array([["),
        ("idle-files", "[]"),
        ("foo", "(['TestPkg.foo'], ['checkpoints/TestPkg/foo.ckpt'])"),
        ("foo-load", "['x', 'y']\nTrue True"),
        ("bar", "{'data': array(["),
        ("context", "'checkpoints/tag=1/othertag=2/date=2017-01-01/TestPkg/bar.ckpt'"),
        ("sessions", "{'x': array(["),
        ("raising", "the sensor is gone\n{'x': array(["),
        ("runs", "TestPkg.bar (('run', '2'), ('date', '2017-01-01'))"),
        ("frame", "<td>1</td>\n      <td>2</td>"),
        ("where", "{'0': 1, '1': 2, '2': 3}"),
        ("read", "Record([data]; version=1, python=3."),
        ("sweep", "{0.5: 9.0, 1.0: 36.0, 2.0: 144.0}"),
        ("sweep-files", "'sweep/scale=2.0/date=2017-01-01/TestPkg/bar.ckpt'"),
        ("off", "[]"),
    ],
    "load_failures": [
        ("failure", "CheckpointWarning: orders.ckpt: can't load `order`"),
        ("failure", "([1, 2, 3], <LoadFailure order: ModuleNotFoundError>)"),
        ("words", 'if `shop` has another name now: load(..., moved={"shop": "the.new.Name"})'),
        ("moved", "(store.Order, 3)"),
        ("missing", "<tr><td>parcels</td><td>1.2.0</td><td>absent</td></tr>"),
        ("table", "parcels  1.2.0  absent"),
        ("table", "pip install parcels==1.2.0"),
        ("how", "ipycheckpoint rescue parcels.ckpt --python .venv-rescue/"),
        ("evidence", "1.2.0 None"),
        ("truncate", "[0, 1, 2, 3, 4]"),
        ("damaged", "its bytes are not those that were saved"),
        ("header", "last list "),
    ],
}


class Walk(NamedTuple):
    """One notebook, run twice in one directory, each time in a kernel of its own."""

    name: str
    cold: runs.Run
    warm: runs.Run
    texts: dict[str, str]
    """What each cell showed in the cold run."""


@pytest.fixture(scope="module", params=list(SHOWN))
def walk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    directory = tmp_path_factory.mktemp(request.param)
    documents, both = [], []
    for hash_seed in (1, 2):
        for name in WRITTEN:
            (directory / name).unlink(missing_ok=True)
        document = nbformat.read(runs.ROOT / "notebooks" / f"{request.param}.ipynb", as_version=4)
        both.append(runs.run_document(document, directory, directory / "executed.ipynb", hash_seed=hash_seed))
        documents.append(document)
    texts = {cell.id: "\n".join(map(text, cell.outputs)) for cell in documents[0].cells if cell.cell_type == "code"}
    return Walk(request.param, *both, texts)


def text(output: Any) -> str:
    bundle = output.get("data", {})
    return output.get("text", "").strip() or f"{bundle.get('text/plain', '')}\n{bundle.get('text/html', '')}".strip()


@pytest.mark.kernel
@pytest.mark.slow
def test_the_cells_of_a_walk_show_what_its_text_says(walk: Walk) -> None:
    assert [(cell, shown) for cell, shown in SHOWN[walk.name] if shown not in walk.texts[cell]] == []


@pytest.mark.kernel
@pytest.mark.slow
def test_a_walk_shows_and_leaves_the_same_the_second_time(walk: Walk) -> None:
    assert runs.not_as_in(walk.cold, walk.warm, "cold") == []
    assert {cell.status for cell in walk.warm.cells if cell.title.startswith("%%checkpoint")} <= {"restored"}


@pytest.mark.parametrize("name", SHOWN)
def test_a_walk_leads_to_pages_that_are_there(name: str) -> None:
    source = (runs.ROOT / "notebooks" / f"{name}.ipynb").read_text("utf-8")
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", source)
    assert [link for link in links if not (runs.ROOT / "notebooks" / link).exists()] == []
    assert links
