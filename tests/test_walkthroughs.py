"""The notebooks that teach something show what they say, cold and warm."""

from __future__ import annotations

import itertools
import re
from typing import Any, NamedTuple

import nbformat
import pytest

from tools import runs

WRITTEN = ["testpkg.py", "shop.py", "experiment.py"]  # by %%writefile, which tells whether there was such a file

# What a cell shows, among other things.
SHOWN = {
    "quickstart": [
        ("function", "((1257, 128), (540, 128))"),
        ("grid", "in cross-validation"),
        ("mistakes", "times"),
        ("why", "function `confusions` changed"),
        ("grid-again", "✓ restored 1 variable"),
    ],
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
    "functions": [
        ("first", "[0.45, 0.63]"),
        ("same", "True\nFalse\nFalse"),
        ("reformat", "True"),
        ("helper", "function `correlation` changed"),
        ("back", "hit"),
        ("options", "14.83"),
        ("options", "True False"),
        ("generator", "total ran without a checkpoint: `numbers`"),
        ("raises", "division by zero False"),
        ("async", "fetching 1"),
        ("async", "['page 1', 'page 1']"),
        ("record", "argument frame DataFrame 178 × 14"),
    ],
    "cells": [
        ("names", "(Flower(17), 16"),
        ("names-after", "True False 1.5"),
        ("after-change", "(True, [7.0, 7.0, 6.5])"),
        ("visits-after", "2"),
        ("shown", "three kinds:\n"),
        ("shown-after", "(3, 1)"),
        ("count", "12"),
        ("count-again", "6"),
        ("why", "global `limit` changed: 7.0 → 7.5"),
        ("random-after", "[120, 46, 148, 77, 51] ["),
        ("files-again", "because: `report.txt`, which it wrote, changed since"),
        ("files-after", "20 flowers"),
        ("refused", "can't keep `stream` (generator)"),
        ("refused", "leave it out with --exclude stream"),
        ("exclude", "kept"),
        ("slow", "computed"),
    ],
    "panel": [
        ("calls", "{0.01: 0.463, 0.1: 0.463, 1.0: 0.405}"),
        ("panel", "experiment=ridge"),
        ("ls", "experiment=ridge"),
        ("show", "draft = table.sample(5, random_state=0)"),
        ("pin", "pinned 1 record of summary"),
        ("prune", "stays: 1 pinned"),
        ("forget", "forgot 1 record of draft"),
        ("verify", "all right: 4 records"),
    ],
    "teams": [
        ("stranger", "is not signed by you, so it is not loaded"),
        ("list", "⚠ untrusted"),
        ("trust", "trusted 2 records"),
        ("trusted", "True 0.0832"),
        ("sign", "False"),
        ("accept", "True 0.0838"),
        ("store", "'records'"),
        ("near", "True 0.0837"),
        ("export", "wrote 3 records to results.ckpts"),
        ("import", "imported 3 records, 0 were there already"),
        ("imported", "[True, True, True, False]"),
    ],
    "sweeps": [
        ("function", "0.972"),
        ("map", "[0.916, 0.955, 0.972, 0.972]"),
        ("breaks", "the power went out\n[0, 1, 2]"),
        ("goes-on", "[0, 1, 4, 9, 16, 25]"),
        ("collect", "[0.955, 'ValueError', 0.972]"),
        ("processes", "0.956"),
        ("tags", "[0.916, 0.955] (('sweep', 'tuesday'),)\n()"),
    ],
}

# What would take half a minute: the size of the work doesn't matter to what is shown of it.
SMALLER = {"np.logspace(-3, 3, 13)": "np.logspace(0, 1, 2)", "np.logspace(-6, -2, 9)": "np.logspace(-4, -3, 2)"}

# Cells that are about not being restored.
NOT_RESTORED = {"cells": ["files-again", "refused"], "panel": ["draft"]}


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
    with pytest.MonkeyPatch.context() as patch:
        # On a busy machine the checkpoint of any function may take longer than the function.
        patch.setenv("PYTHONWARNINGS", "ignore:the checkpoint of")
        for hash_seed in (1, 2):
            for name in WRITTEN:
                (directory / name).unlink(missing_ok=True)
            document = nbformat.read(runs.ROOT / "notebooks" / f"{request.param}.ipynb", as_version=4)
            for cell, (much, little) in itertools.product(document.cells, SMALLER.items()):
                cell.source = cell.source.replace(much, little)
            both.append(runs.run_document(document, directory, directory / "executed.ipynb", hash_seed=hash_seed))
            documents.append(document)
    texts = {
        cell.id: "\n".join(map(text, whole(cell.outputs))) for cell in documents[0].cells if cell.cell_type == "code"
    }
    return Walk(request.param, *both, texts)


def whole(outputs: list[Any]) -> list[Any]:
    """`outputs`, where what was printed is one, in however many parts the kernel has sent it."""
    joined: list[Any] = []
    for output in outputs:
        if joined and "name" in output and output["name"] == joined[-1].get("name"):
            joined[-1] = {**joined[-1], "text": joined[-1]["text"] + output["text"]}
        else:
            joined.append(output)
    return joined


def text(output: Any) -> str:
    bundle = output.get("data", {})
    return output.get("text", "").strip() or f"{bundle.get('text/plain', '')}\n{bundle.get('text/html', '')}".strip()


@pytest.mark.kernel
@pytest.mark.slow
def test_the_cells_of_a_walk_show_what_its_text_says(walk: Walk) -> None:
    assert [(cell, shown, walk.texts[cell]) for cell, shown in SHOWN[walk.name] if shown not in walk.texts[cell]] == []


@pytest.mark.kernel
@pytest.mark.slow
def test_a_walk_shows_and_leaves_the_same_the_second_time(walk: Walk) -> None:
    assert runs.not_as_in(walk.cold, walk.warm, "cold") == []
    warm = zip(walk.texts, walk.warm.cells, strict=True)
    again = [name for name, cell in warm if cell.title.startswith("%%checkpoint") and cell.status != "restored"]
    assert again == NOT_RESTORED.get(walk.name, [])


def test_every_cell_that_is_looked_at_is_there() -> None:
    for name, looks in SHOWN.items():
        cells = {cell.id for cell in nbformat.read(runs.ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells}
        assert {cell for cell, _ in looks} <= cells


@pytest.mark.parametrize("name", SHOWN)
def test_a_walk_leads_to_pages_that_are_there(name: str) -> None:
    source = (runs.ROOT / "notebooks" / f"{name}.ipynb").read_text("utf-8")
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", source)
    assert [link for link in links if not (runs.ROOT / "notebooks" / link).exists()] == []
    assert links
