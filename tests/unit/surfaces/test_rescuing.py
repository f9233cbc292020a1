"""The command ``ipycheckpoint rescue``, with interpreters that are there."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

from ipycheckpoint.cache import savefile
from ipycheckpoint.cache.cache import Cache, Draft
from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.identity.identity import Identity
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.record import Output
from ipycheckpoint.record.remains import Remains
from ipycheckpoint.surfaces.cli import main, parser
from ipycheckpoint.surfaces.commands.answer import FAILED, MISUSED


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def order(monkeypatch):
    """An instance of ``old_shop.Order``; the module goes when `forget` is called."""
    module = ModuleType("old_shop")
    module.Order = type("Order", (), {"__module__": "old_shop"})
    monkeypatch.setitem(sys.modules, "old_shop", module)
    made = module.Order()
    made.price = 3
    return made


def forget():
    del sys.modules["old_shop"]


@pytest.fixture
def file(order):
    savefile.save("then.ckpt", {"order": order, "plain": [1]}, tags=(("date", "2017-01-01"),), label="shop.orders")
    forget()
    return "then.ckpt"


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-100])


def rescue(*arguments):
    return main(["rescue", *arguments, "--python", sys.executable])


def test_what_was_rescued_is_beside_the_old_file_and_loads(file, capsys):
    assert rescue(file) == 0
    record = savefile.read("then.rescued.ckpt")
    assert isinstance(record["order"], Remains)
    assert (record["order"].price, record["plain"]) == (3, [1])
    assert (record.header.label, record.tags) == ("shop.orders", (("date", "2017-01-01"),))
    shown = capsys.readouterr()
    assert shown.out == "then.rescued.ckpt\n"
    assert "order: rescued in part" in shown.err
    assert "plain: loads here as it is" in shown.err


def test_the_old_file_stays_as_it_is(file):
    before = Path(file).read_bytes()
    rescue(file)
    assert Path(file).read_bytes() == before


def test_output_and_names_can_be_said(file):
    assert rescue(file, "--output", "new/x.ckpt", "--name", "order") == 0
    assert savefile.read("new/x.ckpt").names() == ["order"]


def test_a_class_that_has_moved_needs_no_rescue(file, monkeypatch):
    module = ModuleType("new_shop")
    module.Purchase = type("Purchase", (), {"__module__": "new_shop"})
    monkeypatch.setitem(sys.modules, "new_shop", module)
    assert main(["rescue", file, "--moved", "old_shop.Order=new_shop.Purchase"]) == 0
    assert type(savefile.read("then.rescued.ckpt")["order"]) is module.Purchase


def test_a_form_that_is_asked_for_is_written_into_a_directory(file, capsys):
    assert rescue(file, "--as", "json", "--name", "plain") == 0
    assert Path("then.rescued/plain.json").read_text("utf-8") == "[1]"
    assert capsys.readouterr().out.split() == ["then.rescued.ckpt", str(Path("then.rescued", "plain.json"))]


def test_an_object_that_has_no_such_form_is_told_and_the_rest_is_there(file, capsys):
    assert rescue(file, "--as", "json") == FAILED
    assert "order can't be written as json" in capsys.readouterr().err
    assert Path("then.rescued/plain.json").exists()
    assert savefile.read("then.rescued.ckpt")["plain"] == [1]


def test_what_is_lost_makes_the_command_fail_and_the_rest_is_there(capsys):
    savefile.save("then.ckpt", {"whole": [1], "cut": list(range(1000))})
    cut_off(Path("then.ckpt"))
    assert rescue("then.ckpt") == FAILED
    assert "cut: lost" in capsys.readouterr().err
    assert savefile.read("then.rescued.ckpt").names() == ["whole"]


def test_where_all_is_lost_no_file_is_written():
    savefile.save("then.ckpt", {"cut": list(range(1000))})
    cut_off(Path("then.ckpt"))
    assert rescue("then.ckpt") == FAILED
    assert not Path("then.rescued.ckpt").exists()


@pytest.fixture
def key(order, tmp_path):
    cache = Cache.at(tmp_path / ".ipycheckpoint")
    identity = Identity("cell", "In [3]", ())
    sections = tuple(encode({"order": order}))
    header = cache.save(Draft(identity, (Output("order", "bound"),), {"order": order}, sections, 1.5))
    cache.close()
    forget()
    return header.key


def test_a_record_of_the_cache_is_found_by_its_key(key):
    assert rescue(key) == 0
    assert savefile.read("In-3.rescued.ckpt")["order"].price == 3


def test_the_cache_can_be_elsewhere(key, tmp_path, monkeypatch):
    Path(".ipycheckpoint").rename("elsewhere")
    assert rescue(key, "--cache", "elsewhere") == 0
    monkeypatch.setenv("IPYCHECKPOINT_DIR", str(tmp_path / "elsewhere"))
    assert rescue(key) == 0
    assert not Path(".ipycheckpoint").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.ckpt"], "no such file"),
        (["0" * 64], "has no record 000"),
        (["then.ckpt", "--name", "ordr"], "did you mean `order`"),
        (["then.ckpt", "--moved", "old_shop"], "--moved takes the old name and the new one"),
        (["then.ckpt", "--python", "no/python"], "there is no such interpreter"),
    ],
)
def test_what_was_called_wrongly_is_told(file, arguments, words, capsys):
    assert main(["rescue", *arguments]) == MISUSED
    assert words in capsys.readouterr().err


def test_a_file_of_someone_else_is_not_loaded(file, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("IPYCHECKPOINT_SECRET_FILE", str(tmp_path / "other"))
    assert rescue(file) == MISUSED
    assert "not by you" in capsys.readouterr().err


def test_the_environment_stays_only_if_it_is_to_be_kept(file, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    place = tmp_path / "tmp"
    place.mkdir()
    rescue(file)
    assert list(place.iterdir()) == []
    rescue(file, "--keep-environment")
    [kept] = place.iterdir()
    assert f"kept: {kept}" in capsys.readouterr().err
    assert kept.stat().st_mode & 0o077 == 0, "nobody else may look"


def test_without_a_python_one_like_that_of_then_is_made(file, monkeypatch):
    from ipycheckpoint.surfaces import rescuing

    asked = []

    class Refused(CheckpointError):
        pass

    def make(directory, version, say):
        asked.append(version)
        raise Refused("enough")

    monkeypatch.setattr(rescuing, "NewEnvironment", make)
    assert main(["rescue", file]) == MISUSED
    assert main(["rescue", file, "--python", "3.12"]) == MISUSED
    assert asked == [savefile.read(file).environment.python, "3.12"]


def test_every_option_is_documented_and_every_documented_one_exists():
    page = (Path(__file__).parents[3] / "docs" / "load-failures.md").read_text("utf-8")
    told = set(re.findall(r"^\| `(--[a-z-]+)", page, flags=re.MULTILINE))
    subparser = next(action for action in parser("rescue")._actions if action.dest == "command").choices["rescue"]
    assert told == {option for action in subparser._actions for option in action.option_strings} - {"-h", "--help"}
