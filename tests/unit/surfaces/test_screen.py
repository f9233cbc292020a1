"""A recording hears all that a shell shows, and leaves no trace behind."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ipycheckpoint.surfaces.screen import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator


class Publisher:
    def __init__(self) -> None:
        self.published: list[Any] = []

    def publish(self, data: Any, metadata: Any = None, **more: Any) -> None:
        self.published.append(data)

    def clear_output(self, wait: bool = False) -> None:
        self.published.append("clear")


class Hook:
    def compute_format_data(self, value: object) -> tuple[dict[str, str], dict[str, str]]:
        return {"text/plain": repr(value)}, {}


class Shell:
    def __init__(self) -> None:
        self.display_pub, self.displayhook = Publisher(), Hook()


@pytest.fixture
def shell() -> Iterator[Shell]:
    stdout = sys.stdout
    yield Shell()
    sys.stdout = stdout


def test_what_is_shown_is_recorded_and_still_shown(shell: Shell) -> None:
    out = io.StringIO()
    sys.stdout = out
    recording = Recording(shell)
    print("a", end="")
    shell.display_pub.publish({"text/plain": "b"}, transient={"display_id": "i"})
    tape = recording.stop()
    assert [event["event"] for event in tape.events] == ["stream", "display"]
    assert (out.getvalue(), shell.display_pub.published) == ("a", [{"text/plain": "b"}])


def test_who_held_the_stream_before_is_heard(shell: Shell) -> None:
    out = io.StringIO()
    sys.stdout = out
    write = sys.stdout
    recording = Recording(shell)
    write.write("x")
    assert recording.stop().events == [{"event": "stream", "name": "stdout", "text": "x"}]


def test_nothing_is_left_behind(shell: Shell) -> None:
    out = io.StringIO()
    sys.stdout = out
    Recording(shell).stop()
    print("later")
    assert [*vars(shell.displayhook), *vars(shell.display_pub)] == ["published"]
    assert "write" not in getattr(out, "__dict__", {})


def test_only_the_value_after_the_end_is_the_result(shell: Shell) -> None:
    out = io.StringIO()
    sys.stdout = out
    recording = Recording(shell)
    shell.displayhook.compute_format_data(1)
    recording.reach_the_end()
    print("Out[1]: ", end="")
    shell.displayhook.compute_format_data(2)
    tape = recording.stop()
    assert [event["data"] for event in tape.events] == [{"text/plain": "1"}]
    assert tape.result == {"data": {"text/plain": "2"}, "metadata": {}}


def test_recordings_inside_each_other_come_apart(shell: Shell) -> None:
    out = io.StringIO()
    sys.stdout = out
    outer = Recording(shell)
    inner = Recording(shell)
    print("x", end="")
    assert inner.stop().events == [{"event": "stream", "name": "stdout", "text": "x"}]
    print("y", end="")
    assert outer.stop().events == [{"event": "stream", "name": "stdout", "text": "xy"}]


def test_a_stream_that_the_cell_replaces_is_the_cells_own(shell: Shell) -> None:
    out = io.StringIO()
    sys.stdout = out
    recording = Recording(shell)
    sys.stdout = io.StringIO()
    print("hidden")
    sys.stdout = out
    print("seen", end="")
    assert recording.stop().events == [{"event": "stream", "name": "stdout", "text": "seen"}]
