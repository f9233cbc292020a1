"""The table of the README that tells what makes a hit and what makes a miss: each of its fields, tried in a cell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")

BODY = """\
counts = sum(data)
out = clean(counts) + limit + conf.X
text = open("in.txt").read()
names = os.listdir("listed")
open("written.txt", "w").write(text)"""

# Brings about what the cell is run in: each case begins with this, and with a run of the cell.
SETUP = """\
import conf, os, pathlib
conf.X, conf.Y = 1, 2
limit, unused = 3, 5
data = [1, 2]
def twice(value): return value + 1
def clean(value): return twice(value) * 2
if pathlib.Path("in.txt").read_text() != "hello": pathlib.Path("in.txt").write_text("hello")
pathlib.Path("listed/new").unlink(missing_ok=True)"""

# Does what each case says, and prints whether the cell was restored then; first, without any change.
PROGRAM = f"""
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from ipycheckpoint import workspace
shell = InteractiveShell.instance()
def run(code):
    shell.run_cell(code).raise_error()
run("%load_ext ipycheckpoint")
def verdict(body, options):
    run(f"%%checkpoint cell {{options}}\\n{{body}};")
    return workspace.current().explanation("cell").verdict
run({SETUP!r})
verdicts = [verdict({BODY!r}, "")]
for before, body, options, between in json.load(sys.stdin):
    run({SETUP!r})
    verdict({BODY!r}, "")
    if between is not None:
        run(between)
        verdict({BODY!r}, options)
    run(before)
    verdicts.append(verdict(body, options))
print("\\n" + json.dumps(verdicts))
"""


class Case(NamedTuple):
    """What is done before the cell runs again, how it reads then, and with which options.

    `between`, where it isn't None, is done before that, and the cell is run with the same options.
    """

    before: str = "pass"
    body: str = BODY
    options: str = ""
    between: str | None = None


def reads(old: str, new: str) -> str:
    assert old in BODY
    return BODY.replace(old, new)


RESTORED = {
    "a comment, a docstring, a type annotation, other layout": [
        Case(body=f"# a comment\n{BODY}"),
        Case('def twice(value: int) -> int:\n    """One more."""\n    return value + 1'),
        Case(body=reads(" + limit", " + (\n    limit\n)")),
    ],
    "a local variable, a parameter, a global or the function itself renamed": [
        Case("def twice(number): return number + 1"),
        Case("least = 3", reads("limit", "least")),
        Case("def tidy(value): return twice(value) * 2", reads("clean", "tidy")),
    ],
    "a cell or function moved elsewhere, the kernel restarted": [Case("1\n\n\n2\ndef twice(value): return value + 1")],
    "a name bound again to an equal value": [Case("data = [1] + [2]"), Case("limit = int('3')")],
    "something changed that the code never looks at": [Case("unused = 6"), Case("conf.Y = 7")],
    "a file touched, or the whole project moved, with equal content": [Case("os.utime('in.txt')")],
    "code and values back at an older version: the older result": [
        Case("limit = 3", between="limit = 9"),
        Case("def twice(value): return value + 1", between="def twice(value): return value + 5"),
    ],
}

RUN_AGAIN = {
    "another constant, operator, call: any other code": [
        Case(body=reads("sum(data)", "sum(data) + 1")),
        Case(body=reads("+ limit", "- limit")),
        Case(body=reads("sum(", "max(")),
    ],
    "a helper edited, or a helper of a helper": [
        Case("def clean(value): return twice(value) * 3"),
        Case("def twice(value): return value + 2"),
    ],
    "a global or an input bound to another value, or changed in place": [
        Case("limit = 4"),
        Case("data = [1, 3]"),
        Case("data.append(3)"),
    ],
    "an attribute of a local module that the code reads: `config.X`": [Case("conf.X = 7")],
    "a file that it reads has other content, one that it wrote is altered or gone": [
        Case("pathlib.Path('in.txt').write_text('other')"),
        Case("pathlib.Path('written.txt').write_text('other')"),
        Case("pathlib.Path('written.txt').unlink()"),
    ],
    "a directory that it lists holds other names": [Case("pathlib.Path('listed/new').write_text('')")],
    "another tag, a pinned package's other version, an expired result": [
        Case(options="--tags day=1"),
        Case(
            "pathlib.Path('pinned-1.dist-info').rename('pinned-2.dist-info')\n"
            "pathlib.Path('pinned-2.dist-info/METADATA').write_text('Name: pinned\\nVersion: 2\\n')\n"
            "import importlib; importlib.invalidate_caches()",
            options="--pin pinned",
            between="pass",
        ),
        Case("import time; time.sleep(1.1)", options="--expires 1s --tags day=2", between="pass"),
    ],
}

CASES = [(claim, case, "hit") for claim, cases in RESTORED.items() for case in cases]
CASES += [(claim, case, "miss") for claim, cases in RUN_AGAIN.items() for case in cases]


def run(project: Path, cases: list[Case], hash_seed: int) -> list[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("IPYCHECKPOINT_")}
    environ |= {"IPYCHECKPOINT_SECRET_FILE": str(project.parent / "secret"), "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-c", "import sys; sys.path.insert(0, '')\n" + PROGRAM]
    run = subprocess.run(command, input=json.dumps(cases), cwd=project, env=environ, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    verdicts: list[str] = json.loads(run.stdout.splitlines()[-1])
    return verdicts


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of the cell as it was, in another process at another place, and of each case."""
    project = tmp_path_factory.mktemp("project") / "here"
    (project / "listed").mkdir(parents=True)
    (project / "pinned-1.dist-info").mkdir()
    (project / "pinned-1.dist-info" / "METADATA").write_text("Name: pinned\nVersion: 1\n")
    (project / "conf.py").write_text("X = 1\nY = 2\n")
    (project / "in.txt").write_text("hello")
    assert run(project, [], hash_seed=1) == ["miss"]
    return run(project.rename(project.with_name("there")), [case for _, case, _ in CASES], hash_seed=2)


def test_a_cell_is_restored_in_a_new_process_when_the_project_was_moved(verdicts: list[str]) -> None:
    assert verdicts[0] == "hit"


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{word}: {claim}" for claim, _, word in CASES])
def test_a_field_of_the_table_is_true(verdicts: list[str], number: int) -> None:
    claim, case, expected = CASES[number]
    assert verdicts[number + 1] == expected, (claim, case)


def test_every_field_of_the_table_is_tried() -> None:
    table = README.partition("| restored | run again |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    assert [tuple(row) for row in rows] == list(zip(RESTORED, RUN_AGAIN, strict=True))
