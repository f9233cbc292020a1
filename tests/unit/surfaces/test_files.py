"""`save`, `load`, `read`, `trust` and `upgrade`, as users call them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import ipycheckpoint as ck
from ipycheckpoint.cache import savefile
from ipycheckpoint.errors import CannotKeep, CheckpointWarning, FormatError, StoreError, Untrusted, UsageError
from ipycheckpoint.record import format as record_format
from ipycheckpoint.record.trust import Keyring
from tests.contracts.store_contract import in_memory

ROOT = Path(__file__).parents[3]
OTHER = Keyring(secret=b"o" * 32)


class Broken:
    """Can be written and not be loaded."""

    def __init__(self, words="it is broken"):
        self.words = words

    def __reduce__(self):
        return fail, (self.words,)


def fail(words):
    raise RuntimeError(words)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "run.ckpt")


# save and load


def test_all_values_come_back_by_name(path):
    ck.save(path, x=[1], y="text")
    assert ck.load(path) == {"x": [1], "y": "text"}


def test_one_name_gives_the_value_and_several_give_a_tuple(path):
    ck.save(path, x=1, y=2, z=3)
    assert ck.load(path, "y") == 2
    assert ck.load(path, "z", "x") == (3, 1)


@pytest.mark.parametrize("name", ["path", "values", "self", "compression", "two words", "ü✓", "a/b", ""])
def test_any_name_can_be_given_in_a_mapping(path, name):
    ck.save(path, {name: 1})
    assert ck.load(path, name) == 1


def test_names_that_arguments_have_are_free_for_values(path):
    ck.save(path, path=1, values=2, names=3)
    assert ck.load(path) == {"path": 1, "values": 2, "names": 3}


def test_a_mapping_and_names_go_together(path):
    ck.save(path, {"a b": 1}, x=2)
    assert ck.load(path) == {"a b": 1, "x": 2}


def test_a_name_that_is_given_twice_is_a_usage_error(path):
    with pytest.raises(UsageError, match="`x` is given twice"):
        ck.save(path, {"x": 1}, x=2)


def test_nothing_to_save_is_a_usage_error(path):
    with pytest.raises(UsageError, match="nothing to save"):
        ck.save(path)
    assert not os.path.exists(path)


@pytest.mark.parametrize("kind", [str, Path, lambda path: f"file://{path}"])
def test_a_place_may_be_a_path_or_a_url(path, kind):
    ck.save(kind(path), x=1)
    assert os.path.isfile(path)
    assert ck.load(kind(path), "x") == 1


def test_a_url_of_any_protocol_will_do():
    pytest.importorskip("fsspec")
    url = in_memory() + "/x.ckpt"
    ck.save(url, x=np.arange(5), compression="fast")
    assert ck.load(url, "x").tolist() == [0, 1, 2, 3, 4]


def test_tags_in_force_are_in_the_record(path):
    with ck.tags(date="2017-01-01"), ck.tags(run=3):
        ck.save(path, x=1)
    assert ck.read(path).tags == (("date", "2017-01-01"), ("run", "3"))


def test_settings_are_those_of_the_file(path):
    ck.save(path, x="a" * 10_000, compression="small", codec="json")
    assert "codec=json" in repr(ck.read(path))
    assert os.path.getsize(path) < 10_000  # with all that the header tells
    assert ck.load(path, "x") == "a" * 10_000


def test_a_live_value_is_never_changed_by_saving_or_loading(path):
    array, inside = np.arange(10), [1]
    ck.save(path, array=array, outer={"inside": inside})
    loaded = ck.load(path)
    loaded["array"][:] = 0
    loaded["outer"]["inside"].append(2)
    assert array.tolist() == list(range(10))
    assert inside == [1]


def test_what_cannot_be_kept_is_named_and_the_old_file_stays(path):
    ck.save(path, x=1)
    with pytest.raises(CannotKeep, match=r"`conn\[0\]`"):
        ck.save(path, x=2, conn=[(i for i in ())])
    assert ck.load(path) == {"x": 1}


# What fails


def test_what_fails_is_named_in_one_warning_and_the_rest_is_there(path):
    ck.save(path, good=1, bad=Broken(), worse=Broken("worse"))
    with pytest.warns(CheckpointWarning) as caught:
        loaded = ck.load(path)
    [warning] = caught
    assert all(word in str(warning.message) for word in [path, "`bad`", "`worse`", "RuntimeError: it is broken"])
    assert "good" not in str(warning.message)
    assert warning.filename == __file__
    assert loaded["good"] == 1
    assert [type(loaded[name]) for name in ("bad", "worse")] == [ck.LoadFailure] * 2


def test_one_value_that_fails_is_a_load_failure_with_a_warning(path):
    ck.save(path, good=1, bad=Broken())
    with pytest.warns(CheckpointWarning, match="`bad`"):
        assert isinstance(ck.load(path, "bad"), ck.LoadFailure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ck.load(path, "good") == 1


def test_a_record_gives_a_failure_as_a_value_and_without_a_warning(path):
    ck.save(path, bad=Broken())
    assert isinstance(ck.read(path)["bad"], ck.LoadFailure)


def test_a_name_that_is_not_there_tells_what_is(path):
    ck.save(path, alpha=1)
    with pytest.raises(KeyError, match="did you mean `alpha`"):
        ck.load(path, "alphe")


def test_what_is_not_there_is_a_store_error(path):
    for call in [ck.load, ck.read, ck.trust]:
        with pytest.raises(StoreError, match="there is no such file"):
            call(path)


def test_what_is_none_of_ours_is_a_format_error(path):
    Path(path).write_text("hello")
    for call in [ck.load, ck.read, ck.trust]:
        with pytest.raises(FormatError, match=r"run\.ckpt"):
            call(path)


# Trust


def test_a_strangers_file_shows_itself_and_loads_once_it_is_trusted(path):
    savefile.save(path, {"x": 1}, keyring=OTHER)
    with pytest.raises(Untrusted, match="signs it as yours"):
        ck.load(path)
    assert ck.read(path).names() == ["x"]
    assert ck.trust(path)["x"] == 1
    assert ck.load(path, "x") == 1


def test_another_process_of_this_user_trusts_it(path):
    ck.save(path, x=[1])
    program = "import sys, ipycheckpoint as ck; print(ck.load(sys.argv[1]))"
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", program, path], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "{'x': [1]}\n"


def test_the_image_that_a_process_runs_in_is_shown(path):
    program = "import sys, ipycheckpoint as ck; ck.save(sys.argv[1], x=1)"
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "IPYCHECKPOINT_IMAGE": "lab:2026-11"}
    subprocess.run([sys.executable, "-c", program, path], env=environ, check=True)
    assert "image='lab:2026-11'" in repr(ck.read(path))


# Upgrade


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with files of an earlier format, a foreign one, and one of today's."""
    folder = tmp_path / "kept"
    for name in ["a.ckpt", "date=1/b.ckpt", "strange.ckpt", "damaged.ckpt"]:
        ck.save(folder / name, x=name)
    savefile.save(folder / "strange.ckpt", {"x": 1}, keyring=OTHER)
    damaged = folder / "damaged.ckpt"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0")
    (folder / "model.ckpt").write_bytes(b"PK\x03\x04 some other program's")
    (folder / "notes.txt").write_text("mine")
    monkeypatch.setattr(record_format, "FORMAT_VERSION", 2)
    monkeypatch.setattr(savefile, "FORMAT_VERSION", 2)
    monkeypatch.setitem(record_format._upgrades, 1, lambda old: old)
    ck.save(folder / "new.ckpt", x="new")
    return folder


def versions(folder):
    found = {}
    for path in folder.rglob("*.ckpt"):
        if path.name != "model.ckpt":
            found[path.name] = json.loads(path.read_bytes().splitlines()[0])["ipycheckpoint"]
    return found


def test_a_folder_is_upgraded_file_by_file_and_what_can_not_be_is_named(folder):
    with pytest.warns(CheckpointWarning) as caught:
        done = ck.upgrade(folder)
    assert [Path(path).name for path in done] == ["a.ckpt", "b.ckpt"]
    assert versions(folder) == {"a.ckpt": 2, "b.ckpt": 2, "new.ckpt": 2, "strange.ckpt": 1, "damaged.ckpt": 1}
    told = sorted(str(warning.message).partition(" stays")[0] for warning in caught)
    assert [Path(path).name for path in told] == ["damaged.ckpt", "strange.ckpt"]
    assert ck.load(folder / "a.ckpt", "x") == "a.ckpt"
    assert (folder / "notes.txt").read_text() == "mine"


def test_single_files_are_upgraded_whatever_their_names(folder):
    shutil.copy(folder / "a.ckpt", folder / "a.bin")
    assert ck.upgrade(folder / "a.bin", folder / "date=1/b.ckpt") == [
        str(folder / "a.bin"), str(folder / "date=1/b.ckpt"),
    ]  # fmt: skip
    assert ck.upgrade(folder / "a.bin") == []


def test_what_is_not_there_is_named_and_the_others_are_upgraded(folder):
    with pytest.warns(CheckpointWarning, match=r"nothing\.ckpt stays as it is: .*no such file"):
        assert ck.upgrade(folder / "nothing.ckpt", folder / "a.ckpt") == [str(folder / "a.ckpt")]


def test_files_at_a_url_are_upgraded(monkeypatch):
    pytest.importorskip("fsspec")
    url = in_memory()
    ck.save(f"{url}/a/b.ckpt", x=1)
    monkeypatch.setattr(record_format, "FORMAT_VERSION", 2)
    monkeypatch.setattr(savefile, "FORMAT_VERSION", 2)
    monkeypatch.setitem(record_format._upgrades, 1, lambda old: old)
    assert ck.upgrade(url) == [f"{url}/a/b.ckpt"]
    assert ck.read(f"{url}/a/b.ckpt").format_version == 2
