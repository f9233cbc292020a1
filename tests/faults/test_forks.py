"""Children, threads and tasks: each saves and looks up, and nobody inherits a lock."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import ipycheckpoint as ck
from ipycheckpoint import workspace
from ipycheckpoint.engine.flight import Flights
from ipycheckpoint.errors import UsageError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.store.system import REAL
from tests.faults.work import draft, key_of, opened, save_and_find, version_in

ROOT = Path(__file__).parents[2]

# Python warns of what we test: forks while other threads are there.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def in_fork(work: Callable[[], object]) -> bool:
    """Whether `work` is done in a child without a complaint, and within a minute."""
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def test_a_fork_goes_on_with_the_caches_of_its_parent(tmp_path: Path) -> None:
    cache = opened(tmp_path / "cache")
    cache.save(draft("small_a"))

    def child() -> None:
        assert version_in(cache, "small_a") == 0
        cache.save(draft("small_b"))
        cache.save(draft("large_b"))
        cache.close()

    assert in_fork(child)
    assert [version_in(cache, name) for name in ("small_a", "small_b", "large_b")] == [0, 0, 0]
    cache.close()


def test_a_fork_in_the_middle_of_a_save_of_another_thread_is_not_held_up(tmp_path: Path) -> None:
    cache = opened(tmp_path / "cache")
    busy, leave = threading.Event(), threading.Event()

    def endless() -> None:
        number = 0
        while not leave.is_set():
            cache.save(draft(f"small_{number % 7}", number % 3))
            cache.count_hit(cache.header(key_of(f"small_{number % 7}")), 0.1)
            number += 1
            busy.set()

    thread = threading.Thread(target=endless)
    thread.start()
    busy.wait()
    for number in range(5):
        assert in_fork(lambda number=number: cache.save(draft(f"small_c{number}")))
    leave.set()
    thread.join()
    assert [version_in(cache, f"small_c{number}") for number in range(5)] == [0] * 5
    cache.close()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_child_of_its_own_saves_and_finds(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    child = multiprocessing.get_context(method).Process(target=save_and_find, args=(tmp_path / "cache", "large_a"))
    child.start()
    child.join()
    assert child.exitcode == 0
    cache = opened(tmp_path / "cache")
    assert version_in(cache, "large_a") == 0
    cache.close()


def test_threads_save_and_look_up_at_once(tmp_path: Path) -> None:
    cache = opened(tmp_path / "cache")

    def use(number: int) -> None:
        name = f"{('tiny', 'small', 'large')[number % 3]}_{number % 5}"
        cache.save(draft(name, number % 4))
        assert version_in(cache, name) in {0, 1, 2, 3}
        cache.rows()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(120)))
    cache.close()


def test_tasks_share_one_run_and_the_loop_goes_on(tmp_path: Path) -> None:
    ran: list[int] = []

    @ck.checkpoint(store=str(tmp_path / "cache"), ignore=["ran"])
    async def slow(number: int, ran: list[int]) -> int:
        ran.append(number)
        await asyncio.sleep(0.05)
        return number * 2

    async def main() -> tuple[list[int], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.005)

        ticking = asyncio.create_task(tick())
        found = await asyncio.gather(*(slow(n % 2, ran) for n in range(10)))
        ticking.cancel()
        return found, ticks

    found, ticks = asyncio.run(main())
    assert found == [n % 2 * 2 for n in range(10)]
    assert sorted(ran) == [0, 1]
    assert ticks > 2


def test_no_lock_but_the_own_one_is_held_while_the_users_code_runs(tmp_path: Path) -> None:
    place = tmp_path / "cache"

    @ck.checkpoint(store=str(place))
    def inner(number: int) -> int:
        return number

    @ck.checkpoint(store=str(place))
    def outer(number: int) -> int:
        # From another thread, another process and this one, everything else of the cache can be used.
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(inner, number + 1).result(30) == number + 1
            pool.submit(save_and_find, place, "small_a").result(30)
        assert in_fork(lambda: save_and_find(place, "small_b"))
        return inner(number)

    with workspace.using(workspace.Workspace({})):
        assert outer(3) == 3


HOLD = """
import sys, time
from pathlib import Path
from ipycheckpoint.engine.flight import Flights
with Flights(Path(sys.argv[1])).alone(sys.argv[2]):
    print("holds", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that runs what we ask for."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "cache", key_of("tiny_a")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        child.stdout.readline()
        yield child
        child.kill()


class TestWaiting:
    KEY: Key = key_of("tiny_a")

    def test_it_says_for_whom_after_half_a_second_and_once(self, holder, tmp_path: Path) -> None:
        said: list[str] = []

        def free(seconds: float) -> None:
            if seconds > 0.8:
                holder.kill()

        with Flights(tmp_path / "cache", say=said.append).alone(self.KEY, label="train", on_wait=free) as alone:
            assert alone
        [words] = said
        assert words.startswith("train: process ")
        assert f"process {holder.pid} on " in words or "another process" in words

    def test_it_is_said_on_stderr(self, holder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with Flights(tmp_path / "cache", wait_seconds=0.7).alone(self.KEY, label="train") as alone:
            assert not alone
        first, second = capsys.readouterr().err.splitlines()
        assert "computes it just now" in first
        assert second.startswith("train: waited 1 s")

    def test_a_short_wait_needs_no_word(self, holder, tmp_path: Path) -> None:
        said: list[str] = []
        with Flights(tmp_path / "cache", wait_seconds=0.1, say=said.append).alone(self.KEY) as alone:
            assert not alone
        assert said == []

    def test_another_thread_is_named_as_such(self, tmp_path: Path) -> None:
        said: list[str] = []
        flights = Flights(None, wait_seconds=0.7, say=said.append)

        def ask() -> bool:
            with flights.alone(self.KEY) as alone:
                return alone

        with flights.alone(self.KEY), ThreadPoolExecutor(1) as pool:
            assert pool.submit(ask).result() is False
        assert said[0].startswith("another thread or task of this process")

    def test_the_setting_says_for_how_long(self, holder, tmp_path: Path) -> None:
        here = workspace.Workspace({"IPYCHECKPOINT_WAIT": "2m"})
        assert here.wait_seconds == 120
        here.wait_seconds = 0
        with here.flights(here.cache(tmp_path / "cache")).alone(self.KEY) as alone:
            assert not alone
        here.wait_seconds = None
        assert here.wait_seconds == 120
        with pytest.raises(UsageError, match="soon"):
            here.wait_seconds = "soon"

    @pytest.mark.parametrize("code", ["ENOLCK", "EINVAL", "ENOTSUP", "EIO", "EBADF"])
    def test_without_locks_one_computes_at_once(self, code: str, tmp_path: Path) -> None:
        import errno

        def lock(*_: int) -> bool:
            raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

        began = time.monotonic()
        for _ in range(2):
            with Flights(tmp_path / "cache", system=replace(REAL, lock=lock)).alone(self.KEY) as alone:
                assert not alone
        assert time.monotonic() - began < 30

    def test_locks_that_are_refused_though_nobody_holds_them_are_not_relied_upon(self, tmp_path: Path) -> None:
        said: list[str] = []
        system = replace(REAL, lock=lambda *_: False)
        with Flights(tmp_path / "cache", system=system, say=said.append).alone(self.KEY) as alone:
            assert not alone
        assert said == []

    def test_where_it_is_not_told_who_holds_a_lock_one_waits_all_the_same(self, holder, tmp_path: Path) -> None:
        said: list[str] = []
        flights = Flights(
            tmp_path / "cache", wait_seconds=2.5, say=said.append, system=replace(REAL, holder=lambda *_: None)
        )
        with flights.alone(self.KEY) as alone:
            assert not alone
        assert said[0].startswith("another process computes it")
