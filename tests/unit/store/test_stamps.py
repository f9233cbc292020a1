"""A stamp is relied upon only where no later write can leave the file with the same one."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from ipycheckpoint.store.directory import DirectoryStore
from ipycheckpoint.store.stamps import Stamp, stamp_from

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere there is no time of change")

LONG_AGO = time.time_ns() // 1_000_000 * 1_000_000 - 10 * 10**9 + 123_457
NOW = LONG_AGO + 3600 * 10**9
"""A moment that isn't over, however long the tests take."""

CONTENT = bytes(100_000)


@pytest.mark.parametrize(
    ("modified", "changed", "is_telling"),
    [
        (NOW, NOW, False),
        (LONG_AGO, LONG_AGO, True),
        (NOW, NOW + 1, True),
        (NOW + 1, NOW, True),
        (LONG_AGO, NOW, True),
        (LONG_AGO // 10**9 * 10**9, LONG_AGO, False),
        (LONG_AGO, LONG_AGO // 10**7 * 10**7, False),
        (0, 0, False),
    ],
    ids=["written now", "settled", "set apart", "ahead of the clock", "set back", "coarse", "coarse change", "epoch"],
)
def test_times_tell_or_they_do_not(modified: int, changed: int, is_telling: bool) -> None:
    assert Stamp(1, 2, 3, modified, changed).is_telling is is_telling


@pytest.mark.parametrize(
    "plain", [None, 5, "12345", {}, [], [1, 2, 3, 4], [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, True], [1.0] * 5]
)
def test_what_is_no_stamp_is_none(plain: object) -> None:
    assert stamp_from(plain) is None


def test_a_stamp_comes_back_from_its_numbers() -> None:
    stamp = Stamp(1, 2, 3, NOW, NOW + 1)
    assert stamp_from(list(stamp)) == stamp


def test_a_file_that_was_put_just_now_tells_of_every_write(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put("blobs/5f", [CONTENT])
    stamp = store.stamp("blobs/5f")
    assert stamp is not None
    assert stamp.is_telling
    with (tmp_path / "files/blobs/@5f/5f").open("r+b") as stream:
        stream.write(b"x")
    assert store.stamp("blobs/5f") != stamp
    store.close()


def test_a_blob_that_was_renewed_has_another_stamp(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put("blobs/5f", [CONTENT])
    stamp = store.stamp("blobs/5f")
    store.renew("blobs/5f", time.time() + 10)
    assert store.stamp("blobs/5f") != stamp
    store.close()


def test_what_is_read_has_the_stamp_of_its_file(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put("blobs/5f", [CONTENT])
    content = store.get("blobs/5f")
    assert content is not None
    assert content.stamp == store.stamp("blobs/5f") == Stamp.of((tmp_path / "files/blobs/@5f/5f").stat())
    store.close()


def test_a_row_and_nothing_have_no_stamp(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put("blobs/5f", [b"small"])
    assert store.stamp("blobs/5f") is None
    assert store.stamp("blobs/60") is None
    store.close()
