"""One server, kernel and page for each front end. A test has a cache of its own, and the panel of it."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.frontend import CHROMIUM, Notebook, Server, chromium, write_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

APPS = ("lab", "notebook")

AXE = "https://registry.npmjs.org/axe-core/-/axe-core-4.11.0.tgz"

SETUP, PANEL, WORK = 0, 1, 2
"""The cells of the notebook, by number."""

CELLS = (
    "%load_ext ipycheckpoint\n%config Checkpoint.quiet = True\nfrom tests.e2e import seed",
    "%checkpoint",
    "pass",
)


def _why_not() -> str | None:
    if not Path(CHROMIUM).exists():
        return f"there is no Chromium at {CHROMIUM}"
    for module in ("playwright", "jupyterlab", "notebook"):
        if find_spec(module) is None:
            return f"{module} is not installed"
    return None


WHY_NOT = None if os.environ.get("CI") else _why_not()
"""Why these tests are skipped; on a machine for tests, what is missing fails them."""

if WHY_NOT is None:
    from playwright.sync_api import expect

    expect.set_options(timeout=15_000)  # for machines that are busy
elif find_spec("playwright") is None:
    collect_ignore_glob = ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("e2e")
            if WHY_NOT is not None:
                item.add_marker(pytest.mark.skip(reason=WHY_NOT))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package", params=APPS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(request.param, tmp_path_factory.mktemp(request.param))
    yield server
    server.close()


@pytest.fixture(scope="package")
def opened(server: Server, browser: Browser) -> Iterator[Notebook]:
    """The one notebook of a front end, with the extension loaded."""
    write_notebook(server.root / "panel.ipynb", *CELLS)
    page = browser.new_page(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    notebook = Notebook(server, page, "panel.ipynb")
    notebook.open()
    notebook.wait_until_idle()
    notebook.run(SETUP)
    yield notebook
    notebook.close()
    page.close()


class Scene:
    """A notebook with a cache that is this test's own, and the panel."""

    def __init__(self, notebook: Notebook, directory: Path) -> None:
        self.notebook, self.page, self.directory = notebook, notebook.page, directory

    @property
    def panel(self) -> Locator:
        return self.page.locator(".jp-Notebook .ck")

    def seed(self, *steps: str) -> None:
        """Do these things of `seed` in the kernel."""
        self.notebook.execute("; ".join(f"seed.{step}" for step in steps))

    def show(self) -> Locator:
        """Run the cell with the panel; what it shows."""
        self.notebook.run(PANEL)
        self.panel.wait_for()
        self.panel.scroll_into_view_if_needed()
        return self.panel

    def rows(self) -> Locator:
        return self.panel.locator("> .ck-box tbody tr")

    def row(self, label: str) -> Locator:
        """The first row of `label`."""
        return self.rows().filter(has=self.page.get_by_role("button", name=label, exact=True)).first

    def details(self, label: str) -> Locator:
        """Open the details of a row; what they show."""
        self.row(label).locator(".ck-open").click()
        found = self.panel.get_by_role("region", name=f"Details of {label}")
        found.wait_for()
        return found

    @contextmanager
    def cell(self, code: str) -> Iterator[None]:
        """Run a cell with `code` for as long as the block; it waits for the file whose path goes into its ``{}``."""
        file = self.directory / "go on"
        self.notebook.write(WORK, code.format(str(file)))
        self.notebook.begin(WORK)
        try:
            yield
        finally:
            file.touch()
            self.notebook.wait_until_idle()

    def ask(self, expression: str) -> str:
        return self.notebook.ask(expression)


@pytest.fixture
def bare(opened: Notebook, tmp_path: Path) -> Iterator[Scene]:
    """An empty cache, no panel yet. Whatever a test does, nothing may leave the server, and nothing be thrown."""
    opened.errors.clear()
    opened.execute(f"seed.begin({str(tmp_path / 'cache')!r})")
    opened.write(WORK, "pass")
    yield Scene(opened, tmp_path)
    assert opened.outside == []
    assert opened.errors == []


@pytest.fixture
def scene(bare: Scene) -> Scene:
    """A cache with six records, and the panel."""
    bare.seed("fill()")
    bare.show()
    return bare


@pytest.fixture(scope="package")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, which looks for what keeps people out."""
    import io
    import tarfile

    try:
        with urllib.request.urlopen(AXE, timeout=60) as answer:
            packed = answer.read()
    except OSError as problem:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"axe-core can't be fetched: {problem}")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        source = archive.extractfile("package/axe.min.js")
        assert source is not None
        return source.read().decode()


@pytest.fixture
def violations(axe: str) -> Callable[[Scene], list[Any]]:
    def find(scene: Scene) -> list[Any]:
        """What axe-core finds wrong in the panel."""
        scene.page.evaluate(axe)
        found = scene.page.evaluate("axe.run('.jp-Notebook .ck', {resultTypes: ['violations']})")
        return [
            (rule["id"], node["html"][:200], node["failureSummary"])
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    return find
