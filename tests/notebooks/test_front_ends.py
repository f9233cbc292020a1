"""The same small notebook gives the same results in every front end, and what one of them keeps, all restore."""

# ruff: noqa: E501 - cells are long lines

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import pytest

pytest.importorskip("ipykernel")
pytest.importorskip("pexpect")

from tests.notebooks import frontends
from tests.notebooks.frontends import Place, reported
from tests.notebooks.kernels import outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

pytestmark = pytest.mark.kernel

FRONT_ENDS: dict[str, Callable[[Place, Sequence[str]], str]] = {
    "nbclient": frontends.nbclient,
    "nbconvert --execute": frontends.nbconvert,
    "papermill": frontends.papermill,
    "jupyter console": frontends.console,
    "ipython": frontends.terminal,
    "ipython script.ipy": frontends.script,
    "ipython notebook.ipynb": frontends.file_of_a_notebook,
}
NEEDS = {"nbconvert --execute": "nbconvert", "papermill": "papermill", "jupyter console": "jupyter_console"}

CELLS = (
    "%load_ext ipycheckpoint",
    "n = 4; log = []; same = log",
    "%%checkpoint squares\nimport math\nprint('shown', n * 11)\nsquares = [i * i for i in range(n)]\nlog.append({'a', n} - {'a'})\ndef root(x):\n    return math.sqrt(x)\nsum(squares)",
    "%%checkpoint later\nimport asyncio\nawait asyncio.sleep(0)\nlater = root(squares[-1])",
    "import json, os, pathlib\nn = pathlib.Path(os.environ['REPORT']).write_text(json.dumps([squares, str(log), same is log, later, root(9)]))",
)
REPORT = [[0, 1, 4, 9], "[{4}]", True, 3.0, 3.0]


class Played(NamedTuple):
    report: object
    shown: str

    @property
    def outcomes(self) -> list[str]:
        """What the lines under the cells say."""
        return re.findall(r"\b(?:computed|restored)\b", self.shown)


def play(name: str, directory: Path, hash_seed: int, file_name: str = "notebook") -> Played:
    place = Place(directory, hash_seed, file_name)
    shown = FRONT_ENDS[name](place, CELLS)
    return Played(reported(place), shown)


class Runs(NamedTuple):
    own: dict[str, list[Played]]
    """Of each front end, cold, then warm."""
    shared: list[Played]
    """Of all but the first, at once, on what the first one kept."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    names = [name for name in FRONT_ENDS if name not in NEEDS or _is_there(NEEDS[name])]
    directories = {name: tmp_path_factory.mktemp("front_end") for name in names}
    with ThreadPoolExecutor(2) as pool:
        own = pool.map(lambda name: [play(name, directories[name], seed) for seed in (1, 2)], names)
        together = dict(zip(names, own, strict=True))
        return Runs(
            together,
            list(pool.map(lambda name: play(name, directories[names[0]], 3, name.replace(" ", "_")), names[1:])),
        )


def _is_there(module: str) -> bool:
    try:
        pytest.importorskip(module)
    except pytest.skip.Exception:
        return False
    return True


def own(runs: Runs, name: str) -> list[Played]:
    if name not in runs.own:
        pytest.skip(f"{NEEDS[name]} is not installed")
    return runs.own[name]


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_cold_and_warm_leave_and_show_the_same(runs: Runs, name: str) -> None:
    for run in own(runs, name):
        assert run.report == REPORT
        assert "shown 44" in run.shown
        # `ipython notebook.ipynb` runs its cells silently, so their last values aren't shown.
        assert name.endswith(".ipynb") or "14" in run.shown.partition("shown 44")[2]


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_the_second_run_restores_all_of_the_first(runs: Runs, name: str) -> None:
    cold, warm = own(runs, name)
    assert (cold.outcomes, warm.outcomes) == (["computed"] * 2, ["restored"] * 2)


def test_what_one_front_end_kept_the_others_restore_all_at_once(runs: Runs) -> None:
    for run in runs.shared:
        assert (run.report, run.outcomes) == (REPORT, ["restored"] * 2)


def test_papermill_restores_what_its_parameters_leave_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    papermill = pytest.importorskip("papermill")
    cells = (
        "%load_ext ipycheckpoint",
        "n = 1; factor = 1",
        "%%checkpoint squares\nsquares = [i * i for i in range(n)]",
        "%%checkpoint sums\nsums = sum(squares)",
        "%%checkpoint scaled\nscaled = factor * 2.5",
        "import json, os, pathlib\nn = pathlib.Path(os.environ['REPORT']).write_text(json.dumps([squares, sums, scaled]))",
    )
    place = Place(tmp_path)
    notebook = str(place.notebook(cells, parameters=1))
    for name, value in place.environ().items():
        monkeypatch.setenv(name, value)
    seen = []
    for n, factor in ((3, 2), (4, 2), (3, 4)):
        out = papermill.execute_notebook(
            notebook, None, {"n": n, "factor": factor}, progress_bar=False, cwd=str(tmp_path)
        )
        abouts = [outcome(cell) for cell in out.cells if cell.source.startswith("%%")]
        seen.append((reported(place), abouts))
    ran, restored = "computed", "restored"
    assert seen == [
        ([[0, 1, 4], 5, 5.0], [ran, ran, ran]),
        ([[0, 1, 4, 9], 14, 5.0], [ran, ran, restored]),
        ([[0, 1, 4], 5, 10.0], [restored, restored, ran]),
    ]
