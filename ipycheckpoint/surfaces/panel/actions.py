"""What can be done from a panel: forget, pin, trust, verify, load. Each gives the State that tells how it went."""

from __future__ import annotations

import keyword
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ipycheckpoint.errors import CheckpointError
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.surfaces.badge import bytes_in_words
from ipycheckpoint.surfaces.panel.words import counted

if TYPE_CHECKING:
    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.identity.identity import Key
    from ipycheckpoint.surfaces.panel.activity import Activity
    from ipycheckpoint.surfaces.panel.state import Intent, State


class Actions:
    """Does to `cache`, and to the namespace of `shell`, what a user asks for in a panel."""

    def __init__(self, cache: Cache, shell: Any = None, activity: Activity | None = None) -> None:
        self._cache, self._shell, self._activity = cache, shell, activity

    def act(self, state: State, intent: Intent) -> State:
        """The State after `intent`. Raises nothing: what went wrong is its notice.

        What can't be undone takes two clicks: the first one arms. The second one must come from a button that was
        drawn as armed, so that an impatient double click does nothing.
        """
        try:
            return self._act(state, intent)
        except (CheckpointError, KeyError) as problem:
            said = problem.args[0] if isinstance(problem, KeyError) and problem.args else problem
            return replace(state, armed="").saying(str(said), alarming=True)

    def _act(self, state: State, intent: Intent) -> State:
        confirmed = bool(state.armed) and intent.get("armed") == state.armed
        match intent:
            case {"do": "delete"} if state.selected:
                return self._delete(state) if confirmed else replace(state, armed="delete")
            case {"do": "forget"} if state.opened:
                return self._forget(state, state.opened) if confirmed else replace(state, armed="forget")
            case {"do": "trust"} if state.opened:
                return self._trust(state, state.opened) if confirmed else replace(state, armed="trust")
            case {"do": "pin", "on": bool(on)} if state.opened:
                return self._pin(state, state.opened, on)
            case {"do": "verify"} if state.opened:
                return self._verify(state, state.opened)
            case {"do": "load", "name": str(name), "as": str(variable)} if state.opened:
                return self._load(state, state.opened, name, variable, confirmed)
            case {"do": "refresh"}:
                return self._refresh(state)
        return state.after(intent)

    def _refresh(self, state: State) -> State:
        if not self._cache.upkeep.is_listed():  # somebody copied or removed files of the store
            self._cache.catalogue.rebuild()
        return state.saying(f"Looked anew: {counted(self._cache.catalogue.count(), 'checkpoint')}.")

    def _delete(self, state: State) -> State:
        rows = self._cache.catalogue.rows(keys=state.selected)
        for row in rows:
            self._cache.forget(row.key)
        after = replace(state, selected=frozenset(), armed="")
        if state.opened in state.selected:
            after = replace(after, opened=None, against=None)
        nbytes = bytes_in_words(sum(row.nbytes for row in rows))
        return after.saying(f"Deleted {counted(len(rows), 'checkpoint')} ({nbytes}).")

    def _forget(self, state: State, key: Key) -> State:
        self._cache.forget(key)
        after = replace(state, opened=None, against=None, armed="", selected=state.selected - {key})
        return after.saying("Forgot this checkpoint.")

    def _trust(self, state: State, key: Key) -> State:
        header = self._cache.upkeep.trust(key)
        return replace(state, armed="").saying(f"{header.label} is trusted: it is signed by you now.")

    def _pin(self, state: State, key: Key, on: bool) -> State:
        if on:
            self._cache.upkeep.pin(key)
            return state.saying("Pinned: it is kept whatever is pruned.")
        self._cache.upkeep.unpin(key)
        return state.saying("Not pinned any more.")

    def _verify(self, state: State, key: Key) -> State:
        problems = self._cache.upkeep.verify(key)
        if problems:
            return state.saying(f"Not all right: {'; '.join(problems)}.", alarming=True)
        return state.saying("All right: every byte is what was signed.")

    def _load(self, state: State, key: Key, name: str, variable: str, confirmed: bool) -> State:
        if self._shell is None or self._activity is None:
            return state.saying("There is no notebook to load it into.", alarming=True)
        if not variable.isidentifier() or keyword.iskeyword(variable):
            return state.saying(f"{variable!r} can't be the name of a variable.", alarming=True)
        if not self._is_idle():
            return replace(state, armed="").saying(_BUSY, alarming=True)
        namespace = self._shell.user_ns
        replacing = f"replace {variable}"
        if variable in namespace and not (confirmed and state.armed == replacing):
            return replace(state, armed=replacing).saying(f"There is a variable {variable} already.")
        record = self._cache.open(key)
        if record is None:
            return state.saying("This checkpoint is gone.", alarming=True)
        value = record[name]
        if isinstance(value, LoadFailure):
            self._cache.fail(key, value)
            return replace(state, armed="").saying(str(value).partition("\n")[0], alarming=True)
        with self._activity.pause() as is_idle:
            if not is_idle:  # it began while we loaded
                return replace(state, armed="").saying(_BUSY, alarming=True)
            namespace[variable] = value
        return replace(state, armed="").saying(f"Loaded as {variable}.")

    def _is_idle(self) -> bool:
        assert self._activity is not None
        with self._activity.pause() as is_idle:
            return is_idle


_BUSY = "A cell is running. Load it when that is done: nothing is put among its variables meanwhile."
