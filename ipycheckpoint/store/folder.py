"""The folder that holds a cache: private, out of version control, out of backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

GITIGNORE = "*\n"

CACHEDIR_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This directory holds results that ipycheckpoint keeps; they can be computed again.\n"
    "# See https://bford.info/cachedir/ for what this file means to backup programs.\n"
)


def make_folder(path: Path) -> None:
    """Make the folder `path` for this user alone, unless it is there.

    Only a folder that was made here, or is empty, gets its `.gitignore` and ``CACHEDIR.TAG``: another one may be the
    user's own project, which is to stay under version control.

    Raises:
        OSError: it can't be made.
    """
    if (path / "CACHEDIR.TAG").exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if any(path.iterdir()):
            return
    (path / ".gitignore").write_text(GITIGNORE, encoding="utf-8")
    (path / "CACHEDIR.TAG").write_text(CACHEDIR_TAG, encoding="utf-8")
