"""``ipycheckpoint rescue PATH|KEY``: what doesn't load here any more, in a new file that does."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ipycheckpoint import workspace
from ipycheckpoint.cache import savefile
from ipycheckpoint.cache.rescue import FORMS, rescue
from ipycheckpoint.cache.workshop import GivenInterpreter, NewEnvironment
from ipycheckpoint.errors import CannotRescue, UsageError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.record.moves import moving
from ipycheckpoint.store.folder import DIRECTORY
from ipycheckpoint.surfaces.commands.answer import FAILED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ipycheckpoint.cache.opened import Record
    from ipycheckpoint.cache.rescue import Rescued
    from ipycheckpoint.cache.workshop import Workshop

_KEY = re.compile(r"[0-9a-f]{64}\Z")
_VERSION = re.compile(r"\d+(\.\d+)*\Z")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    parser.add_argument("record", metavar="PATH|KEY", help="a file or URL, or the key of a record in the cache")
    parser.add_argument(
        "--name", action="append", default=[], metavar="NAME", help="this object only (may be repeated)"
    )
    parser.add_argument("--as", dest="form", choices=FORMS, help="write each object in this form, too")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the new file; else NAME.rescued.ckpt beside the old one"
    )
    parser.add_argument(
        "--python",
        metavar="VERSION|PATH",
        help="make the environment with this Python version; or load with the interpreter at this path, as it is",
    )
    parser.add_argument(
        "--moved",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="a class, function or module that has another name now (may be repeated)",
    )
    parser.add_argument("--cache", metavar="DIRECTORY", help="where the key is kept, if not in .ipycheckpoint")
    parser.add_argument("--keep-environment", action="store_true", help="leave the environment there, and say where")


def run(options: argparse.Namespace) -> int:
    """Do it, and say what became of each object; 0 if all of them load in the new file."""
    record = _record(options.record, options.cache)
    output: Path = options.output or _beside(options.record, record)
    with _private_directory(keep=options.keep_environment) as directory:
        workshop = _workshop(record, options.python, directory / "environment")
        try:
            with moving(_moves(options.moved)):
                results = rescue(record, workshop, directory, options.name, form=options.form, say=_say)
        except KeyError as problem:
            raise UsageError(str(problem.args[0])) from problem
        for result in results:
            _say(str(result))
        good = {result.name: result.value for result in results if result.how != "lost"}
        if good:
            savefile.save(output, good, tags=record.tags, label=record.header.label)
            print(output)  # noqa: T201 - for whoever calls it in a script
        files = _put_files(results, output, options.form)
    return 0 if good.keys() == {result.name for result in results} and files else FAILED


def _record(named: str, directory: str | None) -> Record:
    """The record that is meant: a file, if there is one of that name, else what the cache has under it."""
    if not _KEY.match(named) or Path(named).exists():
        return savefile.read(named)
    # Without a notebook or script, the place beside the work is where the command is called.
    cache = workspace.current().cache(directory or os.environ.get("IPYCHECKPOINT_DIR") or DIRECTORY)
    record = cache.open(Key(named))
    if record is None:
        raise UsageError(f"{cache.location} has no record {named}")
    return record


def _beside(named: str, record: Record) -> Path:
    if _KEY.match(named) or "://" in named:
        return Path(f"{_file_name(record.header.label)}.rescued{savefile.SUFFIX}")
    path = Path(named)
    return path.with_name(f"{path.name.removesuffix(savefile.SUFFIX)}.rescued{savefile.SUFFIX}")


def _moves(told: Sequence[str]) -> dict[str, str]:
    moves = dict(words.split("=", 1) for words in told if "=" in words)
    if len(moves) < len(told):
        raise UsageError("--moved takes the old name and the new one: --moved shop.Order=shop.models.Order")
    return moves


def _workshop(record: Record, python: str | None, directory: Path) -> Workshop:
    if python is not None and not _VERSION.match(python):
        found = shutil.which(python)
        if found is None:
            raise UsageError(f"--python {python}: there is no such interpreter")
        return GivenInterpreter(str(Path(found).absolute()))
    if record.environment is None:
        raise CannotRescue("make the environment that saved it", "the record doesn't say which one it was")
    return NewEnvironment(directory, python or record.environment.python, _say)


@contextmanager
def _private_directory(*, keep: bool) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="ipycheckpoint-rescue-"))  # for this user alone
    try:
        yield directory
    finally:
        if keep:
            _say(f"kept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


def _put_files(results: Sequence[Rescued], output: Path, form: str | None) -> bool:
    """Move the files in `form` to a directory beside the new record; whether each object has got one."""
    if form is None:
        return True
    directory = output.with_name(output.name.removesuffix(savefile.SUFFIX))
    for result in results:
        if result.file is not None:
            directory.mkdir(parents=True, exist_ok=True)
            place = directory / f"{_file_name(result.name)}.{form}"
            shutil.move(result.file, place)
            print(place)  # noqa: T201 - for whoever calls it in a script
        elif result.how != "lost":
            _say(f"{result.name} can't be written as {form}: {result.unwritten}")
    return all(result.file is not None for result in results)


def _file_name(name: str) -> str:
    """A name for a file: words and what holds them together.

    >>> _file_name("../a b/c"), _file_name("…")
    ('a-b-c', 'unnamed')
    """
    return re.sub(r"[^\w=.-]+", "-", name).strip("-.")[:80] or "unnamed"


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - it speaks in a terminal
