"""A notebook under ``%%checkpoint`` ends exactly as the plain one, whatever is in it.

``make soak`` runs thousands of notebooks at random; a few dozen run with the other tests.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy")
pytest.importorskip("pandas")

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.semantics.differential import Forks, difference, settled
from tests.semantics.random_notebooks import Generator, Notebook, shrunk

if TYPE_CHECKING:
    from collections.abc import Iterator

SOAK = int(os.environ.get("SOAK", "0"))
"""How many notebooks ``make soak`` runs."""

# Nothing is gained by a smaller seed: the notebook itself is made smaller.
seeds = st.integers(0, 2**48)
as_they_come = [Phase.explicit, Phase.reuse, Phase.generate]


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    forks = Forks()
    yield forks
    forks.close()


def check(forks: Forks, seed: int) -> None:
    chance = random.Random(seed)
    notebook = settled(forks, Generator(chance).notebook(), chance)
    found = difference(forks, notebook)
    if found is not None:
        smaller = shrunk(notebook, lambda candidate: _is_alike(found, difference(forks, candidate)))
        pytest.fail(f"seed {seed}\n\n{smaller}\n\n{difference(forks, smaller)}", pytrace=False)


def _is_alike(one: str, other: str | None) -> bool:
    return other is not None and one.partition(",")[0] == other.partition(",")[0]


@settings(max_examples=60, derandomize=True, phases=as_they_come)
@given(seed=seeds)
def test_a_notebook_ends_as_without_the_magic(forks: Forks, seed: int) -> None:
    check(forks, seed)


if SOAK:  # `make soak` says how many; it takes its time

    @pytest.mark.soak
    @pytest.mark.timeout(0)
    @settings(max_examples=SOAK, phases=as_they_come)
    @given(seed=seeds)
    def test_many_notebooks_end_as_without_the_magic(forks: Forks, seed: int) -> None:
        check(forks, seed)


def test_a_fault_is_told_and_made_smaller(forks: Forks) -> None:
    """Were no difference ever found, nothing above could fail."""
    cells = (("a = 1",), ("import time", "b = time.perf_counter()", "c = 2"))
    notebook = Notebook(cells, (False, False), (0, 1))
    assert "b" in (difference(forks, notebook) or "")
    smaller = shrunk(notebook, lambda candidate: difference(forks, candidate) is not None)
    assert (smaller.cells[1], smaller.order) == (("import time", "b = time.perf_counter()"), (1,))
