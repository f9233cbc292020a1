"""``%checkpoint auto``: every cell is a checkpoint, the quick ones just run, and what can't be kept is told once."""

from __future__ import annotations

import pytest

from tests.semantics.shells import Bench

AUTO = "%checkpoint auto --min-seconds 0.05"
SLOW = "import time; time.sleep(0.06)\n"


def test_a_slow_cell_without_a_magic_is_kept_and_restored(bench: Bench) -> None:
    cells = (AUTO, "n = 3", SLOW + "print('ran')\nsquares = [i * i for i in range(n)]\nsum(squares)")
    cold, warm = bench.run(*cells, look=("squares",)), bench.run(*cells, look=("squares",))
    assert (cold.outcomes, warm.outcomes) == (["computed"], ["restored"])
    assert cold.values == warm.values == ["[0, 1, 4]"]
    assert warm.outputs == cold.outputs


def test_a_quick_cell_just_runs_and_nothing_is_said_of_it(bench: Bench) -> None:
    for _ in range(2):
        run = bench.run(AUTO, "x = 1\nx", "%checkpoint list", look=("x",))
        assert run.outcomes == []
        assert run.values == ["1"]
        assert "0 records" in run.cells[2].text


def test_a_chain_of_slow_cells_comes_back_and_an_edit_in_the_middle_spoils_what_depends_on_it(bench: Bench) -> None:
    first, other = SLOW + "a = 1", SLOW + "c = 7"
    bench.run(AUTO, first, SLOW + "b = a + 1", SLOW + "d = b * 2", other)
    edited = bench.run(AUTO, first, SLOW + "b = a + 2", SLOW + "d = b * 2", other, look=("a, b, c, d",))
    assert edited.outcomes == ["restored", "computed", "computed", "restored"]
    assert edited.values == ["(1, 3, 7, 6)"]


def test_a_slow_cell_that_cant_be_kept_is_told_of_once(bench: Bench) -> None:
    cell = SLOW + "import threading\nlock = threading.Lock()"
    run = bench.run(AUTO, cell, cell, look=("lock.acquire()",))
    assert [c.outcome for c in run.cells[1:]] == ["refused", None]
    assert "`lock`" in run.cells[1].because
    assert run.values == ["True"]


def test_a_quick_cell_that_could_not_be_identified_is_not_told_of(bench: Bench) -> None:
    run = bench.run(AUTO, "import threading\nlock = threading.Lock()", "lock.locked()")
    assert run.outcomes == []


@pytest.mark.parametrize("cell", ["%cd .", "%%time\nx = 1", "%load_ext ipycheckpoint", "1 +"])
def test_magics_and_errors_are_left_alone(bench: Bench, cell: str) -> None:
    marked, plain = bench.run(AUTO, cell), bench.run("%checkpoint auto off", cell)
    assert marked.cells[1].errors == plain.cells[1].errors
    assert marked.outcomes == []


def test_a_cell_with_a_magic_of_its_own_has_its_own_options(bench: Bench) -> None:
    run = bench.run("%checkpoint auto --min-seconds 9", "%%checkpoint mine\nx = 1")
    assert run.cells[1].abouts[0]["label"] == "mine"


def test_off_ends_it(bench: Bench) -> None:
    run = bench.run(AUTO, "%checkpoint auto off", SLOW + "x = 1")
    assert run.outcomes == []


def test_a_failing_cell_is_not_kept_and_shows_its_own_error(bench: Bench) -> None:
    for _ in range(2):
        run = bench.run(AUTO, SLOW + "x = 1\n1 / 0", look=("x",))
        assert run.cells[1].errors == ["ZeroDivisionError"]
        assert (run.outcomes, run.values) == ([], ["1"])


@pytest.mark.parametrize(("line", "said"), [("auto 3", "auto off"), ("auto --min-seconds x", "no number of seconds")])
def test_a_bad_option_is_a_short_error(bench: Bench, line: str, said: str) -> None:
    cell = bench.run(f"%checkpoint {line}").cells[0]
    assert cell.errors == ["UsageError"]
    assert said in cell.text
