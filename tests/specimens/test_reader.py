"""docs/format.md is enough to read records: `reader.py`, written from it, finds in them what we find."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ipycheckpoint
from ipycheckpoint.digest import Digest, digest
from ipycheckpoint.record.format import Stored, read_header, read_section

HERE = Path(__file__).parent
SECRET = b"the secret of the specimens: 32+"
SPECIMENS = sorted(HERE.glob("**/*.ckpt"))

sys.path.insert(0, str(HERE))
import reader  # noqa: E402 - it stands alone, so it is imported as anyone would

sys.path.remove(str(HERE))

CUT_OFF = HERE / "failures" / "data" / "truncated.ckpt"

everything = pytest.mark.parametrize("path", SPECIMENS, ids=lambda path: path.stem)


def ours(path: Path) -> Stored:
    return read_header(path.read_bytes())


def no_blob(wanted: Digest) -> None:
    return None


def test_the_reader_imports_nothing_but_the_standard_library_and_blake3():
    tree = ast.parse((HERE / "reader.py").read_text("utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in named if name.partition(".")[0] not in sys.stdlib_module_names} == {"blake3"}


@everything
def test_it_lists_the_outputs_of_a_specimen(path):
    first, _ = reader.opened(path.read_bytes())
    listed = [(output["name"], output["role"], output["section"]) for output in first["header"]["outputs"]]
    assert listed == [(output.name, output.role, output.section) for output in ours(path).header.outputs]
    assert listed


@everything
def test_it_verifies_the_signature_of_a_specimen(path):
    first, _ = reader.opened(path.read_bytes())
    assert reader.is_signed(first, SECRET)
    assert not reader.is_signed(first, b"another secret")
    first["header"]["label"] += "!"
    assert not reader.is_signed(first, SECRET)


@pytest.mark.parametrize("path", [path for path in SPECIMENS if path != CUT_OFF], ids=lambda path: path.stem)
def test_it_extracts_the_very_bytes_of_each_section_and_buffer(path):
    stored = ours(path)
    first, payload = reader.opened(path.read_bytes())
    for index, section in enumerate(first["header"]["sections"]):
        stream, buffers = read_section(stored, index, no_blob)
        assert reader.part(payload, section) == stream
        assert [reader.part(payload, buffer) for buffer in section.get("buffers", ())] == buffers


def test_it_notices_what_is_cut_off_and_reads_what_comes_before():
    first, payload = reader.opened(CUT_OFF.read_bytes())
    whole, cut = first["header"]["sections"]
    assert reader.values(reader.part(payload, whole), [], "pickle5") == {"whole": list(range(100))}
    with pytest.raises(ValueError, match="cut off"):
        reader.part(payload, cut)


@everything
def test_it_notices_damage(path):
    first, payload = reader.opened(path.read_bytes())
    section = first["header"]["sections"][0]
    damaged = bytearray(payload)
    damaged[section["offset"]] ^= 1
    with pytest.raises(ValueError, match="damaged"):
        reader.part(bytes(damaged), section)


@everything
def test_all_begins_at_a_multiple_of_64(path):
    data = path.read_bytes()
    first, payload = reader.opened(data)
    parts = [part for section in first["header"]["sections"] for part in (section, *section.get("buffers", ()))]
    assert (len(data) - len(payload)) % 64 == 0
    assert {part["offset"] % 64 for part in parts} == {0}


@pytest.mark.parametrize("path", sorted((HERE / "savefiles").glob("*.ckpt")), ids=lambda path: path.stem)
def test_it_unpickles_plain_data_with_no_package_at_all(path):
    """``-S`` leaves site-packages out, so there is no blake3 either."""
    run = subprocess.run([sys.executable, "-I", "-S", HERE / "reader.py", path], capture_output=True, check=True)
    told: dict[str, Any] = json.loads(run.stdout)
    assert told["plain"]["plain"] == {
        "a": [1, -0.0, None, True, "é✓", 10**30, {"b": []}],
        "long": ["the same again"] * 200,
    }
    assert ("array" in told["outputs"]) == ("json" not in path.stem)


@pytest.mark.parametrize("path", sorted((HERE / "savefiles").glob("*.ckpt")), ids=lambda path: path.stem)
def test_the_texts_are_attached_under_the_digests_that_the_header_names(path):
    first, _ = reader.opened(path.read_bytes())
    for wanted in [first["header"]["environment"], *(text for _, text in first["header"]["texts"])]:
        assert reader.blake3(first["attached"][wanted].encode()).hexdigest() == wanted


@pytest.mark.parametrize("path", sorted((HERE / "savefiles").glob("*.ckpt")), ids=lambda path: path.stem)
def test_the_key_is_the_digest_of_the_ingredients(path):
    header = reader.opened(path.read_bytes())[0]["header"]
    fields = [field for i in header["ingredients"] for field in (i["kind"].encode(), bytes.fromhex(i["digest"]))]
    framed = b"".join(len(f).to_bytes(8, "little") + f for f in (b"identity", b"1", header["kind"].encode(), *fields))
    assert reader.blake3(framed).hexdigest() == header["key"]


def test_a_field_of_a_mebibyte_is_framed_by_its_own_hash():
    large = bytes(1 << 20)
    framed = b"\4\0\0\0\0\0\0\0kind" + len(large).to_bytes(8, "little") + reader.blake3(large).digest()
    assert digest("kind", large) == reader.blake3(framed).hexdigest()


def test_it_finds_records_and_blobs_in_the_directory_of_a_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYCHECKPOINT_SECRET_FILE", str(tmp_path / "secret"))
    (tmp_path / "secret").write_bytes(SECRET)

    @ipycheckpoint.checkpoint(store=tmp_path / "cache")
    def numbers(count):
        return np.arange(count)

    for count, kept_as_blob in ((3, False), (100_000, True)):
        numbers(count)
        first, payload = reader.opened(reader.entry(tmp_path / "cache", f"records/{numbers.identity(count).key}"))
        assert reader.is_signed(first, SECRET)
        [buffer] = [buffer for section in first["header"]["sections"] for buffer in section["buffers"]]
        assert (buffer["offset"] is None) == kept_as_blob
        assert reader.part(payload, buffer, tmp_path / "cache") == numbers(count).tobytes()
        environment = reader.entry(tmp_path / "cache", f"blobs/{first['header']['environment']}")
        assert json.loads(environment)["packages"]["numpy"] == np.__version__
