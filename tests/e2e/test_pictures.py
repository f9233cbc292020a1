"""The pictures of the panel in README and docs: ``make screenshots`` puts them there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
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
