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
        "a.shape = (2, 2)",
        id="array-of-another-shape-that-is-held",
    ),
    pytest.param("def f(): pass\nf.mark = 1", "def f(): pass", "f.mark = 1", id="function-that-has-its-attribute-already"),
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
