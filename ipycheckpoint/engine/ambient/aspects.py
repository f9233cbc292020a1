"""An aspect of the ambient state: how it is looked at, what changed about it, and how a hit changes it again.

A change is applied in two steps. `Aspect.patched` says what a state becomes, or what stands in the way, and touches
nothing; `Aspect.restore` then brings the new state about, which hardly anything can keep it from.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ipycheckpoint.errors import Unidentifiable
from ipycheckpoint.identity.values import digest_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ipycheckpoint.engine.ambient.saying import Code


class Obstacle(NamedTuple):
    """Why a change can't be made here."""

    reason: str


class Aspect(Protocol):
    """One aspect of the ambient state. A state and a change are values that can be pickled."""

    @property
    def name(self) -> str:
        """What it is called in records and messages: ``os.environ``."""
        ...

    @property
    def module(self) -> str:
        """The module that holds it. There is no state before it is loaded, and a hit with a change loads it."""
        ...

    def capture(self) -> Any:
        """The state now, as a copy; None where there is none."""
        ...

    def difference(self, before: Any, after: Any) -> Any:
        """What changed, or None. `before` is None where the module was loaded in between."""
        ...

    def patched(self, state: Any, change: Any) -> Any:
        """What `state` is after `change`, or an Obstacle. Touches nothing."""
        ...

    def restore(self, state: Any) -> None:
        """Bring `state` about."""
        ...

    def unsure(self, state: Any, change: Any, code: Code) -> Any:
        """The part of `state` outside of `change` that `code` may set to what it is already; None if there is none."""
        ...


@dataclass(frozen=True)
class Settings:
    """Names with values: environment variables, options of a library."""

    name: str
    module: str
    read: Callable[[], dict[str, Any] | None]
    write: Callable[[Mapping[str, Any]], None]
    setters: str
    """A regular expression for the text of code that may set some of them."""
    remove: Callable[[Iterable[str]], None] | None = None
    fresh: Callable[[], dict[str, Any]] = field(default=dict)
    """How they are when the module has just been loaded."""
    sweeping: frozenset[str] = frozenset()
    """Words that set many of them without naming them."""

    def capture(self) -> dict[str, Any] | None:
        """All of them; None if the module isn't loaded."""
        return self.read() if self.module in sys.modules else None

    def difference(self, before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any] | None:
        """For each name with another value: the old one and the new one, each in a tuple that is empty without one."""
        if before is None:
            fresh = self.fresh()
            after = {key: value for key, value in after.items() if key in fresh}
            before = {key: fresh[key] for key in after}
        changed = {}
        for key in before.keys() | after.keys():
            if key in before and key in after and alike(before[key], after[key]):
                continue
            old, new = _item(before, key), _item(after, key)
            if not same(old, new):
                changed[key] = (old, new)
        return dict(sorted(changed.items())) or None

    def patched(self, state: dict[str, Any], change: dict[str, Any]) -> dict[str, Any] | Obstacle:
        """With the new values, if each has the old one or, because that has been done already, the new one."""
        patched = dict(state)
        for key, (old, new) in change.items():
            now = _item(state, key)
            if not same(now, old) and not same(now, new):
                return Obstacle(
                    f"`{key}` of {self.name} is neither what it was before the run nor what it was after it"
                )
            if new:
                patched[key] = new[0]
            else:
                patched.pop(key, None)
        return patched

    def restore(self, state: dict[str, Any]) -> None:
        """Write what differs."""
        now = self.read() or {}
        written = {key: value for key, value in state.items() if not same(_item(now, key), (value,))}
        if written:
            self.write(written)
        gone = now.keys() - state.keys()
        if gone and self.remove is not None:
            self.remove(gone)

    def unsure(self, state: dict[str, Any], change: Mapping[str, Any] | None, code: Code) -> dict[str, Any] | None:
        """Those that the code names."""
        if not code.says(self.setters):
            return None
        all_of_them = not self.sweeping.isdisjoint(code.words)
        named = {key: value for key, value in state.items() if all_of_them or key.rpartition(".")[2] in code.words}
        return {key: value for key, value in sorted(named.items()) if key not in (change or {})} or None


@dataclass(frozen=True)
class Entries:
    """A list in which places count: the module search path, the filters of warnings."""

    name: str
    module: str
    read: Callable[[], Sequence[Any]]
    write: Callable[[list[Any]], None]
    setters: str

    def capture(self) -> list[Any]:
        """The entries in order."""
        return list(self.read())

    def difference(self, before: list[Any], after: list[Any]) -> tuple[Any, ...] | None:
        """What was taken out, and each row that was put in with the entry that it follows.

        That entry is in a tuple, which is empty for a row at the front; it is None for one at the end.
        """
        if before == after:
            return None
        removed: list[Any] = []
        inserted: list[tuple[Any, list[Any]]] = []
        for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            if tag == "equal":
                continue
            removed += before[i:j]
            if k < m:
                place = None if m == len(after) else (after[k - 1],) if k else ()
                inserted.append((place, after[k:m]))
        return removed, inserted

    def patched(self, state: list[Any], change: tuple[Any, ...]) -> list[Any]:
        """With the rows where they belong; one that is there already is not put in twice."""
        removed, inserted = change
        patched = list(state)
        for entry in removed:
            if entry in patched:
                patched.remove(entry)
        for place, row in inserted:
            if place is None:
                patched += [entry for entry in row if entry not in patched]
                continue
            start = patched.index(place[0]) + 1 if place and place[0] in patched else 0
            if patched[start : start + len(row)] != row:
                patched[start:start] = row
        return patched

    def restore(self, state: list[Any]) -> None:
        """Write all of them."""
        if list(self.read()) != state:
            self.write(state)

    def unsure(self, state: list[Any], change: object, code: Code) -> list[Any] | None:
        """All of them, where the code may put in what is there."""
        return state if change is None and code.says(self.setters) else None


@dataclass(frozen=True)
class WorkingDirectory:
    """Where relative paths begin."""

    name: str = "the working directory"
    module: str = "os"

    def capture(self) -> str | None:
        """Its path; None if it was deleted."""
        try:
            return str(Path.cwd())
        except OSError:
            return None

    def difference(self, before: str | None, after: str) -> tuple[str | None, str] | None:
        """From where to where."""
        return None if before == after else (before, after)

    def patched(self, state: str, change: tuple[str | None, str]) -> str | Obstacle:
        """Where the run went to, if it would start from where it did, or from there."""
        before, after = change
        if state not in (before, after):
            return Obstacle(f"{self.name} is another one, and the cell changes it")
        if not os.path.isdir(after):
            return Obstacle(f"the directory {after} isn't there any more")
        return after

    def restore(self, state: str) -> None:
        """Go there."""
        os.chdir(state)

    def unsure(self, state: str, change: object, code: Code) -> str | None:
        """Where it is, if the code may go there."""
        return state if change is None and code.says(r"\b(f?chdir|cd|pushd)\b") else None


@dataclass(frozen=True)
class Generator:
    """A random generator of a whole process; its change is the whole state after."""

    name: str
    module: str
    library: str
    get: Callable[[], Any]
    set: Callable[[Any], None]
    seeders: tuple[str, ...]
    """The full names of what sets its state."""
    is_fresh: Callable[[Any], bool] = field(default=lambda _: False)
    """Whether a state may be that of a generator that nobody has drawn from or seeded since its module was loaded."""
    fits: Callable[[Any, Any], bool] = field(default=lambda _, __: True)
    """Whether a generator that is in one state can take another one."""

    def capture(self) -> Any:
        """Its whole state."""
        return self.get() if self.module in sys.modules else None

    def difference(self, before: Any, after: Any) -> Any:
        """The state after."""
        if before is None:
            return None if self.is_fresh(after) else after
        return None if alike(before, after) else after

    def patched(self, state: Any, change: Any) -> Any:
        """The state after, whatever it was before."""
        return change if self.fits(state, change) else Obstacle(f"{self.name} has a generator of another kind here")

    def restore(self, state: Any) -> None:
        """Go on as the run left it."""
        self.set(state)

    def unsure(self, state: Any, change: object, code: Code) -> Any:
        """Its state, if the code may have seeded it."""
        return state if change is None and code.reaches(*self.seeders) else None


def same(a: Any, b: Any) -> bool:
    """Whether two values are equal: as they say, or by their Digests where they are functions and the like."""
    if alike(a, b):
        return True
    try:
        return digest_value(a) == digest_value(b)
    except Unidentifiable:
        return False


def alike(a: Any, b: Any) -> bool:
    """Whether two values say that they are equal, arrays among them."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(value, b[key]) for key, value in a.items())
    if hasattr(a, "tobytes"):
        return bool(a.tobytes() == b.tobytes())
    try:
        return bool(a == b)
    except Exception:  # noqa: BLE001 - an `__eq__` may raise anything
        return False


def _item(values: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    return (values[key],) if key in values else ()
