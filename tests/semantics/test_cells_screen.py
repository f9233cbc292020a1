"""All that the user saw of a cell is seen again on a hit: in a shell, in a kernel with its widgets, and in a terminal."""

# ruff: noqa: E501 - cells are long lines

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.semantics.shells import ROOT, Bench

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = "%%checkpoint\n"

# In any shell

CELLS = {
    "lines at once": "import sys\nsys.stdout.writelines(['a\\n', 'b\\n']); print('e', file=sys.stderr)",
    "a thread": "import threading\nt = threading.Thread(target=print, args=('there',)); t.start(); t.join(); del t",
    "streams that the cell redirects": "import contextlib, io, sys\nwith contextlib.redirect_stdout(io.StringIO()): print('hidden')\nwith contextlib.redirect_stdout(sys.stderr): print('err')",
    "values in the middle": "get_ipython().ast_node_interactivity = 'all'\n_ = get_ipython().run_cell('1 + 1\\n2 + 2\\nprint(3)\\n4 + 4')\nget_ipython().ast_node_interactivity = 'last_expr'\ndel _",
    "a cell inside": "inner = get_ipython().run_cell('1 + 1').result\nprint('between')\ninner + 1",
    "a traceback that ended nothing": "try: 1 / 0\nexcept Exception: get_ipython().showtraceback()\nprint('on')",
    "a repr that prints": "class Chatty:\n    def __repr__(self):\n        print('said')\n        return 'chatty'\ndisplay(Chatty())\nc = Chatty()\nc",
    "an object that displays itself": "class Shown:\n    def _ipython_display_(self): display('shown'); print('and printed')\nShown()",
    "a display that is cleared": "from IPython.display import clear_output\nprint('old'); clear_output(); display('new')",
    "an update of a display": "h = display('1', display_id='here')\nh.update('2')\nh.update('3')\ndel h",
}


@pytest.fixture(scope="module")
def in_a_shell(shells: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Any]:
    bench = Bench(shells, tmp_path_factory.mktemp("screen"))
    return bench.twice(*(MAGIC + cell for cell in CELLS.values()))


@pytest.mark.parametrize("claim", CELLS)
def test_what_was_seen_in_a_shell_is_seen_again(in_a_shell: tuple[Any, Any, Any], claim: str) -> None:
    place = list(CELLS).index(claim)
    plain, cold, warm = (run.cells[place] for run in in_a_shell)
    assert (cold.outcome, warm.outcome) == ("computed", "restored")
    assert [output[0] for output in cold.outputs] == [output[0] for output in plain.outputs]
    assert warm.outputs == _final(cold.outputs)


def _final(outputs: list[Any]) -> list[Any]:
    """Without what was cleared or updated."""
    final: list[Any] = []
    for output in outputs:
        if output[0] == "clear":
            final = [output]
        elif output[0] == "display" and output[3]:
            final[0] = ["display", output[1], output[2], False]
        else:
            final.append(output)
    return final


def test_an_update_of_a_display_of_an_earlier_cell_is_made_again(bench: Bench) -> None:
    cells = (
        "h = display('1', display_id='here')",
        MAGIC + "from IPython.display import update_display\nupdate_display('2', display_id='here')",
    )
    _, cold, warm = bench.twice(*cells)
    assert warm.outcomes == ["restored"]
    assert (
        warm.cells[1].outputs
        == cold.cells[1].outputs
        == [["display", {"text/plain": "'2'"}, {"display_id": "here"}, True]]
    )


def test_a_display_handle_that_is_kept_updates_what_is_shown_again(bench: Bench) -> None:
    cells = (MAGIC + "h = display('1', display_id='here')", "h.update('2')")
    _, cold, warm = bench.twice(*cells)
    assert warm.outcomes == ["restored"]
    assert warm.outputs == cold.outputs


def test_a_handler_that_holds_the_stream_is_heard(bench: Bench) -> None:
    before = "import logging, sys\nlog = logging.getLogger('x'); log.addHandler(logging.StreamHandler(sys.stderr))"
    _, cold, warm = bench.twice(before, MAGIC + "import logging\nlogging.getLogger('x').warning('heard')")
    assert warm.outcomes == ["restored"]
    assert warm.outputs == cold.outputs
    assert cold.cells[1].text == "heard\n"


@pytest.mark.parametrize("again", ["%%capture seen\n", ""], ids=["captured again", "seen"])
def test_a_cell_that_was_captured_is_seen_when_it_is_not(bench: Bench, again: str) -> None:
    cell = MAGIC + "print('p'); display('d')\nx = 1"
    assert bench.run("%%capture seen\n" + cell).outcomes == ["computed"]
    run = bench.run(again + cell, "print(seen.stdout, [output.data for output in seen.outputs])" if again else "None")
    assert run.outcomes == ["restored"]
    seen = run.cells[1].text if again else str(run.cells[0].outputs)
    assert "p" in seen
    assert "'d'" in seen


def test_the_times_of_a_magic_above_are_not_the_cells(bench: Bench) -> None:
    _, _, warm = bench.twice("%%time\n%%checkpoint\nprint('p')\nx = 1")
    assert warm.outcomes == ["restored"]
    assert warm.cells[0].text.count("Wall time") == 1


def test_of_very_much_the_rest_is_named_under_the_cell(bench: Bench) -> None:
    _, cold, warm = bench.twice(MAGIC + "print('\\n'.join(f'line {n}' for n in range(200_000)))")
    assert warm.outcomes == ["restored"]
    text = warm.cells[0].text
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 199998\nline 199999\n")
    assert re.search(r"\n… [\d,]+ lines \([\d.]+ MB\) not kept …\n", text)
    assert cold.cells[0].text.count("\n") == 200_000


# In a kernel

KERNEL_CELLS = {
    "a bar": (
        "from tqdm.notebook import tqdm\nfor i in tqdm(range(50), desc='d'): pass",
        r"d: 100%\|██████████\| 50/50 \[.*\]",
    ),
    "a bar that goes away": (
        "from tqdm.notebook import tqdm\nfor i in tqdm(range(5), leave=False): pass\nprint('done')",
        r"done\n",
    ),
    "bars in each other": (
        "from tqdm.notebook import tqdm\nfor i in tqdm(range(2)):\n    for j in tqdm(range(3)): pass",
        r"100%\|█+\| 2/2 \[.*\]100%\|█+\| 3/3 \[.*\]100%\|█+\| 3/3 \[.*\]",
    ),
    "a slider": (
        "import ipywidgets as w\ndisplay(w.IntSlider(value=7, description='n'))",
        r"n: 7 \(was a live widget\)",
    ),
    "a widget as the last value": (
        "import ipywidgets as w\nw.VBox([w.Button(description='go'), w.Label('l')])",
        r"\[go\]\nl \(was a live widget\)",
    ),
    "what goes into an Output": (
        "import ipywidgets as w\nout = w.Output()\ndisplay(out)\nwith out: print('inside'); display('d')\nprint('outside')\ndel out",
        r"inside\n'd'outside\n",
    ),
    "an Output that is cleared": (
        "import ipywidgets as w\nout = w.Output()\ndisplay(out)\nwith out: print('old')\nout.clear_output(wait=True)\nwith out: print('new')\nprint('outside')\ndel out",
        r"newoutside\n",
    ),
    "an error inside an Output": (
        "import ipywidgets as w\nout = w.Output()\ndisplay(out)\nwith out: 1 / 0\nprint('on')\ndel out",
        r"-+\nZeroDivisionError(.|\n)*division by zeroon\n",
    ),
    "a bar in an Output": (
        "import ipywidgets as w\nfrom tqdm.notebook import tqdm\nout = w.Output()\ndisplay(out)\nwith out:\n    for i in tqdm(range(4)): pass\ndel out",
        r"100%\|█+\| 4/4 \[.*\]",
    ),
    "what interacts": (
        "from ipywidgets import interact\ninteract(lambda x: print('x is', x), x=5);",
        r"x: 5\nx is 5 \(was a live widget\)",
    ),
    "an output that waits to be cleared": (
        "from IPython.display import clear_output\nprint('last'); clear_output(wait=True)",
        r"last\n",
    ),
    "bars of text": (
        "from tqdm import tqdm\nfor i in tqdm(range(2), 'outer', bar_format='{desc} {n_fmt}'):\n    for j in tqdm(range(3), 'inner', bar_format='{desc} {n_fmt}', leave=False): pass",
        r"outer 2\n",
    ),
    "frames": (
        "from IPython.display import clear_output\nfor i in range(3):\n    clear_output(wait=True); print(i)",
        r"2\n",
    ),
    "a shell command": ("!echo out; echo err >&2", r"out\r\nerr\r\n"),
    "a process": ("import subprocess\nsubprocess.run(['echo', 'sub'])\nNone", r"sub\n"),
    "the system": ("import os\nfor i in range(3): os.system(f'echo {i}')\nNone", r"0\n1\n2\n"),
    "what goes past Python at last": ("import os\n_n = os.write(1, b'raw')", r"raw"),
    "a script": ("get_ipython().run_cell_magic('bash', '', 'echo script')", r"script\n"),
    "what is no text": ("import sys\ntry: sys.stdout.write(b'x')\nexcept TypeError: print('refused')", r"refused\n"),
    "a value in the middle": ("r = get_ipython().run_cell('1 + 1')\nprint('after')\ndel r", r"2after\n"),
}


class Kernels(NamedTuple):
    plain: list[list[Any]]
    """Runs without the magic: a busy kernel may hear only in the next cell what has gone past Python in this one."""
    cold: list[Any]
    warm: list[Any]


@pytest.fixture(scope="module")
def in_a_kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    pytest.importorskip("ipykernel")
    pytest.importorskip("tqdm")
    from tests.notebooks.kernels import run

    directory = tmp_path_factory.mktemp("kernel")
    cells = [cell for cell, _ in KERNEL_CELLS.values()]
    marked = [MAGIC + cell for cell in cells]
    kernels = Kernels([], run(directory, *marked), run(directory, *marked))
    while len(kernels.plain) < 5 and not all(is_as_plain(kernels, place) for place in range(len(cells))):
        kernels.plain.append(run(directory, *cells, loaded=False))
    return kernels


def is_as_plain(kernels: Kernels, place: int) -> bool:
    """While a cell runs, nothing is different."""
    from tests.notebooks.kernels import seen

    plain = [[part[0] for part in seen(run[place])] for run in kernels.plain]
    return [part[0] for part in seen(kernels.cold[place])] in plain


@pytest.mark.kernel
@pytest.mark.parametrize("claim", KERNEL_CELLS)
def test_what_was_seen_in_a_kernel_is_seen_again_without_it(in_a_kernel: Kernels, claim: str) -> None:
    from tests.notebooks.kernels import outcome, seen

    place = list(KERNEL_CELLS).index(claim)
    cold, warm = in_a_kernel.cold[place], in_a_kernel.warm[place]
    assert (outcome(cold), outcome(warm)) == ("computed", "restored")
    assert is_as_plain(in_a_kernel, place)
    text = "".join(part[1] if isinstance(part[1], str) else part[1]["text/plain"] for part in seen(warm))
    assert re.fullmatch(KERNEL_CELLS[claim][1], text)
    assert "widget-view" not in str(seen(warm))


@pytest.mark.kernel
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_what_a_kernel_cannot_hear_is_named_under_the_cell(tmp_path: Path) -> None:
    pytest.importorskip("ipykernel")
    from tests.notebooks.kernels import OUTCOME, run

    fork = "import os\npid = os.fork()\nif pid == 0:\n    print('child', flush=True); os._exit(0)\nos.waitpid(pid, 0)\ndel pid"
    elsewhere = "with out: print('inside')"
    cells = run(
        tmp_path, MAGIC + fork, "import ipywidgets as w\nout = w.Output()", "%%checkpoint --exclude out\n" + elsewhere
    )
    lines = [o.data["text/plain"] for cell in cells for o in cell.outputs if OUTCOME in o.get("data", {})]
    assert "what its child processes printed is not kept" in lines[0]
    assert "not kept" in lines[1]


# In a terminal

TERMINAL_CELLS = {
    "a command": ("!echo hi; echo err >&2; test -t 1 && echo tty", "hi\nerr\ntty\n"),
    "processes that print nothing": (
        "import multiprocessing as m, os\np = m.get_context('fork').Process(target=os.getpid)\np.start(); p.join(); del p, m\nprint('done')",
        "done\n",
    ),
    "a command in the background": ("!(sleep 0.2) &\nprint('on')", "on\n"),
    "a display and a value": ("display('d'); print('p')\n6 * 7", "'d'\np\nOut[N]: 42\n"),
    "values in the middle": ("r = get_ipython().run_cell('1 + 1')\nprint('x')\ndel r\n3", "Out[N]: 2\nx\nOut[N]: 3\n"),
    "a script": ("get_ipython().run_cell_magic('bash', '', 'echo b')", "b\n"),
    "an Output": (
        "import ipywidgets as w\no = w.Output()\nwith o: print('in the terminal')\ndel o",
        "in the terminal\n",
    ),
    "a traceback": ("try: 1 / 0\nexcept Exception: get_ipython().showtraceback()\nprint('on')", None),
}

SESSION = """
import sys
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from traitlets.config import Config

config = Config()
config.HistoryManager.enabled = False
config.TerminalInteractiveShell.simple_prompt = True
config.InteractiveShell.colors = "NoColor"
shell = TerminalInteractiveShell.instance(config=config)
shell.run_line_magic("load_ext", "ipycheckpoint")
for source in {cells!r}:
    print("<<", flush=True)
    shell.run_cell(source, store_history=True)
    print(">>", flush=True)
"""


class Terminal:
    """Runs cells in IPython in a terminal."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def run(self, *cells: str) -> list[str]:
        """What was seen of each."""
        pexpect = pytest.importorskip("pexpect")
        script = self._directory / "session.py"
        script.write_text(SESSION.format(cells=[MAGIC + cell for cell in cells]))
        environ = {**os.environ, "IPYCHECKPOINT_DIR": str(self._directory / "cache"), "TERM": "xterm"}
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        shown = pexpect.run(f"{sys.executable} {script}", env=environ, cwd=str(self._directory), timeout=100)
        assert isinstance(shown, bytes)
        return re.findall(r"<<\n(.*?)>>\n", shown.decode().replace("\r\n", "\n"), re.DOTALL)


@pytest.fixture(scope="module")
def in_a_terminal(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    terminal = Terminal(tmp_path_factory.mktemp("terminal"))
    cells = [cell for cell, _ in TERMINAL_CELLS.values()]
    return terminal.run(*cells), terminal.run(*cells)


@pytest.mark.skipif(os.name != "posix", reason="there is no terminal")
@pytest.mark.parametrize("claim", TERMINAL_CELLS)
def test_what_was_seen_in_a_terminal_is_seen_again(in_a_terminal: tuple[list[str], list[str]], claim: str) -> None:
    place = list(TERMINAL_CELLS).index(claim)
    cold, warm = (re.sub(r"Out\[\d+\]", "Out[N]", run[place]) for run in in_a_terminal)
    before, computed = cold.rsplit("● computed", 1)
    again, restored = warm.rsplit("✓ restored", 1)
    assert again == before
    assert "not kept" not in computed + restored
    assert TERMINAL_CELLS[claim][1] in (None, before)


@pytest.mark.skipif(os.name != "posix", reason="there is no terminal")
@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("import subprocess\nsubprocess.run(['echo', 'sub'])\nNone", "the command echo"),
        ("import os\nos.system('echo sub')\nNone", "a command of os.system"),
    ],
    ids=["subprocess", "os.system"],
)
def test_what_a_process_writes_to_the_terminal_itself_is_named_under_the_cell(
    tmp_path: Path, cell: str, named: str
) -> None:
    (cold,), (warm,) = (Terminal(tmp_path).run(cell) for _ in range(2))
    assert cold.startswith("sub\n")
    assert f"what {named} wrote to the terminal is not kept" in cold
    assert warm.startswith("✓ restored")
    assert f"what {named} wrote to the terminal is not kept" in warm
