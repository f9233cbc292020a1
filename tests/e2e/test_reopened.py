"""A notebook with a panel, after its kernel is gone: a picture of the cache is left, and says that it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import CELLS, PANEL, SETUP
from tests.e2e.frontend import Notebook, Server, write_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

FACTS = "Checkpoints: 6"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    yield page
    page.close()


@pytest.fixture(scope="package")
def saved(server: Server, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook that was run, saved and shut down; after a restart of its kernel, its panel said so."""
    path = server.root / "saved.ipynb"
    write_notebook(path, *CELLS)
    page = browser.new_page(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    notebook = Notebook(server, page, path.name)
    notebook.open()
    notebook.wait_until_idle()
    notebook.run(SETUP)
    notebook.execute(f"seed.begin({str(tmp_path_factory.mktemp('saved') / 'cache')!r}); seed.fill()")
    notebook.run(PANEL)
    panel = page.locator(".jp-Notebook .ck")
    expect(panel).to_contain_text("Checkpoints 6")
    notebook.command("docmanager:save")
    notebook.restart()
    expect(panel).to_contain_text(
        "No kernel answers",
    )
    expect(panel.get_by_role("searchbox")).to_be_disabled()
    expect(panel).to_contain_text("Checkpoints 6")
    notebook.close()
    page.close()
    server.end_kernel_of(path.name)
    return path


def reopen(server: Server, page: Page, name: str) -> Notebook:
    notebook = Notebook(server, page, name)
    notebook.open()
    expect(page.locator(".jp-Notebook details summary")).to_contain_text(FACTS, timeout=20_000)
    return notebook


def test_a_trusted_notebook_that_is_opened_again_shows_the_facts(server: Server, page: Page, saved: Path) -> None:
    notebook = reopen(server, page, saved.name)
    page.locator(".jp-Notebook details summary").click()
    expect(page.locator(".jp-Notebook details td", has_text="evaluate")).to_be_visible()
    assert notebook.outside == []


def test_an_untrusted_notebook_shows_the_facts(server: Server, page: Page, saved: Path) -> None:
    strange = nbformat.read(saved, 4)
    strange.cells[-1].source = "'changed by somebody else'"
    nbformat.write(strange, server.root / "strange.ipynb")
    notebook = reopen(server, page, "strange.ipynb")
    page.locator(".jp-Notebook details summary").click()
    expect(page.locator(".jp-Notebook td", has_text="evaluate").first).to_be_visible()
    assert notebook.outside == []


def test_the_notebook_as_a_page_shows_the_facts_offline(page: Page, saved: Path, tmp_path: Path) -> None:
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter().from_filename(str(saved))
    file = tmp_path / "saved.html"
    file.write_text(html)
    page.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
    page.goto(file.as_uri())
    summary = page.locator("details summary")
    expect(summary).to_contain_text(FACTS)
    summary.click()
    expect(page.locator("details td", has_text="evaluate")).to_be_visible()
