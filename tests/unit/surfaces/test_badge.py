"""The line under a cell says what happened in absolute terms, to people and to programs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ipycheckpoint.digest import digest
from ipycheckpoint.errors import CannotKeep, StoreError, Unidentifiable
from ipycheckpoint.identity.explain import Explanation, clock
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.record.outcome import Computed, Outcome, Refused, Restored
from ipycheckpoint.record.record import Header, Output, SectionRef
from ipycheckpoint.surfaces.badge import MIME, bundle, bytes_in_words, in_words, seconds_in_words

HEADER = Header(
    kind="cell",
    label="y",
    key=Key("0" * 64),
    created=1_000_000_000.0,
    seconds=41.23,
    ingredients=(),
    outputs=(
        Output("y", "bound"),
        Output("=", "shown"),
        Output("math", "import"),
        Output("x", "deleted"),
        Output("~random", "ambient"),
    ),
    sections=(SectionRef("pickle5", digest("x"), 320_000_000, 0),),
    environment=digest("e"),
)
MISS = Explanation("miss", "y", "input `<df>` changed")
HIT = Explanation("hit", "y", "nothing has changed")

OUTCOMES: list[tuple[Outcome, str]] = [
    (
        Restored(1, HIT, HEADER, 0.01),
        f"restored 2 variables · saved 41.2 s · from {clock(1_000_000_000.0)} · 320 MB",
    ),
    # What loading took is no time saved.
    (
        Restored(1, HIT, HEADER, 11.13),
        f"restored 2 variables · saved 30.1 s · from {clock(1_000_000_000.0)} · 320 MB",
    ),
    (
        Restored(1, HIT, replace(HEADER, seconds=0.3), 2.0),
        f"restored 2 variables · no time saved: it took 2.0 s · from {clock(1_000_000_000.0)} · 320 MB",
    ),
    (
        Restored(1, HIT, replace(HEADER, seconds=0.001), 0.05),
        f"restored 2 variables · saved 0 ms · from {clock(1_000_000_000.0)} · 320 MB",
    ),
    (
        Computed(1, MISS, 41.23, HEADER, 0.2),
        "computed 41.2 s · kept 320 MB in 0.2 s · because: input `<df>` changed",
    ),
    (
        Computed(1, MISS, 41.23, replace(HEADER, notes=("drew from something, and so on",)), 0.2),
        "computed 41.2 s · kept 320 MB in 0.2 s · because: input `<df>` changed · drew from something",
    ),
    (Computed(1, MISS, 41.23), "computed 41.2 s · because: input `<df>` changed"),
    (
        Refused(1, MISS, 1.0, CannotKeep("conn", "Connection", "it is a live connection")),
        (
            "computed 1.0 s · not kept: can't keep `conn` (Connection): it is a live connection"
            " · leave it out with --exclude conn"
        ),
    ),
    (
        Refused(1, MISS, 1.0, CannotKeep("count", "hidden state", "a hit could not repeat that")),
        "computed 1.0 s · not kept: can't keep `count` (hidden state): a hit could not repeat that",
    ),
    (
        Refused(1, MISS, 1.0, Unidentifiable("client._sock", "socket", "it is a live connection")),
        (
            "computed 1.0 s · not kept: `client._sock` (socket) has no stable identity: it is a live connection"
            " · name the inputs that count with --inputs"
        ),
    ),
    (
        Refused(1, MISS, 1.0, StoreError("x in /data", "write", "Read-only file system")),
        (
            "computed 1.0 s · not kept: can't write x in /data: Read-only file system"
            " · name another place with %config Checkpoint.directory"
        ),
    ),
]


@pytest.mark.parametrize(("outcome", "words"), OUTCOMES)
def test_the_line_in_words(outcome: Outcome, words: str) -> None:
    assert in_words(outcome) == words
    assert words in bundle(outcome)["text/plain"]


@pytest.mark.parametrize("outcome", [outcome for outcome, _ in OUTCOMES])
def test_the_bundle_is_json_and_its_html_is_escaped(outcome: Outcome) -> None:
    made = json.loads(json.dumps(bundle(outcome)))
    assert made[MIME]["outcome"] == type(outcome).__name__.lower()
    assert "<df>" not in made["text/html"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, "0 ms"), (0.05, "50 ms"), (0.1, "0.1 s"), (119.96, "120.0 s"), (3600, "1 h 0 min")]
)
def test_seconds_have_their_unit(seconds: float, words: str) -> None:
    assert seconds_in_words(seconds) == words


@pytest.mark.parametrize(
    ("nbytes", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_600, "1.0 MB"), (2e12, "2000 GB")]
)
def test_bytes_have_their_unit(nbytes: float, words: str) -> None:
    assert bytes_in_words(nbytes) == words
