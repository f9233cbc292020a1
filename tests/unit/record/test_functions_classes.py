"""Functions and classes by value and by name. What each kind of class does after loading, and on another
Python, is checked on the specimens."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import enum
import functools
import inspect
import json
import linecache
import sys
import types
import typing
import weakref

import pytest

from ipycheckpoint.record import rebuild, sources
from ipycheckpoint.record.codec import decode, encode
from tests.unit.record.conftest import through

CELL = "<ipython-input-7-test>"


@pytest.fixture
def cell():
    """Runs source text as a cell of a notebook does; returns the namespace."""
    names = []

    def run(text, namespace=None, name=CELL):
        namespace = {"__name__": "__main__"} if namespace is None else namespace
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        names.append(name)
        exec(compile(text, name, "exec", dont_inherit=True), namespace)
        return namespace

    yield run
    for name in [name for name in linecache.cache if any(own.strip("<>") in name for own in names)]:
        linecache.cache.pop(name)
        sources._remembered.pop(name, None)


def importable():
    """Found by its name."""


# By name


@pytest.mark.parametrize(
    "thing",
    [importable, json.dumps, json.JSONDecoder, json.JSONDecoder.decode, len, typing.Any],
    ids=["importable", "json.dumps", "json.JSONDecoder", "json.JSONDecoder.decode", "len", "typing.Any"],
)
def test_what_can_be_imported_goes_by_name(thing):
    assert through({"thing": thing})["thing"] is thing


def test_what_main_defines_goes_by_name_where_by_value_says_so_and_is_looked_up_in_the_namespace(cell):
    namespace = cell("def helper(): return 'old'\nclass A: pass\na = A()\n")
    values = {"result": [namespace["helper"], namespace["a"]]}
    there = cell("def helper(): return 'live'\nclass A: pass\n")
    back = through(values, by_value=lambda thing: False, namespace=there)
    assert back["result"][0] is not there["helper"], "what is another object there goes by value"
    [section] = encode(values, by_value=lambda thing: False, namespace=namespace)
    helper, a = decode(section.stream, namespace=there)["result"]
    assert helper is there["helper"]
    assert type(a) is there["A"]


def test_a_name_that_is_not_there_is_an_error_that_names_it(cell):
    namespace = cell("def helper(): pass\n")
    [section] = encode({"f": namespace["helper"]}, by_value=lambda thing: False, namespace=namespace)
    with pytest.raises(AttributeError, match="`helper` is not defined here"):
        decode(section.stream, namespace={})


def test_the_methods_of_a_class_by_value_go_with_it_whatever_by_value_says_of_them(cell):
    namespace = cell("class A:\n    def m(self): return 1\n")
    back = through({"A": namespace["A"]}, by_value=lambda thing: isinstance(thing, type), namespace=namespace)
    assert back["A"]().m() == 1


# Functions by value


def test_a_function_sees_the_globals_that_live_where_it_is_loaded_and_their_rebinding(cell):
    namespace = cell("x = 'saved'\ndef f(): return x\n")
    there = {"x": "live"}
    f = through({"f": namespace["f"]}, namespace=there)["f"]
    assert f() == "live"
    there["x"] = "rebound"
    assert f() == "rebound"
    assert f.__globals__ is there


def test_no_global_is_in_the_stream(cell):
    namespace = cell("secret = 'do not keep me'\ndef f(): return secret\n")
    [section] = encode({"f": namespace["f"]})
    assert b"do not keep me" not in section.stream


def test_a_local_function_of_a_module_gets_the_globals_of_that_module():
    def local():
        return json

    back = through({"local": local})["local"]
    assert back is not local
    assert back.__globals__ is globals()
    assert back() is json


def test_a_wrapper_of_another_module_gets_the_globals_of_that_module():
    @contextlib.contextmanager
    def manager():
        yield 5

    back = through({"manager": manager})["manager"]
    assert back.__globals__ is vars(contextlib)
    with back() as value:
        assert value == 5


def test_two_functions_share_their_cells_again():
    count = 0

    def up():
        nonlocal count
        count += 1

    def read():
        return count

    back = through({"up": up, "read": read})
    back["up"]()
    assert back["read"]() == 1
    assert count == 0


def test_a_recursive_local_function_and_a_mutual_one_come_back():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    back = through({"even": even})["even"]
    assert back(10)
    assert not back(7)


def test_a_cell_that_is_still_empty_stays_empty():
    def outer():
        def inner():
            return later

        kept = through({"inner": inner})["inner"]
        later = 1
        return kept

    with pytest.raises(NameError):
        outer()()


def test_a_cell_on_its_own_brings_its_contents():
    value = [1]
    cell = (lambda: value).__closure__[0]
    assert through({"cell": cell})["cell"].cell_contents == [1]


def test_all_that_hangs_on_a_function_comes_back():
    def f(a: int, b=2, *, c: str = "c") -> None:
        """Doc."""

    f.extra = [f]
    back = through({"f": f})["f"]
    assert inspect.signature(back) == inspect.signature(f)
    assert (back.__name__, back.__qualname__, back.__module__) == (f.__name__, f.__qualname__, f.__module__)
    assert (back.__doc__, back.__annotations__) == (f.__doc__, f.__annotations__)
    assert back.extra == [back]


def test_the_source_of_a_restored_function_is_found_without_the_cell_that_defined_it(cell):
    namespace = cell("import functools\n\ndef f(a):\n    # a comment\n    return a\n\ng = lambda q: q + 1\n")
    sections = encode({"f": namespace["f"], "g": namespace["g"]})
    del linecache.cache[CELL]
    back = {}
    for section in sections:
        back |= decode(section.stream, namespace={})
    linecache.checkcache()
    assert inspect.getsource(back["f"]) == "def f(a):\n    # a comment\n    return a\n"
    assert inspect.getsource(back["g"]) == "g = lambda q: q + 1\n"


def test_a_live_entry_of_linecache_with_another_text_is_left_alone(cell):
    namespace = cell("def f():\n    return 'then'\n")
    [section] = encode({"f": namespace["f"]})
    cell("def f():\n    return 'now'\n")
    back = decode(section.stream, namespace={})["f"]
    assert inspect.getsource(back) == "def f():\n    return 'then'\n"
    assert linecache.getlines(CELL) == ["def f():\n", "    return 'now'\n"]


@pytest.mark.parametrize(
    "text",
    [
        "def f(): return 1",
        "f = [lambda: 0, lambda: 1][1]",
        "def make():\n    def inner(x=lambda: 1): return x()\n    return inner\nf = make()",
        "def make():\n    one = 1\n    def inner(): return [one for _ in range(2)][0]\n    return inner\nf = make()",
        "class A:\n    def m(self): return type(self) is __class__ and 1\nf = A().m",
        "from __future__ import annotations\ndef f(a: undefined = 1): return a",
    ],
)
def test_a_function_is_compiled_from_its_source_where_its_code_does_not_run(cell, text, monkeypatch):
    namespace = cell(text)
    sections = encode({"f": namespace["f"]})
    monkeypatch.setattr(rebuild, "MAGIC", b"another Python")
    [section] = sections
    assert decode(section.stream, namespace={})["f"]() == 1


def test_without_source_code_of_another_python_is_an_error_that_says_so(monkeypatch):
    namespace = {"__name__": "__main__"}
    exec("def f(): return 1", namespace)
    [section] = encode({"f": namespace["f"]})
    monkeypatch.setattr(rebuild, "MAGIC", b"another Python")
    with pytest.raises(Exception, match=r"`f` was kept by Python 3\.\d+ without its source"):
        decode(section.stream)


def test_source_that_was_edited_since_is_not_taken_for_the_code(cell):
    namespace = cell("def f():\n    return 1\n")
    text = "def f():\n    return 2\n"
    linecache.cache[CELL] = (len(text), None, text.splitlines(keepends=True), CELL)
    assert sources.source_of(namespace["f"].__code__) is None


def test_a_cached_function_comes_back_with_an_empty_cache_of_the_same_size(cell):
    namespace = cell("import functools\n@functools.lru_cache(maxsize=5)\ndef f(x):\n    'Doc.'\n    return x\n")
    namespace["f"](1)
    back = through({"f": namespace["f"]})["f"]
    assert (back(2), back.cache_info().maxsize, back.cache_info().currsize, back.__doc__) == (2, 5, 1, "Doc.")


@pytest.mark.parametrize(
    "thing",
    [
        types.MappingProxyType({"a": 1}),
        functools.partial(importable, 1),
        [property(importable)],
        [staticmethod(importable), classmethod(importable)],
        importable.__code__,
        typing.TypeVar("T", bound=int),
        weakref.WeakValueDictionary(),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_python_makes_of_functions_comes_back_as_its_type(thing):
    back = through({"thing": thing})["thing"]
    assert type(back) is type(thing)
    assert repr(back).partition(" at ")[0] == repr(thing).partition(" at ")[0]


# Classes by value


def test_an_instance_is_of_the_class_that_comes_with_it():
    class Local:
        pass

    back = through({"Local": Local, "one": Local(), "two": [Local()]})
    assert back["Local"] is not Local
    assert type(back["one"]) is type(back["two"][0]) is back["Local"]


def test_no_hook_of_a_base_or_metaclass_runs_when_a_class_is_loaded():
    ran = []

    class Meta(type):
        def __new__(cls, *arguments, **options):
            ran.append("new")
            return super().__new__(cls, *arguments, **options)

        def __init__(cls, *arguments, **options):
            ran.append("init")

    class Base(metaclass=Meta):
        def __init_subclass__(cls, *, needed):
            ran.append(needed)

    class Descriptor:
        def __set_name__(self, owner, name):
            ran.append(name)

    class Sub(Base, needed="needed"):
        attribute = Descriptor()

    back = through({"ran": ran, "Sub": Sub})
    assert back["ran"] == ran == ["new", "init", "new", "attribute", "needed", "init"]
    assert back["Sub"].__bases__[0].__name__ == "Base"


@pytest.mark.parametrize(
    "base", [object, dict, Exception, abc.ABC, typing.Generic[typing.TypeVar("T")], enum.Enum, typing.Protocol], ids=str
)
@pytest.mark.parametrize("slots", [False, True])
def test_no_hook_runs_whatever_the_layout_of_the_base(base, slots):
    space = {"__slots__": ()} if slots and base is not enum.Enum else {}

    def hook(cls, **options):
        raise AssertionError("ran again")

    Base = types.new_class("Base", (base,), {}, lambda namespace: namespace.update(space))
    Sub = types.new_class("Sub", (Base,), {}, lambda namespace: namespace.update(space))
    Base.__module__ = Sub.__module__ = "__main__"
    Base.__init_subclass__ = classmethod(hook)
    back = through({"Sub": Sub})["Sub"]
    assert [kind.__name__ for kind in back.__mro__] == [kind.__name__ for kind in Sub.__mro__]


@pytest.mark.parametrize(("kind", "contents"), [(bytes, b"xx"), (int, 7), (str, "s"), (tuple, (1, 2)), (float, 0.5)])
def test_an_enum_whose_members_have_other_contents_than_values_comes_back(kind, contents):
    class Odd(kind, enum.Enum):
        def __new__(cls, label):
            made = kind.__new__(cls, contents)
            label = label[0]  # Enum hands a tuple over as one of one, and "a"[0] is "a"
            made._value_ = label.upper()
            made.label = label
            return made

        A = "a"
        B = "b"

    back = through({"Odd": Odd, "a": Odd.A})
    assert back["a"] is back["Odd"].A is back["Odd"]("A")
    assert (back["a"].label, back["a"].value, back["a"].name) == ("a", "A", "A")
    assert kind.__getnewargs__(back["a"]) == kind.__getnewargs__(Odd.A)


def test_a_registered_subclass_stays_registered():
    class Base(abc.ABC):  # noqa: B024 - nothing abstract is needed here
        pass

    Base.register(int)
    back = through({"Base": Base})["Base"]
    assert issubclass(int, back)
    assert not issubclass(str, back)


def test_the_source_of_a_restored_class_is_found(cell):
    namespace = cell("class A:\n    def m(self):\n        return 1\n")
    back = through({"A": namespace["A"]}, namespace={})["A"]
    assert inspect.getsource(back.m) == "    def m(self):\n        return 1\n"


def test_dataclasses_of_another_python_are_generated_anew_from_the_same_fields(cell, monkeypatch):
    namespace = cell(
        "import dataclasses\n"
        "@dataclasses.dataclass(frozen=True, order=True)\n"
        "class P:\n    x: int\n    y: list = dataclasses.field(default_factory=list, compare=False)\n"
        "    def total(self): return self.x\n"
    )
    [section] = encode({"P": namespace["P"]})
    monkeypatch.setattr(rebuild, "MAGIC", b"another Python")
    P = decode(section.stream, namespace={})["P"]
    assert P(1) < P(2, [3])
    assert (repr(P(1)), hash(P(1)) == hash(P(1, [2])), P(4).total()) == ("P(x=1, y=[])", True, 4)
    assert [field.name for field in dataclasses.fields(P)] == ["x", "y"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        P(1).x = 2


def test_what_is_loaded_carries_no_trace_of_us(cell):
    namespace = cell("class A:\n    def m(self): return 1\na = A()\ndef f(): return 2\n")
    back = through({name: namespace[name] for name in ("A", "a", "f")}, namespace={})
    for thing in (back["A"], back["f"], back["A"].m):
        assert "ipycheckpoint" not in repr(vars(thing))
        assert thing.__module__ == "__main__"


if sys.version_info >= (3, 12):

    def test_type_parameters_come_back(cell):
        namespace = cell("def f[T](a: T) -> T: return a\nclass A[T]:\n    def m(self, a: T): return a\n")
        back = through({"f": namespace["f"], "A": namespace["A"]}, namespace={})
        assert [str(variable) for variable in back["f"].__type_params__] == ["T"]
        assert back["A"][int]().m(1) == 1
