"""The panel as HTML without a script, and as text: the same facts as the widget's."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from ipycheckpoint.surfaces.panel import pages
from ipycheckpoint.surfaces.panel.state import State
from tests.unit.surfaces.panel.conftest import keep, seen

EVIL = '<script>alert("x")</script> & <b>'


class Reader(HTMLParser):
    """Which elements and attributes there are, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data) -> None:
        self.text += f" {data}"


def test_html_and_text_tell_all_that_a_row_tells(cache) -> None:
    keep(cache, "train", depth=1)
    view = seen(cache, disk_nbytes=5000)
    [row] = view["rows"]
    for text in (Reader(pages.as_html(view)).text, pages.as_text(view)):
        for name in ("status", "label", "size", "computed", "restored", "hits", "misses", "last_used"):
            assert row[name] in text
        assert "Disk used: 5.0 kB" in text


def test_the_html_needs_no_script_no_style_sheet_and_no_network(cache) -> None:
    keep(cache, "train")
    reader = Reader(pages.closed(pages.facts(cache))["text/html"])
    assert {"script", "style", "link", "img", "iframe"}.isdisjoint(reader.tags)
    assert reader.attributes <= {"style", "scope"}


def test_what_users_call_things_is_text_and_never_html(cache) -> None:
    keep(cache, EVIL, value={EVIL: 1})
    html = pages.as_html(pages.facts(cache))
    assert "script" not in Reader(html).tags
    assert EVIL in Reader(html).text


def test_an_empty_cache_says_how_to_begin_in_both(cache) -> None:
    for text in (*pages.closed(pages.facts(cache)).values(), pages.as_html(pages.facts(cache))):
        assert "%%checkpoint" in text


def test_the_table_of_the_text_is_aligned(cache) -> None:
    keep(cache, "train")
    keep(cache, "a much longer label")
    head, *rows = pages.as_text(seen(cache)).splitlines()[2:]
    column = head.index("Size")
    assert all(re.match(r"\d", row[column:]) for row in rows)


def test_of_many_records_the_first_page_is_told_and_how_many_there_are(cache) -> None:
    for number in range(53):
        keep(cache, "train", number=number)
    assert pages.as_text(seen(cache, State())).endswith("Rows 1–50 of 53")
