"""Canonical forms: the same where code does the same, and different wherever it doesn't."""

from __future__ import annotations

import ast
import sys
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.identity.canonical import canonical_form
from ipycheckpoint.identity.scopes import Scopes
from ipycheckpoint.identity.tokens import constant


def form(source: str) -> bytes:
    """The form of the first statement, a function most often."""
    return canonical_form_of(source).form


def canonical_form_of(source: str):
    tree = ast.parse(dedent(source))
    node = tree.body[-1]
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
        node = node.value
    return canonical_form(node, Scopes(tree))


SAME = {
    "comment": ("def f(x): return x", "def f(x):\n    # why\n    return x"),
    "layout": ("def f(x): return (x +\n 1)", "def f( x ):\n\n\n  return x+1"),
    "docstring": ("def f(x): return x", "def f(x):\n  '''Doc.'''\n  return x"),
    "inner docstring": (
        "def f():\n  class A:\n    x = 1\n  return A",
        "def f():\n  class A:\n    'doc'\n    x = 1\n  return A",
    ),
    "annotations": ("def f(x, *, y=1): return x", "def f(x: int, *, y: 'str' = 1) -> float: return x"),
    "variable annotation": ("def f():\n  x = 1\n  return x", "def f():\n  x: int = 1\n  return x"),
    "bare annotation": ("def f():\n  x = 1\n  return x", "def f():\n  x: int\n  x = 1\n  return x"),
    "own name": ("def f(x): return x", "def g(x): return x"),
    "parameter": ("def f(x): return x * x", "def f(y): return y * y"),
    "local": ("def f():\n  a = 1\n  return a", "def f():\n  b = 1\n  return b"),
    "loop variable": ("def f():\n  for i in y: g(i)", "def f():\n  for j in y: g(j)"),
    "comprehension variable": ("def f(): return {a: b for a, b in y}", "def f(): return {k: v for k, v in y}"),
    "lambda parameter": ("def f(): return map(lambda a: a + 1, y)", "def f(): return map(lambda b: b + 1, y)"),
    "handler": ("def f():\n  try: g()\n  except E as e: h(e)", "def f():\n  try: g()\n  except E as x: h(x)"),
    "capture": ("def f(x):\n  match x:\n    case [a, *b]: g(a, b)", "def f(x):\n  match x:\n    case [c, *d]: g(c, d)"),
    "walrus": ("def f():\n  if (n := g()): return n", "def f():\n  if (m := g()): return m"),
    "global": ("def f(x): return helper(x)", "def f(x): return other(x)"),
    "import alias": ("def f():\n  import m as a\n  return a.x", "def f():\n  import m as b\n  return b.x"),
    "from import alias": ("def f():\n  from m import a\n  return a", "def f():\n  from m import a as z\n  return z"),
    "inner function that is only called": (
        "def f(x):\n  def g(a, b): return a - b\n  return g(x, 1)",
        "def f(x):\n  def h(c, d): return c - d\n  return h(x, 1)",
    ),
    "closure cell": (
        "def make(k):\n  return lambda: k + 1\nf = lambda: 0",
        "def make(n):\n  return lambda: n + 1\nf = lambda: 0",
    ),
    "own decorator": ("def f(x): return x", "@checkpoint\ndef f(x): return x"),
    "own decorator with options": ("def f(x): return x", "@ck.checkpoint(tag=1, ignore=['x'])\ndef f(x): return x"),
    "own default": ("def f(x=1): return x", "def f(x=2): return x"),
    "quotes and prefixes": ("def f(): return 'a', 255", "def f(): return u\"a\", 0xFF"),
    "f-string pieces": ("def f(x): return f'a' 'b{' f'{x}' ''", "def f(x): return f'ab{{{x}'"),
    "nonlocal": (
        "def f():\n  n = 0\n  def g():\n    nonlocal n\n    n += 1\n  g()",
        "def f():\n  m = 0\n  def g():\n    nonlocal m\n    m += 1\n  g()",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_what_does_not_matter_is_not_in_the_form(name):
    one, other = SAME[name]
    assert form(one) == form(other)


DIFFERENT = {
    "int and bool": ("def f(): return 1", "def f(): return True"),
    "int and float": ("def f(): return 1", "def f(): return 1.0"),
    "int and str": ("def f(): return 1", "def f(): return '1'"),
    "str and bytes": ("def f(): return '1'", "def f(): return b'1'"),
    "float and complex": ("def f(): return 1.0", "def f(): return 1j"),
    "None and ellipsis": ("def f(): return None", "def f(): return ..."),
    "nothing and None": ("def f(): return", "def f(): return None"),
    "list and tuple": ("def f(): return [1]", "def f(): return (1,)"),
    "operator": ("def f(x): return x + 1", "def f(x): return x - 1"),
    "order of parameters": ("def f(a, b): return a - b", "def f(a, b): return b - a"),
    "kind of parameter": ("def f(a, b): pass", "def f(a, *, b): pass"),
    "positional only": ("def f(a, b): pass", "def f(a, /, b): pass"),
    "which have defaults": ("def f(a, b=1): pass", "def f(a=1, b=1): pass"),
    "which keyword has a default": ("def f(*, a=1, b): pass", "def f(*, a, b=1): pass"),
    "starred": ("def f(a): pass", "def f(*a): pass"),
    "attribute": ("def f(x): return x.a", "def f(x): return x.b"),
    "attribute of a global": ("def f(): return m.a", "def f(): return m.b"),
    "keyword of a call": ("def f(): g(a=1)", "def f(): g(b=1)"),
    "local or global": ("def f(x): return x + x", "def f(x): return x + y"),
    "one global or two": ("def f(): return a + a", "def f(): return a + b"),
    "which variable": ("def f(a, b): return a, b", "def f(a, b): return a, a"),
    "import module": ("def f(): import a", "def f(): import b"),
    "import of a part": ("def f():\n  import a.b\n  return a", "def f():\n  import a.b as a\n  return a"),
    "import name": ("def f():\n  from m import a", "def f():\n  from m import b as a"),
    "import level": ("def f():\n  from .m import a", "def f():\n  from ..m import a"),
    "written global": ("def f():\n  global a\n  a = 1", "def f():\n  global b\n  b = 1"),
    "global or local": ("def f():\n  global a\n  a = 1", "def f():\n  a = 1"),
    "class attribute": ("def f():\n  class A: x = 1\n  return A", "def f():\n  class A: y = 1\n  return A"),
    "field annotation": (
        "def f():\n  class A: x: int = 1\n  return A",
        "def f():\n  class A: x: 'str' = 1\n  return A",
    ),
    "field": ("def f():\n  class A: x: int\n  return A", "def f():\n  class A: y: int\n  return A"),
    "class name": ("def f():\n  class A: pass\n  return A", "def f():\n  class B: pass\n  return B"),
    "name of a function that gets away": (
        "def f():\n  def g(): pass\n  return g",
        "def f():\n  def h(): pass\n  return h",
    ),
    "parameters of a function called by keyword": (
        "def f():\n  def g(a, b): return a - b\n  return g(a=1, b=2)",
        "def f():\n  def g(b, a): return b - a\n  return g(a=1, b=2)",
    ),
    "parameters of a lambda that gets away": (
        "def f(): return g(lambda a, b: a - b)",
        "def f(): return g(lambda b, a: b - a)",
    ),
    "names under locals()": ("def f():\n  a = 1\n  return locals()", "def f():\n  b = 1\n  return locals()"),
    "globals under eval": ("def f(): return a, eval('b')", "def f(): return c, eval('b')"),
    "whose name a string means": (
        "def f(df):\n  a = 1\n  b = 2\n  return df.query('x > @a')",
        "def f(df):\n  b = 1\n  a = 2\n  return df.query('x > @a')",
    ),
    "f-string conversion": ("def f(x): return f'{x}'", "def f(x): return f'{x!r}'"),
    "f-string format": ("def f(x): return f'{x}'", "def f(x): return f'{x:>3}'"),
    "f-string text": ("def f(x): return f'a{x}'", "def f(x): return f'{x}a'"),
    "f-string debug": ("def f(x): return f'{x=}'", "def f(y): return f'{y=}'"),
    "async": ("def f(): pass", "async def f(): pass"),
    "async comprehension": (
        "async def f(): return [i for i in y]",
        "async def f(): return [i async for i in y]",
    ),
    "generator": ("def f(): return (i for i in y)", "def f(): return [i for i in y]"),
    "slice": ("def f(x): return x[1:2]", "def f(x): return x[1, 2]"),
    "slice bounds": ("def f(x): return x[1:]", "def f(x): return x[:1]"),
    "star in a dict": ("def f(a, b): return {**a, b: 1}", "def f(a, b): return {a: b, **b}"),
    "except star": ("def f():\n  try: g()\n  except E: h()", "def f():\n  try: g()\n  except* E: h()"),
    "else or body": (
        "def f():\n  for i in x:\n    g()\n    h()",
        "def f():\n  for i in x:\n    g()\n  else:\n    h()",
    ),
    "default of an inner function": (
        "def f():\n  def g(x=1): return x\n  return g()",
        "def f():\n  def g(x=2): return x\n  return g()",
    ),
    "decorator argument": ("@retry(3)\ndef f(): pass", "@retry(4)\ndef f(): pass"),
    "annotations that a decorator may read": ("@validate\ndef f(x): pass", "@validate\ndef f(x: int): pass"),
    "match value or capture": (
        "def f(x):\n  match x:\n    case 1: pass",
        "def f(x):\n  match x:\n    case y: pass",
    ),
    "match None or True": ("def f(x):\n  match x:\n    case None: pass", "def f(x):\n  match x:\n    case True: pass"),
    "match key": ("def f(x):\n  match x:\n    case {'a': 1}: pass", "def f(x):\n  match x:\n    case {'b': 1}: pass"),
    "match rest": ("def f(x):\n  match x:\n    case {}: pass", "def f(x):\n  match x:\n    case {**y}: pass"),
    "private names": (
        "def f():\n  class A:\n    m = lambda s: s.__x\n  return A",
        "def f():\n  class A:\n    m = lambda s: s._x\n  return A",
    ),
    "order in a set": ("def f(): return {1, 2}", "def f(): return {2, 1}"),
    "negative": ("def f(): return -1", "def f(): return 1"),
    "chain or call": ("def f(): return a.b.c", "def f(): return a.b().c"),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_matters_is_in_the_form(name):
    one, other = DIFFERENT[name]
    assert form(one) != form(other)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 has no type parameters")
def test_type_parameters_are_in_the_form():
    assert form("def f[T](): return T") != form("def f(): return T")
    assert form("def f():\n  type A = int\n  return A") != form("def f():\n  type A = str.x\n  return A")


def references(source: str) -> list[tuple[str, ...]]:
    return [(r.name, *r.attributes) for r in canonical_form_of(source).references]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(): return config.db.HOST", [("config", "db", "HOST")]),
        ("def f(): return config, config.x", [("config",), ("config", "x")]),
        ("def f(): config.x = 1", [("config",)]),
        ("def f(): config.db['x'] = 1", [("config",), ("config", "db")]),
        ("def f(): del config.x", [("config",)]),
        ("def f(): np.random.seed(0)", [("np", "random", "seed")]),
        ("def f(): return df.groupby('a').mean()", [("df", "groupby")]),
        ("def f(a, b=D): return a", []),
        ("@deco(arg)\ndef f(a: ann): return a", []),
        ("def f():\n  def g(x=D): return h(x)\n  return g", [("D",), ("h",)]),
        ("def f():\n  @deco\n  def g(x: ann): return h(x)\n  return g", [("deco",), ("ann",), ("h",)]),
        ("def f(): return [a for a in b if c]", [("b",), ("c",)]),
        ("def f():\n  global n\n  n += 1", [("n",)]),
        ("def f():\n  x = 1\n  class A(B):\n    y = x\n    y = y\n    z: Ann\n    w = w\n", [("B",), ("Ann",), ("w",)]),
        ("def f(): return get_ipython().user_ns", []),
        ("def f(df): return df.query('a > @limit')", [("limit",)]),
        ("def f(): return pd.eval('a + b.c')", [("pd", "eval"), ("a",), ("b",)]),
        ("def f(x): return f'{x} {y.z:{w}}'", [("y", "z"), ("w",)]),
        ("def f():\n  match x:\n    case P.q: pass\n    case C(a=1): pass", [("x",), ("P", "q"), ("C",)]),
        ("class A:\n  def m(self): return __helper(self.__x)", [("_A__helper",)]),
    ],
)
def test_references_are_the_globals_with_their_longest_chains(source, expected):
    assert references(source) == expected


def test_a_name_of_an_enclosing_function_is_a_free_reference():
    tree = ast.parse("def make(k):\n  def f(): return k.x + g\n  return f")
    canonical = canonical_form(tree.body[0].body[0], Scopes(tree))
    assert [(r.name, r.attributes, r.free) for r in canonical.references] == [("k", ("x",), True), ("g", (), False)]


def test_super_reaches_the_class():
    tree = ast.parse("class A(B):\n  def m(self): return super().m()")
    canonical = canonical_form(tree.body[0].body[0], Scopes(tree))
    assert ("__class__", True) in [(r.name, r.free) for r in canonical.references]


@pytest.mark.parametrize(
    ("body", "use"),
    [
        ("g(1)", "called"),
        ("g(1, *x)", "called"),
        ("g(a=1)", "keywords"),
        ("g(**x)", "keywords"),
        ("map(g, x)", "passed"),
        ("g(1), g(a=2)", "keywords"),
        ("g(1), [g]", "passed"),
    ],
)
def test_a_reference_says_how_it_is_used_at_its_most_revealing(body, use):
    canonical = canonical_form_of(f"def f(x): return {body}")
    assert {r.name: r.use for r in canonical.references}["g"] == use


def test_writes_are_the_globals_that_are_bound_or_deleted():
    inner = "\n  def g():\n    global e\n    import e\n  return d"
    source = "def f():\n  global a, b, c, d\n  a = 1\n  del b\n  [c := i for i in x]" + inner
    assert canonical_form_of(source).writes == ("a", "b", "c", "e")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("import helpers\n  return helpers.clean(x)", [("helpers", "clean")]),
        ("import a.b\n  return a.b.c", [("a", "b", "c")]),
        ("import a.b as c\n  return c.d", [("a.b", "d")]),
        ("from m import x as y\n  return y.z, y", [("m", "x", "z"), ("m", "x")]),
        ("from ..m import x\n  return x", [("..m", "x")]),
        ("from . import x\n  return lambda: x.y", [(".", "x", "y")]),
    ],
)
def test_modules_are_what_is_read_of_own_imports(body, expected):
    canonical = canonical_form_of(f"def f(x):\n  {body}")
    assert [(r.name, *r.attributes) for r in canonical.modules] == expected


def test_a_sum_of_two_thousand_terms_is_no_deeper_than_any_other():
    one = ast.Name("x", ast.Load())
    node: ast.expr = one
    for _ in range(20_000):
        node = ast.BinOp(node, ast.Add(), one)
    tree = ast.Module([ast.Assign([ast.Name("y", ast.Store())], node)], [])
    assert len(canonical_form(tree).form) > 20_000


# Properties

constants = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5),
    st.binary(max_size=5), st.just(...), st.builds(complex, st.just(0.0), st.floats(0, 9)),
)  # fmt: skip


def same_constant(one: object, other: object) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


@given(constants, constants)
def test_constants_have_the_same_token_only_if_they_are_the_same(one, other):
    assert (constant(one) == constant(other)) == same_constant(one, other)


@given(st.lists(st.text(max_size=3), max_size=5, unique=True))
def test_a_frozenset_has_no_order(items):
    assert constant(frozenset(items)) == constant(frozenset(reversed(items)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.0, -0.0),
        ((1, 2), (12,)),
        (("a", "b"), ("ab",)),
        ((1,), frozenset([1])),
        (0j, -0j),
        (slice(1), slice(None, 1, 1)),
    ],
)
def test_near_constants_differ(one, other):
    assert constant(one) != constant(other)


def test_nan_is_itself():
    assert constant(float("nan")) == constant(float("nan"))


NAMES = ("a", "b", "c", "d")
names = st.sampled_from(NAMES)
atoms = st.one_of(
    names.map(lambda name: ast.Name(name, ast.Load())),
    st.integers(0, 3).map(ast.Constant),
    st.sampled_from(["s", "t"]).map(ast.Constant),
)


def _compound(inner: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(
        st.builds(lambda x, y: ast.BinOp(x, ast.Add(), y), inner, inner),
        st.builds(lambda x, y: ast.BoolOp(ast.And(), [x, y]), inner, inner),
        st.builds(lambda x, n: ast.Attribute(x, n, ast.Load()), inner, names),
        st.builds(lambda x, y: ast.Subscript(x, y, ast.Load()), inner, inner),
        st.builds(lambda f, x, k, y: ast.Call(f, [x], [ast.keyword(k, y)]), inner, inner, names, inner),
        st.builds(lambda *x: ast.List(list(x), ast.Load()), inner, inner),
        st.builds(
            lambda t, i, e: ast.ListComp(e, [ast.comprehension(ast.Name(t, ast.Store()), i, [], 0)]),
            names, inner, inner,
        ),
        st.builds(
            lambda n, e: ast.Lambda(ast.arguments([], [ast.arg(n)], None, [], [], None, []), e), names, inner
        ),
        st.builds(lambda x: ast.JoinedStr([ast.Constant("p"), ast.FormattedValue(x, -1, None)]), inner),
    )  # fmt: skip


expressions = st.recursive(atoms, _compound, max_leaves=8)


def _statements(expression: st.SearchStrategy) -> st.SearchStrategy:
    assign = st.builds(lambda n, e: ast.Assign([ast.Name(n, ast.Store())], e), names, expression)
    return st.one_of(
        assign,
        expression.map(lambda e: ast.Return(e)),
        st.builds(lambda e, s: ast.If(e, [s], []), expression, assign),
        st.builds(lambda n, e, s: ast.For(ast.Name(n, ast.Store()), e, [s], []), names, expression, assign),
        st.builds(
            lambda e, n, s: ast.With([ast.withitem(e, ast.Name(n, ast.Store()))], [s]), expression, names, assign
        ),
    )


functions = st.builds(
    lambda parameters, body: ast.FunctionDef(
        "f",
        ast.arguments([], [ast.arg(p) for p in parameters], None, [], [], None, []),
        body,
        [],
        **({"type_params": []} if sys.version_info >= (3, 12) else {}),
    ),
    st.lists(names, max_size=2, unique=True),
    st.lists(_statements(expressions), min_size=1, max_size=4),
).map(lambda function: ast.unparse(ast.fix_missing_locations(function)))


class _Rename(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node):
        return ast.Name(self.names.get(node.id, node.id), node.ctx)

    def visit_arg(self, node):
        return ast.arg(self.names.get(node.arg, node.arg))


@given(functions)
def test_renaming_every_variable_keeps_the_form(source):
    renamed = _Rename({name: f"{name}_renamed" for name in NAMES}).visit(ast.parse(source))
    assert form(source) == form(ast.unparse(renamed))


@given(functions)
def test_reformatting_keeps_the_form(source):
    spread = source.replace("\n", "  # a comment\n\n")
    assert form(source) == form(spread)


@given(functions, st.data())
def test_changing_any_constant_changes_the_form(source, data):
    tree = ast.parse(source)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    before = canonical_form(tree.body[0]).form
    if found:
        node = data.draw(st.sampled_from(found))
        node.value = node.value + type(node.value)(1)
        assert canonical_form(tree.body[0]).form != before


@given(functions, st.data())
def test_exchanging_one_use_of_a_variable_changes_the_form(source, data):
    tree = ast.parse(source)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    before = canonical_form(tree.body[0])
    if found:
        node = data.draw(st.sampled_from(found))
        node.id = "elsewhere"
        after = canonical_form(tree.body[0])
        assert (after.form, after.references) != (before.form, before.references)
