"""Whose is a module?"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

import pytest

from ipycheckpoint.identity.ownership import is_users, is_users_file

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
