"""A cell is run or restored in any namespace, without a shell."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import pytest

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.engine.call import Terms
from ipycheckpoint.engine.cell import Cell
from ipycheckpoint.engine.cellhit import CellHit, look_up_cell
from ipycheckpoint.engine.cellrun import CellRun
from ipycheckpoint.engine.lookup import Miss
from ipycheckpoint.engine.tape import Tape
from ipycheckpoint.identity.cells import identify_cell
from ipycheckpoint.identity.names import of_cell
from ipycheckpoint.record.outcome import Computed, Outcome, Refused, Restored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache.at(tmp_path)
    yield cache
    cache.close()


def cell_of(source: str, namespace: dict[str, Any], **options: Any) -> Cell:
    form = of_cell(ast.parse(source), source)
    return Cell(
        form, identify_cell(form, source, namespace, "cell"), namespace, lambda name: name[:2] != "__", **options
    )


def run(cache: Cache, source: str, namespace: dict[str, Any], terms: Terms | None = None, **options: Any) -> Outcome:
    namespace.setdefault("__name__", "__main__")
    terms = terms or Terms()
    cell = cell_of(source, namespace, **options)
    found = look_up_cell(cache, cell, terms)
    if isinstance(found, CellHit):
        return found.apply()
    running = CellRun(cache, cell, terms, found)
    exec(compile(running.witnessed(ast.parse(source)), "<cell>", "exec"), namespace)
    running.ran()
    return running.finish(None, Tape())


def test_a_cell_is_computed_once_and_then_restored(cache: Cache) -> None:
    assert isinstance(run(cache, "y = [x]", {"x": 1}), Computed)
    namespace = {"x": 1}
    assert isinstance(run(cache, "y = [x]", namespace), Restored)
    assert namespace["y"] == [1]


def test_outputs_are_named_with_their_roles(cache: Cache) -> None:
    outcome = run(cache, "import math\ny = 1\nz = x\nx.append(1)\ndel w", {"x": [], "w": 0})
    assert isinstance(outcome, Computed)
    assert outcome.kept is not None
    roles = {output.name: output.role for output in outcome.kept.outputs}
    assert roles == {"math": "import", "y": "bound", "z": "linked", "w": "deleted", "@[1]": "changed"}


def test_looking_up_touches_nothing(cache: Cache) -> None:
    source = "y = 1\nx.append(2)\ndel w\nimport math"
    run(cache, source, {"x": [1], "w": 0})
    namespace = {"__name__": "__main__", "x": [1], "w": 0}
    before = {**namespace, "x": [1]}
    assert isinstance(look_up_cell(cache, cell_of(source, namespace), Terms()), CellHit)
    assert namespace == before


@pytest.mark.parametrize("mode", ["read", "refresh"])
def test_modes(cache: Cache, mode: Any) -> None:
    run(cache, "y = 1", {}, Terms(mode="read"))
    assert isinstance(run(cache, "y = 1", {}, Terms(mode=mode)), Computed)
    run(cache, "y = 1", {})
    expected = Restored if mode == "read" else Computed
    assert isinstance(run(cache, "y = 1", {}, Terms(mode=mode)), expected)


def test_a_problem_with_keeping_is_an_outcome_that_names_the_variable(cache: Cache) -> None:
    namespace: dict[str, Any] = {}
    outcome = run(cache, "import threading\nlock = [threading.Lock()]", namespace)
    assert isinstance(outcome, Refused)
    assert "`lock" in outcome.reason
    assert "lock" in namespace


def test_a_changed_input_that_cannot_be_kept_goes_by_its_name(cache: Cache) -> None:
    outcome = run(cache, "import threading\nthings.append(threading.Lock())", {"things": []})
    assert isinstance(outcome, Refused)
    assert "`things" in outcome.reason
    assert "@" not in outcome.reason


def test_a_fault_of_a_value_is_an_outcome_too(cache: Cache) -> None:
    class Broken:
        def __reduce__(self) -> Any:
            raise ZeroDivisionError

    outcome = run(cache, "y = make()", {"make": lambda: Broken()})
    assert isinstance(outcome, Refused)


def test_an_expired_record_is_a_miss(cache: Cache) -> None:
    run(cache, "y = 1", {}, Terms(expires_seconds=-1.0))
    found = look_up_cell(cache, cell_of("y = 1", {}), Terms())
    assert isinstance(found, Miss)
    assert "expired" in found.explanation.reason


def test_a_record_that_assumed_another_value_is_a_miss_that_says_so(cache: Cache) -> None:
    source = "def f():\n    global x\n    if flag: x = 1\nf()"
    run(cache, source, {"flag": False, "x": 1})
    found = look_up_cell(cache, cell_of(source, {"flag": False, "x": 2}), Terms())
    assert isinstance(found, Miss)
    assert "`x` is another one" in found.explanation.reason
    assert isinstance(look_up_cell(cache, cell_of(source, {"flag": False, "x": 1}), Terms()), CellHit)


def test_an_import_that_fails_on_a_hit_is_a_miss_and_nothing_is_touched(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    source = "y = 2\nfrom wave import *\nimport wave as w"
    run(cache, source, {})
    monkeypatch.setitem(sys.modules, "wave", None)  # what makes an import of it fail
    warned: list[str] = []
    namespace: dict[str, Any] = {"__name__": "__main__"}
    found = look_up_cell(cache, cell_of(source, namespace), Terms(warn=warned.append))
    assert isinstance(found, Miss)
    assert "wave" in found.explanation.reason
    assert len(warned) == 1
    assert namespace == {"__name__": "__main__"}
