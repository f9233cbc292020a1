"""Text is kept as a terminal leaves it, byte for byte where nothing goes back over it, and never without end."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.engine import terminal
from ipycheckpoint.engine.terminal import Scroll, settled

CONTROLS = ["\r", "\n", "\r\n", "\b", "\t", "\x1b[A", "\x1b[2B", "\x1b[3C", "\x1b[2D", "\x1b[K", "\x1b[2K", "\x1b[G"]
STYLES = ["\x1b[31m", "\x1b[1;32m", "\x1b[0m", "\x1b[m", "\x1b]8;;x\x1b\\"]
SCREENS = ["\x1b[J", "\x1b[2J", "\x1b[H", "\x1b[?25l", "\x1b[2;3H", "\x1b[1J", "\x1b[1K"]
anything = st.lists(st.sampled_from([*CONTROLS, *STYLES, *SCREENS, "a", "bcd", " ", "漢", "é", "e\u0301"]), max_size=30)


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("  0%\r 50%\r100%\n", "100%\n"),
        ("long line\rabc", "abcg line" + "\b" * 6),
        ("abc\r", "abc\r"),
        ("ab\b\bxy", "xy"),
        ("12%\b\b\b13%\n", "13%\n"),
        (" 10%\r    \rdone\n", "done\n"),
        (" 10%\r    \r", ""),
        ("\rfirst", "first"),
        ("outer\ninner 1\rinner 2\x1b[A\router!\n\n", "outer!\ninner 2\n"),
        ("bar\n\rsub\x1b[A\rBAR\n\r   \x1b[A\r", "BAR\r"),
        ("old\x1b[2K\rnew", "new"),
        ("abcdef\rab\x1b[K\n", "ab\n"),
        ("one\ntwo\x1b[1Gx\x1b[1Fy\n", "yne\nxwo\r"),
        ("a\nb\nc\x1b[2A\x1b[J", "a"),
        ("gone\x1b[2J\x1b[Hhere\n", "here\n"),
        ("漢字\rab\n", "ab字\n"),
        ("漢字\ra\n", "a 字\n"),
        ("e\u0301x\ro\n", "ox\n"),
        ("\x1b[31mred\x1b[0m\rR\n", "R\x1b[31med\x1b[0m\n"),
        ("\x1b[31mred\n\rX\ny\x1b[0m", "\x1b[31mred\nX\ny\x1b[0m"),
        ("a\tb\rc\n", "c       b\n"),
        ("a\n\nc\x1b[A\rb", "a\nb\nc\x1b[1A\r\x1b[1C"),
    ],
)
def test_what_is_gone_over_is_kept_as_it_ends(written: str, seen: str) -> None:
    assert settled(written) == seen


@pytest.mark.parametrize(
    "written", ["a\r\nb\r\n", "\x1b[31mred\x1b[0m", "\x1b[31mred\nstill\n", "tab\tbed\n", "\x07\f", ""]
)
def test_what_does_not_go_back_is_kept_as_it_is(written: str) -> None:
    assert settled(written) == written


@given(st.lists(st.text(st.characters(exclude_characters="\r\b\x1b"))), st.sampled_from(["\n", "\r\n"]))
def test_plain_text_is_kept_byte_for_byte_in_whatever_pieces(pieces: list[str], end: str) -> None:
    scroll = Scroll()
    for piece in pieces:
        scroll.write(piece + end)
    assert scroll.text() == "".join(piece + end for piece in pieces)


@given(anything, st.integers(0, 40))
def test_it_does_not_matter_in_which_pieces_it_is_written(tokens: list[str], size: int) -> None:
    text = "".join(tokens)
    scroll = Scroll()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "_PILE", size)
        for character in text:
            scroll.write(character)
    assert scroll.text() == settled(text)


@given(anything)
def test_what_has_settled_stays_as_it_is(tokens: list[str]) -> None:
    once = settled("".join(tokens))
    assert settled(once) == once


def test_a_bar_of_tqdm_ends_as_its_last_line() -> None:
    tqdm = pytest.importorskip("tqdm").tqdm
    out = io.StringIO()
    for _ in tqdm(range(200), file=out, mininterval=0, bar_format="{n_fmt}/{total_fmt}"):
        pass
    assert out.getvalue().count("\r") > 100
    assert settled(out.getvalue()) == "200/200\n"


@pytest.mark.parametrize(
    ("leave", "seen"), [(False, "outer 2/2\n"), (True, "inner 2/2\ninner 2/2\nouter 2/2\n")], ids=["gone", "left"]
)
def test_nested_bars_of_tqdm_end_as_they_are_seen(leave: bool, seen: str) -> None:
    tqdm = pytest.importorskip("tqdm").tqdm
    out = io.StringIO()
    layout = "{desc} {n_fmt}/{total_fmt}"
    for _ in tqdm(range(2), "outer", file=out, mininterval=0, bar_format=layout):
        for _ in tqdm(range(2), "inner", file=out, mininterval=0, bar_format=layout, leave=leave):
            pass
    assert settled(out.getvalue()) == seen


def test_bars_at_their_places_end_one_below_the_other() -> None:
    tqdm = pytest.importorskip("tqdm").tqdm
    out = io.StringIO()
    layout = "{desc} {n_fmt}"
    bars = [tqdm(total=2, desc=str(n), file=out, position=n, mininterval=0, bar_format=layout) for n in range(3)]
    for _ in range(2):
        for bar in bars:
            bar.update()
    assert settled(out.getvalue()).split("\x1b")[0] == "0 2\n1 2\n2 2"
    for bar in bars:
        bar.close()


def test_of_very_much_the_beginning_and_the_end_are_kept_and_a_line_says_what_is_not() -> None:
    scroll = Scroll(1000)
    for number in range(100_000):
        scroll.write(f"{number}\n")
    lines = scroll.text().splitlines()
    gap = next(place for place, line in enumerate(lines) if "not kept" in line)
    assert lines[:gap] == [str(n) for n in range(gap)]
    after = lines[gap + 1 :]
    assert after == [str(n) for n in range(100_000 - len(after), 100_000)]
    assert scroll.lines_left_out == 100_000 - gap - len(after)
    assert lines[gap] == f"… {scroll.lines_left_out:,} lines ({scroll.characters_left_out / 1e6:.1f} MB) not kept …"
    assert scroll.size < 3000


def test_a_line_without_end_is_cut_as_well() -> None:
    scroll = Scroll(1000)
    for number in range(20_000):
        scroll.write(f"{number} ")
        assert scroll.size < 1000 + 2 * terminal._PILE
    text = scroll.text()
    assert text.startswith("0 1 2 ")
    assert text.endswith("19998 19999 ")
    assert "kB not kept …\n" in text or "MB not kept …\n" in text
    assert len(text) < 2500


def test_a_bar_that_runs_for_days_takes_no_more_room_than_one_line() -> None:
    scroll = Scroll()
    for number in range(20_000):
        scroll.write(f"\r{number:>70}")
    assert scroll.size < 2 * terminal._PILE
    assert scroll.text() == f"{19_999:>70}"
    assert scroll.characters_left_out == 0


def test_lines_out_of_reach_are_not_gone_over() -> None:
    lines = "".join(f"{n}\n" for n in range(3000))
    scroll = Scroll()
    scroll.write(lines)
    scroll.write("\x1b[2999A\rX")
    assert scroll.text().startswith("0\n1\n2\n")
    assert "\nX" in scroll.text()
