from __future__ import annotations

import collections
import datetime as dt
import decimal
import io
import math
import mmap
import operator
import socket
import sqlite3
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.errors import CannotKeep
from ipycheckpoint.record import codec, sharing
from ipycheckpoint.record.codec import decode, encode
from tests.unit.record.conftest import through


def names_of(values, **rules):
    return [section.names for section in encode(values, **rules)]


class Node:
    """An instance by reference: this module can be imported."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers()
arrays = st.builds(
    lambda dtype, shape: np.arange(math.prod(shape)).reshape(shape).astype(dtype),
    st.sampled_from(["f8", ">i2", "?", "M8[s]", "U3", "O"]),
    st.lists(st.integers(0, 4), max_size=3).map(tuple),
)
trees = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner) | st.builds(Node, x=inner)
    ),
    max_leaves=15,
)


def shape(value):
    """A value as nested tuples: types, contents by their bits, and which mutable objects are one."""
    seen = {}

    def walk(value):
        if isinstance(value, list | dict | Node | np.ndarray):
            if id(value) in seen:
                return "again", seen[id(value)]
            seen[id(value)] = len(seen)
        kind = type(value).__name__
        if isinstance(value, Node):
            return kind, walk(vars(value))
        if isinstance(value, dict):
            return kind, tuple((walk(key), walk(item)) for key, item in value.items())
        if isinstance(value, list | tuple):
            return kind, tuple(map(walk, value))
        if isinstance(value, np.ndarray):
            content = repr(value.tolist()) if value.dtype.hasobject else value.tobytes()
            return kind, str(value.dtype), value.shape, content
        return kind, repr(value)

    return walk(value)


@given(st.lists(trees, max_size=4), st.data())
def test_values_come_back_equal_in_type_content_and_aliasing(parts, data):
    """Any of the parts may occur in several outputs and several times in one."""
    picks = st.lists(st.sampled_from(parts), max_size=4) if parts else st.just([])
    values = {name: data.draw(picks) for name in ("a", "b", "c")}
    back = through(values)
    assert shape([back[name] for name in values]) == shape(list(values.values()))


@pytest.mark.parametrize(
    "value",
    [
        ...,
        NotImplemented,
        type(None),
        type(...),
        range(3),
        slice(1, None),
        collections.OrderedDict(b=1, a=2),
        collections.defaultdict(list, a=[1]),
        collections.Counter("aab"),
        dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        decimal.Decimal("1.10"),
        Path("a/b"),
        10**5000,
        operator.itemgetter(1, "a"),
        len,
        sys,
        {}.keys().__class__,
        type(lambda: 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_of_the_standard_library_comes_back(value):
    back = through({"value": value})["value"]
    assert type(back) is type(value)
    assert back == value or repr(back) == repr(value)


def test_dict_keys_which_the_c_pickler_refuses_come_back_by_way_of_dill():
    [section] = encode({"keys": {"a": 1}.keys()})
    assert section.codec == "dill"
    assert list(decode(section.stream)["keys"]) == ["a"]


def test_importing_dill_leaves_the_tables_of_pickle_alone():
    code = (
        "import pickle; before = dict(pickle._Pickler.dispatch)\n"
        "from ipycheckpoint.record.codec import encode; encode({'keys': {}.keys()})\n"
        "import sys; assert 'dill' in sys.modules; assert pickle._Pickler.dispatch == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_a_cycle_through_several_outputs_closes():
    one, two = [], {}
    one.append(two)
    two["one"] = one
    back = through({"one": one, "two": two})
    assert back["one"][0] is back["two"]
    assert back["two"]["one"] is back["one"]


# Sections


def test_outputs_that_share_nothing_have_a_section_each():
    assert names_of({"a": [1], "b": [1], "c": "x", "d": "x"}) == [("a",), ("b",), ("c",), ("d",)]


def test_outputs_that_share_an_object_have_one_section_and_still_share_it():
    shared = [1]
    values = {"a": shared, "b": 5, "c": {"deep": [shared]}}
    assert names_of(values) == [("a", "c"), ("b",)]
    back = through(values)
    assert back["c"]["deep"][0] is back["a"]


def test_one_object_under_two_names_is_one_object_again():
    value = Node()
    back = through({"a": value, "b": value})
    assert back["a"] is back["b"]


@pytest.mark.parametrize(
    "atom",
    ["a long text" * 10, b"bytes" * 10, 10**50, np.dtype("f8"), Node, len, math, dt.UTC, Path("x"), (1, 2)],
    ids=lambda atom: type(atom).__name__,
)
def test_sharing_what_is_as_good_as_its_equal_does_not_join_outputs(atom):
    assert names_of({"a": [atom], "b": [atom]}) == [("a",), ("b",)]


def test_arrays_of_one_dtype_are_not_joined_by_it():
    assert names_of({"a": np.ones(3), "b": np.ones(3)}) == [("a",), ("b",)]


# Links


def test_a_linked_object_is_the_live_one_after_loading():
    live = [1]
    back = through({"a": {"inner": live}}, links={id(live): ("name", "live")}, resolve={("name", "live"): live}.get)
    assert back["a"]["inner"] is live


def test_the_value_itself_is_never_linked_but_a_reference_to_it_from_inside_is():
    live = ["content"]
    live.append(live)
    back = through({"live": live}, links={id(live): ("live",)}, resolve=lambda path: live)["live"]
    assert back is not live
    assert back[0] == "content"
    assert back[1] is live


def test_outputs_are_not_joined_by_what_they_link_to():
    live = [1]
    assert names_of({"a": [live], "b": [live]}, links={id(live): ("live",)}) == [("a",), ("b",)]


def test_links_hold_for_what_goes_by_way_of_dill():
    live = [1]
    back = through({"a": [{}.keys(), live]}, links={id(live): ("live",)}, resolve=lambda path: live)["a"]
    assert back[1] is live


def test_a_link_without_anyone_to_resolve_it_is_an_error_that_names_it():
    live = [1]
    [section] = encode({"a": [live]}, links={id(live): ("name", "live")})
    with pytest.raises(Exception, match="'live'"):
        decode(section.stream)


# Refusals


def generator():
    yield 1


class Raising:
    def __reduce__(self):
        raise RuntimeError("no way")


LIVE = {
    "lock": threading.Lock,
    "rlock": threading.RLock,
    "event": threading.Event,
    "thread": threading.Thread,
    "local": threading.local,
    "generator": generator,
    "weak reference": lambda: weakref.ref(Node),
    "view": lambda: memoryview(b"x"),
    "pool": lambda: ThreadPoolExecutor(1),
    "map": lambda: mmap.mmap(-1, 10),
    "frame": sys._getframe,
    "unwilling": Raising,
}


@pytest.mark.parametrize("make", LIVE.values(), ids=LIVE)
def test_what_is_alive_is_refused(make):
    with pytest.raises(CannotKeep) as caught:
        encode({"good": 1, "bad": make()})
    assert caught.value.name == "bad"


def test_an_open_file_a_socket_and_a_connection_are_refused_by_name(tmp_path):
    with (tmp_path / "file").open("w") as file, socket.socket() as channel:
        connection = sqlite3.connect(":memory:")
        try:
            for live, words in ((file, "open file"), (channel, "connection"), (connection, "connection")):
                with pytest.raises(CannotKeep, match=words):
                    encode({"live": live})
        finally:
            connection.close()


def test_memory_files_are_data():
    back = through({"text": io.StringIO("abc"), "bytes": io.BytesIO(b"abc")})
    assert (back["text"].getvalue(), back["bytes"].getvalue()) == ("abc", b"abc")


def test_the_reason_names_the_path_to_the_culprit():
    model = Node(parts=[{"client": Node(lock=threading.Lock())}])
    with pytest.raises(CannotKeep) as caught:
        encode({"model": model})
    assert "model.parts[0]['client'].lock" in caught.value.reason
    assert "lock of this process" in caught.value.reason


def test_the_path_leads_into_a_closure():
    lock = threading.Lock()
    with pytest.raises(CannotKeep, match="→lock"):
        encode({"function": lambda: lock})


def test_a_culprit_in_a_cycle_is_found():
    ring = [threading.Lock()]
    ring.insert(0, ring)
    with pytest.raises(CannotKeep, match=r"ring\[1\]"):
        encode({"ring": ring})


def test_too_deep_a_nest_is_refused_with_the_reason():
    deep = []
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(CannotKeep, match="too deeply"):
        encode({"deep": deep})
    while deep:  # or else Python itself takes it apart by recursion
        deep = deep.pop()


# The caller's own


def test_changing_what_was_loaded_changes_neither_the_stored_bytes_nor_the_live_value():
    live = np.arange(100)
    [section] = encode({"a": live})
    stored = [bytes(buffer) for buffer in section.buffers]
    back = decode(section.stream, [memoryview(bytearray(buffer)) for buffer in stored])["a"]
    back[:] = -1
    assert live.tolist() == list(range(100))
    assert np.frombuffer(stored[0], live.dtype).tolist() == list(range(100))


def test_encoding_changes_no_live_value():
    values = {"a": Node(x=[1, {"y": np.arange(3)}]), "f": lambda q: q}
    before = shape(values["a"])
    encode(values)
    assert shape(values["a"]) == before
    assert values["f"](3) == 3


def test_what_thousands_of_values_have_in_common_is_asked_about_once(monkeypatch):
    asked = 0

    def has_identity(value, references):
        nonlocal asked
        asked += 1
        return sharing.has_identity(value, references)

    monkeypatch.setattr(codec, "has_identity", has_identity)
    assert len(encode({f"x{i}": np.full(2, i) for i in range(300)})) == 300
    assert asked < 300 * 20, "not once for each pair of values"
