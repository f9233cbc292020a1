"""Whoever does long work says how far it has come, and only who listens hears of it."""

from __future__ import annotations

import threading

import pytest

from ipycheckpoint import progress
from ipycheckpoint.digest import digest, digest_bytes
from ipycheckpoint.progress import Progress, advance, measured, slices, told_to


@pytest.fixture
def heard():
    """What is told in this test."""
    heard: list[Progress] = []
    with told_to(heard.append, "working"):
        yield heard


@pytest.fixture
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SLICE_NBYTES", 4)


def test_what_nobody_listens_to_is_told_to_nobody():
    with measured("keeping", 10) as meter:
        advance(5)
        meter.complete(10)


def test_bytes_that_are_done_add_up(heard):
    with measured("keeping", 10):
        advance(3)
        advance(4)
    assert heard == [Progress("keeping", done, 10) for done in (0, 3, 7)]


def test_no_more_is_done_than_there_is(heard):
    with measured("keeping", 10):
        advance(11)
    assert heard[-1] == Progress("keeping", 10, 10)


@pytest.mark.parametrize("said", [(), (4,), (2, 2), (1,)])
def test_a_complete_part_counts_once_whatever_was_said_on_the_way(heard, said):
    with measured("keeping", 10) as meter:
        for nbytes in said:
            advance(nbytes)
        meter.complete(4)
    assert heard[-1].done == 4


def test_after_a_measured_block_the_outer_one_is_told_of_again(heard):
    with pytest.raises(ZeroDivisionError), measured("keeping", 10):
        1 / 0
    advance()
    assert heard[-1] == Progress("working")


def test_after_its_block_a_listener_hears_nothing():
    heard: list[Progress] = []
    with told_to(heard.append, "working"):
        pass
    count = len(heard)
    advance(1)
    assert len(heard) == count


def test_another_thread_is_not_heard(heard):
    count = len(heard)
    thread = threading.Thread(target=advance, args=(1,))
    thread.start()
    thread.join()
    assert len(heard) == count


@pytest.mark.usefixtures("_small_slices")
@pytest.mark.parametrize("chunk", [b"", b"abcd", b"abcde", bytes(range(13)), memoryview(bytes(8)).cast("H")])
def test_slices_are_small_and_make_up_the_whole(chunk):
    pieces = [bytes(piece) for piece in slices(chunk)]
    assert b"".join(pieces) == bytes(chunk)
    assert max(map(len, pieces)) <= 4


@pytest.mark.usefixtures("_small_slices")
def test_a_digest_is_told_of_slice_by_slice(heard):
    with measured("keeping", 1 << 20):
        digest_bytes(bytes(1 << 20))
    assert Progress("keeping", 4, 1 << 20) in heard
    assert heard[-1] == Progress("keeping", 1 << 20, 1 << 20)


@pytest.mark.parametrize("nbytes", [5, (1 << 20) + 5])
def test_a_digest_is_the_same_in_slices(monkeypatch, nbytes):
    data = bytes(range(250)) * (nbytes // 250 + 1)
    whole = digest_bytes(data), digest("x", data)
    monkeypatch.setattr(progress, "SLICE_NBYTES", 1000)
    assert (digest_bytes(data), digest("x", data)) == whole
