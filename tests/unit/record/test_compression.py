"""Compressed bytes come back exactly, and never more of them than was promised."""

from __future__ import annotations

import lzma
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.errors import FormatError, UsageError
from ipycheckpoint.record.compression import COMPRESSIONS, check_compression, compress, decompress

PACKING = [name for name in COMPRESSIONS if name != "none"]


@pytest.mark.parametrize("compression", PACKING)
@given(piece=st.binary(min_size=1, max_size=50), times=st.integers(10, 300))
def test_bytes_come_back_exactly(compression, piece, times):
    data = piece * times
    packed = compress(memoryview(data), compression)
    if packed is not None:
        assert len(packed) < len(data)
        assert bytes(decompress("x", memoryview(packed), compression, len(data))) == data


@pytest.mark.parametrize("compression", PACKING)
def test_what_spans_several_slices_comes_back(compression):
    data = os.urandom(100_000) * 35
    packed = compress(memoryview(data), compression)
    if compression == "small":  # only its window is wide enough to see that the noise repeats
        assert len(packed) < 200_000
        assert bytes(decompress("x", memoryview(packed), compression, len(data))) == data
    else:
        assert packed is None
    data = bytes(3_000_001)
    assert bytes(decompress("x", memoryview(compress(memoryview(data), compression)), compression, len(data))) == data


@pytest.mark.parametrize("compression", PACKING)
@pytest.mark.parametrize("data", [b"", b"a" * 100, os.urandom(5000), os.urandom(3_000_000)], ids=len)
def test_what_would_not_get_smaller_stays_as_it_is(compression, data):
    assert compress(memoryview(data), compression) is None


def test_none_compresses_nothing():
    assert compress(memoryview(bytes(10_000)), "none") is None


@pytest.mark.parametrize("compression", PACKING)
def test_what_comes_back_is_private_and_writable(compression):
    packed = memoryview(compress(memoryview(bytes(10_000)), compression))
    first, second = (decompress("x", packed, compression, 10_000) for _ in range(2))
    first[0] = 1
    assert second[0] == 0


@pytest.mark.parametrize("compression", PACKING)
@pytest.mark.parametrize("promised", [0, 1, 9_999, 10_001, 1 << 40])
def test_another_length_than_was_promised_is_a_format_error(compression, promised):
    packed = compress(memoryview(bytes(10_000)), compression)
    with pytest.raises(FormatError, match=r"its header promises|that its header promises"):
        decompress("section 0", memoryview(packed), compression, promised)


def packed_zeros(compression, nbytes):
    made = zlib.compressobj(9) if compression == "fast" else lzma.LZMACompressor(check=lzma.CHECK_NONE)
    parts = [made.compress(bytes(1 << 20)) for _ in range(nbytes >> 20)]
    return b"".join((*parts, made.flush()))


@pytest.mark.parametrize("compression", PACKING)
def test_a_bomb_is_stopped_at_what_its_header_promises(compression, monkeypatch):
    bomb = memoryview(packed_zeros(compression, 1 << 28))
    assert bomb.nbytes < 1 << 20
    made = 0
    real = bytearray

    class Counting(real):
        def __iadd__(self, more):
            nonlocal made
            made += len(more)
            return super().__iadd__(more)

    monkeypatch.setattr("ipycheckpoint.record.compression.bytearray", Counting, raising=False)
    with pytest.raises(FormatError, match="more than the 1,000 bytes"):
        decompress("section 0", bomb, compression, 1000)
    assert made <= 1001


@pytest.mark.parametrize("compression", PACKING)
@pytest.mark.parametrize("spoil", [lambda data: data[:-3], lambda data: b"", lambda data: b"no " + data[3:]])
def test_damage_is_a_format_error(compression, spoil):
    packed = spoil(compress(memoryview(bytes(10_000)), compression))
    with pytest.raises(FormatError, match="section 0"):
        decompress("section 0", memoryview(packed), compression, 10_000)


def test_lzma_that_wants_a_dictionary_of_gigabytes_is_refused():
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    packed = lzma.compress(bytes(1000), check=lzma.CHECK_NONE, filters=filters)
    with pytest.raises(FormatError, match="can't be decompressed"):
        decompress("x", memoryview(packed), "small", 1000)


def test_a_compression_from_the_future_is_a_format_error_that_says_so():
    with pytest.raises(FormatError, match=r"section 3 is compressed as 'zstd'.*a newer release can read it"):
        decompress("section 3", memoryview(b"x"), "zstd", 1)


def test_an_unknown_setting_names_what_is_allowed():
    with pytest.raises(UsageError, match="none, fast, small"):
        check_compression("zip")
