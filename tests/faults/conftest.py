"""Hundreds of stores are made here, each for one moment: in memory where there is such a file system."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = "/dev/shm"


@pytest.fixture(scope="session")
def memory() -> Iterator[Path]:
    inside = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=inside, prefix="ipycheckpoint-") as folder:
        yield Path(folder)


@pytest.fixture
def tmp_path(memory: Path) -> Iterator[Path]:
    """In place of pytest's own, and gone with the test."""
    place = Path(tempfile.mkdtemp(dir=memory))
    yield place
    shutil.rmtree(place, ignore_errors=True)


collect_ignore = ["fuzz.py"]  # a program of its own, for which atheris must be there
