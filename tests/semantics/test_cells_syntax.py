"""Whatever a cell is written in, it leaves under ``%%checkpoint`` what it leaves without: names, scopes, deletions."""

# ruff: noqa: E501 - a table reads by the row

from __future__ import annotations

import pytest

from tests.semantics.shells import Bench

MAGIC = "%%checkpoint\n"


def case(claim: str, *cells: str, look: tuple[str, ...] = (), modules: dict[str, str] | None = None) -> object:
    return pytest.param(cells, look, modules or {}, id=claim.replace(" ", "-"))


LOCAL = {"local_s": "a = 1\n_hidden = 2\ndef f(): return a\n", "local_t": "__all__ = ['_b']\n_b = [3]\nc = 4\n"}

SAME = [
    # star imports
    case("everything of a local module", MAGIC + "from local_s import *\ny = f()", look=("y, a, f()", "'_hidden' in globals()"), modules=LOCAL),
    case("what a local module says is everything", MAGIC + "from local_t import *\ny = _b[0]", look=("_b, y", "'c' in globals()", "__import__('local_t')._b is _b"), modules=LOCAL),
    case("a star import over a name", "a = 9", MAGIC + "from local_s import *\ny = a", look=("y, a",), modules=LOCAL),
    case("a star import above", "from local_s import *", MAGIC + "y = f() + a\nf2 = f", look=("y", "f2 is f"), modules=LOCAL),
    case("a submodule imported after its package", "import xml", MAGIC + "import xml.dom.minidom", look=("xml.dom.minidom.__name__",)),
    case("a future import", MAGIC + "from __future__ import annotations\ndef f(x: Nowhere): return x\ny = f(1)", look=("y, f.__annotations__",)),
    # bindings
    case("an annotated name", MAGIC + "x: int = 1\ny: str", look=("x", "'y' in globals()")),
    case("several targets", MAGIC + "x = y = z = []\n[*a, b] = 'pq'\n(c, *d), e = (1, 2, 3), 4", look=("x is y is z", "a, b, c, d, e")),
    case("augmented attributes and items", "class O: pass\no = O(); o.a = O(); o.a.n = [1]; o.k = 1; q = {'k': [1]}", MAGIC + "o.a.n += [2]; o.k *= 5; q['k'] += [3]; o.a.m = o.a.n", look=("o.a.n, o.k, q", "o.a.m is o.a.n")),
    case("deleted items attributes and slices", "d = {'a': 1, 'b': 2}; l = [1, 2, 3]; c = 5; m = l", MAGIC + "del d['a'], l[1:], c", look=("d, l", "m is l", "'c' in globals()")),
    case("targets of loops and comprehensions", "i = 'before'", MAGIC + "for k, *v in [(1, 2, 3)]: pass\ns = {i: j for i, j in zip('ab', (1, 2))}; t = sum(i for i in range(3))", look=("k, v, s, t, i", "'j' in globals()")),
    case("a walrus in a loop", MAGIC + "it = iter([1, 2, 0])\nwhile (n := next(it)): m = n\nelse: e = 1\ndel it", look=("n, m, e",)),
    case("a walrus in a comprehension in a function", MAGIC + "def f():\n    return [w := i for i in range(3)], w\ny = f()", look=("y", "'w' in globals()")),
    case("try with all its clauses", MAGIC + "try:\n    a = 1\nexcept ValueError as x: pass\nelse: b = 2\nfinally: c = 3\ntry:\n    1 / 0\nexcept ZeroDivisionError as x: d = str(x)", look=("a, b, c, d", "'x' in globals()")),
    case("a group of exceptions", MAGIC + "try:\n    raise ExceptionGroup('g', [ValueError(1)])\nexcept* ValueError as x: n = len(x.exceptions)", look=("n", "'x' in globals()")),
    case("several contexts", MAGIC + "import io, contextlib\nwith io.StringIO('q') as s, contextlib.suppress(KeyError) as n: t = s.read(); {}[1]\ndel s", look=("t, n",)),
    case("match in all its forms", MAGIC + "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    y: int\nmatch P(1, 2):\n    case P(x=a, y=b) if a < b: r = a, b\nmatch {'k': 1, 'z': [2, 3]}:\n    case {'k': v, **rest}: pass\nmatch [1, [2, 3]]:\n    case [_, [p, *q]] | [_, p, *q] as whole: pass", look=("r, a, b, v, rest, p, q, whole", "P(1, 2)", "type(P(1, 2)) is P")),
    case("async with and comprehensions", MAGIC + "import asyncio\nasync def g():\n    for i in range(3): yield i\nr = [i async for i in g()]\nasync with asyncio.Lock(): q = {i: 1 async for i in g()}", look=("r, q", "'i' in globals()")),
    # scopes
    case("global and nonlocal deep inside", MAGIC + "def outer():\n    n = 0\n    def inner():\n        nonlocal n\n        global w\n        n += 1\n        w = n\n    inner()\n    return n\nq = outer()", look=("q, w", "outer()")),
    case("a comprehension in the body of a class", MAGIC + "class A:\n    k = [1, 2]\n    m = [x + 1 for x in k]\n    def n(self): return [A.k for _ in self.m]", look=("A.m, A().n()", "'x' in globals()")),
    case("defaults that catch a loop variable", MAGIC + "fs = [lambda i=i: i for i in range(3)]\ngs = [lambda: i for i in range(3)]", look=("[f() for f in fs], [g() for g in gs]", "'i' in globals()")),
    case("exec in a namespace of its own", MAGIC + "own = {'k': 1}\nexec('z = k + 1', own)\ny = own['z']; del own", look=("y", "'z' in globals()")),
    case("globals by computed names", "n = 3", MAGIC + "for i in range(n): globals()[f'v{i}'] = i * i\nglobals().pop('n')\nglobals().update(k=1)", look=("v0, v1, v2, k", "'n' in globals()")),
    case("names with underscores", "_a = [1]; __b = 2; _12x = 3", MAGIC + "_a.append(__b); __c = _12x; _ = 5; a_, _b_ = 1, 2", look=("_a, __b, __c, a_, _b_",)),
    case("the results before as inputs", "41", "42", MAGIC + "x = _ + __ + _1 + Out[2]; y = In[1]", look=("x, y",)),
    case("attribute chains", "class O: pass\no = O(); o.p = O(); o.p.q = O(); o.p.q.v = [1]; q = o.p.q", MAGIC + "o.p.q.v.append(2); o.p.q.w = o.p; y = q.v", look=("y is o.p.q.v", "q.w is o.p", "y")),
    case("enumerations and named tuples", MAGIC + "from enum import Enum, Flag\nfrom collections import namedtuple\nclass E(Enum):\n    A = 1\nclass F(Flag):\n    A = 1; B = 2\nT = namedtuple('T', 'a b')\ne = E.A; f = F.A | F.B; t = T(e, f)", look=("e is E.A, f is F.A | F.B, t.a is E.A", "type(t) is T", "t")),
    case("an exception and its class", MAGIC + "class Failed(Exception): pass\nx = Failed(1)\nx.why = [2]", look=("type(x) is Failed, x.args, x.why",)),
    # around it
    case("time above", "%%time\n" + MAGIC + "y = 41 + 1", look=("y",)),
    case("capture above", "%%capture told\n" + MAGIC + "print('x'); y = 1\ny", look=("y, told.stdout",)),
    case("a guard of a script", MAGIC + "if __name__ == '__main__': y = 1", look=("y",)),
    case("the end of the last line", MAGIC + "print('a', end='')\nNone"),
    case("a value written beside the stream", MAGIC + "import sys\nn = sys.stdout.write('written')\nn", look=("n",)),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "look", "modules"), SAME)
def test_cold_and_warm_are_as_without_the_magic(
    bench: Bench, cells: tuple[str, ...], look: tuple[str, ...], modules: dict[str, str]
) -> None:
    for name, text in modules.items():
        bench.module(name, text)
    plain, cold, warm = bench.twice(*cells, look=look)
    timed = cells[0].startswith("%%time")
    assert cold.values == warm.values == plain.values
    assert timed or cold.outputs == warm.outputs == plain.outputs
    assert not any(cell.errors for run in (plain, cold, warm) for cell in run.cells)
    assert set(cold.outcomes) == {"computed"}, [cell.because for cell in cold.cells]
    assert set(warm.outcomes) == {"restored"}, [cell.because for cell in warm.cells]


READS = {
    # What reads `k` without naming it as Python does.
    "a formatted string": "y = f'{k}'",
    "a format of globals": "y = '{k}'.format(**globals())",
    "locals": "y = locals()['k']",
    "vars": "y = vars()['k']",
    "a frame": "import sys\ny = sys._getframe().f_globals['k']",
    "inspect": "import inspect\ny = inspect.currentframe().f_globals['k']",
    "exec": "exec('y = k')",
    "runpy": "import runpy\ny = runpy.run_path('local_k.py', init_globals=globals())['y']",
    "a query": "import pandas as pd\ny = pd.DataFrame({'a': [1, 2]}).query('a == @k').a.tolist()",
    "an expression for pandas": "import pandas as pd\ny = pd.eval('k + 1')",
    "a command": "y = !echo $k\ny = list(y)",
    "a command in braces": "y = !echo {k + 1}\ny = list(y)",
    "a command in a function": "def f():\n    z = !echo $k\n    return list(z)\ny = f()",
    "%time": "%time y = k",
    "%prun": "%prun -q y = k",
    "%env": "%env A_VARIABLE=$k\nimport os\ny = os.environ['A_VARIABLE']",
    "%run -i": "%run -i local_k.py",
    "a magic by its name": "get_ipython().run_line_magic('time', 'y = k')",
    "a cell magic by its name": "get_ipython().run_cell_magic('capture', 'c', 'y = k')",
    "the shell": "y = get_ipython().ev('k')",
    "a nested cell": "get_ipython().run_cell('y = k')",
    "a nested checkpoint": "get_ipython().run_cell('%%checkpoint\\ny = k')",
    "the history": "y = In[1]",
    "the last input": "y = _i1",
}


@pytest.mark.parametrize("cell", READS.values(), ids=READS)
def test_an_input_counts_however_it_is_read(bench: Bench, cell: str) -> None:
    bench.module("local_k", "y = k\n")
    first = bench.run("k = 1", MAGIC + cell, look=("y",))
    plain = bench.run("k = 2", MAGIC + cell, look=("y",), IPYCHECKPOINT_MODE="off")
    second = bench.run("k = 2", MAGIC + cell, look=("y",))
    assert (first.cells[1].outcome, second.cells[1].outcome) == ("computed", "computed")
    assert second.values == plain.values != first.values


MOVES = {
    "copied": ("x = 1", MAGIC + "y = x + 1", MAGIC + "y = x + 1"),
    "moved up": (MAGIC + "a = 0", "x = 1", MAGIC + "y = x + 1"),
    "named": ("x = 1", "%%checkpoint mine\ny = x + 1"),
    "renamed input": ("w = 1", MAGIC + "y = w + 1"),
    "its definitions in another order": ("u = 5; x = 1", MAGIC + "y = x + 1"),
}


@pytest.mark.parametrize("cells", MOVES.values(), ids=MOVES)
def test_a_cell_copied_moved_or_renamed_is_the_same_cell(bench: Bench, cells: tuple[str, ...]) -> None:
    bench.run("x = 1", MAGIC + "y = x + 1")
    run = bench.run(*cells, look=("y",))
    assert (run.cells[-1].outcome, run.values) == ("restored", ["2"])


def test_a_function_beside_an_import_is_the_same_in_every_shell(bench: Bench) -> None:
    """Python makes other code of a call of what the same text imports; a shell compiles each statement alone."""
    look = ("code.of_function(f).source is not None, code.of_function(f).digest",)
    cells = ("from ipycheckpoint.identity import code", MAGIC + "import math\ndef f(x): return math.sqrt(x)")
    cold, warm = bench.run(*cells, look=look), bench.run(*cells, look=look)
    elsewhere = bench.run("import math", cells[0], "def f(x):\n    # else\n    return math.sqrt(x)", look=look)
    assert cold.values == warm.values == elsewhere.values
    assert cold.values[0].startswith("(True")
