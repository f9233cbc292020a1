"""The comparison: what a tool does decides the words, and the page shows them. Ours is asked for real."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks import comparison
from benchmarks.features import cited, page
from benchmarks.features.dialects import DIALECTS, Script
from benchmarks.features.rows import QUESTIONS
from benchmarks.features.scene import Answers, Verdict
from benchmarks.features.trial import Trial

OURS = {dialect.surface: dialect for dialect in DIALECTS if dialect.tool == "ipycheckpoint"}

# Tools as bad as can be: one restores whatever comes, the other nothing.
STUBBORN = """
import functools, json, pathlib
def keep(function):
    path = pathlib.Path(DIRECTORY)
    def call(*args):
        if not path.exists():
            path.write_text(json.dumps(function(*args)))
        return json.loads(path.read_text())
    return call
"""
FORGETFUL = "keep = lambda function: function"


def ask(name, dialect, directory):
    return QUESTIONS[name].ask(Trial(dialect, directory / "trial"))


@pytest.mark.parametrize("surface", OURS)
@pytest.mark.parametrize("name", ["helper", "stranger", "unloadable"])
def test_our_answer_is_yes(name, surface, tmp_path):
    pytest.importorskip("numpy")
    assert ask(name, OURS[surface], tmp_path).word == "yes"


@pytest.mark.parametrize("name", ["own-code", "changed-input", "comment", "file-read", "taken-back", "unloadable"])
@pytest.mark.parametrize("source", [STUBBORN, FORGETFUL], ids=["restores all", "restores nothing"])
def test_a_tool_that_does_not_look_gets_no_yes(name, source, tmp_path):
    assert ask(name, Script("none", source), tmp_path).word == "no"


def test_what_is_raised_is_told(tmp_path):
    verdict = ask("restart", Script("none", "raise ValueError('no disk')"), tmp_path)
    assert verdict == Verdict("no", "raised ValueError: no disk")


@pytest.mark.parametrize(
    ("verdicts", "word", "why"),
    [
        ({"function": Verdict("yes", "did")}, "yes", "did"),
        ({"function": Verdict("yes", "did"), "cell": Verdict("yes", "did")}, "yes", "did"),
        ({"function": Verdict("yes", "did"), "cell": Verdict("no", "not")}, "partly", "function: did; cell: not"),
        ({"function": Verdict("–", "none"), "cell": Verdict("no", "not")}, "no", "function: none; cell: not"),
        ({"cell": Verdict("–", "none")}, "–", "none"),
    ],
)
def test_a_word_is_that_of_all_surfaces(verdicts, word, why):
    answers = Answers(verdicts)
    assert (answers.word, answers.why) == (word, why)


def test_every_cited_answer_belongs_to_a_row_and_has_a_source():
    assert set(cited.ANSWERS) <= set(QUESTIONS)
    assert all(answer.source.startswith("https://") for answer in cited.ANSWERS.values())


def test_the_page_has_the_table_between_its_markers_and_rows_of_before_are_kept(tmp_path, monkeypatch, capsys):
    document, kept = tmp_path / "page.md", tmp_path / "answers.json"
    document.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    for name in ("own-code", "restart"):
        monkeypatch.setattr(
            sys, "argv", ["", name, "--tools", "ipycheckpoint", "--page", str(document), "--json", str(kept)]
        )
        assert comparison.main() == 0
    text = document.read_text()
    assert text.startswith(f"before\n{page.BEGIN}\n")
    assert text.endswith(f"{page.END}\nafter\n")
    assert "old" not in text
    assert list(json.loads(kept.read_text())["answers"]) == ["restart", "own-code"]
    assert "| survives a restart of the kernel | **yes** | **yes** |" in text


def test_a_page_without_markers_is_an_error(tmp_path):
    (tmp_path / "page.md").write_text("nothing")
    with pytest.raises(ValueError, match="no markers"):
        page.write(tmp_path / "page.md", {"versions": {}, "answers": {}, "date": "", "python": ""})
