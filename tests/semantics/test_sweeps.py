"""Long maps that are interrupted, killed, or lose their workers, and go on where they stopped.

A few hundred items in `make test`; 10,000, and 2,000 on Dask, in `make sweep`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.semantics.mapped import FUNCTION, runs
from tests.semantics.scenes import Program

SWEEP = bool(os.environ.get("SWEEP"))
ITEMS = 10_000 if SWEEP else 200
ITEMS_ON_DASK = 2_000 if SWEEP else 120
WORKERS = 2
WORKERS_ON_DASK = 4

SECONDS = 3000 if SWEEP else 200

pytestmark = pytest.mark.timeout(2 * SECONDS)


def sweep(items: int) -> str:
    """The script that maps over so many items, with the executor that its argument names."""
    return (
        FUNCTION
        + f"""
if __name__ == "__main__":
    os.setpgrp()
    with pool(sys.argv[1]) as executor:
        try:
            found = f.map((number for number in range({items})), executor, progress=False)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            os._exit(1)  # a pool whose workers were interrupted, too, may wait for them for ever
    print(found == [3 * number for number in range({items})])
"""
    )


def printed(process: subprocess.Popen[str]) -> list[str]:
    """What it has printed, at its end."""
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, out + err
    return out.splitlines()


def wait_for(program: Program, number: int, process: subprocess.Popen[str]) -> None:
    """Until so many items have run."""
    while len(runs(program)) < number:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def ctrl_c(process: subprocess.Popen[str]) -> None:
    """As at a terminal: workers are interrupted, too."""
    os.killpg(process.pid, signal.SIGINT)


def interrupt(process: subprocess.Popen[str]) -> None:
    """As from a notebook: the kernel alone is interrupted."""
    process.send_signal(signal.SIGINT)


def kill(process: subprocess.Popen[str]) -> None:
    """Its workers end what they have begun, until they are killed as well."""
    process.send_signal(signal.SIGKILL)
    time.sleep(0.5)


ALL = [(kind, stop) for kind in ("threads", "spawn", "loky") for stop in (ctrl_c, interrupt, kill)]
SOME = [("threads", interrupt), ("threads", kill), ("spawn", ctrl_c), ("spawn", kill), ("loky", interrupt)]


@pytest.mark.parametrize(("kind", "stop"), ALL if SWEEP else SOME)
def test_a_sweep_that_was_stopped_goes_on_where_it_stopped(
    program: Program, kind: str, stop: Callable[[subprocess.Popen[str]], None]
) -> None:
    if kind == "loky":
        pytest.importorskip("loky")
    program.write(sweep(ITEMS))
    process = program.start(kind, NAP="0.003")
    wait_for(program, ITEMS // 4, process)
    stop(process)
    process.wait(SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    out, _ = process.communicate(timeout=SECONDS)
    assert out.splitlines() == ([] if stop is kill else ["interrupted"])
    before = len(runs(program))
    assert ITEMS // 4 <= before < ITEMS
    assert printed(program.start(kind)) == ["True"]
    seen = runs(program)
    assert set(seen) == set(range(ITEMS))
    # Only what a worker was at when it was interrupted, and then when it was killed, may run again.
    assert len(seen) <= ITEMS + 2 * WORKERS


CLUSTER = """
import os, time
from distributed import Client, LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=4, threads_per_worker=1, protocol="tcp://", dashboard_address=None) as cluster:
        with Client(cluster) as client:
            print(cluster.scheduler_address, *client.run(os.getpid).values(), flush=True)
        while not os.path.exists("end"):
            time.sleep(0.1)
"""

ON_DASK = """
if __name__ == "__main__":
    from distributed import Client
    with Client(sys.argv[1]) as client:
        found = f.map(range({items}), client.get_executor(), progress=False)
    print(found == [3 * number for number in range({items})])
"""


class Cluster:
    """Dask's scheduler and four workers, in processes of their own that outlive a client; they talk over TCP."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        program = Program(directory)
        program.write(CLUSTER)
        self.process = program.start(NAP="0.01")
        assert self.process.stdout is not None
        self.address, *pids = self.process.stdout.readline().split()
        self.pids = [int(pid) for pid in pids]

    def close(self) -> None:
        (self.directory / "end").touch()
        self.process.communicate(timeout=60)


@pytest.fixture
def cluster(program: Program) -> Iterator[Cluster]:
    pytest.importorskip("distributed")
    made = Cluster(program.directory)
    yield made
    made.close()


def test_a_sweep_on_dask_whose_client_is_killed_runs_nothing_twice(program: Program, cluster: Cluster) -> None:
    """The workers live on, and end what they have begun."""
    program.write(FUNCTION + ON_DASK.format(items=ITEMS_ON_DASK))
    process = program.start(cluster.address)
    wait_for(program, ITEMS_ON_DASK // 4, process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert ITEMS_ON_DASK // 4 <= len(runs(program)) < ITEMS_ON_DASK
    assert printed(program.start(cluster.address)) == ["True"]
    assert runs(program) == list(range(ITEMS_ON_DASK))


def test_a_dask_worker_that_is_killed_costs_no_item_and_what_it_had_done_is_kept(
    program: Program, cluster: Cluster
) -> None:
    program.write(FUNCTION + ON_DASK.format(items=ITEMS_ON_DASK))
    process = program.start(cluster.address)
    wait_for(program, ITEMS_ON_DASK // 4, process)
    os.kill(cluster.pids[0], signal.SIGKILL)
    assert printed(process) == ["True"]
    seen = runs(program)
    assert set(seen) == set(range(ITEMS_ON_DASK))
    assert len(seen) <= ITEMS_ON_DASK + 1


def test_a_dask_worker_that_lacks_a_package_fails_its_items_by_name_and_costs_no_other(
    program: Program, cluster: Cluster
) -> None:
    program.write("def scaled(x):\n    return 3 * x", "library")
    mapped = f"f.map(range({ITEMS_ON_DASK}), client, progress=False"
    text = (
        FUNCTION.replace("def scaled(x):\n    return x * SCALE", "from library import scaled")
        + f"""
def hide():
    sys.modules["library"] = None
def show():
    del sys.modules["library"]
if __name__ == "__main__":
    from distributed import Client
    with Client(sys.argv[1]) as client:
        poor = list(client.scheduler_info()["workers"])[:1]
        client.run(hide, workers=poor)
        found = {mapped}, on_error="collect")
        failed = [error for error in found if isinstance(error, Exception)]
        kept = [number for number in range({ITEMS_ON_DASK}) if f.is_cached(number)]
        print(bool(failed), {{str(error) for error in failed}})
        print("can't load what it was sent" in failed[0].__notes__[0])
        print(bool(kept), kept == [n for n, value in enumerate(found) if value == 3 * n])
        client.run(show, workers=poor)
        print({mapped}) == [3 * n for n in range({ITEMS_ON_DASK})])
"""
    )
    program.write(text)
    assert printed(program.start(cluster.address)) == [
        "True {'import of library halted; None in sys.modules'}",
        "True",
        "True True",
        "True",
    ]
    assert runs(program) == list(range(ITEMS_ON_DASK))
