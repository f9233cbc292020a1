from __future__ import annotations

import hmac
import os
import shutil
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from ipycheckpoint.errors import CheckpointWarning
from ipycheckpoint.record import trust
from ipycheckpoint.record.trust import Keyring, Signature, secret_path

HEADER = b'{"header":{}}'


def test_the_secret_is_made_on_the_first_signature_and_only_its_owner_may_read_it(tmp_path):
    ring = Keyring(tmp_path / "deep" / "secret")
    assert not ring.verify(HEADER, Signature(trust.SCHEME, "x", "00"))
    assert not ring.path.parent.exists(), "to verify writes nothing"
    ring.sign(HEADER)
    assert len(ring.path.read_bytes()) == 32
    assert [path.name for path in ring.path.parent.iterdir()] == ["secret"]
    if os.name == "posix":
        assert ring.path.stat().st_mode & 0o777 == 0o600


def test_another_process_of_the_same_user_accepts_the_signature(tmp_path):
    signature = Keyring(tmp_path / "secret").sign(HEADER)
    assert Keyring(tmp_path / "secret").verify(HEADER, signature)


def test_another_user_does_not_accept_it_unless_the_secret_is_among_the_accepted_ones(tmp_path):
    signature = Keyring(secret=b"a" * 32).sign(HEADER)
    assert not Keyring(tmp_path / "secret").verify(HEADER, signature)
    assert Keyring(tmp_path / "secret", accepted=[b"b" * 32, b"a" * 32]).verify(HEADER, signature)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        Signature("none", "", ""),
        Signature(trust.SCHEME, "", ""),
        Signature(trust.SCHEME, "", "\udc80é"),
        Signature("hmac-md5", "", Keyring(secret=b"a" * 32).sign(HEADER).value),
    ],
)
def test_nothing_else_is_a_signature(signature):
    assert not Keyring(secret=b"a" * 32).verify(HEADER, signature)


@pytest.mark.parametrize("nbytes", [32, 64, 65, 200])
def test_the_signature_is_the_hmac_of_the_header(nbytes):
    secret = bytes(range(nbytes))
    ring = Keyring(secret=secret)
    for header in (b"", b"header", b"header" * 1000):
        assert ring.sign(header).value == hmac.digest(secret, header, "sha256").hex()


def test_the_signer_tells_secrets_apart_and_is_no_part_of_them():
    one, two = Keyring(secret=b"a" * 32).sign(HEADER), Keyring(secret=b"b" * 32).sign(HEADER)
    assert one.signer != two.signer
    assert one.signer not in (b"a" * 32).hex()


def test_of_many_who_make_the_secret_at_once_all_get_the_same(tmp_path):
    path, found = tmp_path / "secret", []
    barrier = threading.Barrier(8)

    def sign():
        barrier.wait()
        found.append(Keyring(path).sign(HEADER).value)

    threads = [threading.Thread(target=sign) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_of_many_processes_too(tmp_path):
    code = "from ipycheckpoint.record.trust import Keyring; print(Keyring().sign(b'x').value)"
    environ = {**os.environ, "IPYCHECKPOINT_SECRET_FILE": str(tmp_path / "secret")}
    root = Path(__file__).parents[3]
    running = [
        subprocess.Popen([sys.executable, "-c", code], env=environ, cwd=root, stdout=subprocess.PIPE) for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in running}) == 1


def test_a_damaged_secret_is_replaced(tmp_path):
    (tmp_path / "secret").write_bytes(b"short")
    signature = Keyring(tmp_path / "secret").sign(HEADER)
    assert Keyring(tmp_path / "secret").verify(HEADER, signature)


def test_where_no_secret_can_be_written_one_of_this_process_serves_with_one_warning(tmp_path):
    (tmp_path / "file").write_text("in the way")
    ring = Keyring(tmp_path / "file" / "secret")
    with pytest.warns(CheckpointWarning, match="IPYCHECKPOINT_SECRET_FILE"):
        signature = ring.sign(HEADER)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ring.sign(HEADER) == signature
    assert ring.verify(HEADER, signature)


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {}, "HOME/.local/share/jupyter"),
        ("linux", {"XDG_DATA_HOME": "/xdg"}, "/xdg/jupyter"),
        ("darwin", {}, "HOME/Library/Jupyter"),
        ("win32", {"APPDATA": "/roaming"}, "/roaming/jupyter"),
        ("win32", {}, "HOME/.jupyter/data"),
        ("win32", {"JUPYTER_DATA_DIR": "/data"}, "/data"),
    ],
)
def test_the_secret_is_in_the_data_directory_of_jupyter(platform, environ, expected, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    expected = expected.replace("HOME", Path.home().as_posix())
    assert secret_path(environ).as_posix() == f"{expected}/ipycheckpoint/secret"


def ring_at(folder, *accepted):
    return Keyring(folder / "secret", accept=lambda: accepted)


def test_what_the_old_secret_signed_is_accepted_after_a_rotation(tmp_path):
    before = ring_at(tmp_path)
    signature = before.sign(HEADER)
    old, new = before.rotate()
    assert old == signature.signer != new == before.signer
    for ring in (before, ring_at(tmp_path)):
        assert ring.verify(HEADER, signature)
        assert ring.sign(HEADER).signer == new
        assert set(ring.signers()) == {old, new}


def test_each_of_several_rotations_keeps_what_came_before(tmp_path):
    ring = ring_at(tmp_path)
    signatures = []
    for _ in range(3):
        signatures.append(ring.sign(HEADER))
        ring.rotate()
    assert all(ring_at(tmp_path).verify(HEADER, signature) for signature in signatures)
    assert len({signature.signer for signature in signatures}) == 3


def test_a_rotation_without_a_secret_makes_the_first_one(tmp_path):
    old, new = ring_at(tmp_path).rotate()
    assert (old, ring_at(tmp_path).signer) == ("", new)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_secrets_are_for_the_user_alone_after_a_rotation_too(tmp_path):
    ring = ring_at(tmp_path / "private")
    ring.sign(HEADER)
    ring.rotate()
    files = [path for path in (tmp_path / "private").rglob("*") if path.is_file()]
    assert len(files) == 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "private", tmp_path / "private" / "accepted")} == {
        0o700
    }


def test_a_rotation_that_fails_leaves_the_old_secret_in_force(tmp_path, monkeypatch):
    ring = ring_at(tmp_path)
    signature = ring.sign(HEADER)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="full"):
        ring.rotate()
    monkeypatch.undo()
    assert ring_at(tmp_path).sign(HEADER) == signature


ROTATE = """
import sys
from pathlib import Path
from ipycheckpoint.record.trust import Keyring
ring = Keyring(Path(sys.argv[1]), accept=tuple)
sys.stdin.readline()
for number in range(20):
    ring.rotate()
    print(ring.sign(f"{sys.argv[2]} {number}".encode()).value)
"""


@pytest.mark.parametrize("there_is_one", [True, False])
def test_when_several_rotate_at_once_whatever_any_of_them_signed_stays_good(tmp_path, there_is_one):
    path = tmp_path / "secret"
    first = ring_at(tmp_path).sign(HEADER) if there_is_one else None
    running = [
        subprocess.Popen(
            [sys.executable, "-c", ROTATE, path, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in "abc"
    ]
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    signed = {f"{name} {n}": value for name, process in zip("abc", running, strict=True)
              for n, value in enumerate(process.communicate()[0].split())}  # fmt: skip
    ring = ring_at(tmp_path)
    assert len(signed) == 60
    for header, value in signed.items():
        assert any(ring.verify(header.encode(), Signature("hmac-sha256", who, value)) for who in ring.signers())
    assert first is None or ring.verify(HEADER, first)


def test_who_is_killed_while_rotating_leaves_a_secret_that_accepts_what_was_signed(tmp_path, monkeypatch):
    signature = ring_at(tmp_path / "home").sign(HEADER)
    calls = []

    def noting(real):
        def note(*args, **options):
            shutil.copytree(tmp_path / "home", tmp_path / f"{len(calls)}")
            calls.append(real)
            return real(*args, **options)

        return note

    for owner, name in [
        (os, "open"),
        (os, "link"),
        (os, "fsync"),
        (Path, "mkdir"),
        (Path, "replace"),
        (Path, "unlink"),
    ]:
        monkeypatch.setattr(owner, name, noting(getattr(owner, name)))
    ring_at(tmp_path / "home").rotate()
    monkeypatch.undo()
    assert len(calls) > 8
    for number in range(len(calls)):
        ring = ring_at(tmp_path / str(number))
        assert ring.verify(HEADER, signature)
        assert ring.verify(b"more", ring.sign(b"more"))
        ring.rotate()
        assert ring.verify(HEADER, signature)


@pytest.mark.parametrize("as_folder", [True, False])
def test_the_secret_of_a_team_is_accepted_where_a_setting_names_it_or_its_folder(tmp_path, as_folder):
    team = Keyring(tmp_path / "team" / "secret")
    signature = team.sign(HEADER)
    place = tmp_path / "team" if as_folder else team.path
    assert not ring_at(tmp_path / "own").verify(HEADER, signature)
    ring = ring_at(tmp_path / "own", place)
    assert ring.verify(HEADER, signature)
    assert ring.sign(HEADER).signer != signature.signer


def test_the_environment_names_accepted_secrets(tmp_path, monkeypatch):
    signatures = [Keyring(tmp_path / name).sign(HEADER) for name in "ab"]
    paths = [str(tmp_path / name) for name in "ab"]
    monkeypatch.setenv("IPYCHECKPOINT_ACCEPT", os.pathsep.join(["", *paths, str(tmp_path / "none")]))
    ring = Keyring(tmp_path / "own")
    assert [ring.verify(HEADER, signature) for signature in signatures] == [True, True]


def test_what_is_too_short_to_be_a_secret_is_not_accepted(tmp_path):
    (tmp_path / "short").write_bytes(b"")
    forged = Keyring(secret=b"").sign(HEADER)
    assert not ring_at(tmp_path / "own", tmp_path / "short").verify(HEADER, forged)


def test_a_ring_with_a_secret_of_its_own_accepts_no_others(tmp_path, monkeypatch):
    signature = Keyring(tmp_path / "a").sign(HEADER)
    monkeypatch.setenv("IPYCHECKPOINT_ACCEPT", str(tmp_path / "a"))
    assert not Keyring(secret=b"s" * 32).verify(HEADER, signature)
