"""Answers in a terminal: with tables by rich where that is installed, and in plain text elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipycheckpoint.surfaces.commands.answer import Table, harmless

if TYPE_CHECKING:
    from ipycheckpoint.surfaces.commands.answer import Answer


def draw(answer: Answer) -> None:
    """Print it."""
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text
    except ImportError:
        print(answer)  # noqa: T201 - it speaks in a terminal
        return
    console = Console(highlight=False)
    for part in answer.parts:
        if not isinstance(part, Table):
            # As Text, what looks like markup is none.
            console.print(Text("\n".join(map(harmless, part.split("\n")))))
            continue
        table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
        for head in part.heads:
            table.add_column(head, justify="right" if head in part.numbers else "left", overflow="fold")
        for row in part.rows:
            table.add_row(*(Text(harmless(cell)) for cell in row))
        console.print(table)
