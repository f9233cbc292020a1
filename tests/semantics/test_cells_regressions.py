"""What notebooks at random have found: each case is one that once ended otherwise under ``%%checkpoint``."""

# ruff: noqa: E501 - a table reads by the row

from __future__ import annotations

import pytest

from tests.semantics.shells import Bench

MAGIC = "%%checkpoint\n"
C = "c = [1]\n"


def case(claim: str, *cells: str, look: tuple[str, ...] = ()) -> object:
    return pytest.param(cells, look, id=claim.replace(" ", "-"))


SAME = [
    # objects that were there, wherever they are held
    case(
        "method of a class of another cell",
        "class A:\n    def m(self): pass",
        MAGIC + "f = A.m",
        look=("f is A.m",),
    ),
    case("attribute of a class of another cell", "class A: kept = []", MAGIC + "k = A.kept", look=("k is A.kept",)),
    case(
        "default of a function of another cell",
        "def f(kept=[]): return kept",
        MAGIC + "k = f()",
        look=("k is f.__defaults__[0]",),
    ),
    case(
        "default by keyword of a function of another cell",
        "def f(*, kept=[]): return kept",
        MAGIC + "k = f()",
        look=("k is f.__kwdefaults__['kept']",),
    ),
    case(
        "class of an input that has no name any more",
        "class A: pass\na = A(); A = None",
        MAGIC + "b = type(a)()",
        look=("type(b) is type(a)",),
    ),
    case(
        "base of a class that has no name any more",
        "class A: pass\nclass B(A): pass\nA = None",
        MAGIC + "b = B.__mro__[1]()",
        look=("type(b) is B.__mro__[1]",),
    ),
    case("tuple under two names", "g = [4]", MAGIC + "c = (g, g); h = c", MAGIC + "d = eval('c[0]')", look=("d is g",)),
    case(
        "function without a name in a list that changes",
        "def f(): pass\nf.mark = 2\nl = [f, f]; del f",
        MAGIC + "del l[0]",
        look=("l[0].mark",),
    ),
    case(
        "attribute of a partial function",
        "from functools import partial\ndef h(x): return x\nf = g = partial(h, 5)",
        MAGIC + "g.mark = [3]",
        MAGIC + "m = g.mark",
        look=("f is g", "g.mark", "m is g.mark"),
    ),
    case(
        "copy of a partial function",
        "import copy\nfrom functools import partial\ndef f(**k): return k\nd = partial(f, a=[1])",
        MAGIC + "e = copy.copy(d)",
        look=("e.keywords is d.keywords", "e()"),
    ),
    case(
        "function that is only a key of a dict",
        "import copy\ndef f(): pass\nl = [f]; d = {f: 1}; del f",
        MAGIC + "d = copy.deepcopy(d)",
        look=("list(d)[0] is l[0]",),
    ),
    case(
        "function behind a cache that is only a key of a dict",
        "import copy, functools\n@functools.lru_cache\ndef f(): pass\nl = [f]; d = {f: 1}; del f",
        MAGIC + "d = copy.deepcopy(d)",
        look=("list(d)[0] is l[0]",),
    ),
    case(
        "named tuple with annotations",
        MAGIC + "from typing import NamedTuple\nclass T(NamedTuple): v: int = 1",
        look=("T.__orig_bases__[0].__name__",),
    ),
    case("function named in a text", "f = lambda: 1", MAGIC + "g = eval('f')", look=("g is f",)),
    case("function found by name", "def f(): pass\nf.mark = []", MAGIC + "g = globals()['f']", look=("g is f",)),
    # changes of what is held by other things than lists and dicts
    case("list behind its method", C + "e = c.append", MAGIC + "e(5)", look=("c",)),
    case("object behind its method", "class O:\n    def m(self, x): self.v = x\no = O(); g = o.m", MAGIC + "g(3)", look=("o.v",)),
    case("inside a deque", C + "from collections import deque; q = deque([c])", MAGIC + "q[0].append(5); y = q[0]", look=("c", "y is c")),
    case("under a key that is a tuple", C + "d = {(1, 2): c}", MAGIC + "d[1, 2].append(5); y = d[1, 2]", look=("c", "y is c")),
    case("inside a partial", C + "from functools import partial\ndef f(l, x): l.append(x)\np = partial(f, c)", MAGIC + "p(2)", look=("c",)),
    case("in a slot", C + "class O: __slots__ = ('v',)\no = O(); o.v = c", MAGIC + "o.v.append(2); y = o.v", look=("c", "y is c")),
    case(
        "attribute of a list of the user's",
        C + "class O(list): pass\no = O(); o.v = c; o.append(c)",
        MAGIC + "o.v.append(2); y = o.v",
        look=("c", "y is c", "o[0] is c"),
    ),
    case(
        "in a simple namespace",
        C + "from types import SimpleNamespace\no = SimpleNamespace(v=c)",
        MAGIC + "o.v.append(2); y = o.v",
        look=("c", "y is c"),
    ),
    case(
        "in an array of objects",
        C + "import numpy as np; a = np.array([c, None], dtype=object)",
        MAGIC + "a[0].append(1); y = a[0]",
        look=("c", "y is c"),
    ),
    case(
        "some hundred rows of which one has a name",
        "rows = [{'a': i} for i in range(200)]; first = rows[0]",
        MAGIC + "for r in rows: r['b'] = 1",
        look=("first", "first is rows[0]", "r is rows[-1]"),
    ),
    case("list that an exception holds", C + "e = ValueError(c)", MAGIC + "c *= 2", look=("e.args", "e.args[0] is c")),
    case("exception that holds a list", C + "e = f = ValueError(c)", MAGIC + "c *= 2\ne", look=("e is f", "_ is e")),
    case("method of a list that changes", C + "e = c.append\ne", MAGIC + "c += [1]\nd = e\nc", look=("e is d", "_ is c")),
    case("tuple that holds a list that changes", C + "a = (c, 2000)\na", MAGIC + "a[0].append(4)\nd = a\nc", look=("a is d", "_ is c")),
    case(
        "list in the closure of a function",
        "def make():\n    n = []\n    def f():\n        return n\n    return f\nf = make(); n = f()",
        MAGIC + "c = f()",
        look=("c is f()", "c is n"),
    ),
    case(
        "list in the closure of a function that a cache wraps",
        "from functools import lru_cache\ndef make():\n    n = []\n    def f(x):\n        return n\n    return f\nf = lru_cache(make())",
        MAGIC + "c = f(1)",
        look=("c is f(2)",),
    ),
    case("attribute of a counter", "from collections import Counter\nh = Counter('ab')", MAGIC + "h.v = 3", look=("h.v", "h")),
    case("attributes of an object", "class O: pass\no = O()", MAGIC + "a = vars(o)", "a['m'] = 1", look=("o.m",)),
    case(
        "attributes of an object that changes",
        "class O: pass\no = O(); a = vars(o)",
        MAGIC + "o.v = 1\na['w'] = 2",
        look=("o.v", "o.w", "a", "a is vars(o)"),
    ),
    case("lambda that only another function reaches", "f = lambda x: x\ng = lambda x: f", MAGIC + "g = g(4)", look=("g is f",)),
    case(
        "named tuple under two names",
        "from typing import NamedTuple\nclass T(NamedTuple): v: int",
        MAGIC + "a = T(1)\nb = (a, 2)",
        look=("b[0] is a",),
    ),
    case("text with an attribute", "class S(str): pass", MAGIC + "a = S('a')\nb = [a]", "a.v = 1", look=("b[0].v",)),
    case(
        "array that gets another shape",
        "import numpy as np\nf = np.arange(6).reshape(2, 3); l = [f]\nf",
        MAGIC + "f.resize(6, refcheck=False)\nf[0] = 7",
        look=("_ is f", "l[0] is f", "f"),
    ),
    case(
        "array that is reversed",
        "import numpy as np",
        MAGIC + "a = np.arange(6).reshape(2, 3)[::-1]",
        "b = a.reshape(-1); b[0] = 9",
        look=("a.strides", "a[0, 0]"),
    ),
    case("equal list in the place of another", "d = {'k': [3]}", MAGIC + "a = [3]\nd['k'] = a", look=("d['k'] is a",)),
    case("static method on its own", MAGIC + "def f(): 'Doc.'\ng = staticmethod(f)", MAGIC + "h = g", look=("g.__doc__", "g.__qualname__", "h is g")),
    # what nobody knows whether it was bound
    case(
        "function that reads what the cell binds and might be deleted",
        "f = lambda: a",
        MAGIC + "def take():\n    global f\n    del f\na = 1",
        look=("f()",),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "look"), SAME)
def test_cold_and_warm_are_as_without_the_magic(bench: Bench, cells: tuple[str, ...], look: tuple[str, ...]) -> None:
    plain, cold, warm = bench.twice(*cells, look=look)
    assert (cold.values, cold.outputs) == (plain.values, plain.outputs)
    assert (warm.values, warm.outputs) == (plain.values, plain.outputs)
    assert set(cold.outcomes) == {"computed"}, [cell.because for cell in cold.cells]
    assert set(warm.outcomes) == {"restored"}, [cell.because for cell in warm.cells]


NAMES = "globals().get('z'), globals().get('a'), globals().get('b')"

OTHERWISE = [
    # Cells before the checkpoint that recorded, those before the same cell later, and that cell.
    pytest.param("code = 'z = q'; p = 1; q = 2", "code = 'z = q'; q = 1; r = 2", "exec(code)", id="names-that-exec-reads"),
    pytest.param("a = [1]; b = a", "a = [1]; b = [1]", "a.append(2)\nz = len(b)", id="inputs-not-one-object-any-more"),
    pytest.param("a = [1]; b = [1]", "a = [1]; b = a", "a.append(2)\nz = len(b)", id="inputs-now-one-object"),
    pytest.param("a = [[1], [1]]", "a = [[1]] * 2", "a[0].append(2)", id="parts-of-an-input-now-one-object"),
    pytest.param("a = [1]; b = [1]", "a = [1]; b = a", "z = [a, b]; z[0].append(2)", id="outputs-linked-to-one-object"),
    pytest.param(
        "import numpy as np; a = np.zeros(3); b = np.zeros(2)",
        "import numpy as np; a = np.zeros(3); b = a[1:]",
        "a += 1\nz = b.sum()",
        id="arrays-now-overlap",
    ),
    pytest.param("a = 1", "pass", "del a", id="nothing-to-delete"),
    pytest.param("pass", "a = 1", "try:\n    del a\nexcept NameError:\n    z = 5", id="something-to-delete"),
    pytest.param("a = 1\ndef f():\n    global a\n    del a", "def f():\n    global a\n    del a", "f()", id="nothing-for-a-function-to-delete"),
    pytest.param(
        "import numpy as np; a = np.arange(4)",
        "import numpy as np; a = np.arange(4); b = [a]",
        "a.resize(5, refcheck=False)",
        id="array-of-another-size-that-is-held",
    ),
    pytest.param("def f(): pass\nf.mark = 1", "def f(): pass", "f.mark = 1", id="function-that-has-its-attribute-already"),
    pytest.param(
        "def f(): pass\nf.mark = 1; l = [f]", "def f(): pass\nl = [f]", "z = getattr(l[0], 'mark', 0)", id="attribute-of-a-function-in-a-list"
    ),
    pytest.param(
        "from enum import Enum\nclass f(Enum): A = 1\nf.A.mark = 5",
        "from enum import Enum\nclass f(Enum): A = 1",
        "z = getattr(f.A, 'mark', 0)",
        id="attribute-of-a-member-of-an-enumeration",
    ),
    pytest.param(
        "from functools import lru_cache\n@lru_cache\ndef f(): pass\nf.mark = None",
        "from functools import lru_cache\n@lru_cache\ndef f(): pass",
        "f.mark = None",
        id="attribute-of-a-function-behind-a-cache",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("recorded", "before", "cell"), OTHERWISE)
def test_a_record_made_under_other_circumstances_is_not_used(
    bench: Bench, recorded: str, before: str, cell: str
) -> None:
    look = (NAMES, "vars(globals().get('f', type('', (), {})())).get('mark')")
    plain = bench.run(before, cell, look=look, loaded=False)
    bench.run(recorded, MAGIC + cell)
    found = bench.run(before, MAGIC + cell, look=look)
    assert found.values == plain.values
    assert [cell.errors for cell in found.cells] == [cell.errors for cell in plain.cells]


@pytest.mark.parametrize(
    "cell",
    ["a = 5", "b = a; a = b = 6", "a = 5; g = (x for x in [])", "a = 5; import io; f = io.StringIO(); f.close()"],
    ids=["kept", "linked", "refused", "unwritable"],
)
def test_what_a_cell_lets_go_of_is_gone(bench: Bench, cell: str) -> None:
    """Without a wait for the garbage collector: it may be large."""
    setup = "import weakref, gc; gc.disable()\nclass A: pass\na = A(); r = weakref.ref(a)"
    plain, cold, warm = bench.twice(setup, MAGIC + cell, look=("r()",))
    assert plain.values == cold.values == warm.values == ["None"]


@pytest.mark.parametrize(
    ("setup", "cell", "name"),
    [
        ("def f(x, kept=[]):\n    kept.append(x)", "f(1)", "f.kept"),
        ("def f(x, *, kept=[]):\n    kept.append(x)", "f(1)", "f.kept"),
        (
            "def make():\n    n = 0\n    def f():\n        nonlocal n\n        n += 1\n    return f\nl = [make()]",
            "l[0]()",
            "l[0].n",
        ),
        ("def f(x, kept=[]):\n    kept.append(x)\ng = staticmethod(f)", "g(1)", "g.__func__.kept"),
        ("def f(): pass", "f.mark = 1", "f.mark"),
        ("from functools import lru_cache\n@lru_cache\ndef f(): pass", "f.mark = 1", "f.mark"),
        ("from enum import Enum\nclass E(Enum):\n    A = 1\na = E.A", "a.mark = 1", "a.A.mark"),
        ("rows = [{} for i in range(2000)]; first = rows[0]", "for r in rows: r['b'] = 1", "rows"),
    ],
)
def test_what_a_hit_could_not_repeat_is_named_and_nothing_is_kept(
    bench: Bench, setup: str, cell: str, name: str
) -> None:
    run = bench.run(setup, MAGIC + cell)
    assert run.cells[1].outcome == "refused"
    assert f"`{name}`" in run.cells[1].because


def test_the_tags_of_a_cell_hold_for_what_it_calls_and_end_with_it(bench: Bench) -> None:
    setup = (
        "from ipycheckpoint import tags\nfrom ipycheckpoint.tagging import current_tags\ndef f(): return current_tags()"
    )
    run = bench.run(
        setup, "%%checkpoint --tags run=2\na = f()", "b = f()", "%%checkpoint --tags run=3\nraise ValueError", "c = f()",
        "%%checkpoint --tags run=4\nimport asyncio\nawait asyncio.sleep(0)\nd = f()", "e = f()",
        look=("a", "b", "c", "d", "e"),
    )  # fmt: skip
    assert run.values == ["(('run', '2'),)", "()", "()", "(('run', '4'),)", "()"]


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("from local_h import *\nb.append(5)", "local_h"),
        ("from local_h import C\nC.n.append(3)", "C.n"),
        ("import local_h\nlocal_h.b = 3", "local_h"),
        ("import local_h\nlocal_h.C.n.append(3)", "C.n"),
        ("from local_h import *\nf()", "local_h"),
    ],
)
def test_what_a_cell_changes_inside_of_a_module_that_it_imports_is_named(bench: Bench, cell: str, name: str) -> None:
    bench.module("local_h", "b = [3]\nclass C: n = []\ndef f(): b.append(1); return len(b)\n")
    run = bench.run(MAGIC + cell)
    assert run.cells[0].outcome == "refused"
    assert f"`{name}`" in run.cells[0].because


@pytest.mark.parametrize(
    "cell", ["from local_h import b\nb.append(5)", "import local_h\nlocal_h.b.append(5)", "import local_h as l\nl.f()"]
)
def test_data_of_a_module_that_a_cell_imports_and_changes_is_restored(bench: Bench, cell: str) -> None:
    bench.module("local_h", "b = [3]\nclass C: n = []\ndef f(): b.append(1); return len(b)\n")
    plain, cold, warm = bench.twice(MAGIC + cell, look=("__import__('local_h').b",))
    assert plain.values == cold.values == warm.values
    assert warm.cells[0].outcome == "restored"
