"""A kernel interrupted by its front end: in the run, in the save, in the load. The next run is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("ipykernel")

from tests.notebooks.kernels import Kernel, appears, outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.kernel

# It waits in the middle of whatever calls it until it is interrupted, or the file `go` lets it pass.
SETUP = """
import os, time
import numpy as np
def pause(name):
    if not os.path.exists('go'):
        open(name, 'w').close()
        time.sleep(60)
class Slow:
    "Slow to be written."
    def __reduce__(self):
        pause('saving')
        return (Slow, ())
class Heavy:
    "Slow to be read."
    def __getstate__(self): return {'a': 1}
    def __setstate__(self, state):
        pause('loading')
        self.__dict__.update(state)
"""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kernel, Path]]:
    directory = tmp_path_factory.mktemp("interrupted")
    with Kernel(directory, SETUP) as kernel:
        yield kernel, directory


@pytest.fixture
def interrupt(kernels: tuple[Kernel, Path]) -> Iterator[Interrupt]:
    yield (made := Interrupt(*kernels))
    made.pausing()


class Interrupt:
    """Runs a cell in the kernel, and interrupts it where it pauses."""

    def __init__(self, kernel: Kernel, directory: Path) -> None:
        self.kernel = kernel
        self._directory = directory

    def run(self, cell: str, at: str) -> tuple[str | None, list[str]]:
        """The outcome and the errors of `cell`, which was interrupted when it paused at `at`."""
        (self._directory / at).unlink(missing_ok=True)
        request = self.kernel.send(cell)
        appears(self._directory / at)
        self.kernel.interrupt()
        ran = self.kernel.wait(request)
        return outcome(ran), ran.errors

    def passing(self) -> None:
        """From here on, nothing pauses."""
        (self._directory / "go").touch()

    def pausing(self) -> None:
        (self._directory / "go").unlink(missing_ok=True)


def test_an_interrupted_run_is_not_kept_and_the_next_one_is(interrupt: Interrupt) -> None:
    cell = "%%checkpoint --no-watch run\nx = [1]\npause('running')\ny = len(x)"
    assert interrupt.run(cell, "running") == (None, ["KeyboardInterrupt"])
    assert interrupt.kernel.value("x, 'y' in globals(), [n for n in globals() if 'ipycheckpoint' in n]") == (
        "([1], False, [])"
    )
    interrupt.passing()
    assert [outcome(interrupt.kernel.run(cell)) for _ in range(2)] == ["computed", "restored"]
    assert interrupt.kernel.value("x, y") == "([1], 1)"


def test_an_interrupted_save_keeps_nothing_and_loses_no_value(interrupt: Interrupt) -> None:
    before, cell = "lst = [1]", "%%checkpoint --no-watch save\nlst.append(2)\nslow = Slow()\nbig = np.arange(50_000)"
    interrupt.kernel.run(before)
    assert interrupt.run(cell, "saving") == ("refused", [])
    assert interrupt.kernel.value("lst, type(slow) is Slow, big.sum() == 1249975000") in (
        "([1, 2], True, True)",
        "([1, 2], True, np.True_)",
    )
    interrupt.passing()
    for expected in ("computed", "restored"):
        interrupt.kernel.run(before)
        assert outcome(interrupt.kernel.run(cell)) == expected
        assert interrupt.kernel.value("lst, type(slow) is Slow, int(big.sum())") == "([1, 2], True, 1249975000)"


def test_a_save_interrupted_in_the_store_leaves_no_half_of_it(interrupt: Interrupt) -> None:
    hook = (
        "from ipycheckpoint.store.system import REAL\nrename = REAL.replace\n"
        "def slowly(*names):\n    pause('storing')\n    rename(*names)\nobject.__setattr__(REAL, 'replace', slowly)"
    )
    assert not interrupt.kernel.run(hook).errors
    cell = "%%checkpoint --no-watch store\nlarge = np.arange(60_000) * 3"
    assert interrupt.run(cell, "storing") == ("refused", [])
    interrupt.passing()
    assert [outcome(interrupt.kernel.run(cell)) for _ in range(2)] == ["computed", "restored"]
    assert interrupt.kernel.value("int(large[-1]), REAL.replace is slowly") == "(179997, True)"


def test_an_interrupted_load_changes_nothing_and_the_next_one_restores(interrupt: Interrupt) -> None:
    before = "lst = [1]; first = 0; heavy = None; other = None"
    cell = "%%checkpoint --no-watch load\nfirst = 5; lst.append(2); heavy = Heavy(); other = np.arange(50_000)"
    interrupt.kernel.run(before)
    assert outcome(interrupt.kernel.run(cell)) == "computed"
    interrupt.kernel.run(before)
    assert interrupt.run(cell, "loading") == (None, ["KeyboardInterrupt"])
    assert interrupt.kernel.value("first, lst, heavy, other") == "(0, [1], None, None)"
    interrupt.passing()
    assert outcome(interrupt.kernel.run(cell)) == "restored"
    assert interrupt.kernel.value("first, lst, type(heavy) is Heavy, int(other[-1])") == "(5, [1, 2], True, 49999)"
