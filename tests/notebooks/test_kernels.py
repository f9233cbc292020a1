"""The same notebook without the magic, cold, and warm in a restarted kernel: nobody can tell them apart."""

# ruff: noqa: E501 - cells are long lines

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

pytest.importorskip("ipykernel")

from tests.notebooks.kernels import outcome, run, seen

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel

MAGIC = "%%checkpoint\n"

SETUP = "import numpy as np\nlst = [1]; same = lst; base = np.arange(10); d = {'a': [1]}\ndef helper(): return 1"

CELLS = {
    "streams and displays in order": "import sys\nprint('a'); print('e', file=sys.stderr); display('b'); print('c')\n6 * 7",
    "a display updated in place": "h = display('one', display_id='i')\nh.update('two')\nprint('between')\ndel h",
    "a html result": "from IPython.display import HTML\nHTML('<b>x</b>')",
    "cleared output": "from IPython.display import clear_output\nprint('old'); clear_output(); print('new')",
    "a trailing semicolon": "x = 3\nx;",
    "await at the top": "import asyncio\nawait asyncio.sleep(0)\nasync def g():\n    for i in range(3): yield i\nr = [i async for i in g()]\nr",
    "shell": "!echo shell\nz = !echo value\nz[0]",
    "a subprocess that writes by itself": "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(5)'], stdout=subprocess.PIPE).stdout",
    "changes in place": "lst.append(2); d['a'][0] = 5; base[9] = -1",
    "a view of a live array": "view = base[2:5]",
    "a function and a class": "k = 2\ndef f(x): return x * k\nclass A:\n    def v(self): return f(1)\na = A(); g = helper",
    "imports": "import math as m\nfrom os.path import *",
    "progress": "from tqdm import tqdm\nfor step in tqdm(range(3), file=sys.stdout, bar_format='{n_fmt}/{total_fmt}'): pass",
    "a figure": "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.title('t')\nprint('drawn')",
}

LOOK = (
    "k = 5\n[same is lst, lst, d, base, np.shares_memory(view, base), view, f(2), type(a) is A, a.v(), g is helper,"
    " m.pi, join('a', 'b'), x, r, z, step, 'h' in globals(), __import__('inspect').getsource(f)]"
)


class Runs(NamedTuple):
    plain: list[Any]
    cold: list[Any]
    warm: list[Any]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    directory = tmp_path_factory.mktemp("notebook")
    pytest.importorskip("matplotlib")
    plain = [SETUP, *CELLS.values(), LOOK]
    marked = [SETUP, *(MAGIC + cell for cell in CELLS.values()), LOOK]
    return Runs(run(directory, *plain, loaded=False), run(directory, *marked), run(directory, *marked))


@pytest.mark.parametrize("claim", CELLS)
def test_a_cell_is_kept_and_restored(runs: Runs, claim: str) -> None:
    place = 1 + list(CELLS).index(claim)
    assert (outcome(runs.cold[place]), outcome(runs.warm[place])) == ("computed", "restored")


@pytest.mark.parametrize("claim", CELLS)
def test_what_a_cell_shows_is_what_it_shows_without_the_magic(runs: Runs, claim: str) -> None:
    place = 1 + list(CELLS).index(claim)
    plain, cold, warm = (_tidy(seen(cells[place])) for cells in runs)
    assert cold == plain
    assert warm == plain


def _tidy(shown: list[Any]) -> str:
    # A figure has an address in its text, and a bar its times. What a carriage return overwrites, nobody sees.
    streams = ("stdout", "stderr")
    shown = [[p[0], re.sub(r"[^\n]*\r(?!\n)", "", p[1])] if p[0] in streams else p for p in shown]
    return re.sub(r"0x[0-9a-f]+", "0x", repr(shown))


def test_the_values_are_those_of_the_notebook_without_the_magic(runs: Runs) -> None:
    plain, cold, warm = (seen(cells[-1]) for cells in runs)
    assert cold == plain
    assert warm == plain


def test_the_last_value_goes_into_out(runs: Runs) -> None:
    assert [o.output_type for o in runs.warm[1].outputs if o.output_type == "execute_result"] == ["execute_result"]


def test_errors_interrupts_and_usage_in_a_kernel(tmp_path: Path) -> None:
    cells = run(
        tmp_path,
        MAGIC + "x = 1\n1 / 0",
        MAGIC + "import os, signal\ny = 1\nos.kill(os.getpid(), signal.SIGINT)\nimport time; time.sleep(30)\nw = 1",
        "%%checkpoint --tgas a=1\nz = 1",
        MAGIC + "def f(:\n    pass",
        "[x, y, 'w' in globals(), 'z' in globals()]",
        MAGIC + "import asyncio\nfuture = asyncio.ensure_future(asyncio.sleep(0, 7))\nv = await future\ndel future\nv",
    )
    errors = [[part for part in seen(cell) if part[0] == "error"] for cell in cells]
    assert [part[1] for cell in errors for part in cell if part] == [
        "ZeroDivisionError",
        "KeyboardInterrupt",
        "SyntaxError",
    ]
    assert "----> 3 1 / 0" in re.sub(r"\x1b\[[\d;]*m", "", "\n".join(errors[0][0][2]))
    assert "did you mean --tags" in seen(cells[2])[0][1]
    assert seen(cells[4])[0][1]["text/plain"] == "[1, 1, False, False]"
    assert [outcome(cell) for cell in cells] == [None, None, None, None, None, "computed"]


def test_the_cache_is_beside_the_notebook(tmp_path: Path) -> None:
    run(tmp_path, MAGIC + "x = 1", "import os; os.mkdir('sub'); os.chdir('sub')", MAGIC + "y = 1")
    assert (tmp_path / ".ipycheckpoint").is_dir()
    assert not (tmp_path / "sub" / ".ipycheckpoint").exists()


def test_an_edited_chain_runs_no_more_than_it_must(tmp_path: Path) -> None:
    def chain(first: str) -> list[str | None]:
        cells = (MAGIC + first, MAGIC + "b = sorted(a)", MAGIC + "c = sum(b)", "%checkpoint why")
        return [outcome(cell) for cell in run(tmp_path, *cells)][:3]

    assert chain("a = [2, 1]") == ["computed"] * 3
    assert chain("a = [2, 1]") == ["restored"] * 3
    assert chain("a = list((2, 1))  # equal") == ["computed", "restored", "restored"]
    assert chain("a = [1, 2]") == ["computed", "computed", "restored"]
    assert chain("a = [2, 1]") == ["restored"] * 3
