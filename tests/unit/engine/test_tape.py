"""A tape shows again what was seen, in order and in its final state."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.engine.tape import Tape


class Paper:
    """A screen that remembers."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def stream(self, name: str, text: str) -> None:
        self.lines.append((name, text))

    def display(
        self, data: dict[str, Any], metadata: dict[str, Any], transient: dict[str, Any], *, update: bool
    ) -> None:
        self.lines.append(("display", data, metadata, transient, update))

    def clear(self, *, wait: bool) -> None:
        self.lines.append(("clear", wait))


def played(tape: Tape) -> list[Any]:
    paper = Paper()
    Tape.from_bytes(tape.to_bytes()).play(paper)
    return paper.lines


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text())))
def test_streams_keep_their_order_and_every_character(writes: list[tuple[str, str]]) -> None:
    tape = Tape()
    for name, text in writes:
        tape.stream(name, text)
    lines = played(tape)
    assert "".join(text for _, text in lines) == "".join(text for _, text in writes)
    assert all(one[0] != other[0] for one, other in itertools.pairwise(lines))


def test_a_display_that_is_updated_is_played_in_its_final_state_where_it_first_was() -> None:
    tape = Tape()
    tape.display({"text/plain": "1"}, {}, {"display_id": "i"}, update=False)
    tape.stream("stdout", "between")
    tape.display({"text/plain": "2"}, {}, {"display_id": "i"}, update=True)
    assert played(tape) == [
        ("display", {"text/plain": "2"}, {}, {"display_id": "i"}, False),
        ("stdout", "between"),
    ]


def test_an_update_of_a_display_of_another_cell_is_played_as_an_update() -> None:
    tape = Tape()
    tape.display({"text/plain": "2"}, {}, {"display_id": "i"}, update=True)
    assert played(tape) == [("display", {"text/plain": "2"}, {}, {"display_id": "i"}, True)]


def test_what_was_cleared_is_gone() -> None:
    tape = Tape()
    tape.stream("stdout", "old")
    tape.clear(wait=False)
    tape.stream("stdout", "new")
    assert played(tape) == [("clear", False), ("stdout", "new")]


def test_bytes_of_an_image_are_kept_as_jupyter_sends_them() -> None:
    tape = Tape()
    tape.display({"image/png": b"\x89PNG"}, {}, {}, update=False)
    assert played(tape)[0][1] == {"image/png": "iVBORw=="}


def test_the_last_result_is_kept_apart() -> None:
    tape = Tape(result={"data": {"text/plain": "42"}, "metadata": {}})
    assert Tape.from_bytes(tape.to_bytes()).result == tape.result
    assert played(tape) == []
