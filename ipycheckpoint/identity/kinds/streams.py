"""Streams of the C pickler with the memo off, and those that were seen before.

What a large value is made of takes several times as long to find out as the pickler takes to write it. But its stream
tells it all. With the memo off nothing in it refers to anything else, and whatever the pickler does not write by itself
is stopped here, so two values with one stream are made of the very same. What was found out of the one holds for the
other, and that the stream is the same is what its digest says.
"""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, TypeVar

from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Callable

_F = TypeVar("_F")

_MOST = 1000  # streams; some hundred bytes each
_SAFE_DEPTH = 3000


class Known(NamedTuple, Generic[_F]):
    """A stream that was seen before."""

    digest: bytes
    """Of the stream after its prefix, 32 bytes."""
    fact: _F
    """What was found out of the value that it came from."""


class _UnfamiliarError(Exception):
    pass


class Streams(Generic[_F]):
    """Remembers of streams what they were found to be. All are hashed after one `prefix`.

    >>> streams = Streams(b"")
    >>> digest = streams.learn([1, "a"], "a number and a text")
    >>> streams.recall([1, "a"]) == (digest, "a number and a text"), streams.recall([1, "b"]), streams.recall([{1}])
    (True, None, None)
    """

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._facts: dict[bytes, _F] = {}
        self._marks: set[bytes] = set()

    def learn(self, value: object, fact: _F, pieces: list[bytes] | None = None) -> bytes:
        """Remember `fact` of a value that the C pickler writes by itself; the digest of its stream.

        `pieces` are given the stream itself.
        """
        marks: list[bytes] = []
        digest = self._digest(value, marks.append, pieces)
        if len(self._facts) >= _MOST:
            self._facts.clear()
            self._marks.clear()
        self._marks.update(marks)
        self._facts[digest] = fact
        return digest

    def recall(self, value: object, pieces: list[bytes] | None = None) -> Known[_F] | None:
        """What is known of the stream of `value`, if it was seen before.

        Gives up soon where a stream is another one, and calls nothing of the value's own. `pieces` are given the stream
        as far as it went.
        """
        if not self._facts or _may_overflow():
            return None
        try:
            digest = self._digest(value, self._check, pieces)
            return Known(digest, self._facts[digest])
        except Exception:  # noqa: BLE001 - it was a try: whatever is wrong with the value is found by whoever walks it
            return None

    def _check(self, mark: bytes) -> None:
        if mark not in self._marks:
            raise _UnfamiliarError

    def _digest(self, value: object, marked: Callable[[bytes], None], pieces: list[bytes] | None) -> bytes:
        sink = _Sink(blake3(self._prefix), marked, pieces)
        pickler = _Pickler(sink, 5, buffer_callback=_refuse)
        pickler.fast = True
        pickler.dump(value)
        return sink.content.digest()


class _Sink:
    """A file that hashes what is written to it, and tells the digest so far after 1, 2, 4, 8, … pieces."""

    __slots__ = ("_count", "_due", "_marked", "_pieces", "content")

    def __init__(self, content: blake3, marked: Callable[[bytes], None], pieces: list[bytes] | None) -> None:
        self.content = content
        self._marked = marked
        self._pieces = pieces
        self._count, self._due = 0, 1

    def write(self, piece: bytes) -> None:
        """Take one piece: some 64 KiB, but for the last."""
        self.content.update(piece)
        if self._pieces is not None:
            self._pieces.append(piece)
        self._count += 1
        if self._count == self._due:
            self._due *= 2
            self._marked(self.content.digest())


class _Pickler(pickle.Pickler):
    """Asks before it takes anything apart that it has no opcodes for."""

    def reducer_override(self, _: Any) -> NoReturn:
        raise _UnfamiliarError


def _refuse(_: pickle.PickleBuffer) -> NoReturn:
    # Written into the stream, a buffer would look like bytes.
    raise _UnfamiliarError


def _may_overflow() -> bool:
    """Whether something deep could use up the stack before the pickler stops: until 3.11 at a limit that users set."""
    return sys.version_info < (3, 12) and sys.getrecursionlimit() > _SAFE_DEPTH
