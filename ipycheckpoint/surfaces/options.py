"""The options of ``%%checkpoint``: a line of text in, a value or a UsageError out."""

from __future__ import annotations

import argparse
import difflib
import shlex
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

from ipycheckpoint.errors import UsageError
from ipycheckpoint.tagging import check_tag
from ipycheckpoint.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What ``%%checkpoint`` was told."""

    name: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    no_watch: bool = False
    pin: tuple[str, ...] = ()
    expires_seconds: float | None = None
    rerun: bool = False
    quiet: bool = False
    rng: str | None = None
    """``strict``: the states of global random generators before the run are Ingredients."""
    identifier: str | None = None
    """The variable that holds an identifier of the user's."""
    cache: str | None = None
    """The variable that holds a cache of the user's, or says where one is."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%%checkpoint: {message}{self._near(message)}\nusage: {USAGE}")

    def _near(self, message: str) -> str:
        wrong = next((word for word in message.split() if word.startswith("--")), None)
        near = difflib.get_close_matches(wrong or "", OPTIONS, n=1)
        return f" (did you mean {near[0]}?)" if near and wrong not in OPTIONS else ""


def _parser() -> _Parser:
    parser = _Parser(prog="%%checkpoint", add_help=False, allow_abbrev=False)
    parser.add_argument("name", nargs="?", metavar="NAME", help="what the cell's records are listed under")
    several = {
        "--tags": ("K=V", "more tags than those in force; part of the identity"),
        "--inputs": ("VAR", "the only names whose values count"),
        "--outputs": ("VAR", "the only names to keep"),
        "--exclude": ("VAR", "names not to keep"),
        "--watch": ("PATH", "files and globs whose content counts"),
        "--pin": ("PKG", "packages whose versions count"),
    }
    for option, (metavar, help_text) in several.items():
        parser.add_argument(option, nargs="+", action="extend", metavar=metavar, help=help_text)
    parser.add_argument("--expires", metavar="AGE", help="how long the result is good for: 90s, 12h, 1d, 2w")
    parser.add_argument(
        "--rng",
        choices=["strict"],
        help="strict: the states that global random generators are in before the run count",
    )
    parser.add_argument(
        "--identifier", metavar="VAR", help="what says which cells are the same, in place of their code and inputs"
    )
    parser.add_argument("--cache", metavar="VAR", help="what keeps the record, in place of the current cache")
    parser.add_argument("--no-watch", action="store_true", help="files that the cell reads and writes don't count")
    parser.add_argument("--rerun", action="store_true", help="run whatever is kept, and keep the new result")
    parser.add_argument("--quiet", action="store_true", help="no line under the cell")
    return parser


USAGE = (
    "%%checkpoint [NAME] [--tags K=V …] [--inputs VAR …] [--outputs VAR …] [--exclude VAR …]"
    " [--watch PATH …] [--no-watch] [--pin PKG …] [--expires 1d] [--rng strict]"
    " [--identifier VAR] [--cache VAR] [--rerun] [--quiet]"
)
OPTIONS = (
    "--tags", "--inputs", "--outputs", "--exclude", "--watch", "--no-watch", "--pin", "--expires", "--rng",
    "--identifier", "--cache", "--rerun", "--quiet",
)  # fmt: skip


@lru_cache(maxsize=256)  # making the parser takes longer than a hit may, and a cell is run many times
def parse_options(line: str) -> CellOptions:
    """The options in `line`; UsageError that names what is wrong and what is allowed.

    >>> parse_options("model --tags date=2017-01-01 --exclude conn").tags
    (('date', '2017-01-01'),)
    """
    try:
        words = shlex.split(line)
    except ValueError as problem:
        raise UsageError(f"%%checkpoint: {problem} in {line!r}") from None
    given = _parser().parse_args(words)
    return CellOptions(
        name=given.name,
        tags=tuple(_tag(text) for text in given.tags or ()),
        inputs=_names("--inputs", given.inputs),
        outputs=_names("--outputs", given.outputs),
        exclude=_names("--exclude", given.exclude) or (),
        watch=tuple(given.watch or ()),
        no_watch=given.no_watch,
        pin=tuple(given.pin or ()),
        expires_seconds=None if given.expires is None else parse_duration(given.expires),
        rerun=given.rerun,
        rng=given.rng,
        identifier=_name("--identifier", given.identifier),
        cache=_name("--cache", given.cache),
        quiet=given.quiet,
    )


def help_text() -> str:
    """One line for each option, for ``%%checkpoint?``."""
    return _parser().format_help()


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"%%checkpoint: {text!r} is no tag: tags are KEY=VALUE, and NAME comes before the options")
    return check_tag(key), value


def _name(option: str, word: str | None) -> str | None:
    return None if word is None else (_names(option, [word]) or (word,))[0]


def _names(option: str, words: Iterable[str] | None) -> tuple[str, ...] | None:
    if words is None:
        return None
    names = tuple(name for word in words for name in word.split(",") if name)
    for name in names:
        if not name.isidentifier():
            raise UsageError(f"%%checkpoint: {name!r} is no name of a variable, as {option} needs")
    return names
