"""A command in a line of text, as ``%checkpoint`` has it: the same commands as in a shell, about a cache at hand."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, NoReturn

from ipycheckpoint.cache.plugged import PluggedCache
from ipycheckpoint.errors import UsageError
from ipycheckpoint.surfaces import cli
from ipycheckpoint.surfaces.commands.answer import Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.surfaces.commands.answer import Answer
    from ipycheckpoint.surfaces.commands.place import Place

ASKED = tuple(command for command in cli.COMMANDS if command.name not in ("rescue", "completion"))
"""The commands that make sense in a notebook."""


_OF_ANY_CACHE = ("ls", "show", "why", "forget", "where", "panel", "upgrade")


class _Parser(argparse.ArgumentParser):
    """Raises what it has to say against a line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%checkpoint {self.prog.partition(' ')[2]}: {message}")


def ask(line: str, cache: Cache, place: Place, open_cache: Callable[[str], Cache]) -> Answer | None:
    """What the command in `line` answers about `cache`, or about the one that its ``--cache`` names.

    None after ``--help``, which was printed. Nobody is asked anything. Raises UsageError.
    """
    try:
        words = shlex.split(line)
    except ValueError as problem:
        raise UsageError(f"%checkpoint {line}: {problem}") from None
    command = next(command for command in ASKED if command.name == words[0])
    try:
        options = cli.parser(command.name, _Parser).parse_args(words)
    except SystemExit:
        return None
    if options.cache is not None:
        cache = open_cache(options.cache)
        place = place._replace(directory=cache.directory, reason="--cache says so")
    if isinstance(cache, PluggedCache) and command.name not in _OF_ANY_CACHE:
        raise UsageError(f"%checkpoint {command.name}: {cache.location} is a cache of your own, and looks after itself")
    found: Answer = cli.module_of(command).answer(Context(cache, place), options)
    return found
