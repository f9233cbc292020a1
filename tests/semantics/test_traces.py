"""SEMANTICS 51: files that a run reads, writes and lists count, whether anybody named them or not."""

# ruff: noqa: E501 - cells are long lines

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.semantics.scenes import Program
from tests.semantics.shells import Bench, Shells

MAGIC = "%%checkpoint\n"
OLD = 1_600_000_000  # seconds since the epoch: long enough ago for a file's times to be trusted


def write(path: Path, text: str, *, seconds: int = OLD) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (seconds, seconds))


def outcomes(bench: Bench, *cells: str) -> list[str]:
    run = bench.run(*cells)
    assert [cell.errors for cell in run.cells if cell.errors] == []
    return run.outcomes


READERS = {
    "open": "y = open('data.txt').read()",
    "with": "with open('data.txt') as f:\n    y = f.read()",
    "bytes": "y = open(b'data.txt', 'rb').read()",
    "pathlib": "import pathlib\ny = (pathlib.Path.cwd() / 'data.txt').read_text()",
    "os.open": "import os\nd = os.open('data.txt', os.O_RDONLY)\ny = os.read(d, 99)\nos.close(d)",
    "in a thread": "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool:\n    y = pool.submit(lambda: open('data.txt').read()).result()\ndel pool",
    "awaited": "import asyncio\ny = await asyncio.to_thread(lambda: open('data.txt').read())",
    "by a library": "import shelve, linecache, fileinput\ny = list(fileinput.input('data.txt'))",
    "numpy": "import numpy as np\ny = np.loadtxt('data.txt')",
    "after chdir": "import os\nos.makedirs('sub', exist_ok=True)\nos.chdir('sub')\ny = open('../data.txt').read()\nos.chdir('..')",
    "run": "%run data.txt\ny = 1",
    "shell": "y = !cat data.txt",
}


@pytest.mark.parametrize("cell", READERS.values(), ids=READERS)
def test_a_file_that_a_cell_reads_counts_by_its_content(bench: Bench, cell: str) -> None:
    if "np." in cell:
        pytest.importorskip("numpy")
    data = bench.directory / "data.txt"
    write(data, "1")
    assert outcomes(bench, MAGIC + cell) == ["computed"]
    assert outcomes(bench, MAGIC + cell) == ["restored"]
    os.utime(data)
    assert outcomes(bench, MAGIC + cell) == ["restored"]
    write(data, "2")
    again = bench.run(MAGIC + cell)
    assert again.outcomes == ["computed"]
    assert "data.txt` changed since" in again.cells[0].because
    assert outcomes(bench, MAGIC + cell) == ["restored"]


def test_a_file_that_a_function_reads_counts_by_its_content(program: Program) -> None:
    program.write("""
        from ipycheckpoint import checkpoint
        @checkpoint
        def f():
            print("ran")
            return open("data.txt").read()
        print(f(), f.is_cached(), f.why().reason)
    """)
    data = program.directory / "data.txt"
    write(data, "1")
    assert program.run().lines[0] == "ran"
    assert program.run().lines[0].startswith("1 True")
    os.utime(data)
    assert program.run().lines[0].startswith("1 True")
    write(data, "2")
    assert program.run().lines[:1] == ["ran"]
    assert program.run().lines[0].startswith("2 True")


def test_what_is_asked_of_a_function_names_the_file(program: Program) -> None:
    program.write("""
        from ipycheckpoint import checkpoint
        @checkpoint
        def f():
            return open("data.txt").read()
        f()
        open("data.txt", "w").write("another")
        print(f.is_cached(), f.why())
    """)
    write(program.directory / "data.txt", "1")
    assert program.run().lines[0] == "False f: miss, `data.txt` changed since"


def test_a_function_of_a_library_is_watched_as_one_of_the_users_is(program: Program) -> None:
    program.write("""
        import shutil
        from ipycheckpoint import checkpoint
        copy = checkpoint(shutil.copyfile)
        copy("data.txt", "copy.txt")
        print(copy.is_cached("data.txt", "copy.txt"))
        open("data.txt", "w").write("2")
        print(copy.why("data.txt", "copy.txt").reason)
    """)
    write(program.directory / "data.txt", "1")
    assert program.run().lines == ["True", "`data.txt` changed since"]


def test_a_file_that_was_not_there_and_now_is_counts(bench: Bench) -> None:
    cell = MAGIC + "try:\n    y = open('config').read()\nexcept FileNotFoundError:\n    y = 'default'"
    assert outcomes(bench, cell) == ["computed"]
    assert outcomes(bench, cell) == ["restored"]
    write(bench.directory / "config", "mine")
    again = bench.run(cell, look=("y",))
    assert (again.cells[0].because, again.values) == ("`config` is there now", ["'mine'"])


def test_a_file_that_was_read_and_is_gone_is_a_miss(bench: Bench) -> None:
    cell = MAGIC + "import os\ny = open('data.txt').read() if os.path.exists('data.txt') else 'none'"
    write(bench.directory / "data.txt", "1")
    assert outcomes(bench, cell) == ["computed"]
    (bench.directory / "data.txt").unlink()
    again = bench.run(cell)
    assert (again.outcomes, again.cells[0].because) == (["computed"], "`data.txt` is gone")


WRITERS = {
    "open": "with open('out.txt', 'w') as f: f.write('mine')",
    "replaced": "import os\nwith open('out.tmp', 'w') as f: f.write('mine')\nos.replace('out.tmp', 'out.txt')\ndel f",
    "copied": "import shutil\nwith open('a.txt', 'w') as f: f.write('mine')\nshutil.copy('a.txt', 'out.txt')\ndel f",
    "appended": "with open('out.txt', 'a') as f: f.write('mine')",
    "in native code": "!printf mine > out.txt",
    "magic": "from IPython import get_ipython\nget_ipython().run_cell_magic('writefile', 'out.txt', 'mine')",
}


@pytest.mark.parametrize("cell", WRITERS.values(), ids=WRITERS)
def test_a_file_that_a_cell_writes_is_there_as_it_left_it_or_the_cell_runs_again(bench: Bench, cell: str) -> None:
    out = bench.directory / "out.txt"
    assert outcomes(bench, MAGIC + cell) == ["computed"]
    assert outcomes(bench, MAGIC + cell) == ["restored"]
    mine = out.read_text()
    write(out, "other")
    again = bench.run(MAGIC + cell)
    assert again.outcomes == ["computed"]
    assert "out.txt`, which it wrote" in again.cells[0].because
    out.unlink()
    (bench.directory / "a.txt").unlink(missing_ok=True)
    assert outcomes(bench, MAGIC + cell) == ["computed"]
    assert out.read_text() == mine
    assert outcomes(bench, MAGIC + cell) == ["restored"]


def test_what_others_append_to_a_log_does_not_spoil_what_was_appended_before(bench: Bench) -> None:
    cells = [f"%%checkpoint c{n}\nwith open('log', 'a') as f: f.write('line {n}')" for n in range(3)]
    assert outcomes(bench, *cells) == ["computed"] * 3
    assert outcomes(bench, *cells) == ["restored"] * 3
    assert (bench.directory / "log").read_text() == "line 0line 1line 2"
    (bench.directory / "log").write_text("another")
    assert outcomes(bench, *cells[:1]) == ["computed"]


def test_a_directory_that_a_cell_makes_is_there_or_it_runs_again(bench: Bench) -> None:
    cell = MAGIC + "import os\nos.makedirs('out/deep', exist_ok=True)"
    assert outcomes(bench, cell) == ["computed"]
    assert outcomes(bench, cell) == ["restored"]
    shutil.rmtree(bench.directory / "out")
    assert outcomes(bench, cell) == ["computed"]
    assert (bench.directory / "out" / "deep").is_dir()


def test_a_file_that_a_cell_removes_is_removed_again(bench: Bench) -> None:
    cell = MAGIC + "import os\nif os.path.exists('old.txt'): os.remove('old.txt')"
    write(bench.directory / "old.txt", "1")
    assert outcomes(bench, cell) == ["computed"]
    assert outcomes(bench, cell) == ["restored"]
    write(bench.directory / "old.txt", "1")
    assert outcomes(bench, cell) == ["computed"]
    assert not (bench.directory / "old.txt").exists()


LISTERS = {
    "listdir": "import os\ny = sorted(os.listdir('images'))",
    "scandir": "import os\ny = sorted(e.name for e in os.scandir('images'))",
    "walk": "import os\ny = list(os.walk('images'))",
    "glob": "import glob\ny = glob.glob('images/*')",
    "pathlib": "import pathlib\ny = sorted(map(str, pathlib.Path('images').iterdir()))",
    "rglob": "import pathlib\ny = sorted(map(str, pathlib.Path('.').rglob('*.png')))",
}


@pytest.mark.parametrize("cell", LISTERS.values(), ids=LISTERS)
def test_a_directory_that_a_cell_lists_counts_by_its_names(bench: Bench, cell: str) -> None:
    write(bench.directory / "images" / "a.png", "1")
    assert outcomes(bench, MAGIC + cell) == ["computed"]
    assert outcomes(bench, MAGIC + cell) == ["restored"]
    write(bench.directory / "images" / "b.png", "2")
    again = bench.run(MAGIC + cell)
    assert again.outcomes == ["computed"]
    assert "images` changed since: 1 → 2" in again.cells[0].because
    assert outcomes(bench, MAGIC + cell) == ["restored"]


def test_what_a_cell_makes_itself_does_not_count_in_the_directory_that_it_lists(bench: Bench) -> None:
    cell = (
        MAGIC
        + "import os, tempfile\nbefore = sorted(os.listdir())\nwith open('out.txt', 'w') as f: f.write('1')\nwith tempfile.TemporaryFile(dir='.') as f: f.write(b'1')\ndel f"
    )
    write(bench.directory / "data.txt", "1")
    assert outcomes(bench, cell) == ["computed"]
    assert outcomes(bench, cell) == ["restored"]
    write(bench.directory / "more.txt", "1")
    assert outcomes(bench, cell) == ["computed"]


def test_importing_a_local_module_does_not_count_as_listing_its_directory(bench: Bench) -> None:
    bench.module("helper", "def f():\n    return 1")
    cell = MAGIC + "import helper, json.tool, colorsys\ny = helper.f()"
    assert outcomes(bench, cell) == ["computed"]
    write(bench.directory / "unrelated.txt", "1")
    assert outcomes(bench, cell) == ["restored"]


def test_a_file_that_a_run_reads_and_changes_is_named_and_the_result_not_kept(bench: Bench) -> None:
    cell = MAGIC + "n = int(open('count').read())\nwith open('count', 'w') as f: f.write(str(n + 1))\ndel f"
    write(bench.directory / "count", "1")
    first = bench.run(cell, cell, look=("n",))
    assert (first.outcomes, first.values) == (["refused"] * 2, ["2"])
    assert "reads `count` and changes it" in first.cells[0].because
    assert "--no-watch" in first.cells[0].because


@pytest.mark.parametrize(
    "cell",
    [
        "t = open('data.txt').read()\nwith open('data.txt', 'w') as f: f.write(t)\ndel f",
        "with open('data.txt', 'r+') as f: t = f.read(); f.seek(0); f.write(t)\ndel f",
        "with open('new.txt', 'w') as f: f.write('1')\nt = open('new.txt').read()\ndel f",
    ],
)
def test_a_file_that_is_read_and_left_as_it_was_is_kept(bench: Bench, cell: str) -> None:
    write(bench.directory / "data.txt", "1")
    assert outcomes(bench, MAGIC + cell) == ["computed"]
    assert outcomes(bench, MAGIC + cell) == ["restored"]


@pytest.mark.parametrize(
    "cell",
    [
        "import tempfile, os\nwith tempfile.TemporaryDirectory() as d:\n    open(os.path.join(d, 'x'), 'w').close()\ny = 1",
        "import os\nwith open('tmp', 'w') as f: f.write('1')\nos.remove('tmp')\ndel f",
        "import shutil, os\nos.mkdir('tmp')\nopen('tmp/x', 'w').close()\nshutil.rmtree('tmp')",
        "y = open('/proc/self/stat').read() is None",
        "import os\ny = os.listdir('/proc') is None",
        "import os, json\ny = open(os.path.dirname(json.__file__) + '/__init__.py').read()",
        "import warnings\nwarnings.warn('look at the line')",
        "import logging\nlogging.warning('x')\ntry:\n    1/0\nexcept ZeroDivisionError:\n    import traceback; traceback.print_exc()",
    ],
)
def test_what_is_no_data_is_not_in_the_trace(bench: Bench, cell: str) -> None:
    script = "from ipycheckpoint import workspace\ncache = workspace.current().cache()\nheader = cache.header(cache.rows()[0].key)"
    run = bench.run(
        MAGIC + cell,
        script,
        look=("{k: v for k, v in header.trace.items() if k in ('read', 'written', 'listed', 'appended')}",),
    )
    assert (run.outcomes, run.values) == (["computed"], ["{}"])


def test_a_project_that_is_moved_still_hits(shells: Shells, tmp_path: Path) -> None:
    cell = MAGIC + "import pathlib\ny = open('data/a').read() + (pathlib.Path.cwd() / 'data' / 'b').read_text()"
    here = Bench(shells, tmp_path / "here")
    for name in "ab":
        write(here.directory / "data" / name, name)
    assert outcomes(here, cell) == ["computed"]
    shutil.move(tmp_path / "here", tmp_path / "there")
    there = Bench(shells, tmp_path / "there")
    assert outcomes(there, cell) == ["restored"]
    write(there.directory / "data" / "b", "c")
    assert outcomes(there, cell) == ["computed"]


def test_of_a_project_that_was_copied_the_copys_own_files_count(shells: Shells, tmp_path: Path) -> None:
    cell = MAGIC + "import pathlib\ny = (pathlib.Path.cwd() / 'data.txt').read_text()"
    write(tmp_path / "here" / "data.txt", "1")
    assert outcomes(Bench(shells, tmp_path / "here"), cell) == ["computed"]
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert outcomes(Bench(shells, tmp_path / "there"), cell) == ["restored"]
    write(tmp_path / "there" / "data.txt", "2")
    assert outcomes(Bench(shells, tmp_path / "there"), cell) == ["computed"]


NESTED = """
from ipycheckpoint import checkpoint
@checkpoint
def inner():
    return open('data.txt').read()
"""


def test_the_files_of_a_restored_inner_function_count_for_the_outer_cell(bench: Bench) -> None:
    write(bench.directory / "data.txt", "1")
    bench.run(NESTED, "inner()")
    assert outcomes(bench, NESTED, MAGIC + "y = inner()") == ["computed"]
    assert outcomes(bench, NESTED, MAGIC + "y = inner()") == ["restored"]
    write(bench.directory / "data.txt", "2")
    again = bench.run(NESTED, MAGIC + "y = inner()", look=("y",))
    assert (again.outcomes, again.values) == (["computed"], ["'2'"])


def test_the_files_of_a_restored_inner_function_count_for_the_outer_function(program: Program) -> None:
    program.write("""
        from ipycheckpoint import checkpoint
        @checkpoint
        def inner(n):
            return open("data.txt").read() * n
        @checkpoint
        def outer(n):
            print("ran")
            return inner(n)
        inner(2)
        print(outer(2))
    """)
    write(program.directory / "data.txt", "1")
    assert program.run().lines == ["ran", "11"]
    assert program.run().lines == ["11"]
    write(program.directory / "data.txt", "2")
    assert program.run().lines == ["ran", "22"]


def test_without_watching_files_do_not_count(bench: Bench) -> None:
    cell = "%%checkpoint --no-watch\ny = open('data.txt').read()"
    write(bench.directory / "data.txt", "1")
    assert outcomes(bench, cell) == ["computed"]
    write(bench.directory / "data.txt", "2")
    assert outcomes(bench, cell) == ["restored"]
    watched = bench.run(MAGIC + "y = open('data.txt').read()")
    assert watched.outcomes == ["computed"]
    assert "were not watched" in watched.cells[0].because


def test_a_function_may_be_told_not_to_watch(program: Program) -> None:
    program.write("""
        from ipycheckpoint import checkpoint
        @checkpoint(watch=False)
        def f():
            print("ran")
            return open("data.txt").read()
        print(f())
    """)
    write(program.directory / "data.txt", "1")
    assert program.run().lines == ["ran", "1"]
    write(program.directory / "data.txt", "2")
    assert program.run().lines == ["1"]


NATIVE = {
    "a constant": "y = read('data.csv')",
    "an input": "y = read(path)",
    "a Path": "y = read(pathlib.Path('data.csv'))",
    "in a list": "y = [read(p) for p in paths]",
    "bound by the cell": "where = pathlib.Path('da' 'ta.csv').absolute()\ny = read(where)",
    "in a helper": "y = load()",
    "in a method": "y = Loader().load()",
    "in a query": "y = query('select * from \"data.csv\" where x > 1')",
    "a pattern": "y = read_all('*.csv')",
}
READ_NATIVELY = """
import pathlib, subprocess
def read(path):
    return subprocess.run(["cat", path], capture_output=True, text=True).stdout
def read_all(pattern):
    return subprocess.run(f"cat {pattern}", shell=True, capture_output=True, text=True).stdout
def query(text):
    return read(text.split('"')[1])
def load():
    return read("data.csv")
class Loader:
    def load(self):
        return read("data.csv")
path = "data.csv"
paths = (path,)
"""


@pytest.mark.parametrize("cell", NATIVE.values(), ids=NATIVE)
def test_a_file_that_is_named_counts_though_nobody_hears_it_opened(bench: Bench, cell: str) -> None:
    data = bench.directory / "data.csv"
    write(data, "1")
    assert outcomes(bench, READ_NATIVELY, MAGIC + cell) == ["computed"]
    assert outcomes(bench, READ_NATIVELY, MAGIC + cell) == ["restored"]
    write(data, "2")
    again = bench.run(READ_NATIVELY, MAGIC + cell)
    assert again.outcomes == ["computed"]
    assert "data.csv` changed since" in again.cells[1].because


def test_a_parquet_file_that_polars_reads_counts(bench: Bench) -> None:
    pl = pytest.importorskip("polars")
    cell = MAGIC + "import polars as pl\ntotal = pl.read_parquet('data.parquet')['x'].sum()"
    data = bench.directory / "data.parquet"
    for value in (1, 2):
        pl.DataFrame({"x": [value]}).write_parquet(data)
        os.utime(data, (OLD, OLD))
        run = bench.run(cell, look=("total",))
        assert (run.outcomes, run.values) == (["computed"], [str(value)])
        assert outcomes(bench, cell) == ["restored"]


def test_a_file_that_native_code_writes_is_there_or_the_cell_runs_again(bench: Bench) -> None:
    pytest.importorskip("polars")
    cell = MAGIC + "import polars as pl\npl.DataFrame({'x': [1]}).write_parquet('out.parquet')"
    assert outcomes(bench, cell) == ["computed"]
    assert outcomes(bench, cell) == ["restored"]
    (bench.directory / "out.parquet").unlink()
    assert outcomes(bench, cell) == ["computed"]
    assert (bench.directory / "out.parquet").exists()


def test_a_database_counts_by_its_content(bench: Bench) -> None:
    make = "import sqlite3\nwith sqlite3.connect('my.db') as c:\n    c.execute('create table if not exists t (x)'); c.execute('insert into t values (1)')\nc.close()"
    cell = (
        MAGIC
        + "import sqlite3\nwith sqlite3.connect('my.db') as c:\n    n = c.execute('select count(*) from t').fetchone()\nc.close()\ndel c"
    )
    bench.run(make)
    assert outcomes(bench, cell) == ["computed"]
    assert outcomes(bench, cell) == ["restored"]
    again = bench.run(make, cell, look=("n",))
    assert (again.outcomes, again.values) == (["computed"], ["(2,)"])


def test_a_grid_search_with_workers_is_a_hit(bench: Bench) -> None:
    pytest.importorskip("sklearn")
    cell = MAGIC + (
        "import numpy as np\nfrom sklearn.model_selection import GridSearchCV\nfrom sklearn.svm import SVC\n"
        "X = np.random.RandomState(0).rand(300, 1000)\n"
        "search = GridSearchCV(SVC(), {'C': [1, 2]}, cv=2, n_jobs=2).fit(X, np.arange(300) % 2)"
    )
    assert outcomes(bench, cell) == ["computed"]
    assert outcomes(bench, cell) == ["restored"]


def test_a_figure_that_is_saved_is_there_or_the_cell_runs_again(bench: Bench) -> None:
    pytest.importorskip("matplotlib")
    cell = (
        MAGIC
        + "import matplotlib; matplotlib.use('agg')\nfrom matplotlib.figure import Figure\nf = Figure()\nf.subplots().set_title('a')\nf.savefig('f.png')\ndel f"
    )
    assert outcomes(bench, cell) == ["computed"]
    assert outcomes(bench, cell) == ["restored"]
    (bench.directory / "f.png").unlink()
    assert outcomes(bench, cell) == ["computed"]


def test_a_file_counts_in_a_project_whose_directory_is_its_environment(tmp_path: Path) -> None:
    venv.create(tmp_path, symlinks=True)
    program = tmp_path / "program.py"
    program.write_text(
        "from ipycheckpoint import checkpoint\n"
        "@checkpoint\n"
        "def read():\n    return open('data/numbers.txt').read()\n"
        "print(read())\n"
    )
    root, packages = Path(__file__).parents[2], os.pathsep.join(path for path in sys.path if "site-packages" in path)

    def run() -> str:
        command = [tmp_path / "bin" / "python", program]
        environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{packages}"}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()

    write(tmp_path / "data" / "numbers.txt", "1")
    assert run() == "1"
    write(tmp_path / "data" / "numbers.txt", "2")
    assert run() == "2"
