"""The demo fails when the warm run is not the cold one."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest

from tools import demo, runs


def cell(outcome: str | None, shown: str = "42", because: str = "", nbytes: int = 10) -> runs.CellRun:
    said = {"outcome": outcome, "because": because, "nbytes": nbytes} if outcome else None
    return runs.CellRun("%%checkpoint answer", 1.0, said, [["stdout", shown]])


def run(*cells: runs.CellRun, **values: str) -> runs.Run:
    return runs.Run(list(cells), values)


COLD = run(cell("computed"), cell(None), x="int 1")


def test_a_warm_run_that_restores_everything_has_no_differences() -> None:
    assert demo.differences(COLD, run(cell("restored"), cell(None), x="int 1")) == []


@pytest.mark.parametrize(
    ("warm", "message"),
    [
        (
            run(cell("computed", because="x changed"), cell(None), x="int 1"),
            "computed, not restored (because: x changed)",
        ),
        (run(cell("refused"), cell(None), x="int 1"), "refused, not restored"),
        (run(cell("restored", shown="43"), cell(None), x="int 1"), "shows something else"),
        (run(cell("restored"), cell(None, shown="43"), x="int 1"), "shows something else"),
        (run(cell("restored"), cell(None), x="int 2"), "x: not the value"),
        (run(cell("restored"), cell(None)), "x: not the value"),
        (run(cell("restored"), cell(None), x="int 1", y="int 1"), "y: not the value"),
    ],
)
def test_what_differs_is_named(warm: runs.Run, message: str) -> None:
    (difference,) = demo.differences(COLD, warm)
    assert message in difference


def test_a_run_in_which_no_cell_tells_an_outcome_is_not_a_success() -> None:
    silent = run(cell(None))
    assert demo.differences(silent, silent) == ["no cell has told an outcome: is the extension loaded?"]


def output(kind: str, **fields: Any) -> Any:
    return nbformat.v4.new_output(kind, **fields)


def test_our_own_line_is_not_part_of_what_is_shown() -> None:
    line = output("display_data", data={"text/plain": "computed", runs.OUTCOME: {"outcome": "computed"}})
    assert runs.shown([output("stream", name="stdout", text="a"), line]) == [["stdout", "a"]]


def test_text_in_pieces_is_the_same_as_in_one_piece() -> None:
    pieces = [output("stream", name="stdout", text="a"), output("stream", name="stdout", text="b")]
    assert runs.shown(pieces) == runs.shown([output("stream", name="stdout", text="ab")])


def test_streams_and_displays_keep_their_order() -> None:
    out, err = output("stream", name="stdout", text="a"), output("stream", name="stderr", text="a")
    assert runs.shown([out, err]) != runs.shown([err, out])


def test_the_total_counts_what_was_kept_once() -> None:
    cold = run(cell("computed", nbytes=1_500), cell("restored", nbytes=1_500))
    assert demo.report(cold, run(cell("restored"), cell("restored"))).splitlines()[-1].endswith(" 1.5 kB")
