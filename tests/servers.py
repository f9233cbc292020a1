"""Servers on this machine that tests talk to."""

from __future__ import annotations

import getpass
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def need(*modules: str, programs: tuple[str, ...] = ()) -> None:
    """Skip the test where something is missing; on a machine for tests, fail it."""
    __tracebackhide__ = True
    missing = [f"the program {name}" for name in programs if _program(name) is None]
    for name in modules:
        try:
            __import__(name)
        except ImportError:
            missing.append(f"the package {name}")
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{' and '.join(missing)} can't be found")


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")


@contextmanager
def s3_server(bucket: str = "team") -> Iterator[dict[str, str]]:
    """An S3 server with a bucket; gives the storage options that lead there."""
    need("s3fs", "moto.server")
    import moto.server
    import s3fs

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        options = {"endpoint_url": f"http://127.0.0.1:{server.get_host_and_port()[1]}", "key": "me", "secret": "mine"}
        s3fs.S3FileSystem(**options).makedirs(bucket, exist_ok=True)  # all servers of a process share buckets
        yield options
    finally:
        server.stop()


def told_to_processes(options: dict[str, str], protocol: str = "s3") -> dict[str, str]:
    """The environment that hands storage options to other processes, as fsspec takes them."""
    return {f"FSSPEC_{protocol.upper()}_{name.upper()}": value for name, value in options.items()}


@contextmanager
def sftp_server(directory: Path) -> Iterator[tuple[str, int, dict[str, str]]]:
    """OpenSSH's server, for this user alone; gives the URL of a folder there, its port, and the storage options."""
    need("paramiko", programs=("sshd", "ssh-keygen"))
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    port = _free_port()
    (directory / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\nPidFile {directory}/pid\n"
        f"AuthorizedKeysFile {directory}/user.pub\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\nMaxSessions 100\n"
        "Subsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where root's sshd locks itself up
    command = [_program("sshd") or "sshd", "-D", "-e", "-f", str(directory / "config")]
    with _running(command, directory / "log", port):
        folder = directory / "files"
        folder.mkdir()
        options = {"username": getpass.getuser(), "key_filename": str(directory / "user")}
        yield f"sftp://127.0.0.1:{port}{folder}", port, options


@contextmanager
def webdav_server() -> Iterator[str]:
    """Apache's server with its WebDAV; gives the URL of its root."""
    need("webdav4.fsspec", programs=("apache2",))
    # Not in a folder of pytest's: Apache refuses to work as root, and nobody else may enter those.
    with tempfile.TemporaryDirectory() as folder:
        yield from _webdav_in(Path(folder))


def _webdav_in(directory: Path) -> Iterator[str]:
    is_root = os.geteuid() == 0
    port, modules = _free_port(), "/usr/lib/apache2/modules"
    user = "User www-data\nGroup www-data\n" if is_root else ""
    directory.chmod(0o755)
    for name in ("files", "locks"):
        (directory / name).mkdir()
        if is_root:
            shutil.chown(directory / name, "www-data", "www-data")
    (directory / "config").write_text(
        f"ServerRoot {directory}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {directory}/pid\n{user}"
        + "".join(
            f"LoadModule {name}_module {modules}/mod_{name}.so\n"
            for name in ("mpm_event", "authz_core", "dav", "dav_fs")
        )
        + f"DocumentRoot {directory}/files\nDavLockDB {directory}/locks/db\nErrorLog {directory}/errors\n"
        "KeepAlive On\nMaxKeepAliveRequests 0\nLimitRequestBody 0\n"
        f"<Directory {directory}/files>\nDav On\nRequire all granted\n</Directory>\n"
    )
    command = [_program("apache2") or "apache2", "-X", "-f", str(directory / "config")]
    with _running(command, directory / "log", port):
        yield f"webdav://127.0.0.1:{port}"


@contextmanager
def _running(command: list[str], log: Path, port: int) -> Iterator[None]:
    """A program that listens at `port`, for as long as the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            until = time.monotonic() + 30
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > until:
                    problem = f"{command[0]} doesn't start: {log.read_text(errors='replace')[-2000:]}"
                    (pytest.fail if os.environ.get("CI") else pytest.skip)(problem)
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def gs_server(bucket: str = "team") -> Iterator[dict[str, str]]:
    """A server of Google's storage with a bucket; gives the storage options that lead there."""
    need("gcsfs", "gcp_storage_emulator.server")
    from gcp_storage_emulator.server import create_server

    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
    server = create_server("127.0.0.1", port := _free_port(), in_memory=True, default_bucket=bucket)
    server.start()
    try:
        yield {"endpoint_url": f"http://127.0.0.1:{port}", "token": "anon"}
    finally:
        server.stop()
