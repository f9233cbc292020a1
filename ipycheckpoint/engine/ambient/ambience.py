"""The ambient state of this process: what a run changed about it, and how a hit changes it again.

An aspect is any object as `Aspect` describes it; `register` makes it known. Whoever sets something to what it is
already leaves no difference to be seen. So of what the code of a run may have set like this, the record says what it
was, and is a miss where it is anything else.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.digest import Digest, digest
from ipycheckpoint.engine.ambient.aspects import Aspect, Generator, Obstacle
from ipycheckpoint.engine.ambient.known import known
from ipycheckpoint.errors import CannotKeep, Unidentifiable
from ipycheckpoint.identity.identity import Ingredient
from ipycheckpoint.identity.values import digest_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ipycheckpoint.engine.ambient.saying import Code

_aspects: dict[str, Aspect] = {aspect.name: aspect for aspect in known()}


class _Unknown(NamedTuple):
    problem: Exception


class Step(NamedTuple):
    """What a hit will do about one aspect."""

    aspect: Aspect
    now: Any
    target: Any


def register(aspect: Aspect) -> None:
    """Let `aspect` be restored with cells, instead of any other of its name."""
    _aspects[aspect.name] = aspect


def unregister(name: str) -> None:
    """Forget the aspect called `name`."""
    _aspects.pop(name, None)


def capture() -> dict[str, Any]:
    """The state of each aspect now, by name. Raises nothing: what can't be looked at is a problem for `changes`."""
    return {name: _captured(aspect) for name, aspect in list(_aspects.items())}


def _captured(aspect: Aspect) -> Any:
    try:
        return aspect.capture()
    except Exception as problem:  # noqa: BLE001 - an aspect from outside may raise anything, and the run goes on
        return _Unknown(problem)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What changed between two captures, by the names of the aspects; CannotKeep if that can't be told."""
    found = {}
    for name, now in after.items():
        then, aspect = before.get(name), _aspects.get(name)
        if aspect is None or now is None:
            continue
        for state in (then, now):
            if isinstance(state, _Unknown):
                reason = f"its state can't be looked at: {type(state.problem).__name__}: {state.problem}"
                raise CannotKeep(name, "ambient state", reason)
        change = aspect.difference(then, now)
        if change is not None:
            found[name] = change
    return found


def notes(changed: Iterable[str], ingredients: Sequence[Ingredient], code: Code) -> tuple[str, ...]:
    """A note for each generator that the run drew from without having seeded any."""
    if code.seeds:
        return ()
    counted = {ingredient.name for ingredient in ingredients if ingredient.kind == "ambient"}
    drawn = [aspect for name in changed if name not in counted and isinstance(aspect := _aspects[name], Generator)]
    return tuple(
        f"drew from the global generator of {aspect.library}, whose state before is not an Ingredient"
        for aspect in drawn
    )


def assumptions(state: Mapping[str, Any], changed: Mapping[str, Any], code: Code) -> dict[str, Digest]:
    """The Digest of what `code` may have set to what it was already, by the names of the aspects."""
    found = {}
    for name, now in state.items():
        part = _unsure(name, now, changed, code)
        if part is not None:
            found[name] = _digest(part)
    return found


def contradiction(assumed: Mapping[str, str], changed: Mapping[str, Any], code: Code) -> str | None:
    """Why a record that makes these assumptions is no hit here and now; None if it may be one."""
    for name, before in assumed.items():
        aspect = _aspects.get(name)
        part = None if aspect is None else _unsure(name, _captured(aspect), changed, code)
        if part is None or not before or _digest(part) != before:
            return f"{name} is not what it was after the run, and the cell may set it"
    return None


def _unsure(name: str, state: Any, changed: Mapping[str, Any], code: Code) -> Any:
    if state is None or isinstance(state, _Unknown) or name not in _aspects:
        return None
    return _aspects[name].unsure(state, changed.get(name), code)


def _digest(part: Any) -> Digest:
    try:
        return digest_value(part)
    except Unidentifiable:
        return Digest("")  # which contradicts itself


def prepare(changed: Mapping[str, Any]) -> list[Step] | Obstacle:
    """What a hit will do to make these changes, or what stands in the way. Touches nothing, but loads modules."""
    steps = []
    for name, change in changed.items():
        aspect = _aspects.get(name)
        if aspect is None:
            return Obstacle(f"it changes {name}, and nobody has registered how that is done")
        now: Any = None
        try:
            now = aspect.capture()
            if now is None:
                importlib.import_module(aspect.module)
                now = aspect.capture()
            target = Obstacle(f"there is no {name} here") if now is None else aspect.patched(now, change)
        except Exception as problem:  # noqa: BLE001 - importing runs whatever is in the module
            target = Obstacle(f"{name} can't be changed here: {type(problem).__name__}: {problem}")
        if isinstance(target, Obstacle):
            return target
        steps.append(Step(aspect, now, target))
    return steps


def apply(steps: Iterable[Step]) -> list[str]:
    """Take all `steps`; returns what went wrong, in words. An aspect that fails is left as it was."""
    problems = []
    for aspect, now, target in steps:
        try:
            aspect.restore(target)
        except Exception as problem:  # noqa: BLE001 - the other aspects and the variables are restored all the same
            problems.append(f"{aspect.name} could not be restored: {type(problem).__name__}: {problem}")
            with suppress(Exception):
                aspect.restore(now)
    return problems


def generator_ingredients() -> list[Ingredient]:
    """An Ingredient for the state of each global random generator that there is now."""
    generators = [aspect for aspect in _aspects.values() if isinstance(aspect, Generator)]
    states = [(generator.name, generator.capture()) for generator in generators]
    return [
        Ingredient("ambient", name, digest("ambient", name.encode(), bytes.fromhex(digest_value(state))))
        for name, state in states
        if state is not None
    ]
