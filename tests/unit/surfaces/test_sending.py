"""`flush` waits for a shared store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ipycheckpoint import checkpoint, flush, workspace
from ipycheckpoint.errors import CheckpointWarning

pytest.importorskip("fsspec")


def square(x: int) -> int:
    return x**2


def test_what_is_kept_has_arrived_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYCHECKPOINT_DIR", str(tmp_path / "near"))
    team = f"file://{tmp_path / 'team'}"
    assert checkpoint(store=team)(square)(12) == 144
    assert flush(team) == 0
    assert list((tmp_path / "team").rglob("records/*"))


def test_without_a_store_it_is_that_of_the_current_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYCHECKPOINT_DIR", str(tmp_path / "near"))
    monkeypatch.setattr(workspace.current(), "store", f"file://{tmp_path / 'team'}")
    assert checkpoint(square)(13) == 169
    assert flush() == 0
    assert list((tmp_path / "team").rglob("records/*"))


def test_it_says_how_many_entries_are_left_when_the_store_is_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYCHECKPOINT_DIR", str(tmp_path / "near"))
    (tmp_path / "a file").touch()
    team = f"file://{tmp_path / 'a file' / 'team'}"
    with pytest.warns(CheckpointWarning, match="a file/team"):
        left = checkpoint(store=team)(square)(14), flush(team, seconds=5)
    assert left[0] == 196
    assert left[1] > 0
    shutil.rmtree(tmp_path / "near")  # or the end of this process would tell of it, too
