"""What a cell reads before it binds it, and what it leaves behind."""

from __future__ import annotations

import ast
import contextlib
import sys
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.identity.names import CellForm, of_cell


def cell(source: str, quiet: bool = False) -> CellForm:
    source = dedent(source)
    return of_cell(ast.parse(source), source, quiet)


def reads(source: str) -> list[str]:
    return [".".join((read.name, *read.attributes)) for read in cell(source).reads]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # in order
        ("y = x", ["x"]),
        ("x = 1; y = x", []),
        ("x += 1", ["x"]),
        ("t = t + 1", ["t"]),
        ("x = x.y; z = x", ["x.y"]),
        ("a.b.c; a", ["a.b.c", "a"]),
        ("df['a'] = b", ["b", "df"]),
        ("obj.v.w = 2", ["obj", "obj.v"]),
        ("d['a'][i] += 1", ["d", "i"]),
        ("(a, *b), c.d = e\na, b", ["e", "c"]),
        ("del x", []),
        ("x = 1\ndel x\nx", ["x"]),
        ("x: T = 1\nx", []),
        ("x: T", []),
        ("get_ipython().run_line_magic('pwd', '')", []),
        ("__ipycheckpoint__('label')", []),
        ("_, __, Out, In", ["_", "__", "Out", "In"]),
        # expressions
        ("(n := f()) and n", ["f"]),
        ("a and (n := 1)\nn", ["a", "n"]),
        ("a < b < (n := 1)\nn", ["a", "b", "n"]),
        ("a < (n := 1)\nn", ["a"]),
        ("(n := 1) if a else (n := 2)\nn", ["a", "n"]),
        ("b if (n := a) else c\nn", ["a", "b", "c"]),
        ("[n := i for i in a]\nn, i", ["a", "n", "i"]),
        ("[i for i in i]", ["i"]),
        ("[(i, j, k) for i in a if i for j in i if b]", ["a", "b", "k"]),
        ("{k: v for k, v in d.items()}", ["d.items"]),
        ("list(x for y in z)", ["list", "z", "x"]),
        ("{(n := a): n}", ["a"]),
        ("f'{a} {b.c:{d}}'", ["a", "b.c", "d"]),
        ("f(a, *b, k=c, **d)", ["f", "a", "b", "c", "d"]),
        ("df.query('x > @limit')", ["limit", "df.query"]),
        ("limit = 1\ndf.query('x > @limit')", ["df.query"]),
        ("await x", ["x"]),
        # branches
        ("if a: x = 1\nelse: x = 2\nx", ["a"]),
        ("if a: x = 1\nx", ["a", "x"]),
        ("if a: x = 1\nelif b: x = 2\nelse: x = 3\nx", ["a", "b"]),
        ("if a: x = 1\nelif b: x = 2\nx", ["a", "b", "x"]),
        ("if a: x = 1\nelse: raise E\nx", ["a", "E"]),
        ("if a: x = 1\nelse:\n  x = 2\n  del x\nx", ["a", "x"]),
        ("assert (n := a)\nn", ["a", "n"]),
        ("raise E\nx", ["E"]),
        # loops
        ("for i in a: x = i\ni, x", ["a", "i", "x"]),
        ("for i in [1, 2]: x = i\ni, x", []),
        ("for i in range(3): x = i\ni, x", ["range"]),
        ("for i in range(0): x = i\nx", ["range", "x"]),
        ("for i in range(5, 1): x = i\nx", ["range", "x"]),
        ("for i in range(n): x = i\nx", ["range", "n", "x"]),
        ("for i in [*a]: x = i\nx", ["a", "x"]),
        ("for i in []: x = i\nx", ["x"]),
        ("for i in (1,):\n  x = 1\n  break\n  y = 1\nx, y", ["y"]),
        ("for i in (1,):\n  if i: continue\n  x = 1\nx", ["x"]),
        ("for i in (1,):\n  x = 1\n  if i: continue\n  y = 1\nx, y", ["y"]),
        ("for i in a: pass\nelse: x = 1\nx", ["a"]),
        ("for i in a:\n  if i: break\nelse: x = 1\nx", ["a", "x"]),
        ("while a: x = 1\nx", ["a", "x"]),
        ("while True:\n  x = 1\n  if x: break\nx", []),
        ("while True:\n  if a: break\n  x = 1\nx", ["a", "x"]),
        ("while (n := a): pass\nn", ["a"]),
        ("async for i in a: pass\ni", ["a", "i"]),
        # try
        ("try: x = 1\nfinally: y = 2\nx, y", []),
        ("try: x = 1\nexcept E: pass\nx", ["E", "x"]),
        ("try: x = 1\nexcept E: x = 2\nx", ["E"]),
        ("try: x = 1\nexcept E: raise\nx", ["E"]),
        ("try: x = 1\nexcept E: x\n", ["E", "x"]),
        ("try: f()\nexcept E: x = 2\nelse: x = 1\nx", ["f", "E"]),
        ("try: f()\nexcept E as e: e\ne", ["f", "E", "e"]),
        ("x = 1\ntry: del x\nexcept E: x", ["E", "x"]),
        ("try: x = 1\nfinally: x", ["x"]),
        ("x = 1\ntry: f()\nfinally: del x\nx", ["f", "x"]),
        # with
        ("with open(p) as f: x = f.read()\nx, f", ["open", "p"]),
        ("with a as f: x = 1\nx, f", ["a", "x"]),
        ("with suppress(E): x = 1\nx", ["suppress", "E", "x"]),
        ("with np.errstate(all='ignore'), open(p) as f: x = 1\nx", ["np.errstate", "open", "p"]),
        ("with open(p) as f, suppress(E): x = 1\nx", ["open", "p", "suppress", "E", "x"]),
        ("with suppress(E): raise E\nx = y", ["suppress", "E", "y"]),
        # match
        ("match a:\n  case 1: x = 1\n  case _: x = 2\nx", ["a"]),
        ("match a:\n  case 1: x = 1\nx", ["a", "x"]),
        ("match a:\n  case [b, *c] if b: x = c\n  case {'k': d, **e}: x = d, e\n  case g: x = g\nx", ["a"]),
        ("match a:\n  case P.Q(y=f): x = f\n  case g: x = g\nx", ["a", "P.Q"]),
        ("match a:\n  case b if c: x = 1\nx, b", ["a", "c", "x", "b"]),
    ],
)  # fmt: skip
def test_inputs_are_what_is_read_before_it_is_surely_bound(source, expected):
    assert reads(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(): return x", []),
        ("def f(): return x\nf()", ["x"]),
        ("def f(): return x\nx = 1\nf()", []),
        ("def f(): return x\nf()\nx = 1", ["x"]),
        ("def f(): return x\ng = f", ["x"]),
        ("def f(): return g()\ndef g(): return x\nf()", ["x"]),
        ("def f(): return g()\nf()\ndef g(): return x", ["g"]),
        ("def f(): return f() + x\nf()", ["x"]),
        ("def f(a=b): return a", ["b"]),
        ("def f(a: T) -> U: return a", []),
        ("f = lambda: x", []),
        ("f = lambda: x\nf()", ["x"]),
        ("map(lambda a: a + x, y)", ["map", "x", "y"]),
        ("@deco\ndef f(): return x", ["deco", "x"]),
        ("@lru_cache(n)\ndef f(): return x", ["lru_cache", "n"]),
        ("@checkpoint(ignore=['a'])\ndef f(): return x", []),
        ("@deco\ndef f(a: T): return a", ["deco", "T"]),
        ("class A(B, metaclass=M): y = x", ["B", "M", "x"]),
        ("class A:\n  def m(self): return x", []),
        ("class A:\n  def m(self): return x\nA()", ["x"]),
        ("class A:\n  @property\n  def m(self): return x\nx = 1\nA().m", ["property"]),
        ("class A:\n  m = lambda self: x\nA()", ["x"]),
        ("class A:\n  class B:\n    def m(self): return x\nA", ["x"]),
        ("@deco\nclass A:\n  def m(self): return x", ["deco", "x"]),
        ("@dataclass\nclass A:\n  y: T = 1\n  def m(self): return x", ["dataclass", "T"]),
        ("class A:\n  x = x\n  y = x", ["x"]),
        ("class A:\n  x = 1\n  y = x", []),
        ("class A:\n  if c: x = 1\n  y = x", ["c", "x"]),
        ("class A:\n  def h(): return x\n  y = h()", ["x"]),
        ("class A:\n  def m(self): return __x\nA", ["_A__x"]),
        ("class A:\n  x = 1\n  def m(self): return x\nA", ["x"]),
        ("if a:\n  x = 1\n  def f(): return x\nelse:\n  def f(): return 2\nf()", ["a", "x"]),
        ("def f(): return x\nif a:\n  x = 1\n  f()\nelse:\n  f()", ["a", "x"]),
        ("def f(): return x\ndef f(): return y\nf()", ["y"]),
        ("for i in a:\n  if i: f()\n  def f(): return x", ["a", "f", "x"]),
        ("def f():\n  global y\n  y = x\nf()\ny", ["x", "y"]),
        ("def f():\n  import m\n  return m.x\nf()", []),
        ("def f(x):\n  def g(): return x + y\n  return g()\nf(1)", ["y"]),
    ],
)
def test_what_a_function_reads_is_charged_where_it_may_be_called(source, expected):
    assert reads(source) == expected


@pytest.mark.parametrize(
    ("source", "maybe"),
    [
        ("if a: x = 1\nx", ("x",)),
        ("x\nx = 1", ()),
        ("x += 1", ()),
        ("for i in a: pass\ni", ("i",)),
        ("def f():\n  global y\n  y = 1\nf()\ny", ("y",)),
        ("from m import *\nx", ("x",)),
        ("x = 1\ndel x\nx", ("x",)),
    ],
)
def test_maybe_are_inputs_that_the_cell_may_have_bound(source, maybe):
    assert cell(source).maybe == maybe


@pytest.mark.parametrize(
    ("source", "binds"),
    [
        ("a = b = 1", ("a", "b")),
        ("(a, [b, *c]) = x", ("a", "b", "c")),
        ("a.b = c[0] = 1", ()),
        ("a += 1", ("a",)),
        ("a: int = 1\nb: int", ("a",)),
        ("for i, j in x: pass", ("i", "j")),
        ("with x as (a, b): pass", ("a", "b")),
        ("import a.b, c.d as e", ("a", "e")),
        ("from m import a, b as c", ("a", "c")),
        ("from m import *", ()),
        ("def f(a): b = 1", ("f",)),
        ("class A:\n  b = 1\n  def c(self): pass", ("A",)),
        ("try: pass\nexcept E as e: a = 1", ("a",)),
        ("print(a := 1)", ("a",)),
        ("[a := b for b in x]", ("a",)),
        ("[[a := b for b in c] for c in x]", ("a",)),
        ("match x:\n  case [a, *b] | {'k': a, **b}: pass\n  case A(c=d) as e: pass", ("a", "b", "d", "e")),
        ("def f():\n  global a\n  a = 1", ("a", "f")),
        ("class A:\n  def m(self):\n    global a\n    import a", ("a", "A")),
        ("f = lambda: 1", ("f",)),
        ("a = 1\ndel a", ()),
        ("a = 1\nif x: del a", ("a",)),
        ("del a\na = 1", ("a",)),
        ("_private = 1", ("_private",)),
        ("if x: a = 1\nelse: b = 1", ("a", "b")),
        ("lambda: (a := 1)", ()),
    ],
)
def test_binds_are_all_names_that_may_be_left_behind(source, binds):
    assert set(cell(source).binds) == set(binds)


@pytest.mark.parametrize(
    ("source", "deletes"),
    [
        ("del a, b.c, d[0]", ("a",)),
        ("del (a, [b])", ("a", "b")),
        ("if x: del a", ("a",)),
        ("del a\na = 1", ()),
        ("a = 1\ndel a", ("a",)),
    ],
)
def test_deletes_are_the_names_that_may_be_gone(source, deletes):
    assert cell(source).deletes == deletes


@pytest.mark.parametrize(
    ("source", "imports"),
    [
        ("import a.b", {"a": "import a.b"}),
        ("import a.b as c, d", {"c": "import a.b as c", "d": "import d"}),
        ("from m import x as y, z", {"y": "from m import x as y", "z": "from m import z"}),
        ("from ..m import x", {"x": "from ..m import x"}),
        ("from . import x", {"x": "from . import x"}),
        ("try: import a\nexcept E: a = None", {}),
        ("try: import a as c\nexcept E: import b as c", {}),
        ("import a\nimport a", {"a": "import a"}),
        ("def f():\n  import a", {}),
        ("def f():\n  global a\n  a = 1\nimport a", {}),
    ],
)
def test_imports_tell_how_a_name_is_bound_again(source, imports):
    assert cell(source).imports == imports


def test_star_imports_are_statements():
    assert cell("from m import *\nfrom .n import *").star_imports == ("from m import *", "from .n import *")


def test_defines_are_dedented_sources_with_decorators():
    form = cell("if a:\n    @deco\n    def f():\n        return 1  # one\nclass A:\n    def m(self): pass\n")
    assert form.defines == {
        "f": "@deco\ndef f():\n    return 1  # one",
        "A": "class A:\n    def m(self): pass",
    }


def test_deferred_tells_what_each_function_would_read():
    form = cell("def f(): return x.y + g()\nclass A:\n  def m(self): return z\nimport g")
    found = {name: [(r.name, *r.attributes) for r in references] for name, references in form.deferred.items()}
    assert found == {"f": [("x", "y"), ("g",)], "A": [("z",)]}


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import helpers\ny = helpers.clean(x)", ["helpers.clean"]),
        ("import a.b as c\ndef f(): return c.d", ["a.b.d"]),
        ("from m import x as y\ny", ["m.x"]),
        ("from m import *", ["m"]),
    ],
)
def test_modules_are_what_is_read_of_the_cells_own_imports(source, modules):
    assert [".".join((r.name, *r.attributes)) for r in cell(source).modules] == modules


@pytest.mark.parametrize(
    ("source", "dynamic"),
    [
        ("exec('x = 1')", True),
        ("globals()['x'] = 1", True),
        ("def f(): return eval('x')", True),
        ("class A:\n  def m(self): return [locals() for i in x]", True),
        ("get_ipython().run_line_magic('time', 'x = f()')", True),
        ("get_ipython().run_cell_magic('time', '', 'x = 1')", True),
        ("get_ipython().run_line_magic('matplotlib', 'inline')", False),
        ("get_ipython().system('ls')", False),
        ("ne.evaluate(text)", True),
        ("vars(x)", False),
        ("x.eval()", False),
    ],
)
def test_dynamic_cells_are_known(source, dynamic):
    assert cell(source).dynamic is dynamic


def test_the_shell_reads_names_from_its_command():
    assert reads("files = get_ipython().getoutput('ls {folder} $suffix {a.b}')") == ["folder", "suffix", "a"]


SAME = {
    "comment": ("x = 1", "# one\nx  =  (1)\n"),
    "name that is only read": ("y = a.b + a", "y = c.b + c"),
    "comprehension variable": ("y = [i for i in a]", "y = [j for j in a]"),
    "docstring of a function": ("def f(x): return x", "def f(x):\n  'doc'\n  return x"),
    "local of a function": ("def f(x):\n  a = x\n  return a", "def f(x):\n  b = x\n  return b"),
    "annotation": ("x = 1", "x: int = 1"),
    "docstring of a cell": ("x = 1", "'''About.'''\nx = 1"),
}


@pytest.mark.parametrize("name", SAME)
def test_what_does_not_matter_is_not_in_the_digest(name):
    one, other = SAME[name]
    assert cell(one).digest == cell(other).digest


DIFFERENT = {
    "name that is bound": ("x = 1", "y = 1"),
    "name of a function": ("def f(): pass", "def g(): pass"),
    "parameter of a function": ("def f(a): return a", "def f(b): return b"),
    "parameter of a lambda with a name": ("f = lambda a: a", "f = lambda b: b"),
    "name that is imported": ("import a as b", "import a as c"),
    "constant": ("x = 1", "x = True"),
    "what is shown": ("'a'", "'b'"),
    "order": ("a = 1; b = 1", "b = 1; a = 1"),
    "name that a function binds": ("def f():\n  global a\n  a = 1", "def f():\n  global b\n  b = 1"),
    "shell command": ("get_ipython().system('ls')", "get_ipython().system('pwd')"),
    "default": ("def f(a=1): return a", "def f(a=2): return a"),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_matters_is_in_the_digest(name):
    one, other = DIFFERENT[name]
    assert cell(one).digest != cell(other).digest


def test_a_semicolon_that_hides_the_result_is_in_the_digest():
    assert cell("x").digest != cell("x", quiet=True).digest


def test_an_elif_chain_of_a_thousand_is_followed():
    source = "if a == 0: x = 0\n" + "".join(f"elif a == {n}: x = {n}\n" for n in range(1, 300)) + "else: x = 1\nx"
    assert reads(source) == ["a"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 has no type aliases")
def test_a_type_alias_binds_its_name_and_reads_its_value():
    form = cell("type A[T] = list[T] | B")
    assert (form.binds, [read.name for read in form.reads]) == (("A",), ["list", "B"])


# A cell does the same whatever the names are that aren't its inputs: random programs say so.

variables = st.sampled_from(["a", "b", "c"])
reading = st.one_of(
    variables, st.just("1"), variables.map(lambda n: f"({n} and 1)"), variables.map(lambda n: f"(b := {n})"),
    variables.map(lambda n: f"(0 and ({n} := 1))"), variables.map(lambda n: f"[{n} for _ in [1]][0]"),
    variables.map(lambda n: f"(lambda: {n})()"), st.just("f()"),
    variables.map(lambda n: f"[({n} := 1) for _ in ()] == {n}"),
)  # fmt: skip
simple = st.one_of(
    st.builds("{} = {}".format, variables, reading),
    reading,
    st.builds("def f(): return {}".format, variables),
    st.builds("f = lambda: {}".format, variables),
    st.just("pass"),
)


def _block(statements: list[str]) -> str:
    return "\n".join("  " + line for statement in statements for line in statement.split("\n"))


def _nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, min_size=1, max_size=3).map(_block)
    return st.one_of(
        st.builds("if {}:\n{}\nelse:\n{}".format, reading, body, body),
        st.builds("if {}:\n{}".format, reading, body),
        st.builds("for {} in [0, 1]:\n{}\n  if {}: break".format, variables, body, reading),
        st.builds("for {} in [0] * bool({}):\n{}".format, variables, reading, body),
        st.builds("while True:\n{}\n  break".format, body),
        st.builds(
            "try:\n{}\n  1 / bool({})\nexcept ZeroDivisionError:\n{}\nelse:\n{}".format, body, reading, body, body
        ),
        st.builds("try:\n{}\nfinally:\n{}".format, body, body),
        st.builds("with suppress(ZeroDivisionError):\n  1 / bool({})\n{}".format, reading, body),
        st.builds("match {}:\n  case 1:\n  {}\n  case b:\n  {}".format, reading, st.just("  pass"), st.just("  pass")),
        st.builds("class A:\n{}".format, body),
    )


programs = st.lists(st.recursive(simple, _nested, max_leaves=6), min_size=1, max_size=5).map("\n".join)


def _run(source: str, namespace: dict[str, object]) -> tuple[type[BaseException] | None, dict[str, object]]:
    namespace["suppress"] = contextlib.suppress
    try:
        exec(source, namespace)
    except Exception as error:
        return type(error), namespace
    return None, namespace


def _is_python(source: str) -> bool:
    try:
        compile(source, "<program>", "exec")
    except SyntaxError:  # `:=` in a comprehension in a class
        return False
    return True


@given(
    programs.map(lambda source: "def f(): return 0\n" + source).filter(_is_python),
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1)),
)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_what_is_no_input_makes_no_difference(source, values):
    form = cell(source)
    inputs = {read.name for read in form.reads}
    everything = dict(zip("abc", values, strict=True))
    with_inputs = {name: value for name, value in everything.items() if name in inputs}

    error, left = _run(source, with_inputs)
    other_error, other_left = _run(source, everything)
    assert error is other_error
    assert {name: left[name] for name in "abc" if isinstance(left.get(name), int)}.items() <= other_left.items()
