"""A closed file is a value; an open one isn't."""

from __future__ import annotations

import pytest

from ipycheckpoint.errors import CannotKeep, Unidentifiable
from ipycheckpoint.identity.values import digest_value
from ipycheckpoint.record.codec import decode, encode

OPENINGS = [("w", None), ("r", "utf-8"), ("wb", None), ("rb", None), ("r+b", None), ("xb", None), ("rb", 0)]


def opened(path, mode, how):
    if "x" not in mode:
        path.write_text("text")
    if how == 0:
        return path.open(mode, buffering=0)
    return path.open(mode, encoding=how if "b" not in mode else None)


@pytest.mark.parametrize(("mode", "how"), OPENINGS)
def test_a_closed_file_comes_back_closed_with_its_name_and_mode(tmp_path, mode, how):
    with opened(tmp_path / "file", mode, how) as file:
        pass
    [section] = encode({"f": file})
    back = decode(section.stream, section.buffers)["f"]
    assert back.closed
    assert type(back) is type(file)
    assert back.name == file.name
    assert getattr(back, "mode", "") == mode or "b" in mode  # a binary one takes its mode from the system
    assert digest_value(back) == digest_value(file)
    with pytest.raises(ValueError, match="closed file"):
        back.tell()


def test_an_open_file_is_neither_kept_nor_identified(tmp_path):
    with (tmp_path / "file").open("w") as file:
        with pytest.raises(CannotKeep, match="open file"):
            encode({"f": file})
        with pytest.raises(Unidentifiable, match="open file"):
            digest_value(file)


def test_two_closed_files_differ_by_their_name(tmp_path):
    files = [(tmp_path / name).open("w") for name in "ab"]
    for file in files:
        file.close()
    assert digest_value(files[0]) != digest_value(files[1])
