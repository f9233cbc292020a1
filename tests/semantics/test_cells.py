"""A cell under ``%%checkpoint`` leaves what it leaves without it: when it runs, and when it is restored elsewhere."""

# ruff: noqa: E501 - a table reads by the row

from __future__ import annotations

import dataclasses

import pytest

from tests.semantics.shells import Bench, Run

MAGIC = "%%checkpoint\n"
NP = "import numpy as np\n"
BOX = "class O: pass\n"


def case(claim: str, *cells: str, look: tuple[str, ...] = (), modules: dict[str, str] | None = None) -> object:
    return pytest.param(cells, look, modules or {}, id=claim.replace(" ", "-"))


SAME = [
    # names
    case("a name bound", "x = 1", MAGIC + "y = x + 1", look=("y",)),
    case("t += 1", "t = 1", MAGIC + "t += 1", look=("t",)),
    case("t = t + 1", "t = 1", MAGIC + "t = t + 1", look=("t",)),
    case("private names", MAGIC + "_p = 1; __q = 2", look=("_p", "__q")),
    case("the last result as an input", "41", MAGIC + "x = _ + 1", look=("x",)),
    case("Out as an input", "41", MAGIC + "x = Out[1] + 1", look=("x",)),
    case("a deleted name", "x = 1; y = 2", MAGIC + "del x", look=("'x' in globals()", "y")),
    case("a name bound and deleted", MAGIC + "x = 1; del x; y = 2", look=("'x' in globals()", "y")),
    case("a binding not taken", "x = 5", MAGIC + "if False:\n    x = 1\ny = 2", look=("x", "y")),
    case("a binding not taken of a name not there", MAGIC + "if False:\n    x = 1\ny = 2", look=("'x' in globals()",)),
    case("a global bound by a function", "def f():\n    global z\n    z = 7", MAGIC + "f()", look=("z",)),
    case("exec and globals", MAGIC + "exec('q = 3')\nglobals()['r'] = 4", look=("q", "r")),
    case("None and False", MAGIC + "a = None; b = False; c = ...", look=("a", "b", "c")),
    # changes in place
    case("append", "x = [1]; same = x", MAGIC + "x.append(2)", look=("x", "same is x")),
    case("nested list", "d = {'a': [1]}; i = d['a']", MAGIC + "d['a'][0] = 5", look=("d", "i", "i is d['a']")),
    case(
        "doubly nested list",
        "d = {'a': {'b': [1]}}; i = d['a']['b']",
        MAGIC + "d['a']['b'].append(2)",
        look=("d", "i", "i is d['a']['b']"),
    ),
    case(
        "rows of dicts",
        "rows = [{'a': 1}, {'a': 2}]; first = rows[0]",
        MAGIC + "for r in rows: r['b'] = r['a'] * 2",
        look=("rows", "first is rows[0]", "r is rows[1]"),
    ),
    case(
        "more rows than are linked",
        "rows = [{'a': i} for i in range(200)]",
        MAGIC + "for r in rows: r['b'] = 1",
        look=("rows[199]", "r is rows[199]"),
    ),
    case(
        "pop",
        "rows = [[1], [2]]; r = rows[1]",
        MAGIC + "last = rows.pop(); last.append(3)",
        look=("rows", "last is r", "r"),
    ),
    case("item replaced", "d = {'a': [1]}; i = d['a']", MAGIC + "d['a'] = [2]", look=("d", "i is d['a']")),
    case("attribute", BOX + "o = O(); o.v = 1; p = o", MAGIC + "o.v = 2", look=("o.v", "p is o")),
    case(
        "attribute of an attribute",
        BOX + "o = O(); o.v = [1]; v = o.v",
        MAGIC + "o.v.append(3)",
        look=("v", "v is o.v"),
    ),
    case("attribute deleted", BOX + "o = O(); o.v = 1", MAGIC + "del o.v", look=("vars(o)",)),
    case(
        "column",
        "import pandas as pd; df = pd.DataFrame({'a': [1]}); e = df",
        MAGIC + "df['x'] = 1",
        look=("df.to_dict()", "e is df"),
    ),
    case("array element", NP + "a = np.arange(5); b = a", MAGIC + "a[0] = 9", look=("a", "b is a")),
    case("write through a view", NP + "a = np.arange(5); b = a[1:]", MAGIC + "b[0] = 99", look=("a", "b")),
    case("resized array", NP + "a = np.arange(3); b = a", MAGIC + "a.resize(5, refcheck=False)", look=("a", "b is a")),
    case(
        "set and dict", "s = {1}; d = {}", MAGIC + "s.add('x'); d['k'] = s", look=("sorted(map(str, s))", "d['k'] is s")
    ),
    case("read-only tuple of lists", "t = ([1], [2])", MAGIC + "t[0].append(3)", look=("t",)),
    case(
        "parent and child",
        BOX + "n = O(); n.c = []",
        MAGIC + "m = O(); m.p = n; n.c.append(m)",
        look=("n.c[0] is m", "m.p is n"),
    ),
    # one object graph
    case("two names of one object", MAGIC + "a = [1]; b = a; c = {'k': a}", look=("a is b", "c['k'] is a")),
    case(
        "objects that were there",
        "a = [1]; m = [[1], [2]]",
        MAGIC + "y = a; best = m[1]; z = {'w': a}",
        look=("y is a", "best is m[1]", "z['w'] is a"),
    ),
    case(
        "attribute that was there",
        BOX + "o = O(); o.v = [1]",
        MAGIC + "w = o.v; z = [o]",
        look=("w is o.v", "z[0] is o"),
    ),
    case("last value that was there", "a = [1]", MAGIC + "a", look=("_ is a", "Out[2] is a")),
    case("views among outputs", NP, MAGIC + "x = np.arange(9); y = x[2:5]", look=("np.shares_memory(x, y)", "y")),
    case(
        "views of a live array",
        NP + "x = np.arange(10)",
        MAGIC + "y = x[2:5]; z = x[::-2]; w = x.reshape(2, 5)[1:, ::2].T; v = x.view('u1')[8:]",
        look=(
            "np.shares_memory(x, y)",
            "y",
            "np.shares_memory(x, z)",
            "z",
            "np.shares_memory(x, w)",
            "w",
            "np.shares_memory(x, v)",
        ),
    ),
    case(
        "view of an array that changes",
        NP + "x = np.arange(10); x0 = x",
        MAGIC + "x[3] = 7; y = x[2:5]",
        look=("np.shares_memory(x, y)", "y", "x is x0", "x"),
    ),
    case(
        "view of a restored strided array",
        NP,
        MAGIC + "x = np.arange(20)[::2]",
        MAGIC + "y = x[3:6]",
        look=("np.shares_memory(x, y)", "y"),
    ),
    case(
        "new object at the place of a freed one",
        "d = {'k': [0]}",
        MAGIC + "d.clear(); y = [[i] for i in range(50)]",
        look=("y", "d"),
    ),
    # functions and classes
    case(
        "restored function",
        MAGIC + "k = 2\ndef f(x):\n    return x * k",
        "k = 5",
        look=("f(2)", "__import__('inspect').getsource(f)", "f.__globals__ is globals()"),
    ),
    case("restored lambda", MAGIC + "k = 2; g = lambda: k", "k = 5", look=("g()",)),
    case("restored closure", MAGIC + "def make(n):\n    return lambda: n\nthree = make(3)", look=("three()",)),
    case("restored class", MAGIC + "class A:\n    def v(self): return 1\na = A()", look=("type(a) is A", "a.v()")),
    case("class of another cell", "class A: pass", MAGIC + "a = A(); B = A", look=("type(a) is A", "B is A")),
    case(
        "class reached through an instance", "class A: pass\na = A()", MAGIC + "b = type(a)()", look=("type(b) is A",)
    ),
    case("subclass", "class A: pass", MAGIC + "class B(A): pass\nb = B()", look=("B.__mro__[1] is A", "type(b) is B")),
    case("helper of another cell", "def h(): return 1", MAGIC + "g = h; l = [h]", look=("g is h", "l[0] is h")),
    case(
        "generator of random numbers",
        NP + "rng = np.random.default_rng(0); r = rng",
        MAGIC + "x = rng.random()",
        look=("x", "rng.random()", "r is rng"),
    ),
    case(
        "decorated function defined here",
        MAGIC + "from ipycheckpoint import checkpoint\n@checkpoint\ndef f(x): return [x]\ny = f(1)",
        look=("y", "f(2)", "type(f).__name__"),
    ),
    case(
        "decorated function of another cell",
        "from ipycheckpoint import checkpoint\n@checkpoint\ndef f(x): return [x]",
        MAGIC + "g = f; table = {'f': f}",
        look=("g is f", "table['f'] is f"),
    ),
    # imports
    case(
        "imports",
        MAGIC + "import math\nfrom os.path import *\nimport os.path as op\nimport collections.abc",
        look=("math.pi", "op.__name__", "join('a', 'b')", "collections.abc.__name__"),
    ),
    case("a module not imported before", MAGIC + "import wave\ny = wave.__name__", look=("y",)),
    case(
        "a local module not imported before",
        MAGIC + "import local_a\nfrom local_a import val as v\ny = local_a.f()",
        look=("y", "v", "local_a.val"),
        modules={"local_a": "val = 3\ndef f(): return 4\n"},
    ),
    # what was seen
    case("streams in order", MAGIC + "import sys\nprint('a'); print('e', file=sys.stderr); print('b')"),
    case("displays in order", MAGIC + "print('a'); display('b'); print('c'); display({'x': 1})"),
    case(
        "a handler that holds the stream",
        "import logging; logging.basicConfig()",
        MAGIC + "logging.warning('hi'); x = 1",
    ),
    case("shell", MAGIC + "z = !echo hi\n!echo ho", look=("z",)),
    case("the last expression", MAGIC + "x = 6\nx * 7", look=("_", "Out[1]")),
    case("the last expression is an output", MAGIC + "x = [1]\nx", look=("_ is x",)),
    case("a trailing semicolon", MAGIC + "x = 1\n3;", look=("x",)),
    case("a last None", MAGIC + "print('x')"),
    case("a HTML result", "import pandas as pd", MAGIC + "pd.DataFrame({'a': [1]})"),
    # syntax
    case(
        "await and async for",
        MAGIC
        + "import asyncio\nawait asyncio.sleep(0)\nasync def g():\n    for i in range(3): yield i\nr = []\nasync for i in g(): r.append(i)\nr",
        look=("r",),
    ),
    case("match", MAGIC + "match [1, 2, 3]:\n    case [a, *b]: c = a", look=("a", "b", "c")),
    case(
        "walrus",
        MAGIC + "y = [(w := i) for i in range(3)]\nif (n := len(y)) > 2: m = n",
        look=("w", "n", "m", "'i' in globals()"),
    ),
    case("star-unpacking", MAGIC + "a, *b = range(4)\n(c, (d, e)), f = (1, (2, 3)), 4", look=("a, b, c, d, e, f",)),
    case(
        "with, try, for",
        MAGIC
        + "import io\nwith io.StringIO('q') as s: t = s.read()\ndel s\ntry: 1 / 0\nexcept ZeroDivisionError as ex: h = 2\nfor i in range(3): pass\nelse: j = 1",
        look=("t, h, i, j", "'ex' in globals()"),
    ),
    case("a harmless magic", MAGIC + "%precision 3\nx = 1", look=("x",)),
    case("nested run_cell", MAGIC + "get_ipython().run_cell('a = 5')\nb = a", look=("a", "b")),
    case(
        "%%capture above", "%%capture cap\n" + MAGIC + "print('x'); y = 1", look=("y", "cap.stdout", "len(cap.outputs)")
    ),
    # chains
    case(
        "a chain of rich values",
        NP + "import pandas as pd",
        MAGIC
        + "a = np.arange(20)[::3]; s = {'x', 'y', 'z'}; b = np.broadcast_to(np.arange(3), (2, 3)); m = np.ma.array([1, 2], mask=[0, 1])\n"
        "df = pd.DataFrame({'c': pd.Categorical(['u', 'v']), 't': pd.to_datetime(['2020', '2021'], utc=True), 's': ['a', None]})",
        MAGIC + "r = (a.sum(), sorted(s), b.sum(), m.sum(), len(df))",
        MAGIC + "q = r[0] + 1",
        look=("r", "q"),
    ),
    case(
        "a fitted model",
        "from sklearn.ensemble import RandomForestRegressor\n" + NP,
        MAGIC
        + "X = np.random.RandomState(0).rand(50, 3); model = RandomForestRegressor(5, random_state=0).fit(X, X[:, 0])",
        MAGIC + "p = model.predict(X).sum()",
        look=("round(p, 9)",),
    ),
    case(
        "a model fitted in place",
        "from sklearn.linear_model import LinearRegression\n"
        + NP
        + "X = np.arange(6.).reshape(3, 2); model = LinearRegression(); m = model",
        MAGIC + "model.fit(X, X[:, 0])",
        look=("m is model", "m.coef_.shape"),
    ),
]


@pytest.mark.parametrize(("cells", "look", "modules"), SAME)
def test_cold_and_warm_are_as_without_the_magic(
    bench: Bench, cells: tuple[str, ...], look: tuple[str, ...], modules: dict[str, str]
) -> None:
    if "sklearn" in "".join(cells):
        pytest.importorskip("sklearn")
    for name, text in modules.items():
        bench.module(name, text)
    plain, cold, warm = bench.twice(*cells, look=look)
    assert (cold.values, cold.outputs) == (plain.values, plain.outputs)
    assert (warm.values, warm.outputs) == (plain.values, plain.outputs)
    assert set(cold.outcomes) == {"computed"}, [cell.because for cell in cold.cells]
    assert set(warm.outcomes) == {"restored"}, [cell.because for cell in warm.cells]


def last(run: Run) -> tuple[str | None, list[str]]:
    return run.cells[-1].outcome, run.values


def edit(claim: str, before: tuple[str, ...], after: tuple[str, ...], look: str = "y") -> object:
    return pytest.param(before, after, look, id=claim.replace(" ", "-"))


MISSES = [
    edit("input rebound", ("x = 1", MAGIC + "y = x"), ("x = 2", MAGIC + "y = x")),
    edit("type of an input", ("x = 1", MAGIC + "y = x"), ("x = True", MAGIC + "y = x")),
    edit("input mutated before", ("x = [1]", MAGIC + "y = list(x)"), ("x = [1]; x.append(2)", MAGIC + "y = list(x)")),
    edit(
        "changed input upstream",
        ("x = [1]", MAGIC + "x.append(2); y = x[:]"),
        ("x = [0]", MAGIC + "x.append(2); y = x[:]"),
    ),
    edit("code", ("x = 1", MAGIC + "y = x + 1"), ("x = 1", MAGIC + "y = x + 2")),
    edit("helper", ("def h(): return 1", MAGIC + "y = h()"), ("def h(): return 2", MAGIC + "y = h()")),
    edit(
        "helper of a helper",
        ("def g(): return 1\ndef h(): return g()", MAGIC + "y = h()"),
        ("def g(): return 2\ndef h(): return g()", MAGIC + "y = h()"),
    ),
    edit(
        "global of a helper",
        ("k = 1\ndef h(): return k", MAGIC + "y = h()"),
        ("k = 2\ndef h(): return k", MAGIC + "y = h()"),
    ),
    edit(
        "method of an input's class",
        ("class A:\n    def v(self): return 1\na = A()", MAGIC + "y = a.v()"),
        ("class A:\n    def v(self): return 2\na = A()", MAGIC + "y = a.v()"),
    ),
    edit("name of an output", ("x = 1", MAGIC + "y = x; z = 0"), ("x = 1", MAGIC + "z = x; y = 0")),
    edit("another tag", (MAGIC + "y = 1",), ("%%checkpoint --tags run=2\ny = 1",)),
    edit("a semicolon", (MAGIC + "y = 1\ny",), (MAGIC + "y = 1\ny;",)),
    edit("mentioned in a query", ("k = 1", MAGIC + "y = eval('k')"), ("k = 2", MAGIC + "y = eval('k')")),
    edit(
        "checkpointed function inside",
        ("from ipycheckpoint import checkpoint\n@checkpoint\ndef f(): return 1", MAGIC + "y = f()"),
        ("from ipycheckpoint import checkpoint\n@checkpoint\ndef f(): return 2", MAGIC + "y = f()"),
    ),
    edit("behind %time", ("x = 1", MAGIC + "%time y = x"), ("x = 2", MAGIC + "%time y = x")),
]

HITS = [
    edit("a comment", ("x = 1", MAGIC + "y = x + 1"), ("x = 1", MAGIC + "# more\n\ny = (x +\n  1)  # here")),
    edit("moved down", ("x = 1", MAGIC + "y = x + 1"), ("x = 1", "z = 3", MAGIC + "y = x + 1")),
    edit("an input renamed", ("x = 1", MAGIC + "y = x + 1"), ("w = 1", MAGIC + "y = w + 1")),
    edit(
        "equal but rebuilt",
        ("x = {'a': [1, 2]}", MAGIC + "y = x['a'][1]"),
        ("x = dict(a=list(range(1, 3)))", MAGIC + "y = x['a'][1]"),
    ),
    edit("unused variable", ("u = 1; x = 1", MAGIC + "y = x"), ("u = 2; x = 1", MAGIC + "y = x")),
    edit("named", (MAGIC + "y = 1",), ("%%checkpoint one\ny = 1",)),
    edit("another value of the output before", ("x = 1", MAGIC + "y = x"), ("x = 1; y = 8", MAGIC + "y = x")),
    edit(
        "loop variable from before",
        (MAGIC + "for i in list('ab'): y = i",),
        ("i = 5", MAGIC + "for i in list('ab'): y = i"),
    ),
    edit(
        "helper defined before loading",
        ("def h(): return 1", MAGIC + "y = h()"),
        ("def h():\n    return 1", MAGIC + "y = h()"),
    ),
    edit("behind %time, its own output", ("x = 1", MAGIC + "%time y = x"), ("x = 1; y = 7", MAGIC + "%time y = x")),
]


@pytest.mark.parametrize(("before", "after", "look"), MISSES)
def test_a_change_that_counts_is_a_miss(
    bench: Bench, before: tuple[str, ...], after: tuple[str, ...], look: str
) -> None:
    bench.run(*before)
    expected = bench.run(*(cell.partition("\n")[2] if cell.startswith("%%") else cell for cell in after), look=(look,))
    assert last(bench.run(*after, look=(look,))) == ("computed", expected.values)


@pytest.mark.parametrize(("before", "after", "look"), HITS)
def test_a_change_that_does_not_count_is_a_hit(
    bench: Bench, before: tuple[str, ...], after: tuple[str, ...], look: str
) -> None:
    first = bench.run(*before, look=(look,))
    assert last(first) == ("computed", first.values)
    assert last(bench.run(*after, look=(look,))) == ("restored", first.values)


RERUNS = [
    # Cells that run one after the other in one kernel, and what is looked at after each.
    pytest.param(("t = 1", MAGIC + "t += 1", MAGIC + "t += 1"), ("computed", "computed"), ("t",), id="t-plus-1-twice"),
    pytest.param(
        ("x = 1", MAGIC + "y = [x]", "y.append(2)", MAGIC + "y = [x]"),
        ("computed", "restored"),
        ("y",),
        id="output-mutated",
    ),
    pytest.param(
        (MAGIC + "for i in range(3): pass", MAGIC + "for i in range(3): pass"),
        ("computed", "restored"),
        ("i",),
        id="loop-twice",
    ),
    pytest.param(
        ("x = 1", MAGIC + "x = 1", MAGIC + "x = 1"), ("computed", "restored"), ("x",), id="bound-to-what-it-was"
    ),
    pytest.param(
        ("x = 1", MAGIC + "%time y = x", MAGIC + "%time y = x"), ("computed", "restored"), ("y",), id="time-twice"
    ),
    pytest.param(
        ("a = 1", MAGIC + "y = a", "a = 2", MAGIC + "y = a", "a = 1", MAGIC + "y = a"),
        ("computed", "computed", "restored"),
        ("y",),
        id="copied-under-another-input",
    ),
    pytest.param(
        (MAGIC + "def f(): return 1", MAGIC + "y = f()", MAGIC + "def f(): return 2", MAGIC + "y = f()"),
        ("computed",) * 4,
        ("y",),
        id="defined-anew",
    ),
    pytest.param(
        (MAGIC + "import math", MAGIC + "import math"), ("computed", "restored"), ("math.pi",), id="import-twice"
    ),
]


@pytest.mark.parametrize(("cells", "outcomes", "look"), RERUNS)
def test_several_runs_in_one_kernel(
    bench: Bench, cells: tuple[str, ...], outcomes: tuple[str, ...], look: tuple[str, ...]
) -> None:
    plain = [cell.partition("\n")[2] if cell.startswith("%%") else cell for cell in cells]
    expected = bench.run(*plain, look=look, loaded=False).values
    run = bench.run(*cells, look=look)
    assert run.outcomes == list(outcomes), [cell.because for cell in run.cells]
    assert run.values == expected


@pytest.mark.parametrize(
    ("setup", "cell", "path"),
    [
        (
            "def make():\n    n = 0\n    def f():\n        nonlocal n\n        n += 1\n    return f\nf = make()",
            "f()",
            "f.n",
        ),
        ("def f(): f.n += 1\nf.n = 0", "f()", "f.n"),
        ("def f(): f.n += 1\nf.n = 0\ndef g(): f()", "g()", "f.n"),
        ("class A: n = []", "A.n.append(1)", "A.n"),
        ("class A:\n    n = 0\n    def __init__(self): type(self).n += 1\na = A()", "b = type(a)()", "a.n"),
        ("import local_f", "local_f.n = 2", "local_f.n"),
    ],
)
def test_state_that_a_hit_could_not_change_is_named_and_nothing_is_kept(
    bench: Bench, setup: str, cell: str, path: str
) -> None:
    bench.module("local_f", "n = 1\ndef count():\n    global n\n    n += 1\n")
    run = bench.run(setup, MAGIC + cell)
    assert run.cells[1].outcome == "refused"
    assert f"`{path}`" in run.cells[1].because


@pytest.mark.parametrize("taken", ["", "a"])
@pytest.mark.parametrize("before", ["x = 1", "x = 2", "pass"])
@pytest.mark.parametrize("recorded", ["x = 1", "x = 2", "pass"])
@pytest.mark.parametrize(
    "binding",
    [
        "if flag:\n    x = 1",
        "for x in [1][:len(flag)]: pass",
        "while flag:\n    x = 1\n    break",
        "with __import__('contextlib').suppress(ZeroDivisionError):\n    len(flag) / len(flag)\n    x = 1",
        "try:\n    len(flag) / len(flag)\n    import math as w\n    x = 1\nexcept ZeroDivisionError: pass",
        "def f():\n    global x\n    if flag:\n        x = 1\nf()",
        "len(flag) and (x := 1)",
        "match flag:\n    case 'a': x = 1",
    ],
    ids=["if", "for", "while", "with", "try", "global", "walrus", "match"],
)
def test_a_name_that_may_be_bound_is_right_whatever_it_was(
    bench: Bench, binding: str, recorded: str, before: str, taken: str
) -> None:
    """The record is made over one earlier value, and used over another."""
    cells = (f"flag = {taken!r}", MAGIC + binding)
    bench.run(recorded, *cells)
    look = ("globals().get('x')",)
    expected = {"x = 1": "1", "x = 2": "2", "pass": "None"}[before] if not taken else "1"
    assert bench.run(before, *cells, look=look).values == [expected]


def test_a_name_that_nothing_reads_is_there_while_the_cell_runs(bench: Bench) -> None:
    seen = "class Reader:\n    def read(self): return x\nreader = [Reader().read]\nx = 1"
    run = bench.run(seen, MAGIC + "for x in []: pass\ny = reader[0]()", look=("y", "x"))
    assert run.values == ["1", "1"]


def test_a_local_module_edited_is_a_miss_in_the_next_kernel(bench: Bench) -> None:
    bench.module("local_b", "def f(): return 1\n")
    cell = MAGIC + "import local_b\ny = local_b.f()"
    assert last(bench.run(cell, look=("y",))) == ("computed", ["1"])
    assert last(bench.run(cell, look=("y",))) == ("restored", ["1"])
    bench.module("local_b", "def f(): return 22\n")
    assert last(bench.run(cell, look=("y",))) == ("computed", ["22"])


def test_a_local_module_that_fails_fails_in_the_cell(bench: Bench) -> None:
    bench.module("local_c", "1 / 0\n")
    run = bench.run(MAGIC + "import local_c\ny = 1", look=("'y' in globals()",))
    assert run.cells[-1].errors == ["ZeroDivisionError"]
    assert last(run) == (None, ["False"])


def test_what_is_not_used_is_not_looked_at(bench: Bench) -> None:
    setup = (
        "looks = []\nclass Large:\n    def __fingerprint__(self):\n        looks.append(1)\n        return 1\n"
        "    def __reduce__(self):\n        looks.append(2)\n        return (int, ())\nlarge = Large()"
    )
    run = bench.run(setup, MAGIC + "y = 1", MAGIC + "y = 1", look=("looks",))
    assert (run.outcomes, run.values) == (["computed", "restored"], ["[]"])


def test_the_unused_large_variable_would_be_noticed_if_it_were_used(bench: Bench) -> None:
    setup = "looks = []\nclass Large:\n    def __fingerprint__(self):\n        looks.append(1)\n        return 1\nlarge = Large()"
    assert bench.run(setup, "%%checkpoint --exclude large\ny = large is None", look=("bool(looks)",)).values == ["True"]


def test_an_upstream_result_that_is_rebuilt_equal_is_a_hit_downstream(bench: Bench) -> None:
    bench.run("import pandas as pd", MAGIC + "df = pd.DataFrame({'a': [1, 2]})", MAGIC + "n = len(df)")
    edited = MAGIC + "df = pd.DataFrame({'a': list(range(1, 3))})"
    assert bench.run("import pandas as pd", edited, MAGIC + "n = len(df)").outcomes == ["computed", "restored"]


def test_the_run_after_a_hit_is_not_influenced_by_what_was_done_to_the_restored_values(bench: Bench) -> None:
    cell = MAGIC + "a = np.zeros(3); d = {'k': a}"
    run = bench.run("import numpy as np", cell, cell, "a[0] = 7; d['x'] = 1", cell, look=("a", "d"))
    assert run.outcomes == ["computed", "restored", "restored"]
    assert run.values == ["array([0., 0., 0.])", "{'k': array([0., 0., 0.])}"]


def test_a_display_updated_in_place_is_restored_in_its_final_state(bench: Bench) -> None:
    cell = MAGIC + "h = display('c', display_id='i')\nprint('z')\nh.update('d')\ndel h"
    bench.run(cell)
    assert bench.run(cell).cells[0].outputs == [
        ["display", {"text/plain": "'d'"}, {"display_id": "i"}, False],
        ["stdout", "z\n"],
    ]


def test_what_was_cleared_is_not_shown_again(bench: Bench) -> None:
    cell = MAGIC + "from IPython.display import clear_output\nprint('a')\nclear_output()\nprint('b')"
    bench.run(cell)
    assert bench.run(cell).cells[0].outputs == [["clear", False], ["stdout", "b\n"]]


def test_what_time_told_is_told_again(bench: Bench) -> None:
    first = bench.run("x = 1", MAGIC + "%time y = x")
    assert "Wall time" in first.cells[1].text
    assert dataclasses.astuple(bench.run("x = 1", MAGIC + "%time y = x").cells[1])[0] == first.cells[1].outputs


def test_all_expressions_are_shown_again_where_the_shell_shows_all(bench: Bench) -> None:
    cells = ("get_ipython().ast_node_interactivity = 'all'", MAGIC + "1\nprint('x')\n2")
    assert [output[-1] if output[0] == "stdout" else output[1] for output in bench.run(*cells).cells[1].outputs] == (
        texts := [{"text/plain": "1"}, "x\n", {"text/plain": "2"}]
    )
    assert [
        output[-1] if output[0] == "stdout" else output[1] for output in bench.run(*cells).cells[1].outputs
    ] == texts


def test_an_assignment_is_shown_where_the_shell_shows_assignments(bench: Bench) -> None:
    cells = ("get_ipython().ast_node_interactivity = 'last_expr_or_assign'", MAGIC + "y = 41 + 1")
    assert (
        bench.run(*cells).cells[1].outputs == bench.run(*cells).cells[1].outputs == [["result", {"text/plain": "42"}]]
    )
