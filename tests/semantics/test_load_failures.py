"""Records of other Pythons and packages: the header is always readable, good objects load, and failures say what to do.

The specimens are real ones; `tests/specimens/failures/write.py` tells how each was made.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.savefile import read
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.surfaces import files
from tests.semantics.scenes import Program

if TYPE_CHECKING:
    from tests.semantics.shells import Bench

DATA = Path(__file__).parents[1] / "specimens" / "failures" / "data"
SECRET = b"the secret of the specimens: 32+"
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"

# What of each specimen loads wherever it is read, and what doesn't where its packages are those of today.
GOOD = {
    "lambdas-python3.11": ["with_source", "plain"],
    "lambdas-python3.12": ["with_source", "plain"],
    "lambdas-python3.13": ["with_source", "plain"],
    "missing-package": ["plain"],
    "pandas1.5-numpy1.23": ["array", "plain"],
    "python3.9-pandas1.1": ["plain", "array"],
    "renamed": ["plain"],
    "truncated": ["whole"],
}
FAILING = [
    ("missing-package", "version", ModuleNotFoundError),
    ("pandas1.5-numpy1.23", "frame", ModuleNotFoundError),
    ("pandas1.5-numpy1.23", "in_a_dict", ModuleNotFoundError),
    ("python3.9-pandas1.1", "frame", ModuleNotFoundError),
    ("python3.9-pandas1.1", "info", ModuleNotFoundError),
    ("renamed", "order", ModuleNotFoundError),
    ("renamed", "item", ModuleNotFoundError),
    ("truncated", "cut", Exception),
]
PYTHONS = {"python3.9-pandas1.1": "3.9.", "lambdas-python3.12": "3.12.", "lambdas-python3.13": "3.13."}
OTHER_LAMBDAS = [name for name in GOOD if name.startswith("lambdas") and not name.endswith(MINOR)]


def specimen(name: str) -> Any:
    return read(DATA / f"{name}.ckpt", keyring=Keyring(secret=SECRET))


def test_every_specimen_is_looked_at() -> None:
    assert {path.stem for path in DATA.glob("*.ckpt")} == set(GOOD)


@pytest.mark.parametrize("name", GOOD)
def test_the_header_is_readable_with_nothing_but_json(name: str) -> None:
    with (DATA / f"{name}.ckpt").open("rb") as file:
        line = json.loads(file.readline())
    environment = json.loads(line["attached"][line["header"]["environment"]])
    assert environment["python"].startswith(PYTHONS.get(name, "3.11."))
    assert {output["name"] for output in line["header"]["outputs"]} > set(GOOD[name])


@pytest.mark.parametrize("name", GOOD)
def test_the_header_is_readable_whatever_loads(name: str) -> None:
    record = specimen(name)
    assert record.environment.python.startswith(PYTHONS.get(name, "3.11."))
    assert set(record.names()) > set(GOOD[name])
    assert "python=3." in repr(record)


# An array of numpy 1 names a module that numpy 2 knows still, and warns of.
@pytest.mark.filterwarnings("ignore:numpy.core:DeprecationWarning")
@pytest.mark.parametrize("name", GOOD)
def test_the_good_objects_load(name: str) -> None:
    values = specimen(name).load()
    assert [key for key in GOOD[name] if isinstance(values[key], LoadFailure)] == []


@pytest.mark.parametrize(("name", "output", "kind"), FAILING, ids=[f"{name}: {output}" for name, output, _ in FAILING])
def test_what_does_not_load_is_a_failure_that_says_what_and_how(name: str, output: str, kind: type) -> None:
    record = specimen(name)
    failure = record[output]
    assert isinstance(failure, LoadFailure)
    assert isinstance(failure.exception, kind)
    assert failure.then == record.environment
    assert failure.type_name in str(failure)
    assert f"`{output}`" in str(failure)
    assert failure.how_to_load().startswith(("uv venv", "python3.", "# "))
    assert bytes(failure.raw)[:1] == b"\x80" or failure.is_damaged


@pytest.mark.parametrize("name", OTHER_LAMBDAS)
def test_a_lambda_of_another_python_says_which_one_runs_it(name: str) -> None:
    failure = specimen(name)["without_source"]
    assert isinstance(failure, LoadFailure)
    assert f"was kept by Python {name[-4:]} without its source" in str(failure)
    assert failure.differences[0].name == "python"
    assert f" {failure.then.python} " in failure.how_to_load() or f"python{name[-4:]} " in failure.how_to_load()


@pytest.mark.parametrize("name", [name for name in GOOD if name.startswith("lambdas")])
def test_a_lambda_with_its_source_runs_on_every_python(name: str) -> None:
    assert specimen(name)["with_source"](40) == 42


@pytest.mark.parametrize("output", ["frame", "in_a_dict"])
def test_the_packages_of_a_frame_come_first_even_inside_a_dict(output: str) -> None:
    failure = specimen("pandas1.5-numpy1.23")[output]
    first = {difference.name for difference in failure.differences[:3]}
    assert {"pandas", "numpy"} < first
    assert "pandas==1.5.3" in failure.how_to_load()
    assert "numpy==1.23.5" in failure.how_to_load()
    assert "1.5.3" in failure.table()


def test_a_missing_package_is_named_with_its_version() -> None:
    failure = specimen("missing-package")["version"]
    assert failure.differences[0] == ("semver", "3.1.1", None)
    assert "pip install semver==3.1.1" in str(failure)


def test_a_section_that_is_cut_off_needs_a_backup_and_no_environment() -> None:
    assert specimen("truncated")["cut"].how_to_load().startswith("# its bytes are not those that were saved")


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What has become of the modules of `renamed`: one has another class, the other another name."""
    shop = ModuleType("specimen_shop")
    for module in (shop, ModuleType("specimen_store")):
        monkeypatch.setitem(sys.modules, module.__name__, module)
        for name in ("Purchase", "Item"):
            setattr(module, name, type(name, (), {"__module__": module.__name__}))
    return shop


def test_a_class_that_was_renamed_is_named_and_can_be_told(today: ModuleType) -> None:
    failure = specimen("renamed")["order"]
    assert isinstance(failure.exception, AttributeError)
    assert 'moved={"specimen_shop.Order": ' in str(failure)


def test_renamed_and_moved_classes_load_when_their_new_names_are_told(
    today: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    monkeypatch.setenv("IPYCHECKPOINT_SECRET_FILE", str(tmp_path / "secret"))
    moved = {"specimen_shop.Order": "specimen_shop.Purchase", "specimen_stock": "specimen_store"}
    values = files.load(DATA / "renamed.ckpt", moved=moved)
    assert type(values["order"]) is today.Purchase
    assert (values["order"].price, values["item"].name) == (3, "bolt")


def test_one_warning_names_all_that_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    monkeypatch.setenv("IPYCHECKPOINT_SECRET_FILE", str(tmp_path / "secret"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        values = files.load(DATA / "pandas1.5-numpy1.23.ckpt")
    assert len(caught) == 1
    assert "`frame`, `in_a_dict`" in str(caught[0].message)
    assert values["plain"] == {"a": [1, 2.5, None]}


# Functions and cells

THEN = """
class Box:
    def __init__(self, v):
        self.v = v
def box(v):
    return Box(v)
"""
NOW = THEN.replace("Box", "Crate")

FUNCTION = """
import sys
sys.path.insert(0, "site-packages")
import boxes
from ipycheckpoint import checkpoint
@checkpoint
def f(x):
    print("ran")
    return boxes.box(x)
print(f(5).v)
"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    (tmp_path / "site-packages").mkdir()
    return Program(tmp_path)


def install(directory: Path, text: str) -> None:
    (directory / "site-packages").mkdir(exist_ok=True)
    (directory / "site-packages" / "boxes.py").write_text(text)


def past_failures(cache: Path) -> list[Any]:
    opened = Cache.at(cache)
    found = [opened.failure(row.key) for row in opened.rows()]
    opened.close()
    return [failure for failure in found if failure is not None]


def test_a_function_runs_again_after_a_failed_load_and_is_kept_anew(program: Program) -> None:
    program.write(FUNCTION)
    install(program.directory, THEN)
    assert [program.run().lines, program.run().lines] == [["ran", "5"], ["5"]]
    install(program.directory, NOW)
    again = program.run()
    assert again.lines == ["ran", "5"]
    assert "f runs again: `return` (boxes.Box) can't be loaded: AttributeError" in again.complaints
    assert program.run().lines == ["5"]


def test_the_failure_stays_with_the_record_that_took_its_place(program: Program) -> None:
    program.write(FUNCTION)
    install(program.directory, THEN)
    program.run()
    assert past_failures(program.cache) == []
    install(program.directory, NOW)
    program.run()
    [failure] = past_failures(program.cache)
    assert (failure.name, failure.type_name, failure.exception) == ("return", "boxes.Box", "AttributeError")
    assert failure.settled is not None
    assert "ipycheckpoint rescue" in failure.how_to_load


def test_a_failure_is_open_until_the_record_loads_again(program: Program) -> None:
    program.write(FUNCTION.replace("return", "if '--fail' in sys.argv: raise KeyError('here')\n    return"))
    install(program.directory, THEN)
    program.run()
    install(program.directory, NOW)
    process = program.start("--fail")
    _, complaints = process.communicate(timeout=120)
    assert "KeyError: 'here'" in complaints
    assert [failure.settled for failure in past_failures(program.cache)] == [None]
    install(program.directory, THEN)
    assert program.run().lines == ["5"]
    assert [failure.settled is None for failure in past_failures(program.cache)] == [False]


def test_a_process_that_only_reads_notes_nothing(program: Program) -> None:
    program.write(FUNCTION)
    install(program.directory, THEN)
    program.run()
    install(program.directory, NOW)
    assert program.run(IPYCHECKPOINT_MODE="read").lines == ["ran", "5"]
    assert past_failures(program.cache) == []


def test_a_cell_runs_again_after_a_failed_load_and_is_kept_anew(bench: Bench) -> None:
    before = "import sys\nsys.path.insert(0, 'site-packages')\nimport boxes"
    cell = "%%checkpoint\nkept = boxes.box(5)\nprint('ran')"
    install(bench.directory, THEN)
    assert bench.run(before, cell).outcomes == ["computed"]
    install(bench.directory, NOW)
    run = bench.run(before, cell, look=("kept.v", "type(kept).__name__"))
    assert run.outcomes == ["computed"]
    assert "could not be loaded: Can't get attribute 'Box'" in run.cells[1].because
    assert run.values == ["5", "'Crate'"]
    assert bench.run(before, cell, look=("kept.v",)).outcomes == ["restored"]
    [failure] = past_failures(bench.directory / "cache")
    assert failure.name == "kept"


def test_nothing_of_rescue_is_imported_on_a_hit(program: Program) -> None:
    program.write(FUNCTION + "print([n for n in sys.modules if 'rescu' in n or 'portable' in n or 'workshop' in n])")
    install(program.directory, THEN)
    program.run()
    assert program.run().lines == ["5", "[]"]


def test_a_rescued_record_of_then_loads_where_its_python_is_not(tmp_path: Path) -> None:
    """Remains are plain: another process, which has none of the classes, loads them, too."""
    from ipycheckpoint.cache import rescue, savefile, workshop

    work = tmp_path / "work"
    work.mkdir()
    results = rescue.rescue(specimen("renamed"), workshop.GivenInterpreter(sys.executable), work)
    ring = tmp_path / "secret"
    ring.write_bytes(SECRET)
    savefile.save(tmp_path / "new.ckpt", {r.name: r.value for r in results}, keyring=Keyring(secret=SECRET))
    program = "import ipycheckpoint as ck, sys; v = ck.load(sys.argv[1]); print(v['order'].price, v['item'].name)"
    environ = {"IPYCHECKPOINT_SECRET_FILE": str(ring), "PATH": "", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "new.ckpt"], env=environ, capture_output=True, text=True
    )
    assert done.stdout == "3 bolt\n", done.stderr
