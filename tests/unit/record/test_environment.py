from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np  # noqa: F401 - a package that is loaded
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycheckpoint.errors import FormatError
from ipycheckpoint.record import environment
from ipycheckpoint.record.environment import Difference, Environment
from ipycheckpoint.record.failure import LoadFailure

THEN = Environment("3.11.4", "cpython", "linux", "x86_64", {"numpy": "1.26.0", "pandas": "2.0.0"}, "image:1")
NOW = dataclasses.replace(THEN, python="3.13.0", packages={"numpy": "2.0.0"}, image=None)

text = st.text(max_size=8)
environments = st.builds(Environment, text, text, text, text, st.dictionaries(text, text, max_size=3), st.none() | text)


def test_this_process_is_described_with_the_packages_that_it_has_loaded():
    now = Environment.current()
    assert now.python == platform.python_version()
    assert now.packages["numpy"] == metadata.version("numpy")
    assert now.packages["pytest"] == metadata.version("pytest")


def test_a_package_that_is_loaded_later_is_seen():
    code = (
        "from ipycheckpoint.record.environment import Environment\n"
        "assert 'numpy' not in Environment.current().packages\n"
        "import numpy\n"
        "assert 'numpy' in Environment.current().packages\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_the_image_is_the_first_that_a_variable_names(monkeypatch):
    monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "spec")
    monkeypatch.setenv("JUPYTER_IMAGE", "image")
    environment._current.cache_clear()
    assert Environment.current().image == "image"
    environment._current.cache_clear()


@given(environments)
def test_an_environment_comes_back_from_json_with_the_same_digest(environment):
    back = Environment.from_json(environment.to_json())
    assert back == environment
    assert back.digest == environment.digest


@given(environments, environments)
def test_two_environments_have_one_digest_only_if_they_are_equal(one, two):
    assert (one.digest == two.digest) == (one == two)


def test_a_field_from_the_future_is_no_error():
    assert Environment.from_json(json.dumps({**json.loads(THEN.to_json()), "gpu": 1}).encode()) == THEN


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"python": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_environment_is_a_format_error(data):
    with pytest.raises(FormatError):
        Environment.from_json(data)


def test_differences_are_python_and_platform_first_and_then_the_packages_of_then():
    assert THEN.differences(NOW) == [
        Difference("python", "3.11.4", "3.13.0"),
        Difference("image", "image:1", None),
        Difference("numpy", "1.26.0", "2.0.0"),
        Difference("pandas", "2.0.0", None),
    ]
    assert THEN.differences(THEN) == []


def test_a_package_that_is_installed_here_but_not_loaded_is_no_difference():
    now = Environment.current()
    others = {found.name: found.version for found in metadata.distributions() if found.name not in now.packages}
    assert others
    then = dataclasses.replace(now, packages=others)
    assert then.differences(now) == []


def test_the_command_names_python_and_exact_versions():
    assert THEN.rebuild_command(tool="uv") == (
        "uv venv --python 3.11.4 .venv && uv pip install --python .venv numpy==1.26.0 pandas==2.0.0"
    )


def test_uv_makes_it_where_there_is_uv_and_pip_where_there_is_none(monkeypatch):
    monkeypatch.setattr(environment, "uv_path", lambda: "/usr/bin/uv")
    assert THEN.rebuild_command() == THEN.rebuild_command(tool="uv")
    monkeypatch.setattr(environment, "uv_path", lambda: None)
    assert THEN.rebuild_command() == THEN.rebuild_command(tool="pip")


def test_what_installs_itself_is_no_requirement():
    assert dataclasses.replace(THEN, packages={"ipycheckpoint": "0.1", "numpy": "2"}).requirements() == ["numpy==2"]


@pytest.mark.parametrize(
    ("module", "package"),
    [("sklearn.svm", "scikit-learn"), ("numpy", "numpy"), ("scikit_learn", "scikit-learn"), ("shop", None), ("", None)],
)
def test_a_module_is_of_the_package_that_the_environment_had(module, package):
    then = dataclasses.replace(THEN, packages={"numpy": "2", "scikit-learn": "1"})
    assert then.distribution_of(module) == package


def test_a_failure_explains_itself_and_its_repr_is_short(monkeypatch):
    monkeypatch.setattr(environment, "uv_path", lambda: "/bin/uv")
    failure = LoadFailure("model", ImportError("no module named 'x'"), b"raw", NOW, THEN)
    assert repr(failure) == "<LoadFailure model: ImportError>"
    for words in ("`model`", "no module named 'x'", "python 3.11.4 → 3.13.0", "pandas 2.0.0 → absent", "uv venv"):
        assert words in str(failure)


def test_a_failure_in_the_same_environment_says_that_nothing_has_changed():
    assert "are those that saved it" in str(LoadFailure("a", ValueError("x"), b"", THEN, THEN))


def test_a_failure_of_an_unknown_environment_offers_no_command():
    failure = LoadFailure("a", ValueError("x"), b"", NOW)
    assert (failure.differences, failure.command, str(failure)) == ([], None, "`a` can't be loaded: ValueError: x")


def test_a_failure_lists_only_so_many_differences():
    many = {f"package{index}": "1" for index in range(50)}
    failure = LoadFailure("a", ValueError("x"), b"", NOW, dataclasses.replace(NOW, packages=many))
    assert "and 42 more" in str(failure)
