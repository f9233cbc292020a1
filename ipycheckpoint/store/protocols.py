"""What is known of the protocols that fsspec speaks: the package of each, and how it is made to keep a promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

IDLE_SECONDS = 15.0
"""So long a server may say nothing before it is taken to be gone."""

PACKAGES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs",
    "adl": "adlfs", "sftp": "paramiko", "ssh": "paramiko", "webdav": "webdav4", "dav": "webdav4", "webdavs": "webdav4",
    "davs": "webdav4", "smb": "smbprotocol", "http": "aiohttp", "https": "aiohttp", "hdfs": "pyarrow", "oss": "ossfs",
    "oci": "ocifs", "hf": "huggingface_hub", "box": "boxfs", "dropbox": "dropboxdrivefs", "gdrive": "gdrive_fsspec",
}  # fmt: skip
"""What must be installed for a protocol, besides fsspec."""

_OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "obs", "r2"})

_WHOLE = _OBJECTS | {"memory", "webdav"}
# Object stores put in one step, and would copy what is moved. WebDAV servers put in one step, too (Apache, nginx,
# lighttpd and Nextcloud write beside, and rename), but remove what is there before they move something over it.

_KINDS = {"s3a": "s3", "ssh": "sftp", "dav": "webdav", "webdavs": "webdav", "davs": "webdav"}
# Protocols that are one under several names.


def protocol_of(url: str) -> str:
    """The protocol that a URL begins with.

    >>> protocol_of("s3://team/cache")
    's3'
    """
    return url.partition("://")[0].lower()


def puts_whole(system: Any) -> bool:
    """Whether what is put into this file system appears in one step."""
    protocol = system.protocol
    return not _WHOLE.isdisjoint((protocol,) if isinstance(protocol, str) else protocol)


def spelled(system: Any, path: str) -> str:
    """`path` as this file system is to be given it: over WebDAV a percent sign is decoded once too often."""
    return path.replace("~", "~7E").replace("%", "~25") if is_webdav(system) else path


def unspelled(system: Any, path: str) -> str:
    """The path that `spelled` has made into `path`."""
    return path.replace("~25", "%").replace("~7E", "~") if is_webdav(system) else path


def is_webdav(system: Any) -> bool:
    """Whether this file system is webdav4's."""
    return "webdav" in ((system.protocol,) if isinstance(system.protocol, str) else system.protocol)


def speaks_ssh(system: Any) -> bool:
    """Whether this file system is paramiko's."""
    return hasattr(getattr(system, "ftp", None), "putfo")


def resolved(
    url: str, options: Mapping[str, Any], configured: Mapping[str, Mapping[str, Any]]
) -> tuple[str, dict[str, Any]]:
    """The URL and options that fsspec understands: with what makes a server that is gone known as that in time.

    What the user says, in `options` or `configured` for fsspec, stands. Attempts are counted by us, for all protocols
    alike, so a library makes one.

    >>> resolved("davs://ada:pw@host/team", {"timeout": 3}, {})
    ('webdav://team', {'retry': False, 'base_url': 'https://host', 'auth': ('ada', 'pw'), 'timeout': 3})
    """
    protocol = protocol_of(url)
    kind = _KINDS.get(protocol, protocol)
    said = {**configured.get(kind, {}), **configured.get(protocol, {}), **options}
    ours: dict[str, Any] = {}
    if kind == "s3":
        retries = {"total_max_attempts": 1, "mode": "standard"}
        config = {"read_timeout": IDLE_SECONDS, "retries": retries, **(said.get("config_kwargs") or {})}
        return url, {**options, "config_kwargs": config}
    if kind == "sftp":
        ours = {"timeout": IDLE_SECONDS}
    if kind == "webdav":
        ours = {"timeout": IDLE_SECONDS, "retry": False}
        parts = urlsplit(url)
        url = f"webdav://{parts.netloc}{parts.path}"
        if "base_url" not in said:  # which webdav4 wants to be told, and no URL can say
            url = f"webdav://{parts.path.lstrip('/')}"
            scheme = "https" if protocol.endswith("s") else "http"
            ours["base_url"] = f"{scheme}://{parts.netloc.rpartition('@')[2]}"
            if parts.username is not None:
                ours["auth"] = (unquote(parts.username), unquote(parts.password or ""))
    return url, {**{name: value for name, value in ours.items() if name not in said}, **options}


def uncached(url: str) -> dict[str, bool]:
    """The option that keeps fsspec from remembering listings, which would hide what others do, where there is one."""
    return {"use_listings_cache": False} if protocol_of(url) in _OBJECTS else {}


def is_refusal(error: BaseException | None) -> bool:
    """Whether a server has said that this user may not do what was asked.

    >>> is_refusal(PermissionError("no")), is_refusal(TimeoutError())
    (True, False)
    """
    while error is not None:
        # gcsfs has nothing but words for it.
        if isinstance(error, PermissionError) or status_of(error) in (401, 403) or str(error).startswith("Forbidden:"):
            return True
        error = error.__cause__
    return False


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an exception of any library tells of; None where it tells none."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            status = getattr(holder, name, None)
            if isinstance(status, int) and 100 <= status < 600:
                return status
    return None
