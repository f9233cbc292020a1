"""The Digest of live code moves with what the code does, and with nothing else."""

from __future__ import annotations

import gc
import importlib.util
import json
import linecache
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from ipycheckpoint.identity import code
from ipycheckpoint.identity.code import of_code, of_function

ROOT = Path(__file__).resolve().parents[3]


def bare(text: str, name: str = "f"):
    """A function whose source can't be found."""
    namespace = {}
    exec(dedent(text), namespace)
    return namespace[name]


def from_cell(text: str, name: str = "f"):
    """A function of a cell whose text is in linecache."""
    from_cell.count = getattr(from_cell, "count", 0) + 1
    file = f"<test-code-{from_cell.count}>"
    text = dedent(text)
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace = {}
    exec(compile(text, file, "exec"), namespace)
    return namespace[name]


@pytest.mark.parametrize("make", [bare, from_cell])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x): return x", "\n\n# moved\ndef f(x):\n    'doc'\n\n    return x"),
        ("def f(x):\n  a = x\n  return a", "def f(y):\n  b = y\n  return b"),
        ("def f(x): return helper(x)", "def f(x): return other(x)"),
        ("def f(x): return x", "def g(y: int) -> str: return y\nf = g"),
        ("def f(x): return [lambda a: a + i for i in x]", "def f(x): return [lambda b: b + j for j in x]"),
        ("def f(x):\n  class A:\n    y = 1\n  return A", "\n\ndef f(x):\n  class A:\n    y = 1\n  return A"),
        ("def f():\n  n = 0\n  def g():\n    nonlocal n\n    n += 1\n  return g()",
         "def f():\n  m = 0\n  def g():\n    nonlocal m\n    m += 1\n  return g()"),
        ("def f(x=1): return x", "def f(x=2): return x"),
    ],
)  # fmt: skip
def test_equal_behaviour_has_one_digest_with_and_without_source(make, one, other):
    assert of_function(make(one)).digest == of_function(make(other)).digest


@pytest.mark.parametrize("make", [bare, from_cell])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(): return 1", "def f(): return True"),
        ("def f(): return 1", "def f(): return 1.0"),
        ("def f(x): return x.a", "def f(x): return x.b"),
        ("def f(): return a.b", "def f(): return a.c"),
        ("def f(): g(a=1)", "def f(): g(b=1)"),
        ("def f(a, b): return a", "def f(a, b): return b"),
        ("def f(a): pass", "def f(*a): pass"),
        ("def f(): return a + a", "def f(): return a + b"),
        ("def f(x): return x < 1", "def f(x): return x > 1"),
        ("def f(x): return x is 1.5 or 2", "def f(x): return x is not 1.5 or 2"),
        ("def f(x):\n  while x: g()\n  h()", "def f(x):\n  while x:\n    g()\n    h()"),
        ("def f():\n  try: g()\n  except A: pass", "def f():\n  try: g()\n  except B.c: pass"),
        ("def f():\n  try: g(); h()\n  except A: pass", "def f():\n  g()\n  try: h()\n  except A: pass"),
        ("def f():\n  import a", "def f():\n  import b"),
        ("def f():\n  from .m import a", "def f():\n  from ..m import a"),
        ("def f():\n  global a\n  a = 1", "def f():\n  global b\n  b = 1"),
        ("def f():\n  class A:\n    x = 1\n  return A", "def f():\n  class A:\n    y = 1\n  return A"),
        ("def f(): return lambda: 1", "def f(): return lambda: 2"),
        ("def f():\n  a = 1\n  return locals()", "def f():\n  b = 1\n  return locals()"),
    ],
)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_other_behaviour_has_another_digest_with_and_without_source(make, one, other):
    first, second = of_function(make(one)), of_function(make(other))
    assert first.digest != second.digest


@pytest.mark.parametrize(
    "text",
    [
        "def f(): return config.db.HOST, np.random.seed(0), g(1)",
        "def f():\n  def g(): return h.x + k\n  return g()",
        "def f():\n  global n\n  n = n + 1",
        "def f(x): return [a.b for i in x if c]",
    ],
)
def test_both_ways_reach_the_same(text):
    function = bare(text)
    without, with_source = of_function(function), of_function(from_cell(text))
    assert set(without.references) == set(with_source.references)
    assert without.writes == with_source.writes


def test_a_closure_cell_is_reached_as_free_on_both_ways():
    text = "def make(k):\n  def f(): return k.x + 1\n  return f\nf = make(1)"
    for make in (bare, from_cell):
        assert [(r.name, r.attributes, r.free) for r in of_function(make(text)).references] == [("k", ("x",), True)]


def test_own_imports_are_told_on_both_ways():
    text = "def f():\n  from ..m import a\n  import b.c as d\n  return a, d"
    for make in (bare, from_cell):
        assert {(r.name, r.attributes) for r in of_function(make(text)).modules} == {("..m", ("a",)), ("b.c", ())}


@pytest.mark.parametrize("call", ["locals()", "eval('x')", "sys._getframe(0)", "(lambda: globals())()"])
def test_code_that_asks_for_names_is_dynamic_on_both_ways(call):
    text = f"def f(): return {call}"
    assert of_function(bare(text)).dynamic
    assert of_function(from_cell(text)).dynamic


def test_a_method_called_eval_is_not_the_builtin():
    assert not of_function(bare("def f(model): return model.eval()")).dynamic


def test_the_form_tells_source_and_name():
    form = of_function(from_cell("class A:\n    def m(self): return 1\nf = A.m"))
    assert (form.name, form.source) == ("A.m", "def m(self): return 1")


def test_the_fallback_has_no_source():
    assert of_function(bare("def f(): return 1")).source is None


def test_every_function_of_the_standard_library_has_a_form_without_source():
    import argparse
    import asyncio.base_events
    import dataclasses
    import typing

    for module in (argparse, asyncio.base_events, dataclasses, typing):
        whole = compile(Path(module.__file__).read_text(encoding="utf-8"), module.__file__, "exec")
        assert of_code(whole).digest == of_code(whole).digest


def test_code_that_was_digested_keeps_its_digest_when_its_file_is_edited(tmp_path):
    path = tmp_path / "edited.py"
    path.write_text("def f():\n    return 1\n")
    spec = importlib.util.spec_from_file_location("edited", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = of_function(module.f)
    path.write_text("def f():\n    return 22\n")
    linecache.checkcache(str(path))
    assert of_function(module.f) == before

    spec.loader.exec_module(module)
    assert of_function(module.f).digest != before.digest


def test_code_is_forgotten_with_its_function():
    function = bare("def f(): return 12345")
    of_function(function)
    place = id(function.__code__)
    del function
    gc.collect()
    assert place not in code._forms


def test_equal_code_objects_of_other_sources_are_not_confused():
    # The default isn't in the code object, and neither is what the decorators are called with.
    one = from_cell("def keep(n): return lambda f: f\n@keep(1)\ndef f(): return 1")
    other = from_cell("def keep(n): return lambda f: f\n@keep(2)\ndef f(): return 1")
    assert of_function(one).digest != of_function(other).digest


def test_another_process_with_another_hash_seed_gives_the_same_digests():
    program = dedent(
        """
        import json
        from ipycheckpoint.identity.code import of_function
        namespace = {}
        exec("def f(x): return x in {'a', 'b', 'c', 1, 2.5, None}, {'p', 'q'}, [i for i in x if i]", namespace)
        import textwrap
        print(json.dumps([of_function(namespace["f"]).digest, of_function(textwrap.dedent).digest]))
        """
    )

    def run(seed):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment)
        return json.loads(done.stdout)

    assert run("1") == run("2") == run("31337")
