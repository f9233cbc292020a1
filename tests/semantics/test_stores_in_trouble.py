"""A server that fails, falls silent or hangs up: what may pass is tried again, what stays is told, nothing is torn,
nobody waits for ever, and the work goes on without it.
"""

from __future__ import annotations

import sys
import time
import uuid
import warnings

import pytest

pytest.importorskip("fsspec")

from ipycheckpoint import checkpoint
from ipycheckpoint.errors import StoreError, UsageError
from ipycheckpoint.store import connection, protocols
from ipycheckpoint.store.shared import RemoteStore
from ipycheckpoint.workspace import Workspace, using
from tests.contracts.store_contract import content_of, names_of
from tests.proxies import Relay, proxied
from tests.servers import s3_server, sftp_server, webdav_server

OLD, NEW = b"old" * 100_000, b"new" * 100_000


@pytest.fixture(scope="module")
def s3():
    with s3_server() as options:
        yield options


@pytest.fixture(scope="module")
def dav():
    with webdav_server() as url:
        yield url


@pytest.fixture(scope="module")
def sftp(tmp_path_factory):
    with sftp_server(tmp_path_factory.mktemp("sftp")) as server:
        yield server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """What takes half a minute takes a second."""
    for module in (connection, protocols):
        monkeypatch.setattr(module, "IDLE_SECONDS", 0.7)
    monkeypatch.setattr(connection, "_PATIENCE_SECONDS", 1.5)
    monkeypatch.setattr(connection, "_PAUSES_SECONDS", (0.01, 0.03, 0.09))


@pytest.fixture(scope="module")
def on_s3(s3):
    with proxied(s3["endpoint_url"]) as wire:
        yield RemoteStore(f"s3://team/{uuid.uuid4().hex}", **{**s3, "endpoint_url": wire.url}), wire


@pytest.fixture(scope="module")
def on_webdav(dav):
    with proxied(dav.replace("webdav://", "http://")) as wire:
        yield RemoteStore(f"{wire.url.replace('http://', 'webdav://')}/{uuid.uuid4().hex}"), wire


@pytest.fixture(params=["s3", "webdav"])
def wired(request):
    """A store with an entry, and the wire to its server."""
    store, wire = request.getfixturevalue(f"on_{request.param}")
    if store._files._connection._opened is None:
        store.contains("a")
    for name in names_of(store):
        store.remove(name)
    store.put("records/a", [OLD])
    wire.failed = 0
    yield store, wire
    wire.heal()
    wire.released.set()
    wire.released.clear()


@pytest.fixture
def _patient(monkeypatch):
    """A busy machine may take longer over what is large."""
    monkeypatch.setattr(protocols, "IDLE_SECONDS", 15.0)
    monkeypatch.setattr(connection, "_PATIENCE_SECONDS", 20.0)


CALLS = {
    "PUT": lambda store: store.put("records/a", [NEW]),
    "GET": lambda store: store.get("records/a"),
    "fetch": lambda store: store.fetch(["records/a", "records/b"]),
    "HEAD": lambda store: store.contains("records/a"),
    "list": lambda store: list(store.entries("records/")),
    "DELETE": lambda store: store.remove("records/a"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ["500", "503", "silence", "cut", "unheard", "slow"])
def test_what_passes_is_not_even_noticed(wired, kind, call):
    store, wire = wired
    wire.trouble(kind, times=1)
    CALLS[call](store)
    assert wire.failed == 1
    if call == "PUT":
        assert content_of(store, "records/a") == NEW
    elif call != "DELETE":
        assert content_of(store, "records/a") == OLD
        assert names_of(store, "records/") == ["records/a"]
    else:
        assert names_of(store, "records/") == []


@pytest.mark.parametrize(
    ("kind", "call"),
    [*((kind, call) for kind in ("500", "503") for call in CALLS), ("silence", "GET"), ("silence", "PUT")],
)
def test_what_stays_is_told_with_the_url_and_in_time(wired, kind, call):
    store, wire = wired
    wire.trouble(kind)
    began = time.monotonic()
    with pytest.raises(StoreError) as told:
        CALLS[call](store)
    assert time.monotonic() - began < 30  # of a busy machine: it waits for a second or two
    assert store.location in str(told.value)
    assert 1 < wire.failed <= 12
    wire.heal()
    assert content_of(store, "records/a") == OLD


@pytest.mark.parametrize("kind", ["torn", "500", "silence"])
def test_a_put_that_fails_leaves_what_was_there_whole(wired, kind):
    store, wire = wired
    wire.trouble(kind, "PUT")
    with pytest.raises(StoreError):
        store.put("records/a", [NEW])
    wire.heal()
    assert content_of(store, "records/a") == OLD
    assert names_of(store) == ["records/a"]


def test_an_answer_that_is_always_cut_is_never_taken_for_the_whole(wired):
    store, wire = wired
    wire.trouble("cut", "GET")
    with pytest.raises(StoreError):
        store.get("records/a")


@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize("nbytes", [1_000_000, 20_000_000])
def test_what_is_large_comes_whole_though_parts_of_it_fail(wired, s3, nbytes):
    store, wire = wired
    options = {**s3, "endpoint_url": wire.url} if store.location.startswith("s3:") else {}
    store = RemoteStore(store.location, **options)
    content = bytes(range(250)) * (nbytes // 250)
    store.put("blobs/b", [content])
    wire.trouble("cut", "GET", times=1)
    assert content_of(store, "blobs/b") == content


@pytest.mark.usefixtures("_patient")
def test_what_is_replaced_while_it_is_read_is_one_or_the_other(s3, monkeypatch):
    """Parts of both would be neither."""
    store = RemoteStore(f"s3://team/{uuid.uuid4().hex}", **s3)
    first, second = b"1" * 20_000_000, b"2" * 20_000_000
    store.put("records/a", [first])
    system, _ = store._files._connection.root()
    ranges, times = system.cat_ranges, []

    def replacing(*args, **more):
        if not times:
            times.append(1)
            store.put("records/a", [second])
        return ranges(*args, **more)

    monkeypatch.setattr(system, "cat_ranges", replacing)
    assert content_of(store, "records/a") == second


def test_what_is_not_allowed_is_not_asked_again(wired):
    store, wire = wired
    wire.trouble("403", "PUT")
    with pytest.raises(StoreError) as told:
        store.put("records/a", [NEW])
    assert wire.failed == 1
    assert protocols.is_refusal(told.value)


@pytest.fixture
def relayed(sftp):
    """An SFTP store with an entry, and the relay on the way to its server."""
    url, port, options = sftp
    relay = Relay(port)
    store = RemoteStore(f"{url.replace(str(port), str(relay.port))}/{uuid.uuid4().hex}", **options)
    store.put("records/a", [OLD])
    yield store, relay
    relay.close()


@pytest.mark.parametrize("call", CALLS)
def test_an_sftp_connection_that_was_cut_is_made_anew(relayed, call):
    store, relay = relayed
    relay.cut()
    CALLS[call](store)
    assert content_of(store, "records/a") == {"PUT": NEW, "DELETE": None}.get(call, OLD)


@pytest.mark.parametrize("call", ["PUT", "GET", "list"])
def test_an_sftp_server_that_falls_silent_holds_nobody_up(relayed, call, monkeypatch):
    store, relay = relayed
    store._files._connection.root()[0].ftp.get_channel().settimeout(0.7)
    relay.silence()
    began = time.monotonic()
    with pytest.raises(StoreError):
        CALLS[call](store)
    assert time.monotonic() - began < 60
    relay.speak()
    assert content_of(store, "records/a") in (OLD, NEW)


@pytest.mark.parametrize("kind", ["500", "503", "silence", "403"])
def test_a_store_out_of_reach_never_costs_a_result(s3, tmp_path, monkeypatch, kind):
    """The work is done, is kept here, and is sent when the store is back."""
    name, log = uuid.uuid4().hex, tmp_path / "log"
    with proxied(s3["endpoint_url"]) as wire:
        monkeypatch.setattr("fsspec.config.conf", {"s3": {**s3, "endpoint_url": wire.url}})
        url = f"s3://team/{name}"
        here = Workspace({"IPYCHECKPOINT_STORE": url, "IPYCHECKPOINT_DIR": str(tmp_path)})
        wire.trouble(kind)
        with using(here), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")

            @checkpoint(watch=False)
            def work(x):
                with log.open("a") as file:
                    file.write(f"{x} ")
                return x * 2

            assert [work(3), work(3), work(4)] == [6, 6, 8]
            assert log.read_text() == "3 4 "
            assert sum(url in str(each.message) for each in told) == 1
            wire.heal()
            wire.released.set()
            store = here.cache().store
            store._rest_until = 0.0
            assert here.cache().flush(30) == 0
            here.close()
        assert len(names_of(RemoteStore(url, **s3), "records/")) == 2


@pytest.mark.parametrize(
    ("url", "package"),
    [("s3://team/x", "s3fs"), ("gs://team/x", "gcsfs"), ("abfs://team/x", "adlfs"), ("sftp://host/x", "paramiko"),
     ("webdav://host/x", "webdav4"), ("davs://host/x", "webdav4")],
)  # fmt: skip
def test_a_missing_package_is_told_with_what_to_install(url, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf"{url} needs {package}: pip install 'ipycheckpoint\[remote\]' {package}"):
        RemoteStore(url)
