"""Each row of docs/coming-from.md: the code of our side runs, and does what the row says."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

import ipycheckpoint as ck
from ipycheckpoint.cache import savefile
from ipycheckpoint.engine.savepoints.names import Names
from ipycheckpoint.record import format as record_format
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.workspace import Workspace, using
from tests.semantics import testpkg

PAGE = (Path(__file__).parents[1] / "docs" / "coming-from.md").read_text("utf-8")
DATED = "date=2017-01-01/TestPkg/foo"
ALL = ["TestPkg.foo", "TestPkg.bar", "TestPkg.baz", "TestPkg.qux_a", "TestPkg.qux_b"]
SETUP = "def calc(a, b):\n    print('ran')\n    return a + b\n"


class Row(NamedTuple):
    """What stands in one row: their code as it is written there, and each piece of ours."""

    theirs: str
    ours: list[str]


def rows() -> list[Row]:
    cells = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `")]
    return [Row(theirs.replace("`", "").strip(), re.findall(r"`([^`]+)`", ours)) for theirs, ours, _ in cells]


class Ours:
    """The code of our side of one row, which shares its names."""

    def __init__(self, code: list[str]) -> None:
        self._code = code
        public = {name: getattr(ck, name) for name in ck.__all__}
        self.names: dict[str, Any] = {**public, "ck": ck, "testpkg": testpkg, "ExitStack": ExitStack, "x": 3, "y": 4}
        self.ran: set[int] = set()

    def __call__(self, which: int = 0, **names: Any) -> Any:
        """Run one piece with these names: the value of an expression, the function that a decorator makes of `calc`."""
        self.names |= names
        code = self.text(which)
        if code.startswith("@"):
            exec(f"{code}\n{SETUP}", self.names)
            return self.names["calc"]
        try:
            compiled = compile(code, "<row>", "eval")
        except SyntaxError:
            return exec(code, self.names)
        return eval(compiled, self.names)

    def text(self, which: int = 0) -> str:
        self.ran.add(which)
        return self._code[which]

    def all(self, **names: Any) -> list[Any]:
        return [self(which, **names) for which in range(len(self._code))]


TESTED: list[str] = []


def row(theirs: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The decorated test is that of the row that begins with `theirs`."""
    TESTED.append(theirs)
    return pytest.mark.parametrize("ours", [theirs], indirect=True)


@pytest.fixture
def ours(request: pytest.FixtureRequest) -> Iterator[Ours]:
    [code] = [row.ours for row in rows() if row.theirs == request.param]
    ours = Ours(code)
    yield ours
    assert ours.ran == set(range(len(code))), "some code of the row wasn't run"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.chdir(tmp_path)
    own = Workspace({}, Names())
    with using(own):
        testpkg.declare()
        yield own
    own.close()


def test_every_row_has_one_test_and_every_test_a_row() -> None:
    assert sorted(TESTED) == sorted(row.theirs for row in rows())


def test_every_line_of_a_table_is_read() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert len(lines) == len(rows()) + 4  # each of the two tables has a head and a rule
    assert all(row.ours for row in rows())


def saved(place: str = "checkpoints") -> list[str]:
    return sorted(str(path.relative_to(place)) for path in Path(place).rglob("*") if path.is_file())


def values(place: str) -> dict[str, Any]:
    return ck.load(f"checkpoints/{place}.ckpt")


# Checkpoints.jl


@row('register("TestPkg", ["foo", "bar"])')
def test_names_are_declared_below_a_prefix_as_often_as_you_like(ours: Ours) -> None:
    with using(Workspace({}, Names())):
        ours(), ours()
        assert ck.available() == ["TestPkg.foo", "TestPkg.bar"]


@row('register(["foo", "bar"])')
def test_names_are_declared_without_a_prefix(ours: Ours) -> None:
    ours()
    assert ck.available() == [*ALL, "foo", "bar"]


@row('checkpoint("TestPkg", "foo", :x => x, :y => y)')
def test_values_are_saved_by_name_and_a_failure_only_warns(ours: Ours) -> None:
    ours()
    assert not Path("checkpoints").exists()
    ck.config("TestPkg.foo", "checkpoints")
    ours()
    assert values("TestPkg/foo") == {"x": 3, "y": 4}
    with pytest.warns(ck.CheckpointWarning, match="TestPkg.foo is not saved"):
        ours(y=threading.Lock())


@row('checkpoint("TestPkg", "foo", Dict(:x => x))')
def test_values_are_saved_as_a_mapping(ours: Ours) -> None:
    ck.config("TestPkg.foo", "checkpoints")
    ours()
    assert values("TestPkg/foo") == {"x": 3}


@row('checkpoint("TestPkg", "bar", x)')
def test_one_value_is_called_data(ours: Ours) -> None:
    ck.config("TestPkg.bar", "checkpoints")
    ours()
    assert values("TestPkg/bar") == {"data": 3}


@row('checkpoint("TestPkg", "bar", x; run=1)')
def test_tags_are_given_in_a_block(ours: Ours) -> None:
    ck.config("TestPkg.bar", "checkpoints")
    ours()
    assert values("run=1/TestPkg/bar") == {"data": 3}
    ck.savepoint("TestPkg.bar", 3, run=1)
    assert values("TestPkg/bar") == {"data": 3, "run": 1}


@row('checkpoint(handler, "TestPkg.bar", Dict(:x => x))')
def test_a_handler_can_be_called_by_hand(ours: Ours) -> None:
    ours(handler=ck.FileHandler("checkpoints"))
    assert values("run=1/TestPkg/bar") == {"x": 3}


@row('with_checkpoint_tags(:date => "2017-01-01") do … end')
def test_a_tag_holds_in_a_block_and_in_threads_and_executors_that_are_given_work_there(ours: Ours) -> None:
    def in_a_thread(*args: int) -> None:
        thread = threading.Thread(target=testpkg.foo, args=args)
        thread.start()
        thread.join()

    def in_an_executor(*args: int) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(testpkg.foo, *args)

    ck.config("TestPkg.foo", "checkpoints")
    for x, foo in enumerate([testpkg.foo, in_a_thread, in_an_executor]):
        ours(x=x, testpkg=SimpleNamespace(foo=foo))
        assert (saved(), values(DATED)["x"]) == ([f"{DATED}.ckpt"], x)


@row("with_checkpoint_tags((tag=1, othertag=2)) do … end")
def test_several_tags_keep_their_order(ours: Ours) -> None:
    ck.config("TestPkg.foo", "checkpoints")
    ours()
    assert saved() == ["tag=1/othertag=2/TestPkg/foo.ckpt"]
    ck.tags(tag=1)(testpkg.foo)(1, 2)
    assert "tag=1/TestPkg/foo.ckpt" in saved()


@row("with_checkpoint_tags(:a => 1, :a => 2) do … end")
def test_a_tag_may_be_repeated(ours: Ours) -> None:
    ck.config("TestPkg.foo", "checkpoints")
    with ck.tags(a=".."):
        ours()
    [entry] = ck.index("checkpoints")
    assert entry.tags == (("a", ".."), ("a", "1"), ("a", "2"))
    assert Path(entry.path).resolve().is_relative_to(Path("checkpoints").resolve())


@row("Checkpoints.available()")
def test_all_names_are_told_without_deprecated_ones(ours: Ours) -> None:
    assert ours() == ALL


@row("enabled_checkpoints()")
def test_those_that_are_configured_are_told(ours: Ours) -> None:
    ck.config(["TestPkg.bar", "TestPkg.foo"], "checkpoints")
    assert ours() == ["TestPkg.foo", "TestPkg.bar"]


@row('deprecate("TestPkg", "old", "foo")')
def test_a_name_stands_for_its_new_one(ours: Ours) -> None:
    ours()
    with pytest.warns(ck.CheckpointWarning, match=r"TestPkg\.old was renamed to TestPkg\.foo"):
        ck.config("TestPkg.old", "checkpoints")
    ck.savepoint("TestPkg.old", x=1)
    assert saved() == ["TestPkg/foo.ckpt"]


@row("deprecated_checkpoints()")
def test_deprecated_names_are_told_with_the_new_ones(ours: Ours) -> None:
    assert ours() == {"TestPkg.quux": "TestPkg.qux_a", "TestPkg.quuz": "TestPkg.qux_b"}


@row('Checkpoints.config("TestPkg.foo", "./checkpoints")')
def test_a_savepoint_is_configured_and_an_unknown_one_is_an_error(ours: Ours) -> None:
    ours()
    assert ck.enabled() == ["TestPkg.foo"]
    testpkg.foo(1, 2)
    assert saved() == ["TestPkg/foo.ckpt"]
    with pytest.raises(ck.UsageError, match=r"did you mean 'TestPkg\.foo'"):
        ck.config("TestPkg.fo", "./checkpoints")


@row('Checkpoints.config("TestPkg.q", "./checkpoints")')
def test_a_pattern_is_configured(ours: Ours) -> None:
    ours()
    assert ck.enabled() == ["TestPkg.qux_a", "TestPkg.qux_b"]
    ck.config("TestPkg", "./checkpoints")
    assert ck.enabled() == ALL


@row('Checkpoints.config(["TestPkg.foo", "TestPkg.bar"], "./checkpoints")')
def test_several_are_configured_or_none(ours: Ours) -> None:
    with pytest.raises(ck.UsageError):
        ck.config(["TestPkg.foo", "wrong"], "./checkpoints")
    assert ck.enabled() == []
    ours()
    assert ck.enabled() == ["TestPkg.foo", "TestPkg.bar"]


@row('Checkpoints.config(handler, "TestPkg.foo")')
def test_a_handler_is_configured_and_none_turns_it_off(ours: Ours) -> None:
    ours(handler=ck.DictHandler())
    assert ck.enabled() == ["TestPkg.foo"]
    ours(handler=None)
    assert ck.enabled() == []
    with ck.config("TestPkg.foo", ck.DictHandler()):
        assert ck.enabled() == ["TestPkg.foo"]
    assert ck.enabled() == []


@row('Checkpoints.config("TestPkg.foo", "./checkpoints"; format=:bson, compression=:gzip)')
def test_a_savepoint_is_configured_with_settings(ours: Ours) -> None:
    ours()
    testpkg.foo("long " * 10_000, 2)
    with pytest.warns(ck.CheckpointWarning, match="TestPkg.foo is not saved"):
        testpkg.foo(1.5, 1j)
    record = ck.read("checkpoints/TestPkg/foo.ckpt")
    assert ("codec=json" in repr(record), record["x"] == "long " * 10_000) == (True, True)
    assert Path(record.location).stat().st_size < 40_000


@row('JLSOHandler("./checkpoints"; compression=:gzip_smallest)')
def test_a_handler_for_files_has_settings(ours: Ours) -> None:
    handler = ours()
    for each in (handler, ck.FileHandler("plain")):
        each.save("TestPkg.foo", (), {"x": "long " * 10_000})
    sizes = [Path(place, "TestPkg", "foo.ckpt").stat().st_size for place in ("checkpoints", "plain")]
    assert sizes[0] < 40_000 < sizes[1]


@row('JLSOHandler("bucket", "prefix")')
def test_a_handler_saves_at_a_url(ours: Ours) -> None:
    pytest.importorskip("fsspec")
    ck.config("TestPkg.foo", ours())
    testpkg.foo(1, 2)
    assert ck.load("memory://bucket/prefix/TestPkg/foo.ckpt") == {"x": 1, "y": 2}


@row("DictHandler(force=true)")
def test_a_handler_keeps_copies_in_memory_and_replaces_only_by_force(ours: Ours) -> None:
    forced, data = ours(), [1]
    ck.config("TestPkg.foo", forced)
    testpkg.foo(data, 2)
    data.append(2)
    assert forced["TestPkg/foo"]["x"] == [1]
    testpkg.foo(data, 2)
    assert forced["TestPkg/foo"]["x"] == [1, 2]
    ck.config("TestPkg.foo", ck.DictHandler())
    testpkg.foo(1, 2)
    with pytest.warns(ck.CheckpointWarning, match="there already"):
        testpkg.foo(3, 4)


@row('handler.objects["TestPkg/foo"][:x]')
def test_what_is_in_memory_is_a_mapping(ours: Ours) -> None:
    handler = ck.DictHandler()
    ck.config("TestPkg.foo", handler)
    testpkg.foo(1, 2)
    assert ours(handler=handler) == 1


@row("commit!(handler::MyHandler, key, data)")
def test_a_handler_of_your_own_needs_no_more_than_save(ours: Ours) -> None:
    class Mine:
        def save(self, name: str, tags: Any, values: Any) -> None:
            seen.append((name, tags, dict(values)))

    seen: list[Any] = []
    ours(mine=Mine())
    with ck.tags(run=1):
        testpkg.foo(1, 2)
    assert seen == [("TestPkg.foo", (("run", "1"),), {"x": 1, "y": 2})]


@row('Session("TestPkg", "baz") do s … end')
def test_a_session_saves_at_its_end_and_nothing_if_it_raises(ours: Ours) -> None:
    ours()
    assert not Path("checkpoints").exists()
    ck.config("TestPkg.baz", "checkpoints")
    with pytest.raises(ZeroDivisionError), ck.Session("TestPkg", "baz") as s:
        s.save(x=1 // 0)
    assert saved() == []
    ours()
    assert values("TestPkg/baz") == {"x": 3}


@row("checkpoint(s, key => x)")
def test_a_session_saves_a_value_as_it_is_now_under_a_key(ours: Ours) -> None:
    ck.config("TestPkg.baz", "checkpoints")
    state: list[int] = []
    with ck.Session("TestPkg.baz") as s:
        for number in range(3):
            state.append(number)
            ours(s=s, key=f"step {number}", x=state)
    assert values("TestPkg/baz") == {"step 0": [0], "step 1": [0, 1], "step 2": [0, 1, 2]}


@row("checkpoint(s, x)")
def test_a_session_saves_a_single_value(ours: Ours) -> None:
    ck.config("TestPkg.baz", "checkpoints")
    with ck.Session("TestPkg.baz") as s:
        ours(s=s)
    assert values("TestPkg/baz") == {"data": 3}


@row('Session("TestPkg", ["qux_a", "qux_b"]) do sa, sb … end')
def test_a_session_of_several_savepoints_saves_all_or_none(ours: Ours) -> None:
    ck.config("TestPkg", "checkpoints")
    with pytest.warns(ck.CheckpointWarning, match="and all of its session"):
        ours(y=threading.Lock())
    assert saved() == []
    ours(y=4)
    assert (values("TestPkg/qux_a"), values("TestPkg/qux_b")) == ({"x": 3}, {"data": 4})


@row('s = Session("TestPkg", "baz"); checkpoint(s, x); commit!(s)')
def test_a_session_may_do_without_a_block(ours: Ours) -> None:
    ck.config("TestPkg.baz", "checkpoints")
    ours()
    assert values("TestPkg/baz") == {"data": 3}


@pytest.fixture
def bar() -> ck.Index:
    """An Index of one savepoint, beside which lies a file of somebody else's."""
    ck.config("TestPkg.bar", "checkpoints")
    testpkg.bar(5)
    Path("checkpoints/date=2021-01-01").mkdir()
    Path("checkpoints/date=2021-01-01/other.txt").write_text("mine")
    return ck.index("checkpoints")


@row('index_checkpoint_files("./checkpoints")')
def test_savepoints_are_listed_without_a_look_inside(ours: Ours, bar: ck.Index) -> None:
    Path("checkpoints/a.ckpt").write_bytes(b"never opened")
    assert [entry.fullname for entry in ours()] == ["a", "TestPkg.bar"]


@row('index_files("./checkpoints")')
def test_all_files_are_listed_on_demand(ours: Ours, bar: ck.Index) -> None:
    assert [Path(entry.path).name for entry in ours()] == ["bar.ckpt", "other.txt"]


@row('[x for x in index_checkpoint_files("./checkpoints") if x.date == "2017-01-01"]')
def test_entries_are_chosen_by_tags_and_conditions(ours: Ours, bar: ck.Index) -> None:
    with ck.tags(run=1):
        testpkg.bar(6)
    assert [entry.tags for entry in ours()] == [(("date", "2017-01-01"),), (("run", "1"), ("date", "2017-01-01"))]
    assert len(ours().where(lambda entry: len(entry.tags) == 1)) == 1


@row('DataFrame(index_checkpoint_files("./checkpoints"))')
def test_an_index_is_a_table(ours: Ours, bar: ck.Index) -> None:
    pandas = pytest.importorskip("pandas")
    with ck.tags(("a", 1), ("a", 2)):
        testpkg.bar(6)
    table = ours(pandas=pandas)
    assert list(table.date) == ["2017-01-01"] * 2
    assert {"saved_at", "nbytes"} < set(table.columns)
    assert "a" not in table.columns
    assert table.tags[0] == (("a", "1"), ("a", "2"), ("date", "2017-01-01"))


@row("checkpoint_path(x), checkpoint_name(x), checkpoint_fullname(x)")
def test_an_entry_tells_its_path_and_its_names(ours: Ours, bar: ck.Index, tmp_path: Path) -> None:
    path = tmp_path / "checkpoints/date=2017-01-01/TestPkg/bar.ckpt"
    assert ours.all(entry=bar[0]) == [str(path), "bar", "TestPkg.bar"]


@row("prefixes(x), tags(x), x.date")
def test_an_entry_tells_its_prefixes_and_its_tags(ours: Ours, bar: ck.Index) -> None:
    assert ours.all(entry=bar[0]) == [("TestPkg",), (("date", "2017-01-01"),), "2017-01-01"]
    with ck.tags(path="here"):
        testpkg.bar(6)
    assert sorted(entry.tag("path") for entry in ck.index("checkpoints").where(lambda e: len(e.tags) == 2)) == ["here"]


@row('IndexEntry("checkpoints/date=2017-01-01/TestPkg/bar.jlso")')
def test_one_file_tells_its_tags_and_its_name(ours: Ours, bar: ck.Index) -> None:
    record = ours()
    assert (record.tags, record.header.label) == ((("date", "2017-01-01"),), "TestPkg.bar")


# JLSO


@pytest.fixture
def record() -> ck.Record:
    ck.save("run.ckpt", x=3, y=[4])
    return ck.read("run.ckpt")


@row('JLSO.save("run.jlso", :x => x, :y => y)')
def test_values_become_a_file_and_the_old_one_stays_until_the_new_one_is_whole(ours: Ours) -> None:
    ours()
    with pytest.raises(ck.CannotKeep):
        ours(x=5, y=threading.Lock())
    assert ck.load("run.ckpt") == {"x": 3, "y": 4}


@row('JLSO.save("run.jlso", Dict(:x => x); format=:bson, compression=:gzip_fastest)')
def test_a_file_is_written_with_settings(ours: Ours) -> None:
    ours(x="long " * 10_000)
    assert "codec=json" in repr(ck.read("run.ckpt"))
    assert Path("run.ckpt").stat().st_size < 40_000
    assert ck.load("run.ckpt", "x") == "long " * 10_000


@row('write("run.jlso", JLSOFile(:x => x))')
def test_a_record_is_made_by_saving_it(ours: Ours) -> None:
    ours()
    assert ck.load("run.ckpt") == {"x": 3}


@row("JLSO.save(io, :x => x), JLSO.load(io)")
def test_a_file_in_memory_has_a_url(ours: Ours) -> None:
    pytest.importorskip("fsspec")
    assert ours.all()[1] == {"x": 3}


@row('JLSO.load("run.jlso")')
def test_all_values_are_loaded_but_nothing_of_a_stranger_s(ours: Ours, record: ck.Record) -> None:
    assert ours() == {"x": 3, "y": [4]}
    whole = Path("run.ckpt").read_bytes()
    Path("run.ckpt").write_bytes(whole[:-1])
    with pytest.warns(ck.CheckpointWarning, match="`x`, `y`|`y`"):
        assert isinstance(ours()["y"], ck.LoadFailure)
    savefile.save("run.ckpt", {"x": 3}, keyring=Keyring(secret=b"a stranger's secret, 32 bytes or so"))
    with pytest.raises(ck.CheckpointError, match="not by you"):
        ours()


@row('JLSO.load("run.jlso", :x, :y)')
def test_some_values_are_loaded(ours: Ours, record: ck.Record) -> None:
    assert ours() == (3, [4])


@row('jlso = read("run.jlso", JLSOFile)')
def test_what_a_file_says_of_itself_is_read_whoever_wrote_it(ours: Ours) -> None:
    savefile.save("run.ckpt", {"x": 3}, keyring=Keyring(secret=b"a stranger's secret, 32 bytes or so"))
    ours()
    assert (ours.names["record"].names(), ours.names["record"].is_trusted) == (["x"], False)


@row("jlso[:x]")
def test_a_value_is_loaded_anew_each_time(ours: Ours, record: ck.Record) -> None:
    ck.save("run.ckpt", x=[3])
    record = ck.read("run.ckpt")
    assert ours(record=record) == [3]
    assert ours() is not ours()


@row("jlso[:x] = y")
def test_a_value_is_replaced_by_saving_anew(ours: Ours, record: ck.Record) -> None:
    ours(y=5)
    assert ck.load("run.ckpt") == {"x": 5, "y": [4]}


@row("names(jlso)")
def test_a_record_tells_its_names(ours: Ours, record: ck.Record) -> None:
    assert ours(record=record) == ["x", "y"]


@row("jlso.objects[:x]")
def test_the_bytes_of_a_value_are_had_once_they_are_verified(ours: Ours, record: ck.Record) -> None:
    stream = ours(record=record)
    assert (bytes(stream)[:2], bytes(stream) in Path("run.ckpt").read_bytes()) == (b"\x80\x05", True)
    Path("run.ckpt").write_bytes(Path("run.ckpt").read_bytes().replace(stream, stream[:-1] + b"!"))
    with pytest.raises(ck.CheckpointError):
        ours(record=ck.read("run.ckpt"))


@row("jlso.version, jlso.julia, jlso.image")
def test_a_record_tells_its_version_and_its_environment(ours: Ours, record: ck.Record) -> None:
    python = ".".join(map(str, sys.version_info[:3]))
    assert ours.all(record=record)[:2] == [record_format.FORMAT_VERSION, python]


@row("jlso.format, jlso.compression")
def test_a_section_tells_its_codec_and_its_compression(ours: Ours) -> None:
    ck.save("run.ckpt", x="long " * 10_000, codec="json", compression="small")
    codec, packed = ours.all(record=ck.read("run.ckpt"))
    assert (codec, packed.compression) == ("json", "small")
    assert "codec=json" in repr(ck.read("run.ckpt"))
    assert "compression=small" in repr(ck.read("run.ckpt"))


@row("jlso.project, jlso.manifest")
def test_a_record_tells_the_packages_that_were_loaded(ours: Ours, record: ck.Record) -> None:
    from importlib.metadata import version

    assert ours(record=record)["pytest"] == version("pytest")


@row("jlso == other")
def test_records_of_the_same_bytes_are_seen_to_be_equal(ours: Ours, record: ck.Record) -> None:
    ck.save("same.ckpt", x=3, y=[4])
    ck.save("different.ckpt", x=3, y=[5])
    assert [ours(record=record, other=ck.read(f"{name}.ckpt")) for name in ("same", "different")] == [True, False]


@row('ENV["JLSO_IMAGE"] = "registry/image:1"')
def test_the_image_is_told_by_a_variable(ours: Ours) -> None:
    program = f"import os, ipycheckpoint as ck\n{ours.text()}\nck.save('run.ckpt', x=1)"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert ck.read("run.ckpt").environment.image == "registry/image:1"


@row('Pkg.activate(jlso, "old")')
def test_the_environment_that_saved_can_be_made_by_a_command(ours: Ours, record: ck.Record) -> None:
    command = ours(record=record)
    assert ("venv" in command, " old" in command, "pytest==" in command) == (True, True, True)


@pytest.fixture
def earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of an earlier format."""
    for name in ("old", "a", "b"):
        ck.save(f"{name}.ckpt", x=3)
    monkeypatch.setattr(record_format, "FORMAT_VERSION", 2)
    monkeypatch.setattr(savefile, "FORMAT_VERSION", 2)
    monkeypatch.setitem(record_format._upgrades, 1, lambda old: old)


@row('JLSO.upgrade("old.jlso", "new.jlso")')
def test_a_file_of_an_earlier_format_is_rewritten_in_its_place(ours: Ours, earlier: None) -> None:
    assert ours() == ["old.ckpt"]
    assert (ck.read("old.ckpt").format_version, ck.load("old.ckpt")) == (2, {"x": 3})
    assert [Path(path).name for path in ck.upgrade(".")] == ["a.ckpt", "b.ckpt"]


@row('JLSO.upgrade(["a.jlso", "b.jlso"], ["c.jlso", "d.jlso"])')
def test_several_files_are_rewritten_together(ours: Ours, earlier: None) -> None:
    assert ours() == ["a.ckpt", "b.ckpt"]
    assert [ck.read(f"{name}.ckpt").format_version for name in ("old", "a", "b")] == [1, 2, 2]


# checkpointing


@pytest.mark.parametrize("ours", [row.theirs for row in rows() if row.theirs.startswith("from ")], indirect=True)
def test_an_import_gives_all_its_names(ours: Ours) -> None:
    ours.names = {}
    ours()
    names = {name: value for name, value in ours.names.items() if name != "__builtins__"}
    assert all(value is getattr(ck, name) for name, value in names.items())
    problems = [value for name, value in names.items() if name.endswith(("Error", "Warning"))]
    assert all(issubclass(problem, ck.CheckpointError | ck.CheckpointWarning) for problem in problems)


TESTED += [row.theirs for row in rows() if row.theirs.startswith("from ")]

Printed = pytest.CaptureFixture[str]


def ran(capsys: Printed) -> int:
    """How often `calc` ran since the last time."""
    return capsys.readouterr().out.count("ran")


@row("@checkpoint()")
def test_a_call_runs_once_with_parentheses_or_without(ours: Ours, capsys: Printed) -> None:
    calc = ours()
    assert (calc(1, 2), calc(a=1, b=2), ran(capsys)) == (3, 3, 1)
    assert (ck.checkpoint()(calc.__wrapped__)(1, 2), ran(capsys)) == (3, 0)


@row('@checkpoint("other_dir")')
def test_a_directory_is_given_first_and_another_user_s_results_are_not_loaded(
    ours: Ours, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    calc = ours()
    assert (calc(1, 2), calc(1, 2), ran(capsys), Path("other_dir").is_dir()) == (3, 3, 1, True)
    monkeypatch.setenv("IPYCHECKPOINT_SECRET_FILE", "another_secret")
    with using(Workspace({})) as other, pytest.warns(ck.CheckpointWarning, match="not signed by you"):
        assert (calc(1, 2), ran(capsys)) == (3, 1)
    other.close()


@row('@checkpoint(directory="other_dir", on_error="raise", cache_pickle_protocol=4)')
def test_the_arguments_have_the_names_that_they_had(ours: Ours) -> None:
    calc = ours()
    assert (calc(1, 2), Path("other_dir").is_dir()) == (3, True)
    with pytest.raises(ck.CheckpointFailedError):
        calc(Lock(), 2)


@row('@checkpoint(on_error="ignore")')
def test_errors_are_passed_over_those_of_an_identifier_too(ours: Ours, capsys: Printed) -> None:
    calc = ours()
    assert (calc(Lock(), 2), calc(Lock(), 2), ran(capsys)) == (42, 42, 2)


@row("calc.rerun(1, 2)")
def test_a_call_is_run_again(ours: Ours, capsys: Printed) -> None:
    exec(SETUP, ours.names)
    calc = ck.checkpoint(ours.names["calc"])
    calc(1, 2)
    assert (ours(calc=calc), ran(capsys)) == (3, 2)
    assert (calc.is_cached(1, 2), calc.why(1, 2).verdict, calc.forget(1, 2)) == (True, "hit", True)


class Lock:
    """Something that has no identity, and can be added to."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __add__(self, other: int) -> int:
        return 40 + other


class ByA(ck.FuncCallIdentifierBase):
    def identify(self, context: ck.FuncCallContext) -> Any:
        return context.arguments["a"]


class Full(ck.CacheBase[Any, Any]):
    def save(self, context_id: Any, result: Any) -> None:
        raise OSError("full")

    def retrieve(self, context_id: Any) -> Any:
        raise ck.CheckpointNotExist


@row("@DecoratorCheckpoint(identifier, cache)")
def test_an_identifier_and_a_cache_of_your_own_are_plugged_in(ours: Ours) -> None:
    calc = ours(identifier=ByA(), cache=ck.InMemoryLRUCache())
    assert [calc(1, 2), calc(1, 3), calc(2, 3)] == [3, 3, 5]


@row('@DecoratorCheckpoint(identifier, cache, on_error="raise")')
def test_an_error_of_theirs_is_raised_with_the_result(ours: Ours) -> None:
    calc = ours(identifier=ByA(), cache=Full())
    with pytest.raises(ck.CheckpointFailedError, match="full") as raised:
        calc(1, 2)
    assert raised.value.result == 3


@pytest.fixture
def context() -> ck.FuncCallContext:
    limit = 7  # noqa: F841 - the context is asked for it
    return ck.FuncCallContext(add, (1,), {"b": 2}, sys._getframe())


def add(a: int, b: int, c: int = 3) -> int:
    return a + b + c


@row('AutoFuncCallIdentifier("md5", 4)')
def test_our_identifier_takes_its_arguments_and_gives_64_characters(ours: Ours, context: ck.FuncCallContext) -> None:
    assert len(bytes.fromhex(ours().identify(context))) == 32


@row("identifier.identify(context)")
def test_an_identifier_is_asked_by_hand(ours: Ours, context: ck.FuncCallContext) -> None:
    again = ck.FuncCallContext(add, (), {"a": 1, "b": 2})
    identifier = ck.AutoFuncCallIdentifier()
    assert ours(identifier=identifier, context=context) == ours(context=again)
    assert ours() != ours(context=ck.FuncCallContext(add, (2, 2), {}))


@row('FuncCallContext(add, (1,), {"b": 2})')
def test_a_context_is_made_by_hand(ours: Ours) -> None:
    assert ours(add=add).arguments == {"a": 1, "b": 2, "c": 3}


@row("context.arguments, context.code")
def test_a_context_tells_arguments_and_code(ours: Ours, context: ck.FuncCallContext) -> None:
    arguments, code = ours.all(context=context)
    assert arguments == {"a": 1, "b": 2, "c": 3}
    assert code.endswith("    return a + b + c\n")


@row("context.name, context.full_name, context.module, context.qualified_name")
def test_a_context_tells_names(ours: Ours, context: ck.FuncCallContext) -> None:
    assert ours.all(context=context) == ["add", f"{__name__}.add", __name__, "add"]


@row('context.get_nonlocal_variable("limit")')
def test_a_context_tells_what_is_around_the_function(ours: Ours, context: ck.FuncCallContext) -> None:
    assert ours(context=context) == 7


@row('PickleFileCache("other_dir", 4)')
def test_a_cache_in_a_directory_takes_any_context_id_that_has_an_identity(ours: Ours) -> None:
    ours().save(("any", 1.5), [1])
    assert (ours().retrieve(("any", 1.5)), Path("other_dir").is_dir()) == ([1], True)


@row("InMemoryLRUCache(2)")
def test_a_cache_in_memory_keeps_what_was_used_last_and_nothing_that_was_changed(ours: Ours) -> None:
    cache, changed = ours(), [3]
    for name, result in {"a": [1], "b": [2], "c": changed}.items():
        cache.save(name, result)
    changed.append(4)
    assert cache.retrieve("b") == [2]
    for gone in ("a", "c"):
        with pytest.raises(ck.CheckpointNotExist):
            cache.retrieve(gone)


@row("cache.save(context_id, result), cache.retrieve(context_id)")
def test_a_cache_saves_and_retrieves_by_hand(ours: Ours) -> None:
    assert ours.all(cache=ck.PickleFileCache(), context_id="a", result=[1])[1] == [1]
    with pytest.raises(ck.CheckpointNotExist):
        ours(1, context_id="b")


@row("cache.synchronize_with(lock)")
def test_a_cache_works_under_a_lock(ours: Ours) -> None:
    class Watched(ck.CacheBase[Any, Any]):
        def save(self, context_id: Any, result: Any) -> None:
            seen.append(lock.locked())

        def retrieve(self, context_id: Any) -> Any:
            return lock.locked()

    lock, seen = threading.Lock(), []
    synchronized = ours(cache=Watched(), lock=lock)
    synchronized.save("a", 1)
    assert (seen, synchronized.retrieve("a"), lock.locked()) == ([True], True, False)


@row('defaults["cache.filesystem.directory"] = "other_dir"')
def test_the_directory_is_a_setting(ours: Ours) -> None:
    ours()
    ck.checkpoint(add)(1, 2)
    assert Path("other_dir").is_dir()


@row('defaults["checkpoint.on_error"] = "ignore"')
def test_what_happens_on_an_error_is_a_setting(ours: Ours) -> None:
    ours()
    assert ck.checkpoint(add)(Lock(), 2, 0) == 42


@row('defaults["hash.algorithm"] = "sha256"')
def test_a_setting_without_effect_is_taken(ours: Ours, context: ck.FuncCallContext) -> None:
    before = ck.AutoFuncCallIdentifier().identify(context)
    ours()
    try:
        assert ck.defaults["hash.algorithm"] == "sha256"
        assert ck.AutoFuncCallIdentifier().identify(context) == before
    finally:
        del ck.defaults["hash.algorithm"]


@row("hash_anything(x, y)")
def test_values_have_a_digest_and_what_has_no_identity_is_refused(ours: Ours) -> None:
    digests = {ours(x=x, y=0) for x in (1, 1.0, True)}
    assert (len(digests), ours(x=1) in digests) == (3, True)
    with pytest.raises(ck.Unidentifiable):
        ours(x=threading.Lock())


@row("HashFailedError, HashFailedWarning")
def test_what_has_no_identity_is_told_with_the_path_to_it(ours: Ours) -> None:
    error, warning = ours.all()
    with pytest.raises(error, match="lock"):
        ck.fingerprint(Lock())
    with pytest.warns(warning, match=r"a\.lock"):
        assert ck.checkpoint(add)(Lock(), 2, 0) == 42


@row("GlobalStatementError, NonlocalStatementError, RefactorFailedError")
def test_a_function_with_a_nonlocal_statement_is_one_like_any_other(ours: Ours) -> None:
    def counter() -> int:
        number = 0

        def count() -> None:
            nonlocal number
            number += 1

        count(), count()
        return number

    ours(counter=counter)
    assert (ours.names["counter"](), ours.names["counter"].is_cached()) == (2, True)


@row('logging.getLogger("checkpointing")')
def test_a_call_can_be_asked_what_it_would_do(ours: Ours) -> None:
    calc = ck.checkpoint(add)
    assert ours(calc=calc).verdict == "miss"
    calc(1, 2)
    assert ours().verdict == "hit"
