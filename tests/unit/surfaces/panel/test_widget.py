"""The widget in the kernel: what it sends, and when. What a browser makes of it is a matter of `tests/e2e`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ipycheckpoint.cache.base import CacheBase
from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.errors import CheckpointNotExist
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.surfaces.decorator import checkpoint
from ipycheckpoint.surfaces.panel import close_panels, panel
from tests.unit.surfaces.panel.conftest import keep

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def live(cache) -> Iterator[Any]:
    """A panel of a cache with one record, that is shown in one place."""
    keep(cache, "train")
    live = panel()
    say(live, do="hello")
    yield live
    live.close()


def say(live: Any, **intent: Any) -> None:
    live._receive(live, intent, [])


def labels(live: Any) -> list[str]:
    return [row["label"] for row in live.view["rows"]]


def wait_for(condition) -> None:
    """News may take a moment."""
    for _ in range(200):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it never came")


def test_it_has_its_first_view_at_once(cache) -> None:
    keep(cache, "train")
    live = panel()
    assert labels(live) == ["train"]
    live.close()


def test_a_panel_of_another_directory_is_had_by_its_path(cache, tmp_path) -> None:
    other = Cache.at(tmp_path / "other")
    keep(other, "elsewhere")
    other.close()
    live = panel(tmp_path / "other")
    assert labels(live) == ["elsewhere"]
    live.close()


def test_a_cache_of_the_users_own_shows_what_is_known_of_it() -> None:
    class DictCache(CacheBase):
        def __init__(self):
            self.results = {}

        def save(self, context_id, result):
            self.results[context_id] = result

        def retrieve(self, context_id):
            if context_id not in self.results:
                raise CheckpointNotExist
            return self.results[context_id]

    own = DictCache()

    @checkpoint(name="double", cache=own)
    def double(x):
        return 2 * x

    assert double(21) == 42
    live = panel(own)
    assert labels(live) == ["double"]
    say(live, do="open", key=live.view["rows"][0]["key"])
    assert live.details["loadable"] == []
    live.close()


def test_what_is_asked_for_is_shown(live) -> None:
    say(live, do="search", text="zebra")
    assert live.view["condition"] == "no match"
    say(live, do="clear")
    say(live, do="open", key=live.view["rows"][0]["key"])
    assert live.details["label"] == "train"


@pytest.mark.parametrize("content", [None, "x", [], {"do": ["x"]}, {"do": "open", "key": 7}])
def test_what_makes_no_sense_does_no_harm(live, content) -> None:
    live._receive(live, content, [])
    assert labels(live) == ["train"]


def test_each_message_is_answered_with_its_number(live, monkeypatch) -> None:
    sent = []
    monkeypatch.setattr(type(live), "send", lambda self, content, buffers=None: sent.append(content))
    say(live, do="look", number=7)
    assert sent == [{"done": 7}]


def test_what_is_kept_appears_without_being_asked_for(cache, live) -> None:
    keep(cache, "evaluate")
    wait_for(lambda: "evaluate" in labels(live))
    wait_for(lambda: live.view["notice"] == "evaluate kept.")


def test_what_runs_is_shown_from_its_beginning(cache, live) -> None:
    end = cache.news.begin("slow", Key("0" * 64), "cell")
    wait_for(lambda: [run["label"] for run in live.view["running"]] == ["slow"])
    end()
    wait_for(lambda: live.view["running"] == [])


def test_many_news_at_once_are_few_updates_and_the_last_one_is_among_them(cache, live) -> None:
    updates = []
    live.observe(lambda change: updates.append(change["new"]), "view")
    [row] = cache.rows()
    header = cache.header(row.key)
    for _ in range(500):
        cache.count_hit(header, 0.01)
    wait_for(lambda: live.view["rows"][0]["hits"] == "500")
    assert len(updates) < 50


def test_news_do_not_wait_for_a_panel_that_is_busy(cache, live) -> None:
    done = threading.Event()
    with live._lock:
        thread = threading.Thread(target=lambda: (keep(cache, "meanwhile"), done.set()))
        thread.start()
        assert done.wait(20)
    thread.join()
    wait_for(lambda: "meanwhile" in labels(live))


def test_what_other_processes_did_is_seen_when_somebody_looks(cache, live) -> None:
    code = (
        "from ipycheckpoint.surfaces.decorator import checkpoint\n"
        f"@checkpoint(name='theirs', store={str(cache.directory)!r})\n"
        "def theirs(): return 1\n"
        "theirs()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    say(live, do="look")
    assert "theirs" in labels(live)


def test_a_cache_has_one_panel_for_all_places(cache, live) -> None:
    assert panel() is live
    live.close()
    other = panel()
    assert other is not live
    other.close()


def test_a_panel_that_is_shown_nowhere_hears_nothing(cache, live) -> None:
    say(live, do="hello")
    say(live, do="bye")
    assert cache.news.is_heard
    say(live, do="bye")
    say(live, do="bye")
    assert not cache.news.is_heard
    say(live, do="hello")
    assert cache.news.is_heard


def test_panels_go_with_the_extension(cache, live) -> None:
    close_panels()
    assert not cache.news.is_heard
    assert panel() is not live
    close_panels()


def test_a_closed_panel_hears_nothing_more(cache, live) -> None:
    live.close()
    assert not cache.news.is_heard


def test_messages_in_many_threads_leave_a_whole_view(cache, live) -> None:
    for number in range(5):
        keep(cache, "train", number=number)
    problems = []

    def work(number: int) -> None:
        try:
            for step in range(10):
                say(live, do="sort", by=["hits", "nbytes", "label"][(step + number) % 3])
                say(live, do="select", keys=[live.view["rows"][0]["key"]], on=step % 2 == 0)
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(live.view["rows"]) == 6


def test_the_bundle_has_a_widget_and_the_facts_in_html_and_text(live) -> None:
    data, _ = live._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= data.keys()
    assert "train" in data["text/html"]
    assert "train" in data["text/plain"]


def test_on_colab_it_turns_on_the_manager_of_custom_widgets_and_names_it(cache, monkeypatch) -> None:
    turned_on, view = [], "application/vnd.jupyter.widget-view+json"
    colab = ModuleType("google.colab.output")
    colab.enable_custom_widget_manager = lambda: turned_on.append(True)
    colab._widgets = SimpleNamespace(_installed_url="https://manager.example/manager.js")
    monkeypatch.setitem(sys.modules, colab.__name__, colab)
    live = panel()
    _, metadata = live._repr_mimebundle_()
    live.close()
    assert turned_on == [True]
    assert metadata[view]["colab"]["custom_widget_manager"]["url"] == "https://manager.example/manager.js"


def test_in_a_terminal_it_is_a_table(cache) -> None:
    program = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_cell('%load_ext ipycheckpoint').raise_error()\n"
        "shell.run_cell('import ipycheckpoint; ipycheckpoint.panel()').raise_error()\n"
    )
    keep(cache, "train")
    environ = {**os.environ, "IPYCHECKPOINT_DIR": str(cache.directory)}
    run = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert "● kept" in run.stdout
    assert "Panel(" not in run.stdout


def test_neither_the_import_nor_the_extension_loads_what_only_a_panel_needs(tmp_path) -> None:
    program = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_cell('%load_ext ipycheckpoint').raise_error()\n"
        "shell.run_cell('%%checkpoint one\\nx = 1').raise_error()\n"
        "print([name for name in ('anywidget', 'ipywidgets') if name in sys.modules])\n"
    )
    environ = {**os.environ, "IPYCHECKPOINT_DIR": str(tmp_path / "cache")}
    run = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
