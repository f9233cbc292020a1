"""A recording hears all that a shell shows, and leaves no trace behind."""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from ipycheckpoint.surfaces.screen import Recording, ShellScreen

if TYPE_CHECKING:
    from collections.abc import Iterator


class Publisher:
    def __init__(self) -> None:
        self.published: list[Any] = []

    def publish(self, data: Any, metadata: Any = None, **more: Any) -> None:
        self.published.append(data)
        if self.prints:
            print(data["text/plain"])

    def clear_output(self, wait: bool = False) -> None:
        self.published.append(f"clear, wait={wait}")
        if self.prints:
            print("\033[2K\r", end="")

    prints = False
    """As a terminal does."""


class Formatter:
    def format(self, value: object) -> tuple[dict[str, str], dict[str, str]]:
        return {"text/plain": repr(value)}, {}


class Hook:
    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def start_displayhook(self) -> None:
        pass

    def write_output_prompt(self) -> None:
        print("Out[1]: ", end="")

    def compute_format_data(self, value: object) -> tuple[dict[str, str], dict[str, str]]:
        return self.shell.display_formatter.format(value)

    def write_format_data(self, data: dict[str, str], metadata: dict[str, str]) -> None:
        print(data["text/plain"])

    def finish_displayhook(self) -> None:
        pass

    def __call__(self, value: object) -> None:
        self.start_displayhook()
        self.write_output_prompt()
        self.write_format_data(*self.compute_format_data(value))
        self.finish_displayhook()


class Shell:
    def __init__(self) -> None:
        self.display_pub, self.display_formatter = Publisher(), Formatter()
        self.displayhook = Hook(self)

    def _showtraceback(self, kind: type, value: object, traceback: list[str]) -> None:
        print(*traceback)


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
    owners = (shell, shell.displayhook, shell.display_pub, shell.display_formatter)
    left = {name for owner in owners for name in vars(owner)}
    assert left == {"display_pub", "display_formatter", "displayhook", "shell", "published"}
    assert "write" not in getattr(out, "__dict__", {})


def test_only_the_value_after_the_end_is_the_result(shell: Shell) -> None:
    sys.stdout = io.StringIO()
    recording = Recording(shell)
    shell.displayhook(1)
    recording.reach_the_end()
    shell.displayhook(2)
    tape = recording.stop()
    assert [(event["event"], event["data"]) for event in tape.events] == [("result", {"text/plain": "1"})]
    assert tape.result == {"data": {"text/plain": "2"}, "metadata": {}}


def test_what_is_written_after_the_end_is_not_the_cells(shell: Shell) -> None:
    sys.stdout = io.StringIO()
    recording = Recording(shell)
    recording.reach_the_end()
    print("CPU times: …")
    assert recording.stop().events == []


class Chatty:
    def __repr__(self) -> str:
        print("said")
        return "chatty"


def test_what_a_repr_writes_is_the_cells_wherever_it_is_called(shell: Shell) -> None:
    sys.stdout = io.StringIO()
    recording = Recording(shell)
    shell.displayhook(Chatty())
    recording.reach_the_end()
    shell.displayhook(Chatty())
    tape = recording.stop()
    assert [event["event"] for event in tape.events] == ["stream", "result", "stream"]
    assert tape.events[0]["text"] == tape.events[2]["text"] == "said\n"


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


def test_what_a_terminal_prints_of_a_display_is_recorded_once(shell: Shell) -> None:
    shell.display_pub.prints = True
    out = sys.stdout = io.StringIO()
    recording = Recording(shell)
    shell.display_pub.publish({"text/plain": "d"})
    shell.display_pub.clear_output()
    shell.display_pub.publish({"text/plain": "e"})
    assert out.getvalue() == "d\n\033[2K\re\n"
    assert [event["event"] for event in recording.stop().events] == ["clear", "display"]


def test_a_write_that_fails_is_not_recorded(shell: Shell) -> None:
    sys.stdout = io.StringIO()
    recording = Recording(shell)
    with pytest.raises(TypeError):
        sys.stdout.write(b"bytes")  # type: ignore[arg-type]  # that is the case
    assert recording.stop().events == []


def test_lines_written_at_once_are_recorded(shell: Shell) -> None:
    sys.stdout = io.TextIOWrapper(io.BytesIO())
    recording = Recording(shell)
    sys.stdout.writelines(["a\n", "b\n"])
    assert recording.stop().events == [{"event": "stream", "name": "stdout", "text": "a\nb\n"}]


@pytest.mark.parametrize(
    ("something", "published"),
    [
        (lambda shell: None, []),
        (lambda shell: print("new"), ["clear, wait=True"]),
        (lambda shell: shell.display_pub.publish({}), ["clear, wait=True", {}]),
        (lambda shell: shell.displayhook("new"), ["clear, wait=True"]),
        (lambda shell: shell._showtraceback(KeyError, "x", []), ["clear, wait=True"]),
        (lambda shell: shell.display_pub.clear_output(), ["clear, wait=False"]),
        (lambda shell: shell.display_pub.clear_output(wait=True), []),
    ],
    ids=["nothing", "a text", "a display", "a value", "a traceback", "a clearing at once", "the same again"],
)
def test_what_waits_to_be_cleared_is_cleared_by_the_cell_alone(
    shell: Shell, something: Any, published: list[Any]
) -> None:
    sys.stdout = io.StringIO()
    recording = Recording(shell)
    shell.display_pub.clear_output(wait=True)
    something(shell)
    recording.stop()
    shell.display_pub.publish("our line")
    assert shell.display_pub.published == [*published, "our line"]


def test_a_traceback_that_did_not_end_the_cell_is_recorded(shell: Shell) -> None:
    sys.stdout = io.StringIO()
    recording = Recording(shell)
    shell._showtraceback(KeyError, "x", ["a", "b"])
    assert recording.stop().events == [{"event": "error", "name": "KeyError", "value": "x", "traceback": ["a", "b"]}]


def test_what_cannot_be_written_down_is_noted_and_still_shown(shell: Shell) -> None:
    recording = Recording(shell)
    shell.display_pub.publish({"application/json": {("a", "tuple"): 1}})
    tape = recording.stop()
    assert len(shell.display_pub.published) == 1
    assert "something that it showed could not be kept (TypeError" in tape.notes[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_what_a_fork_prints_is_noted(shell: Shell) -> None:
    sys.stdout = io.StringIO()
    recording = Recording(shell)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pytest has threads
        child = os.fork()
    if child == 0:
        print("from the child")
        os._exit(0)
    os.waitpid(child, 0)
    tape = recording.stop()
    assert (tape.events, tape.notes) == ([], ("what its child processes printed is not kept",))


def test_a_result_is_shown_again_as_the_shell_shows_it(shell: Shell) -> None:
    out = sys.stdout = io.StringIO()
    ShellScreen(shell).result({"text/plain": "42"}, {})
    assert out.getvalue() == "Out[1]: 42\n"


def test_a_value_that_looks_as_recorded_is_heard_by_a_recording_around_it(shell: Shell) -> None:
    sys.stdout = io.StringIO()
    recording = Recording(shell)
    ShellScreen(shell).format_next_result_as({"data": {"text/plain": "recorded"}, "metadata": {}})
    shell.displayhook("shown")
    shell.displayhook("next")
    assert [event["data"]["text/plain"] for event in recording.stop().events] == ["recorded", "'next'"]


def test_a_value_that_displays_itself_has_an_empty_result(shell: Shell) -> None:
    sys.stdout = io.StringIO()
    recording = Recording(shell)
    recording.reach_the_end()
    shell.display_formatter.format = lambda value: shell.display_pub.publish({"text/plain": "own"}) or ({}, {})
    shell.displayhook.compute_format_data(1)
    tape = recording.stop()
    assert [event["data"] for event in tape.events] == [{"text/plain": "own"}]
    assert tape.result == {"data": {}, "metadata": {}}
