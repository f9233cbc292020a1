"""The source of live code is what provably runs, wherever it comes from."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import enum
import importlib
import importlib.util
import linecache
import sys
import zipfile
from pathlib import Path
from textwrap import dedent
from types import FunctionType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.identity import source
from ipycheckpoint.identity.canonical import canonical_form
from ipycheckpoint.identity.scopes import Scopes
from ipycheckpoint.identity.source import dedented, locate, same_code, source_of


@pytest.fixture
def load(tmp_path):
    """Write a module and import it afresh."""
    count = iter(range(100))

    def load(text, name="module.py"):
        path = tmp_path / f"{next(count)}_{name}"
        path.write_text(dedent(text), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.__file__ = str(path)
        return module

    return load


@pytest.fixture
def run_cell():
    """Run a cell as IPython does, its text in linecache."""
    count = iter(range(1000))

    def run_cell(text, namespace=None, flags=0):
        name = f"<test-cell-{id(count)}-{next(count)}>"
        text = dedent(text)
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        namespace = {} if namespace is None else namespace
        exec(compile(text, name, "exec", flags, dont_inherit=True), namespace)
        return namespace

    return run_cell


def test_the_source_of_a_function_holds_its_decorators(load):
    module = load(
        """
        keep = lambda f: f

        @keep
        def f(x):
            # why
            return x
        """
    )
    assert source_of(module.f) == "@keep\ndef f(x):\n    # why\n    return x"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 has no type parameters")
def test_a_decorated_function_with_type_parameters_is_found(load):
    module = load("keep = lambda f: f\n\n@keep\ndef f[T](x: T) -> T:\n    return x\n")
    assert source_of(module.f) == "@keep\ndef f[T](x: T) -> T:\n    return x"


def test_a_method_is_found_and_dedented(load):
    module = load("class A:\n    class B:\n        def m(self):\n            return 1\n")
    assert source_of(module.A.B.m) == "def m(self):\n    return 1"


def test_a_file_that_was_edited_does_not_count(load, tmp_path):
    module = load("def f():\n    return 1\n")
    Path(module.__file__).write_text("def f():\n    return 2222\n")
    assert source_of(module.f) is None


def test_a_file_whose_lines_moved_still_counts(load):
    module = load("def f():\n    return 1\n")
    Path(module.__file__).write_text("import os\n\n\ndef f():\n    # moved\n    return 1\n")
    assert source_of(module.f) == "def f():\n    # moved\n    return 1"


def test_a_file_that_is_no_python_any_more_does_not_count(load):
    module = load("def f():\n    return 1\n")
    Path(module.__file__).write_text("def f(:\n")
    assert source_of(module.f) is None


def test_of_two_definitions_of_a_name_each_finds_its_own(load):
    module = load("def f(): return 1\nfirst = f\ndef f(): return 2\n")
    assert source_of(module.first) == "def f(): return 1"
    assert source_of(module.f) == "def f(): return 2"


@pytest.mark.parametrize(
    ("line", "index", "column"),
    [
        ("fs = [lambda x: x + 1, lambda x: x + 2]", 0, 6),
        ("fs = [lambda x: x + 1, lambda x: x + 2]", 1, 23),
        ("fs = [lambda: 2 * 3, lambda: 6]", 0, 6),
        ("fs = [lambda: 1, lambda: True]", 1, 17),
        ("fs = [(lambda a: lambda b: a)(1), (lambda a: lambda b: a)(2)]", 0, 17),
    ],
)
def test_of_several_lambdas_on_a_line_each_finds_its_own(load, line, index, column):
    module = load(line + "\n")
    assert locate(module.fs[index].__code__).node.col_offset == column


def test_a_lambda_in_a_comprehension_is_found(load):
    module = load("fs = [lambda: i for i in range(2)]\n")
    assert source_of(module.fs[0]) is not None


def test_a_function_of_a_cell_is_found(run_cell):
    assert source_of(run_cell("def f():\n    return 1\n")["f"]) == "def f():\n    return 1"


def test_a_cell_under_a_future_import_is_found(run_cell):
    import __future__

    flag = __future__.annotations.compiler_flag
    assert source_of(run_cell("def f(x: Unknown):\n    return lambda y: Unknown\n", flags=flag)["f"]) is not None


def test_a_cell_that_awaits_is_found(run_cell):
    name = "<test-cell-await>"
    text = "import asyncio\nawait asyncio.sleep(0)\ndef f(): return 1\n"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    import ast

    code = compile(text, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    inner = next(const for const in code.co_consts if hasattr(const, "co_code") and const.co_name == "f")
    assert locate(inner).text == "def f(): return 1"


def test_code_without_text_has_no_source():
    namespace = {}
    exec("def f(): return 1", namespace)
    assert source_of(namespace["f"]) is None


def test_a_module_in_a_zip_archive_is_found(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("zipped_for_the_test.py", "def f():\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "archive.zip"))
    module = importlib.import_module("zipped_for_the_test")
    monkeypatch.delitem(sys.modules, "zipped_for_the_test")
    assert source_of(module.f) == "def f():\n    return 1"


def test_a_class_in_a_function_that_moved_is_the_same(load):
    module = load("def f():\n    class A:\n        x = 1\n    return A\n")
    Path(module.__file__).write_text("# moved\n\ndef f():\n    class A:\n        x = 1\n    return A\n")
    assert source_of(module.f) is not None


def test_a_function_that_has_run_often_is_still_found(load):
    module = load("def f(x):\n    return x.real + 1\n")
    for number in range(1000):  # so that the interpreter specialises its instructions
        module.f(number)
    assert source_of(module.f) is not None


def _code(text):
    return compile(text, "<test>", "exec")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = True"),
        ("x = 1.0", "x = 1"),
        ("x = 0.0", "x = -0.0"),
        ("x = (1, 2)", "x = (1, 2.0)"),
        ("x in {1, 2}", "x in {1, 2.0}"),
        ("def f(a): pass", "def f(b): pass"),
        ("def f(a): return 1", "def f(a): return 1.0"),
        ("def f(a): pass", "def f(*, a): pass"),
        ("x.a", "x.b"),
        ("'''A.'''", "'''B.'''"),
    ],
)
def test_code_that_differs_is_not_the_same(one, other):
    assert same_code(_code(one), _code(one))
    assert not same_code(_code(one), _code(other))


@given(st.lists(st.text(alphabet=" \t\nab", max_size=8), max_size=6).map("\n".join))
def test_a_text_is_dedented_as_textwrap_does(text):
    assert dedented(text) == dedent(text)


def functions_of(module):
    """All functions that are defined in a module, and in its classes."""
    things = [*vars(module).values()]
    things += [thing for cls in things if isinstance(cls, type) for thing in vars(cls).values()]
    return {f for f in things if isinstance(f, FunctionType) and f.__code__.co_filename == module.__file__}


def told(canonical):
    """All that is in a canonical form, and how each thing is used."""
    references = [(r.name, r.attributes, r.free, r.use) for r in (*canonical.references, *canonical.modules)]
    return canonical.form, canonical.writes, canonical.dynamic, references


@pytest.mark.parametrize("module", [argparse, dataclasses, enum], ids=lambda module: module.__name__)
def test_the_scopes_of_a_statement_say_of_its_functions_what_those_of_the_file_say(module):
    text = Path(module.__file__).read_text(encoding="utf-8")
    flags = next(iter(functions_of(module))).__code__.co_flags & source._FUTURES
    whole = Scopes(ast.Module(source._read(module.__file__, text, flags).body, []))
    located = [found for function in functions_of(module) if (found := locate(function.__code__)) is not None]
    assert len(located) > 10
    for found in located:
        assert told(canonical_form(found.node, found.scopes)) == told(canonical_form(found.node, whole))


def test_of_a_long_module_only_what_is_asked_for_is_looked_into(load):
    module = load("".join(f"def f{number}(a):\n    return [a for b in a]\n" for number in range(100)))
    located = locate(module.f50.__code__)
    assert len(list(located.scopes.module.subtree())) <= 3  # the module, the function and what is inside it


@pytest.mark.parametrize(
    "texts",
    [
        ["lambda x: x", "lambda x: x + 1", "lambda y: y"],
        ["lambda: lambda y: y", "lambda x: [lambda: x for x in x]", "lambda x: (lambda x=x: x)"],
        ["lambda x=lambda: 1: x", "lambda: (lambda: (lambda: 1))", "lambda x: (lambda x: (lambda x: x))"],
    ],
)
def test_functions_on_one_line_are_each_found_where_they_stand(load, texts):
    module = load("; ".join(f"f{number} = {text}" for number, text in enumerate(texts)))
    found = [getattr(module, f"f{number}") for number in range(len(texts))]
    assert [ast.unparse(ast.parse(text, mode="eval")) for text in texts] == [
        ast.unparse(locate(function.__code__).node) for function in found
    ]


def test_a_function_that_only_makes_another_is_not_taken_for_it(load):
    module = load("f = lambda a: (lambda b: b + 1)")
    assert ast.unparse(locate(module.f.__code__).node) == "lambda a: lambda b: b + 1"
    assert ast.unparse(locate(module.f(1).__code__).node) == "lambda b: b + 1"


def test_a_file_is_read_once_for_functions_and_those_inside_them(load):
    module = load("def outer(a):\n    def inner(b):\n        return a + b\n    return inner\n")
    before = source._read.cache_info().misses
    assert locate(module.outer.__code__) is not None
    assert locate(module.outer(1).__code__) is not None
    assert source._read.cache_info().misses == before + 1
