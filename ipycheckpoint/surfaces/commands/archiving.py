"""``ipycheckpoint export`` and ``import``: records in one file, for another cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipycheckpoint.cache.archive import SUFFIX, read_archive, write_archive
from ipycheckpoint.surfaces.badge import bytes_in_words
from ipycheckpoint.surfaces.commands.answer import FAILED, GOOD, Answer
from ipycheckpoint.surfaces.commands.selection import add_selection, nothing, selected
from ipycheckpoint.surfaces.panel.words import counted

if TYPE_CHECKING:
    import argparse

    from ipycheckpoint.surfaces.commands.answer import Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the commands can be told."""
    if parser.prog.endswith(" import"):
        parser.add_argument("file", metavar="FILE", help="an archive, a path or URL")
        return
    add_selection(parser)
    parser.add_argument("--output", metavar="FILE", default=f"checkpoints{SUFFIX}", help=f"(checkpoints{SUFFIX})")


def answer(context: Context, options: argparse.Namespace) -> Answer:
    """Write an archive, or read one."""
    return _import(context, options) if options.command == "import" else _export(context, options)


def _export(context: Context, options: argparse.Namespace) -> Answer:
    rows = selected(context, options)
    if not rows:
        return nothing(context, options)
    done = write_archive(context.cache, [row.key for row in rows], options.output)
    words = f"wrote {counted(len(done.keys), 'record')} to {options.output}, {bytes_in_words(done.nbytes)}"
    return Answer({"file": options.output, "nbytes": done.nbytes, "exported": list(done.keys)}, (words,))


def _import(context: Context, options: argparse.Namespace) -> Answer:
    done = read_archive(context.cache, options.file)
    number = len(done.trusted) + len(done.untrusted)
    parts = [f"imported {counted(number, 'record')}, {len(done.known):,} were there already"]
    if done.untrusted:
        parts.append(
            f"{counted(len(done.untrusted), 'record')} are signed by nobody whom you accept: they are listed, and not "
            "loaded until you say `ipycheckpoint trust --status untrusted`"
        )
    parts += [f"{key[:12]} was refused: {problem}" for key, problem in done.refused]
    data = {
        "imported": [header.key for header in (*done.trusted, *done.untrusted)],
        "untrusted": [header.key for header in done.untrusted],
        "known": list(done.known),
        "refused": [{"key": key, "problem": problem} for key, problem in done.refused],
    }
    return Answer(data, tuple(parts), FAILED if done.refused else GOOD)
