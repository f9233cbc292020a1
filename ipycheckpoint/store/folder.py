"""The folder that holds a cache: private, out of version control, out of backups."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from ipycheckpoint.store.system import REAL, make_folders, write_new

if TYPE_CHECKING:
    from pathlib import Path

    from ipycheckpoint.store.system import System

DIRECTORY = ".ipycheckpoint"
"""The name of the cache directory beside a notebook or script."""

GITIGNORE = "*\n"

CACHEDIR_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This directory holds results that ipycheckpoint keeps; they can be computed again.\n"
    "# See https://bford.info/cachedir/ for what this file means to backup programs.\n"
)


def make_folder(path: Path, system: System = REAL) -> None:
    """Make the folder `path` for this user alone, unless it is there.

    Only a folder that was made here, or is empty, gets its `.gitignore` and ``CACHEDIR.TAG``: another one may be the
    user's own project, which is to stay under version control.

    Raises:
        OSError: it can't be made.
    """
    folder = str(path)
    if os.path.exists(f"{folder}/CACHEDIR.TAG"):
        return
    make_folders(system, os.path.dirname(folder))
    try:
        system.mkdir(folder, 0o700)
    except FileExistsError:
        # Who was killed in the middle of this has left the first of the two.
        if any(item.name != ".gitignore" for item in system.scan(folder)):
            return
    for name, text in ((".gitignore", GITIGNORE), ("CACHEDIR.TAG", CACHEDIR_TAG)):
        # Never through a link, and never in place of what the user has there.
        with suppress(FileExistsError):
            write_new(system, f"{folder}/{name}", [text.encode()])
