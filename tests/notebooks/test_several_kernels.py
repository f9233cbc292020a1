"""Several kernels on one cache at once, and one that is killed: nothing torn, nothing lost, right values."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("ipykernel")

from ipycheckpoint.cache.cache import Cache, Found
from tests.notebooks.kernels import Kernel, appears, outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.kernel

NP = "import numpy as np"
# Each cell leaves an array that is a file of its own in the store, and small values that are rows.
CELL = (
    "%%checkpoint {name}\n{name} = np.arange({size}) * {factor}\nsmall = ['{name}', {factor}] * 3\nprint('made {name}')"
)


def notebook(number: int) -> list[str]:
    """Half of its cells are those of all the others, too."""
    cells = []
    for step in range(12):
        shared = step % 2 == 0
        name, factor = (f"shared_{step}", step) if shared else (f"own_{number}_{step}", 100 * number + step)
        cells.append(CELL.format(name=name, size=20_000 + step, factor=factor))
    return cells


def check(number: int) -> str:
    """An expression that is true where the notebook has left what it should."""
    names = [cell.split()[1] for cell in notebook(number)]
    factors = [step if step % 2 == 0 else 100 * number + step for step in range(12)]
    return f"all((v == np.arange(len(v)) * f).all() for v, f in zip([{', '.join(names)}], {factors})), small[1]"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def kernels(directory: Path) -> Iterator[list[Kernel]]:
    with ExitStack() as stack:
        started = [Kernel(directory, NP) for _ in range(4)]
        yield [stack.enter_context(kernel) for kernel in started]


def play(kernel: Kernel, cells: Sequence[str]) -> list[str | None]:
    return [outcome(kernel.run(cell)) for cell in cells]


def is_whole(directory: Path) -> bool:
    """Whether each record that is listed can be found and loaded."""
    cache = Cache.at(directory / ".ipycheckpoint")
    rows = cache.rows()
    for row in rows:
        found = cache.find(row.key)
        assert isinstance(found, Found), row.label
        cache.load(found)
    cache.close()
    return bool(rows)


def test_four_kernels_at_once_leave_what_each_leaves_alone(kernels: list[Kernel], directory: Path) -> None:
    sent = [[kernel.send(cell) for cell in notebook(number)] for number, kernel in enumerate(kernels)]
    for number, kernel in enumerate(kernels):
        assert {outcome(kernel.wait(request)) for request in sent[number]} <= {"computed", "restored"}
        assert kernel.value(check(number)) == f"(True, {100 * number + 11})"
    assert is_whole(directory)


def test_what_four_kernels_kept_one_restores(kernels: list[Kernel]) -> None:
    kernels[0].run("%reset -f\nimport numpy as np")
    for number in range(4):
        assert play(kernels[0], notebook(number)) == ["restored"] * 12
        assert kernels[0].value(check(number)) == f"(True, {100 * number + 11})"


def test_a_kernel_killed_while_it_saves_leaves_the_others_right(kernels: list[Kernel], directory: Path) -> None:
    """It is killed at the very moment when a large file is about to get its name."""
    cell = CELL.format(name="slow", size=30_000, factor=7)
    with Kernel(
        directory,
        NP,
        "import os, time\nrename = os.replace\ndef slowly(source, target):\n    open('saving', 'w').close()\n"
        "    time.sleep(60)\n    rename(source, target)\n"
        "from ipycheckpoint.store.system import REAL\nobject.__setattr__(REAL, 'replace', slowly)",
    ) as victim:
        victim.send(cell)
        appears(directory / "saving")
        other = CELL.format(name="other", size=30_000, factor=8)
        assert play(kernels[1], [other]) == ["computed"]
        victim.kill()
    assert play(kernels[1], [cell, cell]) == ["computed", "restored"]
    assert play(kernels[2], [cell, other]) == ["restored", "restored"]
    assert kernels[2].value("(slow == np.arange(30_000) * 7).all() and (other == np.arange(30_000) * 8).all()") in (
        "True",
        "np.True_",
    )
    assert is_whole(directory)


def test_a_kernel_killed_at_any_moment_leaves_whole_records_only(kernels: list[Kernel], tmp_path: Path) -> None:
    loop = "for step in range(10_000):\n    get_ipython().run_cell('''" + CELL + "'''.replace('STEP', str(step)))"
    loop = loop.format(name="v_STEP", size=30_000, factor="1_STEP")
    with Kernel(tmp_path, NP) as victim:
        victim.send(loop)
        appears(tmp_path / ".ipycheckpoint")
        time.sleep(0.5)
        victim.kill()
    assert is_whole(tmp_path)
    kept = len(Cache.at(tmp_path / ".ipycheckpoint").rows())
    survivor = kernels[3]
    assert not survivor.run(f"%config Checkpoint.directory = {str(tmp_path / '.ipycheckpoint')!r}").errors
    cells = [CELL.format(name=f"v_{step}", size=30_000, factor=f"1_{step}") for step in range(kept + 1)]
    assert play(survivor, cells)[: kept - 1] == ["restored"] * (kept - 1)
    values = ", ".join(f"(v_{step} == np.arange(30_000) * 1_{step}).all()" for step in range(kept + 1))
    assert survivor.value(f"all([{values}])") == "True"


SLOW = """%%checkpoint slow --no-watch
with open("runs", "a") as runs:
    runs.write("x")
while not __import__("os").path.exists("go"):
    __import__("time").sleep(0.01)
slow = 5
"""


def waits(kernel: Kernel, cell: str) -> str:
    """Send a cell for which `kernel` waits, and come back once it says so."""
    request = kernel.send(cell)
    kernel.expect(request, "computes it just now; waiting for the result")
    return request


def test_of_two_kernels_that_run_one_cell_at_once_one_waits_and_restores(tmp_path: Path) -> None:
    with Kernel(tmp_path) as first, Kernel(tmp_path) as second:
        running = first.send(SLOW)
        appears(tmp_path / "runs")
        waiting = waits(second, SLOW)
        (tmp_path / "go").touch()
        assert outcome(first.wait(running)) == "computed"
        assert outcome(second.wait(waiting)) == "restored"
        assert second.value("slow") == "5"
    assert (tmp_path / "runs").read_text() == "x"


def test_who_waits_for_a_kernel_that_is_killed_runs_the_cell(tmp_path: Path) -> None:
    with Kernel(tmp_path) as first, Kernel(tmp_path) as second:
        first.send(SLOW)
        appears(tmp_path / "runs")
        waiting = waits(second, SLOW)
        (tmp_path / "go").touch()
        first.kill()
        assert outcome(second.wait(waiting)) in ("computed", "restored")
        assert second.value("slow") == "5"


def test_who_waits_can_be_interrupted_and_who_wants_to_run_need_not_wait(tmp_path: Path) -> None:
    with Kernel(tmp_path) as first, Kernel(tmp_path) as second:
        running = first.send(SLOW)
        appears(tmp_path / "runs")
        waiting = waits(second, SLOW)
        second.interrupt()
        assert second.wait(waiting).errors == ["KeyboardInterrupt"]
        assert second.value("'slow' in globals()") == "False"
        insisting = second.send(SLOW.replace("--no-watch", "--no-watch --rerun"))
        (tmp_path / "go").touch()
        assert outcome(second.wait(insisting)) == "computed"
        assert outcome(first.wait(running)) == "computed"
        assert second.value("slow") == "5"
        # The one that waited and went holds nothing.
        assert outcome(second.run(SLOW.replace("= 5", "= 6"))) == "computed"
