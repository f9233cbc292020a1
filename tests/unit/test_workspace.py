"""One object says where the cache is, what happens at a checkpoint, and which tags are in force."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from types import SimpleNamespace

import pytest

from ipycheckpoint.errors import UsageError
from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.workspace import DIRECTORY, Workspace, check_mode, current, current_tags, parse_duration, tags, using


@pytest.fixture(autouse=True)
def _no_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace())  # type: ignore[arg-type]  # has no __file__
    monkeypatch.chdir(tmp_path)


def test_the_cache_is_where_a_setting_says(tmp_path: Path) -> None:
    here = Workspace({"IPYCHECKPOINT_DIR": "/elsewhere"})
    here.directory = tmp_path / "set"
    assert here.cache_directory() == tmp_path / "set"


def test_else_where_the_environment_says() -> None:
    assert Workspace({"IPYCHECKPOINT_DIR": "/elsewhere"}).cache_directory() == Path("/elsewhere")


def test_else_beside_the_notebook_that_the_front_end_tells(tmp_path: Path) -> None:
    here = Workspace({"JPY_SESSION_NAME": "/other/nb.ipynb"})
    here.notebook = tmp_path / "deep" / "nb.ipynb"
    assert here.cache_directory() == tmp_path / "deep" / DIRECTORY


def test_else_beside_the_notebook_that_the_server_tells(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    here = Workspace({"JPY_SESSION_NAME": str(tmp_path / "deep" / "nb.ipynb")})
    assert here.cache_directory() == tmp_path / "deep" / DIRECTORY


@pytest.mark.parametrize("name", ["deep/nb.ipynb", "a-session-id", ""])
def test_a_session_name_that_leads_nowhere_is_ignored(tmp_path: Path, name: str) -> None:
    assert Workspace({"JPY_SESSION_NAME": name}).cache_directory() == tmp_path / DIRECTORY


def test_else_beside_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = SimpleNamespace(__file__=str(tmp_path / "scripts" / "run.py"))
    monkeypatch.setitem(sys.modules, "__main__", script)  # type: ignore[arg-type]  # all that counts of it
    assert Workspace({}).cache_directory() == tmp_path / "scripts" / DIRECTORY


def test_else_in_the_working_directory_as_it_was_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Workspace({})
    assert here.cache_directory() == tmp_path / DIRECTORY
    (tmp_path / "later").mkdir()
    monkeypatch.chdir(tmp_path / "later")
    assert here.cache_directory() == tmp_path / DIRECTORY


def test_a_directory_has_one_cache(tmp_path: Path) -> None:
    here = Workspace({})
    assert here.cache() is here.cache(tmp_path / DIRECTORY)
    assert here.cache(tmp_path / "other") is not here.cache()
    here.close()


def test_the_mode_is_a_setting_before_the_environment() -> None:
    here = Workspace({"IPYCHECKPOINT_MODE": "read"})
    assert here.mode == "read"
    here.mode = "off"
    assert here.mode == "off"
    here.mode = None
    assert here.mode == "read"


def test_a_mode_that_is_none_is_named_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"mode is 'of'.*on, off, read, refresh"):
        check_mode("of", "mode")


def test_tags_nest_repeat_and_end() -> None:
    with tags(a=1), tags({"b c": 2}, ("a", 3)):
        assert current_tags() == (("a", "1"), ("b c", "2"), ("a", "3"))
    assert current_tags() == ()


def test_tags_follow_a_context_into_a_thread() -> None:
    with tags(a=1), ThreadPoolExecutor(1) as pool:
        assert pool.submit(copy_context().run, current_tags).result() == (("a", "1"),)


@pytest.mark.parametrize("key", ["", "a=b", 1])
def test_a_key_that_cannot_be_a_tags_is_refused(key: object) -> None:
    with pytest.raises(UsageError, match="key of a tag"), tags({key: 1}):  # type: ignore[dict-item]  # that's the point
        pass


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1.5h", 5400), (" 2 w ", 1209600), (30, 30), (0.5, 0.5), ("30m", 1800)]
)
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "d", "1y", "-1d", "1d2h"])
def test_what_is_no_duration_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="no duration"):
        parse_duration(text)


def test_the_latest_explanation_of_each_label_is_remembered() -> None:
    here = Workspace({})
    first, second = Explanation("miss", "a", "1"), Explanation("hit", "b", "2")
    for explanation in (Explanation("miss", "a", "0"), second, first):
        here.remember(explanation)
    assert (here.explanation(), here.explanation("b"), here.explanation("c")) == (first, second, None)
    assert here.labels() == ["b", "a"]


def test_another_workspace_is_used_for_a_while() -> None:
    before = current()
    with using(Workspace({})) as here:
        assert current() is here
    assert current() is before
