"""Whatever bytes they are given, our readers end soon, with what they read or with an exception of ours."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ipycheckpoint.cache.archive import read_archive, write_archive
from ipycheckpoint.cache.failures import PastFailure
from ipycheckpoint.cache.listing import Listed, values_of
from ipycheckpoint.cache.places import read_place
from ipycheckpoint.cache.savefile import pack, unpack
from ipycheckpoint.errors import CannotKeep, CheckpointError, FormatError
from ipycheckpoint.record import format as record_format
from ipycheckpoint.record.compression import decompress
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.format import check_payload, read_header
from ipycheckpoint.record.trust import Keyring, Signature
from tests.faults import evil
from tests.faults.scale import TORTURE
from tests.faults.work import KEYRING, draft, key_of, opened

MANY = settings(max_examples=3_000 if TORTURE else 150, suppress_health_check=[HealthCheck.function_scoped_fixture])

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 10).map(lambda n: 10 ** (n * 40))
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["\ud800", "\0", "a" * 64, "$float", "nan", "pickle5", "\x1b[2J"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["$float", "a"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip

GOOD = b"".join(
    pack({"x": [1, 2.5], "y": b"0" * 500}, label="x", tags=[("a", "b")], compression="fast", keyring=KEYRING)
)


def paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a piece of JSON."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [before, *(path for name, item in inside for path in paths(item, (*before, name)))]


LINE = evil.line_of(GOOD)
PATHS = [path for path in paths(LINE) if path]


def replaced(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    line = json.loads(json.dumps(LINE))
    inner = line
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return line


def use(data: bytes, keyring: Keyring = KEYRING) -> None:
    """All that is done with a record before it is trusted."""
    record = unpack(data, keyring=keyring)
    repr(record), record._repr_html_(), record.environment, record.ingredients, record.code, record.names()
    stored = read_header(data)
    with suppress(CheckpointError):
        check_payload(stored)
    # It is listed beside others, which go on to be listed.
    connection = sqlite3.connect(":memory:")
    values = values_of(Listed(stored.header, "?"))
    connection.execute(f"SELECT {', '.join('?' * len(values))}", values)
    connection.close()
    with suppress(CheckpointError):
        record.load()


@MANY
@given(data=st.binary(max_size=300) | st.binary(max_size=200).map(lambda end: b'{"ipycheckpoint":' + end))
@example(data=b'{"ipycheckpoint":1')
@example(data=b'{"ipycheckpoint":' + b"[" * 200_000 + b"\n")
@example(data=b'{"ipycheckpoint":' + b'{"a":' * 200_000 + b"\n")
@example(data=b'{"ipycheckpoint":' + b"9" * 10_000 + b"}\n")
@example(data=b'{"ipycheckpoint":1e999,"header":{}}\n')
def test_any_bytes_are_a_record_or_a_format_error(data: bytes) -> None:
    with suppress(CheckpointError):
        use(data)


@MANY
@given(path=st.sampled_from(PATHS), value=JSON | st.just(...))
@example(path=("header", "label"), value="\ud800")
@example(path=("header", "kind"), value="\udc80")
@example(path=("header", "outputs", 0, "name"), value="\ud800")
@example(path=("header", "sections", 0, "nbytes"), value=1 << 63)
@example(path=("header", "created"), value=10**400)
@example(path=("header", "created"), value={"$float": "nan"})
@example(path=("header", "seconds"), value={"$float": "inf"})
def test_any_part_of_a_header_may_be_anything(path: tuple[Any, ...], value: Any) -> None:
    try:
        line = replaced(path, value)
    except (TypeError, KeyError, IndexError):
        return
    with suppress(CheckpointError):
        use(evil.with_line(GOOD, line) if path[0] == "signature" else _joined(line))


@MANY
@given(path=st.sampled_from([path for path in PATHS if path[0] == "header" and len(path) > 1]), value=JSON)
def test_not_even_a_signed_header_makes_us_fail_in_another_way(path: tuple[Any, ...], value: Any) -> None:
    line = replaced(path, value)
    with suppress(CheckpointError, RecursionError, UnicodeEncodeError):
        signed = KEYRING.sign(record_format._signed(1, line["header"]))
        line["signature"] = {"scheme": signed.scheme, "signer": signed.signer, "value": signed.value}
    with suppress(CheckpointError):
        use(_joined(line))


def _joined(line: dict[str, Any]) -> bytes:
    text = json.dumps(line, separators=(",", ":")).encode()
    return text + b" " * (-(len(text) + 1) % 64) + b"\n" + bytes(read_header(GOOD).payload)


@MANY
@given(data=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
@example(data=b"[" * 100_000)
def test_environments_and_failures_are_read_or_refused(data: bytes) -> None:
    for read in (Environment.from_json, PastFailure.from_json):
        with suppress(FormatError):
            read(data)


@MANY
@given(told=st.fixed_dictionaries({}, optional=dict.fromkeys("name type_name exception message differences "
    "how_to_load python when settled implementation platform machine packages image".split(), JSON)))  # fmt: skip
def test_their_fields_may_be_anything(told: dict[str, Any]) -> None:
    for read in (Environment.from_json, PastFailure.from_json):
        with suppress(FormatError):
            read(json.dumps(told).encode())


@MANY
@given(
    path=st.text(max_size=40)
    | st.lists(st.sampled_from(["%", "%-", "=", "/", "..", "é", "%ff", "."]), max_size=9).map("".join)
)
def test_any_path_says_something_of_a_savepoint(path: str) -> None:
    assert isinstance(read_place(path).name, str)


@MANY
@given(
    header=st.binary(max_size=600),
    at=st.integers(0, 2_000),
    change=st.binary(max_size=40),
)
def test_any_bytes_are_an_archive_or_an_exception_of_ours(
    archive: bytes, memory: Path, header: bytes, at: int, change: bytes
):
    path = memory / "fuzzed.ckpts"
    for data in (header, archive[:at] + change + archive[at + len(change) :]):
        path.write_bytes(data)
        cache = opened(memory / "fuzzed")
        with suppress(CheckpointError):
            read_archive(cache, path)
        cache.close()


@pytest.fixture(scope="module")
def archive(memory: Path) -> bytes:
    cache = opened(memory / "exported")
    cache.save(draft("tiny_a"))
    write_archive(cache, [key_of("tiny_a")], memory / "exported.ckpts")
    cache.close()
    return (memory / "exported.ckpts").read_bytes()


@pytest.mark.parametrize(
    "line",
    [
        b'{"ipycheckpoint":1,"header":[' + b"{}," * 20_000_000 + b"0]}\n",
        b'{"ipycheckpoint":1,"header":"' + b"x" * (70 << 20) + b'"}\n',
        b'{"ipycheckpoint":1' + b" " * (200 << 20),
    ],
    ids=["many parts", "long", "endless"],
)
def test_a_hostile_header_does_not_fill_the_memory(line: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(FormatError):
        read_header(line)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150 << 20


def test_a_header_that_no_reader_would_take_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    header = read_header(GOOD).header
    monkeypatch.setattr(record_format, "_HEADER_PARTS", 5_000)
    record_format.write(replace(header, trace={"read": [0] * 1_000}), [], KEYRING.sign)
    with pytest.raises(CannotKeep, match="parts, and may have"):
        record_format.write(replace(header, trace={"read": [0] * 6_000}), [], KEYRING.sign)


@pytest.mark.parametrize("compression", ["fast", "small"])
def test_a_decompression_bomb_gives_no_more_than_was_promised(compression: str) -> None:
    import lzma
    import zlib

    pack = {"fast": zlib.compress, "small": lzma.compress}[compression]
    bomb = pack(bytes(64 << 20))
    tracemalloc.start()
    with pytest.raises(FormatError, match="more than"):
        decompress("it", memoryview(bomb), compression, 1_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 << 20


@pytest.mark.parametrize("value", ["", "0", "é" * 64, "f" * 10_000, "\0" * 64])
def test_a_proof_of_any_form_is_compared_and_not_believed(value: str) -> None:
    assert not KEYRING.verify(b"header", Signature("hmac-sha256", "x", value))


@pytest.mark.skipif(not TORTURE, reason="for make torture")
def test_a_fuzzer_that_sees_which_way_was_taken_finds_nothing(tmp_path: Path, archive: bytes) -> None:
    pytest.importorskip("atheris")
    corpus = {"r": GOOD, "s": GOOD, "a": archive, "e": Environment.current().to_json(), "f": b'{"name":"x"}'}
    for which, data in corpus.items():
        (tmp_path / which).write_bytes(which.encode() + data)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.faults.fuzz",
            tmp_path,
            "-max_total_time=120",
            "-timeout=20",
            "-rss_limit_mb=2000",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr[-3_000:]
