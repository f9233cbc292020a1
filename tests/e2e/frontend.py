"""A notebook in a real browser: a server with private settings, Debian's Chromium, and the kernel behind the page.

- Nothing may leave the test's own server: each request that would is refused, and remembered.
- Cells are run when the kernel is idle: before, JupyterLab takes the command and never does it.
- A server ends with the process that started it, even with one that is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_client import BlockingKernelClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
_LOCAL = re.compile(r"^(data|blob|about):")

_MODULES = {"lab": "jupyterlab", "notebook": "notebook"}
_APPLICATIONS = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}
_PATHS = {"lab": "lab/tree", "notebook": "notebooks"}
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

_SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # cells out of sight stay in the page
}  # fmt: skip


class Server:
    """One ``jupyter lab`` or ``jupyter notebook``."""

    def __init__(self, app: str, home: Path) -> None:
        self.app = app
        self.root = home / "root"
        self.token = secrets.token_hex(16)
        self._home = home
        self._log = home / "server.log"
        self.root.mkdir(parents=True)
        for name, value in _SETTINGS.items():
            self.set(name, value)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._process = self._start(port)
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def set(self, name: str, value: dict[str, Any]) -> None:
        """Write the settings of one plugin, which the next page that is opened has."""
        file = self._home / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        places = {
            "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython",
        }  # fmt: skip
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [
                    sys.executable, "-m", _MODULES[self.app], "--no-browser", "--allow-root",
                    "--ServerApp.ip=127.0.0.1",
                    f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.root}",
                    f"--IdentityProvider.token={self.token}", f"--{_APPLICATIONS[self.app]}.expose_app_in_browser=True",
                ],
                env={**os.environ, "PYTHONPATH": path, **{name: str(self._home / at) for name, at in places.items()}},
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )  # fmt: skip

    def _wait(self) -> None:
        for _ in range(600):
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                self.get("/api/status")
                return
            time.sleep(0.1)
        raise RuntimeError(self._log.read_text()[-3000:])

    def get(self, path: str) -> Any:
        """What the server answers, as JSON."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def kernel_of(self, name: str) -> BlockingKernelClient:
        """A client of our own on the kernel of the notebook `name`."""
        file = self._home / "runtime" / f"kernel-{self._session_of(name)['kernel']['id']}.json"
        client = BlockingKernelClient(connection_file=str(file))
        client.load_connection_file()
        client.start_channels()
        client.wait_for_ready(30)
        return client

    def end_kernel_of(self, name: str) -> None:
        """Shut the kernel of the notebook `name` down."""
        path = f"/api/sessions/{self._session_of(name)['id']}"
        headers = {"Authorization": f"token {self.token}"}
        with urllib.request.urlopen(
            urllib.request.Request(self.url + path, headers=headers, method="DELETE"), timeout=30
        ):
            pass

    def _session_of(self, name: str) -> Any:
        [session] = [each for each in self.get("/api/sessions") if each["path"] == name]
        return session

    def close(self) -> None:
        """End the server, and its kernels with it."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Notebook:
    """A notebook that is open in a page."""

    def __init__(self, server: Server, page: Page, name: str) -> None:
        self.server, self.page, self.name = server, page, name
        self.outside: list[str] = []
        """Requests that wanted to leave the server."""
        self.errors: list[str] = []
        page.route(lambda url: not url.startswith(server.url) and not _LOCAL.match(url), self._refuse)
        page.on("pageerror", lambda error: self.errors.append(error.stack or str(error)))
        self._kernel: BlockingKernelClient | None = None

    def _refuse(self, route: Any) -> None:
        self.outside.append(route.request.url)
        route.abort()

    def open(self) -> None:
        """Open it, and wait until it stands."""
        query = f"token={self.server.token}" + ("&reset" if self.server.app == "lab" else "")
        self.page.goto(
            f"{self.server.url}/{_PATHS[self.server.app]}/{self.name}?{query}", wait_until="domcontentloaded"
        )
        self.page.wait_for_function("window.jupyterapp?.commands?.hasCommand('notebook:run-all-cells')", timeout=60_000)
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
        self.errors.clear()  # what went wrong before any cell of ours ran is the application's own

    def wait_until_idle(self) -> None:
        """Wait for the kernel."""
        status = "window.jupyterapp.shell.currentWidget?.sessionContext?.kernelDisplayStatus"
        self.page.wait_for_function(f"{status} === 'idle'", timeout=60_000)

    def command(self, name: str) -> Any:
        """Execute a command of the application, and wait for it; a hang doesn't hang the test."""
        patience = "new Promise(resolve => setTimeout(resolve, 60000, 'timeout'))"
        done = self.page.evaluate(f"Promise.race([window.jupyterapp.commands.execute('{name}'), {patience}])")
        assert done != "timeout", name
        return done

    def run_all(self) -> None:
        """Run all cells."""
        self.wait_until_idle()
        assert self.command("notebook:run-all-cells") is not False

    def run(self, number: int) -> None:
        """Run the cell with this number, and wait for its end."""
        self._select(number)
        assert self.command("notebook:run-cell") is not False, self.cells().nth(number).inner_text()

    def begin(self, number: int) -> None:
        """Begin to run the cell with this number."""
        self._select(number)
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")

    def _select(self, number: int) -> None:
        self.page.evaluate(
            """number => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                notebook.deselectAll();
                notebook.activeCellIndex = number;
            }""",
            number,
        )

    def write(self, number: int, text: str) -> None:
        """Put `text` into the cell with this number."""
        self.page.evaluate(
            """([number, text]) =>
                window.jupyterapp.shell.currentWidget.content.widgets[number].model.sharedModel.setSource(text)""",
            [number, text],
        )

    def wear(self, theme: str) -> None:
        """Change the theme: ``light`` or ``dark``."""
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", THEMES[theme]
        )
        self.page.wait_for_function(f"document.body.dataset.jpThemeName === '{THEMES[theme]}'")

    def restart(self) -> None:
        """Restart the kernel, and wait for the new one."""
        self.close()
        self._kernel = None
        self.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        self.wait_until_idle()

    def cells(self) -> Locator:
        """All code cells."""
        return self.page.locator(".jp-Notebook .jp-CodeCell")

    @property
    def kernel(self) -> BlockingKernelClient:
        """A client of our own on its kernel."""
        if self._kernel is None:
            self._kernel = self.server.kernel_of(self.name)
        return self._kernel

    def execute(self, code: str) -> None:
        """Run `code` in its kernel, without a cell."""
        reply = self.kernel.execute(code, silent=True, store_history=False, reply=True, timeout=60)
        assert reply["content"]["status"] == "ok", reply["content"]

    def ask(self, expression: str) -> str:
        """The `repr` of `expression` in its kernel."""
        reply = self.kernel.execute("", silent=True, user_expressions={"x": expression}, reply=True, timeout=30)
        answer = reply["content"]["user_expressions"]["x"]
        assert answer["status"] == "ok", answer
        return str(answer["data"]["text/plain"])

    def close(self) -> None:
        """Let go of the kernel."""
        if self._kernel is not None:
            self._kernel.stop_channels()


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook with these code cells for the kernel that runs the tests."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=CHROMIUM_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
