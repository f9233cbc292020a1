"""What a hit needs of a small record, told from the bytes that were signed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.identity.identity import Ingredient, Part
from ipycheckpoint.record.brief import LARGEST_NBYTES, Brief, brief_of
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.format import lay_out, read_header, write
from ipycheckpoint.record.record import Header, Output
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.record.unpickling import decode

KEYRING = Keyring(secret=b"k" * 32)
SOME = digest_bytes(b"some")


def record(value: object = "value", **changes: Any) -> bytes:
    layout = lay_out(encode({"return": value}))
    fields: dict[str, Any] = {
        "kind": "call",
        "label": 'a "label"',
        "key": SOME,
        "created": 1.5,
        "seconds": 2.0,
        "ingredients": (Ingredient("argument", "x", SOME, "…"),),
        "outputs": (Output("return", "result", "str", 5, "'value'", 0),),
        "sections": layout.sections,
        "environment": SOME,
    }
    return b"".join(write(Header(**fields | changes), layout.chunks, KEYRING.sign))


def told(data: bytes, key: str = SOME, keyring: Keyring = KEYRING) -> tuple[Brief, bytes] | None:
    return brief_of(memoryview(data), key, keyring.verify)  # type: ignore[arg-type]  # a Key


def test_it_tells_what_the_header_tells_and_gives_the_stream() -> None:
    found = told(record())
    assert found is not None
    brief, stream = found
    assert brief == Brief.of(read_header(record()).header) == ("call", 'a "label"', SOME, 1.5, 2.0)
    assert decode(stream) == {"return": "value"}


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "cell"},
        {"trace": {"read": []}},
        {"notes": ("a note",)},
        {"expires": 5.0},
        {"outputs": (Output("return", "linked", target="[]"),)},
        {"outputs": (Output("x", "changed", section=0), Output("return", "result", section=0))},
        {"sections": (), "outputs": (Output("return", "result"),)},
        {"ingredients": (Ingredient("global", "x", SOME, parts={"b": Part(SOME, ""), "a": Part(SOME, "")}),)},
    ],
)
def test_what_a_hit_must_look_at_in_full_is_not_told_in_brief(changes: dict[str, Any]) -> None:
    assert read_header(record(**changes)).header
    assert told(record(**changes)) is None


def test_a_large_one_is_not_told_in_brief() -> None:
    assert told(record("x" * LARGEST_NBYTES)) is None


def test_one_of_another_key_is_not_told() -> None:
    assert told(record(), digest_bytes(b"other")) is None


def test_one_that_is_signed_by_somebody_else_or_nobody_is_not_told() -> None:
    assert told(record(), keyring=Keyring(secret=b"o" * 32)) is None
    line, payload = record().split(b"\n", 1)
    wrapped = {**json.loads(line), "signature": None}
    assert told(json.dumps(wrapped, separators=(",", ":")).encode() + b"\n" + payload) is None


@pytest.mark.parametrize("at", [50, 300, 700, -2])
def test_one_that_was_changed_anywhere_is_not_told(at: int) -> None:
    damaged = bytearray(record())
    damaged[at] ^= 1
    try:
        found = told(bytes(damaged))
    except ValueError:
        return
    assert found is None


def test_a_header_beside_the_one_that_was_signed_is_not_told() -> None:
    other = json.loads(record(label="evil").split(b"\n", 1)[0])["header"]
    line, payload = record().split(b"\n", 1)
    body = json.dumps(other, separators=(",", ":")).encode()
    start = line.rstrip()[:-1]
    for forged in (
        start + b',"header":' + body + b"}",
        start.replace(b'"header":', b'"header":' + body + b',"header":', 1) + b"}",
    ):
        padded = forged + b" " * (-(len(forged) + 1) % 64) + b"\n" + payload
        assert told(padded) is None
        stored = read_header(padded)
        is_trusted = KEYRING.verify(stored.signed, stored.signature)
        assert stored.header.label == 'a "label"' if is_trusted else stored.header.label in {"evil", 'a "label"'}
