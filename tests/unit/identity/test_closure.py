"""What a function reaches, and whose it is."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import linecache
import sys
import types
from typing import Any

import pytest

from ipycheckpoint.digest import digest
from ipycheckpoint.errors import Unidentifiable
from ipycheckpoint.identity.calls import identify_call, unfold
from ipycheckpoint.identity.closure import UNBOUND, Named, by_name, imported, references, resolve, unwrap
from ipycheckpoint.identity.code import Reference
from ipycheckpoint.identity.values import digest_value


def defined(text: str, **names: Any) -> Any:
    """The namespace after `text`, in a module of its own."""
    namespace = {"__name__": "somewhere", **names}
    exec(text, namespace)
    return types.SimpleNamespace(**namespace)


def reached(function: Any) -> dict[str, object]:
    return {item.path: item.value for item in references(function)}


CONFIG = types.ModuleType("config")
CONFIG.X, CONFIG.inner = 1, types.ModuleType("inner")
CONFIG.inner.Y = 2


def test_attributes_are_followed_through_the_users_modules_only() -> None:
    function = defined("def f(): return c.X + c.inner.Y + json.dumps + json.decoder.JSONDecoder", c=CONFIG, json=json).f
    assert [(item.path, item.value) for item in references(function)] == [
        ("c.X", 1),
        ("c.inner.Y", 2),
        ("json", Named("json.dumps")),
        ("json", Named("json.decoder.JSONDecoder")),
    ]


def test_an_attribute_that_is_missing_is_unbound() -> None:
    assert reached(defined("def f(): return c.Z", c=CONFIG).f) == {"c.Z": UNBOUND}


def test_a_name_that_is_missing_is_unbound_and_a_builtin_is_known_by_name() -> None:
    assert reached(defined("def f(): return nothing, len").f) == {"nothing": UNBOUND, "len": Named("builtins.len")}


def test_an_empty_cell_is_unbound() -> None:
    def outer():
        def f():
            return later

        seen = reached(f)
        later = 1
        return seen, reached(f)

    assert outer() == ({"later": UNBOUND}, {"later": 1})


def test_an_import_of_a_library_counts_by_name_whether_it_was_loaded_before_or_not() -> None:
    [item] = imported(Reference("no_such_module_here.inner", ("x",)), {})
    assert item.value == Named("no_such_module_here.inner.x")
    [item] = imported(Reference("json.tool", ("main",)), {})
    assert item.value == Named("json.tool.main")


def test_a_relative_import_without_a_package_is_no_accident() -> None:
    [item] = imported(Reference(".sibling", ("x",)), {"__package__": ""})
    assert isinstance(item.value, Named)


def test_one_place_is_one_thing() -> None:
    namespace = {"table": [1]}
    [one] = resolve(Reference("table", ()), namespace, id(namespace))
    [two] = resolve(Reference("table", ()), namespace, id(namespace))
    assert one == two


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (json, "json"),
        (json.dumps, "json.dumps"),
        (json.JSONDecoder, "json.decoder.JSONDecoder"),
        (len, "builtins.len"),
        (contextlib.suppress, "contextlib.suppress"),
        (pytest.fixture, "_pytest.fixtures.fixture"),
    ],
)
def test_what_is_not_the_users_is_known_by_name(value: object, name: str) -> None:
    assert by_name(value) == Named(name)


def test_a_library_function_around_one_of_the_users_is_not_known_by_name() -> None:
    @contextlib.contextmanager
    def mine():
        yield

    assert by_name(mine) is mine


def test_a_library_function_with_a_closure_is_known_by_the_name_that_leads_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = types.ModuleType("json.extra")
    library.__file__ = json.__file__
    exec("def make(k):\n def inner(): return k\n return inner\ninner = make(object())", vars(library))
    library.inner.__module__, library.inner.__qualname__ = "json.extra", "inner"
    monkeypatch.setitem(sys.modules, "json.extra", library)
    assert by_name(library.inner) == Named("json.extra.inner")


def test_only_our_own_wrappers_are_taken_off() -> None:
    @functools.wraps(len)
    def wrapper(x):
        return len(x)

    assert unwrap(wrapper) is wrapper


HELPERS = """
def a(x): return b(x) + K
def b(x): return c(x) * 2 if x else 0
def c(x): return a(x - 1)
K = 3
"""


def test_the_digest_of_a_closure_is_blind_to_the_order_of_definitions() -> None:
    lines = HELPERS.strip().splitlines()
    digests = {digest_value(defined("\n".join(order)).a) for order in itertools.permutations(lines)}
    assert len(digests) == 1


def key_of(text: str, name: str = "run") -> str:
    """The Key of a call of `name`, as `text` defines it; its source is there to be read, as in a notebook."""
    file = f"<test {digest('text', text.encode())}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": "somewhere"}
    exec(compile(text, file, "exec"), namespace)
    return identify_call(unfold(namespace[name]), name).identity.key


def test_a_call_is_blind_to_the_names_of_what_its_code_calls() -> None:
    called = HELPERS.replace("a(x)", "a(x=1)", 1)
    renamed = called.replace("a(", "first(").replace("b(", "second(").replace("c(", "third(").replace("K", "MOST")
    assert key_of(renamed, "first") == key_of(called, "a")


SUBTRACT = "def h(a, b): return a - b\n"
SWAPPED = "def h(b, a): return b - a\n"
RENAMED = "def h(first, second): return first - second\n"


@pytest.mark.parametrize("swapped", [SWAPPED, RENAMED])
def test_parameters_of_a_helper_that_are_renamed_are_not_seen_by_who_passes_by_position(swapped: str) -> None:
    run = "def run(): return h(1, 2)"
    assert key_of(SUBTRACT + run) == key_of(swapped + run)


@pytest.mark.parametrize(
    "run",
    [
        pytest.param("def run(): return h(a=1, b=2)", id="keywords"),
        pytest.param("def run(): return h(**{'a': 1, 'b': 2})", id="a mapping"),
        pytest.param("def run(): return call(h)\ndef call(f): return f(a=1, b=2)", id="another function"),
        pytest.param("ALL = {'h': h}\ndef run(): return ALL['h'](a=1, b=2)", id="a dict"),
        pytest.param("p = __import__('functools').partial(h, a=1)\ndef run(): return p(b=2)", id="a partial"),
        pytest.param("class A:\n    m = staticmethod(h)\ndef run(): return A.m(a=1, b=2)", id="a class"),
    ],
)
def test_parameters_that_change_places_are_seen_by_who_may_call_by_keyword_through(run: str) -> None:
    assert key_of(SUBTRACT + run) != key_of(SWAPPED + run)


def test_parameters_of_a_method_that_change_places_are_seen() -> None:
    method = "class A:\n    def m(self, {}): return {} - {}\ndef run(): return A().m(a=1, b=2)"
    assert key_of(method.format("a, b", "a", "b")) != key_of(method.format("b, a", "b", "a"))


@pytest.mark.parametrize(("run", "seen"), [("def run(): return h(1, 2)", False), ("def run(): return str(h)", True)])
def test_the_name_of_a_helper_counts_only_for_who_may_ask_for_it(run: str, seen: bool) -> None:
    other = (SUBTRACT + run).replace("h(", "k(").replace("(h)", "(k)")
    assert (key_of(SUBTRACT + run) != key_of(other)) == seen


@pytest.mark.parametrize(("old", "new"), [("+ K", "- K"), ("* 2", "* 3"), ("x - 1", "x - 2"), ("K = 3", "K = 4")])
def test_every_edit_anywhere_in_a_cycle_of_functions_is_seen(old: str, new: str) -> None:
    assert digest_value(defined(HELPERS.replace(old, new)).a) != digest_value(defined(HELPERS).a)


def test_what_is_wired_to_what_is_seen() -> None:
    one = defined("def f(): return a() - b()\ndef a(): return 1\ndef b(): return 2").f
    two = defined("def f(): return a() - b()\ndef a(): return 2\ndef b(): return 1").f
    assert digest_value(one) != digest_value(two)


def test_a_default_of_a_helper_is_a_part_with_a_path() -> None:
    def helper(x, rows=(i for i in ())):
        return x

    with pytest.raises(Unidentifiable) as caught:
        digest_value(lambda: helper(1))
    assert caught.value.path == "value.<helper>.<defaults>[0]"


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        pytest.param("return eval('K + 1')", True, id="eval"),
        pytest.param("exec('x = K'); return 1", True, id="exec"),
        pytest.param("return globals()['K']", True, id="globals"),
        pytest.param("return (lambda: eval('K'))()", True, id="eval inside"),
        pytest.param("return h()\ndef h(): return eval('K')", True, id="eval in a helper"),
        pytest.param("import sys; return sys._getframe().f_globals['K']", True, id="frames"),
        pytest.param("a = 1; return '{a}'.format(**locals())", False, id="locals"),
        pytest.param("return dir()", False, id="dir"),
    ],
)
def test_code_that_may_read_any_global_depends_on_all_of_them(body: str, seen: bool) -> None:
    before, after = (f"K = {k}\ndef run():\n    {body}" for k in (1, 2))
    assert (key_of(before) != key_of(after)) == seen


def test_what_the_shell_keeps_for_itself_is_no_global_of_the_users() -> None:
    run = "def run(): return eval('1')\n"
    assert key_of(run) == key_of(run + "In = ['x']; _ = _3 = 5; _i1 = 'x'; __name__ = 'somewhere'")


def test_what_the_user_puts_into_an_installed_module_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    run = "import json\ndef run(): return json.dumps(1)"
    keys = {key_of(run)}
    for k in (1, 2):
        monkeypatch.setattr(json, "dumps", defined(f"def dumps(x): return {k}").dumps)
        keys.add(key_of(run))
    assert len(keys) == 3
