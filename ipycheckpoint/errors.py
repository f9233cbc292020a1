"""What can go wrong, as a tree. Each exception carries its evidence as attributes.

CheckpointError
├── CheckpointFailedError   what ``on_error="raise"`` raises: checkpointing failed, not the work itself
│   ├── Unidentifiable      a value has no stable identity (a socket, a lock, a generator)
│   ├── CannotKeep          a value can't be written (no pickler takes it)
│   └── StoreError          bytes could not be read, written or removed
├── CheckpointNotExist      what a cache raises where it has nothing
├── FormatError             bytes that are not a record, or one of a version from the future
├── IntegrityError          bytes whose Digest is not the one that was promised
├── CannotRescue            a record can't be loaded in the environment that saved it, either
├── Untrusted               a record that nobody we trust has signed
└── UsageError              a bad option, tag, name or setting

CheckpointWarning
├── CheckpointFailedWarning     what ``on_error="warn"`` warns of: the work was done without its checkpoint
└── ExpensiveOverheadWarning    a function's checkpoint takes longer than the function
"""

from __future__ import annotations

from typing import Any


class CheckpointError(Exception):
    """The base of every exception of ipycheckpoint.

    >>> from ipycheckpoint import load
    >>> try:
    ...     load("nowhere.ckpt")
    ... except CheckpointError as problem:
    ...     print(problem)
    can't read nowhere.ckpt: there is no such file
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # Attributes, not positional arguments, are what the subclasses keep: pickling goes by them.
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(kind: type[CheckpointError], args: tuple[Any, ...], state: dict[str, Any]) -> CheckpointError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class CheckpointFailedError(CheckpointError, RuntimeError):
    """Checkpointing failed. Where the work was done by then, `result` is what it gave.

    >>> import tempfile
    >>> from ipycheckpoint import checkpoint
    >>> @checkpoint(store=tempfile.mkdtemp(), on_error="raise")
    ... def numbers(n):
    ...     return (k for k in range(n))
    >>> try:
    ...     numbers(3)
    ... except CheckpointFailedError as problem:
    ...     print(list(problem.result))
    [0, 1, 2]
    """

    result: object = None

    def __reduce__(self) -> tuple[Any, ...]:
        # The result stays in its process: that it can't be pickled may be what this error tells.
        rebuild, (kind, args, state) = super().__reduce__()
        return rebuild, (kind, args, {name: value for name, value in state.items() if name != "result"})


class Unidentifiable(CheckpointFailedError):  # noqa: N818 - it reads as what it says: "the value is unidentifiable"
    """A value has no stable identity; `path` leads to the offender inside what was asked about.

    >>> from ipycheckpoint import fingerprint
    >>> try:
    ...     fingerprint({"rows": (n for n in range(3))})
    ... except Unidentifiable as problem:
    ...     print(problem.path, problem.type_name)
    value['rows'] builtins.generator
    """

    def __init__(self, path: str, type_name: str, reason: str) -> None:
        self.path, self.type_name, self.reason = path, type_name, reason
        super().__init__(f"`{path}` ({type_name}) has no stable identity: {reason}")


class CannotKeep(CheckpointFailedError):  # noqa: N818 - "can't keep `conn`" is the message
    """A value can't be written; `name` is the output that holds it.

    >>> from ipycheckpoint import save
    >>> try:
    ...     save("rows.ckpt", rows=(n for n in range(3)))
    ... except CannotKeep as problem:
    ...     print(problem.name, problem.reason)
    rows it is a generator, and could be read only once: make it a list
    """

    def __init__(self, name: str, type_name: str, reason: str) -> None:
        self.name, self.type_name, self.reason = name, type_name, reason
        super().__init__(f"can't keep `{name}` ({type_name}): {reason}")


class StoreError(CheckpointFailedError):
    """Bytes at `location` could not be read, written or removed."""

    def __init__(self, location: str, action: str, reason: str) -> None:
        self.location, self.action, self.reason = location, action, reason
        super().__init__(f"can't {action} {location}: {reason}")


class CheckpointNotExist(CheckpointError):  # noqa: N818 - the name that caches written for `checkpointing` raise
    """Nothing is kept under this ContextId: what `CacheBase.retrieve` raises then.

    >>> from ipycheckpoint import InMemoryLRUCache
    >>> try:
    ...     InMemoryLRUCache().retrieve("today")
    ... except CheckpointNotExist:
    ...     print("nothing yet")
    nothing yet
    """


class FormatError(CheckpointError):
    """Bytes that are no record, or one of a version that this release can't read."""


class IntegrityError(CheckpointError):
    """Bytes are not the ones that were kept; `what` says which, with the Digests `expected` and `found`."""

    def __init__(self, what: str, expected: str, found: str) -> None:
        self.what, self.expected, self.found = what, expected, found
        super().__init__(f"{what} is damaged: its Digest is {found[:12]}…, not {expected[:12]}…")


class CannotRescue(CheckpointError):  # noqa: N818 - as CannotKeep: "can't install numpy==1.23.5" is the message
    """A record can't be rescued; `step` is what could not be done, `reason` what was said about it."""

    def __init__(self, step: str, reason: str) -> None:
        self.step, self.reason = step, reason
        super().__init__(f"can't {step}: {reason}")


class Untrusted(CheckpointError):  # noqa: N818 - a state of the record, named as such
    """A record that nobody we trust has signed: its header may be read, nothing in it is unpickled."""


class UsageError(CheckpointError, ValueError):
    """A bad option, tag, name or setting; the message names it and what is allowed.

    >>> from ipycheckpoint import checkpoint
    >>> try:
    ...     checkpoint(expires="tomorrow")
    ... except UsageError as problem:
    ...     print(problem)
    'tomorrow' is no duration: a number with s, m, h, d or w is needed, as in 90s, 12h or 1d
    """


class CheckpointWarning(UserWarning):
    """Something went wrong that costs no result: it says what, where, and how the work goes on.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", CheckpointWarning)  # of all that is done in here, say nothing
    """


class CheckpointFailedWarning(CheckpointWarning, RuntimeWarning):
    """The work was done without its checkpoint: it could not be identified, looked up or kept.

    >>> import tempfile, warnings
    >>> from ipycheckpoint import checkpoint
    >>> @checkpoint(store=tempfile.mkdtemp())
    ... def total(numbers):
    ...     return sum(numbers)
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warnings.simplefilter("always")
    ...     total(n for n in range(4))
    6
    >>> told[0].category.__name__
    'CheckpointFailedWarning'
    """


class ExpensiveOverheadWarning(CheckpointWarning):
    """The checkpoint of a function takes longer than the function.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", ExpensiveOverheadWarning)  # it is worth it on the next machine
    """
