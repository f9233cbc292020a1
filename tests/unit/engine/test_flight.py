from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ipycheckpoint.engine.flight import Flights
from ipycheckpoint.identity.identity import Key

ROOT = Path(__file__).parents[3]
A, B = Key("a" * 64), Key("b" * 64)
PREAMBLE = """
import os, sys, time
from pathlib import Path
from ipycheckpoint.engine.flight import Flights
flights = Flights(Path(sys.argv[1]))
"""


@contextmanager
def process(directory: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    """Another interpreter; it says "holds" when it does, and is killed in the end if need be."""
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PREAMBLE + code, str(directory)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


HOLD = f"""
with flights.alone({A!r}) as alone:
    print("holds" if alone else "failed", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(params=["shared", "in memory"])
def flights(request: pytest.FixtureRequest, tmp_path: Path) -> Flights:
    return Flights(tmp_path / "cache" if request.param == "shared" else None)


def compute_once(flights: Flights, log: list[str], results: dict[str, int]) -> int:
    """What a run does: look, wait, look again, compute."""
    with flights.alone(A):
        if "x" not in results:
            log.append("computed")
            time.sleep(0.02)
            results["x"] = 42
        return results["x"]


class TestThreads:
    def test_of_many_threads_one_computes(self, flights: Flights) -> None:
        log: list[str] = []
        results: dict[str, int] = {}
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: compute_once(flights, log, results), range(24)))
        assert found == [42] * 24
        assert log == ["computed"]

    def test_two_that_share_a_directory_exclude_each_other(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "cache")
        first, second = Flights(tmp_path / "cache"), Flights(tmp_path / "link", wait_seconds=0)
        with first.alone(A):
            assert in_thread(second, A) is False

    def test_other_keys_are_not_held_up(self, flights: Flights) -> None:
        with flights.alone(A):
            assert in_thread(flights, B) is True

    def test_a_recursion_with_equal_arguments_gets_it_at_once(self, flights: Flights) -> None:
        with flights.alone(A) as first, flights.alone(B), flights.alone(A) as second:
            assert (first, second) == (True, True)

    def test_the_end_of_the_recursion_is_not_the_end_of_the_run(self, flights: Flights) -> None:
        impatient = Flights(None)
        impatient._field, impatient.wait_seconds = flights._field, 0
        with flights.alone(A):
            with flights.alone(A):
                pass
            assert in_thread(impatient, A) is False
        assert in_thread(impatient, A) is True

    def test_it_is_free_again_after_an_exception(self, flights: Flights) -> None:
        with pytest.raises(ZeroDivisionError), flights.alone(A):
            1 / 0
        assert in_thread(flights, A) is True

    def test_waiting_ends_after_wait_seconds_and_tells_so(self, tmp_path: Path) -> None:
        waits: list[float] = []
        flights = Flights(tmp_path, wait_seconds=0.05)

        def ask() -> bool:
            with flights.alone(A, on_wait=waits.append) as alone:
                return alone

        with flights.alone(A), ThreadPoolExecutor(1) as pool:
            assert pool.submit(ask).result() is False
        assert waits == sorted(waits)
        assert 0 <= waits[0] < waits[-1]

    def test_waiting_can_be_interrupted(self, flights: Flights) -> None:
        class Enough(Exception):
            pass

        def interrupt(seconds: float) -> None:
            signal.raise_signal(signal.SIGINT)

        def complain(number: int, frame: object) -> None:
            raise Enough

        leave = threading.Event()
        held = threading.Event()

        def hold() -> None:
            with flights.alone(A):
                held.set()
                leave.wait()

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()
        before = signal.signal(signal.SIGINT, complain)
        try:
            with pytest.raises(Enough), flights.alone(A, on_wait=interrupt):
                pass
        finally:
            signal.signal(signal.SIGINT, before)
            leave.set()
            holder.join()
        with flights.alone(A) as alone:
            assert alone

    def test_where_nothing_can_be_written_threads_still_wait(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        flights = Flights(tmp_path / "file")
        with flights.alone(A) as alone:
            assert alone is False
        log: list[str] = []
        results: dict[str, int] = {}
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: compute_once(flights, log, results), range(8)))
        assert log == ["computed"]


class TestTasks:
    def test_of_many_tasks_one_computes(self, flights: Flights) -> None:
        log: list[str] = []

        async def ask() -> None:
            async with flights.alone_async(A):
                if not log:
                    log.append("computed")
                    await asyncio.sleep(0.01)

        async def main() -> None:
            await asyncio.gather(*(ask() for _ in range(10)))

        asyncio.run(main())
        assert log == ["computed"]

    def test_other_tasks_run_while_one_waits(self, flights: Flights) -> None:
        async def main() -> list[str]:
            log = []

            async def hold() -> None:
                async with flights.alone_async(A):
                    log.append("holds")
                    await asyncio.sleep(0.05)
                    log.append("leaves")

            async def wait() -> None:
                await asyncio.sleep(0.01)
                async with flights.alone_async(A):
                    log.append("second")

            async def other() -> None:
                await asyncio.sleep(0.02)
                log.append("other")

            await asyncio.gather(hold(), wait(), other())
            return log

        assert asyncio.run(main()) == ["holds", "other", "leaves", "second"]

    def test_a_recursion_through_a_task_of_its_own_gets_it_at_once(self, flights: Flights) -> None:
        async def inner() -> bool:
            async with flights.alone_async(A) as alone:
                return alone

        async def main() -> bool:
            async with flights.alone_async(A):
                return await asyncio.create_task(inner())

        assert asyncio.run(main()) is True

    def test_code_that_blocks_the_loop_does_not_wait_for_a_task_of_it(self, flights: Flights) -> None:
        async def hold(held: asyncio.Event, leave: asyncio.Event) -> None:
            async with flights.alone_async(A):
                held.set()
                await leave.wait()

        async def main() -> bool:
            held, leave = asyncio.Event(), asyncio.Event()
            task = asyncio.create_task(hold(held, leave))
            await held.wait()
            with flights.alone(A) as alone:
                pass
            leave.set()
            await task
            return alone

        assert asyncio.run(main()) is False

    def test_a_task_that_is_cancelled_while_it_waits_holds_nothing(self, flights: Flights) -> None:
        async def ask() -> None:
            async with flights.alone_async(A):
                pass

        async def main() -> bool:
            async with flights.alone_async(A):
                # A context of its own: this task doesn't run for the holder.
                task = asyncio.get_running_loop().create_task(ask(), context=contextvars.Context())
                await asyncio.sleep(0.01)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                assert task.cancelled()
            async with flights.alone_async(A) as alone:
                return alone

        assert asyncio.run(main()) is True


# Python warns of what we test: forks while other threads are there.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
class TestProcesses:
    def test_of_four_processes_one_computes(self, tmp_path: Path) -> None:
        code = f"""
with flights.alone({A!r}):
    result = Path(sys.argv[1]) / "result"
    if not result.exists():
        time.sleep(0.1)
        result.write_text("42")
        print("computed")
"""
        outputs = []
        with process(tmp_path, code) as a, process(tmp_path, code) as b, process(tmp_path, code) as c:
            with process(tmp_path, code) as d:
                for child in [a, b, c, d]:
                    outputs.append(child.communicate()[0])
        assert sorted(outputs) == ["", "", "", "computed\n"]

    def test_who_waits_for_another_process_goes_on_when_it_is_done(self, tmp_path: Path) -> None:
        with process(tmp_path, HOLD) as child:
            assert child.stdout is not None
            assert child.stdin is not None
            assert child.stdout.readline() == "holds\n"
            with Flights(tmp_path, wait_seconds=0).alone(A) as alone:
                assert alone is False
            with Flights(tmp_path, wait_seconds=0).alone(B) as alone:
                assert alone is True
            waits: list[float] = []

            def leave(seconds: float) -> None:
                if not waits:
                    child.stdin.write("\n")
                    child.stdin.flush()
                waits.append(seconds)

            with Flights(tmp_path).alone(A, on_wait=leave) as alone:
                assert alone is True
            assert waits

    def test_when_the_runner_is_killed_another_takes_over(self, tmp_path: Path) -> None:
        with process(tmp_path, HOLD) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "holds\n"
            killed = []

            def kill(seconds: float) -> None:
                if not killed:
                    killed.append(seconds)
                    os.kill(child.pid, signal.SIGKILL)

            with Flights(tmp_path).alone(A, on_wait=kill) as alone:
                assert alone is True
            assert killed

    def test_a_worker_that_outlives_its_killed_runner_holds_nothing_up(self, tmp_path: Path) -> None:
        code = f"""
with flights.alone({A!r}):
    worker = os.fork()
    if worker == 0:
        time.sleep(60)
    print(worker, flush=True)
    time.sleep(60)
"""
        with process(tmp_path, code) as child:
            assert child.stdout is not None
            worker = int(child.stdout.readline())
            os.kill(child.pid, signal.SIGKILL)
            try:
                with Flights(tmp_path, wait_seconds=20).alone(A) as alone:
                    assert alone is True
                os.kill(worker, 0)
            finally:
                os.kill(worker, signal.SIGKILL)

    def test_a_fork_inside_of_a_run_may_ask_for_the_same_key(self, flights: Flights) -> None:
        with flights.alone(A):
            child = os.fork()
            if child == 0:
                with suppress(BaseException), flights.alone(A) as alone:
                    os._exit(0 if alone else 1)
                os._exit(2)
            assert os.waitpid(child, 0)[1] == 0

    def test_the_end_of_a_fork_is_not_the_end_of_the_run(self, tmp_path: Path) -> None:
        flights = Flights(tmp_path)
        child = -1
        with suppress(SystemExit), flights.alone(A):
            child = os.fork()
            if child == 0:
                raise SystemExit  # leaves the block, as a worker does that ends
            os.waitpid(child, 0)
            with process(tmp_path, f"with Flights(Path(sys.argv[1]), wait_seconds=0).alone({A!r}) as a: print(a)") as p:
                assert p.communicate()[0] == "False\n"
        if child == 0:
            os._exit(0)

    def test_a_fork_does_not_hold_what_other_threads_of_its_parent_held(self, flights: Flights) -> None:
        held, leave = threading.Event(), threading.Event()

        def hold() -> None:
            with flights.alone(A):
                held.set()
                leave.wait()

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()
        child = os.fork()
        if child == 0:
            with suppress(BaseException), flights.alone(B) as alone:
                os._exit(0 if alone else 1)
            os._exit(2)
        leave.set()
        holder.join()
        assert os.waitpid(child, 0)[1] == 0

    def test_all_runs_together_leave_one_empty_file(self, tmp_path: Path) -> None:
        flights = Flights(tmp_path / "cache")
        assert not (tmp_path / "cache").exists()
        for i in range(300):
            with flights.alone(Key(f"{i:064x}")):
                pass
        files = {path.name: path.stat().st_size for path in (tmp_path / "cache").iterdir()}
        assert set(files) == {".gitignore", "CACHEDIR.TAG", "locks"}
        assert files["locks"] == 0

    def test_after_the_folder_was_deleted_processes_meet_again(self, tmp_path: Path) -> None:
        directory = tmp_path / "cache"
        flights = Flights(directory, wait_seconds=0)
        with flights.alone(A):
            pass
        (directory / "locks").unlink()
        with process(directory, HOLD) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "holds\n"
            with flights.alone(A) as alone:
                assert alone is False


def in_thread(flights: Flights, key: Key) -> bool:
    def ask() -> bool:
        with flights.alone(key) as alone:
            return alone

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result()
