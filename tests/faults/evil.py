"""Pickles that would touch a file, and records of them that somebody else might leave in any place."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.record.codec import Section
from ipycheckpoint.record.format import lay_out, read_header, write
from ipycheckpoint.record.record import Header
from ipycheckpoint.record.trust import Keyring, Signature
from tests.faults.work import KEYRING

STRANGER = Keyring(secret=b"e" * 32)


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def payload(target: Path) -> bytes:
    """A stream such as the codec reads, which makes the folder `target` when it is loaded."""
    return pickle.dumps(("return",)) + pickle.dumps(Touch(target))


def line_of(data: bytes) -> dict[str, Any]:
    return json.loads(data[: data.index(b"\n")])


def with_line(data: bytes, line: dict[str, Any]) -> bytes:
    """`data` with another first line, and the payload where it belongs."""
    stored = read_header(data)
    text = json.dumps(line, separators=(",", ":")).encode()
    return text + b" " * (-(len(text) + 1) % 64) + b"\n" + bytes(stored.payload)


def of_a_stranger(header: Header, target: Path, keyring: Keyring | None = STRANGER) -> bytes:
    """A whole record of the same Key that holds the evil stream."""
    layout = lay_out([Section(("return",), payload(target), ())])
    changed = replace(header, sections=layout.sections, outputs=(replace(header.outputs[0], section=0),))
    return b"".join(write(changed, layout.chunks, None if keyring is None else keyring.sign))


def _forged(data: bytes, good: bytes, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> bytes:
    """The evil record with a signature made from that of the good one."""
    line = line_of(data)
    change(line, line_of(good))
    return with_line(data, line)


def _sign_with(**fields: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(line: dict[str, Any], good: dict[str, Any]) -> None:
        line["signature"] = {**good["signature"], **fields}

    return change


def _hmac_of_nothing(line: dict[str, Any], good: dict[str, Any]) -> None:
    line["signature"] = Keyring(secret=b"").sign(b"")._asdict()


def _sections_of_evil(line: dict[str, Any], good: dict[str, Any]) -> None:
    # The good header, but for where its section lies.
    line["header"], line["signature"] = {**good["header"], "sections": line["header"]["sections"]}, good["signature"]


def _digest_of_evil(line: dict[str, Any], good: dict[str, Any]) -> None:
    line["header"], line["signature"] = good["header"], good["signature"]


def _two_headers(line: dict[str, Any], good: dict[str, Any]) -> None:
    line["Header"], line["signature"] = good["header"], good["signature"]


FORGERIES: dict[str, Callable[[bytes, bytes, Path], bytes]] = {
    "signed by a stranger": lambda evil, good, target: evil,
    "not signed": lambda evil, good, target: _forged(evil, good, lambda line, _: line.update(signature=None)),
    "with the good signature": lambda evil, good, target: _forged(evil, good, _sign_with()),
    "of another scheme": lambda evil, good, target: _forged(evil, good, _sign_with(scheme="none")),
    "of no scheme": lambda evil, good, target: _forged(evil, good, _sign_with(scheme="")),
    "of a public scheme": lambda evil, good, target: _forged(evil, good, _sign_with(scheme="blake3")),
    "with an empty proof": lambda evil, good, target: _forged(evil, good, _sign_with(value="")),
    "with a proof that is no text": lambda evil, good, target: _forged(evil, good, _sign_with(value="é" * 64)),
    "with an empty secret": lambda evil, good, target: _forged(evil, good, _hmac_of_nothing),
    "edited after signing": lambda evil, good, target: _forged(evil, good, _sections_of_evil),
    "swapped payload": lambda evil, good, target: _forged(evil, good, _digest_of_evil),
    "with two headers": lambda evil, good, target: _forged(evil, good, _two_headers),
    "of a later version": lambda evil, good, target: _forged(evil, good, lambda line, _: line.update(ipycheckpoint=99)),
    "of version 0": lambda evil, good, target: _forged(evil, good, lambda line, _: line.update(ipycheckpoint=0)),
    "of version true": lambda evil, good, target: _forged(evil, good, lambda line, _: line.update(ipycheckpoint=True)),
    "a bare pickle": lambda evil, good, target: payload(target),
    "a pickle behind a header": lambda evil, good, target: good[: good.index(b"\n") + 1] + payload(target),
    "a pickle in place of the payload": lambda evil, good, target: (
        good[: len(good) - read_header(good).payload.nbytes] + payload(target)
    ),
}


def duplicate_keys(evil: bytes, good: bytes) -> bytes:
    """A first line in which the header comes twice: first the signed one, then the other."""
    one, two = line_of(good), line_of(evil)
    text = (
        f'{{"ipycheckpoint":1,"header":{json.dumps(one["header"])},"signature":{json.dumps(one["signature"])},'
        f'"header":{json.dumps(two["header"])}}}'
    ).encode()
    return text + b" " * (-(len(text) + 1) % 64) + b"\n" + bytes(read_header(evil).payload)


def put_everywhere(cache: Cache, target: Path, key: str) -> list[str]:
    """The evil stream in place of everything in the store but the records; the names of what was replaced."""
    evil = payload(target)
    names = [entry.name for entry in cache.store.entries() if not entry.name.startswith("records/")]
    names += [f"{beside}/{key}" for beside in ("pins", "failures", "stamps", "damaged/records", "pending/records")]
    names += [f"blobs/{digest_bytes(evil)}", f"rolls/{'0' * 32}", f"visits/{'0' * 32}", "name"]
    for name in names:
        cache.store.put(name, [evil])
    return names


__all__ = ["FORGERIES", "KEYRING", "STRANGER", "Signature", "duplicate_keys", "line_of", "of_a_stranger", "payload"]
