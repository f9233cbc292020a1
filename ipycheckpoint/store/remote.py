"""Files at a URL, by fsspec, which is loaded when the first one is written or read."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ipycheckpoint.errors import StoreError, UsageError
from ipycheckpoint.store.base import Content, Entry
from ipycheckpoint.store.files import NEW, Pending, check_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "obs", "r2", "memory"})
# Object stores: what is put there appears in one step, and to move it would be to copy it.


class RemoteFiles:
    """The files below `url`, by fsspec: any protocol that it knows, such as ``s3://bucket/checkpoints``.

    A file is held in memory while it is written or read. `options` are the protocol's own, such as credentials.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self._url = url if url.endswith("://") else url.rstrip("/")
        self._options = options
        self._opened: tuple[Any, str] | None = None
        self._process = os.getpid()

    @property
    def location(self) -> str:
        """The URL, without credentials."""
        return without_credentials(self._url)

    def write(self, name: str, chunks: Sequence[bytes | memoryview]) -> None:
        """Write `chunks` as the file `name`: in one step where the protocol has that, else by a move."""
        self.prepare(name, chunks).commit()

    def prepare(self, name: str, chunks: Sequence[bytes | memoryview]) -> Pending:
        """Hold `chunks` until they are put, or write them under another name, to be moved to the file `name`."""
        system, target = self._at(check_path(name))
        content = b"".join(chunks)
        try:
            if _puts_whole(system):
                return Pending(lambda: self._last_step(name, system.pipe_file, target, content), lambda: None)
            folder = target.rpartition("/")[0]
            system.makedirs(folder, exist_ok=True)
            new = f"{folder}/{NEW}{os.urandom(8).hex()}"
            forget = partial(_forget, system, new)
            try:
                system.pipe_file(new, content)
            except BaseException:
                forget()
                raise
        except Exception as error:  # each protocol raises what its own library raises
            raise self._failure(name, "write", error) from error
        return Pending(lambda: self._last_step(name, system.mv, new, target, forget=forget), forget)

    def _last_step(
        self, name: str, step: Callable[..., Any], *args: Any, forget: Callable[[], None] = lambda: None
    ) -> None:
        try:
            step(*args)
        except BaseException as error:
            forget()
            if isinstance(error, Exception):  # each protocol raises what its own library raises
                raise self._failure(name, "write", error) from error
            raise

    def read(self, name: str) -> Content | None:
        """A copy of the file `name`; None when there is none."""
        system, target = self._at(check_path(name))
        try:
            return Content(memoryview(bytearray(system.cat_file(target))), None)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except Exception as error:  # each protocol raises what its own library raises
            raise self._failure(name, "read", error) from error

    def entries(self) -> Iterator[Entry]:
        """All files at any depth; their time is 0 where the protocol doesn't tell it."""
        system, root = self._at("")
        try:
            system.invalidate_cache()
            found = system.find(root, detail=True)
        except FileNotFoundError:
            return
        except Exception as error:  # each protocol raises what its own library raises
            raise self._failure("*", "list", error) from error
        for path, told in found.items():
            name = str(path).removeprefix(root).lstrip("/")
            if name and not name.rpartition("/")[2].startswith(NEW):
                yield Entry(name, int(told.get("size") or 0), modified_of(told))

    def remove(self, name: str) -> bool:
        """Remove the file `name`; whether there was one."""
        system, target = self._at(check_path(name))
        try:
            if not system.isfile(target):
                return False
            system.rm_file(target)
        except FileNotFoundError:
            return False
        except Exception as error:  # each protocol raises what its own library raises
            raise self._failure(name, "remove", error) from error
        return True

    def _at(self, name: str) -> tuple[Any, str]:
        if self._opened is None or self._process != os.getpid():  # connections don't outlive a fork
            self._opened, self._process = _open(self._url, self._options), os.getpid()
        system, root = self._opened
        return system, f"{root}/{name}" if name else root

    def _failure(self, name: str, action: str, error: Exception) -> StoreError:
        return StoreError(f"{self.location}/{name}", action, _words(error, self._url))


def without_credentials(url: str) -> str:
    """`url` as it may be shown: without what comes before an ``@`` in its host, or after a ``?``.

    >>> without_credentials("sftp://me:secret@host/path?key=1")
    'sftp://host/path'
    """
    protocol, separator, rest = url.partition("://")
    host, slash, path = rest.partition("?")[0].partition("/")
    return f"{protocol}{separator}{host.rpartition('@')[2]}{slash}{path}" if separator else url


def _words(error: Exception, url: str) -> str:
    """What `error` says, without the credentials of `url`."""
    words = str(error) or type(error).__name__
    host = url.partition("://")[2].partition("/")[0]
    secret = host.rpartition("@")[0]
    for part in (secret, secret.partition(":")[2], url.partition("?")[2]):
        words = words.replace(part, "…") if part else words
    return words


def _forget(system: Any, new: str) -> None:
    with suppress(Exception):
        system.rm_file(new)


def _puts_whole(system: Any) -> bool:
    protocol = system.protocol
    return not _WHOLE.isdisjoint((protocol,) if isinstance(protocol, str) else protocol)


def _open(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    shown = without_credentials(url)
    try:
        from fsspec.core import url_to_fs
    except ImportError as problem:
        raise UsageError(f"{shown} needs fsspec: pip install 'ipycheckpoint[remote]'") from problem
    try:
        system, root = url_to_fs(url, **options)
    except ImportError as problem:  # the protocol's own package; its message names it
        raise UsageError(
            f"{shown} needs another package: {problem}; see also pip install 'ipycheckpoint[remote]'"
        ) from problem
    except Exception as problem:  # each protocol raises what its own library raises
        raise StoreError(shown, "open", _words(problem, url)) from problem
    return system, str(root).rstrip("/")


def modified_of(told: dict[str, Any]) -> float:
    """Seconds since the epoch, under whatever name and in whatever form a protocol tells them."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "modified", "created"):
        moment = told.get(name)
        if isinstance(moment, datetime):
            return moment.timestamp()
        if isinstance(moment, int | float):
            return float(moment)
    return 0.0
