"""What is published holds all that it needs and nothing else, and works where it is installed."""

from __future__ import annotations

import email
import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import pytest

import ipycheckpoint

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

pytestmark = pytest.mark.slow

LOADED = """
import sys
has_it = "checkpoint" in get_ipython().magics_manager.magics["cell"]
print(sys.modules["ipycheckpoint"].__file__ if has_it else "has it not")
"""

# As in an environment without it, wherever it may be found in this one.
ABSENT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "ipycheckpoint":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


class Built(NamedTuple):
    """What the build made, and where the wheel was installed."""

    names: set[str]
    """Of the files in the wheel, those of the prefix among them by their paths there."""
    metadata: Message
    sdist: set[str]
    """Names of the files in the sdist."""
    prefix: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist and the wheel of this directory, and a prefix with the wheel in it."""
    folder, prefix = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("prefix")
    build = [sys.executable, "-m", "hatchling", "build", "-d", folder, "-t"]
    for target in ("sdist", "wheel"):
        subprocess.run([*build, target], cwd=ROOT, check=True, capture_output=True)
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*install, "--ignore-installed", "--prefix", prefix, wheel], check=True, capture_output=True)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [described] = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(archive.read(described))
    with tarfile.open(sdist) as archive:
        members = {str(PurePosixPath(*PurePosixPath(member.name).parts[1:])) for member in archive if member.isfile()}
    return Built({name.partition(".data/data/")[2] or name for name in names}, metadata, members, prefix)


def packages(prefix: Path) -> Path:
    """Where the prefix has its packages; Debian's Python has another place for them than others."""
    [package] = prefix.rglob("ipycheckpoint/__init__.py")
    return package.parent.parent


def ipython(built: Built, profile: Path) -> str:
    """From which file an IPython with `profile` has the magic, where the installed wheel can be imported."""
    program = f"from IPython import start_ipython; start_ipython(['--no-banner', '-c', {LOADED!r}])"
    run = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "IPYTHONDIR": str(profile.parent), "PYTHONPATH": str(packages(built.prefix))},
        cwd=built.prefix,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    folder = tmp_path / "ipython" / "profile_default"
    (folder / "startup").mkdir(parents=True)
    return folder


def of_package() -> set[str]:
    """The files of the package in this directory."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "ipycheckpoint").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_of_the_package(built: Built) -> None:
    assert {name for name in built.names if name.startswith("ipycheckpoint/")} == of_package()
    assert {"ipycheckpoint/py.typed", "ipycheckpoint/__main__.py"} <= built.names
    assert {f"ipycheckpoint/surfaces/panel/panel.{kind}" for kind in ("js", "css")} <= built.names


def test_the_wheel_holds_nothing_else_but_its_metadata_and_what_is_shared(built: Built) -> None:
    others = {name for name in built.names if not name.startswith("ipycheckpoint/")}
    assert {name for name in others if ".dist-info/" not in name} == {
        "share/ipycheckpoint/README.md",
        "share/ipycheckpoint/ipython_config.py",
        "share/ipycheckpoint/jupyterlab/overrides.json",
        "share/ipycheckpoint/startup/50-ipycheckpoint.py",
    }
    assert {name.rpartition(".dist-info/")[2] for name in others if ".dist-info/" in name} == {
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE",
    }  # fmt: skip


def test_the_sdist_holds_all_that_the_tests_need(built: Built) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    if listed.returncode:
        tracked = of_package() | {"README.md", "LICENSE", "pyproject.toml", "Makefile", "CHANGELOG.md"}
    assert {name for name in tracked - built.sdist if not name.startswith(".ci/")} == set()


def test_the_version_comes_from_one_place(built: Built) -> None:
    assert built.metadata["Version"] == ipycheckpoint.__version__
    assert "version" in PROJECT["dynamic"]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert "\nversion:" not in citation, "it would be a second place"


def test_the_metadata_name_what_it_needs_and_what_it_can_use(built: Built) -> None:
    assert set(built.metadata.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    needed = [line for line in built.metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(needed) == sorted(PROJECT["dependencies"])
    assert built.metadata["Requires-Python"] == PROJECT["requires-python"]


@pytest.mark.parametrize("command", [["-m", "ipycheckpoint"], ["bin/ipycheckpoint"]], ids=["module", "script"])
def test_the_installed_command_answers(built: Built, command: list[str]) -> None:
    *options, last = command
    path = next(iter(built.prefix.rglob(last)), last) if "/" in last else last
    environ = {**os.environ, "PYTHONPATH": str(packages(built.prefix))}
    run = subprocess.run(
        [sys.executable, *options, path, "where", "--json"], cwd=built.prefix, env=environ, capture_output=True
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["directory"] == str(built.prefix / ".ipycheckpoint")


def test_nothing_is_loaded_where_nobody_has_opted_in(built: Built, profile: Path) -> None:
    assert ipython(built, profile) == "has it not"


@pytest.mark.parametrize(
    ("shared", "place"),
    [("startup/50-ipycheckpoint.py", "startup/50-ipycheckpoint.py"), ("ipython_config.py", "ipython_config.py")],
)
def test_a_file_of_the_prefix_loads_the_magic_where_it_is_put_in_a_profile(
    built: Built, profile: Path, shared: str, place: str
) -> None:
    [prefix] = built.prefix.rglob("share/ipycheckpoint")
    (profile / place).write_bytes((prefix / shared).read_bytes())
    assert ipython(built, profile) == str(packages(built.prefix) / "ipycheckpoint" / "__init__.py")


def test_the_startup_file_says_nothing_where_ipycheckpoint_is_not_installed(built: Built, profile: Path) -> None:
    startup = ROOT / "jupyter-config" / "startup" / "50-ipycheckpoint.py"
    (profile / "startup" / "00-absent.py").write_text(ABSENT)
    (profile / "startup" / startup.name).write_bytes(startup.read_bytes())
    assert ipython(built, profile) == "has it not"


def test_the_configuration_lists_each_setting_with_its_default() -> None:
    from traitlets.config import PyFileConfigLoader

    from ipycheckpoint.surfaces.magic import Checkpoint

    config = PyFileConfigLoader("ipython_config.py", str(ROOT / "jupyter-config")).load_config()
    plain = {name: trait.default_value for name, trait in Checkpoint.class_traits(config=True).items()}
    assert dict(config.Checkpoint) == {name: default for name, default in plain.items() if default is not None}


def test_binder_lets_jupyterlab_save_widgets(tmp_path: Path) -> None:
    """``postBuild`` puts its setting where JupyterLab looks for it, in the environment of Binder."""
    environ = {**os.environ, "NB_PYTHON_PREFIX": str(tmp_path)}
    subprocess.run(["bash", "binder/postBuild"], cwd=ROOT, env=environ, check=True, capture_output=True)
    told = json.loads((tmp_path / "share/jupyter/lab/settings/overrides.json").read_text("utf-8"))
    assert told == {"@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True}}
