"""A tape shows again what is on it, in order, also one that an earlier version has written."""

from __future__ import annotations

import json
from typing import Any

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

    def result(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        self.lines.append(("result", data, metadata))

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        self.lines.append(("error", name, value, traceback))

    def clear(self, *, wait: bool) -> None:
        self.lines.append(("clear", wait))


def played(tape: Tape) -> list[Any]:
    paper = Paper()
    Tape.from_bytes(tape.to_bytes()).play(paper)
    return paper.lines


def test_each_event_is_played_as_it_was_shown() -> None:
    bundle: dict[str, Any] = {"data": {"text/plain": "1"}, "metadata": {"text/plain": {"a": 1}}}
    tape = Tape(
        [
            {"event": "clear", "wait": True},
            {"event": "stream", "name": "stderr", "text": "e"},
            {"event": "display", **bundle, "transient": {"display_id": "i"}, "update": True},
            {"event": "result", **bundle},
            {"event": "error", "name": "KeyError", "value": "'x'", "traceback": ["a", "b"]},
        ]
    )
    assert played(tape) == [
        ("clear", True),
        ("stderr", "e"),
        ("display", bundle["data"], bundle["metadata"], {"display_id": "i"}, True),
        ("result", bundle["data"], bundle["metadata"]),
        ("error", "KeyError", "'x'", ["a", "b"]),
    ]


def test_the_last_result_is_kept_apart() -> None:
    tape = Tape(result={"data": {"text/plain": "42"}, "metadata": {}})
    assert Tape.from_bytes(tape.to_bytes()).result == tape.result
    assert played(tape) == []


def test_what_json_does_not_know_is_kept_as_jupyter_sends_it() -> None:
    class Number:
        def item(self) -> int:
            return 7

    tape = Tape(result={"data": {"image/png": b"\x89PNG"}, "metadata": {"size": Number()}})
    assert json.loads(tape.to_bytes())["result"] == {"data": {"image/png": "iVBORw=="}, "metadata": {"size": 7}}


def test_a_tape_of_the_first_version_is_played() -> None:
    written = (
        b'{"events": [{"event": "stream", "name": "stdout", "text": "a\\r50%\\r"}, {"event": "display", "data": '
        b'{"text/plain": "d"}, "metadata": {}, "transient": {}, "update": false}, {"event": "clear", "wait": false}], '
        b'"result": {"data": {"text/plain": "42"}, "metadata": {}}}'
    )
    tape = Tape.from_bytes(written)
    assert played(tape) == [
        ("stdout", "a\r50%\r"),
        ("display", {"text/plain": "d"}, {}, {}, False),
        ("clear", False),
    ]
    assert tape.result == {"data": {"text/plain": "42"}, "metadata": {}}
