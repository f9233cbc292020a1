"""News of checkpoints: told to whoever listens, and costing nobody a result."""

from __future__ import annotations

import asyncio

import pytest

from ipycheckpoint import workspace
from ipycheckpoint.cache.news import Event, News
from ipycheckpoint.errors import CheckpointWarning
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.surfaces.decorator import checkpoint

KEY = Key("0" * 64)


def test_a_run_is_told_of_from_its_beginning_to_its_end() -> None:
    news, heard = News(), []
    news.subscribe(lambda event: heard.append(event.what))
    with news.run("train", KEY, "cell"):
        assert [event.label for event in news.running()] == ["train"]
    assert news.running() == []
    assert heard == ["computing", "ended"]


def test_a_run_that_fails_ends_too() -> None:
    news = News()
    with pytest.raises(ValueError, match="no"), news.run("train", KEY, "cell"):
        raise ValueError("no")
    assert news.running() == []


def test_a_run_ends_once() -> None:
    news, heard = News(), []
    news.subscribe(heard.append)
    end = news.begin("train", KEY, "cell")
    end()
    end()
    assert [event.what for event in heard] == ["computing", "ended"]


def test_a_listener_that_fails_is_told_of_once_and_costs_nothing() -> None:
    news, heard = News(), []

    def broken(event: Event) -> None:
        raise RuntimeError("no screen")

    news.subscribe(broken)
    news.subscribe(heard.append)
    with pytest.warns(CheckpointWarning, match="RuntimeError: no screen"):
        news.tell(Event("kept", "train", KEY))
    news.tell(Event("kept", "train", KEY))
    assert len(heard) == 2


def test_a_function_tells_that_it_is_computing_and_kept_and_restored(tmp_path) -> None:
    with workspace.using(workspace.Workspace({"IPYCHECKPOINT_DIR": str(tmp_path)})) as here:
        heard, running = [], []

        def listen(event):
            heard.append((event.what, event.label))
            running.append([event.label for event in here.news.running()])

        here.news.subscribe(listen)

        @checkpoint(name="double")
        def double(x):
            return 2 * x

        assert [double(2), double(2)] == [4, 4]
        double.forget(2)
        here.close()
    told = [(what, "double") for what in ("computing", "ended", "kept", "restored")]
    assert heard == [*told, ("forgotten", "")]
    assert running == [["double"], [], [], [], []]


def test_a_coroutine_function_tells_that_it_is_computing(tmp_path) -> None:
    with workspace.using(workspace.Workspace({"IPYCHECKPOINT_DIR": str(tmp_path)})) as here:
        heard = []
        here.news.subscribe(lambda event: heard.append(event.what))

        @checkpoint
        async def double(x):
            await asyncio.sleep(0)
            return 2 * x

        assert asyncio.run(double(2)) == 4
        here.close()
    assert heard == ["computing", "ended", "kept"]
