"""Notebooks in real kernels: each run in a fresh one, with another hash seed, beside one cache."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.output_widget import OutputWidget

if TYPE_CHECKING:
    from types import TracebackType

OUTCOME = "application/vnd.ipycheckpoint.outcome+json"
ROOT = Path(__file__).resolve().parents[2]

_MOST_SECONDS = 20

_seeds = itertools.count(1)


def run(directory: Path, *cells: str, loaded: bool = True, environ: dict[str, str] | None = None) -> list[Any]:
    """The executed code cells; errors are among their outputs."""
    sources = ["%load_ext ipycheckpoint"] * loaded + list(cells)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(
        notebook,
        timeout=120,
        allow_errors=True,
        resources={"metadata": {"path": str(directory)}},
        extra_arguments=["--log-level=ERROR", "--HistoryManager.enabled=False"],
    )
    client.widget_registry["@jupyter-widgets/output"]["OutputModel"] = _SilentOutput
    client.execute(env=_environ() | (environ or {}))
    return notebook.cells[loaded:]


class _SilentOutput(OutputWidget):
    """Keeps from the kernel what went into the widget.

    nbclient would send it past asyncio, on the very socket where it waits for the cell's reply, and then sleep through
    that reply whenever the machine is busy (pyzmq tells of new messages once).
    """

    def send(self, *args: Any, **kwargs: Any) -> None:
        pass


def _environ() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environ = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(next(_seeds))}
    # A kernel that sees it leaves the descriptors of stdout and stderr alone, as no user's kernel does.
    environ.pop("PYTEST_CURRENT_TEST", None)
    return environ


class Kernel:
    """A kernel that stays, with the extension loaded: it can be interrupted and killed, and several can run at once."""

    def __init__(self, directory: Path, *setup: str) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(
            cwd=str(directory), env=_environ(), extra_arguments=["--log-level=ERROR", "--HistoryManager.enabled=False"]
        )
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._setup = ("%load_ext ipycheckpoint", *setup)

    def __enter__(self) -> Kernel:
        self._client.wait_for_ready(timeout=_MOST_SECONDS)
        for cell in self._setup:
            assert not self.run(cell).errors
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def run(self, cell: str) -> Ran:
        return self.wait(self.send(cell))

    def send(self, cell: str) -> str:
        """Let a cell run without waiting for it; what `wait` needs to wait for it."""
        return self._client.execute(cell)

    def wait(self, request: str) -> Ran:
        """What came of a cell that was sent. Cells are waited for in the order in which they were sent."""
        outputs: list[Any] = []
        deadline = time.monotonic() + _MOST_SECONDS
        while True:
            message = self._client.get_iopub_msg(timeout=deadline - time.monotonic())
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] in ("stream", "display_data", "execute_result", "error"):
                outputs.append(nbformat.v4.output_from_msg(message))
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return Ran(outputs)

    def expect(self, request: str, text: str) -> None:
        """Wait until a cell that was sent has said `text`, which `wait` then leaves out."""
        deadline = time.monotonic() + _MOST_SECONDS
        said = ""
        while text not in said:
            message = self._client.get_iopub_msg(timeout=deadline - time.monotonic())
            if message["parent_header"].get("msg_id") == request and message["msg_type"] == "stream":
                said += message["content"]["text"]

    def value(self, expression: str) -> str:
        """What `expression` is, as text."""
        return next(output.data["text/plain"] for output in self.run(expression).outputs if "data" in output)

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def kill(self) -> None:
        """As ``kill -9`` does."""
        self._manager.shutdown_kernel(now=True)


class Ran(NamedTuple):
    """One cell that a `Kernel` ran."""

    outputs: list[Any]

    @property
    def errors(self) -> list[str]:
        return [output.ename for output in self.outputs if output.output_type == "error"]


def appears(path: Path) -> None:
    """Wait for a file."""
    deadline = time.monotonic() + _MOST_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never appeared"
        time.sleep(0.01)


def outcome(cell: Any) -> str | None:
    """What our line says under a cell."""
    abouts = [output.data[OUTCOME] for output in cell.outputs if OUTCOME in output.get("data", {})]
    return abouts[-1]["outcome"] if abouts else None


def seen(cell: Any) -> list[Any]:
    """What the user sees, without our line: texts in one piece, the rest as it was published."""
    shown: list[Any] = []
    for output in cell.outputs:
        if OUTCOME in output.get("data", {}):
            continue
        if output.output_type == "stream":
            if shown and shown[-1][0] == output.name:
                shown[-1][1] += output.text
            else:
                shown.append([output.name, output.text])
        elif output.output_type == "error":
            shown.append(["error", output.ename, output.traceback])
        else:
            shown.append([output.output_type, dict(output.data), dict(output.metadata)])
    return shown
