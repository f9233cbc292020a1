"""Live objects that a pickler comes by are noticed, wherever they are, so that it need not be asked of every object."""

from __future__ import annotations

import collections
import io
import pickle

import pytest

from ipycheckpoint.record import codec, pickling
from ipycheckpoint.record.codec import DILL, decode, encode
from ipycheckpoint.record.pickling import are_noticed


class Mine:
    def __init__(self, part=None):
        self.part = part


def helper():
    return 1


LIVE = [helper, Mine, Mine(), range(3), collections.OrderedDict(a=1), 3 + 4j, slice(1, 2)]

AROUND = {
    "in a list": lambda live: [1, [live]],
    "in a tuple in a dict": lambda live: {"a": ("b", live)},
    "as an attribute": lambda live: [Mine(live)],
    "twice": lambda live: [live, live],
    "after much else": lambda live: [*([number] for number in range(10_000)), live],
    "in a deque": lambda live: collections.deque([live]),
}


def again(value, live, **options):
    sections = encode({"x": value}, links={id(live): ("live",)}, live=[live], **options)
    [section] = sections
    return decode(section.stream, section.buffers, resolve=lambda path: {("live",): live}[path])["x"]


def found(value):
    """What is at the end of the ways of AROUND."""
    while type(value) in (list, tuple, dict, collections.deque) or (type(value) is Mine and value.part is not None):
        if type(value) is dict:
            value = value["a"]
        else:
            value = value.part if type(value) is Mine else value[-1]
    return value


@pytest.mark.parametrize("live", LIVE, ids=lambda live: getattr(live, "__name__", type(live).__name__))
@pytest.mark.parametrize("around", AROUND)
def test_a_live_object_is_referred_to_wherever_it_is(live, around):
    assert found(again(AROUND[around](live), live)) is live


def test_a_live_object_is_referred_to_by_dill_as_well():
    live = Mine()
    assert again([live], live, codec=DILL)[0] is live


def test_the_state_of_a_live_object_is_written_and_what_refers_to_it_is_not():
    live = Mine()
    live.part = [live]
    value = again(live, live)
    assert value is not live
    assert value.part[0] is live


def test_what_holds_no_live_object_is_written_once_and_as_if_there_were_none(monkeypatch):
    written = []

    def new_pickler(file, reducer, buffers, links, *, dill):
        written.append(links)
        return pickling.new_pickler(file, reducer, buffers, links, dill=dill)

    monkeypatch.setattr(codec, "new_pickler", new_pickler)
    value = {"a": [1, "b", Mine((2.5, None)), {3}]}
    [section] = encode({"x": value}, links={id(helper): ("live",)}, live=[helper])
    assert section.stream == encode({"x": value})[0].stream
    assert written == [None, None]


@pytest.mark.parametrize(
    "value",
    [None, True, 1, 0.5, "a", b"a", bytearray(b"a"), [1], (1,), {1: 2}, {1}, frozenset({1}), pickle.PickleBuffer(b"a")],
    ids=lambda value: type(value).__name__,
)
def test_what_the_pickler_writes_by_itself_would_not_be_noticed(value):
    asked = []

    class Asking(pickle.Pickler):
        def reducer_override(self, part):
            asked.append(part)
            return NotImplemented

    Asking(io.BytesIO(), 5).dump([value])
    assert asked == []
    assert not are_noticed([value])


@pytest.mark.parametrize("live", LIVE, ids=lambda live: getattr(live, "__name__", type(live).__name__))
def test_what_it_asks_about_is_noticed(live):
    assert are_noticed([live])


def test_a_live_object_of_which_nothing_is_known_is_looked_for_everywhere():
    live = [1]
    [section] = encode({"x": [live]}, links={id(live): ("live",)})
    assert decode(section.stream, section.buffers, resolve=lambda _: live)["x"][0] is live
