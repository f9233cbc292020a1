"""``ipycheckpoint panel``: the cache browser as a page of HTML, or as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ipycheckpoint.errors import StoreError
from ipycheckpoint.surfaces.commands.answer import Answer
from ipycheckpoint.surfaces.panel.model import view
from ipycheckpoint.surfaces.panel.pages import as_html, as_text, disk_nbytes
from ipycheckpoint.surfaces.panel.state import State
from ipycheckpoint.surfaces.panel.words import counted

if TYPE_CHECKING:
    import argparse

    from ipycheckpoint.surfaces.commands.answer import Context
    from ipycheckpoint.surfaces.panel.model import View

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Checkpoints</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root {{ color-scheme: light dark }} body {{ font-family: system-ui, sans-serif; margin: 1.5rem }}
table {{ border-collapse: collapse }}</style></head>
<body>{body}</body></html>
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it as one page that needs nothing else")


def answer(context: Context, options: argparse.Namespace) -> Answer:
    """All records, in the file that is named, or as text."""
    seen = _whole(context)
    if options.html is None:
        return Answer(seen, (as_text(seen),))
    try:
        options.html.write_text(_PAGE.format(body=as_html(seen)), encoding="utf-8")
    except OSError as problem:
        raise StoreError(str(options.html), "write", problem.strerror or str(problem)) from problem
    told = f"wrote {counted(len(seen['rows']), 'checkpoint')} to {options.html}"
    return Answer({"file": str(options.html), "records": len(seen["rows"])}, (told,))


def _whole(context: Context) -> View:
    """All pages of the panel in one."""
    state = State()
    first = view(context.cache, state, disk_nbytes=disk_nbytes(context.cache))
    rows = list(first["rows"])
    for number in range(1, first["page"]["count"]):
        rows += view(context.cache, replace(state, page=number))["rows"]
    return {**first, "rows": rows, "page": {"number": 0, "count": 1, "words": ""}}
