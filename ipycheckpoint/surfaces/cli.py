"""The command ``ipycheckpoint``: one subcommand for each row of the table below."""

from __future__ import annotations

import argparse
import io
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.__about__ import __version__
from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.surfaces.commands.answer import MISUSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipycheckpoint.surfaces.commands.answer import Answer


class Command(NamedTuple):
    """A subcommand. Its module is imported when it is called for.

    It has `add_arguments` and either `answer`, see `commands`, or `run`, which does all by itself in a terminal.
    """

    name: str
    module: str
    summary: str


_HERE = "ipycheckpoint.surfaces.commands"

COMMANDS = (
    Command("ls", f"{_HERE}.listing", "list what is kept"),
    Command("show", f"{_HERE}.showing", "show all that is known of records, without loading anything"),
    Command("why", f"{_HERE}.explaining", "tell why a record was made, and whether it would be a hit now"),
    Command("verify", f"{_HERE}.verifying", "read every byte and tell what is wrong"),
    Command("prune", f"{_HERE}.pruning", "remove what is old, or not worth its place, and garbage"),
    Command("forget", f"{_HERE}.tending", "remove records"),
    Command("pin", f"{_HERE}.tending", "keep records whatever is pruned"),
    Command("unpin", f"{_HERE}.tending", "let records be pruned again"),
    Command("trust", f"{_HERE}.trusting", "sign records of others as yours, so that they are loaded"),
    Command("untrust", f"{_HERE}.trusting", "take the signature from records, so that they are not loaded"),
    Command("export", f"{_HERE}.archiving", "write records to one file"),
    Command("import", f"{_HERE}.archiving", "read records from such a file"),
    Command("rescue", "ipycheckpoint.surfaces.rescuing", "get back what doesn't load in this environment any more"),
    Command("upgrade", f"{_HERE}.upgrading", "rewrite files of earlier releases in today's format"),
    Command("panel", f"{_HERE}.page", "write the cache browser as a page of HTML"),
    Command("where", f"{_HERE}.place", "tell which cache is used, and why"),
    Command("completion", f"{_HERE}.completion", "write a script that completes commands in a shell"),
)

_COMMON = argparse.ArgumentParser(add_help=False)
_COMMON.add_argument(
    "--cache", metavar="DIR", help="the directory or URL of the cache; else IPYCHECKPOINT_DIR, else .ipycheckpoint here"
)
_COMMON.add_argument("--json", action="store_true", help="answer in JSON, for programs")


def parser(
    name: str | None = None, kind: type[argparse.ArgumentParser] = argparse.ArgumentParser
) -> argparse.ArgumentParser:
    """The parser, of this `kind`, with the arguments of the subcommand `name`, or of all."""
    made = kind(
        prog="ipycheckpoint",
        description="Keep the results of notebook cells and functions.",
        epilog="Ends with 0 if all is well, 1 if something is wrong or nothing fits, 2 if it was called wrongly.",
        allow_abbrev=False,
    )
    made.add_argument("--version", action="version", version=__version__)
    subparsers = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        wanted = name in (None, command.name)
        module = module_of(command) if wanted else None
        subparser = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            parents=[_COMMON] if hasattr(module, "answer") else [],
            allow_abbrev=False,
        )
        if module is not None:
            module.add_arguments(subparser)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; what it ends with: 0, FAILED or MISUSED."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    name = arguments[0] if arguments and arguments[0] in {command.name for command in COMMANDS} else ""
    try:
        options = parser(name).parse_args(arguments)
    except SystemExit as left:  # argparse has said why
        return left.code if isinstance(left.code, int) else MISUSED
    command = next(command for command in COMMANDS if command.name == options.command)
    module = module_of(command)
    try:
        if hasattr(module, "run"):
            ended: int = module.run(options)
            return ended
        found = _answer(module, options)
    except CheckpointError as problem:
        print(f"ipycheckpoint {command.name}: {problem}", file=sys.stderr)  # noqa: T201 - it speaks in a terminal
        return MISUSED
    return _put_out(found, as_json=options.json)


def _answer(module: Any, options: argparse.Namespace) -> Answer:
    """What the command answers about the cache that is meant from here."""
    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.store.base import is_url
    from ipycheckpoint.surfaces.commands.answer import Context
    from ipycheckpoint.surfaces.commands.place import Place, find_place

    told = options.cache
    if is_url(told):  # the shared store itself, and not what is near of it
        place, cache = Place(None, "--cache says so"), Cache.at(told)
    else:
        place = find_place(told, os.environ, Path.cwd(), getattr(options, "work", None))
        assert place.directory is not None, "from a shell it is always a directory"
        cache = Cache.at(place.directory, network=_is_on_network())
    try:
        found: Answer = module.answer(Context(cache, place, _ask if _is_terminal() else None), options)
        return found
    finally:
        cache.close()


def _is_on_network() -> bool | None:
    if not os.environ.get("IPYCHECKPOINT_NETWORK"):
        return None
    from ipycheckpoint import workspace  # which takes a while, and has no more to say than this

    return workspace.current().network


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _ask(question: str) -> bool:
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201 - as above
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def _put_out(answer: Answer, *, as_json: bool) -> int:
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may have no ✓
        if as_json:
            print(answer.to_json())  # noqa: T201 - as above
        elif answer.plain or not sys.stdout.isatty():
            print(answer)  # noqa: T201 - as above
        else:
            from ipycheckpoint.surfaces.commands.drawing import draw

            draw(answer)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough: `ipycheckpoint ls | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return answer.code


def module_of(command: Command) -> Any:
    """The module that does it."""
    return import_module(command.module)
