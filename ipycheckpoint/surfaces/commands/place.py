"""Which cache is meant, and why that one. ``ipycheckpoint where`` tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ipycheckpoint.store.folder import DIRECTORY
from ipycheckpoint.surfaces.commands.answer import Answer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from ipycheckpoint.surfaces.commands.answer import Context


class Place(NamedTuple):
    """A directory, and who says that the cache is there."""

    directory: Path | None
    reason: str


def find_place(told: str | None, environ: Mapping[str, str], here: Path, work: str | None = None) -> Place:
    """Where the cache is of `work`, a notebook or script, or of the work in the directory `here`.

    >>> find_place(None, {}, Path("/home/ada"), "plans/model.ipynb").directory.as_posix()
    '/home/ada/plans/.ipycheckpoint'
    """
    if told is not None:
        return Place(here / Path(told).expanduser(), "--cache says so")
    if from_environment := environ.get("IPYCHECKPOINT_DIR"):
        return Place(here / Path(from_environment).expanduser(), "IPYCHECKPOINT_DIR says so")
    if work is not None:
        path = here / Path(work).expanduser()
        return Place((path if path.is_dir() else path.parent) / DIRECTORY, f"it is beside {path.name}")
    return Place(here / DIRECTORY, "notebooks and scripts in this directory keep their results there")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    parser.add_argument("work", nargs="?", metavar="NOTEBOOK", help="of this notebook or script, or of this directory")


def answer(context: Context, _: argparse.Namespace) -> Answer:
    """The place of the cache, the reason for it, and whether there is anything."""
    place = context.place
    is_there = place.directory is not None and place.directory.is_dir()
    count = context.cache.catalogue.totals().records if is_there or place.directory is None else 0
    data = {"directory": context.cache.location, "reason": place.reason, "exists": is_there, "records": count}
    told = f"{count:,} record{'' if count == 1 else 's'}" if is_there else "nothing is kept there yet"
    return Answer(data, (context.cache.location, f"{place.reason}; {told}"))
