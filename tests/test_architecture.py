"""The shape of the package: imports go one way, and the public face is exact."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ipycheckpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).resolve().parent.parent / "ipycheckpoint"
ROOT = "ipycheckpoint"

# Lowest first: a module may import its own layer and the ones before it.
LAYERS = (
    {"__about__", "errors", "progress", "digest", "units"},
    {"store"},
    {"identity"},
    {"record"},
    {"cache"},
    {"engine"},
    {"tagging"},
    {"workspace"},
    {"surfaces"},
    {"", "__main__"},  # the root itself, and `python -m ipycheckpoint`
)
LEVELS = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}

FRONT_ENDS = {"IPython", "anywidget", "ipykernel", "ipywidgets", "jupyter_client", "jupyter_core", "traitlets"}
OPTIONAL = {
    "PIL", "attr", "attrs", "dill", "fsspec", "matplotlib", "numpy", "pandas", "polars", "pyarrow", "pydantic",
    "scipy", "sklearn", "torch",
}  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One module that an import statement names."""

    target: str
    line: int
    at_run_time: bool
    """False under ``if TYPE_CHECKING``."""
    at_import: bool
    """False inside a function, too."""


def imports(source: str, module: str, *, is_package: bool = False) -> list[Import]:
    """All imports of a module, wherever they stand."""

    def walk(node: ast.AST, at_run_time: bool, in_function: bool) -> Iterator[Import]:
        at_import = at_run_time and not in_function
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, at_run_time, at_import)
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                package = module.split(".") if is_package else module.split(".")[:-1]
                above = package[: len(package) - node.level + 1]
                start = ".".join([*above, start] if start else above)
            # `from package import module` imports the module: as far as names tell, each may be one.
            for alias in node.names:
                yield Import(f"{start}.{alias.name}", node.lineno, at_run_time, at_import)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                yield from walk(child, False, in_function)
            for child in node.orelse:
                yield from walk(child, at_run_time, in_function)
        else:
            inside = in_function or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            for child in ast.iter_child_nodes(node):
                yield from walk(child, at_run_time, inside)

    return list(walk(ast.parse(source), True, False))


def room_of(target: str) -> str:
    parts = target.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LEVELS else ""


def offences(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What a module of the package imports and must not."""
    room = room_of(module)
    found = []
    for entry in imports(source, module, is_package=is_package):
        top = entry.target.split(".")[0]
        if top == ROOT and LEVELS[room_of(entry.target)] > LEVELS[room]:
            found.append(f"{module}:{entry.line} imports {entry.target}, which stands above it")
        if top in FRONT_ENDS and LEVELS[room] < LEVELS["surfaces"] and entry.at_run_time:
            found.append(f"{module}:{entry.line} imports {top} below the surfaces")
        if top in OPTIONAL and entry.at_import:
            found.append(f"{module}:{entry.line} imports {top} before it is needed")
    return found


def modules() -> list[str]:
    paths = sorted(path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return [".".join(path.parts).removesuffix(".__init__") for path in paths]


def source_of(module: str) -> tuple[str, bool]:
    path = PACKAGE.parent.joinpath(*module.split("."))
    is_package = path.is_dir()
    return (path / "__init__.py" if is_package else path.with_suffix(".py")).read_text(encoding="utf-8"), is_package


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_what_stands_below_it(module: str) -> None:
    source, is_package = source_of(module)
    assert offences(source, module, is_package=is_package) == []


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms - {"__init__"} <= LEVELS.keys()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ipycheckpoint.store.directory", "from ipycheckpoint.record.record import Header"),
        ("ipycheckpoint.store.directory", "def f():\n    from ipycheckpoint.cache import cache"),
        ("ipycheckpoint.store.directory", "from ..record import record"),
        ("ipycheckpoint.identity.code", "if TYPE_CHECKING:\n    from ipycheckpoint.engine.run import Run"),
        ("ipycheckpoint.engine.run", "import ipycheckpoint"),
        ("ipycheckpoint.surfaces.magic", "from ipycheckpoint import checkpoint"),
        ("ipycheckpoint.surfaces.magic", "from .. import checkpoint"),
        ("ipycheckpoint.engine.cell", "def f():\n    from IPython.core import magic"),
        ("ipycheckpoint.workspace", "import traitlets"),
        ("ipycheckpoint.identity.kinds.arrays", "import numpy as np"),
        ("ipycheckpoint.record.codec", "try:\n    import dill\nexcept ImportError:\n    dill = None"),
    ],
)
def test_an_import_that_runs_back_up_is_found(module: str, source: str) -> None:
    assert len(offences(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ipycheckpoint.record.record", "from ipycheckpoint.identity.identity import Key"),
        ("ipycheckpoint.identity.code", "from . import scopes"),
        ("ipycheckpoint.surfaces.magic", "from IPython.core import magic"),
        ("ipycheckpoint.identity.kinds.arrays", "def f():\n    import numpy as np"),
        ("ipycheckpoint.identity.kinds.arrays", "if TYPE_CHECKING:\n    import numpy as np"),
        ("ipycheckpoint", "from ipycheckpoint.surfaces.decorator import checkpoint"),
    ],
)
def test_an_import_that_runs_down_is_fine(module: str, source: str) -> None:
    assert offences(source, module) == []


def test_the_public_names_are_sorted() -> None:
    assert list(ipycheckpoint.__all__) == sorted(ipycheckpoint.__all__)


@pytest.mark.parametrize("name", getattr(ipycheckpoint, "__all__", ()))
def test_a_public_name_can_be_had(name: str) -> None:
    assert getattr(ipycheckpoint, name) is not None


def test_public_names_are_all_that_the_root_binds() -> None:
    """Lazy names, too: a type checker sees them through imports under ``if TYPE_CHECKING``."""
    source, _ = source_of(ROOT)
    bound: set[str] = set()
    statements = list(ast.parse(source).body)
    for node in statements:  # grows while we walk
        if isinstance(node, ast.If):
            statements += [*node.body, *node.orelse]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == ROOT:
            bound |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            bound |= {target.id for target in targets if isinstance(target, ast.Name)}
    hooks = {"load_ipython_extension", "unload_ipython_extension"}  # IPython's own names, not for users
    public = {name for name in bound if not name.startswith("_")}
    assert public - hooks == {name for name in ipycheckpoint.__all__ if not name.startswith("_")} - hooks


def test_lazy_names_show_up_in_dir() -> None:
    assert set(ipycheckpoint.__all__) <= set(dir(ipycheckpoint))
