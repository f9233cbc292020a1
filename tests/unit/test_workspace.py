"""One object says where the cache is, and what happens at a checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ipycheckpoint.errors import UsageError
from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.store.folder import DIRECTORY
from ipycheckpoint.units import parse_duration
from ipycheckpoint.workspace import Workspace, check_mode, current, using


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


def test_the_limit_of_size_is_the_setting_or_else_the_environments(tmp_path: Path) -> None:
    here = Workspace({"IPYCHECKPOINT_MAX_BYTES": "2MB", "IPYCHECKPOINT_DIR": str(tmp_path)})
    cache = here.cache()
    assert cache.max_bytes == 2_000_000
    here.max_bytes = 5
    assert (cache.max_bytes, here.cache(tmp_path / "other").max_bytes) == (5, 5)
    here.max_bytes = None
    assert cache.max_bytes == 2_000_000
    here.close()


def test_a_limit_that_is_no_size_is_an_error() -> None:
    with pytest.raises(UsageError, match="is no size"):
        Workspace({"IPYCHECKPOINT_MAX_BYTES": "much"}).cache()


def test_who_is_accepted_is_what_the_environment_and_the_settings_say(tmp_path: Path) -> None:
    first, second = Keyring(tmp_path / "first"), Keyring(tmp_path / "second")
    signatures = [ring.sign(b"header") for ring in (first, second)]
    here = Workspace({"IPYCHECKPOINT_ACCEPT": str(first.path)})
    ring = here.cache(tmp_path / "cache").keyring
    assert [ring.verify(b"header", signature) for signature in signatures] == [True, False]
    here.accept = (second.path,)
    assert [ring.verify(b"header", signature) for signature in signatures] == [True, True]
    here.close()


@pytest.mark.parametrize(
    ("environ", "told"),
    [({}, "beside the notebook"), ({"IPYCHECKPOINT_DIR": "x"}, "IPYCHECKPOINT_DIR says so")],
    ids=["none", "environment"],
)
def test_why_the_cache_is_where_it_is_can_be_told(environ: dict[str, str], told: str) -> None:
    here = Workspace(environ)
    assert told in here.why_there()
    here.directory = Path("y")
    assert here.why_there() == "a setting says so"


def test_a_shared_store_has_a_directory_of_its_own_in_front(tmp_path):
    told = {"IPYCHECKPOINT_DIR": str(tmp_path), "IPYCHECKPOINT_STORE": "memory://one"}
    one, other = Workspace(told), Workspace({**told, "IPYCHECKPOINT_STORE": "memory://other"})
    assert one.cache().location == "memory://one"
    assert one.cache() is one.cache("memory://one")
    assert one.cache_directory() == one.cache().directory
    assert one.cache_directory().is_relative_to(tmp_path)
    assert one.cache_directory() != other.cache_directory()
    assert one.why_there() == "IPYCHECKPOINT_STORE says so"


def test_a_setting_of_a_place_goes_before_the_environment(tmp_path):
    here = Workspace({"IPYCHECKPOINT_STORE": "memory://one"})
    here.directory = tmp_path / "own"
    assert here.cache_directory() == tmp_path / "own"
    here.store = "memory://set"
    assert here.cache().location == "memory://set"
    assert here.why_there() == "a setting says so"


@pytest.mark.parametrize(("told", "write"), [({}, "behind"), ({"IPYCHECKPOINT_WRITE": "through"}, "through")])
def test_the_environment_says_when_things_get_to_a_shared_store(told, write):
    assert Workspace(told).write == write


def test_a_way_to_write_that_is_none_is_named():
    with pytest.raises(UsageError, match="IPYCHECKPOINT_WRITE is 'now'"):
        Workspace({"IPYCHECKPOINT_WRITE": "now"}).write
