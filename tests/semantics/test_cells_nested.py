"""A checkpoint inside of a checkpoint, of whatever kind and however it is reached: the outer one never masks it."""

from __future__ import annotations

import pytest

from tests.semantics.shells import Bench

MAGIC = "%%checkpoint\n"
F = "from ipycheckpoint import checkpoint\n@checkpoint\ndef f(x=1): return x + {}\n"
METHOD = "from ipycheckpoint import checkpoint\nclass A:\n    @checkpoint\n    def f(self): return {}\na = A()"
CALL = MAGIC + "y = f()"
LOCAL = MAGIC + "import local_n\ny = local_n.f()"
RUN = MAGIC + "%run script_n.py"

# The cells, with what will be edited in braces; the modules beside them, likewise.
INNER = {
    "a function of another cell": ((F, CALL), {}),
    "a function behind a helper": ((F, "def h(): return f()", MAGIC + "y = h()"), {}),
    "a function behind a checkpointed one": ((F + "@checkpoint\ndef g(): return f()", MAGIC + "y = g()"), {}),
    "a function in a table": ((F, "table = {{'f': [f]}}", MAGIC + "y = table['f'][0]()"), {}),
    "a function behind a partial": ((F, "from functools import partial\np = partial(f, 2)", MAGIC + "y = p()"), {}),
    "the helper of a function": (
        (
            "def g(): return {}",
            "from ipycheckpoint import checkpoint\n@checkpoint\ndef f(): return g()",
            CALL,
        ),
        {},
    ),
    "the global of a function": (
        (
            "k = {}",
            "from ipycheckpoint import checkpoint\n@checkpoint\ndef f(): return k",
            CALL,
        ),
        {},
    ),
    "a method": ((METHOD, MAGIC + "y = a.f()"), {}),
    "a function of the cell itself": ((MAGIC + F + "y = f()",), {}),
    "the global of a function of the cell itself": (
        ("k = {}", MAGIC + "from ipycheckpoint import checkpoint\n@checkpoint\ndef f(): return k\ny = f()"),
        {},
    ),
    "a function of a local module": ((LOCAL,), {"local_n": F}),
    "a function of a local module of a local module": (
        (LOCAL,),
        {"local_n": "import local_o\ndef f(): return local_o.f()", "local_o": F},
    ),
    "a cell inside": ((MAGIC + "get_ipython().run_cell('%%checkpoint\\ny = {}')",), {}),
    "a cell inside, by its text": (("t = '%%checkpoint\\ny = {}'", MAGIC + "get_ipython().run_cell(t)"), {}),
    "the input of a cell inside": (("k = {}", MAGIC + "get_ipython().run_cell('%%checkpoint\\ny = k')"), {}),
    "the helper of a cell inside": (
        ("def h(): return {}", MAGIC + "get_ipython().run_cell('%%checkpoint\\ny = h()')"),
        {},
    ),
    "the function of a cell inside": ((F, MAGIC + "get_ipython().run_cell('%%checkpoint\\ny = f()')"), {}),
    "a cell in a cell inside": (
        (
            "t = '%%checkpoint\\ny = {}'",
            "u = '%%checkpoint\\nget_ipython().run_cell(t)'",
            MAGIC + "get_ipython().run_cell(u)",
        ),
        {},
    ),
    "a script": ((RUN,), {"script_n": "y = {}"}),
    "a function of a script": ((RUN,), {"script_n": F + "y = f()"}),
    "a function of a local module of a script": ((RUN,), {"script_n": "import local_n\ny = local_n.f()", "local_n": F}),
    "a plain function of a local module of a script": (
        (RUN,),
        {"script_n": "from local_n import f\ny = f()", "local_n": "def f(): return {}"},
    ),
    "a local module of a text": ((MAGIC + "exec('import local_n; y = local_n.f()')",), {"local_n": F}),
    "a local module of a cell inside": (
        (MAGIC + "get_ipython().run_cell('import local_n; y = local_n.f()')",),
        {"local_n": F},
    ),
    "a local module by its name": (
        ("name = 'local_n'", MAGIC + "import importlib\ny = importlib.import_module(name).f()"),
        {"local_n": F},
    ),
}


def versions(texts: tuple[str, ...], number: int) -> list[str]:
    return [text.format(number) if "{" in text else text for text in texts]


@pytest.mark.parametrize(("cells", "modules"), INNER.values(), ids=INNER)
def test_an_edit_inside_is_seen_outside_and_what_is_unchanged_is_a_hit(
    bench: Bench, cells: tuple[str, ...], modules: dict[str, str]
) -> None:
    outcomes, values = [], []
    for number in (10, 10, 20, 10):
        for name, text in modules.items():
            bench.module(name, text.format(number))
        run = bench.run(*versions(cells, number), look=("y",))
        values += run.values
        outcomes.append(run.cells[-1].outcome)
    plain = bench.run(*versions(cells, 20), look=("y",), IPYCHECKPOINT_MODE="off").values if not modules else None
    assert values[0] == values[1] == values[3] != values[2]
    assert plain is None or values[2] == plain[0]
    assert outcomes[:3] == ["computed", "restored", "computed"]


@pytest.mark.parametrize("forgotten", ["outer", "inner"])
def test_each_of_two_is_kept_for_itself(bench: Bench, forgotten: str) -> None:
    cell = "%%checkpoint outer\nget_ipython().run_cell('%%checkpoint inner\\na = 1')\nb = a"
    bench.run(cell)
    run = bench.run(f"%checkpoint forget {forgotten}", cell, look=("a, b",))
    told = {about["label"]: about["outcome"] for about in run.cells[1].abouts}
    assert told == ({"inner": "restored", "outer": "computed"} if forgotten == "outer" else {"outer": "restored"})
    assert run.values == ["(1, 1)"]


def test_a_failure_inside_ends_neither_the_recording_nor_the_cell_outside(bench: Bench) -> None:
    cell = MAGIC + "print('a')\nget_ipython().run_cell('%%checkpoint\\nprint(1)\\n1 / 0')\nprint('b')\ny = 2"
    plain = bench.run(cell.removeprefix(MAGIC).replace("%%checkpoint\\n", "# a line\\n"), look=("y",), loaded=False)
    cold, warm = bench.run(cell, look=("y",)), bench.run(cell, look=("y",))
    assert (cold.outcomes, warm.outcomes) == (["computed"], ["restored"])
    assert warm.outputs == cold.outputs
    assert plain.values == cold.values == warm.values
    assert "ZeroDivisionError" in warm.cells[0].text


def test_an_interrupt_inside_ends_both_and_keeps_neither(bench: Bench) -> None:
    inner = "%%checkpoint inner\\nimport os, signal\\nos.kill(os.getpid(), signal.SIGINT)\\nimport time; time.sleep(5)"
    cell = f"%%checkpoint outer\nr = get_ipython().run_cell('''{inner}''')\nr.raise_error()\ny = 1"
    run = bench.run(cell, "%checkpoint list", look=("'y' in globals()",))
    assert run.cells[0].errors == ["KeyboardInterrupt"]
    assert run.outcomes == []
    assert "0 records" in run.cells[1].text
    assert run.values == ["False"]
