"""The Index of a directory tells what lies there by the paths alone."""

from __future__ import annotations

import os
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ipycheckpoint as ck
from ipycheckpoint.cache import index as module
from ipycheckpoint.cache.index import Entry, index
from ipycheckpoint.cache.places import place_of
from ipycheckpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Make the file of a savepoint, which nobody needs to open."""

    def put(name: str, *tags: tuple[str, str], below: Path = tmp_path) -> Path:
        path = below / place_of(name, tags)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"never opened")
        return path

    return put


def test_an_entry_has_fields(tmp_path: Path, put: Callable[..., Path]) -> None:
    path = put("TestPkg.bar", ("date", "2017-01-01"))
    os.utime(path, (1_500_000_000, 1_500_000_000))
    [entry] = index(tmp_path)
    assert (entry.name, entry.fullname, entry.prefixes) == ("bar", "TestPkg.bar", ("TestPkg",))
    assert (entry.tags, entry.date) == ((("date", "2017-01-01"),), "2017-01-01")
    assert (entry.path, entry.nbytes) == (str(path), len(b"never opened"))
    assert entry.saved_at == datetime(2017, 7, 14, 2, 40, tzinfo=UTC)
    assert repr(entry) == "Entry(TestPkg.bar, date=2017-01-01)"


def test_a_savepoint_without_a_prefix_has_none(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("bar")
    [entry] = index(tmp_path)
    assert (entry.name, entry.fullname, entry.prefixes, entry.tags) == ("bar", "bar", (), ())


def test_the_path_of_the_directory_itself_does_not_matter(tmp_path: Path, put: Callable[..., Path]) -> None:
    deep = tmp_path / "a" / "b=1" / "c"
    put("TestPkg.bar", ("date", "2017-01-01"), below=deep)
    [entry] = index(deep)
    assert (entry.tags, entry.prefixes, entry.name) == ((("date", "2017-01-01"),), ("TestPkg",), "bar")


def test_files_of_others_are_left_out_unless_they_are_asked_for(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("TestPkg.bar", ("date", "2017-01-01"))
    (tmp_path / "date=2021-01-01").mkdir()
    (tmp_path / "date=2021-01-01" / "other_file.txt").write_text("1")
    assert [entry.name for entry in index(tmp_path)] == ["bar"]
    [other] = index(tmp_path, all_files=True).where(date="2021-01-01")
    assert other.path == str(tmp_path / "date=2021-01-01" / "other_file.txt")


def test_a_repeated_tag_is_in_order_and_has_no_single_value(tmp_path: Path, put: Callable[..., Path]) -> None:
    pairs = (("tags", "clash"), ("a", "a1"), ("b", "b1"), ("a", "a2"), ("date", "2017-01-01"))
    put("TestPkg.bar", *pairs)
    [entry] = index(tmp_path)
    assert (entry.tags, entry.date, entry.b) == (pairs, "2017-01-01", "b1")
    with pytest.raises(AttributeError, match=r"has the tag 'a' 2 times, as a1, a2: `entry\.tags` has them all"):
        _ = entry.a
    with pytest.raises(UsageError, match="2 times"):
        entry.tag("a")


@pytest.mark.parametrize("key", ["path", "name", "tags", "load", "keys", "where"])
def test_a_tag_that_is_called_as_something_else_is_had_by_name(
    tmp_path: Path, put: Callable[..., Path], key: str
) -> None:
    path = put("TestPkg.bar", (key, "clash"))
    [entry] = index(tmp_path)
    assert (entry.tag(key), entry.path, entry.name) == ("clash", str(path), "bar")


def test_a_tag_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("TestPkg.bar", ("date", "2017-01-01"))
    [entry] = index(tmp_path)
    with pytest.raises(AttributeError, match="has no tag 'dat'; its tags are: date"):
        _ = entry.dat
    assert getattr(entry, "dat", None) is None
    assert ("date" in dir(entry), hasattr(entry, "_private")) == (True, False)


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no directory .*nowhere to index"):
        index(tmp_path / "nowhere")


def test_a_directory_without_savepoints_has_an_empty_index(tmp_path: Path) -> None:
    assert len(index(tmp_path)) == 0


def test_nothing_is_opened(tmp_path: Path, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        put("TestPkg.bar", ("run", str(number)))
    monkeypatch.setattr(module, "read", None)
    found = index(tmp_path)
    assert [(entry.fullname, entry.run) for entry in found] == [("TestPkg.bar", str(number)) for number in range(3)]
    assert (repr(found), found._repr_html_()) == (repr(found), found._repr_html_())


NAME, KEY, VALUE = "TestPkg." + "long ✨" * 60, "key/" * 75, "value=" * 50


def test_what_is_too_long_for_a_path_is_read_in_the_header(tmp_path: Path) -> None:
    ck.FileHandler(tmp_path).save(NAME, ((KEY, VALUE),), {"x": 1})
    [entry] = index(tmp_path)
    assert (entry.fullname, entry.tags, entry.load()) == (NAME, ((KEY, VALUE),), {"x": 1})
    assert (entry.prefixes, entry.name) == (("TestPkg",), NAME.removeprefix("TestPkg."))


def test_a_header_that_does_not_agree_with_the_path_is_not_believed(tmp_path: Path) -> None:
    handler = ck.FileHandler(tmp_path)
    handler.save("TestPkg.foo", (), {"x": 1})
    (tmp_path / "TestPkg" / "foo.ckpt").rename(tmp_path / place_of("b" * 300))
    [entry] = index(tmp_path)
    assert entry.fullname.startswith("bbbbb")


def test_a_file_that_is_no_record_is_listed_by_what_its_path_tells(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("b" * 300)
    [entry] = index(tmp_path)
    assert entry.name.startswith("bbbbb")
    with pytest.raises(ck.CheckpointError):
        entry.load()


# -- as a sequence --


@pytest.fixture
def several(tmp_path: Path, put: Callable[..., Path]) -> Path:
    put("TestPkg.bar", ("date", "2017-01-02"))
    put("TestPkg.bar", ("date", "2017-01-01"), ("run", "1"))
    put("TestPkg.foo", ("date", "2017-01-01"), ("run", "1"), ("run", "2"))
    put("foo")
    return tmp_path


def test_entries_are_ordered_by_path(several: Path) -> None:
    paths = [entry.path for entry in index(several)]
    assert (len(paths), paths) == (4, sorted(paths))


def test_a_slice_is_an_index(several: Path) -> None:
    found = index(several)
    assert [entry.path for entry in found[1:3]] == [found[1].path, found[2].path]
    assert found[-1] == found[3]
    assert found[0] in found


@pytest.mark.parametrize(
    ("equal", "count"),
    [
        ({"name": "bar"}, 2),
        ({"name": "foo", "date": "2017-01-01"}, 1),
        ({"fullname": "foo"}, 1),
        ({"prefixes": ("TestPkg",)}, 3),
        ({"run": 2}, 1),
        ({"run": 1}, 2),
        ({"run": 3}, 0),
        ({}, 4),
    ],
)
def test_an_index_is_filtered_by_fields_and_tags(several: Path, equal: dict[str, object], count: int) -> None:
    assert len(index(several).where(**equal)) == count


def test_an_index_is_filtered_by_conditions(several: Path) -> None:
    found = index(several).where(lambda entry: len(entry.tags) > 1, name="bar")
    assert [entry.fullname for entry in found] == ["TestPkg.bar"]


def test_an_entry_equals_another_of_the_same_file(several: Path) -> None:
    one, other = index(several), index(several)
    assert (list(one) == list(other), len({*one, *other})) == (True, 4)


def test_an_index_is_pickled(several: Path) -> None:
    found = pickle.loads(pickle.dumps(index(several)))
    assert [entry.fullname for entry in found] == [entry.fullname for entry in index(several)]


def test_an_index_shows_what_is_there(several: Path) -> None:
    lines = repr(index(several)).splitlines()
    assert lines[0] == f"Index of {several}: 4 savepoints"
    assert lines[1] == "  TestPkg.bar date=2017-01-01 run=1"


def test_a_long_index_shows_its_beginning(tmp_path: Path, put: Callable[..., Path]) -> None:
    for number in range(60):
        put(f"foo{number}")
    found = index(tmp_path)
    assert repr(found).splitlines()[-1].strip() == "… and 50 more"
    assert found._repr_html_().count("<tr>") == 51


def test_what_a_path_tells_is_escaped_in_a_notebook(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("<script>", ("<b>", "&"))
    shown = index(tmp_path)._repr_html_()
    assert ("<script>" in shown, "&lt;script&gt;" in shown, "&lt;b&gt;=&amp;" in shown) == (False, True, True)


# -- as a table --

COLUMNS = ["path", "name", "fullname", "prefixes", "tags", "saved_at", "nbytes", "date"]


def test_pandas_makes_a_row_of_each(several: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(index(several))
    assert sorted(table.columns) == sorted(COLUMNS)
    assert list(table["name"]) == ["bar", "foo", "bar", "foo"]
    assert list(table["date"][:3]) == ["2017-01-01", "2017-01-01", "2017-01-02"]
    assert table["date"].isna().tolist() == [False, False, False, True]


def test_polars_makes_a_row_of_each(several: Path) -> None:
    polars = pytest.importorskip("polars")
    table = polars.DataFrame(index(several))
    assert table.columns == COLUMNS
    assert table["date"].to_list() == ["2017-01-01", "2017-01-01", "2017-01-02", None]
    assert table["saved_at"].dtype == polars.Datetime("us", "UTC")


def test_a_row_has_its_fields_and_the_tags_that_are_never_repeated(several: Path) -> None:
    first = index(several)[0]
    assert isinstance(first, Entry)
    assert (list(first), first["name"], first["date"]) == (COLUMNS, "bar", "2017-01-01")
    with pytest.raises(KeyError):
        _ = first["run"]


def test_a_tag_that_is_called_as_a_field_has_no_column(tmp_path: Path, put: Callable[..., Path]) -> None:
    path = put("TestPkg.bar", ("path", "clash"))
    [entry] = index(tmp_path)
    assert dict(entry)["path"] == str(path)
