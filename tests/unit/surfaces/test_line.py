"""The line under a cell shows progress where something takes long, and ends as one last word."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from IPython.core.displaypub import DisplayPublisher

from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.progress import Progress, advance, measured
from ipycheckpoint.record.outcome import Computed
from ipycheckpoint.surfaces.badge import MIME, progress_in_words
from ipycheckpoint.surfaces.line import Line
from ipycheckpoint.surfaces.pace import Pace

OUTCOME = Computed(None, Explanation("miss", "x", "it is new"), 1.0)
LAST = "● computed 1.0 s · because: it is new"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float, nbytes: int = 0) -> None:
        self.now += seconds
        advance(nbytes)

    def work_and_interrupt(self) -> None:
        self.work(1)
        raise KeyboardInterrupt


class Publisher:
    """That of a notebook: what is on the page, in order, and all messages."""

    def __init__(self) -> None:
        self.page: dict[str, Any] = {}
        self.messages: list[str] = []
        self.problem: BaseException | None = None

    def publish(self, data: Any, metadata: Any, *, transient: Any = None, update: bool = False) -> None:
        if self.problem is not None:
            raise self.problem
        name = (transient or {}).get("display_id", "another's")
        assert update == (name in self.page)
        self.page[name] = data
        self.messages.append(data.get("text/plain", ""))

    def clear_output(self, wait: bool = False) -> None:
        self.page.clear()
        self.messages.append("clear")

    @property
    def shown(self) -> list[str]:
        return [data.get("text/plain", "") for data in self.page.values()]


class Shell:
    def __init__(self, publisher: Any) -> None:
        self.display_pub = publisher


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page() -> Publisher:
    return Publisher()


# The pace


def test_the_first_word_comes_after_half_a_second(clock):
    pace = Pace(clock)
    due = []
    for _ in range(6):
        clock.now += 0.125
        due.append(pace.is_due(Progress("keeping")))
    assert due == [False, False, False, True, False, True]


def test_no_more_than_five_words_come_a_second(clock):
    pace = Pace(clock)
    due = 0
    for _ in range(1024):
        clock.now += 1 / 128
        due += pace.is_due(Progress("keeping"))
    assert due <= 8 * 5


def test_what_is_left_is_told_from_the_pace_so_far(clock):
    pace = Pace(clock)
    pace.is_due(Progress("looking"))
    clock.now += 50
    pace.is_due(Progress("keeping", 0, 400))
    clock.now += 3
    assert pace.seconds_left(Progress("keeping", 100, 400)) == 9.0


@pytest.mark.parametrize("progress", [Progress("a"), Progress("a", 0, 9), Progress("a", 9, 9)])
def test_nothing_is_said_of_what_is_left_where_nobody_can_know(clock, progress):
    pace = Pace(clock)
    pace.is_due(progress)
    clock.now += 1
    assert pace.seconds_left(progress) is None


@pytest.mark.parametrize(
    ("progress", "seconds", "words"),
    [
        (Progress("looking at the inputs"), None, "looking at the inputs"),
        (Progress("keeping", 0, 1_200_000_000), None, "keeping 1.2 GB"),
        (Progress("keeping", 320_000_000, 1_200_000_000), 2.8, "keeping 320 MB of 1.2 GB · about 3 s left"),
        (Progress("loading", 1, 2), 0.01, "loading 1 B of 2 B · about 1 s left"),
        (Progress("loading", 1, 2), 99.6, "loading 1 B of 2 B · about 2 min left"),
        (Progress("loading", 1, 2), 5000.0, "loading 1 B of 2 B · about 1 h 23 min left"),
        (Progress("loading", 2, 2), None, "loading 2 B"),
    ],
)
def test_progress_in_words(progress, seconds, words):
    assert progress_in_words(progress, seconds) == words


# In a notebook


def test_what_is_quick_is_one_message(clock, page):
    line = Line(Shell(page), clock=clock)
    with line.looking():
        clock.work(0.4)
    with line.keeping(), measured("keeping", 10):
        clock.work(0.4, 10)
    line.say(OUTCOME)
    assert page.messages == [LAST]


def test_a_save_shows_its_progress_where_the_last_word_will_be(clock, page):
    line = Line(Shell(page), clock=clock)
    with line.keeping(), measured("keeping", 1_000_000):
        clock.work(0.25, 250_000)
        clock.work(0.25, 250_000)
        clock.work(0.125, 250_000)
        clock.work(0.125, 250_000)
    line.say(OUTCOME)
    assert page.messages == ["… keeping 500 kB of 1.0 MB · about 1 s left", "… keeping 1.0 MB", LAST]
    assert page.shown == [LAST]
    assert MIME in next(iter(page.page.values()))


def test_the_same_words_are_not_shown_again(clock, page):
    with Line(Shell(page), clock=clock).keeping():
        clock.work(1)
        clock.work(1)
    assert page.messages == ["… looking at the results"]


def test_what_is_shown_of_a_look_up_is_cleared_before_the_output(clock, page):
    line = Line(Shell(page), is_first=True, clock=clock)
    with line.looking():
        clock.work(1)
        assert page.shown == ["… looking at the inputs"]
    assert page.shown == []
    page.publish({"text/plain": "output"}, {})
    line.say(OUTCOME)
    assert page.shown == ["output", LAST]


def test_a_look_up_that_fails_leaves_nothing_on_the_page(clock, page):
    line = Line(Shell(page), is_first=True, clock=clock)
    with pytest.raises(KeyboardInterrupt), line.looking():
        clock.work_and_interrupt()
    assert (page.shown, line.is_up) == ([], False)


@pytest.mark.parametrize("who", ["display", "print"])
def test_what_others_show_meanwhile_is_not_cleared(clock, page, who, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    line = Line(Shell(page), is_first=True, clock=clock)
    with line.looking():
        if who == "display":
            page.publish({"text/plain": "output"}, {})
        else:
            print("output")
        clock.work(1)
    line.say(OUTCOME)
    assert "clear" not in page.messages
    assert [text for text in page.shown if text] == ["output", LAST][who == "print" :]


def test_what_others_may_have_shown_before_is_not_cleared(clock, page):
    line = Line(Shell(page), is_first=False, clock=clock)
    with line.looking():
        clock.work(1)
    line.say(OUTCOME)
    assert page.messages == ["… looking at the inputs", "", LAST]
    assert page.shown == ["", LAST]


def test_nothing_of_the_listening_is_left(clock, page):
    page.publish = page.publish  # somebody's own
    before, writes = vars(page)["publish"], vars(sys.stdout).get("write")
    with Line(Shell(page), clock=clock).looking():
        assert vars(page)["publish"] is not before
        assert vars(sys.stdout)["write"] is not writes
    assert vars(page)["publish"] is before
    assert vars(sys.stdout).get("write") is writes  # IPython itself may have left one


@pytest.mark.parametrize("line", ["quiet", "inner"])
def test_a_quiet_line_and_that_of_an_inner_cell_show_no_progress(clock, page, line):
    line = Line(Shell(page), is_inner=line == "inner", clock=clock)
    line.is_quiet = not line._is_inner
    with line.looking():
        clock.work(1)
    with line.keeping():
        clock.work(1)
    assert page.messages == []


def test_a_display_that_fails_costs_nothing(clock, page):
    line = Line(Shell(page), clock=clock)
    page.problem = OSError("the front end is gone")
    with line.keeping():
        clock.work(1)
    page.problem = None
    line.say(OUTCOME)
    assert page.messages == [LAST]


def test_an_interrupt_while_it_is_shown_goes_through(clock, page):
    page.problem = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt), Line(Shell(page), clock=clock).keeping():
        clock.work(1)


def test_a_save_that_is_interrupted_leaves_no_progress_on_the_page(clock, page):
    with pytest.raises(KeyboardInterrupt), Line(Shell(page), clock=clock).keeping():
        clock.work_and_interrupt()
    assert page.shown == [""]


# In a terminal


def terminal(monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in a terminal 40 columns wide."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(DisplayPublisher, "publish", lambda self, data, metadata: print(data["text/plain"]))
    return Shell(DisplayPublisher())


def screen(text: str) -> list[str]:
    """The lines that a terminal 40 columns wide shows of `text`."""
    lines, column = [""], 0
    while text:
        if text.startswith("\x1b[2K"):
            lines[-1], text = "", text[4:]
        elif text[0] == "\r":
            column, text = 0, text[1:]
        elif text[0] == "\n":
            lines.append("")
            column, text = 0, text[1:]
        else:
            if column == 40:
                lines.append("")
                column = 0
            lines[-1] = lines[-1][:column].ljust(column) + text[0] + lines[-1][column + 1 :]
            column, text = column + 1, text[1:]
    return [line.rstrip() for line in lines]


@pytest.mark.parametrize(("before", "above"), [("", []), ("out\n", ["out"]), ("no end", ["no end"])])
def test_a_terminal_shows_one_line_that_is_written_over(clock, monkeypatch, before, above):
    shell = terminal(monkeypatch)
    sys.stderr.write(before)
    line = Line(shell, clock=clock)
    with line.keeping(), measured("keeping", 1000):
        clock.work(1, 100)
        clock.work(1, 100)
        assert screen(sys.stderr.getvalue()) == [*above, "keeping 200 B of 1.0 kB · about 8 s lef"]
    line.say(OUTCOME)
    assert screen(sys.stderr.getvalue()) == [*above, ""]
    assert sys.stdout.getvalue() == LAST + "\n"


def test_a_terminal_shows_nothing_of_a_look_up_that_is_over(clock, monkeypatch):
    with Line(terminal(monkeypatch), clock=clock).looking():
        clock.work(1)
        assert screen(sys.stderr.getvalue()) == ["looking at the inputs"]
    assert screen(sys.stderr.getvalue()) == [""]


def test_what_is_no_terminal_shows_the_last_word_only(clock, monkeypatch):
    shell = terminal(monkeypatch)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    line = Line(shell, clock=clock)
    with line.keeping():
        clock.work(1)
    line.say(OUTCOME)
    assert (sys.stderr.getvalue(), sys.stdout.getvalue()) == ("", LAST + "\n")
