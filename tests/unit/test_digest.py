"""The encoding under every Digest is injective."""

from __future__ import annotations

import numpy as np
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.digest import Hasher, digest, digest_bytes

FIELDS = st.lists(st.binary(max_size=20), max_size=5)


@given(st.text(max_size=5), FIELDS, st.text(max_size=5), FIELDS)
def test_two_sequences_of_fields_have_one_digest_only_if_they_are_equal(kind, fields, other_kind, other_fields):
    same = (kind, fields) == (other_kind, other_fields)
    assert (digest(kind, *fields) == digest(other_kind, *other_fields)) == same


@given(FIELDS, st.integers(0, 5))
def test_where_a_field_ends_counts(fields, cut):
    assert digest("x", *fields, b"ab", b"c") != digest("x", *fields, b"a", b"bc")


def test_a_field_has_one_digest_however_its_buffer_is_shaped():
    array = np.arange(600_000, dtype="f8").reshape(3, 200_000)
    assert digest("x", memoryview(array)) == digest("x", array.tobytes())


def test_a_large_field_differs_from_the_small_field_of_its_hash():
    large = bytes(1 << 20)
    assert digest("x", large) != digest("x", blake3(large).digest())


@given(st.lists(st.binary(max_size=50), max_size=4))
def test_the_digest_of_bytes_is_their_plain_blake3_however_they_are_cut(chunks):
    assert digest_bytes(*chunks) == blake3(b"".join(chunks)).hexdigest()


def test_the_digest_of_many_bytes_is_their_plain_blake3():
    chunk = np.arange(300_000, dtype="i4")
    assert digest_bytes(memoryview(chunk), b"end") == blake3(chunk.tobytes() + b"end").hexdigest()


def test_an_empty_array_has_a_digest():
    assert digest("x", memoryview(np.empty((0, 3)))) == digest("x", b"")


def test_a_hasher_may_be_asked_before_its_last_field():
    hasher = Hasher("x").field(b"a")
    first = hasher.hexdigest()
    assert first == digest("x", b"a")
    assert hasher.field(b"b").hexdigest() == digest("x", b"a", b"b")
