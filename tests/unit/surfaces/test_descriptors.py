"""What is written past Python is heard and still shown, in a pipe and in a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ipycheckpoint.surfaces import descriptors
from ipycheckpoint.surfaces.descriptors import _MARK, Drain, _Marked, command_name, goes_to_the_terminal, writes_to_ours

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
    import json, os, subprocess, sys, time
    sys.path.insert(0, {root!r})
    from ipycheckpoint.surfaces.descriptors import overheard

    heard = []
    before = os.fstat(1), os.fstat(2)
    sys.stdout.write("python ")
    with overheard(lambda name, text: heard.append((name, text))):
        subprocess.run({command!r}, shell=True)
    print("after", flush=True)
    assert (os.fstat(1), os.fstat(2)) == before or os.isatty(1)
    joined = {{}}
    for name, text in heard:
        joined[name] = joined.get(name, "") + text
    with open({told!r}, "w") as file:
        json.dump(joined, file)
    time.sleep({stays})
"""


def script(tmp_path: Any, command: str, stays: float = 0) -> list[str]:
    path = tmp_path / "script.py"
    told = str(tmp_path / "told.json")
    path.write_text(textwrap.dedent(SCRIPT).format(root=str(ROOT), command=command, told=told, stays=stays))
    return [sys.executable, str(path)]


def told(tmp_path: Any) -> dict[str, str]:
    return json.loads((tmp_path / "told.json").read_text())


pytestmark = pytest.mark.skipif(os.name != "posix", reason="no descriptors that a child inherits")


def test_both_streams_are_heard_apart_and_shown(tmp_path: Any) -> None:
    done = subprocess.run(script(tmp_path, "echo out; echo err >&2"), capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("python out\nafter\n", "err\n")
    assert told(tmp_path) == {"stdout": "out\n", "stderr": "err\n"}


def test_very_much_is_heard_in_full(tmp_path: Any) -> None:
    done = subprocess.run(script(tmp_path, "seq 100000"), capture_output=True, text=True, check=True)
    assert len(done.stdout) == len("python ") + len("after\n") + len("".join(f"{n}\n" for n in range(1, 100_001)))
    assert told(tmp_path)["stdout"].count("\n") == 100_000


def test_a_command_in_the_background_is_not_waited_for_and_still_shown(tmp_path: Any) -> None:
    command = "(sleep 0.5; echo late) & echo now"
    done = subprocess.run(script(tmp_path, command, stays=1.5), capture_output=True, text=True, check=True)
    assert done.stdout == "python now\nafter\nlate\n"
    assert told(tmp_path) == {"stdout": "now\n"}


def test_closed_descriptors_are_no_obstacle(tmp_path: Any) -> None:
    command = script(tmp_path, "true")
    subprocess.run(["/bin/sh", "-c", f"exec 1>&- 2>&-; exec {command[0]} {command[1]}"], check=False)
    assert not (tmp_path / "told.json").exists() or told(tmp_path) == {}


def test_a_terminal_stays_one_and_its_streams_stay_in_order(tmp_path: Any) -> None:
    pexpect = pytest.importorskip("pexpect")
    command = "for i in 1 2 3; do echo o$i; echo e$i >&2; done; test -t 1 && test -t 2 && tput cols"
    program, path = script(tmp_path, command)
    environ = {**os.environ, "TERM": "xterm"}
    environ.pop("COLUMNS", None)  # it would outweigh the terminal
    shown = pexpect.run(f"{program} {path}", env=environ, dimensions=(30, 123)).decode()
    assert shown == "python o1\r\ne1\r\no2\r\ne2\r\no3\r\ne3\r\n123\r\nafter\r\n"
    assert told(tmp_path) == {"stdout": "o1\ne1\no2\ne2\no3\ne3\n123\n"}


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_the_mark_is_taken_out_in_whatever_pieces_it_comes(size: int) -> None:
    marked = _Marked()
    text = f"a\x1b[0m b{_MARK}c\x1b[0m"
    pieces = [text[place : place + size] for place in range(0, len(text), size)]
    assert "".join(map(marked.without, pieces)) == "a\x1b[0m bc\x1b[0m"
    assert marked.is_found


class Watched:
    """A kernel's stream, with a thread that reads a descriptor and hands on what comes, after a while."""

    def __init__(self, reading: int, seconds: float) -> None:
        self.heard: list[str] = []
        self.drain: Drain | None = None
        self._reading = reading
        self._seconds = seconds
        self.is_stuck = threading.Event()
        self.watch_fd_thread = threading.Thread(target=self._watch, daemon=True)
        self.watch_fd_thread.start()

    def _watch(self) -> None:
        while data := os.read(self._reading, 1000):
            if self._seconds == STUCK:
                self.is_stuck.set()
                threading.Event().wait()
            time.sleep(self._seconds)
            assert self.drain is not None
            self.heard.append(self.drain.caught("stdout", data.decode()))
            self.drain.handed_on("stdout")


STUCK = -1.0


@contextmanager
def watched(seconds: float) -> Iterator[tuple[Watched, int]]:
    """Such a stream as ``sys.stdout``, and the descriptor that it reads from."""
    reading, writing = os.pipe()
    stream = Watched(reading, seconds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        patch.setattr(descriptors, "_DESCRIPTORS", {"stdout": writing})
        patch.setattr(descriptors, "_PATIENCE_SECONDS", 0.01 if seconds == STUCK else 60)
        yield stream, writing
    os.close(writing)


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_what_has_been_read_is_waited_for_until_it_is_handed_on(seconds: float) -> None:
    with watched(seconds) as (stream, writing):
        drain = stream.drain = Drain()
        for text in ("a", "b" * 2000):
            os.write(writing, text.encode())
        drain.wait()
        assert "".join(stream.heard) == "a" + "b" * 2000


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="nobody knows how long a thread has run")
def test_no_mark_is_written_where_nobody_has_written() -> None:
    with watched(0) as (stream, writing):
        before = stream.drain = Drain()
        os.write(writing, b"before")
        before.wait()
        time.sleep(0.1)  # so that the thread reads again
        drain = stream.drain = Drain()
        drain.wait()
        assert before.is_marked
        assert not drain.is_marked


def test_a_pipe_that_is_full_and_never_read_holds_nobody_up() -> None:
    with watched(STUCK) as (stream, writing):
        os.write(writing, b"x")
        assert stream.is_stuck.wait(60)
        fill(writing)
        once, again = Drain(), Drain()
        once.wait()
        assert once.is_marked
        again.wait()
        assert not again.is_marked


def fill(descriptor: int) -> None:
    """Write to a pipe until it takes no more."""
    os.set_blocking(descriptor, False)
    for size in (1000, 1):
        with suppress(BlockingIOError):
            while True:
                os.write(descriptor, bytes(size))
    os.set_blocking(descriptor, True)


@pytest.mark.parametrize(
    ("args", "kwargs", "does"),
    [
        (("ls",), {}, True),
        (("ls",), {"stdout": subprocess.PIPE}, True),
        (("ls",), {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}, False),
        (("ls", -1, None, None, subprocess.PIPE, subprocess.PIPE), {}, False),
    ],
)
def test_a_process_that_inherits_a_stream_writes_to_ours(args: Any, kwargs: Any, does: bool) -> None:
    assert writes_to_ours(*args, **kwargs) is does


@pytest.mark.parametrize(
    ("args", "name"),
    [("ls -l", "ls"), (["/bin/ls"], "ls"), ("", ""), (b"/bin/ls", "ls"), ([], ""), ((b"ls", "x"), "ls")],
)
def test_a_command_goes_by_the_name_of_its_program(args: Any, name: str) -> None:
    assert command_name(args) == name


def test_only_the_raw_way_to_call_the_system_goes_to_the_terminal() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    assert goes_to_the_terminal(InteractiveShell.system_raw)
    assert not goes_to_the_terminal(InteractiveShell.system_piped)
    assert not goes_to_the_terminal(None)
