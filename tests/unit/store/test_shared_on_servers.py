"""The contract of every Store, held by real servers on this machine: S3 under both kinds of address, SFTP, WebDAV."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

pytest.importorskip("fsspec")

from ipycheckpoint.store.base import Store
from ipycheckpoint.store.shared import RemoteStore
from tests.contracts.store_contract import ACTIONS, StoreContract, content_of, names_of
from tests.proxies import proxied
from tests.servers import gs_server, s3_server, sftp_server, webdav_server


class _OnAServer(StoreContract):
    url: str
    options: dict[str, object]

    def open(self, path: Path) -> Store:
        return RemoteStore(f"{self.url}/{uuid.uuid4().hex}", **self.options)

    # Each step is a request: a few examples will do, and none is worth to be made smaller.
    @settings(
        max_examples=3, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.differing_executors]
    )
    @given(actions=ACTIONS)
    def test_it_behaves_like_a_dict(self, actions):
        StoreContract.test_it_behaves_like_a_dict.hypothesis.inner_test(self, actions)


@pytest.fixture(scope="module")
def s3():
    with s3_server() as options:
        yield options


@pytest.fixture(scope="module")
def wire(s3):
    with proxied(s3["endpoint_url"]) as wire:
        yield wire


@pytest.fixture(scope="module")
def sftp(tmp_path_factory):
    with sftp_server(tmp_path_factory.mktemp("sftp")) as server:
        yield server


@pytest.fixture(scope="module")
def webdav():
    with webdav_server() as url:
        yield url


class TestOnS3(_OnAServer):
    """``http://server/bucket/name``."""

    @pytest.fixture(autouse=True)
    def _server(self, s3):
        self.url, self.options = "s3://team", s3


class TestOnS3ByHost(_OnAServer):
    """``http://bucket.server/name``: such hosts have no address here, so a proxy is asked for them."""

    @pytest.fixture(autouse=True)
    def _server(self, s3, wire):
        config = {"s3": {"addressing_style": "virtual"}, "proxies": {"http": wire.url}}
        self.url = "s3://team"
        self.options = {**s3, "endpoint_url": "http://localhost:5000", "config_kwargs": config}
        yield
        assert all(each.path.startswith("http://team.localhost:5000/") for each in wire.seen)


class TestOnSftp(_OnAServer):
    @pytest.fixture(autouse=True)
    def _server(self, sftp):
        self.url, _, self.options = sftp

    # It tells times in whole seconds, and nothing else by which two files can be told apart.
    test_a_state_tells_whether_what_was_got_is_still_there = None
    test_a_state_changes_with_the_size = None

    @pytest.mark.parametrize("nbytes", [10, 1_000_000])
    def test_it_does_not_say_whether_what_was_got_is_still_there(self, store, nbytes):
        store.put("a", [bytes(nbytes)])
        assert store.state("a", store.get("a")) is None


class TestOnWebdav(_OnAServer):
    @pytest.fixture(autouse=True)
    def _server(self, webdav):
        self.url, self.options = webdav, {}


@pytest.mark.filterwarnings("ignore:Sending a large body")  # gcsfs does
def test_google_storage_keeps_gives_lists_and_removes_as_well():
    """Its emulator is too slow for the whole contract."""
    with gs_server() as options:
        store = RemoteStore(f"gs://team/{uuid.uuid4().hex}", **options)
        large = bytes(range(250)) * 40_000
        for name, content in [("records/a", b"old"), ("records/a", b"new"), ("blobs/b", large), ("empty", b"")]:
            store.put(name, [content])
        assert content_of(store, "records/a") == b"new"
        assert content_of(store, "blobs/b") == large
        assert content_of(store, "empty") == b""
        assert store.get("records/c") is None
        assert names_of(store) == ["blobs/b", "empty", "records/a"]
        assert store.fetch(["records/a", "records/c", "empty"]) == {"records/a": b"new", "empty": b""}
        assert not store.remove_old("records/a", time.time() - 60)
        assert store.renew("records/a", time.time() + 60)
        assert store.remove("records/a")
        assert not store.remove("records/a")
