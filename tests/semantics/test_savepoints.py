"""Savepoints do nothing until they are configured, and then save what a library gives them, where its user says.

The claims are those of Checkpoints.jl, whose users find here all that they had, and some of our own.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ipycheckpoint as ck
from ipycheckpoint.engine.savepoints.names import Names
from ipycheckpoint.store.files import LocalFiles
from ipycheckpoint.store.system import REAL
from ipycheckpoint.workspace import Workspace, using
from tests.semantics import testpkg
from tests.semantics.scenes import Program, run

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _library() -> Iterator[None]:
    with using(Workspace({}, Names())):
        testpkg.declare()
        yield


def saved(place: Path) -> list[str]:
    """The files that there are, by relative path."""
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())


# -- configured or not --


def test_all_savepoints_are_told() -> None:
    assert ck.available() == ["TestPkg.foo", "TestPkg.bar", "TestPkg.baz", "TestPkg.qux_a", "TestPkg.qux_b"]


def test_the_enabled_ones_are_those_that_are_configured(tmp_path: Path) -> None:
    assert ck.enabled() == []
    ck.register(["c1", "c2", "c3"])
    assert ck.enabled() == []
    ck.config("c1", tmp_path)
    assert ck.enabled() == ["c1"]
    ck.config("c2", tmp_path)
    assert ck.enabled() == ["c1", "c2"]
    ck.config(["c1", "c2"], None)
    assert ck.enabled() == []


def test_who_configures_a_deprecated_name_is_warned_and_configures_the_new_one(tmp_path: Path) -> None:
    assert ck.deprecated() == {"TestPkg.quux": "TestPkg.qux_a", "TestPkg.quuz": "TestPkg.qux_b"}
    with pytest.warns(ck.CheckpointWarning, match=r"TestPkg\.quux was renamed to TestPkg\.qux_a") as told:
        ck.config("TestPkg.quux", tmp_path)
    assert told[0].filename == __file__
    assert ck.enabled() == ["TestPkg.qux_a"]


def test_what_is_not_configured_is_not_looked_at() -> None:
    class Untouchable:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(f"{name} was looked at")

    ck.savepoint("TestPkg.foo", Untouchable())
    ck.savepoint("TestPkg.foo", x=Untouchable())
    with ck.Session("TestPkg.foo") as s:
        s.save(Untouchable(), x=Untouchable())


def test_a_configured_savepoint_is_saved_and_the_others_are_not(tmp_path: Path) -> None:
    ck.config("TestPkg.foo", tmp_path)
    assert (testpkg.foo(3, 4), testpkg.bar(5)) == (12, 10)
    assert saved(tmp_path) == ["TestPkg/foo.ckpt"]
    assert ck.load(tmp_path / "TestPkg" / "foo.ckpt") == {"x": 3, "y": 4}


def test_one_value_without_a_name_is_called_data(tmp_path: Path) -> None:
    ck.config("TestPkg.bar", str(tmp_path))
    testpkg.bar([1, 2])
    assert ck.load(tmp_path / "date=2017-01-01" / "TestPkg" / "bar.ckpt") == {"data": [1, 2]}


def test_a_record_tells_its_name_and_its_tags(tmp_path: Path) -> None:
    ck.config("TestPkg.bar", tmp_path)
    testpkg.bar(1)
    header = ck.read(tmp_path / "date=2017-01-01" / "TestPkg" / "bar.ckpt").header
    assert (header.kind, header.label, header.tags) == ("savepoint", "TestPkg.bar", (("date", "2017-01-01"),))


def test_a_mapping_works_as_names_do(tmp_path: Path) -> None:
    ck.config("TestPkg.foo", tmp_path)
    ck.savepoint("TestPkg.foo", {"x": 1, "a b": 2}, y=3)
    assert ck.load(tmp_path / "TestPkg" / "foo.ckpt") == {"x": 1, "a b": 2, "y": 3}


def test_a_value_may_be_called_name_or_data(tmp_path: Path) -> None:
    ck.config("TestPkg.foo", tmp_path)
    ck.savepoint("TestPkg.foo", name=1, data={"x": 2})
    assert ck.load(tmp_path / "TestPkg" / "foo.ckpt") == {"name": 1, "data": {"x": 2}}


def test_a_savepoint_without_values_says_that_it_was_reached(tmp_path: Path) -> None:
    ck.config("TestPkg.foo", tmp_path)
    ck.savepoint("TestPkg.foo")
    assert ck.load(tmp_path / "TestPkg" / "foo.ckpt") == {}


def test_a_later_save_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    ck.config("TestPkg.foo", tmp_path)
    testpkg.foo(1, 2)
    testpkg.foo(3, 4)
    assert ck.load(tmp_path / "TestPkg" / "foo.ckpt") == {"x": 3, "y": 4}


def test_a_place_is_taken_when_it_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "later").mkdir()
    monkeypatch.chdir(tmp_path)
    ck.config("TestPkg.foo", "./checkpoints")
    monkeypatch.chdir(tmp_path / "later")
    testpkg.foo(1, 2)
    assert saved(tmp_path) == ["checkpoints/TestPkg/foo.ckpt"]


def test_a_url_is_a_place() -> None:
    pytest.importorskip("fsspec")
    ck.config("TestPkg.bar", "memory://savepoints")
    testpkg.bar(7)
    [entry] = ck.index("memory://savepoints")
    assert entry.path == "memory://savepoints/date=2017-01-01/TestPkg/bar.ckpt"
    assert (entry.fullname, entry.load()) == ("TestPkg.bar", {"data": 7})


@pytest.mark.parametrize("compression", ["none", "fast", "small"])
@pytest.mark.parametrize("codec", ["pickle", "dill", "json"])
def test_a_handler_has_settings(tmp_path: Path, compression: str, codec: str) -> None:
    ck.config("TestPkg.foo", tmp_path, compression=compression, codec=codec)
    testpkg.foo("long " * 10_000, 2)
    assert ck.load(tmp_path / "TestPkg" / "foo.ckpt") == {"x": "long " * 10_000, "y": 2}
    assert ((tmp_path / "TestPkg" / "foo.ckpt").stat().st_size < 40_000) is (compression != "none")


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"compression": "big"}, "compression is 'big'"), ({"codec": "xml"}, "codec"), ({"on_error": "no"}, "on_error")],
)
def test_a_wrong_setting_is_told_at_once(tmp_path: Path, settings: dict[str, str], message: str) -> None:
    with pytest.raises(ck.UsageError, match=message):
        ck.config("TestPkg.foo", tmp_path, **settings)
    assert ck.enabled() == []


def test_settings_beside_a_handler_are_refused() -> None:
    with pytest.raises(ck.UsageError, match="a handler has its own"):
        ck.config("TestPkg.foo", ck.DictHandler(), compression="fast")


@pytest.mark.parametrize("to", [3, print, object()])
def test_what_cannot_save_is_no_handler(to: Any) -> None:
    with pytest.raises(ck.UsageError, match="is no handler"):
        ck.config("TestPkg.foo", to)


# -- names --


def test_a_savepoint_that_nobody_registered_is_an_error_that_names_what_is_near() -> None:
    with pytest.raises(ck.UsageError, match=r"'TestPkg\.fo' is no savepoint; did you mean 'TestPkg\.foo'\?"):
        ck.savepoint("TestPkg.fo", x=1)
    with pytest.raises(ck.UsageError, match=r"'TestPkg\.fo' is no savepoint"), ck.Session("TestPkg.fo"):
        pass


def test_a_library_that_still_uses_a_deprecated_name_saves_under_the_new_one(tmp_path: Path) -> None:
    ck.config("TestPkg.qux_a", tmp_path)
    ck.savepoint("TestPkg.quux", x=1)
    assert saved(tmp_path) == ["TestPkg/qux_a.ckpt"]


@pytest.mark.parametrize("name", ["TestPkg.qux", "TestPgk", "TestPkg.foo.x", "nothing*", ""])
def test_a_name_that_is_none_cannot_be_configured(tmp_path: Path, name: str) -> None:
    with pytest.raises(ck.UsageError, match="is no savepoint, nor the prefix of one"):
        ck.config(["TestPkg.foo", name], tmp_path)
    assert ck.enabled() == []


def test_the_beginning_of_a_name_is_told_what_begins_so() -> None:
    with pytest.raises(ck.UsageError, match=r"did you mean 'TestPkg\.qux_a' or 'TestPkg\.qux_b'\?"):
        ck.config("TestPkg.qux", None)


@pytest.mark.parametrize(
    ("names", "enabled"),
    [
        ("TestPkg.foo", ["TestPkg.foo"]),
        ("TestPkg.qux*", ["TestPkg.qux_a", "TestPkg.qux_b"]),
        (["TestPkg.qux_b", "TestPkg.foo"], ["TestPkg.foo", "TestPkg.qux_b"]),
        ("TestPkg", ["TestPkg.foo", "TestPkg.bar", "TestPkg.baz", "TestPkg.qux_a", "TestPkg.qux_b"]),
        ("*", ["TestPkg.foo", "TestPkg.bar", "TestPkg.baz", "TestPkg.qux_a", "TestPkg.qux_b"]),
        ([], []),
    ],
)
def test_a_name_a_prefix_a_pattern_and_several_are_configured(names: Any, enabled: list[str]) -> None:
    ck.config(names, ck.DictHandler())
    assert ck.enabled() == enabled


def test_a_prefix_stands_for_what_is_registered_later_too() -> None:
    ck.config("TestPkg", ck.DictHandler())
    ck.register("TestPkg", "later")
    ck.register("TestPkgOther", ["foo"])
    assert ("TestPkg.later" in ck.enabled(), "TestPkgOther.foo" in ck.enabled()) == (True, False)


def test_of_several_settings_the_latest_counts() -> None:
    first, second = ck.DictHandler(), ck.DictHandler()
    ck.config("TestPkg", first)
    ck.config("TestPkg.foo", second)
    ck.config("TestPkg.bar", None)
    testpkg.foo(1, 2)
    testpkg.bar(3)
    testpkg.baz({"x": 4})
    assert (list(first), list(second)) == (["TestPkg/baz"], ["TestPkg/foo"])


def test_config_shows_what_goes_where(tmp_path: Path) -> None:
    assert repr(ck.config(["TestPkg.foo", "TestPkg.bar"], None)) == "TestPkg.foo → nowhere, TestPkg.bar → nowhere"
    assert repr(ck.config("TestPkg", ck.DictHandler())) == "TestPkg → DictHandler()"
    assert repr(ck.config("TestPkg", tmp_path)).startswith(f"TestPkg → FileHandler({str(tmp_path)!r}")


def test_config_in_a_block_ends_with_it() -> None:
    outer, inner = ck.DictHandler(), ck.DictHandler()
    ck.config("TestPkg.foo", outer)
    with ck.config("TestPkg", inner):
        testpkg.foo(1, 2)
    testpkg.bar(1)
    assert (list(outer), list(inner), ck.enabled()) == ([], ["TestPkg/foo"], ["TestPkg.foo"])


def test_another_workspace_knows_the_names_and_has_settings_of_its_own() -> None:
    with using(Workspace()):
        ck.register("SharedPkg", ["foo"])
        ck.config("SharedPkg.foo", ck.DictHandler())
        with using(Workspace()):
            assert ("SharedPkg.foo" in ck.available(), ck.enabled()) == (True, [])


def test_a_module_that_is_imported_again_declares_what_it_did() -> None:
    ck.config("TestPkg.foo", ck.DictHandler())
    testpkg.declare()
    assert (len(ck.available()), ck.enabled(), len(ck.deprecated())) == (5, ["TestPkg.foo"], 2)


# -- tags --

NESTED = ("date=2017-01-01", "TestPkg", "bar.ckpt")


@pytest.fixture
def bar(tmp_path: Path) -> Path:
    ck.config("TestPkg.bar", tmp_path)
    return tmp_path


def test_a_tag_is_a_directory(bar: Path) -> None:
    with ck.tags(tag="a"):
        testpkg.bar(1)
    assert saved(bar) == ["tag=a/date=2017-01-01/TestPkg/bar.ckpt"]


@pytest.mark.parametrize(
    "block",
    [
        lambda: ck.tags(tag=1, othertag=2),
        lambda: ck.tags({"tag": 1, "othertag": 2}),
        lambda: ck.tags(("tag", 1), ("othertag", 2)),
    ],
)
def test_several_tags_keep_their_order(bar: Path, block: Any) -> None:
    with block():
        testpkg.bar(1)
    assert saved(bar) == ["tag=1/othertag=2/date=2017-01-01/TestPkg/bar.ckpt"]


def test_tags_nest(bar: Path) -> None:
    with ck.tags(first="first"):
        with ck.tags(second="second"):
            testpkg.bar(1)
        testpkg.bar(1)
    assert saved(bar) == [
        "first=first/date=2017-01-01/TestPkg/bar.ckpt",
        "first=first/second=second/date=2017-01-01/TestPkg/bar.ckpt",
    ]


def test_a_tag_may_be_repeated(bar: Path) -> None:
    with ck.tags(same="outer"):
        with ck.tags(same="inner"):
            testpkg.bar(1)
        testpkg.bar(1)
    assert saved(bar) == [
        "same=outer/date=2017-01-01/TestPkg/bar.ckpt",
        "same=outer/same=inner/date=2017-01-01/TestPkg/bar.ckpt",
    ]


def test_a_tag_may_be_set_by_the_application_and_by_the_library(bar: Path) -> None:
    with ck.tags(date="context"):
        testpkg.bar(1)
    assert saved(bar) == ["date=context/date=2017-01-01/TestPkg/bar.ckpt"]


def test_a_decorated_function_has_its_tags(bar: Path) -> None:
    @ck.tags(run=1)
    def application() -> None:
        testpkg.bar(1)

    application()
    assert saved(bar) == ["run=1/date=2017-01-01/TestPkg/bar.ckpt"]


def test_a_tag_that_would_lead_elsewhere_stays_below_the_prefix(bar: Path) -> None:
    with ck.tags({"a/b": "../..", "..": "/etc", "é ✨": "x=y"}):
        testpkg.bar(1)
    [entry] = ck.index(bar)
    assert entry.tags == (("a/b", "../.."), ("..", "/etc"), ("é ✨", "x=y"), ("date", "2017-01-01"))
    assert Path(entry.path).resolve().is_relative_to(bar.resolve())


def test_each_thread_saves_under_its_own_tags(bar: Path) -> None:
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        with ck.tags(thread=number):
            barrier.wait(30)
            testpkg.bar(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {entry.tag("thread"): entry.load()["data"] for entry in ck.index(bar)} == {str(n): n for n in range(8)}


def test_what_a_thread_pool_is_given_has_the_tags_of_who_gave_it(bar: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        for run in "ab":
            with ck.tags(run=run):
                futures = [pool.submit(testpkg.bar, run)]
            futures[0].result()
    assert [(entry.tag("run"), entry.load()["data"]) for entry in ck.index(bar)] == [("a", "a"), ("b", "b")]


def configured_bar(place: str, number: int) -> None:
    """A worker process that may be a fresh one."""
    if "TestPkg.bar" not in ck.available():
        testpkg.declare()
    ck.config("TestPkg.bar", place)
    testpkg.bar(number)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_what_a_process_pool_is_given_has_the_tags_of_who_gave_it(tmp_path: Path, start: str) -> None:
    import multiprocessing

    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(start)) as pool:
        futures = []
        for number in range(3):
            with ck.tags(worker=number):
                futures.append(pool.submit(configured_bar, str(tmp_path), number))
        for future in futures:
            future.result(60)
    assert {entry.tag("worker"): entry.load()["data"] for entry in ck.index(tmp_path)} == {"0": 0, "1": 1, "2": 2}


# -- sessions --

VALUES = {f"key{number}": list(range(number)) for number in range(10)}


def test_a_session_that_is_not_configured_saves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    testpkg.baz(VALUES)
    testpkg.qux(VALUES, 1)
    assert saved(tmp_path) == []


def test_a_session_saves_all_in_one_file_at_its_end(tmp_path: Path) -> None:
    ck.config("TestPkg.baz", tmp_path)
    with ck.Session("TestPkg.baz") as s:
        s.save(VALUES)
        assert saved(tmp_path) == []
    assert ck.load(tmp_path / "TestPkg" / "baz.ckpt") == VALUES


def test_a_session_of_several_savepoints_has_a_file_for_each(tmp_path: Path) -> None:
    ck.config("TestPkg.qux*", tmp_path)
    testpkg.qux(VALUES, [1, 2])
    assert ck.load(tmp_path / "TestPkg" / "qux_a.ckpt") == VALUES
    assert ck.load(tmp_path / "TestPkg" / "qux_b.ckpt") == {"data": [1, 2]}


def test_a_session_may_name_its_savepoints_in_full(tmp_path: Path) -> None:
    ck.config("TestPkg.qux_b", tmp_path)
    with ck.Session(["TestPkg.qux_a", "TestPkg.qux_b"]) as (a, b):
        a.save(x=1)
        b.save(x=2)
    assert saved(tmp_path) == ["TestPkg/qux_b.ckpt"]


def test_a_session_without_saves_makes_no_file(tmp_path: Path) -> None:
    ck.config("TestPkg.baz", tmp_path)
    testpkg.baz({})
    assert saved(tmp_path) == []


def test_of_a_key_that_is_saved_again_the_later_value_is_kept() -> None:
    handler = ck.DictHandler()
    ck.config("TestPkg.baz", handler)
    with ck.Session("TestPkg.baz") as s:
        s.save(a=1, b=1)
        s.save(a=2)
    assert dict(handler["TestPkg/baz"]) == {"a": 2, "b": 1}


def test_a_session_saves_values_as_they_were_when_they_were_saved(tmp_path: Path) -> None:
    ck.config("TestPkg.baz", tmp_path)
    state: list[int] = []
    with ck.Session("TestPkg.baz") as s:
        for step in range(3):
            state.append(step)
            s.save({f"step{step}": state})
    assert ck.load(tmp_path / "TestPkg" / "baz.ckpt") == {"step0": [0], "step1": [0, 1], "step2": [0, 1, 2]}


def test_tags_inside_of_a_session_make_files_of_their_own(tmp_path: Path) -> None:
    ck.config("TestPkg.baz", tmp_path)
    with ck.Session("TestPkg.baz") as s:
        for number in range(2):
            with ck.tags(number=number):
                s.save(x=number)
    assert saved(tmp_path) == ["number=0/TestPkg/baz.ckpt", "number=1/TestPkg/baz.ckpt"]


def test_a_session_that_raises_saves_nothing(tmp_path: Path) -> None:
    ck.config("TestPkg", tmp_path)

    def library() -> None:
        with ck.Session("TestPkg", ["qux_a", "qux_b"]) as (a, _):
            a.save(x=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        library()
    assert saved(tmp_path) == []


def test_a_session_of_which_one_part_fails_saves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    ck.config("TestPkg.qux_a", tmp_path / "good")
    ck.config("TestPkg.qux_b", tmp_path / "file")
    with pytest.warns(
        ck.CheckpointWarning, match=r"TestPkg\.qux_b, and all of its session, is not saved to .*file"
    ) as told:
        testpkg.qux(VALUES, 1)
    assert (len(told), told[0].filename) == (1, testpkg.__file__)
    assert saved(tmp_path) == ["file"]


def test_a_session_with_a_handler_that_can_only_save_saves_nothing_when_that_fails(tmp_path: Path) -> None:
    class Failing:
        def save(self, *args: object) -> None:
            raise OSError("no")

    ck.config("TestPkg.qux_a", tmp_path)
    ck.config("TestPkg.qux_b", Failing())
    with pytest.warns(ck.CheckpointWarning, match=r"qux_b, and all of its session, .*Failing.*: OSError: no"):
        testpkg.qux(VALUES, 1)
    assert saved(tmp_path) == []


def test_a_session_with_a_value_that_cannot_be_copied_saves_nothing_and_says_so_there(tmp_path: Path) -> None:
    ck.config("TestPkg.baz", tmp_path)
    values = {"a": 1, "lock": threading.Lock(), "b": 2}
    with pytest.warns(ck.CheckpointWarning, match=r"TestPkg\.baz, and all of its session, is not .*`lock`") as told:
        testpkg.baz(values)
    assert (len(told), told[0].filename, saved(tmp_path)) == (1, testpkg.__file__, [])


def test_a_session_that_has_ended_takes_nothing_more(tmp_path: Path) -> None:
    ck.config("TestPkg.baz", tmp_path)
    with ck.Session("TestPkg.baz") as s:
        s.save(a=1)
    with pytest.raises(ck.UsageError, match="has ended"):
        s.save(b=2)


def test_threads_may_share_a_session() -> None:
    handler = ck.DictHandler()
    ck.config("TestPkg.baz", handler)
    with ck.Session("TestPkg.baz") as s, ThreadPoolExecutor(8) as pool:
        for number in range(200):
            pool.submit(lambda number: s.save({f"key{number}": number}), number)
    assert dict(handler["TestPkg/baz"]) == {f"key{number}": number for number in range(200)}


# -- handlers --


def test_a_dict_handler_refuses_to_replace_a_value_by_another() -> None:
    handler = ck.DictHandler()
    ck.config("TestPkg.foo", handler)
    testpkg.foo([1], 2)
    testpkg.foo([1], 2)
    with pytest.warns(ck.CheckpointWarning, match=r"TestPkg/foo is there already with other values of 'x'.*force=True"):
        testpkg.foo([True], 2)
    assert dict(handler["TestPkg/foo"]) == {"x": [1], "y": 2}


def test_a_dict_handler_that_is_forced_replaces_it() -> None:
    handler = ck.DictHandler(force=True)
    ck.config("TestPkg.foo", handler)
    testpkg.foo(1, 2)
    testpkg.foo(3, 4)
    assert dict(handler["TestPkg/foo"]) == {"x": 3, "y": 4}


def test_a_dict_handler_keeps_what_was_saved_and_not_what_became_of_it() -> None:
    handler, values = ck.DictHandler(), [1]
    ck.config("TestPkg.bar", handler)
    testpkg.bar(values)
    values.append(2)
    assert handler["date=2017-01-01/TestPkg/bar"]["data"] == [1]


def test_a_users_own_handler_needs_no_more_than_save() -> None:
    seen = []

    class Printing:
        def save(self, name: str, tags: tuple[tuple[str, str], ...], values: dict[str, object]) -> None:
            seen.append((name, tags, dict(values)))

    ck.config("TestPkg", Printing())
    testpkg.bar(1)
    testpkg.qux({"x": 2}, 3)
    assert seen == [
        ("TestPkg.bar", (("date", "2017-01-01"),), {"data": 1}),
        ("TestPkg.qux_a", (), {"x": 2}),
        ("TestPkg.qux_b", (), {"data": 3}),
    ]


# -- what goes wrong --


def test_a_value_that_cannot_be_written_costs_the_library_nothing(tmp_path: Path) -> None:
    ck.config("TestPkg.foo", tmp_path)
    with pytest.warns(ck.CheckpointWarning) as told:
        ck.savepoint("TestPkg.foo", x=1, lock=threading.Lock())
    message = str(told[0].message)
    assert message.startswith(f"TestPkg.foo is not saved to {tmp_path}: can't keep `lock`")
    assert message.endswith(
        "The values themselves are untouched. Leave `lock` out, or save something of it that can be written; "
        "config('TestPkg.foo', None) turns it off"
    )
    assert (told[0].filename, saved(tmp_path)) == (__file__, [])


def test_it_raises_where_the_user_asked_for_that(tmp_path: Path) -> None:
    ck.config("TestPkg", tmp_path, on_error="raise")
    with pytest.raises(ck.CannotKeep):
        ck.savepoint("TestPkg.foo", threading.Lock())
    with pytest.raises(ck.CannotKeep), ck.Session("TestPkg.foo") as s:
        s.save(threading.Lock())


@pytest.mark.parametrize("values", [{1: 2}, {"x": 1, None: 2}])
def test_a_mapping_whose_keys_are_no_names_is_told_and_costs_nothing(tmp_path: Path, values: dict[Any, Any]) -> None:
    ck.config("TestPkg.foo", tmp_path)
    with pytest.warns(ck.CheckpointWarning, match="can't name a value"):
        ck.savepoint("TestPkg.foo", values)
    assert saved(tmp_path) == []


def test_a_value_that_is_given_twice_is_told(tmp_path: Path) -> None:
    ck.config("TestPkg.foo", tmp_path)
    with pytest.warns(ck.CheckpointWarning, match="x: given twice"):
        ck.savepoint("TestPkg.foo", {"x": 1}, x=2)


def test_a_directory_that_is_deleted_meanwhile_is_made_again(tmp_path: Path) -> None:
    import shutil

    ck.config("TestPkg.foo", tmp_path / "checkpoints")
    testpkg.foo(1, 2)
    shutil.rmtree(tmp_path / "checkpoints")
    testpkg.foo(3, 4)
    assert ck.load(tmp_path / "checkpoints" / "TestPkg" / "foo.ckpt") == {"x": 3, "y": 4}


def test_a_place_that_cannot_be_written_costs_nothing_and_is_told(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("not a directory")
    ck.config("TestPkg.foo", place)
    with pytest.warns(ck.CheckpointWarning, match=r"TestPkg\.foo is not saved to .*Make room there"):
        assert testpkg.foo(3, 4) == 12


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_costs_nothing_and_leaves_what_was_there(tmp_path: Path, number: int) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    ck.config("TestPkg.foo", tmp_path)
    testpkg.foo(1, 2)
    ck.config("TestPkg.foo", ck.FileHandler(LocalFiles(tmp_path, system=replace(REAL, fsync=refuse))))
    with pytest.warns(ck.CheckpointWarning, match=rf"{tmp_path}/TestPkg/foo\.ckpt: {os.strerror(number)}.*Make room"):
        assert testpkg.foo(3, 4) == 12
    assert saved(tmp_path) == ["TestPkg/foo.ckpt"]
    assert ck.load(tmp_path / "TestPkg" / "foo.ckpt") == {"x": 1, "y": 2}


def test_nothing_is_told_where_the_user_asked_for_that(tmp_path: Path) -> None:
    ck.config("TestPkg.foo", tmp_path, on_error="ignore")
    ck.savepoint("TestPkg.foo", threading.Lock())
    with ck.Session("TestPkg.foo") as s:
        s.save(threading.Lock())
    assert saved(tmp_path) == []


def test_an_interrupt_passes(tmp_path: Path) -> None:
    class Interrupting:
        def save(self, *args: object) -> None:
            raise KeyboardInterrupt

    ck.config("TestPkg.foo", Interrupting())
    with pytest.raises(KeyboardInterrupt):
        testpkg.foo(1, 2)


# -- in a checkpoint --

passed: list[int] = []


def passing(number: int) -> int:
    """A call that is kept, and passes a savepoint."""
    passed.append(number)
    return testpkg.foo(number, 2)


def test_a_file_that_a_savepoint_wrote_belongs_to_the_call_that_passed_it(tmp_path: Path) -> None:
    passed.clear()
    call = ck.checkpoint(ignore=["passed"])(passing)
    with using(Workspace({"IPYCHECKPOINT_DIR": str(tmp_path / "cache")}, Names())):
        testpkg.declare()
        ck.config("TestPkg.foo", tmp_path / "checkpoints")
        assert (call(3), call(3), passed) == (6, 6, [3])
        (tmp_path / "checkpoints" / "TestPkg" / "foo.ckpt").unlink()
        assert (call(3), passed, saved(tmp_path / "checkpoints")) == (6, [3, 3], ["TestPkg/foo.ckpt"])


# -- processes --

SAVING = """
import ipycheckpoint as ck, sys
place, letter, count = sys.argv[1:]
ck.register("TestPkg", ["foo"])
ck.config("TestPkg.foo", place)
for _ in range(int(count)):
    ck.savepoint("TestPkg.foo", x=letter * 300_000, y=letter)
"""


def test_of_two_processes_that_save_one_savepoint_at_once_one_wins_whole(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.write(SAVING)
    place = tmp_path / "checkpoints"
    running = [program.start(str(place), letter, "20") for letter in "ab"]
    seen = set()
    while any(process.poll() is None for process in running):
        if (place / "TestPkg" / "foo.ckpt").exists():
            values = ck.load(place / "TestPkg" / "foo.ckpt")
            assert values == {"x": str(values["y"]) * 300_000, "y": values["y"]}
            seen.add(values["y"])
    assert [process.communicate()[1] for process in running] == ["", ""]
    assert seen
    assert seen <= {"a", "b"}


KILLED = """
import itertools, sys
import ipycheckpoint as ck
place = sys.argv[1]
ck.register("TestPkg", ["qux_a", "qux_b"])
ck.config("TestPkg", place)
for number in itertools.count():
    with ck.Session("TestPkg", ["qux_a", "qux_b"]) as (a, b):
        a.save(x=str(number) * 200_000, number=number)
        b.save(x=str(number) * 200_000, number=number)
    print(number, flush=True)
"""


def test_a_session_that_is_killed_leaves_whole_files(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.write(KILLED)
    for attempt in range(5):
        place = tmp_path / f"checkpoints{attempt}"
        process = program.start(str(place))
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.01 + 0.013 * attempt)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        numbers = []
        for entry in ck.index(place):
            values = entry.load()
            assert values["x"] == str(values["number"]) * 200_000
            numbers.append(values["number"])
        assert len(numbers) == 2
        assert abs(numbers[0] - numbers[1]) <= 1


KILLED_AT = """
import os, signal, sys
from dataclasses import replace
import ipycheckpoint as ck
from ipycheckpoint.store.files import LocalFiles
from ipycheckpoint.store.system import REAL
place, last = sys.argv[1], int(sys.argv[2])
ck.register("TestPkg", ["qux_a", "qux_b"])
ck.config("TestPkg", place)
def save(number):
    with ck.Session("TestPkg", ["qux_a", "qux_b"]) as (a, b):
        a.save(number=number)
        b.save(number=number)
save(0)
calls = []
def killing(*args):
    calls.append(args)
    if len(calls) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    REAL.replace(*args)
ck.config("TestPkg", ck.FileHandler(LocalFiles(place, system=replace(REAL, replace=killing))))
save(1)
"""


@pytest.mark.parametrize(("last", "numbers"), [(1, [0, 0]), (2, [1, 0])])
def test_a_session_has_written_all_before_the_first_file_is_seen(tmp_path: Path, last: int, numbers: list[int]) -> None:
    program = Program(tmp_path)
    program.write(KILLED_AT)
    place = tmp_path / "checkpoints"
    process = program.start(str(place), str(last))
    assert (process.communicate()[1], process.returncode) == ("", -signal.SIGKILL)
    assert [entry.load()["number"] for entry in ck.index(place)] == numbers
    assert len(saved(place)) == 2 + 3 - last


def test_a_savepoint_is_read_in_another_process(tmp_path: Path) -> None:
    ck.config("TestPkg.bar", tmp_path)
    testpkg.bar(["b", "a"])
    program = "import ipycheckpoint as ck, sys; [e] = ck.index(sys.argv[1]); print(e.date, sorted(e.load()['data']))"
    assert run(program, str(tmp_path), hash_seed=5) == "2017-01-01 ['a', 'b']\n"


LIBRARY = """
import sys
from ipycheckpoint import Session, register, savepoint, tags
register("TestPkg", ["foo"])
savepoint("TestPkg.foo", x=1)
with Session("TestPkg.foo") as s:
    s.save(x=1)
heavy = {"ipycheckpoint.workspace", "ipycheckpoint.cache.cache", "dill", "sqlite3", "concurrent.futures.process"}
print(sorted(heavy & set(sys.modules)))
try:
    savepoint("TestPkg.fo")
except ValueError as problem:
    print(problem)
import ipycheckpoint as ck
saved = ck.DictHandler()
ck.config("TestPkg.foo", saved)
savepoint("TestPkg.foo", x=1)
print(saved)
"""


def test_a_library_with_savepoints_that_nobody_configures_loads_next_to_nothing() -> None:
    nothing, problem, after = run(LIBRARY).splitlines()
    assert (nothing, after) == ("[]", "DictHandler(TestPkg/foo)")
    assert problem.startswith("'TestPkg.fo' is no savepoint; did you mean 'TestPkg.foo'?")
