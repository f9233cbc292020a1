"""The panel as people use it, in JupyterLab and in Notebook."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator


def labels(rows: Locator) -> list[str]:
    return rows.locator(".ck-open").all_inner_texts()


def test_it_shows_what_is_kept(scene: Scene) -> None:
    expect(scene.rows()).to_have_count(6)
    expect(scene.panel.get_by_role("list", name="Summary")).to_contain_text("Checkpoints 6")
    expect(scene.row("train")).to_contain_text("restored")
    expect(scene.row("train")).to_contain_text("run=5")
    expect(scene.row("evaluate")).to_contain_text("kept")


def test_a_click_on_a_head_sorts_and_another_one_turns_it_round(scene: Scene) -> None:
    head = scene.panel.get_by_role("columnheader", name="Size")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    sizes = scene.rows().locator(".ck-size")
    expect(sizes.first).to_contain_text("MB")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(sizes.last).to_contain_text("MB")


def test_a_search_leaves_what_fits(scene: Scene) -> None:
    search = scene.panel.get_by_role("searchbox", name="Search")
    search.fill("tree")
    expect(scene.rows()).to_have_count(2)
    assert set(labels(scene.rows())) == {"train"}
    search.fill("nothing like it")
    expect(scene.panel).to_contain_text("No checkpoint fits")
    scene.panel.get_by_role("button", name="Show all").click()
    expect(scene.rows()).to_have_count(6)


def test_filters_leave_what_fits(scene: Scene) -> None:
    scene.panel.get_by_label("Status").select_option("restored")
    expect(scene.rows()).to_have_count(2)
    scene.panel.get_by_label("Tag").select_option("run=3")
    expect(scene.rows()).to_have_count(1)


def test_the_details_say_what_a_record_is_and_how_it_differs(scene: Scene) -> None:
    details = scene.details("train")
    expect(details).to_contain_text("def train(depth):")
    expect(details).to_contain_text("argument `depth` changed: 3 → 5")
    expect(details.get_by_role("region", name="Ingredients")).to_contain_text("argument")
    expect(details.get_by_role("region", name="Outputs")).to_contain_text("(result)")
    expect(details).to_contain_text("History: 2 versions")


def test_versions_of_a_label_are_compared(scene: Scene) -> None:
    details = scene.details("prepare")
    expect(details).to_contain_text("20000 → 300000")
    details.get_by_role("button", name=re.compile("Compare with")).last.click()
    expect(details).to_contain_text("1000 → 300000")
    details.get_by_role("button", name=re.compile("^Show ")).last.click()
    expect(details.get_by_role("region", name="Ingredients", exact=True)).to_contain_text("1000")


def test_deleting_takes_two_clicks(scene: Scene) -> None:
    scene.row("evaluate").get_by_role("checkbox").check()
    delete = scene.panel.get_by_role("button", name=re.compile("^Delete selected"))
    delete.click()
    armed = scene.panel.get_by_role("button", name=re.compile(r"Really delete 1 \(\d+ B\)\?"))
    expect(armed).to_be_visible()
    expect(scene.rows()).to_have_count(6)
    armed.click()
    expect(scene.rows()).to_have_count(5)
    expect(scene.panel).to_contain_text("Deleted 1 checkpoint")
    assert scene.ask("seed.evaluate.is_cached(seed.train(5))") == "False"


@pytest.mark.parametrize("way", ["Escape", "blur"])
def test_what_is_armed_is_disarmed(scene: Scene, way: str) -> None:
    scene.row("evaluate").get_by_role("checkbox").check()
    scene.panel.get_by_role("button", name=re.compile("^Delete selected")).click()
    expect(scene.panel.get_by_role("button", name=re.compile("^Really delete"))).to_be_focused()
    if way == "Escape":
        scene.page.keyboard.press("Escape")
    else:
        scene.panel.get_by_role("searchbox").focus()
    expect(scene.panel.get_by_role("button", name=re.compile("^Delete selected"))).to_be_visible()
    expect(scene.rows()).to_have_count(6)


def test_a_value_is_loaded_under_a_name(scene: Scene) -> None:
    details = scene.details("prepare")
    details.get_by_role("textbox", name="as").fill("numbers")
    details.get_by_role("button", name="Load into the notebook").click()
    expect(scene.panel).to_contain_text("Loaded as numbers.")
    assert scene.ask("len(numbers)") == "300000"
    scene.notebook.execute("numbers = 'mine'")
    details.get_by_role("button", name="Load into the notebook").click()
    replacing = details.get_by_role("button", name="Really replace numbers?")
    expect(replacing).to_be_visible()
    assert scene.ask("numbers") == "'mine'"
    replacing.click()
    expect(scene.panel).to_contain_text("Loaded as numbers.")
    assert scene.ask("len(numbers)") == "300000"


def test_it_follows_a_running_cell(scene: Scene) -> None:
    with scene.cell("seed.slow({!r})"):
        running = scene.panel.locator(".ck-running")
        expect(running).to_contain_text("slow step")
        expect(running).to_contain_text("computing")
    expect(scene.row("slow step")).to_contain_text("kept")
    expect(running).to_have_count(0)


def test_hits_count_up(scene: Scene) -> None:
    expect(scene.row("evaluate").locator(".ck-hits")).to_have_text("0")
    scene.notebook.execute("for _ in range(7): seed.evaluate(seed.train(5))")
    expect(scene.row("evaluate").locator(".ck-hits")).to_have_text("7")
    expect(scene.row("evaluate")).to_contain_text("restored")


def test_a_record_is_deleted_while_a_cell_runs_and_nothing_is_put_among_its_variables(scene: Scene) -> None:
    details = scene.details("prepare")
    scene.row("evaluate").get_by_role("checkbox").check()
    with scene.cell("seed.wait_for({!r}); after = 'done'"):
        scene.panel.get_by_role("button", name=re.compile("^Delete selected")).click()
        scene.panel.get_by_role("button", name=re.compile("^Really delete")).click()
        expect(scene.rows()).to_have_count(5)
        details.get_by_role("button", name="Load into the notebook").click()
        expect(scene.panel).to_contain_text("A cell is running.")
    assert scene.ask("('after' in dir(), 'prepare_result' in dir())") == "(True, False)"


def test_a_kernel_that_is_silent_is_told_of_until_it_answers(scene: Scene) -> None:
    kernel = int(scene.ask("__import__('os').getpid()"))
    time.sleep(1)  # until the page has heard that it is idle again: a busy kernel may be silent for long
    os.kill(kernel, signal.SIGSTOP)
    try:
        scene.row("evaluate").get_by_role("checkbox").check()
        expect(scene.panel).to_contain_text("The kernel is busy")
        expect(scene.panel).to_contain_text("No kernel answers", timeout=10_000)
        expect(scene.panel.get_by_role("searchbox")).to_be_disabled()
    finally:
        os.kill(kernel, signal.SIGCONT)
    expect(scene.panel.get_by_role("button", name=re.compile("^Delete selected 1"))).to_be_visible()
    expect(scene.panel).not_to_contain_text("No kernel answers")
    expect(scene.panel.get_by_role("searchbox")).to_be_enabled()


def controls(scene: Scene) -> Locator:
    return scene.panel.locator("button, input, select, summary, [tabindex='0']")


def test_no_key_in_any_control_deletes_the_cell(scene: Scene) -> None:
    scene.details("train")
    count = scene.notebook.cells().count()
    found = controls(scene).element_handles()
    assert len(found) > 20
    for control in reversed(found):  # the search last, since it takes the others away
        control.focus()
        scene.page.keyboard.press("d")
        scene.page.keyboard.press("d")
    scene.page.wait_for_timeout(300)
    assert scene.notebook.cells().count() == count


def test_the_focus_stays_in_the_panel_when_what_had_it_goes(scene: Scene) -> None:
    details = scene.details("train")
    details.get_by_role("button", name="Close").click()
    expect(details).to_have_count(0)
    count = scene.notebook.cells().count()
    scene.page.keyboard.press("d")
    scene.page.keyboard.press("d")
    scene.page.wait_for_timeout(300)
    assert scene.notebook.cells().count() == count
    assert scene.page.evaluate("document.activeElement.closest('.ck') !== null")


def test_everything_can_be_done_with_the_keyboard(scene: Scene) -> None:
    scene.panel.get_by_role("searchbox").focus()
    for _ in range(5):  # the filters, then what reads anew
        scene.page.keyboard.press("Tab")
    scene.rows().locator(".ck-open").first.focus()
    scene.page.keyboard.press("ArrowDown")
    expect(scene.rows().locator(".ck-open").nth(1)).to_be_focused()
    scene.page.keyboard.press("Enter")
    expect(scene.panel.get_by_role("region", name=re.compile("^Details of"))).to_be_visible()
    expect(scene.rows().locator(".ck-open").nth(1)).to_have_attribute("aria-expanded", "true")


def test_a_failed_load_is_told_with_the_way_out(bare: Scene) -> None:
    bare.seed("fail()")
    bare.show()
    details = bare.details("fit with the old library")
    failure = details.get_by_role("region", name="Load failure")
    expect(failure).to_contain_text("ModuleNotFoundError: No module named 'vanished'")
    expect(bare.row("fit with the old library")).to_contain_text("failed")


def test_what_a_stranger_signed_is_trusted_with_two_clicks(bare: Scene) -> None:
    bare.seed("distrust()")
    bare.show()
    expect(bare.row("from a stranger")).to_contain_text("untrusted")
    details = bare.details("from a stranger")
    expect(details.get_by_role("button", name="Load into the notebook")).to_have_count(0)
    details.get_by_role("button", name="Trust").click()
    details.get_by_role("button", name=re.compile("Really trust it")).click()
    expect(bare.row("from a stranger")).to_contain_text("kept")
    details.get_by_role("button", name="Load into the notebook").click()
    expect(bare.panel).to_contain_text("Loaded as result.")
    assert bare.ask("result") == "42"


def test_a_record_is_pinned_verified_and_forgotten(scene: Scene) -> None:
    details = scene.details("evaluate")
    details.get_by_role("button", name="Pin").click()
    expect(scene.row("evaluate")).to_contain_text("pinned")
    details.get_by_role("button", name="Verify").click()
    expect(scene.panel).to_contain_text("All right")
    details.get_by_role("button", name="Forget").click()
    details.get_by_role("button", name="Really forget it?").click()
    expect(scene.rows()).to_have_count(5)


def test_an_empty_cache_says_how_to_begin(bare: Scene) -> None:
    expect(bare.show()).to_contain_text("Put %%checkpoint above a slow cell")


def test_there_are_pages(bare: Scene) -> None:
    bare.seed("many(60)")
    bare.show()
    expect(bare.rows()).to_have_count(50)
    bare.panel.get_by_role("button", name="Next").click()
    expect(bare.rows()).to_have_count(10)
    expect(bare.panel).to_contain_text("51–60 of 60")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_keeps_nobody_out(bare: Scene, violations: Callable[[Scene], list[Any]], theme: str) -> None:
    bare.notebook.wear(theme)
    bare.seed("fill()", "fail()", "distrust()", "many(60)")
    bare.show()
    bare.row("prepare").get_by_role("checkbox").check()
    bare.panel.get_by_role("button", name=re.compile("^Delete selected")).click()
    bare.panel.get_by_role("button", name=re.compile("^Really delete")).wait_for()
    assert violations(bare) == []
    bare.panel.get_by_role("searchbox", name="Search").fill("vanished")
    expect(bare.rows()).to_have_count(1)
    bare.details("fit with the old library")
    assert violations(bare) == []
