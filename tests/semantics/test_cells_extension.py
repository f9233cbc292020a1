"""The extension comes and goes without a trace, and an ordinary cell beside it runs as it would alone."""

# ruff: noqa: E501 - cells are long lines

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.semantics.shells import Bench

MAGIC = "%%checkpoint\n"

# All that an extension could leave behind: in the shell, in the interpreter, and in every module that is loaded.
SNAPSHOT = """
import atexit, builtins, copyreg, gc, logging, signal, sys, threading, types, warnings
def names_of(thing):
    # A bound method is another object each time that it is asked for.
    parts = [id(getattr(thing, "__func__", thing)), id(getattr(thing, "__self__", None))]
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', type(thing).__qualname__)} {parts}"
def patched():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("ipycheckpoint", "__main__") or not isinstance(module, types.ModuleType):
            continue
        for attribute, value in list(vars(module).items()):
            if callable(value) and not attribute.startswith("last_"):  # `sys.last_type`
                found[name, attribute] = names_of(value)
            if isinstance(value, type) and value.__module__ == name:
                for part, member in list(vars(value).items()):
                    if callable(member) or isinstance(member, (property, classmethod, staticmethod)):
                        found[name, attribute, part] = id(member)
    return found
def snapshot():
    s = get_ipython()
    audit = sys.modules.get("ipycheckpoint.engine.audit")
    return {
        "attributes": sorted(vars(s)),
        "events": {event: list(map(names_of, callbacks)) for event, callbacks in s.events.callbacks.items()},
        "input": [list(map(names_of, found)) for found in (
            s.input_transformers_cleanup, s.input_transformers_post, s.input_transformer_manager.cleanup_transforms,
            s.input_transformer_manager.line_transforms, s.input_transformer_manager.token_transformers)],
        "trees": list(map(names_of, s.ast_transformers)),
        "magics": {kind: sorted(found) for kind, found in s.magics_manager.magics.items()},
        "registry": sorted(s.magics_manager.registry),
        "configurables": list(map(names_of, s.configurables)),
        "hooks": {name: repr(hook) for name, hook in s.hooks.items()},
        "completers": {name: (sorted(found.strs), sorted(map(repr, found.regexs))) for name, found in s.strdispatchers.items()},
        "custom completers": repr(getattr(s.Completer, "custom_completers", None) and sorted(s.Completer.custom_completers.strs)),
        "custom exceptions": repr(s.custom_exceptions),
        "display": [sorted(n for n in vars(thing) if n != "_is_active") for thing in (s.display_pub, s.displayhook, s.display_formatter)],
        "formatters": {kind: sorted(map(str, [*f.type_printers, *f.deferred_printers, *f.singleton_printers])) for kind, f in s.display_formatter.formatters.items()},
        "namespace": sorted(n for n in s.user_ns if not n.startswith("_")),
        "hidden": sorted(n for n in s.user_ns_hidden if not n.startswith("_")),
        "builtins": sorted(vars(builtins)),
        "streams": [(names_of(f), sorted(getattr(f, "__dict__", ()))) for f in (sys.stdout, sys.stderr, sys.stdin)],
        "interpreter": [names_of(f) for f in (sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook, sys.gettrace(), sys.getprofile())],
        "imports": [list(map(names_of, found)) for found in (sys.meta_path, sys.path_hooks)],
        "path": list(sys.path),
        "signals": {number: repr(signal.getsignal(number)) for number in signal.valid_signals()},
        "warnings": [repr(f) for f in warnings.filters] + [names_of(warnings.showwarning)],
        "logging": [repr(f) for f in logging.getLogger().handlers],
        "threads": sorted(t.name for t in threading.enumerate()),
        "reducers": sorted(map(repr, copyreg.dispatch_table)),
        "collector": (list(map(names_of, gc.callbacks)), gc.isenabled(), gc.get_threshold()),
        "audience": [] if audit is None else list(audit.watchers()),
        "patched": patched(),
    }
def different(before, after):
    found = {key for key in before if before[key] != after[key] and key != "patched"}
    return found | {place for place, value in before["patched"].items() if after["patched"].get(place) != value}
"""
# It loads what IPython loads late, imports what the extension imports, and binds what the cells bind.
SETTLED = (
    "%config\n%time pass\n%load_ext no_such_extension\n1 + 1",
    "import asyncio, os, time, pickle, dill, sqlite3, numpy, pandas, IPython.core.ultratb",
    "import ipycheckpoint.surfaces.magic, ipycheckpoint.engine.audit",
    "before = after = loaded = x = y = z = h = i = f = ours = 0",
)

USES = {
    "loaded": (),
    "loaded twice": ("%load_ext ipycheckpoint", "import ipycheckpoint; ipycheckpoint.load_ipython_extension(get_ipython())"),
    "reloaded": ("%reload_ext ipycheckpoint", "%reload_ext ipycheckpoint"),
    "used": (
        MAGIC + "x = numpy.arange(5)\nprint('out')\nx.sum()",
        MAGIC + "x = numpy.arange(5)\nprint('out')\nx.sum()",
        MAGIC + "y = pandas.DataFrame({'a': [1]})\ny",
        MAGIC + "h = display('one', display_id='i')\nh.update('two')",
        "%checkpoint why",
        "%checkpoint list",
        "get_ipython().complete('--ex', '%%checkpoint --ex')",
    ),
    "used where things go wrong": (
        MAGIC + "1 / 0",
        MAGIC + "import os, signal\nos.kill(os.getpid(), signal.SIGINT)",
        "%%checkpoint --no-such-option\nx = 1",
        MAGIC + "def f(:",
        MAGIC + "z = (i for i in 'a')",
        "%checkpoint nothing",
        MAGIC + "import asyncio\nawait asyncio.sleep(0)\nraise KeyboardInterrupt",
    ),
    "configured": (
        "%config Checkpoint.mode = 'read'",
        "%config Checkpoint.quiet = True",
        "%config Checkpoint.directory = 'elsewhere'",
        MAGIC + "x = 1",
    ),
    "automatic": ("%checkpoint auto --min-seconds 0.001", "import time; time.sleep(0.01); x = 1", "x = 2"),
    "nested": (MAGIC + "get_ipython().run_cell('%%checkpoint\\nx = 1')\ny = x", "get_ipython().run_cell('%%checkpoint\\nx = 1', silent=True)"),
}  # fmt: skip


@pytest.mark.parametrize("cells", USES.values(), ids=USES)
def test_what_was_loaded_and_unloaded_leaves_the_shell_as_it_was(bench: Bench, cells: tuple[str, ...]) -> None:
    run = bench.run(
        SNAPSHOT, *SETTLED, "before = snapshot()", "%load_ext ipycheckpoint", "loaded = snapshot()", *cells, "%unload_ext ipycheckpoint",
        "after = snapshot()", look=("different(before, after)", "len(different(before, loaded)) > 4"), loaded=False,
    )  # fmt: skip
    assert ast.literal_eval(run.values[0].replace("set()", "{}")) in ({}, set())
    assert run.values[1] == "True"


@pytest.mark.parametrize("cells", [USES["loaded twice"], USES["reloaded"]], ids=["twice", "again"])
def test_what_was_loaded_twice_is_there_once(bench: Bench, cells: tuple[str, ...]) -> None:
    count = (
        "def ours():\n    s = snapshot()\n    return {key: str(s[key]).count('ipycheckpoint') + str(s[key]).count('CheckpointMagics')"
        " for key in s if key not in ('patched', 'hidden', 'namespace')}"
    )
    run = bench.run(
        SNAPSHOT, *SETTLED, count, "%load_ext ipycheckpoint", "before = ours()", *cells, "after = ours()",
        look=("before == after", "sum(before.values()) > 4", "before, after"), loaded=False,
    )  # fmt: skip
    assert run.values[:2] == ["True", "True"], run.values[2]


def test_after_unloading_the_magic_is_unknown_and_it_can_be_loaded_again(bench: Bench) -> None:
    run = bench.run(
        MAGIC + "x = 1",
        "%unload_ext ipycheckpoint",
        MAGIC + "y = 1",
        "%checkpoint list",
        "%load_ext ipycheckpoint",
        MAGIC + "x = 1",
    )
    assert run.outcomes == ["computed", "restored"]
    assert "`%%checkpoint` not found" in run.cells[2].text
    assert "`%checkpoint` not found" in run.cells[3].text


@pytest.mark.parametrize("magic", ["%unload_ext", "%reload_ext"])
def test_a_cell_may_unload_the_extension_that_runs_it(bench: Bench, magic: str) -> None:
    run = bench.run(
        SNAPSHOT,
        MAGIC + f"x = 1\n{magic} ipycheckpoint\ny = 2\nx + y",
        "1 + 1",
        look=("x, y", "snapshot()['audience']"),
    )
    assert [cell.errors for cell in run.cells] == [[], [], []]
    assert run.cells[1].outputs == [["result", {"text/plain": "3"}]]
    assert run.values == ["(1, 2)", "[]"]


# An ordinary cell

PROFILE = """
import sys
calls = []
def profile(frame, event, argument):
    if event == "call":
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] == "ipycheckpoint":
            calls.append(frame.f_code.co_qualname.partition(".<locals>")[0])
"""
# What IPython calls before and after each cell, and with its text; none of them does any work.
HOOKS = {
    "take_off", "Extension._before_execution", "Extension._before_cell", "Extension._transform",
    "__create_fn__",  # of the data class of a frame
    "Extension._after_execution", "Extension._after_cell", "Extension._frame_of", "Extension._end", "Extension._say",
}  # fmt: skip

ORDINARY = {
    "assignment": "a = 1",
    "expression": "1 + 1",
    "a thousand statements": "\n".join(f"v{i} = {i}" for i in range(1000)),
    "definitions": "\n".join(f"def f{i}(): return {i}\nclass C{i}: pass" for i in range(50)),
    "printing": "for i in range(1000): print(i)",
    "files": "for i in range(50): open('f', 'w').write(open('f').read() if i else '')",
    "displays": "for i in range(50): display(i)",
    "imports": "import wave, colorsys",
    "magic": "%precision 3",
    "await": "import asyncio\nfor i in range(50): await asyncio.sleep(0)",
    "many names": "globals().update({f'g{i}': i for i in range(5000)})",
}


@pytest.mark.parametrize("after_a_checkpoint", [False, True], ids=["at once", "after a checkpoint"])
def test_an_ordinary_cell_calls_nothing_of_ours_but_the_hooks_once(bench: Bench, after_a_checkpoint: bool) -> None:
    cells = [PROFILE] + [MAGIC + "kept = open(__import__('os').devnull).read()"] * after_a_checkpoint
    for cell in ORDINARY.values():
        cells += [
            "calls.clear(); sys.setprofile(profile)",
            cell,
            "sys.setprofile(None); told = [*globals().get('told', ()), calls[:]]",
        ]
    run = bench.run(*cells, look=("told",))
    assert [cell.errors for cell in run.cells] == [[]] * len(cells)
    told = dict(zip(ORDINARY, ast.literal_eval(run.values[0]), strict=True))
    assert set().union(*told.values()) <= HOOKS
    # The same few calls whatever is in the cell: its text, its tree, what it binds and how long it runs don't matter.
    assert {tuple(calls) for calls in told.values()} == {tuple(told["assignment"])}


def test_loading_and_ordinary_cells_write_nothing(bench: Bench) -> None:
    bench.run("x = 1", "%checkpoint list", look=("x",))
    assert list(bench.directory.iterdir()) == []


def test_in_vs_code_the_cache_is_beside_the_notebook(bench: Bench) -> None:
    (project := bench.directory / "project").mkdir()
    notebook = project / "notebook.ipynb"
    run = bench.run(
        "import os; del os.environ['IPYCHECKPOINT_DIR']",
        f"__vsc_ipynb_file__ = {str(notebook)!r}",
        "%load_ext ipycheckpoint",
        MAGIC + "x = 1",
        loaded=False,
    )
    assert run.outcomes == ["computed"]
    assert (project / ".ipycheckpoint").is_dir()
    assert not (bench.directory / ".ipycheckpoint").exists()


# A startup file of a profile has loaded the extension when VS Code says silently which notebook it is.
STARTED_BY_A_PROFILE = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "ipycheckpoint")
shell.run_cell(f"__vsc_ipynb_file__ = {sys.argv[1]!r}", silent=True)
shell.run_cell("%%checkpoint\\nx = 1", store_history=True).raise_error()
"""


def test_in_vs_code_the_cache_is_beside_the_notebook_where_a_startup_file_loads_the_extension(tmp_path: Path) -> None:
    (project := tmp_path / "project").mkdir()
    environ = {name: value for name, value in os.environ.items() if name != "IPYCHECKPOINT_DIR"}
    run = [sys.executable, "-c", STARTED_BY_A_PROFILE, str(project / "notebook.ipynb")]
    subprocess.run(run, cwd=tmp_path, env=environ, check=True)
    assert (project / ".ipycheckpoint").is_dir()
    assert not (tmp_path / ".ipycheckpoint").exists()
