"""How a type gets a fingerprint of its own."""

from __future__ import annotations

import collections
import gc
import threading
import weakref

import pytest

from ipycheckpoint.errors import Unidentifiable, UsageError
from ipycheckpoint.identity import registry as registry_module
from ipycheckpoint.identity.registry import Registry
from ipycheckpoint.identity.values import digest_value, fingerprint


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    monkeypatch.setattr(registry_module.builtin_registry, "_users", {})
    monkeypatch.setattr(registry_module.builtin_registry, "_cache", {})


class Client:
    def __init__(self, url):
        self.url = url
        self.lock = threading.Lock()


class SubClient(Client):
    pass


class Speaking:
    def __init__(self, says):
        self.says = says
        self.lock = threading.Lock()

    def __fingerprint__(self):
        return self.says


NAME = f"{Client.__module__}.{Client.__qualname__}"


@pytest.mark.parametrize("kind", [Client, NAME])
def test_a_registered_function_stands_for_a_type(kind):
    fingerprint.register(kind)(lambda client: client.url)
    assert fingerprint([Client("a")]) == fingerprint([Client("a")])
    assert fingerprint(Client("a")) != fingerprint(Client("b"))


def test_it_stands_for_subclasses_which_stay_apart():
    fingerprint.register(NAME)(lambda client: client.url)
    assert fingerprint(SubClient("a")) == fingerprint(SubClient("a"))
    assert fingerprint(SubClient("a")) != fingerprint(Client("a"))


def test_a_value_and_what_stands_for_it_differ():
    fingerprint.register(Client)(lambda client: client.url)
    assert fingerprint(Client("a")) != fingerprint("a")


def test_a_class_is_found_under_its_public_name():
    import pathlib

    fingerprint.register("pathlib.Path")(lambda path: "any path")
    assert fingerprint(pathlib.Path("a")) == fingerprint(pathlib.Path("b"))


def test_a_name_that_nothing_has_yet_may_be_registered():
    fingerprint.register("no_such_package.Type")(lambda value: 1)
    assert fingerprint(collections.OrderedDict()) == fingerprint(collections.OrderedDict())


def test_an_object_can_say_it_itself():
    assert fingerprint(Speaking("a")) == fingerprint(Speaking("a"))
    assert fingerprint(Speaking("a")) != fingerprint(Speaking("b"))


def test_what_is_registered_comes_before_what_the_object_says():
    fingerprint.register(Speaking)(lambda value: 0)
    assert fingerprint(Speaking("a")) == fingerprint(Speaking("b"))


def test_a_call_has_the_last_word():
    fingerprint.register(Client)(lambda client: client.url)
    for kind in (Client, NAME):
        loose = {kind: lambda client: "any"}
        assert digest_value([Client("a")], fingerprints=loose) == digest_value([Client("b")], fingerprints=loose)
    assert digest_value(Client("a")) != digest_value(Client("b"))


def test_a_later_registration_takes_the_place_of_an_earlier():
    fingerprint.register(Client)(lambda client: client.url)
    first = fingerprint(Client("a"))
    fingerprint.register(Client)(lambda client: 0)
    assert fingerprint(Client("a")) != first


@pytest.mark.parametrize("kind", ["list", "builtins.dict", int, set])
def test_plain_types_keep_their_fingerprint(kind):
    with pytest.raises(UsageError):
        fingerprint.register(kind)(lambda value: 0)
    with pytest.raises(UsageError):
        digest_value([[]], fingerprints={kind: lambda value: 0})


def test_a_function_that_raises_is_a_refusal_with_its_words():
    fingerprint.register(Client)(lambda client: client.nothing)
    with pytest.raises(Unidentifiable, match=r"`value\[0\]`.*no attribute 'nothing'"):
        fingerprint([Client("a")])


def test_a_function_that_gives_the_value_back_is_a_refusal():
    fingerprint.register(Client)(lambda client: client)
    with pytest.raises(Unidentifiable, match="something simpler"):
        fingerprint(Client("a"))


def test_what_stands_for_a_value_may_be_refused_itself():
    fingerprint.register(Client)(lambda client: [client.lock])
    with pytest.raises(Unidentifiable) as caught:
        fingerprint({"c": Client("a")})
    assert caught.value.path == "value['c'][0]"


def test_classes_are_not_held_alive():
    class Passing:
        pass

    assert digest_value([Passing()]) == digest_value([Passing()])
    passing = weakref.ref(Passing)
    del Passing
    gc.collect()
    assert passing() is None


def test_a_class_in_the_place_of_one_that_is_gone_is_another():
    registry = Registry({f"{__name__}.{name}": int for name in "AB"})
    for _ in range(3):
        shapers = {registry.shaper(type(name, (), {"__module__": __name__, "__qualname__": name})) for name in "AB"}
        assert len(shapers) == 2
        gc.collect()
