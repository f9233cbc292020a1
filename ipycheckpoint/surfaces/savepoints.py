"""Savepoints: named places in a library where its users may have data saved, and which do nothing until they say so."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from ipycheckpoint.engine.savepoints.savepoints import NAMES, Rule, Savepoints, as_handler, check_on_error
from ipycheckpoint.engine.savepoints.session import Staged, commit
from ipycheckpoint.errors import CheckpointWarning, UsageError
from ipycheckpoint.tagging import current_tags

if TYPE_CHECKING:
    import os

    from ipycheckpoint.engine.savepoints.handlers import Handler

Entered_co = TypeVar("Entered_co", covariant=True)

_NOTHING: Any = object()

_unconfigured = Savepoints(NAMES)


def _savepoints() -> Savepoints:
    # A library loads this on its import. As long as nobody has loaded the rest, nobody has configured anything.
    current = getattr(sys.modules.get("ipycheckpoint.workspace"), "current", None)
    return _unconfigured if current is None else current().savepoints


@overload
def register(names: str | Iterable[str], /) -> None: ...
@overload
def register(prefix: str, names: str | Iterable[str], /) -> None: ...
def register(prefix: Any, names: Any = _NOTHING, /) -> None:
    """Declare savepoints: ``register("TestPkg", ["foo", "bar"])``, or ``register(["a", "b"])`` without a prefix.

    A library does so when it is imported. What is declared already stays as it is.

    >>> register("TestPkg", ["foo", "bar"])
    >>> savepoint("TestPkg.foo", x=1)  # nobody has configured it
    """
    _savepoints().names.register(_full_names(prefix, names))


def deprecate(*names: str) -> None:
    """Say that a savepoint was renamed: ``deprecate("TestPkg", "old", "new")``, or ``deprecate("old", "new")``.

    Who configures the old name is warned, and configures the new one.

    >>> register("Weather", ["wind"])
    >>> deprecate("Weather", "storm", "wind")
    >>> deprecated()["Weather.storm"]
    'Weather.wind'
    """
    if len(names) not in (2, 3):
        raise UsageError("deprecate needs a prefix, or none, the old name and the new one")
    *prefix, old, new = names
    _savepoints().names.deprecate(".".join([*prefix, old]), ".".join([*prefix, new]))


def available() -> list[str]:
    """The names of all savepoints that are declared, without the deprecated ones.

    >>> register("Weather", ["wind", "rain"])
    >>> [name for name in available() if name.startswith("Weather.")]
    ['Weather.wind', 'Weather.rain']
    """
    return _savepoints().names.available()


def enabled() -> list[str]:
    """The names of all savepoints that are configured to go somewhere.

    >>> import tempfile
    >>> register("Sea", ["waves", "tide"])
    >>> with config("Sea.tide", tempfile.mkdtemp()):
    ...     enabled()
    ['Sea.tide']
    """
    return _savepoints().enabled()


def deprecated() -> dict[str, str]:
    """The new name of each deprecated savepoint.

    >>> register("Weather", ["rain"])
    >>> deprecate("Weather", "drizzle", "rain")
    >>> deprecated()["Weather.drizzle"]
    'Weather.rain'
    """
    return _savepoints().names.deprecated()


def config(
    names: str | Iterable[str],
    to: str | os.PathLike[str] | Handler | None,
    /,
    *,
    on_error: str = "warn",
    **settings: Any,
) -> Configured:
    """From now on, save what comes to the savepoints `names` to `to`; in a ``with``, only until the end of the block.

    A savepoint that can't be saved costs the library nothing: a CheckpointWarning says what, where, and what to do.

    Args:
        names: A name, a prefix (``TestPkg`` stands for all below it, those that come later, too), a pattern with ``*``,
            or several of these.
        to: A directory or URL; a Handler; or None, which turns them off.
        on_error: When a savepoint can't be saved: ``"warn"``; ``"ignore"``; or ``"raise"``, in the library's own code.
        settings: Those of a FileHandler: `compression` and `codec`.

    Raises UsageError for a name that is none, with near matches.

    >>> import tempfile
    >>> register("OtherPkg", ["foo"])
    >>> with config("OtherPkg", tempfile.mkdtemp(), compression="fast"):
    ...     enabled()
    ['OtherPkg.foo']
    """
    from ipycheckpoint import workspace

    savepoints = workspace.current().savepoints
    given = [names] if isinstance(names, str) else list(names)
    patterns = [savepoints.names.check_pattern(name) for name in given]
    handler, how = as_handler(to, settings), check_on_error(on_error)
    for name, pattern in zip(given, patterns, strict=True):
        if name != pattern:
            _warn(f"{name} was renamed to {pattern}, which is configured instead", 3)
    before = savepoints.rules
    rules = [Rule(pattern, handler, how) for pattern in patterns]
    savepoints.add(rules)
    return Configured(savepoints, rules, before)


class Configured:
    """What `config` did, which the end of a ``with`` undoes."""

    def __init__(self, savepoints: Savepoints, rules: Sequence[Rule], before: Sequence[Rule]) -> None:
        self._savepoints, self._rules, self._before = savepoints, rules, before

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self._savepoints.rules = self._before

    def __repr__(self) -> str:
        told = {rule.pattern: "nowhere" if rule.handler is None else repr(rule.handler) for rule in self._rules}
        return ", ".join(f"{pattern} → {where}" for pattern, where in told.items())


def savepoint(name: str, data: Any = _NOTHING, /, **values: Any) -> None:
    """Save values under the savepoint `name`, if its user has configured it; else do nothing at all.

    Values are named, or come as a mapping; any other single value is called ``data``. They are saved under the tags
    that are in force, as they are now, in place of what was saved there before. Raises UsageError for a name that is
    not registered, with near matches.

    >>> from ipycheckpoint import DictHandler, tags
    >>> register("TestPkg", ["foo"])
    >>> saved = DictHandler()
    >>> with config("TestPkg.foo", saved), tags(run=1):
    ...     savepoint("TestPkg.foo", x=[1, 2])
    >>> saved["run=1/TestPkg/foo"]["x"]
    [1, 2]
    """
    route = _savepoints().route(name)
    if route is None:
        return
    try:
        route.handler.save(route.name, current_tags(), _named(data, values))
    except Exception as problem:  # noqa: BLE001 - whatever goes wrong here must not break the library's work
        _warn(route.failed(problem), 3)


class Saves:
    """What is saved to one savepoint in a session."""

    def __init__(self, staged: Staged) -> None:
        self._staged = staged

    def save(self, data: Any = _NOTHING, /, **values: Any) -> None:
        """Take values as they are now, named as for `savepoint`. Of one key, the latest value is saved."""
        if self._staged.route is None:
            return
        _warn(self._staged.add(current_tags(), lambda: _named(data, values)), 3)


class Session(Generic[Entered_co]):
    """Saves to one savepoint or several that become files together, when the block ends; if it raises, none does.

    >>> from ipycheckpoint import DictHandler
    >>> register("TestPkg", ["baz", "qux_a", "qux_b"])
    >>> saved = DictHandler()
    >>> with config("TestPkg", saved), Session("TestPkg.baz") as s:
    ...     for number in range(3):
    ...         s.save(**{f"square{number}": number**2})
    >>> dict(saved["TestPkg/baz"])
    {'square0': 0, 'square1': 1, 'square2': 4}
    >>> with Session("TestPkg", ["qux_a", "qux_b"]) as (a, b):
    ...     a.save(x=1)
    ...     b.save(y=2)
    """

    @overload
    def __init__(self: Session[Saves], name: str, /) -> None: ...
    @overload
    def __init__(self: Session[tuple[Saves, ...]], names: Iterable[str], /) -> None: ...
    @overload
    def __init__(self: Session[Saves], prefix: str, name: str, /) -> None: ...
    @overload
    def __init__(self: Session[tuple[Saves, ...]], prefix: str, names: Iterable[str], /) -> None: ...
    def __init__(self, prefix: Any, names: Any = _NOTHING, /) -> None:
        savepoints = _savepoints()
        self._is_one = isinstance(prefix if names is _NOTHING else names, str)
        self._staged = [Staged(savepoints.route(name)) for name in _full_names(prefix, names)]

    def __enter__(self) -> Entered_co:
        saves = tuple(Saves(staged) for staged in self._staged)
        return saves[0] if self._is_one else saves  # type: ignore[return-value]  # as the overloads say

    def __exit__(self, kind: type[BaseException] | None, *problem: object) -> None:
        if kind is not None:
            for staged in self._staged:
                staged.has_ended = True
            return
        _warn(commit(self._staged), 3)


def _full_names(prefix: str | Iterable[str], names: str | Iterable[str]) -> list[str]:
    if names is _NOTHING:
        return [prefix] if isinstance(prefix, str) else list(prefix)
    return [f"{prefix}.{name}" for name in ([names] if isinstance(names, str) else names)]


def _named(data: object, values: dict[str, Any]) -> Mapping[str, object]:
    if data is _NOTHING:
        return values
    named = dict(data) if isinstance(data, Mapping) else {"data": data}
    odd = [key for key in named if not isinstance(key, str)]
    if odd:
        raise UsageError(f"{odd[0]!r} can't name a value: keys are texts; a whole dict is saved as data={{…}}")
    twice = named.keys() & values.keys()
    if twice:
        raise UsageError(f"{', '.join(sorted(twice))}: given twice, in the mapping and by name")
    return {**named, **values}


def _warn(message: str | None, depth: int) -> None:
    if message is not None:
        warnings.warn(message, CheckpointWarning, stacklevel=depth)
