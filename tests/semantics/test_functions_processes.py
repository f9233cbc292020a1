"""Checkpointed functions in scripts, workers, threads and tasks, with modules that change while they run."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.semantics.scenes import Program

if TYPE_CHECKING:
    from pathlib import Path


SCRIPT = """
from ipycheckpoint import checkpoint
LIMIT = 2
def helper(x):
    return x * LIMIT
@checkpoint
def f(x):
    print("ran")
    return helper(x) + 1
print(f(5))
"""


def test_a_script_that_is_run_again_restores(program: Program) -> None:
    program.write(SCRIPT)
    assert [program.run().lines, program.run().lines] == [["ran", "11"], ["11"]]


def test_a_script_whose_helper_is_edited_runs_again_and_finds_the_old_result_when_that_is_undone(
    program: Program,
) -> None:
    seen = []
    for text in (SCRIPT, SCRIPT.replace("x * LIMIT", "x + LIMIT"), SCRIPT):
        program.write(text)
        seen.append(program.run().lines)
    assert seen == [["ran", "11"], ["ran", "8"], ["11"]]


def test_a_function_that_moves_from_the_script_to_a_module_is_found_again(program: Program) -> None:
    program.write(SCRIPT)
    program.run()
    program.write(SCRIPT, "library")
    program.write("import library")
    assert program.run().lines == ["11"]


RELOADING = """
import importlib, pathlib, sys
import helpers
from ipycheckpoint import checkpoint
@checkpoint
def f(x):
    print("ran")
    return helpers.clean(x)
def edit():
    path = pathlib.Path(helpers.__file__)
    path.write_text(path.read_text().replace("x + 1", "x + 20"))
"""

HELPERS = """
def clean(x):
    return x + 1
"""


def test_an_edited_module_is_seen_when_it_is_reloaded_and_not_before(program: Program) -> None:
    program.write(HELPERS, "helpers")
    program.write(RELOADING + "print(f(1)); edit(); print(f(1)); importlib.reload(helpers); print(f(1))")
    assert program.run().lines == ["ran", "2", "2", "ran", "21"]


def test_the_file_of_a_function_may_change_between_its_import_and_its_first_call(program: Program) -> None:
    """A long-running script goes on with the code that it has read, and finds what that gave before."""
    library = SCRIPT.replace("print(f(5))\n", "")
    program.write(library, "library")
    program.write("import library; print(library.f(5))")
    program.run()
    program.write("""
        import pathlib, library
        path = pathlib.Path(library.__file__)
        path.write_text(path.read_text().replace("+ 1", "+ 200"))
        print(library.f(5))
    """)
    assert program.run().lines == ["11"]


def test_code_that_is_replaced_on_a_live_function_is_seen(program: Program) -> None:
    program.write(RELOADING + "print(f(1)); helpers.clean.__code__ = (lambda x: x + 300).__code__; print(f(1))")
    program.write(HELPERS, "helpers")
    assert program.run().lines == ["ran", "2", "ran", "301"]


def test_defaults_that_are_replaced_on_a_live_function_are_seen(program: Program) -> None:
    program.write("""
        from ipycheckpoint import checkpoint
        @checkpoint
        def f(x=1):
            print("ran")
            return x
        print(f()); f.__wrapped__.__defaults__ = (2,); print(f())
    """)
    assert program.run().lines == ["ran", "1", "ran", "2"]


@pytest.mark.parametrize(
    ("imported", "called"), [("import library", "library.f(1)"), ("from library import f", "f(1)")]
)
def test_autoreload_renews_a_checkpointed_function(program: Program, imported: str, called: str) -> None:
    program.write(f"""
        import os, pathlib, time
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        for line in ["%load_ext autoreload", "%autoreload 2", {imported!r}, "print({called})"]:
            shell.run_cell(line)
        path = pathlib.Path("library.py")
        path.write_text(path.read_text().replace("x + 1", "x + 20"))
        later = time.time() + 5
        os.utime(path, (later, later))
        shell.run_cell("print({called})")
        shell.run_cell("print({called})")
    """)
    program.write("""
        from ipycheckpoint import checkpoint
        def helper(x):
            return x + 1
        @checkpoint
        def f(x):
            print("ran")
            return helper(x)
    """, "library")  # fmt: skip
    lines = program.run(IPYTHONDIR=str(program.directory / "ipython")).lines
    assert [line for line in lines if line in {"ran", "2", "21"}] == ["ran", "2", "ran", "21", "21"]


SLOW = """
import sys, time
from ipycheckpoint import checkpoint
@checkpoint
def f(x):
    print("ran", flush=True)
    time.sleep(float(sys.argv[1]))
    return x + 1
print("called", flush=True)
print(f(1), flush=True)
"""


def test_of_four_cold_processes_one_runs_and_three_wait(program: Program) -> None:
    program.write(SLOW)
    outputs = [process.communicate(timeout=60)[0] for process in [program.start("1.5") for _ in range(4)]]
    assert [output.splitlines()[-1] for output in outputs] == ["2"] * 4
    assert "".join(outputs).count("ran") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_when_the_one_that_runs_is_killed_another_takes_over(program: Program) -> None:
    program.write(SLOW)
    runner = program.start("600")
    assert [runner.stdout.readline(), runner.stdout.readline()] == ["called\n", "ran\n"]
    waiting = [program.start("0") for _ in range(2)]
    assert [process.stdout.readline() for process in waiting] == ["called\n"] * 2
    runner.send_signal(signal.SIGKILL)
    runner.communicate()
    outputs = [process.communicate(timeout=60)[0] for process in waiting]
    assert sorted(output.count("ran") for output in outputs) == [0, 1]
    assert all(output.endswith("2\n") for output in outputs)


def test_one_name_with_two_bodies_is_right_in_two_processes_by_turns(program: Program) -> None:
    one = SCRIPT.replace("+ 1", "+ int('1')")
    seen = []
    for text in (SCRIPT, one.replace("'1'", "'50'"), SCRIPT, one.replace("'1'", "'50'")):
        program.write(text)
        seen.append(program.run().lines)
    assert seen == [["ran", "11"], ["ran", "60"], ["11"], ["60"]]


WORKERS = """
import sys
from ipycheckpoint import checkpoint
@checkpoint
def f(x):
    with open("ran.txt", "a") as file:
        file.write("ran\\n")
    return x * 2
class Model:
    def __init__(self, k):
        self.k = k
    @checkpoint
    def predict(self, x):
        return self.k * x
    @staticmethod
    @checkpoint
    def static(x):
        return x + 1
if __name__ == "__main__":
    work()
"""


IN_WORKERS = {
    "a spawned pool": """
    from multiprocessing import get_context
    with get_context("spawn").Pool(2) as pool:
        return pool.map(f, [1, 2, 1, 2])
""",
    "an executor of processes": """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        return list(pool.map(f, [1, 2, 1, 2]))
""",
    "an executor of threads": """
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(f, [1, 2, 1, 2]))
""",
}


@pytest.mark.parametrize("work", IN_WORKERS.values(), ids=IN_WORKERS)
def test_workers_run_each_call_once(program: Program, work: str) -> None:
    head, main, _ = WORKERS.partition("if __name__")
    program.write(head + f"def work():{work}" + main + ' == "__main__":\n    print(work())')
    assert program.run().lines == ["[2, 4, 2, 4]"]
    assert program.run().lines == ["[2, 4, 2, 4]"]
    assert (program.directory / "ran.txt").read_text().count("ran") == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_restores_and_keeps(program: Program) -> None:
    program.write(WORKERS.replace("    work()", """
    import os
    print(f(1), flush=True)
    child = os.fork()
    if not child:
        print(f(1), f(2), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print(f(2))
    """))  # fmt: skip
    assert program.run(PYTHONWARNINGS="ignore").lines == ["2", "2 4", "4"]
    assert (program.directory / "ran.txt").read_text().count("ran") == 2


def test_decorated_functions_and_bound_methods_are_pickled_as_what_they_wrap(program: Program) -> None:
    program.write(WORKERS.replace("    work()", """
    import copy, pickle
    print(pickle.loads(pickle.dumps(f)) is f, copy.deepcopy(f) is f)
    print(pickle.loads(pickle.dumps(Model(3).predict))(5), pickle.loads(pickle.dumps(Model.static))(5))
    """))  # fmt: skip
    assert program.run().lines == ["True True", "15 6"]


ASYNC = """
import asyncio
from ipycheckpoint import checkpoint
@checkpoint
async def f(x):
    print("ran")
    await asyncio.sleep(0.05)
    return [x]
class Model:
    k = 2
    @checkpoint
    async def predict(self, x):
        print("ran")
        return self.k * x
"""


def test_a_coroutine_function_is_kept(program: Program) -> None:
    program.write(ASYNC + "print(asyncio.run(f(1)))")
    assert [program.run().lines, program.run().lines] == [["ran", "[1]"], ["[1]"]]


def test_one_coroutine_awaited_twice_at_once_runs_once(program: Program) -> None:
    program.write(ASYNC + """
async def main():
    return await asyncio.gather(f(1), f(1), f(2), f(1))
print(asyncio.run(main()))
""")  # fmt: skip
    assert program.run().lines == ["ran", "ran", "[[1], [1], [2], [1]]"]


def test_an_async_method_counts_its_instance_by_value(program: Program) -> None:
    program.write(ASYNC + "print([asyncio.run(Model().predict(x)) for x in (1, 1, 2)])")
    assert program.run().lines == ["ran", "ran", "[2, 2, 4]"]


def test_an_edited_coroutine_that_is_awaited_inside_is_seen(program: Program) -> None:
    text = ASYNC + """
async def helper(x):
    return x + 1
@checkpoint
async def g(x):
    print("g ran")
    return await helper(x)
print(asyncio.run(g(1)))
"""  # fmt: skip
    program.write(text)
    program.run()
    program.write(text.replace("x + 1", "x + 2"))
    assert program.run().lines == ["g ran", "3"]


def test_a_coroutine_that_raises_is_not_kept_and_the_others_try_themselves(program: Program) -> None:
    program.write(ASYNC + """
@checkpoint
async def bad(x):
    print("ran")
    raise ValueError(x)
async def main():
    return await asyncio.gather(bad(1), bad(1), return_exceptions=True)
print(asyncio.run(main()))
""")  # fmt: skip
    assert program.run().lines == ["ran", "ran", "[ValueError(1), ValueError(1)]"]


def spoil(cache: Path, how: str) -> None:
    """Damage everything that is kept, but for the secret."""
    for path in [path for path in cache.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        if how == "truncated":
            path.write_bytes(content[: len(content) // 2])
        elif how == "emptied":
            path.write_bytes(b"")
        else:
            path.write_bytes(bytes(byte ^ 0x55 for byte in content))


@pytest.mark.parametrize("how", ["truncated", "emptied", "overwritten"])
@pytest.mark.parametrize("size", [10, 300_000], ids=["small", "large"])
def test_a_damaged_cache_costs_a_run_and_is_repaired(program: Program, how: str, size: int) -> None:
    program.write(
        SCRIPT.replace("return helper(x) + 1", f"return bytes({size})").replace("print(f(5))", "print(len(f(5)))")
    )
    program.run()
    spoil(program.cache, how)
    assert [program.run().lines, program.run().lines] == [["ran", str(size)], [str(size)]]


def test_a_record_of_someone_else_is_not_loaded_and_named(program: Program) -> None:
    program.write(SCRIPT)
    program.run(IPYCHECKPOINT_SECRET_FILE=str(program.directory / "theirs"))
    first = program.run(IPYCHECKPOINT_SECRET_FILE=str(program.directory / "mine"))
    assert first.lines == ["ran", "11"]
    assert "is not signed by you, so it is not loaded" in first.complaints
    again = program.run(IPYCHECKPOINT_SECRET_FILE=str(program.directory / "mine"))
    assert again.lines == ["11"]
    assert again.complaints == ""


def test_where_nothing_can_be_kept_the_function_runs_and_says_so(program: Program) -> None:
    program.cache.write_text("a file is in the way")
    program.write(SCRIPT)
    printed = program.run()
    assert printed.lines == ["ran", "11"]
    assert "CheckpointFailedWarning" in printed.complaints
    assert str(program.cache) in printed.complaints


def test_a_class_that_is_gone_costs_a_run_and_is_named(program: Program) -> None:
    text = """
        import sys
        from ipycheckpoint import checkpoint
        def make():
            import shapes
            return shapes.Box()
        maker = make
        @checkpoint(ignore=["maker", "sys"], watch=False)
        def f(x):
            print("ran")
            return maker()
        print(type(f(1)).__name__)
    """
    program.write("class Box: pass", "shapes")
    program.write(text)
    program.run()
    program.write("class Other: pass", "shapes")
    program.write(text.replace("shapes.Box()", "shapes.Other()"))
    printed = program.run()
    assert printed.lines == ["ran", "Other"]
    assert "runs again" in printed.complaints
    assert "Box" in printed.complaints
