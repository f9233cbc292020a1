"""What is shown while something comes from afar, where nobody else would tell."""

from __future__ import annotations

import sys

import pytest

from ipycheckpoint.progress import advance, aloud, play_to, told_to
from ipycheckpoint.surfaces import waiting as module
from ipycheckpoint.surfaces.waiting import waiting


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr("ipycheckpoint.surfaces.pace.FIRST_SECONDS", 0.0)
    play_to(waiting)


def fetch() -> None:
    with aloud("fetching from s3://team", 3_000_000):
        advance(1_000_000)
        advance(2_000_000)


def test_a_bar_shows_bytes_and_is_gone_at_the_end(capsys):
    pytest.importorskip("tqdm")
    fetch()
    shown = capsys.readouterr().err
    assert "fetching from s3://team" in shown
    assert "/3.00M" in shown


def test_without_tqdm_a_terminal_gets_a_line(capsys, monkeypatch):
    monkeypatch.setattr(module, "_tqdm", lambda: None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    fetch()
    shown = capsys.readouterr().err
    assert "fetching from s3://team 3.0 MB" in shown
    assert shown.endswith("\r")


def test_without_tqdm_a_file_gets_nothing(capsys, monkeypatch):
    monkeypatch.setattr(module, "_tqdm", lambda: None)
    fetch()
    assert capsys.readouterr().err == ""


def test_where_somebody_listens_nothing_else_is_shown(capsys):
    told = []
    with told_to(told.append, "looking"):
        fetch()
    assert told[-1].done == 3_000_000
    assert capsys.readouterr().err == ""


def test_what_can_not_be_shown_costs_nothing(monkeypatch):
    class Broken:
        def write(self, _):
            raise OSError("no space left")

        flush = isatty = write

    monkeypatch.setattr(sys, "stderr", Broken())
    fetch()
