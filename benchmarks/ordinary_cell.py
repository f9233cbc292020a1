"""What an ordinary cell pays for the extension: the same cells with and without it, in turn, in one shell.

``python benchmarks/ordinary_cell.py`` prints a median for each kind of cell, and their ratio.
"""

from __future__ import annotations

import gc
import platform
import statistics
import sys
import tempfile
import time
from importlib.metadata import version

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

ROUNDS = 40
CELLS_A_ROUND = 20

CELLS = {
    "assignment": "x = 1",
    "definition": "def f(a):\n    return a + 1",
    "200 statements": "\n".join(f"v{i} = {i}" for i in range(200)),
    "1,000 prints": "for i in range(1000): print(end='')",
    "50 files": "for i in range(50): open(__file__).close()",
    "10 ms of work": "import time; time.sleep(0.01)",
}


def main() -> None:
    config = Config()
    config.HistoryManager.enabled = False
    with tempfile.TemporaryDirectory() as directory:
        shell = InteractiveShell.instance(config=config, ipython_dir=directory)
        shell.user_ns["__file__"] = __file__
        # One checkpoint, so that all that is ever imported and hooked is: what stays of it is paid by every cell.
        shell.run_cell("import os\nos.environ['IPYCHECKPOINT_DIR'] = " + repr(directory))
        shell.run_line_magic("load_ext", "ipycheckpoint")
        shell.run_cell("%%checkpoint --quiet\nx = open(__file__).read()")
        shell.run_line_magic("unload_ext", "ipycheckpoint")
        names = ("ipycheckpoint", "ipython")
        print(f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in names)}")
        print(f"{'a cell':<16}{'without':>12}{'with':>12}{'more':>12}{'ratio':>8}")
        for name, source in CELLS.items():
            without, with_it = measured(shell, source)
            more = with_it - without
            columns = f"{1e6 * without:>9.1f} µs{1e6 * with_it:>9.1f} µs{1e6 * more:>9.1f} µs{with_it / without:>8.3f}"
            print(f"{name:<16}{columns}")
        shell.history_manager.end_session()


def measured(shell: InteractiveShell, source: str) -> tuple[float, float]:
    """Median seconds of a cell without and with the extension, in rounds that take turns."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for number in range(2 * ROUNDS):
        loaded = number % 2 == 1
        if loaded:
            shell.run_line_magic("load_ext", "ipycheckpoint")
        gc.collect()
        for _ in range(CELLS_A_ROUND):
            began = time.perf_counter()
            shell.run_cell(source)
            seconds[loaded].append(time.perf_counter() - began)
        if loaded:
            shell.run_line_magic("unload_ext", "ipycheckpoint")
    return statistics.median(seconds[False]), statistics.median(seconds[True])


if __name__ == "__main__":
    sys.exit(main())
