"""One free-standing file: whole, signed, readable by anyone as far as its first line goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipycheckpoint.cache import savefile
from ipycheckpoint.cache.savefile import pack, read, save, trust, upgrade
from ipycheckpoint.digest import digest
from ipycheckpoint.errors import CannotKeep, FormatError, IntegrityError, StoreError, Untrusted, UsageError
from ipycheckpoint.identity.identity import Ingredient
from ipycheckpoint.record import format as record_format
from ipycheckpoint.record.codecs import CODECS
from ipycheckpoint.record.compression import COMPRESSIONS
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.format import read_header
from ipycheckpoint.record.trust import Keyring
from tests.contracts.store_contract import in_memory

ROOT = Path(__file__).parents[3]
KEYRING = Keyring(secret=b"k" * 32)
OTHER = Keyring(secret=b"o" * 32)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def key_of(label, **settings):
    return read_header(pack({"x": 1}, label=label, keyring=KEYRING, **settings)[0]).header.key


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "run 1.ckpt"


# What is in it


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.dictionaries(st.text(), VALUES, max_size=4), compression=st.sampled_from(COMPRESSIONS))
def test_any_plain_values_come_back_under_any_names(path, values, compression):
    save(path, values, compression=compression, keyring=KEYRING)
    loaded = read(path, keyring=KEYRING).load()
    assert repr(loaded) == repr(values)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec != "json"])
def test_arrays_come_back_writable_and_share_memory_again(path, compression, codec):
    array = np.arange(50_000.0)
    save(path, {"a": array, "view": array[10:20], "b": "text"}, compression=compression, codec=codec, keyring=KEYRING)
    loaded = read(path, keyring=KEYRING).load()
    loaded["view"][0] = -1
    assert loaded["a"][10] == -1
    assert loaded["a"].sum() == array.sum() - 11


@pytest.mark.parametrize("codec", CODECS)
def test_each_codec_writes_what_it_says(codec):
    header = read_header(pack({"x": [1]}, label="a", codec=codec, keyring=KEYRING)[0]).header
    assert [section.codec for section in header.sections] == [{"pickle": "pickle5"}.get(codec, codec)]


def test_json_is_readable_by_any_tool(path):
    save(path, {"x": {"a": [1, None]}}, codec="json", keyring=KEYRING)
    line, payload = path.read_bytes().split(b"\n", 1)
    [section] = json.loads(line)["header"]["sections"]
    assert json.loads(payload[section["offset"] : section["offset"] + section["nbytes"]]) == {"x": {"a": [1, None]}}


def test_everything_is_in_the_file_itself():
    chunks = pack({"x": np.zeros(1_000_000)}, label="a", keyring=KEYRING)
    assert all(buffer.offset is not None for s in read_header(chunks[0]).header.sections for buffer in s.buffers)


def test_the_first_line_shows_everything_even_when_the_rest_is_cut_off(path):
    code = Ingredient("code", "f", digest("code", b"f"), source="def f(): …")
    save(path, {"x": [1, 2]}, tags=[("date", "2017-01-01")], ingredients=[code], keyring=KEYRING)
    wrapped = json.loads(path.read_bytes().splitlines()[0])
    header, attached = wrapped["header"], wrapped["attached"]
    assert json.loads(attached[header["environment"]])["python"] == Environment.current().python
    assert header["tags"] == [["date", "2017-01-01"]]
    assert [output["preview"] for output in header["outputs"]] == ["[1, 2]"]
    [(position, text)] = header["texts"]
    assert (header["ingredients"][position]["name"], attached[text]) == ("f", "def f(): …")


def test_its_label_is_the_name_of_the_file_unless_told_otherwise(path):
    assert save(path, {}, keyring=KEYRING).label == "run 1"
    assert save(path, {}, label="TestPkg.foo", keyring=KEYRING).label == "TestPkg.foo"


def test_outputs_tell_type_size_and_preview(path):
    header = save(path, {"x": np.zeros(1000)}, keyring=KEYRING)
    [output] = header.outputs
    assert (output.role, output.preview) == ("data", "float64[1000]")
    assert output.type.endswith("ndarray")
    assert output.nbytes > 8000


# Its Key


def test_the_key_is_made_of_name_and_tags_and_ingredients():
    code = Ingredient("code", "f", digest("code", b"f"))
    keys = [
        key_of("a"),
        key_of("b"),
        key_of("a", tags=[("t", "1")]),
        key_of("a", tags=[("t", "1"), ("u", "2")]),
        key_of("a", tags=[("u", "2"), ("t", "1")]),
        key_of("a", ingredients=[code]),
    ]
    assert len(set(keys)) == len(keys)


def test_the_key_is_the_same_whatever_the_values_and_settings():
    one = read_header(pack({"y": [2]}, label="a", codec="json", compression="small", keyring=OTHER)[0]).header.key
    assert one == key_of("a")


def test_the_key_never_moves_by_accident():
    assert key_of("TestPkg.foo", tags=[("date", "2017-01-01")]) == (
        "9c485d412630531f16ac381104ac52a5bb83b1384858220ac388ed1d20722691"
    )


# What can't be written


def test_a_value_that_cannot_be_kept_leaves_the_old_file_as_it_was(path):
    save(path, {"x": 1}, keyring=KEYRING)
    with pytest.raises(CannotKeep, match="can't keep `y`"):
        save(path, {"x": 2, "y": (i for i in ())}, keyring=KEYRING)
    assert read(path, keyring=KEYRING).load() == {"x": 1}


@pytest.mark.parametrize("settings", [{"compression": "zip"}, {"codec": "yaml"}])
def test_an_unknown_setting_is_a_usage_error(path, settings):
    with pytest.raises(UsageError):
        save(path, {"x": 1}, **settings)
    assert not path.parent.exists()


def test_a_name_that_is_no_text_is_a_usage_error(path):
    with pytest.raises(UsageError, match="1 can't name a value"):
        save(path, {1: 2})


# Reading


def test_what_is_not_there_is_a_store_error_that_names_it(path):
    with pytest.raises(StoreError, match=r"can't read .*run 1.ckpt: there is no such file"):
        read(path)


def test_what_is_no_record_is_a_format_error_that_names_it(path):
    path.parent.mkdir()
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(FormatError, match=r"run 1.ckpt: this is no record"):
        read(path)


def test_a_record_reads_on_in_the_file_that_it_opened_when_that_is_replaced_or_removed(path):
    save(path, {"x": np.zeros(100_000), "y": 1}, keyring=KEYRING)
    record = read(path, keyring=KEYRING)
    record["x"][0] = 5
    save(path, {"x": np.ones(100_000), "z": 2}, keyring=KEYRING)
    assert record["x"][0] == 0
    path.unlink()
    assert record["y"] == 1
    assert record["x"][0] == 0


def test_thousands_of_arrays_do_with_one_map(path):
    # A process may have some 65,000: a map for each value would be the end of it.
    values = {f"x{i}": np.full(2, i) for i in range(3000)}
    save(path, values, keyring=KEYRING)
    before = maps()
    loaded = read(path, keyring=KEYRING).load()
    assert maps() - before < 50
    assert all(loaded[name][0] == value[0] for name, value in values.items())


def maps() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())


def test_a_file_at_a_url_is_as_good_as_any():
    pytest.importorskip("fsspec")
    url = in_memory() + "/a b.ckpt"
    save(url, {"x": np.arange(9000)}, keyring=KEYRING)
    record = read(url, keyring=KEYRING)
    record["x"][0] = 5
    assert (record["x"][0], record.location, record.header.label) == (0, url, "a b")


# Trust


def test_a_strangers_file_loads_once_it_is_trusted(path):
    save(path, {"x": 1}, keyring=OTHER)
    with pytest.raises(Untrusted):
        read(path, keyring=KEYRING)["x"]
    assert trust(path, keyring=KEYRING)
    assert read(path, keyring=KEYRING)["x"] == 1


def test_to_trust_what_is_trusted_writes_nothing(path):
    save(path, {"x": 1}, keyring=KEYRING)
    before = path.stat()
    assert not trust(path, keyring=KEYRING)
    assert path.stat() == before


def test_a_damaged_file_is_not_signed(path):
    save(path, {"x": "a" * 100}, keyring=OTHER)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        trust(path, keyring=KEYRING)
    assert path.read_bytes() == data


def test_where_no_secret_can_be_written_this_process_knows_its_own_files(path, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IPYCHECKPOINT_SECRET_FILE", str(tmp_path / "file" / "secret"))
    with pytest.warns(UserWarning, match="will not be trusted by another process"):
        save(path, {"x": 1})
    assert read(path)["x"] == 1


# Earlier formats


@pytest.fixture
def newer_release(monkeypatch):
    """From here on, this release's format is 2, in which labels are in capitals."""

    def begin():
        monkeypatch.setattr(record_format, "FORMAT_VERSION", 2)
        monkeypatch.setattr(savefile, "FORMAT_VERSION", 2)
        monkeypatch.setitem(record_format._upgrades, 1, lambda old: {**old, "label": old["label"].upper()})

    return begin


def test_an_earlier_format_is_rewritten_and_loads_as_before(path, newer_release):
    values = {"x": np.arange(50_000), "y": "text"}
    save(path, values, compression="fast", keyring=KEYRING)
    newer_release()
    assert read(path, keyring=KEYRING).format_version == 1
    assert upgrade(path, keyring=KEYRING)
    record = read(path, keyring=KEYRING)
    assert (record.format_version, record.header.label, record.is_trusted) == (2, "RUN 1", True)
    assert json.loads(path.read_bytes().splitlines()[0])["header"]["label"] == "RUN 1"
    assert repr(record.load()) == repr(values)
    assert record.environment == Environment.current()
    assert not upgrade(path, keyring=KEYRING)


def test_todays_format_is_not_rewritten(path):
    save(path, {"x": 1}, keyring=KEYRING)
    before = path.stat()
    assert not upgrade(path, keyring=KEYRING)
    assert path.stat() == before


@pytest.mark.parametrize(("keyring", "damage", "error"), [(OTHER, 0, Untrusted), (KEYRING, 1, IntegrityError)])
def test_an_earlier_one_that_is_a_strangers_or_damaged_stays_as_it_is(path, newer_release, keyring, damage, error):
    save(path, {"x": "a" * 100}, keyring=keyring)
    data = bytearray(path.read_bytes())
    data[-1] ^= damage
    path.write_bytes(data)
    newer_release()
    with pytest.raises(error):
        upgrade(path, keyring=KEYRING)
    assert path.read_bytes() == data


# Across processes


def start(program, *arguments):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


SAVING = (
    "import itertools, sys\nimport numpy as np\nfrom ipycheckpoint.cache.savefile import save\n"
    "me = int(sys.argv[2])\n"
    "for i in itertools.count(me, 2):\n"
    "    save(sys.argv[1], {'i': i, 'x': np.full(i % 7 * 10_000, i)}, tags=[('writer', str(me))])\n"
    "    print(i, flush=True)"
)


def whole(path):
    loaded = read(path).load()
    assert loaded["x"].tolist() == [loaded["i"]] * (loaded["i"] % 7 * 10_000)
    return loaded["i"]


def test_a_save_that_is_killed_at_any_moment_leaves_one_whole_file(path):
    for wait in range(12):
        process = start(SAVING, path, 0)
        process.stdout.readline()
        time.sleep(wait * 0.0017)
        os.kill(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
        told = [int(line) for line in out.split()]
        assert whole(path) >= max(told, default=0), "what was told to be saved is saved"


def test_two_processes_that_save_one_path_leave_one_whole_file_or_the_other(path):
    processes = [start(SAVING, path, me) for me in (0, 1)]
    for process in processes:
        process.stdout.readline()
    writers = set()
    end = time.monotonic() + 20
    while len(writers) < 2 and time.monotonic() < end:
        writers.add(whole(path) % 2)
    for process in processes:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert writers == {0, 1}
    whole(path)


def test_another_process_finds_the_same_key_and_values(path):
    header = save(path, {"x": {"b", "a"}, "y": 1.5}, tags=[("t", "ü")])
    program = (
        "import sys\nfrom ipycheckpoint.cache.savefile import read\nrecord = read(sys.argv[1])\n"
        "print(record.header.key, sorted(record['x']), record['y'], record.is_trusted)"
    )
    out, err = start(program, path).communicate()
    assert out == f"{header.key} ['a', 'b'] 1.5 True\n", err


def test_classes_and_functions_of_main_come_along(path):
    program = (
        "import sys\nfrom ipycheckpoint.cache.savefile import save\n"
        "FACTOR = 3\n"
        "class A:\n    def __init__(self, v): self.v = v\n    def times(self): return scale(self.v)\n"
        "def scale(v): return v * FACTOR\n"
        "save(sys.argv[1], {'a': A(2), 'A': A, 'scale': scale})"
    )
    out, err = start(program, path).communicate()
    assert (out, err) == ("", "")
    program = (
        "import sys\nfrom ipycheckpoint.cache.savefile import read\nFACTOR = 5\n"
        "loaded = read(sys.argv[1]).load()\nscale = loaded['scale']\n"
        "print(type(loaded['a']) is loaded['A'], loaded['a'].v, loaded['a'].times())"
    )
    out, err = start(program, path).communicate()
    assert out == "True 2 10\n", err
