"""A LoadFailure: what could not be loaded, and what would get it back. A value, not an exception."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ipycheckpoint.errors import FormatError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipycheckpoint.record.environment import Difference, Environment

RESCUE_DIRECTORY = ".venv-rescue"
"""Where `LoadFailure.how_to_load` makes the Environment that saved: no one's own ``.venv``."""

_SHOWN = 8
_SAME = "Python, platform and packages are those that saved it"

_LOOKED_THROUGH_NBYTES = 256 * 1024
# Of a stream, to find the modules that it names: the order of a list is not worth more.

_ATTRIBUTE_IN_WORDS = r"attribute '(?P<name>[\w.]+)' on <module '(?P<module>[\w.]+)'"
_MODULE_IN_WORDS = r"module '([\w.]+)'"


@dataclass(frozen=True)
class LoadFailure:
    """Stands in the place of the output `name`, with all that is known of why it isn't there.

    >>> import os, tempfile, warnings
    >>> from ipycheckpoint import load, save
    >>> path = tempfile.mkdtemp() + "/run.ckpt"
    >>> save(path, x=[1, 2], y=list(range(1000)))
    >>> os.truncate(path, os.path.getsize(path) - 100)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     values = load(path)
    >>> values["x"], isinstance(values["y"], LoadFailure)
    ([1, 2], True)
    """

    name: str
    exception: BaseException
    raw: memoryview | bytes
    """The bytes of the section, for whoever can read them."""
    now: Environment
    then: Environment | None = None
    """None where the record doesn't know."""
    notes: tuple[str, ...] = ()
    type_name: str = ""
    """The type of the output with its module, as the header tells it; empty where several outputs failed as one."""
    origin: str | None = None
    """The path of the file or the key that it is kept under: what ``ipycheckpoint rescue`` wants to know."""

    __slots__ = ("__dict__",)  # for `packages`, once they are asked for
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @cached_property
    def packages(self) -> tuple[str, ...]:
        """The packages that have to do with it, of those that the Environment that saved had: what the exception
        names comes first, then where the type is from, then whatever the stream names.
        """
        if self.then is None:
            return ()
        named = (*_modules_of(self.exception), self.type_name, *modules_named(self.raw))
        return tuple(dict.fromkeys(filter(None, map(self.then.distribution_of, named))))

    @property
    def differences(self) -> list[Difference]:
        """What has changed between the Environment that saved and this one: `packages` first."""
        if self.then is None:
            return []
        rank = {name: position for position, name in enumerate(self.packages)}
        return sorted(self.then.differences(self.now), key=lambda difference: rank.get(difference.name, len(rank)))

    @property
    def command(self) -> str | None:
        """The shell command that makes the Environment that saved."""
        return None if self.then is None else self.then.rebuild_command(directory=RESCUE_DIRECTORY)

    @property
    def is_damaged(self) -> bool:
        """Whether its bytes are not those that were saved: no Environment could load them."""
        return isinstance(self.exception, FormatError | IntegrityError)

    def how_to_load(self) -> str:
        """The shell command that makes the Environment that saved and, with it, saves the object anew in a form that
        loads here. A comment, which a shell passes over, where there is no such command.

        ``ipycheckpoint rescue`` alone does both in a temporary environment.
        """
        if self.is_damaged:
            return "# its bytes are not those that were saved: take the record from a backup, or run the work again"
        if self.command is None:
            return "# its record doesn't say which environment saved it"
        if self.origin is None:
            return self.command
        from ipycheckpoint.record.environment import interpreter_in_environment

        return f"{self.command} && {self._rescue} --python {RESCUE_DIRECTORY}/{interpreter_in_environment()}"

    @property
    def _rescue(self) -> str:
        import shlex

        return f"ipycheckpoint rescue {shlex.quote(self.origin or '')}"

    def table(self) -> str:
        """The differences as a table of plain text: what, then, now.

        >>> from ipycheckpoint.record.environment import Environment
        >>> then = Environment("3.11.4", "cpython", "linux", "x86_64", {"numpy": "1.26.0"})
        >>> now = Environment("3.13.0", "cpython", "linux", "x86_64", {"numpy": "2.3.1"})
        >>> print(LoadFailure("x", ImportError("…", name="numpy.core"), b"", now, then).table())
                then    now
        numpy   1.26.0  2.3.1
        python  3.11.4  3.13.0
        """
        rows = [("", "then", "now"), *self._rows()]
        if len(rows) == 1:
            return "its record doesn't say which environment saved it" if self.then is None else _SAME
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        return "\n".join(f"{what:{widths[0]}}  {then:{widths[1]}}  {now}" for what, then, now in rows)

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        for difference in self.differences:
            yield difference.name, difference.then or "absent", difference.now or "absent"

    def __repr__(self) -> str:
        return f"<LoadFailure {self.name}: {type(self.exception).__name__}>"

    @property
    def summary(self) -> str:
        """What failed, and what has changed since, without the ways out: for work that is done again instead."""
        lines = [self._what()]
        differences = [str(difference) for difference in self.differences]
        if differences:
            more = f", and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
            lines.append(f"changed since it was saved: {', '.join(differences[:_SHOWN])}{more}")
        elif self.then is not None:
            lines.append(_SAME)
        return "\n".join(lines)

    def __str__(self) -> str:
        return "\n".join([self.summary, *self._ways_out(), *self.notes])

    def _repr_html_(self) -> str:
        import html  # here, where there is something to show

        cells = "".join(f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in row)}</tr>" for row in self._rows())
        table = f"<table><tr><th></th><th>then</th><th>now</th></tr>{cells}</table>" if cells else ""
        ways = "".join(f"<div>{html.escape(line)}</div>" for line in (*self._ways_out(), *self.notes))
        return f"<div><strong>{html.escape(self._what())}</strong></div>{table}{ways}"

    def _what(self) -> str:
        kind = f" ({self.type_name})" if self.type_name else ""
        return f"`{self.name}`{kind} can't be loaded: {type(self.exception).__name__}: {self.exception}"

    def _ways_out(self) -> Iterator[str]:
        """What to do, the simplest first."""
        if self.is_damaged:
            yield self.how_to_load().removeprefix("# ")
            return
        for difference in self.differences:
            if difference.now is None and difference.name in self.packages:
                yield f"it may be enough to install what is missing: pip install {difference.name}=={difference.then}"
                break
        if (name := self._missing_name()) is not None:
            yield f'if `{name}` has another name now: load(..., moved={{"{name}": "the.new.Name"}})'
        if self.origin is not None and self.then is not None:
            yield f"to get {'it' if self.differences else 'what it holds'} back: {self._rescue}"
        elif self.differences and self.command is not None:
            yield f"the environment that saved it: {self.command}"

    def _missing_name(self) -> str | None:
        """What the stream names and is not here, if it is from no package: the user's own, which may have moved."""
        problem, name = self.exception, None
        if found := re.search(_ATTRIBUTE_IN_WORDS, str(problem)):
            name = f"{found['module']}.{found['name']}"
        elif isinstance(problem, ModuleNotFoundError):
            name = problem.name
        is_users = name is not None and (self.then is None or self.then.distribution_of(name) is None)
        return name if is_users else None


def modules_named(raw: memoryview | bytes) -> list[str]:
    """The modules that a stream may name, and other texts that look like one, in order. Runs nothing of it.

    >>> import pickle, fractions
    >>> modules_named(pickle.dumps(fractions.Fraction(1, 2)))
    ['fractions', 'Fraction']
    """
    import io
    import pickletools

    found: dict[str, None] = {}
    stream = io.BytesIO(bytes(raw[:_LOOKED_THROUGH_NBYTES]))
    with suppress(Exception):  # damaged or cut off: what was found until there is all there is
        while stream.tell() < len(stream.getbuffer()):  # a stream is several pickles
            for _, argument, _ in pickletools.genops(stream):
                for word in argument.split(" ") if isinstance(argument, str) and len(argument) < 200 else ():
                    if all(map(str.isidentifier, word.split("."))):
                        found[word] = None
    return list(found)


def _modules_of(problem: BaseException) -> Iterator[str]:
    if isinstance(problem, ImportError) and problem.name:
        yield problem.name
    yield from re.findall(_MODULE_IN_WORDS, str(problem))
    trace = problem.__traceback__
    module = ""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
    if not module.startswith("ipycheckpoint."):  # where the reading was asked for has nothing to do with it
        yield module
