"""A Trace says what a run touched, and what of it is not so any more."""

from __future__ import annotations

import builtins
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ipycheckpoint.engine import audit, files, trace
from ipycheckpoint.engine.mentions import files_among, mentioned, mentions_the_same
from ipycheckpoint.engine.trace import Watch, contradictions, hand_on, notes, unwatched
from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.identity.identity import Identity
from ipycheckpoint.identity.work import Digester, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLD = 1_600_000_000


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, text: str = "1", *, seconds: int = OLD) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    os.utime(path, (seconds, seconds))


def work(*values: object, code: tuple[object, ...] = ()) -> Work:
    return Work(Identity("call", "f", ()), dict(enumerate(values)), Digester(), code)


@contextmanager
def watched(watch: Watch, *code: object) -> Iterator[Watch]:
    watch.start(*code)
    try:
        yield watch
    finally:
        watch.stop()


def touched(run: Callable[[], object], *values: object, own: Path | None = None) -> dict[str, Any]:
    """The Trace of `run`, as a record gives it back."""
    with watched(Watch(work(*values), own)) as watch:
        run()
    kept: dict[str, Any] = json.loads(json.dumps(watch.trace()))
    return kept


def paths(kept: dict[str, Any]) -> dict[str, list[str]]:
    return {kind: [entry[0] for entry in entries] for kind, entries in kept.items() if isinstance(entries, list)}


def said(kept: dict[str, Any], own: Path | None = None) -> list[str]:
    return [change.what for change in contradictions(kept, own)]


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def put(path: str, text: str = "2", mode: str = "w") -> None:
    with open(path, mode) as file:
        file.write(text)


def opened(path: str, flags: int) -> None:
    os.close(os.open(path, flags))


# What is seen


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (lambda: None, {}),
        (lambda: read("a"), {"read": ["a"]}),
        (lambda: (read("a"), read("a")), {"read": ["a"]}),
        (lambda: read("./deep/../a"), {"read": ["a"]}),
        (lambda: put("new"), {"written": ["new"]}),
        (lambda: put("new", mode="x"), {"written": ["new"]}),
        (lambda: put("a"), {"written": ["a"]}),
        (lambda: put("a", mode="w+"), {"written": ["a"]}),
        (lambda: put("a", mode="a"), {"appended": ["a"]}),
        (lambda: put("new", mode="a+"), {"appended": ["new"]}),
        (lambda: (put("a", mode="a"), put("a")), {"written": ["a"]}),
        (lambda: (put("new"), read("new")), {"written": ["new"]}),
        (lambda: (put("new", mode="a"), read("new")), {"appended": ["new"]}),
        (lambda: (put("a"), read("a")), {"written": ["a"]}),
        (lambda: put("a", "1", mode="r+"), {"read": ["a"]}),
        (lambda: opened("a", os.O_RDONLY), {"read": ["a"]}),
        (lambda: opened("a", os.O_RDWR), {"read": ["a"]}),
        (lambda: opened("lock", os.O_RDWR | os.O_CREAT), {"written": ["lock"]}),
        (lambda: opened("a", os.O_WRONLY | os.O_TRUNC), {"written": ["a"]}),
        (lambda: opened("a", os.O_WRONLY | os.O_APPEND), {"appended": ["a"]}),
        (lambda: os.rename("a", "b"), {"written": ["a", "b"]}),
        (lambda: os.remove("a"), {"written": ["a"]}),
        (lambda: (put("new"), os.remove("new")), {}),
        (lambda: (put("new"), os.replace("new", "b")), {"written": ["b"]}),
        (lambda: os.mkdir("dir"), {"written": ["dir"]}),
        (lambda: (os.mkdir("dir"), os.rmdir("dir")), {}),
        (lambda: os.symlink("a", "link"), {"written": ["link"]}),
        (lambda: os.listdir(), {"listed": ["."]}),
        (lambda: os.listdir("gone") if os.path.exists("gone") else None, {}),
        (lambda: list(os.scandir("deep")), {"listed": ["deep"]}),
        (lambda: sqlite3.connect(":memory:").close(), {}),
        (lambda: sqlite3.connect("file:a?mode=ro", uri=True).close(), {"read": ["a", "a-wal"]}),
        (lambda: sqlite3.connect("new.db").close(), {"written": ["new.db"]}),
    ],
)
def test_what_a_run_touches_is_in_its_trace(run: Callable[[], object], expected: dict[str, list[str]]) -> None:
    write("a")
    write("deep/x")
    assert paths(touched(run)) == expected


@pytest.mark.parametrize("when", ["while the trace is made", "while it is verified"])
def test_what_others_append_at_that_very_moment_is_no_change(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(path: str) -> files.Status | None:
        found = files.Status.of(path)
        with open(path, "a") as file:
            file.write("another's")
        return found

    with watched(Watch(work(), None)) as watch:
        put("log", mode="a")
    with monkeypatch.context() as patch:
        if when == "while the trace is made":
            patch.setattr(trace, "Status", SimpleNamespace(of=look))
        kept = watch.trace()
    with monkeypatch.context() as patch:
        if when == "while it is verified":
            patch.setattr(trace, "Status", SimpleNamespace(of=look))
        assert said(kept) == []


def test_nothing_is_seen_before_and_after_a_run(tmp_path: Path) -> None:
    write("a")
    watch = Watch(work(), None)
    read("a")
    watch.start()
    watch.stop()
    read("a")
    assert watch.trace() == {}


def test_every_run_that_is_active_sees_what_any_thread_does() -> None:
    write("a")
    with watched(Watch(work(), None)) as outer, watched(Watch(work(), None)) as inner:
        thread = threading.Thread(target=read, args=("a",))
        thread.start()
        thread.join()
    assert paths(outer.trace()) == paths(inner.trace()) == {"read": ["a"]}


def test_a_file_outside_of_the_working_directory_goes_by_its_whole_path_if_the_code_gave_that(tmp_path: Path) -> None:
    write("a")
    kept = touched(lambda: read(str(tmp_path / "a")))
    assert (paths(kept)["read"], kept["cwd"]) == ([str(tmp_path / "a")], str(tmp_path))


@pytest.mark.parametrize(
    "run",
    [
        lambda: read("/proc/self/stat"),
        lambda: read(os.devnull),
        lambda: read(os.__file__),
        lambda: read(pytest.__file__),
        lambda: os.listdir("/proc"),
        lambda: put("own/x"),
        lambda: read("own/y"),
        lambda: os.listdir("own"),
        lambda: put("__pycache__/x"),
        lambda: put("joblib_memmapping_folder_1_2/x"),
        lambda: socket.socketpair()[0].close() is None and None,
        lambda: tempfile.TemporaryFile().close(),
        lambda: subprocess.run([sys.executable, "-c", "open('a').read()"], check=True),
    ],
)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_no_data_or_out_of_sight_is_not_in_the_trace(run: Callable[[], object], tmp_path: Path) -> None:
    for name in ("a", "own/y", "__pycache__/y", "joblib_memmapping_folder_1_2/y"):
        write(name)
    assert touched(run, own=tmp_path / "own") == {}


def test_a_module_that_takes_the_place_of_another_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There are as many as before."""
    monkeypatch.syspath_prepend(str(tmp_path))
    write("local_module_of_many.py")
    monkeypatch.setitem(sys.modules, "another_module", ModuleType("another_module"))

    def run() -> None:
        del sys.modules["another_module"]
        __import__("local_module_of_many")

    (read,) = touched(run)["read"]
    assert read[0].endswith("local_module_of_many.py")


def test_a_local_module_that_only_the_run_imports_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the code names is imported before, when the run is identified."""
    write("local_module.py")
    monkeypatch.syspath_prepend(tmp_path)
    (read,) = touched(lambda: __import__("local_module"))["read"]
    assert read[0].endswith("local_module.py")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/me/data.csv", True),
        ("/home/me/matplotlib/data.csv", True),
        ("/home/me/.cache/huggingface/model", True),
        ("/dev/shm/data.npy", True),
        ("/home/me/.cache/matplotlib/fontlist-v390.json", False),
        ("/home/me/.config/matplotlib/matplotlibrc", False),
        ("/dev/shm/joblib_memmapping_folder_1_2/x.pkl", False),
        ("/dev/shm/sem.loky-1", False),
        ("/home/me/my.db-shm", False),
        (json.__file__, False),
        (pytest.__file__, False),
    ],
)
def test_data_is_what_belongs_neither_to_the_system_nor_to_tools(path: str, expected: bool) -> None:
    assert audit.is_data(path) is expected


def test_what_the_cache_of_the_user_holds_counts_only_where_it_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(audit, "_cache_home", lambda: os.path.join(tmp_path, "home", ""))
    write("home/model")
    kept = touched(lambda: (read("home/model"), put("home/index"), read("home/index"), os.listdir("home")))
    assert paths(kept) == {"read": ["home/model", "home/index"]}
    assert touched(lambda: (read("home/model"), put("home/model"), os.remove("home/model"))) == {}


def test_what_nobody_can_make_sense_of_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("strange")

    monkeypatch.setitem(audit._EVENTS, "os.listdir", fail)
    with pytest.raises(CheckpointError, match=r"strange.*--no-watch"):
        touched(lambda: os.listdir())


def test_a_hook_is_added_when_somebody_watches_and_only_once() -> None:
    program = (
        "import sys\nadd, added = sys.addaudithook, []\n"
        "sys.addaudithook = lambda hook: (added.append(hook), add(hook))\n"
        "import ipycheckpoint, tempfile\nfrom ipycheckpoint import checkpoint\n"
        "f = checkpoint(store=tempfile.mkdtemp())(lambda x: x)\nassert not added\n"
        "f(1), f(1), f(2)\nprint(len(added))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


# What contradicts it


def test_a_trace_of_nothing_is_contradicted_by_nothing() -> None:
    assert contradictions({}, None) == ()


@pytest.mark.parametrize(
    ("run", "then", "expected"),
    [
        (lambda: read("a"), lambda: None, []),
        (lambda: read("a"), lambda: os.utime("a"), []),
        (lambda: read("a"), lambda: write("a", "2"), ["`a` changed since"]),
        (lambda: read("a"), lambda: write("a", "22"), ["`a` changed since"]),
        (lambda: read("a"), lambda: os.remove("a"), ["`a` is gone"]),
        (lambda: read("a"), lambda: (os.remove("a"), os.mkdir("a")), ["`a` changed since"]),
        (lambda: os.path.exists("b") or put("a", "1"), lambda: write("a", "1"), []),
        (lambda: put("b"), lambda: write("b", "1"), ["`b`, which it wrote, changed since"]),
        (lambda: put("b"), lambda: os.remove("b"), ["`b`, which it wrote, is gone"]),
        (lambda: os.remove("a"), lambda: None, []),
        (lambda: os.remove("a"), lambda: write("a"), ["`a`, which it wrote, is there now"]),
        (lambda: os.mkdir("d"), lambda: write("d/x"), []),
        (lambda: os.mkdir("d"), lambda: os.rmdir("d"), ["`d`, which it wrote, is gone"]),
        (lambda: put("a", mode="a"), lambda: put("a", "more", mode="a"), []),
        (lambda: put("a", mode="a"), lambda: put("a", "other"), ["`a`, which it wrote to, changed since"]),
        (lambda: put("a", mode="a"), lambda: put("a", ""), ["`a`, which it wrote to, changed since"]),
        (lambda: os.listdir(), lambda: write("a", "2"), []),
        (lambda: os.listdir(), lambda: (write("b"), os.remove("b")), []),
        (lambda: os.listdir(), lambda: write("b"), ["the names in `.` changed since: 2 → 3"]),
        (lambda: os.listdir(), lambda: write(".ipycheckpoint/b"), []),
        (lambda: os.listdir(), lambda: write("own/b"), []),
        (lambda: (os.listdir(), put("b")), lambda: None, []),
        (lambda: (put("b"), os.listdir(), os.remove("b")), lambda: None, []),
        (lambda: os.listdir("deep"), lambda: write("deep/y"), ["the names in `deep` changed since: 1 → 2"]),
    ],
)
def test_what_is_not_as_it_was_is_named(
    run: Callable[[], object], then: Callable[[], object], expected: list[str], tmp_path: Path
) -> None:
    write("a")
    write("deep/x")
    own = tmp_path / "own"
    kept = touched(run, own=own)
    then()
    assert said(kept, own) == expected


def test_a_change_of_an_unsettled_file_is_seen_though_its_size_and_times_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = touched(lambda: put("a", "1"))
    before = os.stat("a")
    Path("a").write_text("2")
    os.utime("a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert said(kept) == ["`a`, which it wrote, changed since"]


def test_a_settled_file_that_is_untouched_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a")
    monkeypatch.setattr(files, "_SETTLED_SECONDS", -1)
    kept = touched(lambda: (read("a"), os.listdir()))
    for name in ("content", "names"):
        monkeypatch.setattr(trace, name, lambda *_: pytest.fail("it was read"))
    assert said(kept) == []


def test_a_file_that_changes_while_it_is_read_is_named() -> None:
    write("a")

    def run() -> None:
        read("a")
        subprocess.run([sys.executable, "-c", "open('a', 'w').write('22')"], check=True)

    with pytest.raises(CheckpointError, match="`a` changed while the run read it"):
        touched(run)


@pytest.mark.parametrize(
    "run",
    [
        lambda: (read("a"), put("a")),
        lambda: put("a", mode="r+"),
        lambda: (read("a"), os.remove("a")),
        lambda: (read("a"), os.rename("a", "b")),
        lambda: (read("a"), put("a", mode="a")),
        lambda: (put("a", mode="a"), read("a")),
        lambda: os.truncate("a", 0),
    ],
)
def test_what_is_read_and_changed_can_be_found_by_no_other_run(run: Callable[[], object]) -> None:
    write("a")
    with pytest.raises(CheckpointError, match="reads `a` and changes it"):
        touched(run)


def test_at_most_so_many_files_are_verified_and_a_note_says_how_many_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MOST_FILES", 3)
    for number in range(5):
        write(f"f{number}")
    kept = touched(lambda: [read(f"f{number}") for number in range(5)])
    assert paths(kept) == {"read": ["f0", "f1", "f2"]}
    assert notes(kept) == ("it touched 2 more files than the 3 that are verified before it is restored",)


def test_what_was_not_watched_is_no_hit_for_whom_files_count() -> None:
    assert said(unwatched()) == ["the files that it touched were not watched"]


def test_what_a_hit_touched_is_touched_again_for_who_watches_now() -> None:
    write("a")
    write("deep/x")
    run: Callable[[], object] = lambda: (read("a"), put("b"), put("c", mode="a"), os.listdir("deep"))
    kept = touched(run)
    assert paths(touched(lambda: hand_on(kept))) == paths(kept)


def test_in_another_working_directory_a_file_is_where_it_was_unless_the_project_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("here/a")
    write("there/a", "other")
    monkeypatch.chdir(tmp_path / "here")
    kept = touched(lambda: read(str(tmp_path / "here" / "a")))
    monkeypatch.chdir(tmp_path)
    assert said(kept) == []
    monkeypatch.chdir(tmp_path / "there")
    assert said(kept) == [f"`{tmp_path / 'here' / 'a'}` changed since"]


# What is mentioned


class Reader:
    name = "in-class.csv"

    def __init__(self) -> None:
        self.path = Path("in-instance.csv")

    @property
    def shown(self) -> str:
        return "in-property.csv"

    @staticmethod
    def load() -> str:
        return "in-static.csv"


def helper(path: str = "in-default.csv") -> list[str]:
    return [path, "in-helper.csv", *(name for name in ("in-comprehension.csv",))]


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        ("a.csv", {"a.csv"}),
        (b"a.csv", {"a.csv"}),
        (Path("a.csv"), {"a.csv"}),
        ([("x", {"k": {"a.csv"}})], {"a.csv"}),
        ("select * from 'a.csv' join \"b.csv\"", {"a.csv", "b.csv"}),
        ("cat a.csv|sort >b.csv", {"a.csv", "b.csv"}),
        (helper, {"in-default.csv", "in-helper.csv", "in-comprehension.csv"}),
        (Reader, {"in-class.csv", "in-property.csv", "in-static.csv", "in-instance.csv"}),
        (Reader(), {"in-class.csv", "in-property.csv", "in-static.csv", "in-instance.csv"}),
        (1, set()),
        (None, set()),
        (json.JSONDecoder, set()),
        ("\0", set()),
    ],
)
def test_what_code_and_values_mention_is_found(thing: object, expected: set[str]) -> None:
    found = {text for text in mentioned([thing]) if text.endswith(".csv") and " " not in text}
    assert found == expected


@pytest.mark.parametrize(
    ("thing", "expected"),
    [("a.csv", True), (1.5, True), (None, True), (read, True), (["a.csv"], False), (helper, False), (Reader, False)],
)
def test_what_can_hardly_change_mentions_the_same_later(thing: object, expected: bool) -> None:
    assert mentions_the_same(thing) == expected


def test_what_a_value_comes_to_mention_during_the_run_is_looked_at() -> None:
    paths = ["a.csv"]
    command = [sys.executable, "-c", "open('b.csv', 'w').write('new')"]

    def run() -> None:
        subprocess.run(command, check=True)
        paths.append("b.csv")

    assert [entry[0] for entry in touched(run, paths)["written"]] == ["b.csv"]


def test_a_pattern_mentions_the_files_that_it_finds() -> None:
    write("a.csv")
    write("b.csv")
    assert sorted(files_among(["*.csv"])) == ["a.csv", "b.csv"]
    assert files_among(["c.csv", ".", "*", "\ud800.csv"]) == []


def test_what_is_mentioned_and_unheard_of_counts_as_read_or_written() -> None:
    write("a.csv")
    write("b.csv")
    command = [sys.executable, "-c", "open('b.csv', 'w').write('new'); open('c.csv', 'w')"]
    kept = touched(lambda: subprocess.run(command, check=True), "a.csv", "b.csv", ["c.csv", "d.csv"])
    assert paths(kept) == {"read": ["a.csv"], "written": ["b.csv", "c.csv"]}


def test_what_is_mentioned_and_heard_of_is_what_was_heard() -> None:
    write("a.csv")
    assert paths(touched(lambda: put("a.csv"), "a.csv")) == {"written": ["a.csv"]}


def test_an_open_that_is_audited_by_others_too_works_as_ever() -> None:
    with watched(Watch(work(), None)), pytest.raises(FileNotFoundError):
        builtins.open("nowhere")
