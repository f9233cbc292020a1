r"""What a stream of text looks like in the end: as a terminal leaves it, and no longer than can be kept.

A progress bar draws itself again and again over its line: with ``\r`` and ``\b``, and where several are nested with
the sequences of ECMA-48 that move the cursor. Of each line the last state stays. Text that doesn't go back over itself
is left as it was written, byte for byte.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from itertools import groupby, repeat

MOST_TEXT = 1 << 20
"""Characters of one stream in a row that are kept, half of them from its beginning and half from its end. More than
that nobody reads, and a browser takes seconds to lay it out."""

_REACH = 200
"""Lines that the cursor can go back up: more than a terminal is high."""

_WIDTH = 1000
"""Columns that the cursor can go right on its own."""

_PILE = 1 << 15
"""Characters that are looked at together, since looking at each write costs the run time."""

_GOES_BACK = re.compile(r"\r(?!\n)|[\b\x1b]")
_UNFINISHED = re.compile(r"(?:\r|\x1b(?:\[[0-?]{0,99}[ -/]*|\][^\x07\x1b]{0,999}\x1b?)?)\Z")
_TOKEN = re.compile(
    r"(?P<text>[^\r\n\b\x1b]+)|(?P<end>\r?\n)|\x1b\[(?P<given>[0-?]*)[ -/]*(?P<does>[@-~])"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\r\b\x1b]"
)

_Style = tuple[str, ...]
"""The sequences that colour what comes behind them."""


def settled(text: str) -> str:
    r"""What a terminal shows of `text` in the end.

    >>> settled("  0%\r 50%\r100%\ndone")
    '100%\ndone'
    """
    scroll = Scroll(max(MOST_TEXT, 8 * len(text)))
    scroll.write(text)
    return scroll.text()


class _Line:
    """A line as it was written, until something goes back over it; then its cells, each with a style.

    A wide character takes two cells, and the second is empty.
    """

    __slots__ = ("cells", "end", "raw", "style")

    def __init__(self, style: _Style) -> None:
        self.style = style
        """What holds at its beginning."""
        self.raw = ""
        self.end = "\n"
        self.cells: list[tuple[_Style, str]] | None = None

    def in_cells(self) -> list[tuple[_Style, str]]:
        """The cells, to go over them."""
        if self.cells is None:
            self.cells = self._parsed()
        return self.cells

    def _parsed(self) -> list[tuple[_Style, str]]:
        cells: list[tuple[_Style, str]] = []
        style = self.style
        for token in _TOKEN.finditer(self.raw):
            if token["text"]:
                cells += _cells(token["text"], style, len(cells))
            elif token["does"] == "m":
                style = _styled(style, token[0])
        return cells

    def width(self, least: int | None = None) -> int:
        """How many cells it takes; without the blanks at its end, which nobody sees, but for the first `least`."""
        if self.cells is None:
            return len(self._parsed())
        width = len(self.cells)
        while least is not None and width > least and self.cells[width - 1] == ((), " "):
            width -= 1
        return width

    def text(self, style: _Style, least: int) -> str:
        """As text, behind which `style` holds, as wide as `width` says."""
        if self.cells is None:
            return self.raw
        parts, now = [], self.style
        for then, cells in groupby(self.cells[: self.width(least)], key=lambda cell: cell[0]):
            parts += [_change(now, then), *(character for _, character in cells)]
            now = then
        return "".join([*parts, _change(now, style)])


class Scroll:
    """The text that is written to one stream in a row, up to `most` characters of it."""

    def __init__(self, most: int = MOST_TEXT) -> None:
        self._most = most
        self._pile: list[str] = []
        self._piled = 0
        self._begins_with_return: bool | None = None
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._sizes = [0, 0]
        self.lines_left_out = 0
        self.characters_left_out = 0
        self._style: _Style = ()
        self._lines = [_Line(())]
        self._row = 0
        self._column: int | None = None
        """None behind the last character of a line that nothing has gone back over."""

    def write(self, text: str) -> None:
        """Write `text` where the cursor is."""
        self._pile.append(text)
        self._piled += len(text)
        if self._piled > _PILE:
            self._look(finally_=False)

    @property
    def size(self) -> int:
        """Characters that are held."""
        return sum(self._sizes) + self._piled + sum(len(line.cells or line.raw) for line in self._lines)

    @property
    def begins_with_return(self) -> bool:
        """Whether it goes back, first of all, over what stood in its line before."""
        return self._begins_with_return is True

    def text(self) -> str:
        """What is seen of it, now that all is written; where that is not all, a line in the middle says so."""
        self._look(finally_=True)
        last = len(self._lines) - 1
        while last > self._row and not self._text_of(last):
            last -= 1
        shown = "".join(self._text_of(row) + self._lines[row].end for row in range(last)) + self._text_of(last)
        return "".join(self._head) + self._gap() + "".join(self._tail) + shown + self._back_from(last)

    def _gap(self) -> str:
        if not self.characters_left_out:
            return ""
        start = "" if not self._head or self._head[-1].endswith("\n") else "\n"
        return f"{start}… {left_out(self.lines_left_out, 'line', self.characters_left_out)} not kept …\n"

    def _look(self, *, finally_: bool) -> None:
        text = "".join(self._pile)
        self._pile.clear()
        self._piled = 0
        if self._begins_with_return is None and text:
            self._begins_with_return = text.startswith("\r") and not text.startswith("\r\n")
        unfinished = None if finally_ else _UNFINISHED.search(text)
        if unfinished is not None:
            self._pile.append(unfinished[0])
            self._piled = len(unfinished[0])
            text = text[: unfinished.start()]
        is_at_the_end = self._column is None and self._row == len(self._lines) - 1
        if is_at_the_end and _GOES_BACK.search(text) is None:
            first, *more = text.split("\n")
            self._lines[-1].raw += first
            if len(more) > 2 * _REACH:  # most of them are out of reach at once
                self._finish_all("\n")
                self._finish("\n".join([*more[:-_REACH], ""]))
                del more[:-_REACH]
                self._lines[0].raw = more.pop(0)
            for raw in more:
                self._begin_line()
                self._lines[-1].raw = raw
        else:
            for token in _TOKEN.finditer(text):
                self._take(token)
        self._let_go()

    def _take(self, token: re.Match[str]) -> None:
        if token["text"]:
            self._put(token["text"])
        elif token["end"]:
            self._end_line(token["end"])
        elif token["does"] == "m":
            self._style = _styled(self._style, token[0])
            self._keep_raw(token[0])
        elif token["does"]:
            self._move(token["does"], token["given"])
        elif token[0] == "\r":
            self._go(self._row, 0)
        elif token[0] == "\b":
            self._go(self._row, self._where() - 1)
        else:
            self._keep_raw(token[0])

    def _keep_raw(self, sequence: str) -> None:
        if self._column is None:
            self._lines[self._row].raw += sequence

    def _put(self, text: str) -> None:
        line = self._lines[self._row]
        if self._column is None:
            line.raw += text
            return
        cells, column = line.in_cells(), self._column
        while text and unicodedata.combining(text[0]) and 0 < column <= len(cells):
            _combine(cells, column, text[0])
            text = text[1:]
        new = _cells(text, self._style, column)
        cells += repeat(((), " "), column - len(cells))
        end = column + len(new)
        if 0 < column < len(cells) and not cells[column][1]:
            cells[column - 1] = (cells[column - 1][0], " ")  # half of a wide character is none
        if end < len(cells) and not cells[end][1]:
            cells[end] = (cells[end][0], " ")
        cells[column:end] = new
        self._column = end

    def _end_line(self, end: str) -> None:
        if self._row == len(self._lines) - 1:
            self._lines[-1].end = end
            self._begin_line()
        else:
            self._go(self._row + 1, 0)

    def _begin_line(self) -> None:
        before = self._lines[-1]
        if before.raw.endswith("\r"):
            before.raw, before.end = before.raw[:-1], "\r\n"
        self._lines.append(_Line(self._style))
        self._row, self._column = len(self._lines) - 1, None
        if self._row > 2 * _REACH:
            self._let_go()

    def _where(self) -> int:
        """The column of the cursor."""
        return self._lines[self._row].width() if self._column is None else self._column

    def _go(self, row: int, column: int) -> None:
        self._row = min(max(row, 0), len(self._lines) - 1)
        line = self._lines[self._row]
        column = max(column, 0)
        self._column = None if line.cells is None and not line.raw and not column else column

    def _move(self, does: str, given: str) -> None:
        first, *more = (int(number) if number.isdigit() else 0 for number in given[:20].split(";"))
        row, column, count = self._row, self._where(), max(first, 1)
        if does in "AF":
            self._go(row - count, column if does == "A" else 0)
        elif does in "BE":
            self._go(row + count, column if does == "B" else 0)
        elif does == "C":
            self._go(row, max(column, min(column + count, _WIDTH)))
        elif does == "D":
            self._go(row, column - count)
        elif does == "G":
            self._go(row, min(count, _WIDTH) - 1)
        elif does == "H":
            self._go(count - 1, min(max(*more, 1) if more else 1, _WIDTH) - 1)
        elif does == "K":
            self._erase(row, column, first)
        elif does == "J":
            # Where all is erased, the cursor stays; what stood above is out of sight.
            if first == 0:
                del self._lines[row + 1 :]
            else:
                for above in range(row if first == 1 else len(self._lines)):
                    self._erase(above, 0, 2)
            self._erase(row, column, first)

    def _erase(self, row: int, column: int, part: int) -> None:
        cells = self._lines[row].in_cells()
        if part in (0, 2):
            del cells[column if part == 0 else 0 :]
        else:
            cells[: column + 1] = repeat(((), " "), min(column + 1, len(cells)))
        if row == self._row:
            self._column = column

    def _let_go(self) -> None:
        """Let go of the lines that are out of reach, and of the beginning of one that has no end."""
        beyond = min(len(self._lines) - 1 - _REACH, self._row)
        if beyond > 0:
            for row in range(beyond):
                self._finish(self._text_of(row) + self._lines[row].end)
            del self._lines[:beyond]
            self._row -= beyond
        line = self._lines[-1]
        if len(line.cells or line.raw) > self._most // 4:
            self._finish_all("")

    def _finish_all(self, end: str) -> None:
        *before, last = [self._text_of(row) for row in range(len(self._lines))]
        for text, line in zip(before, self._lines, strict=False):
            self._finish(text + line.end)
        self._finish(last + end)
        self._lines = [_Line(self._style)]
        self._row, self._column = 0, None

    def _finish(self, text: str) -> None:
        half = self._most // 2
        if len(text) > max(half // 4, 1):  # in parts, since parts are let go of as a whole
            middle = len(text) // 2
            middle = text.rfind("\n", 0, middle) + 1 or middle
            self._finish(text[:middle])
            self._finish(text[middle:])
        elif not self._tail and not self.characters_left_out and self._sizes[0] + len(text) <= half:
            self._head.append(text)
            self._sizes[0] += len(text)
        else:
            self._tail.append(text)
            self._sizes[1] += len(text)
        while self._sizes[1] > half:
            gone = self._tail.popleft()
            self._sizes[1] -= len(gone)
            self.lines_left_out += gone.count("\n")
            self.characters_left_out += len(gone)

    def _text_of(self, row: int) -> str:
        following = self._lines[row + 1].style if row + 1 < len(self._lines) else self._style
        return self._lines[row].text(following, (self._column or 0) if row == self._row else 0)

    def _back_from(self, last: int) -> str:
        """The way from the end of the text to where the cursor is, since what comes next is written there."""
        if self._column is None and self._row == last:
            return ""
        column = self._where()
        if self._row < last:
            return f"\x1b[{last - self._row}A\r" + (f"\x1b[{column}C" if column else "")
        behind = self._lines[last].width(column) - column
        return ("\b" * behind if column else "\r") if behind > 0 else ""


def left_out(count: int, what: str, characters: int) -> str:
    """How much is left out, in words.

    >>> left_out(12345, "line", 3_100_000), left_out(0, "line", 2_000)
    ('12,345 lines (3.1 MB)', '2.0 kB')
    """
    size = f"{characters / 1e6:,.1f} MB" if characters >= 100_000 else f"{characters / 1e3:.1f} kB"
    return f"{count:,} {what}{'' if count == 1 else 's'} ({size})" if count else size


def _cells(text: str, style: _Style, column: int) -> list[tuple[_Style, str]]:
    if text.isascii() and text.isprintable():
        return list(zip(repeat(style), text, strict=False))
    cells: list[tuple[_Style, str]] = []
    for character in text:
        if character == "\t":
            cells += repeat((style, " "), 8 - (column + len(cells)) % 8)
        elif unicodedata.combining(character) and cells:
            _combine(cells, len(cells), character)
        elif character >= " ":
            cells.append((style, character))
            if unicodedata.east_asian_width(character) in "WF":
                cells.append((style, ""))
    return cells


def _combine(cells: list[tuple[_Style, str]], column: int, mark: str) -> None:
    """Put an accent on what stands before `column`."""
    place = column - 1 if cells[column - 1][1] or column == 1 else column - 2
    style, character = cells[place]
    cells[place] = (style, character + mark)


def _styled(style: _Style, sequence: str) -> _Style:
    """The style behind `sequence`; of very many that add up, the last ones."""
    if sequence in ("\x1b[m", "\x1b[0m"):
        return ()
    return (*(other for other in style if other != sequence), sequence)[-8:]


def _change(now: _Style, then: _Style) -> str:
    if now == then:
        return ""
    if then[: len(now)] == now:
        return "".join(then[len(now) :])
    return "\x1b[0m" + "".join(then)
