"""Types that are never identified by value: each with the reason, and a way out.

They come before any attempt to reduce a value, since dill takes locks, files and sockets by their outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipycheckpoint.identity.registry import qualified, shapes_of
from ipycheckpoint.identity.shapes import Refusal, Shape, text

if TYPE_CHECKING:
    from collections.abc import Callable

_ITERATOR = "an iterator is used up as it is read, and can't be looked at without that; make it a list"
_LOCK = "a lock belongs to this process; pass what it guards"
_FILE = "an open file changes as it is read; pass its path, or what is in it"
_CONNECTION = "it is a live connection; open it inside"
_RUNNING = "it is something that runs; pass its result"
_WEAK = "what a weak reference leads to may go away; pass the object itself"
_MOMENT = "it is a moment of a running program, and gone with it"

_ITERTOOLS = (
    "accumulate batched chain combinations combinations_with_replacement compress count cycle dropwhile filterfalse"
    " groupby islice pairwise permutations product repeat starmap takewhile _tee zip_longest"
)

_REASONS: dict[str, str] = {
    **dict.fromkeys(
        (
            *("builtins.generator", "builtins.async_generator", "builtins.map", "builtins.filter", "builtins.zip"),
            *("builtins.set_iterator", "builtins.callable_iterator", "_csv.reader"),
            *(f"itertools.{name}" for name in _ITERTOOLS.split()),
        ),
        _ITERATOR,
    ),
    "builtins.coroutine": "a coroutine runs once; pass what it returns",
    **dict.fromkeys(
        (
            *("_thread.lock", "_thread.RLock", "threading._RLock", "threading.Condition", "threading.Event"),
            *("threading.Semaphore", "threading.Barrier", "asyncio.locks.Lock", "asyncio.locks.Event"),
            *("asyncio.locks.Condition", "asyncio.locks.Semaphore", "multiprocessing.synchronize.SemLock"),
            *("_multiprocessing.SemLock", "filelock._api.BaseFileLock", "_thread._local", "_threading_local.local"),
        ),
        _LOCK,
    ),
    **dict.fromkeys(
        (
            *("tempfile._TemporaryFileWrapper", "tempfile.SpooledTemporaryFile"),
            *("tempfile.TemporaryDirectory", "zipfile.ZipFile", "tarfile.TarFile", "mmap.mmap", "_csv.writer"),
            *("h5py._hl.base.HLObject", "os.ScandirIterator", "posix.ScandirIterator", "nt.ScandirIterator"),
            *("xarray.backends.common.AbstractDataStore", "netCDF4._netCDF4.Dataset", "tables.file.File"),
        ),
        _FILE,
    ),
    **dict.fromkeys(
        (
            *("_socket.socket", "ssl.SSLSocket", "ssl.SSLContext", "_ssl._SSLContext", "select.epoll", "select.kqueue"),
            *("select.poll", "selectors.BaseSelector", "sqlite3.Connection", "sqlite3.Cursor", "sqlite3.Blob"),
            *("psycopg2.extensions.connection", "psycopg2.extensions.cursor", "psycopg.Connection", "psycopg.Cursor"),
            *("sqlalchemy.engine.base.Connection", "sqlalchemy.engine.base.Engine", "sqlalchemy.orm.session.Session"),
            *("duckdb.DuckDBPyConnection", "duckdb.DuckDBPyRelation", "_duckdb.DuckDBPyConnection", "zmq.Socket"),
            *("_duckdb.DuckDBPyRelation", "http.client.HTTPConnection", "multiprocessing.connection._ConnectionBase"),
            *("zmq.Context", "pymongo.mongo_client.MongoClient", "redis.client.Redis", "ftplib.FTP", "smtplib.SMTP"),
        ),
        _CONNECTION,
    ),
    **dict.fromkeys(
        (
            *("threading.Thread", "subprocess.Popen", "concurrent.futures._base.Executor", "multiprocessing.pool.Pool"),
            *("concurrent.futures._base.Future", "_asyncio.Future", "_asyncio.Task", "asyncio.futures.Future"),
            *("asyncio.events.AbstractEventLoop", "asyncio.tasks.Task", "multiprocessing.process.BaseProcess"),
            *("asyncio.runners.Runner", "dask.distributed.Client", "distributed.client.Client", "queue.Queue"),
            *("_queue.SimpleQueue", "asyncio.queues.Queue", "multiprocessing.queues.Queue"),
        ),
        _RUNNING,
    ),
    **dict.fromkeys(("weakref.ReferenceType", "weakref.ProxyType", "weakref.CallableProxyType"), _WEAK),
    **dict.fromkeys(
        ("builtins.frame", "builtins.traceback", "builtins.async_generator_asend", "_contextvars.Context"), _MOMENT
    ),
    "_contextvars.Token": _MOMENT,
    "_contextvars.ContextVar": "its value depends on where it is asked; pass `variable.get()`",
}


def _refusing(reason: str) -> Callable[[Any], Refusal]:
    refusal = Refusal(reason)
    return lambda _: refusal


@shapes_of("_io._IOBase", "io.IOBase")
def _file(file: Any) -> Shape | Refusal:
    if not file.closed:
        return Refusal(_FILE)
    # Nothing more can come of it: what is left is its name, and whether it was read or written, as its class tells.
    return Shape("closed file", (text(qualified(type(file))), text(getattr(file, "name", ""))))


for _name, _reason in _REASONS.items():
    shapes_of(_name)(_refusing(_reason))
