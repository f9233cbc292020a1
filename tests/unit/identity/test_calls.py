"""The Work of a call: unfolding, binding, and what goes into the Identity."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.errors import Unidentifiable
from ipycheckpoint.identity.calls import bind, identify_call, unfold


def key(function: Any, *args: Any, **kwargs: Any) -> str:
    return identify_call(unfold(function, args, kwargs), "f").identity.key


class Adder:
    def __init__(self, k: int) -> None:
        self.k = k

    def __call__(self, x: int) -> int:
        return self.k + x

    def method(self, x: int) -> int:
        return self.k * x

    @classmethod
    def make(cls, k: int) -> Adder:
        return cls(k)

    @staticmethod
    def plain(x: int) -> int:
        return x


def test_a_partial_is_the_function_with_those_arguments_first() -> None:
    call = unfold(functools.partial(functools.partial(pow, 2), 3, mod=5), (), {"extra": 1})
    assert call == (pow, (2, 3), {"mod": 5, "extra": 1})


def test_a_keyword_of_the_call_wins_over_that_of_the_partial() -> None:
    assert unfold(functools.partial(int, base=2), ("7",), {"base": 8}).kwargs == {"base": 8}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (Adder.method, Adder.method),
        (Adder(1).method, Adder.method),
        (Adder(1), Adder.__call__),
        (Adder.make, Adder.__dict__["make"].__func__),
        (Adder.plain, Adder.plain),
        (functools.lru_cache(Adder.plain), Adder.plain),
        (Adder, Adder),
        (len, len),
    ],
)
def test_what_is_called_in_the_end_is_found(function: Any, expected: Any) -> None:
    assert unfold(function).function == expected


def many(a, b=2, /, c=3, *rest, d, e=5, **more):
    return locals()


def few(a, b=2):
    return locals()


def none():
    return locals()


names = st.sampled_from(["a", "b", "c", "d", "e", "x", "rest", "more"])


@given(
    st.sampled_from([many, few, none, lambda *a: locals(), lambda **k: locals(), lambda a, *, b: locals()]),
    st.lists(st.integers(), max_size=5),
    st.dictionaries(names, st.integers(), max_size=4),
)
def test_binding_is_that_of_the_language(function: Any, args: list[int], kwargs: dict[str, int]) -> None:
    call = unfold(function, tuple(args), kwargs)
    try:
        expected = function(*args, **kwargs)
    except TypeError:
        with pytest.raises(TypeError):
            bind(call)
    else:
        assert dict(bind(call)) == expected


def test_parameters_come_in_the_order_of_the_signature() -> None:
    bound = bind(unfold(many, (1,), {"d": 4}))
    assert [name for name, _ in bound] == list(inspect.signature(many).parameters)


def test_defaults_are_those_that_the_function_has_now() -> None:
    def f(a=1, *, b=2):
        pass

    before = bind(unfold(f))
    f.__defaults__, f.__kwdefaults__ = (10,), {"b": 20}
    assert (before, bind(unfold(f))) == ([("a", 1), ("b", 2)], [("a", 10), ("b", 20)])


def test_a_builtin_without_a_signature_is_bound_as_it_is_called() -> None:
    with pytest.raises(ValueError, match="signature"):
        inspect.signature(max)
    assert bind(unfold(max, (1, 2), {"key": abs})) == [("args", (1, 2)), ("kwargs", {"key": abs})]


def test_a_function_of_another_library_counts_by_its_name() -> None:
    work = identify_call(unfold(functools.reduce, (max, [1, 2])), "reduce")
    assert key(functools.reduce, max, [1, 2]) == work.identity.key != key(functools.reduce, min, [1, 2])


def test_one_function_of_a_library_is_not_another() -> None:
    assert key(len, [1]) != key(sum, [1])


def test_a_class_of_the_users_that_is_called_counts_by_what_it_is() -> None:
    def make(k: int) -> type:
        return type("Made", (), {"k": k, "__init__": lambda self, x: None})

    assert key(make(1), 5) == key(make(1), 5) != key(make(2), 5)


def test_an_argument_that_is_ignored_keeps_its_place() -> None:
    def f(a, b):
        return a

    without_a = identify_call(unfold(f, (1, 2)), "f", ignore=["a"]).identity
    without_b = identify_call(unfold(f, (2, 1)), "f", ignore=["b"]).identity
    assert without_a.key != without_b.key
    assert [(i.name, i.preview) for i in without_a.ingredients[1:]] == [("a", "ignored"), ("b", "")]


def test_the_path_to_what_has_no_identity_begins_with_the_argument() -> None:
    with pytest.raises(Unidentifiable) as caught:
        key(few, {"rows": [(i for i in ())]})
    assert caught.value.path == "a['rows'][0]"


def test_the_label_is_not_in_the_key() -> None:
    assert identify_call(unfold(few, (1,)), "one").identity.key == identify_call(unfold(few, (1,)), "two").identity.key
