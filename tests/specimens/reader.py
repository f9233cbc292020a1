"""An independent reader, written from docs/format.md: it knows the standard library, and nothing of ours.

``python reader.py FILE`` prints what the file says of itself, and the values that are plain data, as JSON.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import lzma
import pickle
import sqlite3
import sys
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

try:
    from blake3 import blake3
except ImportError:  # then Digests are believed
    blake3 = None


def opened(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The first line, and the payload."""
    line, _, _ = data.partition(b"\n")
    if not line.startswith(b'{"ipycheckpoint":') or json.loads(line)["ipycheckpoint"] != 1:
        raise ValueError("no record of a version that is known here")
    return json.loads(line), data[-(-(len(line) + 1) // 64) * 64 :]


def is_signed(first: dict[str, Any], secret: bytes) -> bool:
    """Whether `secret` has signed the header."""
    signed = {"ipycheckpoint": first["ipycheckpoint"], "header": first["header"]}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":")).encode()
    signer = hashlib.sha256(b"ipycheckpoint signer" + secret).hexdigest()[:12]
    expected = {"scheme": "hmac-sha256", "signer": signer, "value": hmac.new(secret, text, "sha256").hexdigest()}
    return first["signature"] == expected


def part(payload: bytes, ref: dict[str, Any], blobs: Path | None = None) -> bytes:
    """The bytes of a section or a buffer, `ref` being its entry in the header."""
    if ref.get("offset") is None:
        assert blobs is not None, "it is a Blob"
        return checked(entry(blobs, f"blobs/{ref['digest']}"), ref["digest"])
    packed = ref.get("packed") or {"compression": "none", "nbytes": ref["nbytes"]}
    lying = payload[ref["offset"] : ref["offset"] + packed["nbytes"]]
    if len(lying) < packed["nbytes"]:
        raise ValueError("cut off")
    checked(lying, ref["digest"])
    return {"none": bytes, "fast": zlib.decompress, "small": lzma.decompress}[packed["compression"]](lying)


def checked(data: bytes, digest: str) -> bytes:
    """`data`, if it has this Digest."""
    if blake3 is not None and blake3(data).hexdigest() != digest:
        raise ValueError(f"damaged: {digest}")
    return data


class Plain(pickle.Unpickler):
    """Takes plain data only: it calls nothing."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse whatever a stream wants to call."""
        raise pickle.UnpicklingError(f"{module}.{name} is no plain data")


def values(stream: bytes, buffers: list[bytes], codec: str) -> dict[str, Any]:
    """The plain values of a section by name."""
    if codec == "json":
        return dict(json.loads(stream))
    unpickler = Plain(io.BytesIO(stream), buffers=buffers)
    return {name: unpickler.load() for name in unpickler.load()}


def entry(cache: Path, name: str) -> bytes:
    """What the directory of a cache has under `name`, such as ``records/5f2c…``: a file, or else a row."""
    folder, _, last = name.rpartition("/")
    file = cache / "files" / folder / f"@{last[:2]}" / last
    if file.exists():
        return file.read_bytes()
    with closing(sqlite3.connect(f"{(cache / 'small.sqlite').as_uri()}?mode=ro", uri=True)) as rows:
        return bytes(rows.execute("SELECT data FROM entries WHERE name = ?", (name,)).fetchone()[0])


if __name__ == "__main__":
    first, payload = opened(Path(sys.argv[1]).read_bytes())
    told: dict[str, Any] = {"outputs": {o["name"]: o["type"] for o in first["header"]["outputs"]}, "plain": {}}
    for section in first["header"]["sections"]:
        try:
            buffers = [part(payload, buffer) for buffer in section.get("buffers", ())]
            told["plain"] |= values(part(payload, section), buffers, section["codec"])
        except (ValueError, pickle.UnpicklingError) as problem:
            print(problem, file=sys.stderr)
    json.dump(told, sys.stdout, default=repr)
