"""JupyterLab as Binder sets it up: a saved notebook brings its widgets along, and still shows what they showed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import CELLS, PANEL, SETUP
from tests.e2e.frontend import ROOT, Notebook, Server, write_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

OVERRIDES = json.loads((ROOT / "binder" / "overrides.json").read_text("utf-8"))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Server]:
    server = Server("lab", tmp_path / "lab")
    for name, value in OVERRIDES.items():
        server.set(name.replace(":", "/"), value)
    yield server
    server.close()


def test_a_panel_is_saved_with_the_notebook_and_seen_when_that_is_opened_again(
    lab: Server, browser: Browser, tmp_path: Path
) -> None:
    path = lab.root / "saved.ipynb"
    write_notebook(path, *CELLS)
    page = browser.new_page(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    notebook = Notebook(lab, page, path.name)
    notebook.open()
    notebook.wait_until_idle()
    notebook.run(SETUP)
    notebook.execute(f"seed.begin({str(tmp_path / 'cache')!r}); seed.fill()")
    notebook.run(PANEL)
    expect(page.locator(".jp-Notebook .ck")).to_contain_text("Checkpoints 6")
    notebook.command("docmanager:save")
    saved = nbformat.read(path, 4).metadata["widgets"]["application/vnd.jupyter.widget-state+json"]
    assert any(state["model_module"] == "anywidget" for state in saved["state"].values())
    notebook.close()
    page.close()
    lab.end_kernel_of(path.name)

    page = browser.new_page(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    again = Notebook(lab, page, path.name)
    again.open()
    expect(page.locator(".jp-Notebook .ck")).to_contain_text("evaluate", timeout=20_000)
    assert again.outside == []
    page.close()
