"""Servers on this machine that tests talk to."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def s3_server(bucket: str = "team") -> Iterator[dict[str, str]]:
    """An S3 server with a bucket; gives the storage options that lead there."""
    s3fs = pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        options = {"endpoint_url": f"http://127.0.0.1:{server.get_host_and_port()[1]}", "key": "me", "secret": "mine"}
        s3fs.S3FileSystem(**options).makedirs(bucket, exist_ok=True)  # all servers of a process share buckets
        yield options
    finally:
        server.stop()
