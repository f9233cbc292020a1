"""Identifiers, and what they are told of a call."""

from __future__ import annotations

import functools
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from ipycheckpoint.errors import Unidentifiable, UsageError
from ipycheckpoint.identity.context import CellContext, FuncCallContext
from ipycheckpoint.identity.identifier import AutoFuncCallIdentifier, FuncCallIdentifierBase, work_of_id
from ipycheckpoint.identity.names import of_cell


def f(x, y=2):
    return x + y


def key(identifier, *args, function=f):
    return identifier.identify(FuncCallContext(function, args))


def test_our_identifier_gives_the_same_hexdigest_for_the_same_call_only():
    ours = AutoFuncCallIdentifier()
    assert key(ours, 1) == key(ours, 1, 2) == key(AutoFuncCallIdentifier("sha256", 4), 1)
    assert len({key(ours, 1), key(ours, 2), key(ours, 1, 3), key(ours, 1, function=lambda x, y=2: x - y)}) == 4
    assert len(bytes.fromhex(key(ours, 1))) == 32


def test_our_identifier_can_leave_arguments_out_and_see_them_as_another_value():
    assert key(AutoFuncCallIdentifier(ignore=["y"]), 1, 2) == key(AutoFuncCallIdentifier(ignore=["y"]), 1, 3)
    even = AutoFuncCallIdentifier(fingerprints={"x": lambda x: x % 2})
    assert key(even, 1) == key(even, 3) != key(even, 2)


def test_our_identifier_counts_tags():
    ours = AutoFuncCallIdentifier()
    assert ours.identify(FuncCallContext(f, (1,), tags=(("run", "1"),))) != key(ours, 1)


@pytest.mark.parametrize("more", [{"algorithm": "no such"}, {"pickle_protocol": 77}])
def test_options_of_another_package_are_looked_at_all_the_same(more):
    with pytest.raises(UsageError, match=r"hash algorithm|protocol of pickle"):
        AutoFuncCallIdentifier(**more)


def test_an_identifier_without_its_method_can_not_be_made():
    with pytest.raises(TypeError, match="identify"):
        type("Nothing", (FuncCallIdentifierBase,), {})()


@pytest.mark.parametrize("one", ["a", 1, 1.0, True, None, ("a",), ["a"], b"a", np.zeros(2)], ids=repr)
def test_a_context_id_counts_by_its_value(one):
    def of(context_id):
        return work_of_id("call", "f", "Mine", context_id, strictly=True).identity.key

    others = ["a", 1, 1.0, True, None, ("a",), ["a"], b"a", np.zeros(2), np.ones(2)]
    assert [type(other) for other in others if of(other) == of(one)] == [type(one)]


def test_a_context_id_without_identity_is_refused_only_where_it_has_to_make_a_key():
    with pytest.raises(Unidentifiable, match="context_id"):
        work_of_id("call", "f", "Mine", threading.Lock(), strictly=True)
    assert work_of_id("call", "f", "Mine", threading.Lock(), strictly=False).identity.ingredients


class Model:
    def fit(self, x, *, rate=0.1):
        return x


@pytest.mark.parametrize(
    ("function", "args", "arguments", "name"),
    [
        (f, (1,), {"x": 1, "y": 2}, "f"),
        (functools.partial(f, y=5), (1,), {"x": 1, "y": 5}, "f"),
        (Model().fit, (1,), {"x": 1, "rate": 0.1}, "Model.fit"),
        (len, ([],), {"obj": []}, "len"),
    ],
)
def test_a_context_tells_of_the_function_behind_what_is_called(function, args, arguments, name):
    context = FuncCallContext(function, args)
    assert {name: value for name, value in context.arguments.items() if name != "self"} == arguments
    assert context.qualified_name == name


def test_a_context_finds_what_is_free_or_global_and_nothing_else():
    around = 1

    def inner():
        return around

    context = FuncCallContext(inner)
    assert context.get_nonlocal_variable("around") == 1
    assert context.get_nonlocal_variable("f") is f
    assert context.get_nonlocal_variable("print") is None
    assert FuncCallContext(len, ([],)).get_nonlocal_variable("around") is None


def test_arguments_that_do_not_fit_are_a_type_error():
    with pytest.raises(TypeError):
        FuncCallContext(f, ()).arguments


def test_the_context_of_a_cell_tells_of_it_as_of_a_call():
    import ast

    source = "import os\ntotal = sum(numbers) + limit + helper(1)\nprint(os.getcwd())"
    namespace = {"__name__": "__main__", "numbers": [1], "limit": 2, "helper": f, "other": 3, "np": np}
    work = SimpleNamespace(identity=SimpleNamespace(key="5f"))
    context = CellContext(of_cell(ast.parse(source)), source, namespace, "sums", lambda: work, tags=(("a", "b"),))
    assert context.arguments == {"numbers": [1], "limit": 2}
    assert (context.name, context.qualified_name, context.module) == ("sums", "sums", "__main__")
    assert (context.full_name, context.code, context.tags) == ("__main__.sums", source, (("a", "b"),))
    assert context.get_nonlocal_variable("other") == 3
    assert context.get_nonlocal_variable("nowhere") is None
    assert AutoFuncCallIdentifier().identify(context) == "5f"
