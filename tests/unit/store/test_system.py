from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ipycheckpoint.store.system import REAL, make_folders, read_whole, remove_file, sync_folder, write_new


@pytest.mark.parametrize("nbytes", [0, 1, 65_535, 65_536, 200_000])
@pytest.mark.parametrize("mapped", [False, True])
def test_what_was_written_is_read_private_and_writable(nbytes: int, mapped: bool, tmp_path: Path) -> None:
    path, data = str(tmp_path / "x"), os.urandom(nbytes)
    write_new(REAL, path, [data[:7], memoryview(data)[7:]], durable=True)
    view, status = read_whole(REAL, path, mapped=mapped)
    assert (bytes(view), status.st_size) == (data, nbytes)
    view[:1] = b"!"[:nbytes]
    assert Path(path).read_bytes() == data


def test_a_file_is_never_written_in_place_of_another(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(FileExistsError):
        write_new(REAL, str(tmp_path / "x"), [b"1"])
    assert (tmp_path / "x").read_text() == "mine"


def test_a_file_that_is_cut_off_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(100))
    given = iter([b"1" * 40, b""])
    with pytest.raises(OSError, match="cut off"):
        read_whole(replace(REAL, read=lambda *_: next(given)), str(tmp_path / "x"))


def test_a_link_is_followed_or_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    assert bytes(read_whole(REAL, str(tmp_path / "link"))[0]) == b"1"
    with pytest.raises(OSError, match="symbolic links"):
        read_whole(REAL, str(tmp_path / "link"), links=False)


def test_folders_that_are_made_are_told_the_uppermost_first(tmp_path: Path) -> None:
    wanted = [str(tmp_path / "a"), str(tmp_path / "a/b"), str(tmp_path / "a/b/c")]
    assert make_folders(REAL, wanted[-1], 0o700) == wanted
    assert make_folders(REAL, wanted[-1], 0o700) == []


def test_what_is_removed_was_there(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    assert remove_file(REAL, str(tmp_path / "x"))
    assert not remove_file(REAL, str(tmp_path / "x"))


@pytest.mark.parametrize(("code", "tolerated"), [("EINVAL", True), ("ENOTSUP", True), ("EIO", False)])
def test_a_file_system_that_cannot_sync_a_folder_is_put_up_with(code: str, tolerated: bool, tmp_path: Path) -> None:
    import errno

    def fsync(_: int) -> None:
        raise OSError(getattr(errno, code), code)

    if tolerated:
        sync_folder(replace(REAL, fsync=fsync), str(tmp_path))
    else:
        with pytest.raises(OSError, match=code):
            sync_folder(replace(REAL, fsync=fsync), str(tmp_path))
