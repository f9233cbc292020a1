"""Whose variable a name is, by the rules of the language."""

from __future__ import annotations

import ast
import symtable
import sys
from textwrap import dedent

import pytest

from ipycheckpoint.identity.scopes import Scope, Scopes, is_dynamic, mangle


def scope_of(source: str, kind: type[ast.AST]) -> Scope:
    """The scope that the first node of `kind` opens."""
    tree = ast.parse(dedent(source))
    scopes = Scopes(tree)
    return scopes.of(next(node for node in ast.walk(tree) if isinstance(node, kind)))


@pytest.mark.parametrize(
    "source",
    [
        "def f(a, /, b, *c, d, **e): pass",
        "def f(): x = 1",
        "def f(): x += 1",
        "def f(): x: int",
        "def f():\n  for x in y: pass",
        "def f():\n  with y as (x, *z): pass",
        "def f(): import x.y",
        "def f(): import y as x",
        "def f(): from m import x",
        "def f():\n  try: pass\n  except E as x: pass",
        "def f(): [x := i for i in y]",
        "def f(): [[x := i for i in y] for j in z]",
        "def f(): del x",
        "def f():\n  def x(): pass",
        "def f():\n  class x: pass",
        "def f():\n  match y:\n    case {'a': x, **rest}: pass\n    case [1, *x] | x: pass\n    case P(q=x) as z: pass",
        "def f(): global x; x = 1",
        "def f(): [x for x in x]",
        "def f(): (lambda x: x)(y)",
    ],
)
def test_a_function_binds_what_symtable_says(source):
    function = symtable.symtable(source, "<test>", "exec").get_children()[0]
    # Where comprehensions are inlined their variables are listed in the function, too.
    local = {s.get_name() for s in function.get_symbols() if s.is_local() and not s.is_global()}
    scope = scope_of(source, ast.FunctionDef)
    ours = scope.bound - scope.globals
    inlined = {name for inner in scope.subtree() if inner.kind == "comprehension" for name in inner.bound}
    assert ours | inlined >= local >= ours


def test_a_walrus_in_a_comprehension_binds_outside_it():
    scope = scope_of("def f(): [x := i for i in y]", ast.ListComp)
    assert scope.bound == {"i"}
    assert scope.owner("x") is scope.parent


def test_a_class_body_is_not_visible_in_its_methods():
    scope = scope_of("class A:\n  x = 1\n  def m(self): return x", ast.FunctionDef)
    assert scope.owner("x") is None


def test_a_nested_function_sees_the_function_around_a_class():
    source = "def f():\n  x = 1\n  class A:\n    x = 2\n    m = lambda self: x"
    scope = scope_of(source, ast.Lambda)
    assert scope.owner("x") is not None
    assert scope.owner("x").kind == "function"


def test_global_in_an_outer_function_holds_for_the_inner_ones():
    source = "x = 1\ndef f():\n  global x\n  g = lambda: x"
    assert scope_of(source, ast.Lambda).owner("x") is None


def test_nonlocal_is_owned_by_the_function_outside():
    source = "def f():\n  x = 1\n  class A:\n    def g(self):\n      nonlocal x\n      x = 2"
    tree = ast.parse(source)
    scopes = Scopes(tree)
    inner = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "g")
    assert scopes.of(inner).owner("x") is scopes.of(tree.body[0])


def test_the_first_iterable_of_a_comprehension_is_evaluated_outside():
    scope = scope_of("class A:\n  x = [1]\n  y = [x for i in (lambda: x)()]", ast.ListComp)
    assert scope.parent.kind == "class"
    assert sorted(child.kind for child in scope.parent.children) == ["comprehension", "function"]


def test_super_needs_the_class_around():
    scope = scope_of("class A:\n  def m(self): return super().m()", ast.FunctionDef)
    assert scope.owner("__class__").kind == "class"


@pytest.mark.parametrize(
    ("name", "private", "mangled"),
    [
        ("__x", "A", "_A__x"),
        ("__x", "__A", "_A__x"),
        ("__x", "___", "__x"),
        ("__x__", "A", "__x__"),
        ("_x", "A", "_x"),
        ("__a.b", "A", "__a.b"),
    ],
)
def test_private_names_are_mangled_as_python_does(name, private, mangled):
    assert mangle(name, private) == mangled


def test_mangling_reaches_the_functions_of_a_class():
    scope = scope_of("class A:\n  def m(self, __x): return __x", ast.FunctionDef)
    assert scope.bound == {"self", "_A__x"}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 has no type parameters")
def test_type_parameters_are_seen_by_the_function_and_not_outside():
    source = "class A:\n  y = 1\n  def f[T: y](x: T) -> T: return T"
    scope = scope_of(source, ast.FunctionDef)
    assert scope.owner("T").kind == "types"
    assert scope.parent.owner("y").kind == "class"
    assert scope.parent.parent.owner("T") is None


@pytest.mark.parametrize(
    ("body", "dynamic"),
    [
        ("locals()", True),
        ("g(**locals())", True),
        ("map(eval, x)", True),
        ("exec(x)", True),
        ("globals()['x']", True),
        ("vars()", True),
        ("dir()", True),
        ("vars(x)", False),
        ("dir(x)", False),
        ("vars(*x)", True),
        ("sys._getframe()", True),
        ("inspect.currentframe().f_back", True),
        ("get_ipython().user_ns['x']", True),
        ("shell.user_global_ns", True),
        ("import __main__", True),
        ("from __main__ import x as y", True),
        ("import sys as __main__", False),
        ("x.eval()", False),
        ("(lambda: [eval(i) for i in x])", True),
        ("(lambda dir: dir + 1)", False),
    ],
)
def test_code_is_dynamic_where_it_may_ask_for_names(body, dynamic):
    assert is_dynamic(scope_of(f"def f(): {body}", ast.FunctionDef)) is dynamic
