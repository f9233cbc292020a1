"""The tally of a map: what is counted, and when it is shown."""

from __future__ import annotations

import io
import sys

import pytest

from ipycheckpoint.surfaces.tally import Line, Tally


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tally(hits: int = 0, misses: int = 0, failures: int = 0) -> Tally:
    counted = Tally("f", 100, shown=False)
    for number, count in ((hits, counted.hit), (misses, counted.ran), (failures, counted.failed)):
        for _ in range(number):
            count()
    return counted


def said(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> io.StringIO:
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_everything_that_came_to_an_end_is_counted():
    assert tally(2, 3, 4).done == 9


def test_what_is_over_soon_needs_no_word(monkeypatch):
    stream, clock = said(monkeypatch, Terminal()), Clock()
    line = Line("f", 100, clock)
    line.show(tally(50, 10))
    line.close(tally(100))
    assert stream.getvalue() == ""


def test_a_terminal_is_told_how_far_it_has_come_and_how_long_it_takes(monkeypatch):
    stream, clock = said(monkeypatch, Terminal()), Clock()
    line = Line("f", 100, clock)
    line.show(tally(40, 1))
    clock.now = 2.0
    line.show(tally(40, 21))
    assert stream.getvalue().strip() == "f: 61 of 100, 40 restored, 21 computed, 3.9 s left"


def test_what_is_restored_says_nothing_of_how_long_the_rest_takes(monkeypatch):
    stream, clock = said(monkeypatch, Terminal()), Clock()
    line = Line("f", 100, clock)
    clock.now = 2.0
    line.show(tally(40))
    assert stream.getvalue().strip() == "f: 40 of 100, 40 restored"


def test_a_terminal_is_told_at_most_five_times_a_second(monkeypatch):
    stream, clock = said(monkeypatch, Terminal()), Clock()
    line = Line("f", 100, clock)
    for clock.now in (1.0, 1.1, 1.15, 1.3):
        line.show(tally(40))
    assert stream.getvalue().count("\r") == 2


def test_a_file_is_given_the_last_word_alone(monkeypatch):
    stream, clock = said(monkeypatch, io.StringIO()), Clock()
    line = Line("f", 100, clock)
    clock.now = 3.0
    line.show(tally(40))
    line.close(tally(40, 59, 1))
    assert stream.getvalue().strip() == "f: 100 of 100, 40 restored, 59 computed, 1 failed"


def test_without_tqdm_there_is_a_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert isinstance(Tally("f", 3, shown=True)._display, Line)


def test_a_stream_that_is_gone_costs_nothing_but_the_words(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    stream = said(monkeypatch, Terminal())
    counted = Tally("f", 3, shown=True)
    stream.close()
    counted.ran()
    counted.close()
    assert counted.done == 1


def test_tqdm_is_told_what_was_restored_and_what_runs(monkeypatch):
    pytest.importorskip("tqdm")
    counted = Tally("f", 3, shown=True)
    counted.hit()
    counted.ran()
    bar = counted._display._bar
    counted.close()
    assert (bar.n, bar.initial, bar.total, bar.postfix) == (2, 1, 3, "1 restored, 1 computed")
