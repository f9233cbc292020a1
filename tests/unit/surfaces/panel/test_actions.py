"""What can be done from a panel, and what it says of how it went."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.surfaces.panel.actions import Actions
from ipycheckpoint.surfaces.panel.activity import Activity
from ipycheckpoint.surfaces.panel.state import State
from tests.contracts.cache_contract import draft
from tests.unit.surfaces.panel.conftest import identity, keep


class Events:
    """IPython's events, as far as they matter here."""

    def __init__(self) -> None:
        self.callbacks = {"pre_run_cell": [], "post_run_cell": []}

    def register(self, event, callback) -> None:
        self.callbacks[event].append(callback)

    def unregister(self, event, callback) -> None:
        self.callbacks[event].remove(callback)

    def trigger(self, event) -> None:
        for callback in self.callbacks[event]:
            callback(None)


@pytest.fixture
def shell():
    return SimpleNamespace(user_ns={}, events=Events())


@pytest.fixture
def actions(cache, shell):
    return Actions(cache, shell, Activity(shell))


def twice(actions, state, intent):
    """Two clicks, the second on what the first one made of the button."""
    armed = actions.act(state, intent)
    return actions.act(armed, {**intent, "armed": armed.armed})


class TestTwoClicks:
    def test_the_first_click_arms_and_the_second_deletes(self, cache, actions) -> None:
        keys = [keep(cache, "train", depth=depth) for depth in (1, 2, 3)]
        state = State(selected=frozenset(keys[:2]))
        armed = actions.act(state, {"do": "delete"})
        assert (armed.armed, len(cache.rows())) == ("delete", 3)
        after = actions.act(armed, {"do": "delete", "armed": "delete"})
        assert [row.key for row in cache.rows()] == [keys[2]]
        assert after.notice.startswith("Deleted 2 checkpoints")
        assert (after.selected, after.armed) == (frozenset(), "")

    def test_a_double_click_on_what_was_not_armed_yet_deletes_nothing(self, cache, actions) -> None:
        state = State(selected=frozenset([keep(cache, "train")]))
        for _ in range(3):
            state = actions.act(state, {"do": "delete"})
        assert len(cache.rows()) == 1

    def test_what_was_disarmed_must_be_armed_again(self, cache, actions) -> None:
        armed = actions.act(State(selected=frozenset([keep(cache, "train")])), {"do": "delete"})
        late = actions.act(actions.act(armed, {"do": "disarm"}), {"do": "delete", "armed": "delete"})
        assert (late.armed, len(cache.rows())) == ("delete", 1)

    def test_details_of_what_is_deleted_are_closed(self, cache, actions) -> None:
        key = keep(cache, "train")
        assert twice(actions, State(selected=frozenset([key]), opened=key), {"do": "delete"}).opened is None

    def test_one_record_is_forgotten(self, cache, actions) -> None:
        after = twice(actions, State(opened=keep(cache, "train")), {"do": "forget"})
        assert (cache.rows(), after.opened, after.notice) == ([], None, "Forgot this checkpoint.")

    def test_nothing_is_deleted_where_nothing_is_selected(self, cache, actions) -> None:
        keep(cache, "train")
        assert twice(actions, State(), {"do": "delete"}) == State()


class TestLoading:
    def load(self, actions, key, name="return", variable="x", **more):
        return actions.act(State(opened=key, **more), {"do": "load", "name": name, "as": variable})

    def test_a_value_is_bound_to_a_name(self, cache, actions, shell) -> None:
        after = self.load(actions, keep(cache, "train", [1, 2]))
        assert shell.user_ns == {"x": [1, 2]}
        assert after.notice == "Loaded as x."

    def test_what_is_there_is_replaced_on_the_second_click_only(self, cache, actions, shell) -> None:
        shell.user_ns["x"] = "mine"
        intent = {"do": "load", "name": "return", "as": "x"}
        armed = actions.act(State(opened=keep(cache, "train", [1, 2])), intent)
        assert (shell.user_ns["x"], armed.armed) == ("mine", "replace x")
        actions.act(armed, {**intent, "armed": "replace x"})
        assert shell.user_ns["x"] == [1, 2]

    def test_arming_one_name_does_not_replace_another(self, cache, actions, shell) -> None:
        shell.user_ns |= {"x": "mine", "y": "mine"}
        armed = self.load(actions, keep(cache, "train", [1, 2]))
        after = actions.act(armed, {"do": "load", "name": "return", "as": "y", "armed": "replace x"})
        assert (shell.user_ns["y"], after.armed) == ("mine", "replace y")

    @pytest.mark.parametrize("variable", ["", "1x", "for", "a b", "a.b"])
    def test_what_is_no_name_is_refused(self, cache, actions, shell, variable) -> None:
        after = self.load(actions, keep(cache, "train"), variable=variable)
        assert after.is_alarming
        assert shell.user_ns == {}

    def test_nothing_is_loaded_while_a_cell_runs(self, cache, actions, shell) -> None:
        key = keep(cache, "train")
        shell.events.trigger("pre_run_cell")
        assert "A cell is running" in self.load(actions, key).notice
        assert shell.user_ns == {}
        shell.events.trigger("post_run_cell")
        self.load(actions, key)
        assert shell.user_ns == {"x": 1}

    def test_a_cell_that_begins_while_it_loads_finds_its_variables_as_they_were(
        self, cache, actions, shell, monkeypatch
    ) -> None:
        key, opened = keep(cache, "train"), cache.open

        def open_and_begin(key):
            shell.events.trigger("pre_run_cell")
            return opened(key)

        monkeypatch.setattr(cache, "open", open_and_begin)
        assert "A cell is running" in self.load(actions, key).notice
        assert shell.user_ns == {}

    def test_a_value_that_is_not_there_is_told(self, cache, actions, shell) -> None:
        after = self.load(actions, keep(cache, "train"), name="nothing")
        assert after.is_alarming
        assert "nothing" in after.notice

    def test_without_a_shell_there_is_nowhere_to_load_to(self, cache) -> None:
        assert self.load(Actions(cache), keep(cache, "train")).is_alarming

    def test_a_load_that_fails_is_told_and_noted(self, cache, actions, shell, monkeypatch) -> None:
        import sys
        import types

        module = types.ModuleType("vanished_module")
        exec("class Model:\n    pass", module.__dict__)
        monkeypatch.setitem(sys.modules, "vanished_module", module)
        key = cache.save(draft(identity("fit", "x"), module.Model())).key
        monkeypatch.delitem(sys.modules, "vanished_module")
        after = self.load(actions, key)
        assert after.is_alarming
        assert "vanished_module" in after.notice
        assert [row.status for row in cache.rows()] == ["failed"]


class TestTheRest:
    def test_a_record_is_pinned_and_unpinned(self, cache, actions) -> None:
        state = State(opened=keep(cache, "train"))
        actions.act(state, {"do": "pin", "on": True})
        assert cache.rows()[0].pinned
        actions.act(state, {"do": "pin", "on": False})
        assert not cache.rows()[0].pinned

    def test_a_stranger_is_trusted_with_two_clicks(self, cache, actions) -> None:
        theirs = Cache.at(cache.directory, keyring=Keyring(secret=b"t" * 32))
        key = theirs.save(draft(identity("train", "x"), 1)).key
        theirs.close()
        assert actions.act(State(opened=key), {"do": "trust"}).armed == "trust"
        assert not cache.upkeep.is_trusted(key)
        assert "signed by you" in twice(actions, State(opened=key), {"do": "trust"}).notice
        assert cache.upkeep.is_trusted(key)

    def test_nothing_of_a_stranger_is_loaded(self, cache, actions, shell) -> None:
        theirs = Cache.at(cache.directory, keyring=Keyring(secret=b"t" * 32))
        key = theirs.save(draft(identity("train", "x"), 1)).key
        theirs.close()
        after = actions.act(State(opened=key), {"do": "load", "name": "return", "as": "x"})
        assert after.is_alarming
        assert shell.user_ns == {}

    def test_a_record_is_verified(self, cache, actions) -> None:
        key = keep(cache, "train")
        assert actions.act(State(opened=key), {"do": "verify"}).notice.startswith("All right")
        cache._store.put(f"records/{key}", [b"garbage"])
        assert actions.act(State(opened=key), {"do": "verify"}).is_alarming

    def test_what_another_process_added_is_found_when_it_is_read_anew(self, cache, actions) -> None:
        key = keep(cache, "train")
        cache.catalogue.remove(key)  # as if it had been copied there
        assert actions.act(State(), {"do": "refresh"}).notice == "Looked anew: 1 checkpoint."
        assert [row.key for row in cache.rows()] == [key]

    def test_whatever_else_is_asked_for_changes_the_view_only(self, actions) -> None:
        assert actions.act(State(), {"do": "search", "text": "x"}) == replace(State(), search="x")

    def test_a_record_that_is_gone_is_told(self, actions) -> None:
        after = actions.act(State(opened="0" * 64), {"do": "load", "name": "return", "as": "x"})
        assert after.is_alarming
