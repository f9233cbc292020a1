"""What one process has verified, another need not; what was written to since is verified again."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ipycheckpoint.cache.cache import Cache, Found
from ipycheckpoint.cache.garbage import collect, survey
from ipycheckpoint.cache.stamps import Stamps
from ipycheckpoint.digest import Digest
from ipycheckpoint.errors import IntegrityError, StoreError
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.store.memory import MemoryStore
from ipycheckpoint.store.stamps import Stamp
from ipycheckpoint.store.system import REAL
from tests.contracts.cache_contract import draft, identity

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere there is no time of change")

ARRAY = np.arange(50_000.0)
KEY = identity("a").key
SECRET = b"s" * 32


def _zeros(_: int, nbytes: int) -> mmap.mmap:
    return mmap.mmap(-1, nbytes)


UNSEEN = replace(REAL, map=_zeros)
"""Shows zeros in place of every large file: who verifies says that it is damaged, and who doesn't loads them."""


def opened(path: Path, *, secret: bytes = SECRET, **options: object) -> Cache:
    """A Cache that knows no more than a fresh process does."""
    return Cache.at(path, keyring=Keyring(secret=secret, accepted=[SECRET]), **options)


def load(cache: Cache) -> object:
    """The array, or the IntegrityError that it gave."""
    found = cache.find(KEY)
    assert isinstance(found, Found)
    loaded = cache.load(found)
    cache.count_hit(found.header, 0.1)
    cache.close()
    return loaded.exception if isinstance(loaded, LoadFailure) else loaded["return"]


def is_verified(path: Path) -> bool:
    """Whether a fresh process looks at the bytes of the array before it hands them out. What is kept stays as it is."""
    cache = opened(path, system=UNSEEN)
    cache.store.remove = lambda _: True  # type: ignore[method-assign]  # what it takes for damaged is to stay
    found = cache.find(KEY)
    assert isinstance(found, Found)
    loaded = cache.load(found)
    cache.close()
    return isinstance(loaded, LoadFailure)


def blob_file(path: Path) -> Path:
    [file] = (path / "files" / "blobs").glob("*/*")
    return file


def settle(file: Path) -> None:
    """Wait until a write to `file` would have another time than its last one."""
    while time.time_ns() - file.stat().st_ctime_ns < 20_000_000:
        time.sleep(0.005)


def flip(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(1000)
        byte = stream.read(1)[0]
        stream.seek(1000)
        stream.write(bytes([byte ^ 1]))


START = "import sys; from pathlib import Path; from tests.unit.cache.test_stamps import *"

SAVE = "cache = opened(Path(sys.argv[1])); cache.save(draft(identity('a'), ARRAY)); cache.close()"


def run(program: str, path: Path) -> str:
    """What `program` prints in a process of its own."""
    environ = {**os.environ, "PYTHONHASHSEED": "3"}
    command = [sys.executable, "-c", f"{START}\n{program}", str(path)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The directory of a Cache in which one process has kept an array, and another one verified it."""
    path = tmp_path / "cache"
    cache = opened(path)
    cache.save(draft(identity("a"), ARRAY))
    cache.close()
    settle(blob_file(path))
    load(opened(path))
    return path


def test_what_was_verified_needs_no_look_by_another_process(kept: Path) -> None:
    assert not is_verified(kept)
    assert np.array_equal(load(opened(kept)), ARRAY)


def test_what_a_process_without_threads_has_kept_needs_no_look_by_another_one(tmp_path: Path) -> None:
    run(SAVE, tmp_path)
    settle(blob_file(tmp_path))
    assert not is_verified(tmp_path)


def test_what_a_process_with_threads_has_kept_is_verified_once(tmp_path: Path) -> None:
    """Another thread may have changed the array between its Digest and the write."""
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    try:
        cache = opened(tmp_path)
        cache.save(draft(identity("a"), ARRAY))
        cache.close()
    finally:
        over.set()
        other.join()
    assert is_verified(tmp_path)
    load(opened(tmp_path))
    assert not is_verified(tmp_path)


def test_without_its_stamps_it_is_verified(kept: Path) -> None:
    opened(kept).store.remove(f"stamps/{KEY}")
    assert is_verified(kept)


def test_a_bit_that_a_write_flips_is_found(kept: Path) -> None:
    flip(blob_file(kept))
    assert isinstance(load(opened(kept)), IntegrityError)


def test_a_write_right_after_the_save_is_found(tmp_path: Path) -> None:
    run(f"{SAVE}\nflip(blob_file(Path(sys.argv[1])))", tmp_path)
    assert isinstance(load(opened(tmp_path)), IntegrityError)


def test_a_write_is_found_though_the_time_of_modification_was_set_back(kept: Path) -> None:
    file = blob_file(kept)
    before = file.stat()
    flip(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert isinstance(load(opened(kept)), IntegrityError)


def test_a_file_that_was_put_in_its_place_is_found(kept: Path, tmp_path: Path) -> None:
    file, other = blob_file(kept), tmp_path / "other"
    before = file.stat()
    other.write_bytes(file.read_bytes())
    flip(other)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)
    assert isinstance(load(opened(kept)), IntegrityError)


def test_a_file_that_was_cut_off_is_found(kept: Path) -> None:
    file = blob_file(kept)
    before = file.stat()
    os.truncate(file, before.st_size - 8)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert isinstance(load(opened(kept)), IntegrityError)


def forge(path: Path, **changes: object) -> None:
    """Alter the array, and tell in the stamps that it was verified like that."""
    file = blob_file(path)
    flip(file)
    store = opened(path).store
    content = store.get(f"stamps/{KEY}")
    assert content is not None
    told = json.loads(bytes(content.view))
    told["stamps"] = {blob: list(Stamp.of(file.stat())) for blob in told["stamps"]}
    store.put(f"stamps/{KEY}", [json.dumps(told | changes).encode()])


@pytest.mark.parametrize(
    "signature",
    [None, [], ["hmac-sha256", "me", "00" * 32], ["none", "", ""], {"scheme": "hmac-sha256"}],
    ids=["none", "empty", "wrong", "another scheme", "another type"],
)
def test_a_forged_stamp_is_not_believed(kept: Path, signature: object) -> None:
    forge(kept, signature=signature)
    assert isinstance(load(opened(kept)), IntegrityError)


def test_the_signature_of_other_stamps_does_not_count(kept: Path) -> None:
    forge(kept)
    assert isinstance(load(opened(kept)), IntegrityError)


def test_the_signature_of_a_header_does_not_count_for_stamps(kept: Path) -> None:
    found = opened(kept).find(KEY)
    assert isinstance(found, Found)
    assert found.stored.signature is not None
    forge(kept, signature=[getattr(found.stored.signature, name) for name in ("scheme", "signer", "value")])
    assert isinstance(load(opened(kept)), IntegrityError)


def test_stamps_of_somebody_whom_nobody_accepts_are_not_believed(kept: Path) -> None:
    stranger = opened(kept, secret=b"x" * 32)
    stranger.store.remove(f"stamps/{KEY}")
    load(stranger)  # verifies, and tells so
    touched(kept)
    load(opened(kept, secret=b"x" * 32))
    cache = Cache.at(kept, keyring=Keyring(secret=SECRET), system=UNSEEN)
    assert isinstance(load(cache), IntegrityError)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b'{"stamps":[]}', b"\xff", b"[" * 100_000])
def test_damaged_stamps_cost_no_more_than_a_look(kept: Path, damage: bytes) -> None:
    opened(kept).store.put(f"stamps/{KEY}", [damage])
    assert is_verified(kept)
    assert np.array_equal(load(opened(kept)), ARRAY)


def touched(path: Path) -> None:
    """As who renews a Blob leaves it; so long ago that no later write can be mistaken for it."""
    os.utime(blob_file(path))
    while not Stamp.of(blob_file(path).stat()).is_telling:
        time.sleep(0.1)


def test_a_file_that_was_touched_is_verified_once_more_and_once_only(kept: Path) -> None:
    touched(kept)
    assert is_verified(kept)
    assert np.array_equal(load(opened(kept)), ARRAY)
    assert not is_verified(kept)


def test_two_times_of_one_moment_that_is_just_now_vouch_for_nothing() -> None:
    now = time.time_ns() // 1000 * 1000 + 7
    assert not Stamp(1, 2, 3, now, now).is_telling
    assert Stamp(1, 2, 3, now - 3 * 10**9, now - 3 * 10**9).is_telling


def test_over_a_network_every_process_verifies(tmp_path: Path) -> None:
    cache = opened(tmp_path, network=True)
    cache.save(draft(identity("a"), ARRAY))
    assert list(cache.store.entries("stamps/")) == []
    load(opened(tmp_path, network=True))
    assert list(cache.store.entries("stamps/")) == []
    cache.close()


def test_a_record_without_blobs_has_no_stamps(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.save(draft(identity("a"), [1, 2]))
    load(cache)
    assert list(cache.store.entries("stamps/")) == []


def test_stamps_go_with_their_record(kept: Path) -> None:
    cache = opened(kept)
    cache.forget(KEY)
    assert list(cache.store.entries("stamps/")) == []
    cache.close()


def test_stamps_without_a_record_are_garbage(kept: Path) -> None:
    cache = opened(kept)
    cache.store.remove(f"records/{KEY}")
    collect(cache.store, survey(cache.store), grace_seconds=-10)
    assert list(cache.store.entries("stamps/")) == []
    cache.close()


def test_a_loaded_array_can_be_written_to_and_the_next_process_has_it_pristine(kept: Path) -> None:
    array = load(opened(kept))
    assert isinstance(array, np.ndarray)
    array += 1
    assert np.array_equal(load(opened(kept)), ARRAY)


def test_a_directory_that_takes_no_writes_serves_its_hits(kept: Path) -> None:
    touched(kept)
    cache = opened(kept)

    def refuse(name: str, chunks: object) -> None:
        raise StoreError(name, "write", f"read-only, {chunks!r:.9}")

    cache.store.put = refuse  # type: ignore[method-assign]  # as a file system does that is mounted read-only
    assert np.array_equal(load(cache), ARRAY)


SPECIMEN = (
    b'{"stamps":{"' + b"5f" * 32 + b'":[65024,4079877,200000000,1795187317582757644,1795187317580644000]},'
    b'"signature":["hmac-sha256","2754bf808938","30d5345e28ce33b190e4d0fc64c6873743f6c575fba0bf371e598c8443a2d44f"]}'
)
"""What the first release wrote, signed with SECRET."""


def test_what_the_first_release_wrote_is_believed_for_ever() -> None:
    store = MemoryStore()
    store.is_network, store.stamp = False, lambda _: None  # type: ignore[attr-defined]  # as a directory on a disk is
    store.put(f"stamps/{KEY}", [SPECIMEN])
    stamps = Stamps(store, Keyring(secret=SECRET))
    blob = Digest("5f" * 32)
    assert stamps.vouches(KEY, blob, Stamp(65024, 4079877, 200000000, 1795187317582757644, 1795187317580644000))
    assert not stamps.vouches(KEY, blob, Stamp(65024, 4079877, 200000000, 1795187317582757644, 1795187317580644001))


def test_a_process_with_another_hash_seed_needs_no_second_look(kept: Path) -> None:
    assert run("print(load(opened(Path(sys.argv[1]), system=UNSEEN))[:3])", kept) == "[0. 0. 0.]\n"
