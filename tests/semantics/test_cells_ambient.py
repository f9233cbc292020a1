"""The ambient state that a cell leaves is the one that it leaves when it is restored in another process."""

# ruff: noqa: E501 - a table reads by the row

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.semantics.shells import Bench

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = "%%checkpoint\n"


SAME = {
    "a variable of the environment set, changed and deleted": (
        ["import os\nos.environ['OLD'] = '1'; os.environ['GONE'] = '2'", MAGIC + "os.environ['NEW'] = 'n'; os.environ['OLD'] += '1'; del os.environ['GONE']"],
        ["[os.environ.get(name) for name in ('NEW', 'OLD', 'GONE')]"],
    ),
    "the working directory": (
        ["import os\nos.makedirs('sub', exist_ok=True)", MAGIC + "os.chdir('sub')"],
        ["os.path.basename(os.getcwd())"],
    ),
    "the module search path": (
        ["import sys", MAGIC + "sys.path.insert(0, '/first'); sys.path.insert(1, '/second'); sys.path.append('/last')"],
        ["[entry for entry in sys.path if entry.startswith(('/first', '/second', '/last'))]", "sys.path[:2]", "sys.path[-1]"],
    ),
    "the filters of warnings": (
        ["import warnings", MAGIC + "warnings.filterwarnings('error', 'mine', UserWarning)\nwarnings.simplefilter('ignore', DeprecationWarning)"],
        ["[f[0] for f in warnings.filters[:2]]", "warnings.filters[1][1].pattern"],
    ),
    "warnings that became errors": (
        ["import warnings\ndef tells():\n    try: warnings.warn('mine')\n    except UserWarning: return True\ntells()", MAGIC + "warnings.simplefilter('error')"],
        ["tells()"],
    ),
    "the print options and error handling of numpy": (
        ["import numpy as np", MAGIC + "np.set_printoptions(precision=2, suppress=True); np.seterr(divide='raise')\nx = np.array([1.23456])"],
        ["x", "np.geterr()['divide']", "np.get_printoptions()['threshold']"],
    ),
    "the print options of numpy that the cell imports": (
        [MAGIC + "import numpy as np\nnp.set_printoptions(linewidth=40)", "x = np.arange(30)"],
        ["x"],
    ),
    "the options of pandas": (
        ["import pandas as pd", MAGIC + "pd.set_option('display.precision', 1)\npd.options.display.max_rows = 7\npd.options.display.float_format = lambda x: f'<{x}>'"],
        ["pd.get_option('display.precision')", "pd.options.display.max_rows", "pd.Series([1.5])"],
    ),
    "the parameters of matplotlib": (
        ["import matplotlib", MAGIC + "matplotlib.rcParams['font.size'] = 21.0\nmatplotlib.rcParams['font.serif'].insert(0, 'Mine')\nmatplotlib.rc('lines', linewidth=7)"],
        ["matplotlib.rcParams['font.size']", "matplotlib.rcParams['font.serif'][0]", "matplotlib.rcParams['lines.linewidth']"],
    ),
    "a style of matplotlib that a helper imports": (
        ["def styled():\n    import matplotlib.style\n    matplotlib.style.use('ggplot')", MAGIC + "styled()\nx = 1"],
        ["__import__('matplotlib').rcParams['axes.facecolor']", "__import__('matplotlib').rcParams['axes.prop_cycle']"],
    ),
    "the generator of Python": (
        ["import random", MAGIC + "random.seed(5); x = random.random()"],
        ["x", "random.random()", "random.gauss(0, 1)"],
    ),
    "a seed alone": (
        [MAGIC + "import random\nimport numpy as np\nrandom.seed(1); np.random.seed(2)"],
        ["random.random()", "np.random.rand(2)"],
    ),
    "the generator of numpy, between two numbers of a pair": (
        ["import numpy as np", MAGIC + "np.random.seed(5); x = np.random.randn(3)"],
        ["x", "np.random.randn()", "np.random.rand(2)"],
    ),
    "a seed in a helper": (
        ["import numpy as np\ndef draw(n):\n    np.random.seed(n)\n    return np.random.rand(n)", MAGIC + "x = draw(3)"],
        ["x", "np.random.rand()"],
    ),
    "a generator that was seeded before": (
        ["import numpy as np\nnp.random.seed(3)", MAGIC + "x = np.random.rand()", MAGIC + "y = np.random.rand()"],
        ["x", "y", "np.random.rand()"],
    ),
    "all at once, with variables": (
        ["import os, random, numpy as np\nx = [1]", MAGIC + "random.seed(1); os.environ['A'] = 'b'\nx.append(random.random())\ny = {'x': x}"],
        ["x", "y['x'] is x", "os.environ['A']", "random.random()"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("claim", SAME)
def test_a_restored_cell_leaves_what_the_plain_one_leaves(bench: Bench, claim: str) -> None:
    cells, look = SAME[claim]
    if "matplotlib" in "".join(cells):
        pytest.importorskip("matplotlib")
    plain, cold, warm = bench.twice(*cells, look=tuple(look))
    assert set(cold.outcomes) == {"computed"}
    assert set(warm.outcomes) == {"restored"}
    assert cold.values == plain.values
    assert warm.values == plain.values


def test_the_generators_of_torch(bench: Bench) -> None:
    pytest.importorskip("torch")
    cells = [MAGIC + "import torch\ntorch.manual_seed(3)\nx = torch.rand(2)"]
    plain, _, warm = bench.twice(*cells, look=("x", "torch.rand(2)", "torch.randn(3)"))
    assert (warm.outcomes, warm.values) == (["restored"], plain.values)


# What a hit must not do


def test_what_the_cell_did_not_touch_stays(bench: Bench) -> None:
    cell = MAGIC + "import os\nos.environ['MINE'] = '1'"
    bench.run(cell)
    before = "import os, sys, random\nos.environ['OTHER'] = 'kept'; sys.path.append('/kept'); random.seed(9)"
    run = bench.run(before, cell, look=("os.environ['OTHER']", "sys.path[-1]", "random.random()", "os.environ['MINE']"))
    assert run.outcomes == ["restored"]
    assert run.values == ["'kept'", "'/kept'", "0.46300735781502145", "'1'"]


def test_entries_are_put_into_the_search_path_that_is_there(bench: Bench) -> None:
    cell = MAGIC + "import sys\nsys.path.insert(0, '/mine'); sys.path.append('/last')"
    bench.run(cell)
    run = bench.run("import sys\nsys.path.append('/other')", cell, look=("sys.path[0]", "sys.path[-2:]"))
    assert (run.outcomes, run.values) == (["restored"], ["'/mine'", "['/other', '/last']"])


def test_a_cell_that_imports_a_generator_does_not_settle_its_state(bench: Bench) -> None:
    bench.run(MAGIC + "import numpy.random\nx = 1")
    run = bench.run(
        MAGIC + "import numpy.random\nx = 1", "numpy.random.seed(4)", MAGIC + "import numpy.random\nx = 1",
        look=("numpy.random.rand() == (numpy.random.seed(4), numpy.random.rand())[1]",),
    )  # fmt: skip
    assert (run.outcomes, run.values) == (["restored", "restored"], ["True"])


def test_a_hit_after_a_hit_changes_nothing_more(bench: Bench) -> None:
    cell = MAGIC + "import os, sys\nsys.path.insert(0, '/a'); sys.path.append('/z'); os.environ['PATH'] += ':/a'"
    look = ("sys.path.count('/a')", "sys.path.count('/z')", "os.environ['PATH'].count(':/a')")
    bench.run(cell)
    run = bench.run(cell, cell, look=look, PATH="/bin")
    assert run.outcomes[1] == "restored"
    assert run.values == ["1", "1", "1"]


# What makes a miss


def test_a_variable_that_is_another_one_than_before_and_after_is_a_miss(bench: Bench) -> None:
    cell = MAGIC + "import os\nos.environ['P'] = os.environ.get('P', '') + 'x'"
    bench.run(cell)
    assert bench.run(cell).outcomes == ["restored"]
    run = bench.run("import os\nos.environ['P'] = 'a'", cell, look=("os.environ['P']",))
    assert (run.outcomes, run.values) == (["computed"], ["'ax'"])
    assert "`P` of os.environ" in run.cells[1].because


def test_a_variable_of_the_environment_that_the_code_names_counts(bench: Bench) -> None:
    def mode(text: str) -> tuple[list[str], list[str]]:
        run = bench.run(MAGIC + "import os\nx = os.environ['MODE']", look=("x",), MODE=text, OTHER=text)
        return run.outcomes, run.values

    assert mode("a") == (["computed"], ["'a'"])
    assert mode("a") == (["restored"], ["'a'"])
    assert mode("b") == (["computed"], ["'b'"])


def test_a_variable_of_the_environment_that_no_code_names_does_not_count(bench: Bench) -> None:
    cell = MAGIC + "import os\nx = os.environ['HOME']  # not OTHER"
    bench.run(cell, OTHER="a")
    assert bench.run(cell, OTHER="b").outcomes == ["restored"]


def test_a_directory_that_is_gone_is_a_miss(bench: Bench) -> None:
    setup = "import os\nos.makedirs('sub', exist_ok=True)"
    cell = MAGIC + "os.chdir('sub')"
    bench.run(setup, cell)
    (bench.directory / "sub").rmdir()
    run = bench.run("import os", cell)
    assert run.cells[1].errors == ["FileNotFoundError"]


def test_another_working_directory_is_a_miss(bench: Bench) -> None:
    cell = MAGIC + "os.chdir('..')"
    setup = "import os\nos.makedirs('a/b', exist_ok=True)"
    bench.run(setup, cell)
    run = bench.run(setup + "; os.chdir('a/b')", cell, look=("os.path.basename(os.getcwd())",))
    assert (run.outcomes, run.values) == (["computed"], ["'a'"])


@pytest.mark.parametrize(
    ("body", "look"),
    [
        ("import os\nos.environ['X'] = '1'", "os.environ['X']"),
        ("import sys\nif '/x' not in sys.path: sys.path.append('/x')", "'/x' in sys.path"),
        ("import warnings\nwarnings.simplefilter('error', UserWarning)", "warnings.filters[0]"),
        ("import numpy as np\nnp.set_printoptions(precision=3)", "np.array([1.23456])"),
        ("import pandas as pd\npd.set_option('display.precision', 3)", "pd.get_option('display.precision')"),
        ("import random\nrandom.seed(3); x = random.random()", "random.random()"),
        ("import numpy as np\nnp.random.seed(3)", "np.random.rand()"),
        ("import os\nos.chdir('/')", "os.getcwd()"),
    ],
)
def test_what_was_set_already_when_the_cell_set_it_is_set_in_another_process(
    bench: Bench, body: str, look: str
) -> None:
    plain, cell = bench.run(body, look=(look,), loaded=False), MAGIC + body
    bench.run(body, cell)  # kept by a run that changed nothing
    assert bench.run(cell, look=(look,)).values == plain.values
    run = bench.run(cell, look=(look,))
    assert (run.outcomes, run.values) == (["restored"], plain.values)


# Generators that nobody seeded


def notes_of(bench: Bench, *cells: str) -> list[str]:
    look = "[note for row in CACHE.rows() for note in CACHE.header(row.key).notes]"
    get = "from ipycheckpoint import workspace\nCACHE = workspace.current().cache()"
    return eval(bench.run(*cells, get, look=(look,)).values[0])


DRAWS = {
    "numpy": "import numpy as np\nx = np.random.rand()",
    "Python": "import random\nx = random.random()",
}


@pytest.mark.parametrize("library", DRAWS)
def test_a_draw_from_a_generator_that_the_cell_did_not_seed_is_kept_and_noted(bench: Bench, library: str) -> None:
    note = f"drew from the global generator of {library}, whose state before is not an Ingredient"
    assert notes_of(bench, MAGIC + DRAWS[library]) == [note]
    run = bench.run(MAGIC + DRAWS[library], look=("x",))
    assert run.outcomes == ["restored"]


@pytest.mark.parametrize("seed", ["import random\nrandom.seed(1)\nx = random.random()", "x = 1"])
def test_a_cell_that_seeds_or_draws_nothing_has_no_note(bench: Bench, seed: str) -> None:
    assert notes_of(bench, MAGIC + seed) == []


def test_strict_makes_the_state_before_an_ingredient(bench: Bench) -> None:
    def drawn(seed: int) -> tuple[list[str], list[str]]:
        cells = (
            f"import numpy as np, random\nnp.random.seed({seed}); random.seed(0)",
            "%%checkpoint --rng strict\nx = np.random.rand()",
        )
        run = bench.run(*cells, look=("round(x, 6)", "round(np.random.rand(), 6)"))
        return run.outcomes, run.values

    first = drawn(1)
    assert first == (["computed"], ["0.417022", "0.720324"])
    assert drawn(2) == (["computed"], ["0.435995", "0.025926"])
    assert drawn(1) == (["restored"], first[1])
    assert notes_of(bench) == []


def test_a_changed_state_is_the_reason_that_strict_gives(bench: Bench) -> None:
    cells = ("import random\nrandom.seed({})", "%%checkpoint --rng strict\nx = random.random()")
    bench.run(cells[0].format(1), cells[1])
    assert "ambient `random` changed" in bench.run(cells[0].format(2), cells[1]).cells[1].because


def test_what_is_ambient_is_no_variable(bench: Bench) -> None:
    bench.run(MAGIC + "import random\nx = random.random()")
    run = bench.run(MAGIC + "import random\nx = random.random()", "%checkpoint list")
    assert run.outcomes == ["restored"]
    assert "~" not in run.cells[1].text


@pytest.mark.kernel
def test_a_restored_cell_leaves_what_the_plain_one_leaves_in_a_kernel(tmp_path: Path) -> None:
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    from tests.notebooks.kernels import outcome, run, seen

    body = (
        "import os, random, numpy as np, pandas as pd\nimport matplotlib.pyplot as plt\n"
        "np.random.seed(3); random.seed(3); x = np.random.rand(2)\nnp.set_printoptions(precision=3)\n"
        "pd.set_option('display.precision', 2); plt.rcParams['figure.dpi'] = 55\nos.environ['MINE'] = '1'\n"
        "os.makedirs('sub', exist_ok=True); os.chdir('sub')"
    )
    look = (
        "import warnings\n[x, np.random.rand(2), random.random(), pd.Series([1.2345]), plt.rcParams['figure.dpi'],"
        " plt.rcParams['font.size'], plt.isinteractive(), os.environ['MINE'], os.path.basename(os.getcwd())]"
    )
    notebooks = ([body, look], [MAGIC + body, look], [MAGIC + body, look])
    plain, cold, warm = (run(tmp_path, *cells, loaded=cells[0] != body) for cells in notebooks)
    assert (outcome(cold[0]), outcome(warm[0])) == ("computed", "restored")
    assert seen(cold[1]) == seen(plain[1])
    assert seen(warm[1]) == seen(plain[1])
