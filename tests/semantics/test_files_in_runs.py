"""Files that a run saves, loads and lists with ipycheckpoint itself count as any other file does (SEMANTICS 51)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import ipycheckpoint as ck
from tests.semantics.scenes import Program
from tests.semantics.shells import Bench

MAGIC = "%%checkpoint\nimport ipycheckpoint as ck\n"
OLD = 1_600_000_000  # seconds since the epoch: long enough ago for a file's times to be trusted


def save(path: Path, value: object) -> None:
    ck.save(path, x=value)
    os.utime(path, (OLD, OLD))


def outcome(bench: Bench, cell: str) -> str:
    run = bench.run(MAGIC + cell)
    assert [told.errors for told in run.cells if told.errors] == []
    [only] = run.outcomes
    return only


@pytest.mark.parametrize(
    "cell",
    [
        "y = ck.load('data.ckpt', 'x')",
        "y = ck.load('data.ckpt')",
        "y = ck.read('data.ckpt')['x']",
        "y = ck.read('data.ckpt').header.created",
        "import os\ny = ck.load('file://' + os.path.abspath('data.ckpt'), 'x')",
    ],
)
def test_a_file_that_a_cell_loads_counts_by_its_content(bench: Bench, cell: str) -> None:
    save(bench.directory / "data.ckpt", 1)
    assert outcome(bench, cell) == "computed"
    assert outcome(bench, cell) == "restored"
    save(bench.directory / "data.ckpt", 2)
    assert outcome(bench, cell) == "computed"


def test_a_file_that_a_cell_saves_must_be_there_as_it_left_it(bench: Bench) -> None:
    cell, path = "y = 1\nck.save('sub/out.ckpt', y=y)", bench.directory / "sub" / "out.ckpt"
    assert outcome(bench, cell) == "computed"
    assert outcome(bench, cell) == "restored"
    path.unlink()
    assert outcome(bench, cell) == "computed"
    save(path, 3)
    assert outcome(bench, cell) == "computed"
    assert ck.load(path) == {"y": 1}


def test_a_cell_that_lists_savepoints_counts_with_those_that_are_there(bench: Bench) -> None:
    cell = "y = [entry.name for entry in ck.index('kept')]"
    save(bench.directory / "kept" / "run=1" / "a.ckpt", 1)
    assert outcome(bench, cell) == "computed"
    assert outcome(bench, cell) == "restored"
    save(bench.directory / "kept" / "run=1" / "b.ckpt", 2)
    assert outcome(bench, cell) == "computed"


def test_a_function_runs_again_when_a_file_that_it_loads_has_other_content(tmp_path: Path) -> None:
    program, data = Program(tmp_path), tmp_path / "data.ckpt"
    program.write("""
        import ipycheckpoint as ck
        @ck.checkpoint
        def double():
            print("ran")
            return ck.load("data.ckpt", "x") * 2
        print(double())
    """)
    save(data, 1)
    assert program.run().lines == ["ran", "2"]
    assert program.run().lines == ["2"]
    save(data, 2)
    assert program.run().lines == ["ran", "4"]


def test_a_project_that_moves_with_its_files_keeps_its_results(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    program = Program(tmp_path / "before")
    program.write("""
        import ipycheckpoint as ck
        @ck.checkpoint
        def double():
            print("ran")
            return ck.load("data.ckpt", "x") * 2
        print(double())
    """)
    save(tmp_path / "before" / "data.ckpt", 1)
    assert program.run().lines == ["ran", "2"]
    (tmp_path / "before").rename(tmp_path / "after")
    assert Program(tmp_path / "after").run().lines == ["2"]
