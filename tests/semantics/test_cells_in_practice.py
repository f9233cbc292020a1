"""What long notebooks have brought to light, each as small as it gets."""

from __future__ import annotations

import pytest

from tests.semantics.shells import Bench

MAGIC = "%%checkpoint\n"


@pytest.mark.parametrize(
    "body",
    [
        "y = get_ipython().user_ns['x'] + 1",
        "from IPython import get_ipython\ny = get_ipython().user_global_ns['x'] + 1",
        "y = {n: v for n, v in get_ipython().user_ns.items() if n == 'x'}['x'] + 1",
        "def f():\n    return get_ipython().user_module.x + 1\ny = f()",
        "import __main__\ny = __main__.x + 1",
        "import __main__ as notebook\ny = getattr(notebook, 'x') + 1",
        "from __main__ import x as start\ny = start + 1",
    ],
)
def test_a_cell_that_reads_the_notebooks_names_through_the_shell_depends_on_them(bench: Bench, body: str) -> None:
    outcomes = []
    for x in (1, 1, 5):
        run = bench.run(f"x = {x}", MAGIC + body, look=("y",))
        assert run.values == [str(x + 1)]
        outcomes += run.outcomes
    assert outcomes == ["computed", "restored", "computed"]


def test_a_helper_that_reads_the_notebooks_names_through_the_shell_makes_its_cell_depend_on_them(bench: Bench) -> None:
    helper = "def total():\n    return sum(v for n, v in get_ipython().user_ns.items() if n.startswith('part_'))"
    for part in (1, 5):
        run = bench.run(helper, f"part_a = 10; part_b = {part}", MAGIC + "y = total()", look=("y",))
        assert run.values == [str(10 + part)]
