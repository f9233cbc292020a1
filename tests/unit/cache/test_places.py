"""A name and tags become a path that leads down, whatever is in them, and are read back from it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.cache.places import place_of, read_place

ODD = [
    "",
    ".",
    "..",
    "/",
    "a/b",
    "=",
    "a=b",
    " ",
    "%",
    "%2F",
    "%-",
    "é",
    "✨",
    "\ud800",
    "\0",
    "\\",
    "CON",
    "nul",
    "a.",
]

keys = st.text(min_size=1, max_size=12).filter(lambda key: "=" not in key) | st.sampled_from(
    [".", "..", "/", "✨", "%-"]
)
values = st.text(max_size=20) | st.sampled_from(ODD)
names = st.lists(st.text(max_size=12).filter(lambda part: "." not in part), min_size=1, max_size=4).map(".".join)
tags = st.lists(st.tuples(keys, values), max_size=4)
long = st.text(min_size=100, max_size=400)


def fullname(path: str) -> str:
    place = read_place(path)
    return ".".join((*place.prefixes, place.name))


@pytest.mark.parametrize(
    ("name", "pairs", "path"),
    [
        ("foo", [], "foo.ckpt"),
        ("TestPkg.foo", [], "TestPkg/foo.ckpt"),
        ("a.b.c", [("date", "2017-01-01")], "date=2017-01-01/a/b/c.ckpt"),
        ("TestPkg.bar", [("tag", "1"), ("othertag", "2"), ("tag", "3")], "tag=1/othertag=2/tag=3/TestPkg/bar.ckpt"),
        ("a", [("version", "1.2"), ("empty", "")], "version=1.2/empty=%-/a.ckpt"),
        ("a=b", [("k", "a=b")], "k=a%3Db/a%3Db.ckpt"),
        ("a/b", [("k", "../..")], "k=%2E.%2F.%2E/a%2Fb.ckpt"),
        ("..", [], "%-/%-/%-.ckpt"),
        ("a b", [("k", "é")], "k=%C3%A9/a%20b.ckpt"),
        ("con.nul.com1", [], "%63on/%6Eul/%63om1.ckpt"),
        ("a", [("t", 'x:y*?"<>|\\')], "t=x%3Ay%2A%3F%22%3C%3E%7C%5C/a.ckpt"),
    ],
)
def test_this_is_the_path_of(name: str, pairs: list[tuple[str, str]], path: str) -> None:
    assert place_of(name, pairs) == path


@given(names, tags)
def test_a_name_and_tags_are_read_back(name: str, pairs: list[tuple[str, str]]) -> None:
    path = place_of(name, pairs)
    place = read_place(path)
    if place.is_whole:
        assert (fullname(path), place.tags) == (name, tuple(pairs))
    else:
        texts = [*name.split("."), *(text for pair in pairs for text in pair)]
        assert any(len(text.encode(errors="surrogatepass")) > 30 for text in texts)


@given(st.sampled_from(ODD), st.sampled_from(ODD))
def test_the_oddest_texts_are_read_back_whole(part: str, value: str) -> None:
    place = read_place(place_of(f"Pkg.{part}", [("key", value)]))
    *prefixes, name = f"Pkg.{part}".split(".")
    assert place == (tuple(prefixes), name, (("key", value),), True)


@given(names | long, st.lists(st.tuples(keys | long.filter(lambda key: "=" not in key), values | long), max_size=3))
def test_no_path_leads_anywhere_but_down_or_is_too_long(name: str, pairs: list[tuple[str, str]]) -> None:
    path = place_of(name, pairs)
    steps = path.split("/")
    assert re.fullmatch(r"[A-Za-z0-9_.~+%=/-]+", path)
    assert not any(step in ("", ".", "..") or step.startswith(".") or step.endswith(".") for step in steps)
    assert max(map(len, steps)) <= 255


@given(st.tuples(names | long, tags), st.tuples(names | long, tags))
def test_two_savepoints_never_share_a_path(one: tuple[str, list[tuple[str, str]]], other: Any) -> None:
    assert (place_of(*one) == place_of(*other)) == (one == other)


@pytest.mark.parametrize("letter", ["a", "é", "✨", "/", "%"])
def test_what_is_too_long_keeps_its_beginning_and_differs_all_the_same(letter: str) -> None:
    first, second = place_of(letter * 300), place_of(letter * 299 + "b")
    assert first != second
    assert not read_place(first).is_whole
    assert read_place(first).name.startswith(letter * 5)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("plain.txt", ((), "plain", ())),
        ("no suffix", ((), "no suffix", ())),
        ("a/.hidden", (("a",), "", ())),
        ("TestPkg/date=1/bar.ckpt", (("TestPkg",), "bar", (("date", "1"),))),
        ("k=a=b/100%.ckpt", ((), "100%", (("k", "a=b"),))),
        ("k=%ff/a.ckpt", ((), "a", (("k", "%ff"),))),
    ],
)
def test_a_path_by_another_hand_is_read_as_far_as_it_goes(path: str, expected: object) -> None:
    assert read_place(path)[:3] == expected
