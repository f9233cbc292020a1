from __future__ import annotations

import gc

import pytest

from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.unpickling import decode

started: list[int] = []


def large(count=20_000):
    return [{"number": number, "name": f"name {number}"} for number in range(count)]


class Broken:
    def __reduce__(self):
        return broken, ()


def broken():
    raise ValueError("it can't be made")


class Count:
    """Comes back as how often garbage was looked for so far."""

    def __reduce__(self):
        return count, ()


def count():
    return len(started)


@pytest.fixture
def counted():
    def note(phase, info):
        started.append(info["generation"])

    started.clear()
    gc.callbacks.append(note)
    yield
    gc.callbacks.remove(note)
    started.clear()


@pytest.mark.usefixtures("counted")
def test_nobody_looks_for_garbage_while_much_is_loaded():
    [section] = encode({"value": [Count(), large(), Count()]})
    first, _, last = decode(section.stream)["value"]
    assert first == last


@pytest.mark.parametrize("count", [1, 20_000])
def test_garbage_is_looked_for_again_after_a_load(count):
    [section] = encode({"value": large(count)})
    decode(section.stream)
    assert gc.isenabled()


def test_garbage_is_looked_for_again_after_a_load_that_failed():
    [section] = encode({"value": [large(), Broken()]})
    with pytest.raises(ValueError, match="can't be made"):
        decode(section.stream)
    assert gc.isenabled()


def test_who_does_not_want_it_to_be_looked_for_is_left_alone():
    [section] = encode({"value": large()})
    gc.disable()
    try:
        decode(section.stream)
        assert not gc.isenabled()
    finally:
        gc.enable()
