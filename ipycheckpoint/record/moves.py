"""Classes and functions that have another name or module now than when they were saved."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_moves: ContextVar[Mapping[str, str] | None] = ContextVar("moves", default=None)


@contextmanager
def moving(moves: Mapping[str, str] | None) -> Iterator[None]:
    """While this lasts, what a record names as a key of `moves` is looked for under the value.

    Names are those of classes and functions with their module, ``shop.Order``, or of modules, ``shop``.
    """
    token = _moves.set(moves)
    try:
        yield
    finally:
        _moves.reset(token)


def moved(module: str, name: str) -> Any:
    """What `name` of `module` is now, if it is said to have moved; else None. Raises ImportError or AttributeError.

    >>> with moving({"shop.Order": "fractions.Fraction", "store": "decimal"}):
    ...     moved("shop", "Order").__name__, moved("store", "Decimal").__name__, moved("shop", "Item")
    ('Fraction', 'Decimal', None)
    """
    moves = _moves.get()
    if not moves:
        return None
    old, rest = f"{module}.{name}", ""
    while old:  # what is said of a class goes before what is said of its module
        if old in moves:
            import pkgutil  # hardly anything has moved

            return pkgutil.resolve_name(moves[old] + rest)
        old, _, last = old.rpartition(".")
        rest = f".{last}{rest}"
    return None
