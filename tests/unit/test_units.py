"""Sizes, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.errors import UsageError
from ipycheckpoint.units import parse_size


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("4096", 4096),
        ("1.5 GB", 1_500_000_000),
        ("500MB", 500_000_000),
        ("500mb", 500_000_000),
        ("2GiB", 2**31),
        ("1Ki", 1024),
        ("3kB", 3000),
        ("3KB", 3000),
        (" 1 T ", 10**12),
        ("7B", 7),
        (10.9, 10),
    ],
)
def test_sizes(text, nbytes):
    assert parse_size(text) == nbytes


@pytest.mark.parametrize("text", ["", "GB", "5XB", "-1MB", "1 MB 2", "1e9", "١MB", "5iB", "5 MBB"])
def test_what_is_no_size_is_an_error_that_says_how_to_write_one(text):
    with pytest.raises(UsageError, match=r"is no size: .*5GB"):
        parse_size(text)


@given(st.integers(0, 2**53))
def test_a_number_of_bytes_is_itself(nbytes):
    assert parse_size(str(nbytes)) == parse_size(nbytes) == nbytes
