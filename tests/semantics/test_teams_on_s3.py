"""A group that shares a store on S3, each member in a process with a cache of their own: all that passes is counted."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace

import pytest

pytest.importorskip("fsspec")
pytest.importorskip("numpy")

import numpy as np

from ipycheckpoint.cache.cache import Cache
from ipycheckpoint.cache.prune import Limits, prune
from ipycheckpoint.cache.visits import VISITS
from ipycheckpoint.progress import Progress, told_to
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.store.shared import RemoteStore
from tests.contracts.cache_contract import draft, identity
from tests.contracts.store_contract import in_memory, names_of
from tests.proxies import proxied
from tests.semantics.test_shared_stores import Member
from tests.servers import s3_server, told_to_processes

NBYTES = 4_000_000

WORK = """
import sys
import numpy
from ipycheckpoint import checkpoint, workspace
@checkpoint
def grid(x):
    with open(sys.argv[1], "a") as file:
        file.write(f"{x}\\n")
    return numpy.arange(500_000.0), x
for item in sys.argv[2:]:
    print(grid(int(item))[0].sum())
workspace.current().cache().flush()
"""

KERNEL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
kept = '''%%checkpoint
import numpy
with open({!r}, "a") as file:
    file.write("1 ")
a = numpy.arange(500_000.0)
'''
for cell in ["%load_ext ipycheckpoint", kept.format(sys.argv[1]), "print(a.sum())"]:
    assert shell.run_cell(cell).success
"""


@pytest.fixture(scope="module")
def s3():
    with s3_server() as options:
        yield options


@pytest.fixture(scope="module")
def wire(s3):
    with proxied(s3["endpoint_url"]) as wire:
        yield wire


@pytest.fixture
def url():
    return f"s3://team/{uuid.uuid4().hex}"


@pytest.fixture
def options(s3, wire):
    wire.heal()
    return {**s3, "endpoint_url": wire.url}


@pytest.fixture
def store(url, s3):
    """The shared store, by a way that isn't counted."""
    return RemoteStore(url, **s3)


@pytest.fixture
def join(tmp_path, url, options):
    def join(name: str, text: str = WORK) -> Member:
        member = Member(tmp_path / name, url, **told_to_processes(options))
        member.write(text)
        return member

    return join


def sizes_of(store: RemoteStore, *prefixes: str) -> int:
    return sum(entry.nbytes for prefix in prefixes for entry in store.entries(prefix))


@pytest.mark.parametrize("text", [WORK, KERNEL])
def test_what_one_computes_the_other_restores_and_no_more_bytes_pass_than_there_are(join, wire, store, text):
    ada, bob = join("ada", text), join("bob", text)
    with wire.counted() as passed:
        first = ada.run("1")
    stored = sizes_of(store, "records/", "blobs/", "rolls/")
    assert stored > NBYTES
    assert sum(each.sent for each in passed) == stored
    with wire.counted() as passed:
        second = bob.run("1")
    assert (second.lines[-1], second.complaints) == (first.lines[-1], "")
    assert len(ada.runs()) == 1
    got = [each for each in passed if each.method == "GET" and "list-type" not in each.path and each.status < 300]
    read = {name for each in got for name in [each.path.partition("/records/")[2] or each.path.partition("/blobs/")[2]]}
    assert len(got) == len(read) + (NBYTES > 8 << 20)  # each once, whatever is large in parts
    assert NBYTES < sum(each.received for each in got) <= sizes_of(store, "records/", "blobs/")
    assert [each.path for each in passed if each.sent and VISITS not in each.path] == []
    assert sum(each.heads for each in passed) < 30_000


def test_only_what_the_store_does_not_have_travels(join, wire, store):
    ada, bob = join("ada"), join("bob")
    ada.run("1")
    before = sizes_of(store, "records/", "blobs/", "rolls/")
    with wire.counted() as passed:
        bob.run("2")  # another record with the same large Blob
    assert ada.runs() == [1, 2]
    sent = sum(each.sent for each in passed)
    assert sent == sizes_of(store, "records/", "blobs/", "rolls/") - before
    assert sent < 20_000
    assert not any(each.received > NBYTES for each in passed)


def test_who_may_only_read_restores_and_writes_nothing_and_is_told_once(join, wire, store):
    ada, bob = join("ada"), join("bob")
    ada.run("1")
    before = names_of(store)
    for method in ("PUT", "POST", "DELETE"):
        wire.trouble("403", method)
    with wire.counted() as passed:
        reader = bob.run("1", "2", "3")
    assert reader.complaints.count("takes no writes from you") == 1
    assert reader.complaints.count("CheckpointWarning") == 1
    assert len(reader.lines) == 3
    assert ada.runs() == [1, 2, 3]
    assert names_of(store) == before
    assert len([each for each in passed if each.method in ("PUT", "POST", "DELETE")]) <= 2
    with wire.counted() as passed:
        again = bob.run("1", "2", "3")
    assert ada.runs() == [1, 2, 3]
    assert again.complaints == ""


def test_who_only_ever_restores_and_may_not_write_hears_nothing_of_it(join, wire):
    join("ada").run("1")
    for method in ("PUT", "POST", "DELETE"):
        wire.trouble("403", method)
    bob = join("bob")
    assert bob.run("1").complaints == ""


def test_what_was_restored_once_is_near_and_that_it_is_used_is_told_once_a_day(
    join, wire, store, url, options, monkeypatch
):
    join("ada").run("1")
    bob = join("bob")
    bob.run("1")
    assert len(names_of(store, VISITS)) == 1
    with wire.counted() as passed:
        bob.run("1")
    assert passed == []
    monkeypatch.setattr("fsspec.config.conf", {"s3": options})
    [row] = Cache.at(url).rows()
    assert row.hits == 1
    assert row.last_used > row.created


def test_what_members_use_is_not_pruned_for_its_age(join, store, url, s3, monkeypatch):
    join("ada").run("1", "2")
    monkeypatch.setattr("fsspec.config.conf", {"s3": s3})
    used, unused = (row.key for row in Cache.at(url).rows())
    year = 365 * 86400
    later = time.time() + year
    store.put(f"{VISITS}{'0' * 32}", [f"{used} {later:.0f} 7\n".encode()])
    monkeypatch.setattr(time, "time", lambda: later + 3600)
    pruned = prune(Cache.at(url), Limits(older_than=86400), dry_run=True)
    assert [removal.key for removal in pruned.removals] == [unused]


READER = """
import pathlib, sys, time
from ipycheckpoint.cache.cache import Cache
cache = Cache.at(sys.argv[2], local=pathlib.Path("near"))
found = cache.find(sys.argv[3])
print("found", flush=True)
while not pathlib.Path("go on").exists():
    time.sleep(0.05)
print(len(cache.load(found)["return"]))
"""


def test_prune_never_takes_what_another_process_is_reading(join, store, url, s3, monkeypatch, tmp_path):
    monkeypatch.setattr("fsspec.config.conf", {"s3": s3})
    writer = Cache.at(url, local=tmp_path / "writer")
    key = writer.save(draft(identity("x"), bytes(NBYTES))).key
    writer.close()
    bob = join("bob", READER)
    process = bob.start(url, key)
    try:
        assert process.stdout.readline() == "found\n"
        weeks = 3 * 7 * 86400
        far, now = Cache.at(url), time.time
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: now() + weeks)  # for the server, too: it is one of this process
            assert [each.key for each in prune(far, Limits(older_than=86400)).removals] == [key]
            assert names_of(store, "records/") == []
            (bob.directory / "go on").touch()
            out, err = process.communicate(timeout=100)
            assert out == f"{NBYTES}\n", err
            patch.setattr(time, "time", lambda: now() + weeks + 120)  # the grace is over
            prune(far, Limits())
            assert names_of(store, "blobs/") == []
    finally:
        process.kill()
        process.communicate()


def test_who_reads_for_long_has_what_is_left_stay(url, s3, store, monkeypatch, tmp_path):
    """Between two Blobs more time passes than a prune leaves: those that are not here yet are renewed."""
    monkeypatch.setattr("fsspec.config.conf", {"s3": s3})
    writer = Cache.at(url, local=tmp_path / "writer")
    key = writer.save(draft(identity("x"), [np.full(100_000, float(n)) for n in range(3)])).key
    writer.close()
    reader = Cache.at(url, local=tmp_path / "reader")
    found = reader.find(key)
    monkeypatch.setattr("ipycheckpoint.cache.garbage.GRACE_SECONDS", 0.0)
    assert len(reader.load(found)["return"]) == 3
    renewed = store._files.find("@@renewed")
    assert len(renewed) >= 2


@pytest.mark.parametrize("number", [10_000])
def test_very_many_records_are_listed_without_opening_each(url, s3, wire, options, monkeypatch, number):
    """Names come by the thousand, and first lines in rolls: requests, not records, are what a listing costs."""
    import moto.s3.models

    monkeypatch.setattr("fsspec.config.conf", {"s3": s3})
    bucket = moto.s3.models.s3_backends["123456789012"]["aws"].buckets["team"]
    fill(bucket, url.removeprefix("s3://team/"), number)
    monkeypatch.setattr("fsspec.config.conf", {"s3": options})
    with wire.counted() as passed:
        far = Cache.at(url)
        assert far.catalogue.count() == number
    listings = [each for each in passed if "list-type" in each.path]
    assert len(listings) <= number / 1000 + 20
    assert len(passed) - len(listings) <= number / 500 + 15


def fill(bucket, prefix: str, number: int) -> None:
    """Put `number` records into the bucket of the server, and rolls of them, past the network."""
    import moto.s3.models

    from ipycheckpoint.record.format import write

    def put(name: str, content: bytes) -> None:
        folder, _, last = name.rpartition("/")
        path = f"{prefix}/{folder}/@{last}"
        key = moto.s3.models.FakeKey(path, content, account_id="123456789012", region_name="us-east-1")
        bucket.keys[path] = key

    keyring = Keyring()
    cache = Cache.at(in_memory(), keyring=keyring)
    header = cache.save(draft(identity("x"), 1))
    lines = []
    for index in range(number):
        one = replace(header, key=f"{index:064x}", label=f"f{index % 50}")
        content = b"".join(bytes(chunk) for chunk in write(one, [b""], keyring.sign))
        line = content[: content.index(b"\n") + 1]
        put(f"records/{one.key}", content)
        lines.append(line)
        if len(lines) == 500:
            put(f"rolls/{index:032x}", b"".join(lines))
            lines = []


def test_a_first_load_from_afar_tells_of_its_bytes(url, s3, monkeypatch, tmp_path):
    monkeypatch.setattr("fsspec.config.conf", {"s3": s3})
    monkeypatch.setattr("ipycheckpoint.store.remote.PART_NBYTES", 250_000)
    writer = Cache.at(url, local=tmp_path / "writer")
    key = writer.save(draft(identity("x"), np.arange(NBYTES // 8))).key
    writer.close()
    reader = Cache.at(url, local=tmp_path / "reader")
    told: list[Progress] = []
    with told_to(told.append, "looking"):
        reader.load(reader.find(key))
    fetching = [each for each in told if each.what == f"fetching from {url}"]
    assert [each.total for each in fetching] == [NBYTES] * len(fetching)
    assert {250_000 * part for part in range(17)} <= {each.done for each in fetching}
    told.clear()
    with told_to(told.append, "looking"):
        reader.load(reader.find(key))
    assert not any(each.what.startswith("fetching") for each in told)


def test_a_function_whose_result_comes_from_afar_shows_how_long_that_takes(join, wire):
    ada, bob = join("ada"), join("bob")
    ada.run("1")
    wire.rate = 2_000_000.0
    try:
        complaints = bob.run("1").complaints
    finally:
        wire.rate = 0.0
    assert "fetching from s3://team/" in complaints
    assert "4.00M/4.00M" in complaints.replace("4.00MB", "4.00M")
