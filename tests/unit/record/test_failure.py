from __future__ import annotations

import dataclasses
import pickle

import pytest

from ipycheckpoint.errors import FormatError, IntegrityError
from ipycheckpoint.record import environment
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.failure import LoadFailure, modules_named

THEN = Environment(
    "3.11.4",
    "cpython",
    "linux",
    "x86_64",
    {"attrs": "23.1", "numpy": "1.23.5", "pandas": "1.5.3", "scikit-learn": "1.2"},
)
NOW = dataclasses.replace(THEN, python="3.13.0", packages={"attrs": "25.1", "numpy": "2.3.1", "pandas": "3.0.1"})
MISSING = ModuleNotFoundError("No module named 'sklearn'", name="sklearn")


@pytest.fixture
def uv(monkeypatch):
    monkeypatch.setattr(environment, "uv_path", lambda: "/usr/bin/uv")


@pytest.fixture
def no_uv(monkeypatch):
    monkeypatch.setattr(environment, "uv_path", lambda: None)


def failure(exception=MISSING, raw=b"", **more):
    return LoadFailure("model", exception, raw, NOW, THEN, **more)


def order(failed):
    return [difference.name for difference in failed.differences]


def test_the_package_that_the_exception_names_comes_first():
    assert order(failure()) == ["scikit-learn", "python", "attrs", "numpy", "pandas"]


def test_a_package_whose_module_an_attribute_error_names_comes_first():
    problem = AttributeError("module 'pandas.core.internals' has no attribute 'X'")
    assert order(failure(problem))[0] == "pandas"


def test_the_package_of_the_failing_type_comes_next():
    failed = failure(AttributeError("Can't get attribute 'X' on <module 'numpy.core' from 'x'>"), type_name="attr.A")
    assert order(failed)[:2] == ["numpy", "attrs"]


def test_packages_that_the_stream_names_come_before_the_others():
    raw = pickle.dumps(("x",)) + pickle.dumps(["pandas.core.frame", "DataFrame"])
    assert order(failure(ValueError("x"), raw))[0] == "pandas"


def test_the_module_that_raised_counts():
    numpy = pytest.importorskip("numpy")
    with pytest.raises(numpy.linalg.LinAlgError) as raised:
        numpy.linalg.inv(numpy.zeros((2, 3)))
    assert order(failure(raised.value))[0] == "numpy"


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x80\x05", b"no pickle", pickle.dumps("pandas.core")[:-4], memoryview(b"\x80\x05\x8c\xff")],
    ids=["empty", "cut off", "nonsense", "no end", "a wrong length"],
)
def test_a_stream_that_is_no_pickle_names_what_can_be_read(raw):
    assert set(modules_named(raw)) <= {"pandas.core"}


def test_the_modules_of_a_stream_are_found_without_running_it():
    class Bomb:
        def __reduce__(self):
            return print, ("loaded",)

    assert "builtins" in modules_named(pickle.dumps(("x",)) + pickle.dumps(Bomb()))


def test_how_to_load_makes_the_environment_with_uv_and_rescues_with_it(uv):
    assert failure(origin="a b.ckpt").how_to_load() == (
        "uv venv --python 3.11.4 .venv-rescue && uv pip install --python .venv-rescue "
        "attrs==23.1 numpy==1.23.5 pandas==1.5.3 scikit-learn==1.2 && "
        "ipycheckpoint rescue 'a b.ckpt' --python .venv-rescue/bin/python"
    )


def test_without_uv_it_is_made_with_venv_and_pip(no_uv):
    words = failure(origin="a.ckpt").how_to_load()
    assert words.startswith("python3.11 -m venv .venv-rescue && .venv-rescue/bin/python -m pip install attrs==23.1 ")


def test_a_failure_without_a_place_still_tells_how_to_make_the_environment(uv):
    assert failure().how_to_load() == THEN.rebuild_command(directory=".venv-rescue")


@pytest.mark.parametrize("problem", [FormatError("cut off"), IntegrityError("section 0", "a" * 64, "b" * 64)])
def test_damaged_bytes_are_no_matter_of_environments(problem):
    failed = failure(problem, origin="a.ckpt")
    assert failed.how_to_load().startswith("# ")
    assert "from a backup" in str(failed)
    assert "ipycheckpoint rescue" not in str(failed)


def test_a_record_that_knows_no_environment_has_no_command():
    assert LoadFailure("a", MISSING, b"", NOW, origin="a.ckpt").how_to_load().startswith("# ")


def test_a_missing_package_is_told_with_the_version_that_it_had():
    assert "pip install scikit-learn==1.2" in str(failure())


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        (AttributeError("Can't get attribute 'Order' on <module 'shop' from '/home/shop.py'>"), "shop.Order"),
        (ModuleNotFoundError("No module named 'shop.old'", name="shop.old"), "shop.old"),
    ],
)
def test_a_name_of_the_users_own_that_is_gone_may_have_moved(problem, name):
    assert f'moved={{"{name}": ' in str(failure(problem))


def test_a_name_of_a_package_has_not_moved_by_the_users_hand():
    assert "moved=" not in str(failure())


def test_the_table_tells_then_and_now():
    lines = failure().table().splitlines()
    assert lines[0].split() == ["then", "now"]
    assert lines[1].split() == ["scikit-learn", "1.2", "absent"]
    assert len({len(line.rstrip()[: line.rindex("  ")]) for line in lines[1:]}) == 1, "columns begin at one place"


def test_the_summary_tells_what_failed_and_what_has_changed_and_no_more():
    lines = failure(origin="a.ckpt").summary.splitlines()
    assert lines[0] == "`model` can't be loaded: ModuleNotFoundError: No module named 'sklearn'"
    assert lines[1].startswith("changed since it was saved: scikit-learn 1.2 → absent, python 3.11.4 → 3.13.0")
    assert len(lines) == 2


def test_a_table_without_a_row_says_so():
    assert LoadFailure("a", MISSING, b"", THEN, THEN).table() == "Python, platform and packages are those that saved it"
    assert "doesn't say which environment" in LoadFailure("a", MISSING, b"", NOW).table()


def test_what_is_shown_in_a_notebook_is_escaped():
    hostile = "<script>alert(1)</script>"
    then = dataclasses.replace(THEN, python=hostile, packages={hostile: hostile})
    failed = LoadFailure(hostile, ValueError(hostile), b"", NOW, then, (hostile,), hostile, hostile)
    assert "<script>" not in failed._repr_html_()
    assert "&lt;script&gt;" in failed._repr_html_()


def test_what_a_command_is_made_of_is_quoted_for_the_shell(uv):
    then = dataclasses.replace(THEN, python="3; rm x", packages={"a": "1; rm y"})
    command = LoadFailure("a", MISSING, b"", NOW, then, origin="$(rm z)").how_to_load()
    assert "'3; rm x'" in command
    assert "'a==1; rm y'" in command
    assert "'$(rm z)'" in command
