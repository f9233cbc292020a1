"""The line under a cell, in a shell: where and when it is shown, and that it stands in nobody's way."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from tests.semantics.shells import OUTCOME, ROOT, Bench, Cell

MAGIC = "%%checkpoint\n"

SETUP = "import numpy as np\nn = np.ones(3)\n"

SLOW = SETUP + "import ipycheckpoint.surfaces.pace as pace\npace.FIRST_SECONDS = pace._NEXT_SECONDS = 0.0"
"""Everything takes as long as it needs for a word."""

LARGE = "print('out')\nx = np.arange(1_000_000.0) + n[0]\nprint('end')"


def kinds(cell: Cell) -> list[str]:
    """What was seen, in order, our last words aside; a display as the first word of its text, or nothing."""
    return [_kind(output) for output in cell.outputs]


def _kind(output: list[Any]) -> str:
    if output[0] != "display":
        return output[0]
    return "".join(output[1].get("text/plain", "").split()[1:2])


def test_a_quick_cell_has_one_display(bench: Bench) -> None:
    for _ in range(2):
        cell = bench.run(MAGIC + "x = 1\nprint('out')").cells[0]
        assert (kinds(cell), len(cell.abouts)) == (["stdout"], 1)


def test_a_slow_save_shows_its_progress_after_the_output(bench: Bench) -> None:
    cell = bench.run(SLOW, MAGIC + LARGE).cells[1]
    assert kinds(cell)[0] == "looking"
    assert kinds(cell)[1:3] == ["clear", "stdout"]
    assert {*kinds(cell)[3:]} == {"looking", "keeping"}
    assert cell.outcome == "computed"


def test_all_of_a_slow_save_is_one_display(bench: Bench) -> None:
    cell = bench.run(SLOW, MAGIC + LARGE).cells[1]
    shown = [output for output in cell.outputs if output[0] == "display"][1:]
    assert [output[3] for output in shown] == [False] + [True] * (len(shown) - 1)
    assert len({output[2]["display_id"] for output in shown}) == 1


def test_a_slow_load_shows_its_progress_and_clears_it_before_the_output(bench: Bench) -> None:
    bench.run(SETUP, MAGIC + LARGE)
    cell = bench.run(SLOW, MAGIC + LARGE).cells[1]
    assert "loading" in kinds(cell)
    assert kinds(cell)[-2:] == ["clear", "stdout"]
    assert (cell.outcome, len(cell.abouts)) == ("restored", 1)


@pytest.mark.parametrize(
    ("before", "magic"),
    [
        ("pass", "%%checkpoint --quiet\n"),
        ("%config Checkpoint.quiet = True", MAGIC),
        ("%config Checkpoint.quiet = True\n%checkpoint auto --min-seconds 0", ""),
    ],
)
def test_what_is_quiet_shows_nothing_at_all(bench: Bench, before: str, magic: str) -> None:
    for _ in range(2):
        cell = bench.run(SLOW, before, magic + LARGE).cells[2]
        assert (kinds(cell), cell.abouts) == (["stdout"], [])


def test_a_cell_without_a_magic_shows_the_same_when_every_cell_is_a_checkpoint(bench: Bench) -> None:
    auto = "%checkpoint auto --min-seconds 0"
    cold, warm = (bench.run(SLOW, auto, LARGE).cells[2] for _ in range(2))
    assert "keeping" in kinds(cold)
    assert "loading" in kinds(warm)
    assert ["clear" in kinds(cell) for cell in (cold, warm)] == [True, True]
    assert [len(cell.abouts) for cell in (cold, warm)] == [1, 1]


def test_what_a_hook_shows_before_a_cell_is_not_cleared(bench: Bench) -> None:
    hook = "get_ipython().events.register('pre_run_cell', lambda info: print('before'))"
    bench.run(SETUP, MAGIC + LARGE)
    cell = bench.run(SLOW, hook, MAGIC + LARGE).cells[2]
    assert (cell.text, cell.outcome) == ("before\nout\nend\n", "restored")
    assert "clear" not in kinds(cell)
    assert kinds(cell)[-2:] == ["", "stdout"]


def test_what_loading_prints_is_not_cleared(bench: Bench) -> None:
    setup = "class Loud:\n    def __getstate__(self): return 1\n    def __setstate__(self, state): print('loaded')"
    bench.run(setup, MAGIC + "x = Loud()")
    cell = bench.run(SLOW, setup, MAGIC + "x = Loud()").cells[2]
    assert (cell.text, cell.outcome) == ("loaded\n", "restored")
    assert {"loading", ""} <= {*kinds(cell)}
    assert "clear" not in kinds(cell)


@pytest.mark.parametrize("above", ["%%time\n", "%%capture\n"])
def test_no_output_is_cleared_under_a_magic_above(bench: Bench, above: str) -> None:
    cell = "print('first')\nget_ipython().run_cell_magic('capture', 'c', '%%checkpoint\\nx = 1')\nprint('last')"
    for _ in range(2):
        assert kinds(bench.run(SLOW, cell).cells[1]).count("clear") == 0
    for _ in range(2):
        inner = bench.run(SLOW, above + MAGIC + "x = 1\nprint('out')").cells[1]
        assert "clear" not in kinds(inner)
        assert len(inner.abouts) == 1


def test_inside_of_another_cell_no_progress_is_shown(bench: Bench) -> None:
    inner = "get_ipython().run_cell('%%checkpoint\\nx = 1')\nprint('out')"
    cell = bench.run(SLOW, inner).cells[1]
    assert (kinds(cell), len(cell.abouts)) == (["stdout"], 1)


def test_lines_of_inner_cells_come_first_and_none_is_on_a_tape(bench: Bench) -> None:
    outer = "%%checkpoint outer\nget_ipython().run_cell('%%checkpoint inner\\na = 1')\nb = a"
    assert [about["label"] for about in bench.run(SLOW, outer).cells[1].abouts] == ["inner", "outer"]
    assert [about["label"] for about in bench.run(SLOW, outer).cells[1].abouts] == ["outer"]


def test_no_progress_of_an_inner_checkpoint_is_on_the_tape_of_the_outer_one(bench: Bench) -> None:
    outer = (
        "%%checkpoint outer\nget_ipython().run_cell_magic('time', '', '%%checkpoint inner\\nx = n[0]')\nprint('out')"
    )
    cold, warm = (bench.run(SLOW, outer).cells[1] for _ in range(2))
    assert ([about["label"] for about in cold.abouts], warm.outcome) == (["outer", "inner"], "restored")
    assert [kind for kind in kinds(warm) if kind not in ("looking", "loading", "clear")] == ["stdout"]


def test_a_front_end_that_fails_to_show_progress_costs_nothing(bench: Bench) -> None:
    broken = (
        f"{SLOW}\npublisher = type(get_ipython().display_pub)\npublish = publisher.publish\n"
        "def publish_some(self, data, *args, **more):\n"
        f"    if '{OUTCOME}' not in data: raise OSError('gone')\n"
        "    return publish(self, data, *args, **more)\npublisher.publish = publish_some"
    )
    assert bench.run(broken, MAGIC + LARGE, look=("x[5]",)).outcomes == ["computed"]
    assert bench.run(broken, MAGIC + LARGE, look=("x[5]",)).outcomes == ["restored"]


@pytest.mark.parametrize("word", ["looking at the results", "keeping"])
def test_an_interrupt_while_progress_is_shown_after_the_run_keeps_nothing_and_the_values_stay(
    bench: Bench, word: str
) -> None:
    setup = (
        f"{SLOW}\npublisher = type(get_ipython().display_pub)\npublish = publisher.publish\n"
        "def interrupted(self, data, *args, **more):\n"
        f"    if '… {word}' in data.get('text/plain', ''): raise KeyboardInterrupt\n"
        "    return publish(self, data, *args, **more)\npublisher.publish = interrupted"
    )
    run = bench.run(setup, MAGIC + LARGE, MAGIC + "y = 1", look=("int(x[5])", "y"))
    assert run.values == ["6", "1"]
    assert run.cells[1].outcome == "refused"
    assert "interrupted" in run.cells[1].because
    assert bench.run(SETUP, MAGIC + LARGE).outcomes == ["computed"]


def test_an_interrupt_while_a_load_shows_its_progress_restores_nothing(bench: Bench) -> None:
    setup = (
        f"{SLOW}\npublisher = type(get_ipython().display_pub)\npublish = publisher.publish\n"
        "def interrupted(self, data, *args, **more):\n"
        "    if '… loading' in data.get('text/plain', ''): raise KeyboardInterrupt\n"
        "    return publish(self, data, *args, **more)\npublisher.publish = interrupted"
    )
    bench.run(SETUP, MAGIC + LARGE)
    run = bench.run(setup, MAGIC + LARGE, look=("'x' in globals()",))
    assert (run.cells[1].errors, run.values) == (["KeyboardInterrupt"], ["False"])
    assert kinds(run.cells[1])[-3:] == ["clear", "stdout", "error"]


def test_a_second_refusal_that_took_long_has_its_last_word(bench: Bench) -> None:
    auto = "%checkpoint auto --min-seconds 0"
    cell = "import threading\nlock = threading.Lock(), n"
    cells = bench.run(SETUP + auto, cell, cell, "%%checkpoint --quiet\n" + SLOW, cell).cells
    assert [len(cell.abouts) for cell in cells] == [0, 1, 0, 0, 1]


# In a real terminal


TERMINAL = """
import sys
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
shell = TerminalInteractiveShell.instance(config=config)
shell.run_line_magic("load_ext", "ipycheckpoint")
for cell in sys.argv[1:]:
    shell.run_cell(cell, store_history=True)
"""


def typed(bench: Bench, *cells: str) -> str:
    """All that a terminal gets while cells run in it."""
    terminal, ours = pty.openpty()
    environ = {**os.environ, "IPYCHECKPOINT_DIR": str(bench.directory / "cache"), "PYTHONPATH": str(ROOT)}
    environ |= {"COLUMNS": "80", "IPYTHONDIR": str(bench.directory / "ipython")}
    command = [sys.executable, "-W", "ignore", "-c", TERMINAL, *cells]
    process = subprocess.Popen(command, stdin=ours, stdout=ours, stderr=ours, env=environ)
    os.close(ours)
    text = b""
    with contextlib.suppress(OSError):  # that is how a terminal says that nobody writes any more
        while piece := os.read(terminal, 65536):
            text += piece
    os.close(terminal)
    assert process.wait() == 0
    return text.decode().replace("\r\n", "\n")


def test_a_terminal_shows_progress_in_one_line_and_erases_it(bench: Bench) -> None:
    cell = MAGIC + "x = np.arange(1_000_000.0) + n[0]\nprint('no end', end='')"
    for word, last in [("keeping", "computed"), ("loading", "restored")]:
        shown = typed(bench, SLOW, cell)
        *_, progress, end = shown.split("\r\x1b[2K")
        assert f"\r\x1b[2K{word}" in shown
        assert (progress.count("\n"), end.count("\n")) == (0, 1)
        assert last in end
        assert shown.index("no end") < shown.index(last)


def test_a_terminal_shows_the_last_word_only_when_all_is_quick(bench: Bench) -> None:
    assert "\x1b[2K" not in typed(bench, MAGIC + "x = 1")
