"""What a record has that is a file of its own: compressed parts, and texts in its first line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import FormatError, IntegrityError
from ipycheckpoint.record.codec import decode, encode
from ipycheckpoint.record.format import (
    begins_as_record,
    check_payload,
    lay_out,
    read_header,
    read_section,
    signed_again,
    text_bytes,
    write,
)
from ipycheckpoint.record.record import ALIGNMENT, Header, Output
from ipycheckpoint.record.trust import Keyring

KEYRING = Keyring(secret=b"k" * 32)
OTHER = Keyring(secret=b"o" * 32)
SOME = digest_bytes(b"some")
VALUES = {"zeros": np.zeros(5000), "text": "abc" * 1000, "empty": np.zeros(0)}


def header(sections=(), **changes):
    fields = {
        "kind": "savepoint",
        "label": "a label",
        "key": SOME,
        "created": 1.5,
        "seconds": 0.0,
        "ingredients": (),
        "outputs": tuple(Output(name, "data") for name in VALUES),
        "sections": tuple(sections),
        "environment": SOME,
        **changes,
    }
    return Header(**fields)


def record(values, compression, attached=None, keyring=KEYRING):
    layout = lay_out(encode(values), inline_all=True, compression=compression)
    assert not layout.blobs
    return b"".join(write(header(layout.sections), layout.chunks, keyring.sign, attached))


def load(stored):
    values = {}
    for index in range(len(stored.header.sections)):
        values |= decode(*read_section(stored, index, lambda digest: None))
    return values


def line_of(data):
    return json.loads(data.splitlines()[0])


def with_line(data, wrapped):
    line = json.dumps(wrapped, separators=(",", ":")).encode()
    return line + b" " * (-(len(line) + 1) % ALIGNMENT) + b"\n" + bytes(read_header(data).payload)


@pytest.mark.parametrize("compression", ["none", "fast", "small"])
def test_values_come_back_and_can_be_written_to(compression):
    loaded = load(read_header(record(VALUES, compression)))
    assert repr(loaded) == repr(VALUES)
    loaded["zeros"][0] = 1


@pytest.mark.parametrize("compression", ["fast", "small"])
def test_what_is_compressed_is_smaller_in_the_file_and_its_header_tells_both_sizes(compression):
    data = record(VALUES, compression)
    stored = read_header(data)
    assert len(data) < len(record(VALUES, "none")) / 5
    assert stored.header.nbytes == read_header(record(VALUES, "none")).header.nbytes
    [buffer] = stored.header.sections[0].buffers
    assert buffer.nbytes == 40_000
    assert buffer.packed is not None
    assert buffer.packed.compression == compression


@pytest.mark.parametrize("compression", ["fast", "small"])
def test_digests_are_of_the_bytes_in_the_file(compression):
    stored = read_header(record(VALUES, compression))
    [buffer] = stored.header.sections[0].buffers
    assert digest_bytes(stored.payload[buffer.offset : buffer.offset + buffer.packed.nbytes]) == buffer.digest


def test_compressed_parts_begin_at_multiples_of_the_alignment():
    refs = read_header(record(VALUES, "fast")).header.sections
    assert all(place.offset % ALIGNMENT == 0 for ref in refs for place in (ref, *ref.buffers))


def test_blobs_are_never_compressed():
    layout = lay_out(encode({"a": np.zeros(100_000)}), compression="small")
    [blob] = layout.blobs.values()
    assert blob.nbytes == 800_000
    assert layout.sections[0].buffers[0].packed is None


def test_a_record_without_compression_says_nothing_of_it_that_an_earlier_reader_would_mind():
    for section in line_of(record(VALUES, "none"))["header"]["sections"]:
        assert section.get("packed") is None
        assert all(buffer.get("packed") is None for buffer in section.get("buffers", ()))


def test_a_compression_from_the_future_shows_its_header_and_says_who_can_read_it():
    wrapped = line_of(data := record(VALUES, "fast"))
    wrapped["header"]["sections"][0]["buffers"][0]["packed"]["compression"] = "zstd"
    stored = read_header(with_line(data, wrapped))
    assert [output.name for output in stored.header.outputs] == list(VALUES)
    with pytest.raises(FormatError, match=r"buffer 0 of section 0 is compressed as 'zstd'.*a newer release"):
        read_section(stored, 0, lambda digest: None)
    assert decode(*read_section(stored, 1, lambda digest: None)) == {"text": VALUES["text"]}


def test_a_header_that_promises_too_little_gets_no_more():
    wrapped = line_of(data := record(VALUES, "fast"))
    wrapped["header"]["sections"][0]["buffers"][0]["nbytes"] = 100
    with pytest.raises(FormatError, match="more than the 100 bytes"):
        read_section(read_header(with_line(data, wrapped)), 0, lambda digest: None)


@pytest.mark.parametrize("packed", [7, "fast", [], {"compression": "fast"}, {"compression": 1, "nbytes": 2},
                                    {"compression": "fast", "nbytes": -1}])  # fmt: skip
def test_nonsense_about_compression_is_a_format_error(packed):
    wrapped = line_of(data := record(VALUES, "fast"))
    wrapped["header"]["sections"][0]["packed"] = packed
    with pytest.raises(FormatError):
        read_header(with_line(data, wrapped))


SAMPLE = record({"a": np.arange(500), "b": ["x"] * 300}, "fast", {digest_bytes(b"some"): "some"})
SAMPLE_VALUES = repr(load(read_header(SAMPLE)))


@given(st.integers(0, len(SAMPLE) - 1), st.integers(1, 255))
def test_one_altered_byte_is_one_of_our_errors_or_a_bad_signature_or_of_no_account(position, change):
    data = bytearray(SAMPLE)
    data[position] ^= change
    try:
        stored = read_header(data)
        if KEYRING.verify(stored.signed, stored.signature):
            assert repr(load(stored)) == SAMPLE_VALUES
            assert stored.text(SOME) in ("some", None)
    except (FormatError, IntegrityError):
        pass


# Attached texts


@given(st.text())
def test_an_attached_text_comes_back(text):
    wanted = digest_bytes(text_bytes(text))
    assert read_header(record({}, "none", {wanted: text})).text(wanted) == text


def test_what_is_not_attached_is_none():
    assert read_header(record({}, "none")).text(SOME) is None


def test_an_altered_text_is_an_integrity_error():
    data = record({}, "none", {SOME: "some"}).replace(b'"some"', b'"sume"')
    with pytest.raises(IntegrityError):
        read_header(data).text(SOME)


def test_the_texts_are_in_the_first_line_for_any_reader_of_json():
    assert line_of(record(VALUES, "fast", {SOME: "some"}))["attached"] == {SOME: "some"}


def test_a_record_without_texts_has_no_place_for_them():
    assert "attached" not in line_of(record(VALUES, "fast"))


@pytest.mark.parametrize("attached", [None, 1, [], {"x": 1}])
def test_attached_nonsense_is_no_text(attached):
    wrapped = line_of(data := record({}, "none"))
    wrapped["attached"] = attached
    assert read_header(with_line(data, wrapped)).text(SOME) is None


# Whole records


def test_signing_again_changes_the_signature_and_nothing_else():
    data = record(VALUES, "fast", {SOME: "some"}, OTHER)
    again = b"".join(signed_again(data, KEYRING.sign))
    stored = read_header(again)
    assert KEYRING.verify(stored.signed, stored.signature)
    assert {**line_of(again), "signature": None} == {**line_of(data), "signature": None}
    assert repr(load(stored)) == repr(VALUES)


def test_signing_again_keeps_what_a_newer_release_has_added():
    wrapped = line_of(data := record({}, "none", keyring=OTHER))
    wrapped["header"]["new"] = {"x": [1.5, float("1e300")]}
    wrapped["more"] = 1
    again = b"".join(signed_again(with_line(data, wrapped), KEYRING.sign))
    assert line_of(again)["header"]["new"] == {"x": [1.5, 1e300]}
    assert line_of(again)["more"] == 1
    stored = read_header(again)
    assert KEYRING.verify(stored.signed, stored.signature)


def test_a_payload_is_checked_without_loading_it():
    data = record(VALUES, "fast")
    check_payload(read_header(data))
    with pytest.raises(FormatError, match="cut off"):
        check_payload(read_header(data[:-1]))
    with pytest.raises(IntegrityError):
        check_payload(read_header(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]))  # what comes last may be padding


def test_a_record_is_known_by_how_it_begins():
    assert begins_as_record(record({}, "none"))
    assert not begins_as_record(b"PK\x03\x04")
    assert not begins_as_record(b"")
