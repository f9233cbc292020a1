from __future__ import annotations

import json
import math
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.errors import FormatError, IntegrityError
from ipycheckpoint.identity.identity import Ingredient, Part
from ipycheckpoint.record import format as record_format
from ipycheckpoint.record.codec import Section, decode, encode
from ipycheckpoint.record.format import BLOB_NBYTES, lay_out, read_header, read_section, write
from ipycheckpoint.record.record import ALIGNMENT, Header, Output
from ipycheckpoint.record.trust import Keyring, Signature

KEYRING = Keyring(secret=b"k" * 32)
SOME = digest_bytes(b"some")

text = st.text(max_size=5)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)


def header(sections=(), **changes):
    fields = {
        "kind": "call",
        "label": "a label",
        "key": SOME,
        "created": 1.5,
        "seconds": 2.0,
        "ingredients": (Ingredient("code", "f", SOME, "…", "def f(): …", {"['a']": Part(SOME, "1")}),),
        "outputs": (Output("result", "result", "int", 8, "42", 0 if sections else None),),
        "sections": tuple(sections),
        "environment": SOME,
        **changes,
    }
    return Header(**fields)


def record(values, *, inline_all=True):
    layout = lay_out(encode(values), inline_all=inline_all)
    chunks = write(header(layout.sections), layout.chunks, KEYRING.sign)
    return bytearray(b"".join(chunks)), layout.blobs


def load(data, blobs=None):
    stored = read_header(data)
    assert KEYRING.verify(stored.signed, stored.signature)
    values = {}
    for index in range(len(stored.header.sections)):
        stream, buffers = read_section(stored, index, lambda digest: memoryview(bytearray((blobs or {})[digest])))
        values |= decode(stream, buffers)
    return values


@given(
    label=text,
    created=st.floats(-253402300799, 253402300799),
    tags=st.lists(st.tuples(text, text)).map(tuple),
    expires=st.none() | st.floats(allow_nan=False),
    trace=st.dictionaries(text, plain, max_size=3),
    notes=st.lists(text).map(tuple),
)
def test_a_header_comes_back_as_it_was_and_its_line_is_json(**fields):
    written = header(**fields)
    data = b"".join(write(written, sign=KEYRING.sign))
    line = data.splitlines()[0]
    json.loads(line, parse_constant=pytest.fail)
    stored = read_header(data)
    assert repr(stored.header) == repr(written)
    assert KEYRING.verify(stored.signed, stored.signature)


def test_numbers_that_json_has_not_come_back():
    stored = read_header(b"".join(write(header(trace={"a": math.nan}, expires=math.inf))))
    assert math.isnan(stored.header.trace["a"])
    assert stored.header.expires == math.inf


def test_values_come_back_through_the_bytes_of_a_record():
    values = {"a": np.arange(100_000), "b": [1, {"c": np.ones(3)}], "e": np.zeros(0)}
    back = load(record(values)[0])
    assert np.array_equal(back["a"], values["a"])
    assert repr(back["b"]) == repr(values["b"])


def test_sections_and_inline_buffers_begin_at_multiples_of_the_alignment():
    data, _ = record({"a": np.arange(1001, dtype="i1"), "b": "text", "c": np.arange(3)})
    stored = read_header(data)
    offsets = [place.offset for ref in stored.header.sections for place in (ref, *ref.buffers)]
    assert all(offset % ALIGNMENT == 0 for offset in offsets)
    assert (len(data) - stored.payload.nbytes) % ALIGNMENT == 0


def test_large_buffers_are_blobs_and_equal_ones_are_one():
    large = np.zeros(BLOB_NBYTES, "u1")
    values = {"a": large, "b": large.copy(), "small": large[:-1].copy()}
    data, blobs = record(values, inline_all=False)
    assert list(blobs) == [digest_bytes(large)]
    back = load(data, blobs)
    back["a"][:] = 1
    assert not back["b"].any()


def test_all_that_is_loaded_can_be_written_to():
    data, _ = record({"a": np.arange(10)})
    stored = read_header(bytes(data))
    _, [buffer] = read_section(stored, 0, lambda digest: None)
    assert not buffer.readonly


def test_the_name_of_a_field_from_the_future_is_no_error():
    wrapped = json.loads(bytes(record({"a": 1})[0]).splitlines()[0])
    wrapped["header"]["new"] = wrapped["header"]["outputs"][0]["new"] = {"x": 1}
    wrapped["more"] = 1
    stored = read_header(json.dumps(wrapped).encode() + b"\n")
    assert stored.header.label == "a label"
    assert b'"new"' in stored.signed


def test_an_earlier_format_is_upgraded_step_by_step_and_its_own_bytes_are_what_was_signed(monkeypatch):
    data, _ = record({"a": 1})
    signed = read_header(data).signed
    monkeypatch.setattr(record_format, "FORMAT_VERSION", 3)
    monkeypatch.setitem(record_format._upgrades, 1, lambda old: {**old, "label": old["label"] + " 2"})
    monkeypatch.setitem(record_format._upgrades, 2, lambda old: {**old, "label": old["label"] + " 3"})
    stored = read_header(data)
    assert stored.header.label == "a label 2 3"
    assert stored.signed == signed


def test_a_format_from_the_future_is_an_error_that_says_so(monkeypatch):
    monkeypatch.setattr(record_format, "FORMAT_VERSION", 2)
    data, _ = record({"a": 1})
    monkeypatch.undo()
    with pytest.raises(FormatError, match="a newer release can read it"):
        read_header(data)


LINE = bytes(record({"a": 1})[0]).splitlines()[0].decode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}\n",
        b"\x80\x05pickle",
        b'{"ipycheckpoint":1',
        b'{"ipycheckpoint":1}\n',
        b'{"ipycheckpoint":true,"header":{}}\n',
        b'{"ipycheckpoint":-1,"header":{}}\n',
        b'{"ipycheckpoint":' + b"9" * 5000 + b"}\n",
        b'{"ipycheckpoint":' + b"[" * 100_000 + b"\n",
        LINE.replace(SOME, "../../escape").encode() + b"\n",
        LINE.replace('"section":0', '"section":7').encode() + b"\n",
        LINE.replace('"offset":0', '"offset":-1').encode() + b"\n",
        LINE.replace('"nbytes":8', '"nbytes":1e3').encode() + b"\n",
        LINE.replace('"created":1.5', '"created":"1"').encode() + b"\n",
        LINE.replace('"label":', '"tags":[1],"label":').encode() + b"\n",
    ],
    ids=lambda data: repr(data[:30]),
)
def test_what_is_no_record_is_a_format_error(data):
    with pytest.raises(FormatError):
        read_header(data)


# Damage


class Canary:
    """Tells when it is unpickled."""

    sang = False

    def __reduce__(self):
        return sing, ()


def sing():
    Canary.sang = True


SAMPLE, _ = record({"canary": Canary(), "a": np.arange(5), "b": ["x"] * 3})
VALUES = repr(load(bytearray(SAMPLE)))


def careful(data):
    """As a reader must: nothing is unpickled behind a bad signature or a bad Digest."""
    stored = read_header(data)
    if not KEYRING.verify(stored.signed, stored.signature):
        return None
    sections = [read_section(stored, index, lambda digest: None) for index in range(len(stored.header.sections))]
    return {name: value for section in sections for name, value in decode(*section).items()}


@given(st.integers(0, len(SAMPLE) - 1), st.integers(1, 255))
def test_one_altered_byte_is_one_of_our_errors_or_a_bad_signature_or_of_no_account(position, change):
    data = bytearray(SAMPLE)
    data[position] ^= change
    Canary.sang = False
    try:
        values = careful(data)
    except (FormatError, IntegrityError):
        values = None
    if values is None:
        assert not Canary.sang
    else:
        assert repr(values) == VALUES, "only padding was altered"


@given(st.integers(0, len(SAMPLE) - 1))
def test_a_record_cut_off_anywhere_is_one_of_our_errors(length):
    Canary.sang = False
    with pytest.raises((FormatError, IntegrityError)):
        careful(SAMPLE[:length])
    assert not Canary.sang


def test_an_altered_blob_is_an_integrity_error_before_anything_is_unpickled():
    data, blobs = record({"a": [Canary(), np.zeros(BLOB_NBYTES)]}, inline_all=False)
    Canary.sang = False
    with pytest.raises(IntegrityError, match="buffer 0 of section 0 is damaged"):
        load(data, {digest: bytes(blob)[:-1] + b"x" for digest, blob in blobs.items()})
    assert not Canary.sang


def test_a_blob_that_is_known_to_be_good_is_not_digested_again():
    data, blobs = record({"a": np.zeros(BLOB_NBYTES)}, inline_all=False)
    other = memoryview(os.urandom(8 * BLOB_NBYTES))
    _, [buffer] = read_section(read_header(data), 0, lambda digest: other, verified=set(blobs))
    assert buffer == other


def test_a_blob_that_is_gone_is_a_format_error():
    data, _ = record({"a": np.zeros(BLOB_NBYTES)}, inline_all=False)
    with pytest.raises(FormatError, match="gone"):
        read_section(read_header(data), 0, lambda digest: None)


def test_a_header_can_be_read_without_a_signature():
    data = b"".join(write(header()))
    assert read_header(data).signature is None


@pytest.mark.parametrize("part", ["label", "version", "signer's value"])
def test_a_signature_covers_the_header_and_its_version(part):
    wrapped = json.loads(bytes(SAMPLE).splitlines()[0])
    if part == "label":
        wrapped["header"]["label"] = "another"
    elif part == "version":
        wrapped["ipycheckpoint"] = 1
        wrapped["header"]["ipycheckpoint"] = 2
    else:
        wrapped["signature"]["value"] = "é" * 64
    stored = read_header(json.dumps(wrapped, separators=(",", ":")).encode() + b"\n")
    assert not KEYRING.verify(stored.signed, stored.signature)


def test_a_stream_of_plain_values_can_be_read_by_pickle_alone():
    [section] = encode({"a": [1, 2]})
    names, end = pickle.loads(section.stream), section.stream.index(b".") + 1
    assert (names, pickle.loads(section.stream[end:])) == (("a",), [1, 2])


def test_the_layout_of_no_sections_is_empty():
    assert lay_out([]).chunks == ()
    assert lay_out([Section((), b"x", ())]).sections[0].nbytes == 1


def test_a_signature_that_is_no_object_is_none():
    wrapped = json.loads(bytes(SAMPLE).splitlines()[0])
    wrapped["signature"] = "trust me"
    stored = read_header(json.dumps(wrapped, separators=(",", ":")).encode() + b"\n")
    assert stored.signature is None
    wrapped["signature"] = {"scheme": "none"}
    stored = read_header(json.dumps(wrapped, separators=(",", ":")).encode() + b"\n")
    assert stored.signature == Signature("none", "", "")
    assert not KEYRING.verify(stored.signed, stored.signature)
