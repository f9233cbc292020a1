"""Parcels: what goes to another process by value means the same there."""

from __future__ import annotations

import math
import pickle
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from ipycheckpoint.engine.parcel import Bundle, Parcel, pack
from ipycheckpoint.errors import CannotKeep
from ipycheckpoint.identity.values import digest_value


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Runs a text as ``__main__`` and gives its globals."""

    def run(text: str) -> dict[str, Any]:
        module = ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", module)
        exec(text, vars(module))
        return vars(module)

    return run


def sent(parcel: Parcel, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The first thing in `parcel`, opened where ``__main__`` is another one."""
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    return pickle.loads(pickle.dumps(parcel)).opened()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(x): return x + 1", 3),
        ("LIMIT = 5\ndef f(x): return x + LIMIT", 7),
        ("LIMIT = 5\ndef g(x): return x + LIMIT\ndef f(x): return g(x)", 7),
        ("import math\ndef f(x): return math.sqrt(x + 2)", 2.0),
        ("from math import sqrt as root\ndef f(x): return root(x + 2)", 2.0),
        ("def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\nf = even", True),
        ("def make(n):\n    return lambda x: x + n\nf = make(4)", 6),
        ("def g(x): return x * 10\ntable = {'g': g}\ndef f(x): return table['g'](x)", 20),
        ("class A:\n    def m(self, x): return B().n(x)\nclass B:\n    def n(self, x): return x * 7\nf = A().m", 14),
        ("def g(x): return x - 1\nclass A:\n    @property\n    def p(self): return g(5)\ndef f(x): return A().p", 4),
        ("class A: pass\nclass B(A): pass\ndef make(): return B()\ndef f(x): return isinstance(make(), A)", True),
        ("import functools\ndef g(x, y): return x * y\nf = functools.partial(g, 9)", 18),
        ("count = 0\ndef f(x):\n    global count\n    count += x\n    return count", 2),
        ("def f(x):\n    def inner(): return LIMIT\n    return inner()\nLIMIT = 8", 8),
    ],
)
def test_a_function_of_main_does_elsewhere_what_it_does_here(main, monkeypatch, text, expected):
    parcel = pack([main(text)["f"]])
    assert sent(parcel, monkeypatch).things[0](2) == expected


@pytest.mark.parametrize(
    "text",
    [
        "LIMIT = 5\ndef g(x): return x + LIMIT\ndef f(x): return g(x)",
        "class A:\n    k = 1\n    def m(self): return g(self.k)\ndef g(x): return x\ndef f(x): return A().m()",
        "table = {'a': lambda x: x}\ndef f(x): return table['a'](x)",
    ],
)
def test_a_function_of_main_has_elsewhere_the_digest_that_it_has_here(main, monkeypatch, text):
    function = main(text)["f"]
    here = digest_value(function)
    assert digest_value(sent(pack([function]), monkeypatch).things[0]) == here


def test_only_what_is_reached_goes_along(main):
    parcel = pack([main("import math\nbig = bytes(10_000)\nLIMIT = 1\ndef f(x): return LIMIT")["f"]])
    assert parcel.names == {"f", "LIMIT"}
    assert parcel.bundle.nbytes < 10_000


def test_arguments_are_instances_of_the_very_classes_that_were_packed(main, monkeypatch):
    here = main("class A:\n    pass\ndef f(a): return type(a) is A")
    parcel = pack([here["f"]])
    calls = pickle.dumps(Bundle.of({"a": here["A"]()}, parcel.names))
    opened = sent(parcel, monkeypatch)
    assert opened.things[0](pickle.loads(calls).values(opened.namespace)["a"])


def test_what_comes_back_is_an_instance_of_the_class_that_is_here(main, monkeypatch):
    here = main("class A: pass\ndef f(): return A()")
    with monkeypatch.context() as elsewhere:
        opened = sent(pack([here["f"]]), elsewhere)
        back = Bundle.of({"value": opened.things[0]()}, opened.names, opened.namespace)
    assert type(back.values()["value"]) is here["A"]


def test_what_a_library_defines_goes_by_its_name():
    assert pack([math.sqrt]).opened().things[0] is math.sqrt


def test_several_things_come_out_in_order():
    assert pack([1, "a", None]).opened().things == (1, "a", None)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_large_buffers_go_through_any_protocol_and_can_be_written_to(protocol):
    numpy = pytest.importorskip("numpy")
    bundle = pickle.loads(pickle.dumps(Bundle.of({"a": numpy.arange(100_000)}), protocol))
    array = bundle.values()["a"]
    array[0] = 7
    assert array[-1] == 99_999


def test_what_cannot_go_is_named(main):
    text = "import threading\nlock = threading.Lock()\ndef f(): return lock"
    with pytest.raises(CannotKeep, match="lock"):
        pack([main(text)["f"]])


def test_what_cannot_go_and_is_not_reached_is_no_hindrance(main, monkeypatch):
    here = main("def f(): return 1")
    here["lock"] = threading.Lock()
    assert sent(pack([here["f"]]), monkeypatch).things[0]() == 1
