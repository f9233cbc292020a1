"""The notebooks of the survey are as it needs them, it finds what differs, and one of them, shortened, really runs."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tools import runs, survey

if TYPE_CHECKING:
    from pathlib import Path

EXTENSION = "%load_ext ipycheckpoint\n%checkpoint auto"

# What takes long in simulation.ipynb, and how it takes less.
SHORTER = {
    "%checkpoint auto": "%checkpoint auto --min-seconds 0.1",
    "[0, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3]": "[0, 1e-9, 1e-8]",
    "for seed in range(20)": "for seed in range(2)",
    "for _ in range(600)": "for _ in range(30)",
    "range(1500)": "range(120)",
    "react(u, v, 8000)": "react(u, v, 400)",
    "n_resamples=50_000": "n_resamples=3_000",
}


def notebook(name: str) -> Any:
    return nbformat.read(runs.ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def cell(outcome: str | None, shown: str = "42", because: str = "") -> runs.CellRun:
    said = {"outcome": outcome, "because": because, "nbytes": 10} if outcome else None
    return runs.CellRun("answer = 42", 1.0, said, [["stdout", shown]])


def run(*cells: runs.CellRun, **values: str) -> runs.Run:
    return runs.Run(list(cells), values)


GOOD = survey.Survey(
    name="words",
    edit={"cell": "answer", "old": "41", "new": "42"},
    plain=run(cell(None), x="int 1"),
    cold=run(cell("computed"), x="int 1"),
    warm=run(cell("restored"), x="int 1"),
    edited_plain=run(cell(None, shown="43"), x="int 2"),
    edited=run(cell("computed", shown="43"), x="int 2"),
    nbytes=1500,
)


@pytest.mark.parametrize("name", survey.NOTEBOOKS)
def test_a_notebook_of_the_survey_has_twenty_cells_of_code_and_begins_with_the_extension(name: str) -> None:
    code = survey.code_cells(notebook(name))
    assert len(code) >= 20
    assert code[0].source == EXTENSION


@pytest.mark.parametrize("name", survey.NOTEBOOKS)
def test_the_edit_of_a_notebook_changes_one_cell_in_its_middle(name: str) -> None:
    before = [c.source for c in survey.code_cells(notebook(name))]
    after = [c.source for c in survey.code_cells(survey.with_edit(notebook(name)))]
    (changed,) = [place for place, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    assert 3 <= changed < len(before) - 3


def test_a_plain_notebook_has_as_many_cells_and_no_line_of_ours() -> None:
    document = notebook("words")
    plain = survey.without_extension(document)
    assert len(plain.cells) == len(document.cells)
    assert not any(line.startswith("%") for c in survey.code_cells(plain) for line in c.source.splitlines())


def test_an_edit_whose_text_is_not_there_is_an_error() -> None:
    document = notebook("words")
    document.metadata["edit"]["old"] = "no such text"
    with pytest.raises(ValueError, match="no such text"):
        survey.with_edit(document)


def test_runs_that_agree_have_no_differences() -> None:
    assert GOOD.differences() == []


@pytest.mark.parametrize(
    ("name", "other", "message"),
    [
        ("cold", run(cell("computed", shown="?"), x="int 1"), "cold: answer = 42: shows something else"),
        ("cold", run(cell("computed"), x="int 0"), "cold: x: not the value"),
        ("cold", run(cell(None), x="int 1"), "nothing was kept"),
        ("warm", run(cell("computed", because="x changed"), x="int 1"), "not restored (because: x changed)"),
        ("warm", run(cell("restored"), x="int 0"), "warm: x: not the value"),
        ("edited", run(cell("restored"), x="int 2"), "edited: answer = 42: shows something else"),
        ("edited", run(cell("computed", shown="43"), x="int 1"), "edited: x: not the value"),
        ("edited_plain", run(cell(None, shown="43"), x="int 1"), "the edit changes nothing"),
    ],
)
def test_what_differs_is_named(name: str, other: runs.Run, message: str) -> None:
    assert any(message in line for line in replace(GOOD, **{name: other}).differences())


def test_a_cell_that_could_not_be_kept_is_told_and_need_not_be_restored() -> None:
    kept, refused = cell("computed"), cell("refused", because="`lock` is a lock")
    mixed = replace(
        GOOD,
        plain=run(cell(None), cell(None), x="int 1"),
        cold=run(kept, refused, x="int 1"),
        warm=run(cell("restored"), refused, x="int 1"),
    )
    assert mixed.differences() == []
    assert mixed.refused == ["answer = 42: `lock` is a lock"]


def test_the_page_tells_times_and_bytes_and_what_was_restored() -> None:
    text = survey.page([GOOD], [])
    assert "| 1 | 1 | 1.0 | 1.0 | 1.0 | 1.0 | 1.0 | 0 of 1 | 1.5 kB |" in text
    assert "`41` becomes `42`" in text


def test_only_the_order_of_what_two_streams_write_between_displays_does_not_count() -> None:
    out, err, display = ["stdout", "a"], ["stderr", "b"], ["display_data", {}]
    assert runs.settled([out, err, display]) == runs.settled([err, out, display])
    assert runs.settled([out, err, display]) != runs.settled([out, display, err])
    assert runs.settled([out]) != runs.settled([err])


def picture(compression: int) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(buffer, "PNG", compress_level=compression)
    return base64.b64encode(buffer.getvalue()).decode()


def test_pictures_with_the_same_pixels_look_the_same() -> None:
    assert picture(0) != picture(9)
    assert runs.looks("image/png", picture(0)) == runs.looks("image/png", picture(9))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("<Axes at 0x7f1122334455>", "<Axes at 0x7f5544332211>", True),
        ("/tmp/ipykernel_12/345.py:1: Warning", "/tmp/ipykernel_99/345.py:1: Warning", True),
        ("/tmp/ipykernel_12/345.py:1: Warning", "/tmp/ipykernel_12/346.py:1: Warning", False),
        ("0x12", "0x13", False),
    ],
    ids=["an address", "a process", "a line", "a number"],
)
def test_texts_look_the_same_but_for_addresses_and_processes(one: str, other: str, same: bool) -> None:
    assert (runs.looks("text/plain", one) == runs.looks("text/plain", other)) is same


@pytest.mark.kernel
@pytest.mark.slow
def test_a_shortened_notebook_shows_and_leaves_the_same_cold_and_warm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYCHECKPOINT_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYCHECKPOINT_SECRET_FILE", str(tmp_path / "secret"))
    document = notebook("simulation")
    for old, new in SHORTER.items():
        (there,) = [c for c in document.cells if old in c.source]
        there.source = there.source.replace(old, new)
    documents = [survey.without_extension(document), document, document]
    plain, cold, warm = [
        runs.run_document(nbformat.from_dict(d), tmp_path, tmp_path / "executed.ipynb", hash_seed=seed)
        for seed, d in enumerate(documents)
    ]
    assert len(plain.values) >= 30
    assert sum(c.status == "computed" for c in cold.cells) >= 4
    assert runs.not_as_in(plain, cold, "plain") == []
    assert runs.not_as_in(plain, warm, "plain") == []
    assert runs.not_restored(survey.kept_only(cold), warm) == []
