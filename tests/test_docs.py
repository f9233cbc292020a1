"""The documents tell the truth: their code runs, their links lead somewhere, and nothing is left out."""

from __future__ import annotations

import doctest
import inspect
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import ipycheckpoint
from ipycheckpoint.surfaces import cli
from ipycheckpoint.surfaces.magic import Checkpoint, CheckpointMagics
from ipycheckpoint.surfaces.options import help_text
from tools import excerpt, site

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
OPTIONS = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
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


def test_the_short_table_of_the_readme_has_the_rows_of_the_long_one() -> None:
    """``python -m tools.excerpt`` sees to it."""
    page = excerpt.PAGE.read_text(encoding="utf-8")
    table = README.partition("## Beside others")[2].partition("\n## ")[0]
    titles = [excerpt.title(line) for line in table.splitlines() if line.startswith("| ")]
    assert titles
    assert doctest.testmod(excerpt) == (0, 2)
    assert set(titles) <= {excerpt.title(line) for line in page.splitlines() if line.startswith("| ")}
    assert excerpt.renewed(README, page) == README


def shell_commands(text: str) -> list[str]:
    """The arguments of each ``ipycheckpoint …`` that a document names or has somebody type."""
    typed = "".join(blocks(text, "sh") + blocks(text, "text"))
    lines = re.findall(r"^(?:\$ )?ipycheckpoint ([a-z][^\n#>\\|]*)", typed, flags=re.MULTILINE)
    return [*lines, *re.findall(r"`ipycheckpoint ([a-z][^`\n…]*)`", text)]


@pytest.mark.parametrize(
    "path",
    [path for path in DOCUMENTS if shell_commands(path.read_text("utf-8"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_shell_commands_of_a_document_are_ones(path: Path) -> None:
    parser = cli.parser()
    for line in shell_commands(path.read_text(encoding="utf-8")):
        try:
            parser.parse_args(shlex.split(line))
        except SystemExit:
            # Where a command alone is named, what it needs may be left out.
            assert line.strip() in {command.name for command in cli.COMMANDS}, line


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_is_named_exists(text: str) -> None:
    targets = re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE)
    named = re.findall(r"^make ([a-z]+)", "".join(blocks(text, "sh")), flags=re.MULTILINE)
    assert named
    assert set(named) <= set(targets)


@pytest.mark.parametrize("text", [MAKEFILE, CONTRIBUTING], ids=["Makefile", "CONTRIBUTING.md"])
def test_every_test_that_somebody_is_told_to_run_is_there(text: str) -> None:
    named = re.findall(r"pytest .*?\b(tests/[\w/.]+)", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_option_of_the_magic_has_a_row() -> None:
    table = set(re.findall(r"^\| `(--[a-z-]+)", OPTIONS, flags=re.MULTILINE))
    assert table
    assert table == options(help_text())


@pytest.mark.parametrize("text", [README, OPTIONS], ids=["README.md", "options.md"])
def test_every_option_that_is_named_is_one_of_the_magic(text: str) -> None:
    assert options(text) <= options(CheckpointMagics.checkpoint.__doc__ or "")


def test_every_line_of_the_magic_has_a_row() -> None:
    documented = set(re.findall(r"^\| `%checkpoint (\w+)", OPTIONS, flags=re.MULTILINE))
    helped = set(re.findall(r"^  %checkpoint (\w+)", CheckpointMagics.checkpoint.__doc__ or "", flags=re.MULTILINE))
    assert helped
    assert documented == helped


def test_every_setting_of_the_extension_is_documented() -> None:
    names = set(Checkpoint.class_own_traits(config=True))
    assert names
    assert names == set(re.findall(r"`(?:%config )?Checkpoint\.(\w+)", OPTIONS))


def test_every_default_that_has_an_effect_has_a_row() -> None:
    without_effect = {"cache.pickle_protocol", "hash.algorithm", "hash.pickle_protocol"}
    documented = set(re.findall(r"^\| `(\w+\.[\w.]+)`(?:, `(\w+\.[\w.]+)`)? \|", OPTIONS, flags=re.MULTILINE))
    assert {name for names in documented for name in names if name} == set(ipycheckpoint.defaults) - without_effect


def test_every_argument_of_the_decorator_has_a_row() -> None:
    parameters = inspect.signature(ipycheckpoint.checkpoint).parameters.values()
    names = {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    assert names
    assert {name for name in names if f"`{name}`" not in OPTIONS} == set()


def test_every_method_of_a_checkpointed_function_has_a_row() -> None:
    methods = {name for name, _ in inspect.getmembers(ipycheckpoint.CheckpointedFunction, inspect.isfunction)}
    documented = set(re.findall(r"`f\.(\w+)\(", OPTIONS))
    # `depends` is asked by our own identity of whatever calls the function.
    assert documented == {name for name in methods if not name.startswith("_")} - {"depends"}


def test_every_public_name_is_told_of_beside_the_reference() -> None:
    names = set(ipycheckpoint.__all__) - {"__version__", "load_ipython_extension", "unload_ipython_extension"}
    told = "".join(path.read_text("utf-8") for path in DOCUMENTS if path.name not in {"reference.md", "CHANGELOG.md"})
    assert {name for name in names if not re.search(rf"\b{name}\b", told)} == set()


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


# Names for annotations have no docstring of their own, and IPython calls the other two.
WITHOUT_EXAMPLE = {"ContextId", "Digest", "Key", "ReturnValue", "__version__"} | {
    "load_ipython_extension",
    "unload_ipython_extension",
}


@pytest.mark.parametrize("name", sorted(set(ipycheckpoint.__all__) - WITHOUT_EXAMPLE))
def test_every_public_name_has_a_docstring_with_an_example(name: str) -> None:
    text = inspect.getdoc(getattr(ipycheckpoint, name)) or ""
    assert len(text.splitlines()[0]) <= 120
    assert ">>> " in text


def test_every_document_is_in_the_navigation_of_the_site() -> None:
    """Every page once, those that stand elsewhere by the names that they have there."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    found = re.findall(r"[-:] (\S+\.md)$", navigation, flags=re.MULTILINE)
    assert sorted(found) == sorted([*pages, *site.PAGES.values()])


def test_the_links_of_a_page_are_those_of_the_site() -> None:
    assert doctest.testmod(site).attempted
    assert not doctest.testmod(site).failed
