"""Whose records may be unpickled: those signed with a secret that only this user, or a team, has.

A secret is a file of 32 random bytes. We sign with one, and accept what is signed with others, too:

- those in the folder ``accepted`` beside our own, where `Keyring.rotate` puts the ones that it replaces;
- those that ``IPYCHECKPOINT_ACCEPT`` names, or a setting: files, or folders of such files.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sys
import warnings
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ipycheckpoint.errors import CheckpointWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SCHEME = "hmac-sha256"
_NBYTES = 32

_ACCEPTED = "accepted"


class Signature(NamedTuple):
    """Who vouches for a header, and the proof."""

    scheme: str
    signer: str
    """A short name of the secret, which tells nothing about it."""
    value: str
    """Hexadecimal."""


def secret_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the secret of this user is kept: ``ipycheckpoint/secret`` in Jupyter's data directory.

    >>> secret_path({"JUPYTER_DATA_DIR": "/data"}).as_posix()
    '/data/ipycheckpoint/secret'
    >>> secret_path({"IPYCHECKPOINT_SECRET_FILE": "/team/secret"}).as_posix()
    '/team/secret'
    """
    if own := environ.get("IPYCHECKPOINT_SECRET_FILE"):
        return Path(own)
    return _jupyter_data(environ) / "ipycheckpoint" / "secret"


def accepted_paths(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """What ``IPYCHECKPOINT_ACCEPT`` names: files or folders, with a colon between them (on Windows, a semicolon).

    >>> [path.as_posix() for path in accepted_paths({"IPYCHECKPOINT_ACCEPT": os.pathsep.join(["/team/a", "/team/b"])})]
    ['/team/a', '/team/b']
    """
    return paths_in(environ.get("IPYCHECKPOINT_ACCEPT", ""))


def paths_in(text: str) -> tuple[Path, ...]:
    """The paths that `text` names, written as in a ``PATH``."""
    return tuple(Path(name).expanduser() for name in text.split(os.pathsep) if name.strip()) if text else ()


def _jupyter_data(environ: Mapping[str, str]) -> Path:
    # As jupyter_core has it, which would take long to import.
    if directory := environ.get("JUPYTER_DATA_DIR"):
        return Path(directory)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Jupyter"
    if sys.platform == "win32":
        roaming = environ.get("APPDATA")
        return Path(roaming) / "jupyter" if roaming else Path.home() / ".jupyter" / "data"
    shared = environ.get("XDG_DATA_HOME")
    return (Path(shared) if shared else Path.home() / ".local" / "share") / "jupyter"


class Keyring:
    """The secret that this user signs with, and those of others whose records are accepted, too.

    The secret is read when it is first needed, and made when the first header is signed.

    >>> ring = Keyring(secret=b"s" * 32)
    >>> ring.verify(b"header", ring.sign(b"header")), ring.verify(b"other", ring.sign(b"header"))
    (True, False)
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        secret: bytes | None = None,
        accepted: Sequence[bytes] = (),
        accept: Callable[[], Sequence[Path]] | None = None,
    ) -> None:
        """`accept` says where accepted secrets are, instead of the environment; with a `secret`, there are none."""
        self._path = path
        self._secret = secret
        self._given = tuple(accepted)
        self._accept = accept or (accepted_paths if secret is None else tuple)
        self._reads_folder = secret is None
        self._read_accepted: tuple[tuple[Path, ...], tuple[bytes, ...]] | None = None

    @property
    def path(self) -> Path:
        """Where the secret is, or will be."""
        return secret_path() if self._path is None else self._path

    def sign(self, header: bytes) -> Signature:
        """The signature of the bytes of a header. Makes the secret if there is none yet."""
        if self._secret is None:
            self._secret = self._read() or self._create()
        return _sign(self._secret, header)

    @property
    def signer(self) -> str:
        """The name under which we sign; empty as long as there is no secret. Writes nothing."""
        if self._secret is None:
            self._secret = self._read()
        return "" if self._secret is None else _signer(self._secret)

    def signers(self) -> tuple[str, ...]:
        """The names of all whose signatures are accepted. Writes nothing."""
        own = self.signer
        return tuple(dict.fromkeys([*([own] if own else []), *(_signer(secret) for secret in self._accepted())]))

    def verify(self, header: bytes, signature: Signature | None) -> bool:
        """Whether someone we accept has signed `header`. Writes nothing."""
        if signature is None or signature.scheme != SCHEME:
            return False
        if self._secret is None:
            self._secret = self._read()
        value = signature.value.encode("utf-8", "replace")

        def has_signed(secret: bytes) -> bool:
            return hmac.compare_digest(_value(secret, header).encode(), value)

        # Nearly all that is here is our own.
        return (self._secret is not None and has_signed(self._secret)) or any(map(has_signed, self._accepted()))

    def rotate(self) -> tuple[str, str]:
        """Sign with a new secret from now on, and accept what the old one signed; the names of the old and the new.

        Processes that have read the old one go on to sign with it. Raises OSError; then nothing has changed.
        """
        path, secret = self.path, os.urandom(_NBYTES)
        old = self._read()
        if old is None:
            old = _put_once(path, secret)
            if old == secret:
                self._secret, self._read_accepted = secret, None
                return "", _signer(secret)
        # The new one, too: when several rotate at once, all but the last are replaced by one who never saw them.
        for each in (old, secret):
            _put_once(path.parent / _ACCEPTED / _signer(each), each)
        _write_new(path, secret).replace(path)
        self._secret, self._read_accepted = secret, None
        return _signer(old), _signer(secret)

    def _accepted(self) -> tuple[bytes, ...]:
        """The accepted secrets, read once for each setting. One that can't be read, or is too short, is passed over."""
        named = tuple(self._accept())
        if self._read_accepted is None or self._read_accepted[0] != named:
            places = list(named)
            if self._reads_folder:
                with suppress(RuntimeError):  # there is no home directory
                    places.append(self.path.parent / _ACCEPTED)
            found = dict.fromkeys(secret for place in places for secret in _secrets_at(place))
            self._read_accepted = (named, tuple(found))
        return (*self._given, *self._read_accepted[1])

    def _read(self) -> bytes | None:
        try:
            secret = self.path.read_bytes()
        except (OSError, RuntimeError):  # RuntimeError: there is no home directory
            return None
        return secret if len(secret) >= _NBYTES else None

    def _create(self) -> bytes:
        secret = os.urandom(_NBYTES)
        try:
            return _put_once(self.path, secret)
        except (OSError, RuntimeError) as problem:
            warnings.warn(
                f"what is kept now will not be trusted by another process: can't write the secret that "
                f"signs it ({problem}); set IPYCHECKPOINT_SECRET_FILE to a file that can be written",
                CheckpointWarning,
                stacklevel=3,
            )
            return secret


def _put_once(path: Path, secret: bytes) -> bytes:
    # Whole or not at all, and the first one stays: a hard link fails where there is a file already.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = _write_new(path, secret)
    try:
        try:
            os.link(temporary, path)
        except FileExistsError:
            there = path.read_bytes()
            if len(there) >= _NBYTES:
                return there
            temporary.replace(path)  # a damaged one: nothing that it signed can be verified any more
        except OSError:
            if path.exists():
                return path.read_bytes()
            temporary.replace(path)  # no hard links on this file system
    finally:
        temporary.unlink(missing_ok=True)
    return secret


def _write_new(path: Path, secret: bytes) -> Path:
    """A file beside `path` with `secret` in it, on the disk."""
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _secrets_at(place: Path) -> Iterator[bytes]:
    try:
        files = sorted(place.iterdir()) if place.is_dir() else [place]
    except OSError:
        return
    for file in files:
        if not file.name.startswith("."):  # one that is being written
            secret = b""
            with suppress(OSError):
                secret = file.read_bytes()
            if len(secret) >= _NBYTES:
                yield secret


def _sign(secret: bytes, header: bytes) -> Signature:
    return Signature(SCHEME, _signer(secret), _value(secret, header))


def _value(secret: bytes, header: bytes) -> str:
    mac = _mac(secret).copy()
    mac.update(header)
    return mac.hexdigest()


@lru_cache(maxsize=100)
def _mac(secret: bytes) -> hmac.HMAC:
    return hmac.new(secret, digestmod="sha256")


@lru_cache(maxsize=100)
def _signer(secret: bytes) -> str:
    return hashlib.sha256(b"ipycheckpoint signer" + secret).hexdigest()[:12]
