"""Identifiers: what says which calls, or cells, are the same. Ours, and the face of those that users write."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ipycheckpoint.digest import digest
from ipycheckpoint.errors import Unidentifiable, UsageError
from ipycheckpoint.identity.identity import Identity, Ingredient
from ipycheckpoint.identity.values import digest_value
from ipycheckpoint.identity.work import Digester, Work

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipycheckpoint.identity.context import FuncCallContext
    from ipycheckpoint.identity.identity import Kind
    from ipycheckpoint.identity.work import Fingerprints


class FuncCallIdentifierBase(ABC):
    """Says which calls are the same: those that it gives equal ContextIds.

    >>> class ByName(FuncCallIdentifierBase):
    ...     def identify(self, context):
    ...         return context.name
    """

    @abstractmethod
    def identify(self, context: FuncCallContext) -> Any:
        """The ContextId of a call, or of a cell: anything that the cache takes."""


class AutoFuncCallIdentifier(FuncCallIdentifierBase):
    """Our own: by the code, all that it reaches, and the values that go in. Its ContextId is the Key.

    `ignore` and `fingerprints` are those of ``@checkpoint``. `algorithm` and `pickle_protocol` are taken for code that
    was written for the package `checkpointing`, and change nothing: Digests are BLAKE3, of no pickles.

    >>> from ipycheckpoint import FuncCallContext
    >>> def double(x, verbose=False):
    ...     return 2 * x
    >>> identifier = AutoFuncCallIdentifier(ignore=["verbose"])
    >>> loud, quiet = (FuncCallContext(double, (1, verbose), {}) for verbose in (True, False))
    >>> identifier.identify(loud) == identifier.identify(quiet)
    True
    """

    def __init__(
        self,
        algorithm: str | None = None,
        pickle_protocol: int | None = None,
        *,
        ignore: Iterable[str] = (),
        fingerprints: Fingerprints | None = None,
    ) -> None:
        self.algorithm = None if algorithm is None else check_algorithm(algorithm)
        self.pickle_protocol = None if pickle_protocol is None else check_protocol(pickle_protocol)
        self.ignore = frozenset(ignore)
        self.fingerprints = dict(fingerprints or {})

    def identify(self, context: FuncCallContext) -> str:
        """The Key, 64 hexadecimal characters. Raises Unidentifiable with the path to what has no identity."""
        return context.work(ignore=self.ignore, fingerprints=self.fingerprints).identity.key


def work_of_id(
    kind: Kind, label: str, identifier: str, context_id: object, extra: Iterable[Ingredient] = (), *, strictly: bool
) -> Work:
    """The Work that a ContextId stands for: nothing but that counts, and `extra`.

    `strictly`, it is known by its value, and Unidentifiable is raised if it has no stable identity. Otherwise the
    identity is for the explanation only, and the cache is asked for the ContextId itself.
    """
    from ipycheckpoint.identity.outline import preview  # only an identifier of the user's needs it

    try:
        found = digest_value(context_id, "context_id")
    except Unidentifiable:
        if strictly:
            raise
        found = digest("nameless", type(context_id).__qualname__.encode())
    ingredient = Ingredient("context", identifier, found, preview(context_id))
    return Work(Identity(kind, label, (ingredient, *extra)), {}, Digester())


def check_algorithm(algorithm: object) -> str:
    """Return `algorithm` if hashlib has it; UsageError otherwise."""
    import hashlib  # hardly anybody names one

    if algorithm not in hashlib.algorithms_available:
        raise UsageError(f"{algorithm!r} is no hash algorithm that hashlib has")
    return str(algorithm)


def check_protocol(protocol: object) -> int:
    """Return `protocol` if pickle has it; UsageError otherwise."""
    if not isinstance(protocol, int) or not -1 <= protocol <= pickle.HIGHEST_PROTOCOL:
        raise UsageError(f"{protocol!r} is no protocol of pickle: a number up to {pickle.HIGHEST_PROTOCOL} is needed")
    return protocol
