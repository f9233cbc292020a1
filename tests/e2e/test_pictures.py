"""The pictures in README and docs, of a cell and of the panel: ``make screenshots`` puts them there."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.e2e.frontend import Notebook, Server, write_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.e2e.conftest import Scene

pytestmark = pytest.mark.parametrize("server", ["lab"], indirect=True)


@pytest.fixture
def take(bare: Scene, tmp_path: Path):
    """Takes a picture of the panel as it is."""
    directory = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    page, size = bare.page, bare.page.viewport_size

    def take(name: str, width: int = 1000) -> None:
        page.mouse.move(0, 0)
        page.set_viewport_size({"width": width, "height": 2400})
        page.evaluate("window.jupyterapp.shell.collapseLeft?.()")
        expect(bare.panel).to_be_visible()
        bare.panel.screenshot(path=directory / f"panel-{name}.png", animations="disabled")
        assert (directory / f"panel-{name}.png").stat().st_size > 3000

    yield take
    page.set_viewport_size(size)
    bare.notebook.wear("light")


IMPORTS, STUDY = 0, 1

CELLS = (
    """%load_ext ipycheckpoint
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC
%config InlineBackend.figure_formats = ["svg"]
plt.rcParams |= {"figure.figsize": (5, 2), "axes.spines.top": False, "axes.spines.right": False}
X, y = load_digits(return_X_y=True)""",
    """%%checkpoint study
powers = np.logspace(-2, 3, 11)
models = [SVC(C=C, random_state=0) for C in powers]
scores = [cross_val_score(m, X, y, cv=10).mean() for m in models]
print(f"{max(scores):.1%} of the digits are read right")
plt.semilogx(powers, scores, "o-")
plt.ylabel("accuracy");""",
)

SIDE_BY_SIDE = """<body style="margin: 0; background: white">
<main style="display: flex; gap: 16px; width: max-content; padding: 12px; font: 16px sans-serif; color: #333">
<figure style="margin: 0"><figcaption>The first time</figcaption><img></figure>
<figure style="margin: 0"><figcaption>After a restart of the kernel</figcaption><img></figure>
</main>"""


@pytest.fixture
def page(browser: Browser):
    """A page whose pictures are sharp on any screen."""
    page = browser.new_page(viewport={"width": 700, "height": 1000}, device_scale_factor=2, reduced_motion="reduce")
    yield page
    page.close()


def test_a_cell_before_and_after_a_restart(server: Server, page: Page, tmp_path: Path) -> None:
    write_notebook(server.root / "study.ipynb", *CELLS)
    notebook = Notebook(server, page, "study.ipynb")
    notebook.open()
    page.evaluate("window.jupyterapp.shell.collapseLeft?.()")
    shots = []
    for line in ("computed", "restored"):
        notebook.wait_until_idle()
        notebook.run(IMPORTS)
        notebook.run(STUDY)
        cell = notebook.cells().nth(STUDY)
        expect(cell.get_by_text(line)).to_be_visible(timeout=60_000)
        page.evaluate("document.activeElement.blur()")
        page.mouse.move(0, 0)
        shots.append(base64.b64encode(cell.screenshot(animations="disabled")).decode())
        notebook.restart()
    notebook.close()

    page.set_viewport_size({"width": 1600, "height": 1000})
    page.unroute_all()
    page.set_content(SIDE_BY_SIDE)
    page.evaluate(
        """shots => Promise.all([...document.images].map((image, number) => {
            image.src = "data:image/png;base64," + shots[number];
            return image.decode().then(() => { image.width = image.naturalWidth / 2 });
        }))""",
        shots,
    )
    file = Path(os.environ.get("SCREENSHOTS") or tmp_path) / "before-and-after.png"
    page.locator("main").screenshot(path=file)
    assert 3000 < file.stat().st_size < 200_000


def gallery(scene: Scene) -> None:
    scene.notebook.execute("from tests.e2e import gallery; gallery.hang()")
    scene.show()
    expect(scene.panel).not_to_contain_text("…")  # the store is weighed


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_panel(bare: Scene, take, theme: str) -> None:
    bare.notebook.wear(theme)
    gallery(bare)
    take(theme, width=1200)


def test_the_panel_in_a_narrow_place(bare: Scene, take) -> None:
    gallery(bare)
    take("narrow", width=560)


def test_the_details_of_a_record(bare: Scene, take) -> None:
    gallery(bare)
    bare.details("train")
    take("details")


def test_a_load_failure(bare: Scene, take) -> None:
    gallery(bare)
    bare.panel.get_by_label("Status").select_option("failed")
    expect(bare.rows()).to_have_count(1)
    bare.details("train baseline")
    take("failure")


def test_an_empty_cache(bare: Scene, take) -> None:
    bare.show()
    take("empty")
