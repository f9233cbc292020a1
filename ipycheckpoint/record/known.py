"""Is this class here already? What a file brings along gives way to a live class of the same definition.

So an instance that comes out of a file is one of the notebook's own class, as long as that is defined as it was when
the file was written, after a restart, too. Globals don't count: loaded functions see those of the reader anyway.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

from ipycheckpoint.identity import code
from ipycheckpoint.identity.values import digest_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FunctionType

    from ipycheckpoint.digest import Digest

_found: ContextVar[dict[int, tuple[type, Digest | None]] | None] = ContextVar("found", default=None)
# By id, since a metaclass may make its classes unhashable; with the class, which must not go before its id.


@contextmanager
def at_one_moment() -> Iterator[None]:
    """While this lasts, no definition changes: each is looked at once."""
    token = _found.set({})
    try:
        yield
    finally:
        _found.reset(token)


def definition_of(cls: type) -> Digest | None:
    """The Digest of all that `cls` is made of; None where it has no stable one."""
    found = _found.get()
    if found is not None and id(cls) in found:
        return found[id(cls)][1]
    try:
        definition = digest_value(cls, fingerprints={"builtins.function": _written})
    except Exception:  # noqa: BLE001 - without one it is none that we know, whatever stands in the way
        definition = None
    if found is not None:
        found[id(cls)] = cls, definition
    return definition


def _written(function: FunctionType) -> object:
    """What a function is as its author wrote it, whatever the names in it stand for."""
    form = code.of_function(function)
    names = [(reference.name, reference.attributes) for reference in form.references]
    cells = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # it is empty
            cells[name] = cell.cell_contents
    return form.digest, names, function.__defaults__, function.__kwdefaults__, cells


def live_class(namespace: Mapping[str, object], qualname: str) -> type | None:
    """The class that `qualname` means in `namespace`, and failing that in ``__main__``."""
    first, *rest = qualname.split(".")
    for place in (namespace, vars(sys.modules["__main__"])):
        found = place.get(first)
        for name in rest:
            found = getattr(found, name, None)
        if isinstance(found, type):
            return found
    return None
