"""What a panel looks at after each thing that a user asks for."""

from __future__ import annotations

import pytest

from ipycheckpoint.identity.identity import Key
from ipycheckpoint.surfaces.panel.state import State

SOMEWHERE = State(search="x", page=3, selected=frozenset([Key("a"), Key("b")]), armed="delete", opened=Key("a"))


@pytest.mark.parametrize(
    ("intent", "changed"),
    [
        ({"do": "search", "text": "model"}, {"search": "model"}),
        ({"do": "filter", "by": "kind", "value": "cell"}, {"kind": "cell"}),
        ({"do": "filter", "by": "status", "value": "failed"}, {"status": "failed"}),
        ({"do": "filter", "by": "tag", "value": "date=2017-01-01"}, {"tag": "date=2017-01-01"}),
        ({"do": "clear"}, {"search": ""}),
        ({"do": "sort", "by": "nbytes"}, {"order": "nbytes", "descending": True}),
        ({"do": "sort", "by": "label"}, {"order": "label", "descending": False}),
        ({"do": "sort", "by": "last_used"}, {"order": "last_used", "descending": False}),
    ],
)
def test_what_shows_other_rows_begins_at_the_first_page_with_nothing_selected_or_armed(intent, changed) -> None:
    after = SOMEWHERE.after(intent)
    assert {name: getattr(after, name) for name in changed} == changed
    assert (after.page, after.selected, after.armed, after.opened) == (0, frozenset(), "", Key("a"))


@pytest.mark.parametrize(
    ("intent", "changed"),
    [
        ({"do": "page", "number": 4}, {"page": 4}),
        ({"do": "select", "keys": ["c"], "on": True}, {"selected": frozenset("abc")}),
        ({"do": "select", "keys": ["a", "z"], "on": False}, {"selected": frozenset("b")}),
        ({"do": "open", "key": "b"}, {"opened": "b", "against": None}),
        ({"do": "close"}, {"opened": None}),
        ({"do": "compare", "key": "b"}, {"against": "b"}),
        ({"do": "disarm"}, {"armed": ""}),
    ],
)
def test_what_stays_on_the_page_disarms(intent, changed) -> None:
    after = SOMEWHERE.after(intent)
    assert {name: getattr(after, name) for name in changed} == changed
    assert after.armed == ""


@pytest.mark.parametrize(
    "intent",
    [
        {},
        {"do": "dance"},
        {"do": "sort", "by": "key; DROP TABLE records"},
        {"do": "filter", "by": "kind", "value": "planet"},
        {"do": "page", "number": -1},
        {"do": "page", "number": "2"},
        {"do": "open"},
        {"do": "select", "keys": "abc", "on": True},
    ],
)
def test_what_makes_no_sense_changes_nothing(intent) -> None:
    assert SOMEWHERE.after(intent) == SOMEWHERE


def test_a_tag_may_have_more_than_one_equals_sign() -> None:
    assert State(tag="a=b=c").filters["tag"] == ("a", "b=c")
