"""Rescued with interpreters that are there: no network. `tests/semantics/test_rescue.py` makes whole environments."""

from __future__ import annotations

import importlib
import json
import sys
import zipfile

import numpy as np
import pytest

from ipycheckpoint.cache import savefile
from ipycheckpoint.cache.rescue import rescue
from ipycheckpoint.cache.workshop import GivenInterpreter, NewEnvironment
from ipycheckpoint.errors import CannotRescue, IntegrityError, Untrusted
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.remains import Remains
from ipycheckpoint.record.trust import Keyring

RING = Keyring(secret=b"k" * 32)

OLDLIB = """
import sys
import numpy

class Grid:
    def __init__(self, values):
        self.values = values
    def __reduce__(self):
        return grid, (self.values,)

def grid(values):
    "Where this library is, there is an array in the end."
    return numpy.array(values)

class Order:
    def __init__(self, price):
        self.price = price
"""


class Unused:
    """A workshop that nobody may need."""

    def interpreter(self):
        raise AssertionError("nothing is to be rescued")

    def install(self, requirements, constraints):
        raise AssertionError("nothing is to be rescued")


class Recorded(GivenInterpreter):
    """This interpreter, and what it was asked to install."""

    def __init__(self, python=sys.executable):
        super().__init__(python)
        self.asked = []

    def install(self, requirements, constraints):
        self.asked.append(list(requirements))


@pytest.fixture
def wheels(tmp_path):
    """A directory with the one release of `oldlib`."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    with zipfile.ZipFile(directory / "oldlib-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("oldlib.py", OLDLIB.replace("import numpy\n", "").replace("numpy.array(values)", "list(values)"))
        info = "oldlib-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: oldlib\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return directory


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A record of `make(oldlib)`, in a process that has lost `oldlib` since; only in ``lib`` it is."""
    library = tmp_path / "lib"
    (library / "oldlib-1.0.dist-info").mkdir(parents=True)
    (library / "oldlib.py").write_text(OLDLIB)

    def save(make, **settings):
        path = tmp_path / "then.ckpt"
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(library))
            values = make(importlib.import_module("oldlib"))
            savefile.save(path, values, keyring=RING, **settings)
        del sys.modules["oldlib"]
        return savefile.read(path, keyring=RING)

    monkeypatch.chdir(library)
    return save


@pytest.fixture
def directory(tmp_path):
    made = tmp_path / "work"
    made.mkdir()
    return made


def by_name(results):
    return {result.name: result for result in results}


def test_what_loads_here_needs_no_other_place(saved, directory):
    record = saved(lambda oldlib: {"a": [1], "b": {"k": 2}})
    results = rescue(record, Unused(), directory)
    assert [(r.name, r.how, r.value) for r in results] == [("a", "loads", [1]), ("b", "loads", {"k": 2})]


def test_what_does_not_load_here_is_loaded_there_and_comes_whole(saved, directory):
    record = saved(lambda oldlib: {"grid": oldlib.Grid([1, 2]), "in_a_list": [oldlib.Grid([3])], "plain": 5})
    results = by_name(rescue(record, Recorded(), directory))
    assert {name: result.how for name, result in results.items()} == {
        "grid": "rescued",
        "in_a_list": "rescued",
        "plain": "loads",
    }
    assert results["grid"].value.tolist() == [1, 2]
    assert isinstance(results["in_a_list"].value[0], np.ndarray)


def test_large_buffers_go_along(saved, directory):
    record = saved(lambda oldlib: {"both": [oldlib.Grid([1]), np.arange(50_000)]}, compression="fast")
    [result] = rescue(record, Recorded(), directory)
    assert result.value[1].sum() == np.arange(50_000).sum()


def test_of_a_class_that_is_not_here_the_attributes_come(saved, directory):
    record = saved(lambda oldlib: {"order": oldlib.Order(3)})
    [result] = rescue(record, Recorded(), directory)
    assert isinstance(result.value, Remains)
    assert (result.how, result.value.price) == ("remains", 3)
    assert "oldlib.Order" in str(result)


def test_a_class_that_refuses_what_it_was_leaves_what_it_held(saved, directory, monkeypatch, tmp_path):
    record = saved(lambda oldlib: {"order": [oldlib.Order(3), np.arange(2)]})
    newer = tmp_path / "newer"
    (newer / "oldlib-2.0.dist-info").mkdir(parents=True)
    refusing = "    def __setstate__(self, state):\n        raise ValueError('a state of then')\n"
    (newer / "oldlib.py").write_text(OLDLIB + refusing)
    monkeypatch.syspath_prepend(str(newer))
    monkeypatch.setitem(sys.modules, "oldlib", importlib.import_module("oldlib"))
    said = []
    [result] = rescue(record, Recorded(), directory, say=said.append)
    assert result.how == "remains"
    assert (result.value[0].price, result.value[1].tolist()) == (3, [0, 1])
    assert any("a state of then" in words for words in said)


def test_only_what_is_named_is_rescued(saved, directory):
    record = saved(lambda oldlib: {"grid": oldlib.Grid([1]), "other": oldlib.Grid([2])})
    assert [result.name for result in rescue(record, Recorded(), directory, ["other"])] == ["other"]


def test_what_shared_an_object_shares_it_again(saved, directory):
    def make(oldlib):
        shared = [oldlib.Grid([1])]
        return {"a": shared, "b": {"k": shared}}

    results = by_name(rescue(saved(make), Recorded(), directory))
    assert results["b"].value["k"] is results["a"].value


def test_what_fails_there_too_is_lost_and_says_why(saved, directory, monkeypatch, tmp_path):
    record = saved(lambda oldlib: {"grid": oldlib.Grid([1]), "plain": 5})
    (tmp_path / "lib" / "oldlib.py").write_text(OLDLIB.replace("numpy.array(values)", "1 / 0"))
    results = by_name(rescue(record, Recorded(), directory))
    assert results["grid"].how == "lost"
    assert "ZeroDivisionError" in results["grid"].note
    assert results["plain"].how == "loads"


def test_damaged_bytes_are_lost_and_no_environment_is_made_for_them(saved, directory, tmp_path):
    saved(lambda oldlib: {"a": [1], "b": list(range(1000))})
    path = tmp_path / "then.ckpt"
    path.write_bytes(path.read_bytes()[:-100])
    results = by_name(rescue(savefile.read(path, keyring=RING), Unused(), directory))
    assert (results["a"].how, results["b"].how) == ("loads", "lost")
    assert "backup" in results["b"].note


def test_what_nobody_we_trust_has_signed_is_unpickled_nowhere(saved, directory, tmp_path):
    saved(lambda oldlib: {"grid": oldlib.Grid([1])})
    stranger = savefile.read(tmp_path / "then.ckpt", keyring=Keyring(secret=b"x" * 32))
    with pytest.raises(Untrusted):
        rescue(stranger, Unused(), directory)


def test_bytes_that_change_after_they_were_looked_at_are_not_sent(saved, directory, monkeypatch):
    record = saved(lambda oldlib: {"grid": oldlib.Grid([1])})
    monkeypatch.setattr(type(record), "section_of", _damaged)
    with pytest.raises(IntegrityError):
        rescue(record, Unused(), directory)


def _damaged(record, name):
    raise IntegrityError("section 0", "a" * 64, "b" * 64)


def test_first_the_packages_that_are_named_are_installed_and_then_all(saved, directory, tmp_path):
    record = saved(lambda oldlib: {"grid": oldlib.Grid([1])})
    there = Recorded()
    rescue(record, there, directory)
    assert there.asked == [["oldlib==1.0"]]
    (tmp_path / "lib" / "oldlib.py").write_text("import not_named_anywhere\n")
    rescue(record, there, directory)
    assert there.asked[1:] == [["oldlib==1.0"], record.environment.requirements()]


def test_a_record_without_its_environment_can_not_be_rescued(saved, directory, monkeypatch):
    record = saved(lambda oldlib: {"grid": oldlib.Grid([1])})
    monkeypatch.setattr(type(record), "environment", None)
    with pytest.raises(CannotRescue, match="doesn't say which"):
        rescue(record, Unused(), directory)


def test_a_python_that_is_none_is_told(saved, directory):
    record = saved(lambda oldlib: {"grid": oldlib.Grid([1])})
    with pytest.raises(CannotRescue, match="can't load in the environment that saved it"):
        rescue(record, GivenInterpreter("/bin/false"), directory)


def test_each_object_is_written_in_the_form_that_is_asked_for(saved, directory):
    record = saved(lambda oldlib: {"grid": oldlib.Grid([1, 2]), "plain": [5], "set": {1}})
    results = by_name(rescue(record, Recorded(), directory, form="json"))
    assert json.loads(results["grid"].file.read_text()) == [1, 2]
    assert json.loads(results["plain"].file.read_text()) == [5]
    assert results["set"].file is None
    assert "no form in JSON" in results["set"].unwritten


def test_pickle_is_written_by_the_python_that_is_here(saved, directory):
    import pickle

    record = saved(lambda oldlib: {"grid": oldlib.Grid([1, 2])})
    [result] = rescue(record, Recorded(), directory, form="pickle")
    assert pickle.loads(result.file.read_bytes()).tolist() == [1, 2]


def test_the_secret_is_in_none_of_the_files(saved, directory):
    rescue(saved(lambda oldlib: {"grid": oldlib.Grid([1])}), Recorded(), directory)
    assert not any(b"k" * 32 in path.read_bytes() for path in directory.rglob("*") if path.is_file())


@pytest.mark.slow
def test_what_can_not_be_installed_is_named(saved, directory, monkeypatch, tmp_path):
    record = saved(lambda oldlib: {"grid": oldlib.Grid([1, 2])})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    there = NewEnvironment(directory / "environment", Environment.current().python, lambda words: None, uv="")
    with pytest.raises(CannotRescue, match=r"can't install oldlib==1\.0: (?s:.)*oldlib"):
        rescue(record, there, directory)


@pytest.mark.slow
@pytest.mark.parametrize("uv", ["", None], ids=["pip", "uv"])
def test_an_environment_is_made_with_the_packages_of_then(saved, directory, wheels, monkeypatch, tmp_path, uv):
    from ipycheckpoint.cache import workshop

    if uv is None and workshop.uv_path() is None:
        pytest.skip("uv is not installed")
    record = saved(lambda oldlib: {"grid": oldlib.Grid([1, 2])})
    monkeypatch.chdir(tmp_path)
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(wheels)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
        monkeypatch.setenv(f"UV_{name}", value)
    said = []
    there = NewEnvironment(directory / "environment", Environment.current().python, said.append, uv=uv)
    [result] = rescue(record, there, directory)
    assert (result.how, result.value) == ("rescued", [1, 2])
    assert "installing oldlib==1.0" in said
