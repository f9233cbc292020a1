"""The LIMIT: straight-line code on primitives, without features.

What has to be done at least for a hit that looks at the code and at the arguments: one pass of the fastest hash over
all of them, and one row of SQLite or one file with memory-mapped buffers for the result. It knows plain data, arrays
and frames, signs nothing, explains nothing, and trusts what it finds.
"""

from __future__ import annotations

import fcntl
import io
import mmap
import os
import pickle
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType

_SMALL = 1 << 16
_ALIGNED = 64


def digest_of(value: Any) -> bytes:
    """One pass over all bytes of a value. An equal copy has the same digest."""
    from xxhash import xxh3_128

    hasher = xxh3_128()
    pandas = sys.modules.get("pandas")
    # The blocks of a frame are no part of its value, and its columns are.
    frame = isinstance(value, pandas.DataFrame) if pandas else False
    parts = [value.index, *((name, _plain(value[name])) for name in value.columns)] if frame else [value]
    for part in parts:
        stream = io.BytesIO()
        pickler = pickle.Pickler(stream, 5, buffer_callback=lambda buffer: hasher.update(buffer.raw()))
        pickler.fast = True  # no memo: which strings are one object is no part of the value either
        pickler.dump(part)
        hasher.update(stream.getbuffer())
    return hasher.digest()


def _plain(column: Any) -> Any:
    if column.dtype == object:
        return column.tolist()
    arrow = getattr(column.array, "_pa_array", None)
    return column.array if arrow is None else [chunk for chunk in arrow.chunks if len(chunk)]


class Small:
    """One row for each result."""

    def __init__(self, directory: str) -> None:
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        self._rows = sqlite3.connect(f"{directory}/rows.sqlite", isolation_level=None)
        self._rows.execute("PRAGMA journal_mode=WAL")
        self._rows.execute("PRAGMA synchronous=NORMAL")
        self._rows.execute("CREATE TABLE IF NOT EXISTS results (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def get(self, key: bytes) -> bytes | None:
        row = self._rows.execute("SELECT value FROM results WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def put(self, key: bytes, value: bytes) -> None:
        self._rows.execute("INSERT OR REPLACE INTO results VALUES (?, ?)", (key, value))

    def keys(self) -> list[tuple[bytes, int]]:
        return self._rows.execute("SELECT key, length(value) FROM results").fetchall()


class Limit:
    """The results of functions in a directory."""

    def __init__(self, directory: str) -> None:
        self._small = Small(directory)
        self._directory = directory

    def decorate(self, function: FunctionType) -> Callable[..., Any]:
        """The function, with its results kept."""
        reached = closure_of(function)
        code = blake3(b"".join(found.co_code + repr(found.co_consts).encode() for _, _, _, found in reached if found))
        values = [value for _, _, value, found in reached if not found and not callable(value)]
        start = code.digest() + pickle.dumps([value for value in values if type(value) in {int, str, float}])
        dumps, small, large, get = pickle.dumps, self._small, self._large, self._small.get

        def call(*arguments: Any) -> Any:
            for names, name, value, found in reached:
                if names[name] is not value or (found is not None and value.__code__ is not found):
                    raise NotImplementedError("the code has changed")
            if all(type(argument) in {int, str} for argument in arguments):
                key = blake3(start + dumps(arguments, 5)).digest(16)
            else:
                key = blake3(start + b"".join(map(digest_of, arguments))).digest(16)
            kept = get(key)
            if kept is not None:
                return pickle.loads(kept) if kept else load(self._path(key))
            # Whoever asks for anything meanwhile waits.
            with open(f"{small.directory}/lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                kept = get(key)
                if kept is not None:
                    return pickle.loads(kept) if kept else load(self._path(key))
                value = function(*arguments)
                large(key, value)
            return value

        return call

    def _path(self, key: bytes) -> str:
        return f"{self._directory}/{key.hex()}"

    def _large(self, key: bytes, value: Any) -> None:
        buffers: list[memoryview] = []
        stream = pickle.dumps(value, 5, buffer_callback=lambda buffer: buffers.append(buffer.raw()))
        if not buffers and len(stream) < _SMALL:
            self._small.put(key, stream)
            return
        save(self._path(key), stream, buffers)
        self._small.put(key, b"")


def closure_of(function: FunctionType) -> list[tuple[dict[str, Any], str, Any, Any]]:
    """All globals that a function reaches through functions: where they are bound, to what, and their code."""
    reached: list[tuple[dict[str, Any], str, Any, Any]] = []
    waiting, seen = [function], {function}
    reached.append(({"": function}, "", function, function.__code__))
    while waiting:
        at = waiting.pop()
        for name in at.__code__.co_names:
            if name in at.__globals__:
                value = at.__globals__[name]
                code = getattr(value, "__code__", None)
                reached.append((at.__globals__, name, value, code))
                if code is not None and value not in seen:
                    seen.add(value)
                    waiting.append(value)
    return reached


def save(path: str, stream: bytes, buffers: list[memoryview]) -> None:
    """One file: the lengths, the stream, and the buffers, each aligned. Their digest is its last line."""
    lengths = pickle.dumps([len(stream), *(buffer.nbytes for buffer in buffers)])
    hasher = blake3(max_threads=blake3.AUTO)
    with open(f"{path}.new", "wb", buffering=0) as file:
        file.write(len(lengths).to_bytes(8, "little") + lengths + stream)
        for buffer in buffers:
            file.seek(-(-file.tell() // _ALIGNED) * _ALIGNED)
            file.write(buffer)
            hasher.update(buffer)
        file.write(hasher.digest())
    os.replace(f"{path}.new", path)


def load(path: str) -> Any:
    """The value in a file: its buffers are a private map of it."""
    with open(path, "rb", buffering=0) as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    size = 8 + int.from_bytes(content[:8], "little")
    stream, *lengths = pickle.loads(content[8:size])
    position = size + stream
    buffers = []
    for length in lengths:
        position = -(-position // _ALIGNED) * _ALIGNED
        buffers.append(content[position : position + length])
        position += length
    return pickle.loads(content[size : size + stream], buffers=buffers)


class LimitSession:
    """A cell, without a shell: its inputs are digested, and its outputs are bound."""

    def __init__(self, directory: Any) -> None:
        self._small = Small(str(directory))
        self._directory = str(directory)
        self._names: dict[str, Any] = {}
        self._codes: dict[str, Any] = {}

    def load(self) -> None:
        """Nothing is needed."""

    def define(self, source: str) -> None:
        exec(source, self._names)  # noqa: S102 - our own lines

    def empty(self) -> float:
        return 0.0

    def first(self, cell: Any) -> float:
        from benchmarks.bench import timed

        self._codes[cell.name] = compile(cell.source, cell.name, "exec")
        return timed(lambda: self._first(cell))[1]

    def again(self, cell: Any) -> float:
        from time import perf_counter

        began = perf_counter()
        kept = self._small.get(self._key(cell))
        assert kept is not None
        self._names.update(pickle.loads(kept) if kept else load(f"{self._directory}/{cell.name}"))
        return perf_counter() - began

    def unbind(self, names: tuple[str, ...]) -> None:
        for name in names:
            self._names.pop(name, None)

    def value(self, name: str) -> Any:
        return self._names[name]

    def _key(self, cell: Any) -> bytes:
        code = self._codes[cell.name]
        bound = set(cell.names)
        inputs = [self._names[name] for name in code.co_names if name in self._names and name not in bound]
        data = [value for value in inputs if not callable(value) and type(value).__name__ != "module"]
        if all(type(value) in {int, str, float, list, dict} for value in data):
            return blake3(code.co_code + pickle.dumps(data, 5)).digest(16)
        return blake3(code.co_code + b"".join(map(digest_of, data))).digest(16)

    def _first(self, cell: Any) -> None:
        key = self._key(cell)
        exec(self._codes[cell.name], self._names)  # noqa: S102 - our own lines
        outputs = {name: self._names[name] for name in cell.names}
        buffers: list[memoryview] = []
        stream = pickle.dumps(outputs, 5, buffer_callback=lambda buffer: buffers.append(buffer.raw()))
        if not buffers and len(stream) < _SMALL:
            self._small.put(key, stream)
        else:
            save(f"{self._directory}/{cell.name}", stream, buffers)
            self._small.put(key, b"")
