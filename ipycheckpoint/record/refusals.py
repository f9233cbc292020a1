"""What is alive and can't be written down, and where in a value it sits.

Some picklers write an open file or a lock as if it were data, and make another one on load. That would be
another file and another lock: here they are refused.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOCK = "a lock of this process"
_FILE = "an open file"
_CONNECTION = "a live connection"
_RUNNING = "work in progress"

_REASONS = {
    "_thread.lock": _LOCK,
    "_thread.RLock": _LOCK,
    "threading.Condition": _LOCK,
    "threading.Event": _LOCK,
    "threading.Semaphore": _LOCK,
    "threading.Barrier": _LOCK,
    "multiprocessing.synchronize.SemLock": _LOCK,
    "threading.Thread": "a thread",
    "_thread._local": "local to a thread",
    "_io.FileIO": _FILE,
    "_io.TextIOWrapper": _FILE,
    "_io.BufferedReader": _FILE,
    "_io.BufferedWriter": _FILE,
    "_io.BufferedRandom": _FILE,
    "tempfile._TemporaryFileWrapper": _FILE,
    "zipfile.ZipFile": _FILE,
    "h5py._hl.files.File": _FILE,
    "mmap.mmap": "a map of a file",
    "_socket.socket": _CONNECTION,
    "sqlite3.Connection": _CONNECTION,
    "sqlite3.Cursor": _CONNECTION,
    "http.client.HTTPConnection": _CONNECTION,
    "multiprocessing.connection._ConnectionBase": _CONNECTION,
    "psycopg2.extensions.connection": _CONNECTION,
    "psycopg.Connection": _CONNECTION,
    "sqlalchemy.engine.base.Connection": _CONNECTION,
    "sqlalchemy.engine.base.Engine": _CONNECTION,
    "_duckdb.DuckDBPyConnection": _CONNECTION,
    "duckdb.duckdb.DuckDBPyConnection": _CONNECTION,
    "builtins.generator": "a generator, and could be read only once: make it a list",
    "builtins.async_generator": "a generator, and could be read only once: make it a list",
    "builtins.coroutine": _RUNNING,
    "_asyncio.Future": _RUNNING,
    "_asyncio.Task": _RUNNING,
    "asyncio.events.AbstractEventLoop": _RUNNING,
    "concurrent.futures._base.Future": _RUNNING,
    "concurrent.futures._base.Executor": "a pool of workers",
    "multiprocessing.pool.Pool": "a pool of workers",
    "multiprocessing.process.BaseProcess": "a process",
    "subprocess.Popen": "a process",
    "builtins.frame": "a part of the running program",
    "builtins.traceback": "a part of the running program",
    "weakref.ReferenceType": "a weak reference, which keeps nothing alive",
    "weakref.ProxyType": "a weak reference, which keeps nothing alive",
    "weakref.CallableProxyType": "a weak reference, which keeps nothing alive",
    "_contextvars.Token": "a part of the running program",
    "builtins.memoryview": "a view of memory that belongs to something else",
}

_DEPTH = 30
_BREADTH = 10_000


class Refused(Exception):  # noqa: N818 - "refused" is what the value is
    """A value of a type that can't be written down; `reason` continues "it is …"."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def reason_against(kind: type) -> str | None:
    """Why values of the type `kind` are never written; None for all others."""
    for base in kind.__mro__:
        reason = _REASONS.get(f"{base.__module__}.{base.__qualname__}")
        if reason is not None:
            return reason
    return None


def culprit(name: str, value: object, attempt: Callable[[object], Exception | None]) -> tuple[str, object, Exception]:
    """The path to what can't be written in `value`, that part itself, and what was wrong with it.

    `attempt` tries to write a value, and returns the exception if it can't. The path ends where all
    parts can be written, but not their whole.
    """
    path, problem = name, attempt(value)
    assert problem is not None, "asked for the culprit in a value that can be written"
    seen = {id(value)}
    for _ in range(_DEPTH):
        for step, part in islice(_parts(value), _BREADTH):
            if id(part) not in seen and (inner := attempt(part)) is not None:
                seen.add(id(part))
                path, value, problem = path + step, part, inner
                break
        else:
            break
    return path, value, problem


def _parts(value: Any) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"[{_short(key)}]", item
        for key in value:
            yield ".keys()", key
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    elif isinstance(value, set | frozenset):
        for item in value:
            yield "{…}", item
    for name, attribute in list(getattr(value, "__dict__", {}).items()):
        yield f".{name}", attribute
    for base in () if isinstance(value, type) else type(value).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if isinstance(name, str) and not name.startswith("__") and hasattr(value, name):
                yield f".{name}", getattr(value, name)
    code = getattr(value, "__code__", None)
    for name, cell in zip(getattr(code, "co_freevars", ()), getattr(value, "__closure__", None) or (), strict=False):
        try:
            yield f"→{name}", cell.cell_contents
        except ValueError:
            continue
    if hasattr(value, "__func__"):
        yield "", value.__func__
    if hasattr(value, "__self__"):
        yield ".__self__", value.__self__


def _short(key: object) -> str:
    return repr(key) if isinstance(key, str | int) and len(str(key)) <= 40 else type(key).__name__
