"""How far a long piece of work has come: whoever does it says so, and whoever wants to know is told.

Nobody hands a listener down: it is a context variable, so that a Store, a Digest and a Record need no argument for
what is none of their business. They call `advance`, which does nothing where nobody listens.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from contextvars import Token

SLICE_NBYTES = 64 << 20
"""What is larger is worked off in slices of this size, so that there is something to tell."""


class Progress(NamedTuple):
    """How far it has come with `what`: `done` of `total`, in bytes. A total of 0 is one that nobody knows."""

    what: str
    done: int = 0
    total: int = 0


class Meter:
    """Adds up what is done of `total` bytes. As a context manager it is the one that `advance` adds to."""

    __slots__ = ("_complete", "_done", "_listener", "_token", "_total", "_what")

    def __init__(self, what: str, total: int, listener: Callable[[Progress], None] | None) -> None:
        self._what = what
        self._total = total
        self._listener = listener
        self._done = self._complete = 0
        self._token: Token[Meter | None] | None = None

    @property
    def total(self) -> int:
        """In bytes; 0 where nobody knows."""
        return self._total

    def __enter__(self) -> Self:
        if self._listener is not None:
            self._token = _meter.set(self)
            self.advance(0)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _meter.reset(self._token)

    def advance(self, nbytes: int) -> None:
        """`nbytes` more are done."""
        if self._listener is not None:
            # What a part holds and what is done for it may differ by little things that nobody counted.
            self._done = min(self._done + nbytes, self._total)
            self._listener(Progress(self._what, self._done, self._total))

    def complete(self, nbytes: int) -> None:
        """A part of `nbytes` bytes is done, whether anyone has said so on the way or not."""
        self._complete += nbytes
        self.advance(max(0, self._complete - self._done))


_meter: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def told_to(listener: Callable[[Progress], None], what: str) -> Iterator[None]:
    """`listener` is told of what goes on in the block, which is `what` where nothing more is known.

    >>> with told_to(print, "looking"), measured("keeping", 3):
    ...     advance(2)
    Progress(what='keeping', done=0, total=3)
    Progress(what='keeping', done=2, total=3)
    """
    token = _meter.set(Meter(what, 0, listener))
    try:
        yield
    finally:
        _meter.reset(token)


def measured(what: str, total: int) -> Meter:
    """A context manager: the block does `what` with `total` bytes."""
    outer = _meter.get()
    return Meter(what, total, None if outer is None else outer._listener)


_audience: Callable[[], AbstractContextManager[Callable[[Progress], None]]] | None = None


def play_to(audience: Callable[[], AbstractContextManager[Callable[[Progress], None]]]) -> None:
    """Let `audience` give whoever is told of what is done `aloud` while nobody else listens."""
    global _audience  # noqa: PLW0603 - surfaces are above, and are not asked for from here
    _audience = audience


@contextmanager
def aloud(what: str, total: int) -> Iterator[Meter]:
    """As `measured`, for what comes from afar: it is told though nobody may have asked to be told."""
    outer = _meter.get()
    if outer is not None or _audience is None:
        with measured(what, total) as meter:
            yield meter
    else:
        with _audience() as listener, told_to(listener, what), measured(what, total) as meter:
            yield meter


def is_measured() -> bool:
    """Whether it is known how much there is to do all in all."""
    meter = _meter.get()
    return meter is not None and meter.total > 0


@contextmanager
def silently() -> Iterator[None]:
    """Nobody is told of what goes on in the block."""
    token = _meter.set(None)
    try:
        yield
    finally:
        _meter.reset(token)


def advance(nbytes: int = 0) -> None:
    """Say that `nbytes` more are done, or just that work is going on."""
    meter = _meter.get()
    if meter is not None:
        meter.advance(nbytes)


def slices(chunk: bytes | memoryview) -> Sequence[bytes | memoryview]:
    """`chunk` in pieces of at most `SLICE_NBYTES` bytes, without a copy."""
    view = memoryview(chunk)
    if view.nbytes <= SLICE_NBYTES:
        return (chunk,)
    flat = view.cast("B")
    return [flat[start : start + SLICE_NBYTES] for start in range(0, view.nbytes, SLICE_NBYTES)]
