"""``ipycheckpoint upgrade``: rewrite what earlier releases wrote in today's format."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ipycheckpoint.surfaces.commands.answer import FAILED, GOOD, Answer
from ipycheckpoint.surfaces.panel.words import counted

if TYPE_CHECKING:
    import argparse

    from ipycheckpoint.surfaces.commands.answer import Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    parser.add_argument("file", nargs="+", metavar="PATH", help="a file, or a directory with files, or a URL")


def answer(_: Context, options: argparse.Namespace) -> Answer:
    """Which files were rewritten, and which could not be."""
    from ipycheckpoint.surfaces.files import upgrade

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        done = upgrade(*options.file)
    problems = [str(warning.message) for warning in told]
    parts = (f"upgraded {counted(len(done), 'file')}", *done, *problems)
    return Answer({"upgraded": done, "problems": problems}, parts, FAILED if problems else GOOD)
