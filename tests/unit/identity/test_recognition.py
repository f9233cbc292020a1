from __future__ import annotations

import itertools
import sys
import types
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint import checkpoint
from ipycheckpoint.identity.calls import identify_call, unfold
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.identity.recognition import Recognizer
from ipycheckpoint.identity.work import tag_ingredients

CODE = """
import math, json
import numpy as np
import settings

RATE, NAME, PAIR = 3, "x", (1, "a")
ITEMS, UNUSED = [1, 2], 5

class Equal:
    def __eq__(self, other): return True
    def __call__(self, x): return x
def deep(x): return x + RATE
def helper(x, power=2, *, base=10): return deep(x) ** power + base
def passed(x): return x
class Model:
    size = 4
    def fit(self, x): return x * self.size
def outer():
    scale, kept = 2, [1]
    def inner(x): return x * scale + len(kept)
    def change(to):
        nonlocal scale
        scale = to
    return inner, change, kept
inner, change, kept = outer()

def f(x, y="a", *rest, z=1.5, **more):
    return (helper(x), NAME, PAIR, ITEMS, Model().fit(x), math.floor(x), np.add(x, 1), settings.level,
            settings.sub.deep, list(map(passed, [x])), inner(x), json.dumps(x), missing if x is None else len(rest))
"""


def label() -> str:
    return "f"


@pytest.fixture
def names() -> Any:
    settings = types.ModuleType("settings")
    settings.__file__ = "settings.py"
    settings.level, settings.unused, settings.sub = 1, 2, types.ModuleType("settings.sub")
    settings.sub.deep = {"a": 1}
    before = dict(sys.modules)
    sys.modules |= {"settings": settings, "settings.sub": settings.sub}
    names = {"__name__": "__main__"}
    exec(compile(CODE, "<cell>", "exec"), names)
    yield names
    for name in ("settings", "settings.sub"):
        sys.modules.pop(name)
    assert before.keys() <= sys.modules.keys()


def full(names: dict[str, Any], *args: Any, recognizer: Recognizer | None = None, **kwargs: Any) -> Key:
    return identify_call(unfold(names["f"], args, kwargs), "f", recognizer=recognizer).identity.key


def learned(names: dict[str, Any]) -> Recognizer:
    recognizer = Recognizer()
    key = full(names, 1, recognizer=recognizer)
    assert recognizer.key(names["f"], (1,), {}, ()) == key
    return recognizer


SEEN = [
    "RATE = 4",
    "NAME = 'y'",
    "PAIR = (1, 'b')",
    "ITEMS.append(3)",
    "ITEMS = [1, 3]",
    "def deep(x): return x - RATE",
    "def helper(x, power=2, *, base=10): return deep(x)",
    "deep.__code__ = passed.__code__",
    "helper.__defaults__ = (3,)",
    "helper.__kwdefaults__ = {'base': 11}",
    "helper.__kwdefaults__['base'] = 11",
    "f.__kwdefaults__['z'] = 2.5",
    "f.__defaults__ = ('b',)",
    "passed.__name__ = 'handed'",
    "passed.mark = 1",
    "Model.size = 5",
    "def fit(self, x): return x\nModel.fit = fit",
    "class Model: size = 6",
    "change(3)",
    "kept.append(2)",
    "settings.level = 2",
    "settings.sub.deep['a'] = 2",
    "settings.sub = settings",
    "del settings.level",
    "def add(x, y): return x\nnp.add = add",
    "def floor(x): return x\nmath = type('T', (), {'floor': floor})",
    "def len(x): return 0",
    "missing = 1",
    "del NAME",
    "def f(x, y='a', *rest, z=1.5, **more): return x",
    "RATE = 3.0",
    "PAIR = (True, 'a')",
    "deep.__defaults__ = (1,)",
    "deep.__kwdefaults__ = {'base': 1}",
    "helper.__defaults__ = (2.0,)",
    "helper.__kwdefaults__ = {'base': 10.0}",
    "helper.__defaults__ = None",
    "passed.__dict__ = {'mark': 1}",
    "RATE = Equal()",
    "deep = Equal()",
    "deep.__defaults__ = (Equal(),)",
    "helper.__defaults__ = (Equal(),)",
    "helper.__defaults__ = (np.zeros(2),)",
    "helper.__kwdefaults__ = {'base': np.zeros(2)}",
    "passed.__dict__ = {'mark': Equal()}",
]


@pytest.mark.parametrize("change", SEEN)
def test_what_counts_is_never_recognized_after_it_has_changed(names: dict[str, Any], change: str) -> None:
    recognizer = learned(names)
    before = full(names, 1)
    added = names["np"].add
    try:
        exec(change, names)
        now = full(names, 1)
        assert now != before
        assert recognizer.key(names["f"], (1,), {}, ()) in (None, now)
    finally:
        names["np"].add = added


@pytest.mark.parametrize(
    "change",
    ["UNUSED = 6", "settings.unused = 3", "ITEMS = [1, 2]", "extra = 1", "kept.append(1); kept.pop()", "z = 5"],
)
def test_what_does_not_count_is_no_matter(names: dict[str, Any], change: str) -> None:
    recognizer = learned(names)
    before = full(names, 1)
    exec(change, names)
    assert recognizer.key(names["f"], (1,), {}, ()) == before == full(names, 1)


SHORT = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=5),
    st.sampled_from([0, 0.0, -0.0, 1, 1.0, True, "1", b"1", "", b""]),
)  # fmt: skip

CALLS = st.tuples(st.lists(SHORT, min_size=1, max_size=4), st.dictionaries(st.sampled_from("zwv"), SHORT, max_size=2))


@given(calls=st.lists(CALLS, min_size=1, max_size=6))
def test_a_recognized_call_has_the_key_that_it_has_in_full(calls: list[tuple[list[Any], dict[str, Any]]]) -> None:
    def f(x, y="a", *rest, z=1.5, **more):
        return x, label()

    recognizer = Recognizer()
    identify_call(unfold(f, (0,)), "f", recognizer=recognizer)
    for args, kwargs in [*calls, *calls]:
        key = recognizer.key(f, tuple(args), kwargs, ())
        assert key in (None, identify_call(unfold(f, tuple(args), kwargs), "f").identity.key)


@given(calls=st.lists(CALLS, min_size=1, max_size=6))
def test_the_work_of_a_recognized_call_is_what_it_is_in_full(
    calls: list[tuple[list[Any], dict[str, Any]]],
) -> None:
    def f(x, y="a", *rest, z=1.5, **more):
        return x, label()

    recognizer = Recognizer(frozenset({"y"}))
    identify_call(unfold(f, (0,)), "f", ignore={"y"}, recognizer=recognizer)
    for args, kwargs in [*calls, *calls]:
        tags = (("fold", "1"),)
        if recognizer.key(f, tuple(args), kwargs, tags) is None:
            continue
        work = recognizer.work(f, "f", tuple(args), kwargs, tags)
        call = unfold(f, tuple(args), kwargs)
        whole = identify_call(call, "f", ignore={"y"}, extra=tag_ingredients(tags))
        assert work is None or _told(work) == _told(whole)


def _told(work: Any) -> tuple[Any, ...]:
    # With the types of all values, since 1 == True; a NaN is the very one.
    values = [(position, repr(value)) for position, value in work.values.items()]
    return work.identity, work.identity.key, values, work.code


def test_a_call_whose_key_was_asked_for_has_its_work_ready() -> None:
    def f(x):
        return x

    recognizer = Recognizer()
    identify_call(unfold(f, (0,)), "f", recognizer=recognizer)
    recognizer.key(f, (1,), {}, ())
    assert recognizer.work(f, "f", (1,), {}, ()) is not None
    others = [
        recognizer.work(f, "f", (True,), {}, ()),
        recognizer.work(f, "f", (2,), {}, ()),
        recognizer.work(f, "f", (1,), {}, (("fold", "1"),)),
        recognizer.work(f, "another name", (1,), {}, ()),
        recognizer.work(lambda x: x, "f", (1,), {}, ()),
    ]
    assert others == [None] * 5


@pytest.mark.parametrize(
    "change",
    ["RATE = 4", "def helper(x): return x", "helper.__code__ = f.__code__", "helper.__defaults__ = (1,)", "del RATE"],
)
def test_no_work_is_ready_once_the_code_reaches_anything_else(change: str) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    code = "RATE = 3\ndef helper(x): return x * RATE\ndef f(x): return helper(x)"
    exec(compile(code, "<cell>", "exec"), names)
    recognizer = learned(names)
    recognizer.key(names["f"], (2,), {}, ())
    assert recognizer.work(names["f"], "f", (2,), {}, ()) is not None
    exec(change, names)
    assert recognizer.work(names["f"], "f", (2,), {}, ()) is None
    assert recognizer.code(names["f"], "f") is None


def test_what_another_object_may_stand_for_is_not_held_on_to() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("ITEMS = [1]\ndef f(x): return len(ITEMS) + x", "<cell>", "exec"), names)
    recognizer = learned(names)
    assert recognizer.code(names["f"], "f") is None


def test_arguments_are_no_part_of_the_code_that_is_remembered() -> None:
    def f(x):
        return x

    recognizer = Recognizer()
    identify_call(unfold(f, ([1, 2],)), "f", recognizer=recognizer)
    code = recognizer.code(f, "f")
    assert code is not None
    assert code.values == {}
    again = identify_call(unfold(f, ([3],)), "f", recognizer=recognizer)
    assert again.values == {1: [3]}
    assert again.identity.key == identify_call(unfold(f, ([3],)), "f").identity.key


def test_values_that_are_equal_but_differ_are_told_apart() -> None:
    def f(x):
        return x

    recognizer = Recognizer()
    identify_call(unfold(f, (0,)), "f", recognizer=recognizer)
    values = [1, True, 1.0, "1", b"1", -1, None]
    keys = [recognizer.key(f, (value,), {}, ()) for value in values]
    assert None not in keys
    assert all(one != other for one, other in itertools.combinations(keys, 2))


def test_arguments_that_do_not_fit_are_left_to_the_call() -> None:
    def f(x):
        return x

    recognizer = Recognizer()
    identify_call(unfold(f, (0,)), "f", recognizer=recognizer)
    assert recognizer.key(f, (1, 2), {}, ()) is None
    assert recognizer.key(f, (1,), {"x": 1}, ()) is None


@pytest.mark.parametrize("value", [[1], (1,), {"a": 1}, 0.0, 1j, "a" * 5000, object()])
def test_only_numbers_and_short_texts_are_recognized(value: object) -> None:
    def f(x):
        return x

    recognizer = Recognizer()
    identify_call(unfold(f, (0,)), "f", recognizer=recognizer)
    assert recognizer.key(f, (value,), {}, ()) is None


@pytest.mark.parametrize(
    "body",
    ["return eval('x')", "import settings\n    return settings.level", "return x, kept"],
    ids=["eval", "import", "default"],
)
def test_what_cannot_be_asked_in_short_is_never_recognized(names: dict[str, Any], body: str) -> None:
    exec(f"def f(x, kept=[]):\n    {body}", names)
    recognizer = Recognizer()
    full(names, 1, recognizer=recognizer)
    assert recognizer.key(names["f"], (1,), {}, ()) is None


def test_an_import_of_what_is_installed_can_be_asked_in_short(names: dict[str, Any]) -> None:
    exec("def f(x):\n    from json import decoder\n    import numpy as np\n    return decoder, np", names)
    learned(names)


def test_an_import_that_brings_another_module_is_seen(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    exec("def f(x):\n    import json\n    return json", names)
    recognizer = learned(names)
    mine = types.ModuleType("json")
    mine.__file__ = "json.py"
    monkeypatch.setitem(sys.modules, "json", mine)
    assert recognizer.key(names["f"], (1,), {}, ()) is None


def test_an_import_that_starts_from_another_package_is_seen(names: dict[str, Any]) -> None:
    names["__package__"] = "json"
    exec("def f(x):\n    from . import decoder\n    return decoder", names)
    recognizer = learned(names)
    names["__package__"] = "email"
    assert recognizer.key(names["f"], (1,), {}, ()) is None


def test_a_checkpoint_that_is_reached_is_seen_through(tmp_path: Any) -> None:
    def one(x):
        return x

    def other(x):
        return x + 1

    inner = checkpoint(store=tmp_path)(one)

    def f(x):
        return inner(x)

    recognizer = Recognizer()
    key = identify_call(unfold(f, (1,)), "f", recognizer=recognizer).identity.key
    assert recognizer.key(f, (1,), {}, ()) == key
    inner.__dict__ = checkpoint(store=tmp_path)(other).__dict__  # as %autoreload does
    assert recognizer.key(f, (1,), {}, ()) is None


def test_a_checkpoint_that_watches_is_never_recognized(tmp_path: Any) -> None:
    data = tmp_path / "data"
    data.write_text("1")

    @checkpoint(store=tmp_path, watch=data)
    def inner(x):
        return x

    def f(x):
        return inner(x)

    recognizer = Recognizer()
    identify_call(unfold(f, (1,)), "f", recognizer=recognizer)
    assert recognizer.key(f, (1,), {}, ()) is None


def test_a_whole_zero_beside_a_float_is_recognized() -> None:
    def f(x: float, y: float) -> float:
        return x + y

    recognizer = Recognizer()
    key = identify_call(unfold(f, (0, 1.5)), "f", recognizer=recognizer).identity.key
    assert recognizer.key(f, (0, 1.5), {}, ()) == key


def test_tags_count() -> None:
    def f(x):
        return x

    recognizer = Recognizer()
    identify_call(unfold(f, (0,)), "f", recognizer=recognizer)
    tags = [(), (("a", "1"),), (("a", "1"), ("b", "2")), (("b", "2"), ("a", "1"))]
    assert len({recognizer.key(f, (1,), {}, given) for given in tags}) == 4


def test_ignored_parameters_do_not_count() -> None:
    def f(x, verbose):
        return x

    recognizer = Recognizer(frozenset({"verbose"}))
    work = identify_call(unfold(f, (0, True)), "f", ignore=["verbose"], recognizer=recognizer)
    assert recognizer.key(f, (0, False), {}, ()) == work.identity.key
