"""Notebooks and workers that share a store: what one computes, the others restore."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fsspec")

from ipycheckpoint.store.shared import RemoteStore
from tests.semantics.scenes import ROOT, Program
from tests.servers import s3_server

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import os, sys, time
from ipycheckpoint import checkpoint, workspace
@checkpoint(watch=False)
def f(x):
    with open(sys.argv[1], "a") as file:
        file.write(f"{x}\\n")
    return [x] * 1000
"""


class Member(Program):
    """Somebody with a directory and a cache of their own. All sign with the secret of the tests."""

    def __init__(self, directory: Path, store: str, **more: str) -> None:
        directory.mkdir()
        super().__init__(directory)
        self.environ = {"IPYCHECKPOINT_STORE": store, **more}
        self.log = directory.parent / "runs.txt"

    def start(self, *arguments: str, **environ: str):
        return super().start(str(self.log), *arguments, **self.environ, **environ)

    def runs(self) -> list[int]:
        return [int(line) for line in self.log.read_text().split()] if self.log.exists() else []


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/team"


def test_what_one_computes_the_other_restores(tmp_path, url):
    ada, bob = Member(tmp_path / "ada", url), Member(tmp_path / "bob", url)
    for member in (ada, bob):
        member.write(SCRIPT + "print(sum(f(3)), f.is_cached(3))")
    assert ada.run().lines == ["3000 True"]
    assert bob.run().lines == ["3000 True"]
    assert ada.runs() == [3]


def test_two_at_once_keep_whole_records(tmp_path, url):
    members = [Member(tmp_path / name, url) for name in ("ada", "bob")]
    started = []
    for member in members:
        member.write(SCRIPT + "print(sum(sum(f(x)) for x in range(30)))")
        started.append(member.start())
    for process in started:
        out, err = process.communicate(timeout=100)
        assert (process.returncode, out.split()) == (0, [str(1000 * sum(range(30)))]), err
    late = Member(tmp_path / "late", url)
    late.write(SCRIPT + "print(sum(len(a) for a in f.map(range(30), progress=False)))")
    before = len(late.runs())
    assert late.run().lines == ["30000"]
    assert len(late.runs()) == before


def test_what_a_killed_process_had_not_sent_the_next_one_sends(tmp_path, url):
    ada = Member(tmp_path / "ada", url)
    ada.write(
        SCRIPT
        + """
from ipycheckpoint.store.shared import RemoteStore
RemoteStore.put = lambda *_: time.sleep(100)  # the line is very slow
f(1), f(2)
print("kept", flush=True)
time.sleep(100)
"""
    )
    process = ada.start()
    assert process.stdout.readline() == "kept\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    ada.write(SCRIPT + "f.is_cached(9)\nprint(workspace.current().cache().flush(30))")
    assert ada.run().lines == ["0"]
    bob = Member(tmp_path / "bob", url)
    bob.write(SCRIPT + "print(sum(f(1)), sum(f(2)))")
    assert bob.run().lines == ["1000 2000"]
    assert ada.runs() == [1, 2]


def test_offline_work_is_sent_later(tmp_path, url):
    ada = Member(tmp_path / "ada", url)
    (tmp_path / "team").write_text("a file, where a folder should be")
    ada.write(SCRIPT + "print(sum(f(1)), sum(f(1)))")
    offline = ada.run()
    assert offline.lines == ["1000 1000"]
    assert "not reached" in offline.complaints
    (tmp_path / "team").unlink()
    ada.write(SCRIPT + "print(sum(f(2)))")
    assert ada.run().complaints == ""
    bob = Member(tmp_path / "bob", url)
    bob.write(SCRIPT + "print(sum(f(1)), sum(f(2)))")
    assert bob.run().lines == ["1000 2000"]
    assert ada.runs() == [1, 2]


def test_workers_of_a_map_share_the_store_of_the_script(tmp_path, url):
    text = SCRIPT + """
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
if __name__ == "__main__":
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
        print(sum(len(a) for a in f.map(range(20), executor, progress=False)))
"""  # fmt: skip
    for name in ("ada", "bob"):
        member = Member(tmp_path / name, url)
        member.write(text)
        assert member.run().lines == ["20000"]
        assert sorted(member.runs()) == list(range(20))


def test_a_stranger_finds_records_and_loads_none_of_them(tmp_path, url):
    ada = Member(tmp_path / "ada", url)
    eve = Member(tmp_path / "eve", url, IPYCHECKPOINT_SECRET_FILE=str(tmp_path / "secret"))
    for member in (ada, eve):
        member.write(SCRIPT + "print(sum(f(3)))")
        assert member.run().lines == ["3000"]
    assert ada.runs() == [3, 3]


def test_accepted_members_restore_from_each_other(tmp_path, url):
    secret, accepted = tmp_path / "secret", tmp_path / "accepted"
    ada = Member(tmp_path / "ada", url, IPYCHECKPOINT_SECRET_FILE=str(secret))
    ada.write(SCRIPT + "print(sum(f(3)))")
    ada.run()
    shutil.copy(secret, accepted)
    bob = Member(tmp_path / "bob", url, IPYCHECKPOINT_ACCEPT=str(accepted))
    bob.write(SCRIPT + "print(sum(f(3)))")
    assert bob.run().lines == ["3000"]
    assert ada.runs() == [3]


def test_the_listing_of_a_cache_has_what_came_from_others(tmp_path, url):
    for name in ("ada", "bob"):
        member = Member(tmp_path / name, url)
        member.write(SCRIPT + "f(3)\nprint([(r.label, r.status, r.hits) for r in workspace.current().cache().rows()])")
        lines = member.run().lines
    assert lines == ["[('f', 'restored', 1)]"]


def test_s3_serves_two_members_and_only_missing_blobs_travel(tmp_path):
    with s3_server() as options:
        told = {
            "FSSPEC_S3_ENDPOINT_URL": options["endpoint_url"],
            "FSSPEC_S3_KEY": options["key"],
            "FSSPEC_S3_SECRET": options["secret"],
        }
        text = SCRIPT + """
import numpy
from ipycheckpoint.store.shared import RemoteStore
sent = []
put = RemoteStore.put
def counting(self, name, chunks):
    sent.append(sum(memoryview(chunk).nbytes for chunk in chunks))
    put(self, name, chunks)
RemoteStore.put = counting
@checkpoint
def grid(x):
    return numpy.zeros(500_000), x
print(grid(int(sys.argv[2]))[0].nbytes)
workspace.current().cache().flush()
print(sum(sent) > 4_000_000, sum(sent) > 0)
grid(int(sys.argv[2]) + 10)  # it is sent at the end
"""  # fmt: skip
        ada, bob = (Member(tmp_path / name, "s3://team/cache", **told) for name in ("ada", "bob"))
        for member, item, sent in [(ada, 1, "True True"), (bob, 1, "False False"), (bob, 2, "False True")]:
            member.write(text)
            printed = member.run(str(item))
            assert (printed.lines, printed.complaints) == (["4000000", sent], "")
        assert len(list(RemoteStore("s3://team/cache", **options).entries("records/"))) == 4


@pytest.mark.parametrize(
    "line", ["%config Checkpoint.store = '{url}'", "import os; os.environ['IPYCHECKPOINT_STORE'] = '{url}'"]
)
def test_a_notebook_is_told_by_one_line(tmp_path, url, line):
    pytest.importorskip("IPython")
    ada = Member(tmp_path / "ada", "")
    ada.write(f"""
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        for line in ["%load_ext ipycheckpoint", {line.format(url=url)!r}, "%%checkpoint\\nx = 1"]:
            shell.run_cell(line)
        from ipycheckpoint import workspace
        print(workspace.current().cache().location)
    """)
    assert ada.run(IPYTHONDIR=str(tmp_path / "ipython")).lines[-1] == url
    assert list((tmp_path / "team" / "records").iterdir())


@pytest.mark.parametrize("command", [["ls"], ["ls", "--cache", "{url}"], ["verify", "--cache", "{url}"]])
def test_commands_look_at_what_is_near_and_with_its_url_at_the_store_itself(tmp_path, url, command):
    ada = Member(tmp_path / "ada", url)
    ada.write(SCRIPT + "f(3)")
    ada.run()
    words = [word.format(url=url) for word in command]
    done = subprocess.run(
        [sys.executable, "-m", "ipycheckpoint", *words, "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert ('"f"' in done.stdout) == (words == ["ls", "--cache", url])


@pytest.mark.parametrize(
    ("told", "seen"), [({}, True), ({"IPYCHECKPOINT_WHO": "Ada"}, "Ada"), ({"IPYCHECKPOINT_WHO": ""}, None)]
)
def test_a_shared_record_says_who_made_it(tmp_path, url, told, seen):
    ada = Member(tmp_path / "ada", url, **told)
    ada.write(SCRIPT + "f(3)\nprint(workspace.current().cache().open(f.record(3).key).environment.who)")
    [who] = ada.run().lines
    assert ("@" in who) if seen is True else who == str(seen)


def test_a_record_that_nobody_shares_says_nothing_of_who_made_it(tmp_path):
    ada = Member(tmp_path / "ada", "")
    ada.write(SCRIPT + "f(3)\nprint(workspace.current().cache().open(f.record(3).key).environment.who)")
    assert ada.run().lines == ["None"]
