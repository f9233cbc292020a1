"""The names of savepoints that code has declared. They are the process's: a library declares its own on import."""

from __future__ import annotations

import threading
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ipycheckpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Names:
    """Which savepoints there are, and which were renamed.

    >>> names = Names()
    >>> names.register(["TestPkg.foo", "TestPkg.bar"])
    >>> names.deprecate("TestPkg.old", "TestPkg.foo")
    >>> names.available(), names.resolve("TestPkg.old")
    (['TestPkg.foo', 'TestPkg.bar'], 'TestPkg.foo')
    """

    def __init__(self) -> None:
        self._registered: dict[str, None] = {}
        self._renamed: dict[str, str] = {}
        self._lock = threading.Lock()
        self.version = 0
        """Counts changes, for who remembers what was found."""

    def register(self, names: Iterable[str]) -> None:
        """Declare `names`; those that are declared already, as after a reload, stay as they are."""
        checked = [_check_name(name) for name in names]
        with self._lock:
            for name in checked:
                self._registered[name] = None
                self._renamed.pop(name, None)
            self.version += 1

    def deprecate(self, old: str, new: str) -> None:
        """Let `old` stand for `new` from now on. Raises UsageError where that would lead back to `old`."""
        _check_name(old)
        _check_name(new)
        with self._lock:
            target: str | None = new
            while target is not None:
                if target == old:
                    raise UsageError(f"{old!r} can't be deprecated in favour of {new!r}, which leads back to it")
                target = self._renamed.get(target)
            self._registered.pop(old, None)
            self._renamed[old] = new
            self.version += 1

    def available(self) -> list[str]:
        """All names, in the order in which they were declared, without the deprecated ones."""
        with self._lock:
            return list(self._registered)

    def deprecated(self) -> dict[str, str]:
        """The new name of each deprecated one."""
        with self._lock:
            return dict(self._renamed)

    def resolve(self, name: str) -> str:
        """The name that `name` stands for, which is mostly itself. Raises UsageError with near matches."""
        with self._lock:
            found = name
            while found in self._renamed:
                found = self._renamed[found]
            if found in self._registered:
                return found
        was = "" if found == name else f", which {name!r} was renamed to,"
        raise UsageError(
            f"{found!r}{was} is no savepoint{self._suggestion(found)} "
            "A library declares its own before it uses them: register('TestPkg', ['foo', 'bar'])."
        )

    def check_pattern(self, pattern: str) -> str:
        """The pattern that `pattern` stands for: it has to cover a name that there is, or be ``*``."""
        if not isinstance(pattern, str):
            raise UsageError(f"{pattern!r} names no savepoint: a text is needed, as in TestPkg.foo")
        found = self.resolve(pattern) if pattern in self.deprecated() else pattern
        if found != "*" and not any(covers(found, name) for name in self.available()):
            raise UsageError(
                f"{pattern!r} is no savepoint, nor the prefix of one{self._suggestion(found)} "
                "Savepoints are known when the library that has them is imported."
            )
        return found

    def _suggestion(self, name: str) -> str:
        available = self.available()
        near = [other for other in available if other.startswith(name)] or get_close_matches(
            name, available, cutoff=0.8
        )
        if near:
            return f"; did you mean {' or '.join(map(repr, near[:3]))}?"
        return f"; there are {', '.join(map(repr, available[:10]))}." if available else "; none is registered."


def covers(pattern: str, name: str) -> bool:
    """Whether `pattern` is `name`, a prefix of it, or matches it by ``*``.

    >>> [covers(pattern, "TestPkg.qux_a") for pattern in ("TestPkg.qux_a", "TestPkg", "TestPkg.qux*", "TestPkg.qux")]
    [True, True, True, False]
    """
    return name == pattern or name.startswith(f"{pattern}.") or ("*" in pattern and fnmatchcase(name, pattern))


def _check_name(name: object) -> str:
    if not isinstance(name, str) or not name or "*" in name:
        raise UsageError(f"{name!r} can't name a savepoint: a text without '*' is needed, as in TestPkg.foo")
    return name
