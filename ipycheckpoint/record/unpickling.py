"""Bytes to values: the reading half of `codec`, which is all that a hit needs."""

from __future__ import annotations

import gc
import io
import pickle
from typing import TYPE_CHECKING, Any

from ipycheckpoint.progress import advance
from ipycheckpoint.record import moves, rebuild

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


_FRAME_NBYTES = 1 << 16

_MANY_NBYTES = 1 << 18
# From here on there may be so many objects that to look for garbage among them takes longer than to make them.


class Stream(io.BytesIO):
    """Picklers and unpicklers come by with each frame, of some 64 KiB: then it says that work is going on."""

    def write(self, data: Any) -> int:
        """As `io.BytesIO.write`."""
        advance()
        return super().write(data)

    def read(self, size: int | None = -1) -> bytes:
        """As `io.BytesIO.read`."""
        advance()
        return super().read(size)


class Unpickler(pickle.Unpickler):
    """Loads the streams of both picklers. `resolve` gives the live object at a path."""

    def __init__(
        self,
        file: Any,
        buffers: Iterable[Any],
        resolve: Callable[[tuple[object, ...]], object] | None,
    ) -> None:
        super().__init__(file, buffers=buffers)
        self._resolve = resolve

    def persistent_load(self, path: Any) -> Any:
        """The live object at `path`."""
        if self._resolve is None:
            raise pickle.UnpicklingError(f"it refers to a live object at {path!r}, and there is none here")
        return self._resolve(path)

    def find_class(self, module: str, name: str) -> Any:
        """What a stream calls by name: for ``__main__``, what the namespace has under it."""
        if (found := moves.moved(module, name)) is not None:
            return found
        if module == "__main__":
            return rebuild.main_v1(name)
        return super().find_class(module, name)


def decode(
    stream: bytes | memoryview,
    buffers: Sequence[memoryview] = (),
    *,
    resolve: Callable[[tuple[object, ...]], object] | None = None,
    namespace: dict[str, Any] | None = None,
    values: dict[str, object] | None = None,
) -> dict[str, object]:
    """The values of one section by name. **Runs what the stream says**: only for bytes that are trusted.

    The values live on the memory of `buffers`, which nobody else may hold. `resolve` gives the live
    object at a path of `links`; functions and classes of ``__main__`` live in `namespace`, if given.
    Raises whatever loading raises; those that came before the one that failed are in `values`, if given.

    >>> from ipycheckpoint.record.codec import encode
    >>> [section] = encode({"answer": 42})
    >>> decode(section.stream, section.buffers)
    {'answer': 42}
    """
    if len(stream) < _MANY_NBYTES or not gc.isenabled():
        return _decode(stream, buffers, resolve, namespace, {} if values is None else values)
    gc.disable()
    try:
        return _decode(stream, buffers, resolve, namespace, {} if values is None else values)
    finally:
        gc.enable()


def _decode(
    stream: bytes | memoryview,
    buffers: Sequence[memoryview],
    resolve: Callable[[tuple[object, ...]], object] | None,
    namespace: dict[str, Any] | None,
    values: dict[str, object],
) -> dict[str, object]:
    with rebuild.into(namespace):
        # A short one is read in many small pieces, and is done before anybody could be told.
        file = io.BytesIO(stream) if len(stream) < _FRAME_NBYTES else Stream(_whole(stream))
        unpickler = Unpickler(file, buffers, resolve)
        for name in unpickler.load():
            values[name] = unpickler.load()
    return values


def _whole(stream: bytes | memoryview) -> bytes | memoryview:
    """The same, as the bytes that it is a view of: those a `Stream` takes as they are, and a view it copies."""
    if isinstance(stream, memoryview) and isinstance(stream.obj, bytes) and len(stream.obj) == stream.nbytes:
        return stream.obj
    return stream
