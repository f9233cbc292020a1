"""Watched files count by what is in them, pinned packages by their version."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ipycheckpoint.engine.sources import pinned, watched
from ipycheckpoint.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def digest_of(path: object) -> str:
    (ingredient,) = watched([str(path)])
    return ingredient.digest


def test_a_file_counts_by_its_content_not_by_its_time(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"one")
    before = digest_of(file)
    os.utime(file, (1, 1))
    assert digest_of(file) == before
    file.write_bytes(b"two")
    assert digest_of(file) != before


def test_a_file_that_is_changed_behind_an_old_time_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"one")
    os.utime(file, (1, 1))
    before = digest_of(file)
    file.write_bytes(b"two")
    os.utime(file, (1, 1))
    assert digest_of(file) != before


def test_absent_empty_and_there_all_differ(tmp_path: Path) -> None:
    file = tmp_path / "data"
    absent = digest_of(file)
    file.write_bytes(b"")
    empty = digest_of(file)
    file.write_bytes(b"x")
    assert len({absent, empty, digest_of(file)}) == 3


@pytest.mark.parametrize("pattern", ["", "/*", "/**"])
def test_files_of_a_directory_or_glob_count_by_name_and_content(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    seen = {digest_of(f"{tmp_path}{pattern}")}
    (tmp_path / "b").rename(tmp_path / "c")
    seen.add(digest_of(f"{tmp_path}{pattern}"))
    (tmp_path / "c").write_bytes(b"3")
    seen.add(digest_of(f"{tmp_path}{pattern}"))
    assert len(seen) == 3


def test_a_preview_tells_how_much_there_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert watched([tmp_path / "a"])[0].preview == "1 file, 5 bytes"
    assert watched([tmp_path / "b"])[0].preview == "not there"


def test_a_package_counts_by_its_version() -> None:
    (ingredient,) = pinned(["pytest"])
    assert ingredient.preview == pytest.__version__


def test_a_package_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(UsageError, match="no-such-package"):
        pinned(["no-such-package"])
