"""A handler saves what it is given, as it is at that moment, or leaves all as it was."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from ipycheckpoint.cache.index import index
from ipycheckpoint.cache.places import read_place
from ipycheckpoint.engine.savepoints.handlers import DictHandler, FileHandler
from ipycheckpoint.engine.savepoints.snapshot import snapshot
from ipycheckpoint.errors import CannotKeep, Unidentifiable, UsageError
from ipycheckpoint.store.files import LocalFiles
from tests.contracts.handler_contract import HandlerContract


class TestFileHandler(HandlerContract):
    """In a directory."""

    @pytest.fixture
    def handler(self, tmp_path: Path) -> FileHandler:
        return FileHandler(tmp_path)

    def seen(self, handler: Any) -> dict[Any, Any]:
        return {(entry.fullname, entry.tags): entry.load() for entry in index(handler.location)}


class TestFileHandlerAtAURL(TestFileHandler):
    """With a file system of fsspec."""

    @pytest.fixture
    def handler(self, tmp_path: Path) -> FileHandler:
        pytest.importorskip("fsspec")
        return FileHandler(f"memory://handlers/{tmp_path.name}", compression="fast")


class TestDictHandler(HandlerContract):
    """In memory."""

    @pytest.fixture
    def handler(self) -> DictHandler:
        return DictHandler(force=True)

    def seen(self, handler: Any) -> dict[Any, Any]:
        found = {place: read_place(f"{place}.ckpt") for place in handler}
        return {(".".join((*p.prefixes, p.name)), p.tags): dict(handler[place]) for place, p in found.items()}


def test_a_file_that_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    FileHandler(tmp_path).prepare("a", (), {"x": 1}).discard()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_handler_takes_the_files_of_a_place(tmp_path: Path) -> None:
    handler = FileHandler(LocalFiles(tmp_path))
    handler.save("Pkg.foo", (), {"x": 1})
    assert (handler.location, [entry.load() for entry in index(tmp_path)]) == (str(tmp_path), [{"x": 1}])


def test_a_file_handler_tells_its_settings(tmp_path: Path) -> None:
    handler = FileHandler(tmp_path, compression="small", codec="json")
    assert repr(handler) == f"FileHandler({str(tmp_path)!r}, compression='small', codec='json')"


def test_a_dict_handler_is_a_mapping() -> None:
    handler = DictHandler()
    handler.save("a.b", (), {"x": 1})
    handler.save("a.c", [("k", "v")], {"x": 2})
    assert {place: dict(values) for place, values in handler.items()} == {"a/b": {"x": 1}, "k=v/a/c": {"x": 2}}
    assert (len(handler), "a/b" in handler, repr(handler)) == (2, True, "DictHandler(a/b, k=v/a/c)")


@pytest.mark.parametrize("values", [{"x": 2}, {"x": True}, {"y": 1}, {"x": 1, "y": 1}, {}])
def test_a_dict_handler_refuses_other_values_and_other_names(values: dict[str, object]) -> None:
    handler = DictHandler()
    handler.save("a", (), {"x": 1})
    with pytest.raises(UsageError, match="is there already with other values"):
        handler.save("a", (), values)
    assert dict(handler["a"]) == {"x": 1}


def test_a_dict_handler_cannot_tell_whether_values_without_an_identity_are_equal() -> None:
    handler = DictHandler()
    handler.save("a", (), {"x": 1})
    with pytest.raises(Unidentifiable, match="`x`"):
        handler.save("a", (), {"x": threading.Lock()})


def test_the_values_in_a_dict_handler_cannot_be_replaced_from_outside() -> None:
    handler = DictHandler()
    handler.save("a", (), {"x": 1})
    with pytest.raises(TypeError):
        handler["a"]["x"] = 2  # type: ignore[index]  # that's the point


def test_a_snapshot_shares_nothing_with_the_values_but_among_itself() -> None:
    shared = [1]
    copies = snapshot({"a": shared, "b": {"in": shared}})
    shared.append(2)
    assert copies == {"a": [1], "b": {"in": [1]}}
    assert copies["a"] is copies["b"]["in"]  # type: ignore[index]  # it is a dict


class Uncopied:
    """It can be pickled, and not copied."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __deepcopy__(self, memo: object) -> Uncopied:
        raise RuntimeError("as tensors of a graph are")


def test_what_cannot_be_copied_but_written_has_a_snapshot_all_the_same() -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(100_000)
    copies = snapshot({"b": Uncopied([1]), "a": array})
    array[0] = 7
    assert (list(copies), copies["b"].value, copies["a"][0]) == (["b", "a"], [1], 0)  # type: ignore[attr-defined, index]  # as above


def test_what_can_neither_be_copied_nor_written_is_named() -> None:
    with pytest.raises(CannotKeep, match="`lock`"):
        snapshot({"a": 1, "lock": threading.Lock()})
