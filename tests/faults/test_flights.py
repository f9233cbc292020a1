"""One run at a time, whoever waits: a thread, a task, a process or a fork; and no wait that never ends."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import ipycheckpoint as ck
from ipycheckpoint import workspace
from ipycheckpoint.engine.flight import Flights
from ipycheckpoint.store.system import REAL
from tests.faults.scale import TORTURE
from tests.faults.test_forks import ROOT, in_fork
from tests.faults.work import key_of

KEY = key_of("tiny_a")

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

# A function that tells of each run in a file, and takes as long as another file is there.
PROGRAM = """
import sys, time
from pathlib import Path
import ipycheckpoint as ck
place = Path(sys.argv[1])

@ck.checkpoint(store=str(place / "cache"), ignore=["place"])
def slow(number, place):
    with (place / "ran").open("a") as file:
        file.write("x")
    while (place / "busy").exists():
        time.sleep(0.01)
    return [number] * 1_000
"""


def program(place: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM + "\n".join(more), place],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def runs(place: Path) -> int:
    return len((place / "ran").read_text()) if (place / "ran").exists() else 0


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


CALLS = {
    "in this thread": "print(sum(slow(3, place)))",
    "in threads": """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    [total] = {sum(value) for value in pool.map(lambda _: slow(3, place), range(4))}
print(total)
""",
    "in tasks": """
import asyncio
async def main():
    [total] = {sum(value) for value in await asyncio.gather(*(asyncio.to_thread(slow, 3, place) for _ in range(4)))}
    print(total)
asyncio.run(main())
""",
    "in a fork": """
import os, warnings
warnings.simplefilter("ignore")
child = os.fork()
total = sum(slow(3, place))
if not child:
    os._exit(total != 3_000)
print(total if os.waitpid(child, 0)[1] == 0 else "the child failed")
""",
    "in a process that was spawned": """
import subprocess
program = sys.orig_argv[2].partition("import subprocess")[0] + "print(sum(slow(3, place)))"
print(subprocess.run([sys.executable, "-c", program, sys.argv[1]], capture_output=True, text=True).stdout.strip())
""",
}


@pytest.mark.parametrize("who", CALLS if TORTURE else ["in threads", "in a fork"])
def test_when_the_runner_is_killed_one_of_those_who_wait_takes_over_and_the_others_restore(
    who: str, tmp_path: Path
) -> None:
    (tmp_path / "busy").touch()
    runner = program(tmp_path, CALLS["in this thread"])
    until(lambda: runs(tmp_path) == 1)
    waiting = [program(tmp_path, CALLS[who]) for _ in range(2)]
    time.sleep(0.7)
    assert runs(tmp_path) == 1
    runner.send_signal(signal.SIGKILL)
    runner.communicate()
    until(lambda: runs(tmp_path) == 2)
    (tmp_path / "busy").unlink()
    assert [process.communicate(timeout=60)[0].strip() for process in waiting] == ["3000"] * 2
    assert runs(tmp_path) == 2


@pytest.mark.parametrize("who", CALLS if TORTURE else ["in threads", "in tasks"])
def test_who_has_waited_long_enough_computes_and_later_ones_restore(
    who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYCHECKPOINT_WAIT", "1s")
    (tmp_path / "busy").touch()
    runner = program(tmp_path, CALLS["in this thread"])
    until(lambda: runs(tmp_path) == 1)
    impatient = program(tmp_path, CALLS[who])
    until(lambda: runs(tmp_path) > 1)
    (tmp_path / "busy").unlink()
    assert impatient.communicate(timeout=60)[0].strip() == "3000"
    assert runner.communicate(timeout=60)[0].strip() == "3000"
    before = runs(tmp_path)
    assert program(tmp_path, CALLS["in this thread"]).communicate(timeout=60)[0].strip() == "3000"
    assert runs(tmp_path) == before


def test_on_a_file_system_without_locks_each_process_computes_and_one_record_is_kept(tmp_path: Path) -> None:
    (tmp_path / "busy").touch()
    without = """
from ipycheckpoint.store import locks, system
import errno
def lock(*_):
    raise OSError(errno.ENOLCK, "No locks available")
object.__setattr__(system.REAL, "lock", lock)
"""
    running = [program(tmp_path, without, CALLS["in this thread"]) for _ in range(3)]
    until(lambda: runs(tmp_path) == 3)
    (tmp_path / "busy").unlink()
    assert [process.communicate(timeout=60)[0].strip() for process in running] == ["3000"] * 3
    assert program(tmp_path, CALLS["in this thread"]).communicate(timeout=60)[0].strip() == "3000"
    assert runs(tmp_path) == 3


def test_a_file_system_that_loses_its_locks_while_one_waits_holds_nobody_up(tmp_path: Path) -> None:
    asked = 0

    def lock(*_: int) -> bool:
        nonlocal asked
        asked += 1
        if asked > 3:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return False

    with Flights(tmp_path / "cache", system=replace(REAL, lock=lock)).alone(KEY) as alone:
        assert not alone
    assert asked == 4


def test_of_threads_tasks_and_forks_of_one_process_one_computes_at_a_time(tmp_path: Path) -> None:
    flights = Flights(tmp_path / "cache")
    inside: list[int] = []
    most: list[int] = []

    def enter() -> None:
        with flights.alone(KEY) as alone:
            assert alone
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    async def enter_async() -> None:
        async with flights.alone_async(KEY) as alone:
            assert alone
            inside.append(1)
            most.append(len(inside))
            await asyncio.sleep(0.02)
            inside.pop()

    async def tasks() -> None:
        await asyncio.gather(*(enter_async() for _ in range(5)))

    threads = [threading.Thread(target=enter) for _ in range(5)]
    threads += [threading.Thread(target=lambda: asyncio.run(tasks())) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert in_fork(enter)
    for thread in threads:
        thread.join(60)
    assert most == [1] * 15


def test_who_is_interrupted_while_waiting_leaves_the_others_waiting(tmp_path: Path) -> None:
    (tmp_path / "busy").touch()
    runner = program(tmp_path, CALLS["in this thread"])
    until(lambda: runs(tmp_path) == 1)
    told = (
        "try:\n    print('asks', flush=True)\n    slow(3, place)\nexcept KeyboardInterrupt:\n    print('interrupted')"
    )
    interrupted, patient = program(tmp_path, told), program(tmp_path, CALLS["in this thread"])
    assert interrupted.stdout.readline() == "asks\n"
    time.sleep(0.5)
    interrupted.send_signal(signal.SIGINT)
    assert interrupted.communicate(timeout=60)[0].strip() == "interrupted"
    assert patient.poll() is None
    (tmp_path / "busy").unlink()
    assert [p.communicate(timeout=60)[0].strip() for p in (runner, patient)] == ["3000"] * 2
    assert runs(tmp_path) == 1


SUBSHELL = textwrap.dedent(
    """
    import time
    from pathlib import Path
    import ipycheckpoint as ck
    @ck.checkpoint
    def slow(number):
        with Path("ran").open("a") as file:
            file.write("x")
        time.sleep(1.5)
        return number + 1
    """
)


def test_a_subshell_waits_for_the_run_of_its_kernel_and_restores(tmp_path: Path) -> None:
    pytest.importorskip("ipykernel.subshell")
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    manager.start_kernel(cwd=str(tmp_path), env=environ, extra_arguments=["--HistoryManager.enabled=False"])
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        assert client.execute(SUBSHELL, reply=True, timeout=60)["content"]["status"] == "ok"
        client.control_channel.send(client.session.msg("create_subshell_request"))
        subshell = client.get_control_msg(timeout=30)["content"]["subshell_id"]

        def ask(code: str, subshell_id: str | None) -> str:
            message = client.session.msg("execute_request", {
                "code": code, "silent": False, "store_history": False, "allow_stdin": False, "stop_on_error": True,
                "user_expressions": {"value": "repr(value)"},
            })  # fmt: skip
            message["header"]["subshell_id"] = subshell_id
            client.shell_channel.send(message)
            return message["header"]["msg_id"]

        # The value is read where it was bound: both cells bind the same one.
        asked = {ask("value = slow(1)", None), ask("import time; time.sleep(0.5); value = slow(1)", subshell)}
        replies = [client.get_shell_msg(timeout=60) for _ in asked]
        assert {reply["parent_header"]["msg_id"] for reply in replies} == asked
        assert [reply["content"]["user_expressions"]["value"]["data"]["text/plain"] for reply in replies] == ["'2'"] * 2
        assert (tmp_path / "ran").read_text() == "x"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_thread_of_another_context_waits_and_a_task_of_the_own_context_goes_on(tmp_path: Path) -> None:
    @ck.checkpoint(store=str(tmp_path / "cache"))
    def fact(number: int) -> int:
        return 1 if number < 2 else number * fact(number - 1)

    with workspace.using(workspace.Workspace({})):

        async def main() -> list[int]:
            return await asyncio.gather(*(asyncio.to_thread(fact, 6) for _ in range(6)))

        assert asyncio.run(main()) == [720] * 6
