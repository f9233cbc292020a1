"""The documents tell the truth: their code runs, their links lead somewhere, and nothing is left out."""

from __future__ import annotations

import doctest
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import ipycheckpoint
from ipycheckpoint.surfaces.magic import CheckpointMagics
from ipycheckpoint.surfaces.options import help_text
from tools import site

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DOCUMENTS = [
    *(ROOT / name for name in site.PAGES),
    *sorted((ROOT / "docs").rglob("*.md")),
]

# Runs the blocks as cells of one notebook; the first that fails ends it, with its traceback.
RUN_BLOCKS = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for block in json.load(sys.stdin):
    shell.run_cell(block, store_history=True).raise_error()
"""


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def environment_variables(text: str) -> set[str]:
    return set(re.findall(r"\bIPYCHECKPOINT_[A-Z_]*[A-Z]\b", text))


@pytest.mark.parametrize(
    "path",
    [path for path in DOCUMENTS if blocks(path.read_text("utf-8"), "python")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_python_code_of_a_document_runs(path: Path, tmp_path: Path) -> None:
    cells = json.dumps(blocks(path.read_text(encoding="utf-8"), "python"))
    run = subprocess.run([sys.executable, "-c", RUN_BLOCKS], input=cells, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_make_target_of_the_readme_exists() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = re.findall(r"^make ([a-z]+)", "".join(blocks(README, "sh")), flags=re.MULTILINE)
    assert named
    assert set(named) <= set(targets)


def test_every_option_of_the_magic_is_in_the_readme() -> None:
    assert options(help_text())
    assert options(help_text()) <= options(README)


def test_every_option_in_the_readme_is_one_of_the_magic() -> None:
    assert options(README) <= options(CheckpointMagics.checkpoint.__doc__ or "")


def test_every_argument_of_the_decorator_is_in_the_readme() -> None:
    parameters = inspect.signature(ipycheckpoint.checkpoint).parameters.values()
    names = {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    assert names
    assert {name for name in names if f"`{name}`" not in README} == set()


def test_every_public_name_is_in_the_readme() -> None:
    names = set(ipycheckpoint.__all__) - {"__version__", "load_ipython_extension", "unload_ipython_extension"}
    assert {name for name in names if not re.search(rf"\b{name}\b", README)} == set()


def test_every_environment_variable_is_documented() -> None:
    read = {
        name
        for path in (ROOT / "ipycheckpoint").rglob("*.py")
        for name in environment_variables(path.read_text(encoding="utf-8"))
    }
    documented = {name for path in DOCUMENTS for name in environment_variables(path.read_text(encoding="utf-8"))}
    assert read == documented


def test_the_architecture_names_the_rooms_that_there_are() -> None:
    package = ROOT / "ipycheckpoint"
    modules = {path.stem for path in package.glob("*.py") if not path.stem.startswith("__")}
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    assert set(re.findall(r"^\| `(\w+)` \|", ARCHITECTURE, flags=re.MULTILINE)) == modules | rooms


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_valid_and_has_no_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_every_public_name_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    names = set(ipycheckpoint.__all__) - {"__version__", "load_ipython_extension", "unload_ipython_extension"}
    assert sorted(re.findall(r"^::: ipycheckpoint\.(\w+)$", reference, flags=re.MULTILINE)) == sorted(names)


def test_every_document_is_in_the_navigation_of_the_site() -> None:
    """Every page once, those that stand elsewhere by the names that they have there."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(re.findall(r"- (\S+\.md)$", navigation, flags=re.MULTILINE)) == sorted([*pages, *site.PAGES.values()])


def test_the_links_of_a_page_are_those_of_the_site() -> None:
    assert doctest.testmod(site).attempted
    assert not doctest.testmod(site).failed
