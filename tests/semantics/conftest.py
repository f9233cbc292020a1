"""What the tests share: shells that are ready to be forked for cells, and scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.semantics.scenes import Program
from tests.semantics.shells import Bench, Shells

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def shells() -> Iterator[Shells]:
    shells = Shells()
    yield shells
    shells.close()


@pytest.fixture
def bench(shells: Shells, tmp_path: Path) -> Bench:
    return Bench(shells, tmp_path)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)
