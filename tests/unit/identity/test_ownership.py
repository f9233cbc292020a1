"""Whose is a module?"""

from __future__ import annotations

import sys
import sysconfig
import types
from typing import TYPE_CHECKING

import pytest

from ipycheckpoint.identity import ownership
from ipycheckpoint.identity.ownership import is_shells_own, is_users, is_users_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "name", ["json", "os", "sys", "builtins", "importlib._bootstrap", "pytest", "ipycheckpoint.digest", "json.x"]
)
def test_the_standard_library_installed_packages_and_we_are_not_the_users(name: str) -> None:
    assert not is_users(name)


@pytest.mark.parametrize("name", ["__main__", "__mp_main__", None, "made.on.the.fly", __name__])
def test_the_script_and_what_stands_beside_it_are_the_users(name: str | None) -> None:
    assert is_users(name)


def test_an_editable_install_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is imported from where it is edited, which is no site-packages."""
    module = types.ModuleType("editable")
    module.__file__ = str(tmp_path / "src" / "editable" / "__init__.py")
    monkeypatch.setitem(sys.modules, "editable", module)
    assert is_users("editable")


def test_an_installed_package_is_not_the_users_wherever_its_environment_is(tmp_path: Path) -> None:
    assert not is_users_file(str(tmp_path / ".venv" / "lib" / "python3.12" / "site-packages" / "x" / "__init__.py"))
    assert not is_users_file("/usr/lib/python3/dist-packages/x.py")


@pytest.mark.parametrize("implementation", [sys.implementation.name, "another"])
def test_the_standard_library_is_where_sysconfig_says(implementation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.implementation, "name", implementation)
    ownership._standard_library.cache_clear()
    paths = sysconfig.get_paths()
    assert set(ownership._standard_library()) == {paths["stdlib"], paths["platstdlib"]}


@pytest.mark.parametrize(
    "name", ["_", "___", "_12", "_i", "_i3", "_ii", "_iii", "_ih", "_oh", "_dh", "In", "Out", "_exit_code", "__doc__"]
)
def test_what_a_shell_keeps_is_its_own(name: str) -> None:
    assert is_shells_own(name)


@pytest.mark.parametrize("name", ["In_", "Out1", "_private", "_i3x", "x", "", "_1a", "__x", "_in", "i", "Input"])
def test_any_other_name_is_the_users(name: str) -> None:
    assert not is_shells_own(name)
