"""A connection to a place at a URL: opened when it is needed, and anew when it broke; what may pass is tried again."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ipycheckpoint.errors import CheckpointError, StoreError, UsageError
from ipycheckpoint.store.protocols import (
    IDLE_SECONDS,
    PACKAGES,
    is_refusal,
    protocol_of,
    resolved,
    speaks_ssh,
    spelled,
    status_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""What every protocol raises where there is no such file."""

_ANSWERS = (*GONE, FileExistsError, ImportError, TypeError, ValueError, AttributeError, NotImplementedError)
# To ask again would give the same.

_PAUSES_SECONDS = (0.1, 0.3, 0.9)  # before each further attempt
_PATIENCE_SECONDS = 20.0  # after which there is none: who doesn't answer at all costs half a minute


class Connection:
    """fsspec's file system for `url`, with the `options` of its protocol. Nothing is opened before it is used."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._url = url if url.endswith("://") else url.rstrip("/")
        self._options = options
        self._opened: tuple[Any, str] | None = None
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._opened = None
        self._own = threading.local()
        """Of this thread alone: paramiko mixes up the answers when several ask at once."""

    @property
    def location(self) -> str:
        """The URL, without credentials."""
        return without_credentials(self._url)

    def root(self) -> tuple[Any, str]:
        """The file system, and where in it `url` leads. Raises StoreError, or UsageError if a package is missing."""
        if self._process != os.getpid():
            self._forget()  # connections and locks don't outlive a fork
        opened = self._opened or getattr(self._own, "opened", None)
        if opened is None:
            with self._lock:
                opened = self._opened or _open(self._url, self._options)
                if speaks_ssh(opened[0]):
                    self._own.opened = opened
                else:
                    self._opened = opened
        return opened

    def ask(self, action: str, name: str, step: Callable[[Any, str], T]) -> T:
        """What `step` gives, of the file system and the path of the file `name` there.

        What isn't an answer is asked again, a few times: `step` may be done more than once. Raises StoreError, and
        what is in `GONE`.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        for pause in (*_PAUSES_SECONDS, None):
            system = None
            try:
                system, root = self.root()
                return step(system, f"{root}/{spelled(system, name)}" if name else root)
            except (*GONE, CheckpointError):
                raise
            except Exception as error:  # each protocol raises what its own library raises
                if pause is None or not _may_pass(error) or time.monotonic() + pause > until:
                    raise self.failure(name, action, error) from error
                if system is not None:
                    self._renew(system)
                time.sleep(pause)
        raise AssertionError("the last attempt gives or raises")

    def _renew(self, broken: Any) -> None:
        """Open it anew, where a connection may be broken; libraries for HTTP do that themselves."""
        if speaks_ssh(broken):
            self._own.opened = None
            with suppress(Exception):
                broken.client.close()

    def failure(self, name: str, action: str, error: Exception) -> StoreError:
        """What is told of `error`, which ended doing `action` to the file `name`."""
        return StoreError(f"{self.location}/{name or '*'}", action, _words(error, self._url))


def check_packages(url: str) -> None:
    """Raise UsageError if a package is missing that `url` needs; the message says how to install it."""
    from importlib.util import find_spec

    package = PACKAGES.get(protocol_of(url), "")
    missing = [name for name in ("fsspec", package) if name and find_spec(name) is None]
    if missing:
        what = f"{without_credentials(url)} needs {' and '.join(missing)}"
        raise UsageError(f"{what}: pip install 'ipycheckpoint[remote]' {package}".rstrip())


def without_credentials(url: str) -> str:
    """`url` as it may be shown: without what comes before an ``@`` in its host, or after a ``?``.

    >>> without_credentials("sftp://me:secret@host/path?key=1")
    'sftp://host/path'
    """
    protocol, separator, rest = url.partition("://")
    host, slash, path = rest.partition("?")[0].partition("/")
    return f"{protocol}{separator}{host.rpartition('@')[2]}{slash}{path}" if separator else url


def _open(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    check_packages(url)
    from fsspec.config import conf
    from fsspec.core import url_to_fs

    shown = without_credentials(url)
    try:
        target, known = resolved(url, options, conf)
        # Whoever else speaks SSH in this process, in whatever thread, needs a connection that isn't ours.
        alone = {"skip_instance_cache": True} if target.startswith(("sftp:", "ssh:")) else {}
        system, root = url_to_fs(target, **known, **alone)
    except ImportError as problem:  # the protocol's own package; its message names it
        raise UsageError(f"{shown} needs another package: {problem}") from problem
    except Exception as problem:  # each protocol raises what its own library raises
        raise StoreError(shown, "open", _words(problem, url)) from problem
    if isinstance(getattr(system, "retries", None), int):
        system.retries = 1  # attempts are ours to count
    if speaks_ssh(system):
        system.ftp.get_channel().settimeout(IDLE_SECONDS)  # paramiko waits for ever
    return system, str(root).rstrip("/")


def _may_pass(error: Exception) -> bool:
    status = status_of(error)
    if isinstance(error, _ANSWERS) or is_refusal(error):
        return False
    return status is None or status >= 500 or status in (408, 425, 429)


def _words(error: Exception, url: str) -> str:
    """What `error` says, without the credentials of `url`."""
    words = str(error) or type(error).__name__
    host = url.partition("://")[2].partition("/")[0]
    secret = host.rpartition("@")[0]
    for part in (secret, secret.partition(":")[2], url.partition("?")[2]):
        words = words.replace(part, "…") if part else words
    return words
