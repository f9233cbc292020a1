"""Cells with a cache and an identifier of the user's, from one process to the next."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.semantics.shells import Bench

PLUGS = """
import pathlib
from ipycheckpoint import CacheBase, CheckpointNotExist, FuncCallIdentifierBase

class Folder(CacheBase):
    def __init__(self, folder="results"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
    def save(self, context_id, result):
        assert type(result) is bytes
        (self.folder / context_id).write_bytes(result)
    def retrieve(self, context_id):
        path = self.folder / context_id
        if not path.exists():
            raise CheckpointNotExist
        return path.read_bytes()
    def forget(self, context_id):
        path = self.folder / context_id
        there = path.exists()
        path.unlink(missing_ok=True)
        return there
    def catalogue(self):
        return [path.name for path in self.folder.iterdir()]

class ByLabel(FuncCallIdentifierBase):
    def identify(self, context):
        seen.append((context.name, context.full_name, context.module, context.code, context.arguments,
                     context.get_nonlocal_variable("other"), context.get_nonlocal_variable("nowhere")))
        return f"{context.name} of {context.arguments['numbers'][0]}"

seen = []
"""

SETUP = "from plugs import *\nfolder, by = Folder(), ByLabel()\nnumbers, other = [1, 2], 3"
SUM = "print('ran')\ntotal = sum(numbers)\nnumbers.append(0)\n[total]"


@pytest.fixture(autouse=True)
def _plugs(bench: Bench) -> None:
    bench.module("plugs", PLUGS)


def kept(bench: Bench) -> list[Path]:
    return sorted((bench.directory / "results").iterdir())


def test_a_cell_is_restored_from_a_cache_of_the_user_s_with_all_that_it_left_and_showed(bench):
    cell = "%%checkpoint sums --cache folder\n" + SUM
    plain, cold, warm = bench.twice(SETUP, cell, look=("total", "numbers"))
    assert (cold.outcomes, warm.outcomes) == (["computed"], ["restored"])
    assert plain.values == cold.values == warm.values
    assert plain.outputs == cold.outputs == warm.outputs
    assert len(kept(bench)) == 1
    assert not (bench.directory / "cache").exists()


def test_with_our_identifier_a_cell_keeps_its_full_explanation(bench):
    cell = "%%checkpoint sums --cache folder\nprint(sum(numbers))"
    run = bench.run(SETUP, cell, cell, "numbers.append(5)", cell)
    assert run.outcomes == ["computed", "restored", "computed"]
    assert run.cells[-1].because == "input `numbers` changed"


@pytest.mark.parametrize("cache", ["", " --cache folder"], ids=["our cache", "their cache"])
def test_an_identifier_of_the_user_s_decides_and_is_told_of_the_cell(bench, cache):
    cell = "%%checkpoint sums --identifier by" + cache + "\nprint('ran')\ntotal = sum(numbers)"
    first = bench.run(SETUP, cell, look=("seen",))
    second = bench.run(SETUP + "\nnumbers.append(7)", cell.replace("'ran'", "'ran '"), look=("total",))
    third = bench.run(SETUP + "\nnumbers[0] = 5", cell, look=("total",))
    assert [run.outcomes for run in (first, second, third)] == [["computed"], ["restored"], ["computed"]]
    assert (second.values, third.values) == (["3"], ["7"])
    told = eval(first.values[0])
    code = cell.partition("\n")[2] + "\n"
    assert told == [("sums", "__main__.sums", "__main__", code, {"numbers": [1, 2]}, 3, None)]


def test_with_an_identifier_of_the_user_s_nobody_looks_at_the_inputs(bench):
    bench.module("plugs", PLUGS + "\nclass Fixed(ByLabel):\n    def identify(self, context):\n        return 'fixed'\n")
    setup = "from plugs import *\nimport threading\nlock = threading.Lock()\nfixed = Fixed()"
    cell = "%%checkpoint --identifier fixed\nprint('ran')\nwas = lock.locked()"
    plain, cold, warm = bench.twice(setup, cell, look=("was",))
    assert (cold.outcomes, warm.outcomes) == (["computed"], ["restored"])
    assert plain.values == cold.values == warm.values


def test_a_cache_of_the_user_s_can_run_no_code(bench):
    cell = "%%checkpoint sums --cache folder\nprint('ran')\ntotal = sum(numbers)"
    bench.run(SETUP, cell)
    [path] = kept(bench)
    whole = path.read_bytes()

    class Trap:
        def __reduce__(self):
            return open, (str(bench.directory / "trapped"), "w")

    for lie in (pickle.dumps(Trap()), whole.replace(b'"label":"sums"', b'"label":"sumz"'), whole[:-1], b""):
        path.write_bytes(lie)
        run = bench.run(SETUP, cell, look=("total",))
        assert (run.outcomes, run.values) == (["computed"], ["3"])
        assert path.read_bytes() != lie  # it was repaired
    assert not (bench.directory / "trapped").exists()


def test_the_cache_and_the_identifier_may_be_settings(bench):
    cell = "%%checkpoint sums\ntotal = sum(numbers)"
    config = SETUP + "\n%config Checkpoint.cache = folder\n%config Checkpoint.identifier = by"
    mapping = SETUP + "\nfrom ipycheckpoint import defaults"
    mapping += "\ndefaults['checkpoint.cache'], defaults['checkpoint.identifier'] = folder, by"
    assert bench.run(config, cell).outcomes == ["computed"]
    assert [path.name for path in kept(bench)] == ["sums of 1"]
    run = bench.run(
        mapping,
        cell,
        "%unload_ext ipycheckpoint\nfrom ipycheckpoint import defaults as d",
        look=("d['checkpoint.cache']",),
    )
    assert (run.outcomes, run.values) == (["restored"], ["None"])


def test_what_a_cache_of_the_user_s_tells_is_listed_and_can_be_forgotten(bench):
    setup = SETUP + "\n%config Checkpoint.cache = folder"
    bench.run(setup, "%%checkpoint one\nx = 1", "%%checkpoint two\ny = 2")
    run = bench.run(setup, "%checkpoint list", "%%checkpoint one\nx = 1", "%checkpoint forget one")
    assert "2 records in Folder" in run.cells[1].text
    assert "one: " in run.cells[1].text
    assert "two: " in run.cells[1].text
    assert "forgot 1 record of one" in run.cells[3].text
    assert len(kept(bench)) == 1


@pytest.mark.parametrize(
    ("broken", "outcome", "because"),
    [
        ("folder.retrieve = fails", "computed", "looking it up failed: Folder.retrieve raised OSError: no"),
        ("folder.save = fails", "refused", ""),
        ("by.identify = fails", "refused", ""),
    ],
)
@pytest.mark.parametrize("on_error", ["warn", "ignore"])
def test_what_fails_in_either_costs_nothing_that_the_cell_did(bench, broken, outcome, because, on_error):
    setup = SETUP + f"\nfrom ipycheckpoint import defaults\ndefaults['checkpoint.on_error'] = {on_error!r}"
    setup += "\ndef fails(*_):\n    raise OSError('no')\n" + broken
    run = bench.run(
        setup, "%%checkpoint sums --cache folder --identifier by\ntotal = sum(numbers)\ntotal", look=("total",)
    )
    cell = run.cells[1]
    assert (run.values, cell.outcome, cell.errors) == (["3"], outcome, [])
    assert because in cell.because
    assert ["result", {"text/plain": "3"}] in cell.outputs


def test_what_fails_before_the_run_may_be_raised(bench):
    setup = SETUP + "\nfrom ipycheckpoint import defaults\ndefaults['checkpoint.on_error'] = 'raise'"
    setup += "\ndef fails(*_):\n    raise OSError('no')\nby.identify = fails\nfolder.retrieve = fails"
    cells = [f"%%checkpoint {how}\ntotal = 1" for how in ("--identifier by", "--cache folder")]
    run = bench.run(setup, *cells, look=("'total' in globals()",))
    assert [cell.errors for cell in run.cells[1:]] == [["CheckpointFailedError"]] * 2
    assert run.values == ["False"]


@pytest.mark.parametrize(
    "line",
    [
        "--cache nowhere",
        "--cache numbers",
        "--identifier numbers",
        "--cache Folder",
        "--cache by",
        "--identifier 5",
        "--identifier by --inputs numbers",
        "--identifier by --cache folder --tags a=b",
    ],
)
def test_what_can_not_work_is_named_and_the_cell_does_not_run(bench, line):
    run = bench.run(SETUP, f"%%checkpoint {line}\nx = 1", look=("'x' in globals()",))
    assert run.cells[1].errors == ["UsageError"]
    assert run.values == ["False"]


def test_a_function_and_a_cell_may_share_a_cache(bench):
    bench.module("plugs", PLUGS + "\nclass Any(Folder):\n    keeps_records = True\n")
    setup = """from plugs import *
from ipycheckpoint import checkpoint
folder = Any()
@checkpoint(cache=folder)
def f(x):
    print('ran f')
    return x + 1
"""
    cells = ["print(f(1))", "%%checkpoint --cache folder\nprint(f(1) + 1)\ny = f(1)"]
    cold, warm = bench.run(setup, *cells, look=("y",)), bench.run(setup, *cells, look=("y",))
    assert cold.cells[1].text == "ran f\n2\n"
    assert warm.cells[1].text == "2\n"
    assert (cold.outcomes, warm.outcomes) == (["computed"], ["restored"])
    assert cold.values == warm.values == ["2"]


def test_a_cell_that_defines_such_a_function_gives_it_back(bench):
    cell = """%%checkpoint
from ipycheckpoint import AutoFuncCallIdentifier, DecoratorCheckpoint
@DecoratorCheckpoint(AutoFuncCallIdentifier(), folder)
def f(x):
    return x + other
"""
    as_text = PLUGS.replace("        assert type(result) is bytes\n", "")
    as_text = as_text.replace("write_bytes(result)", "write_text(repr(result))")
    bench.module("plugs", as_text.replace("return path.read_bytes()", "return eval(path.read_text())"))
    _, cold, warm = bench.twice(SETUP, cell, "print(f(1))")
    assert (cold.outcomes, warm.outcomes) == (["computed"], ["restored"])
    assert cold.cells[2].text == warm.cells[2].text == "4\n"
