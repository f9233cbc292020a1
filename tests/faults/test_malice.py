"""Whatever anybody puts into a store, a savefile or an archive: nothing that the user hasn't signed is unpickled."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import tarfile
import warnings
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ipycheckpoint.cache.archive import read_archive, write_archive
from ipycheckpoint.cache.cache import Cache, Draft, Found
from ipycheckpoint.cache.index import index
from ipycheckpoint.cache.savefile import pack, read, save
from ipycheckpoint.cache.verify import verify
from ipycheckpoint.digest import digest
from ipycheckpoint.errors import CheckpointError, CheckpointWarning, StoreError, UsageError
from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.identity.identity import Identity, Ingredient
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.failure import LoadFailure
from ipycheckpoint.record.record import Output
from ipycheckpoint.record.trust import Keyring
from ipycheckpoint.store.base import check_name
from ipycheckpoint.store.directory import DirectoryStore
from ipycheckpoint.store.files import LocalFiles
from tests.faults import evil
from tests.faults.work import KEYRING, draft, identity, key_of, opened, version_in

TARGET = "touched"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / TARGET


@pytest.fixture
def cache(tmp_path: Path):
    cache = opened(tmp_path / "cache")
    for name in ("tiny_a", "small_a", "large_a"):
        cache.save(draft(name))
    yield cache
    cache.close()


def record(cache: Cache, name: str) -> bytes:
    content = cache.store.get(f"records/{key_of(name)}")
    assert content is not None
    return bytes(content.view)


def use(cache: Cache, name: str) -> object:
    """Do with a record all that there is to do, short of trusting it."""
    key = key_of(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        cache.recall(key), cache.hold(key), cache.recall(key)
        found = cache.find(key)
        loaded = cache.load(found) if isinstance(found, Found) else None
        cache.header(key), cache.failure(key), cache.nearest(identity(name)), cache.upkeep.verify(key)
        cache.catalogue.rebuild(), cache.rows(), verify(cache)
        try:
            opened = cache.open(key)
            if opened is not None:
                repr(opened), opened._repr_html_(), opened.environment, opened.ingredients, opened.code
                opened.load()
        except CheckpointError:
            pass
        if isinstance(found, Found):
            try:
                cache.tape(found)
            except CheckpointError:
                pass
        return loaded


def test_the_pickle_of_these_tests_does_touch_the_file_when_it_is_loaded(cache: Cache, target: Path) -> None:
    data = evil.of_a_stranger(cache.header(key_of("tiny_a")), target, KEYRING)
    cache.store.put(f"records/{key_of('tiny_a')}", [data])
    use(cache, "tiny_a")
    assert target.exists()


@pytest.mark.parametrize("name", ["tiny_a", "small_a", "large_a"])
@pytest.mark.parametrize("forgery", evil.FORGERIES)
def test_a_forged_record_is_never_unpickled(forgery: str, name: str, cache: Cache, target: Path) -> None:
    header = cache.header(key_of(name))
    good = record(cache, name)
    bad = evil.of_a_stranger(header, target)
    cache.store.put(f"records/{header.key}", [evil.FORGERIES[forgery](bad, good, target)])
    for opened_now in (cache, opened(Path(cache.location))):
        loaded = use(opened_now, name)
        assert loaded is None or isinstance(loaded, LoadFailure)
        opened_now.close()
    assert not target.exists()


def test_of_two_headers_of_one_name_the_one_that_is_read_is_the_one_that_is_verified(cache: Cache, target: Path):
    header = cache.header(key_of("tiny_a"))
    data = evil.duplicate_keys(evil.of_a_stranger(header, target), record(cache, "tiny_a"))
    cache.store.put(f"records/{header.key}", [data])
    assert use(cache, "tiny_a") is None
    assert not target.exists()


def test_a_pickle_in_place_of_any_other_entry_is_never_loaded(cache: Cache, target: Path) -> None:
    evil.put_everywhere(cache, target, key_of("tiny_a"))
    for name in ("tiny_a", "small_a", "large_a"):
        use(cache, name)
    assert not target.exists()
    assert version_in(cache, "tiny_a") == 0


COLUMNS = "kind label tags outputs words signer failure created nbytes hits last_used expires pinned".split()


@pytest.mark.parametrize("column", COLUMNS)
def test_a_pickle_in_any_place_of_the_listing_is_never_loaded(column: str, cache: Cache, target: Path) -> None:
    cache.close()
    with closing(sqlite3.connect(Path(cache.location) / "catalogue.sqlite", isolation_level=None)) as connection:
        connection.execute(f"UPDATE records SET {column} = ?", (evil.payload(target),))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        with suppress(CheckpointError):
            cache.rows(), cache.catalogue.totals(), cache.catalogue.tags(), cache.catalogue.labels()
        assert version_in(cache, "tiny_a") == 0
        use(cache, "tiny_a")
        assert verify(cache, fix=True).is_good
    assert {row.label for row in cache.rows()} == {"work.tiny_a", "work.small_a", "work.large_a"}
    assert not target.exists()


@pytest.mark.parametrize("forgery", evil.FORGERIES)
def test_what_a_process_recalls_is_not_what_somebody_put_in_its_place(
    forgery: str, tmp_path: Path, target: Path
) -> None:
    cache = opened(tmp_path / "cache")
    values = {"return": ["a" * 500, 2]}
    cache.save(Draft(identity("short"), (Output("return", "result"),), values, tuple(encode(values)), seconds=1.5))
    key = key_of("short")
    cache.hold(key)
    assert cache.recall(key).value == values["return"]
    good = record(cache, "short")
    bad = evil.of_a_stranger(cache.header(key), target)
    cache.store.put(f"records/{key}", [evil.FORGERIES[forgery](bad, good, target)])
    for again in (cache, opened(tmp_path / "cache")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CheckpointWarning)
            assert again.recall(key) is None
            again.hold(key)
            assert again.recall(key) is None
        again.close()
    assert not target.exists()


@pytest.mark.parametrize("signer", [evil.STRANGER, Keyring(secret=b"")], ids=["of a stranger", "of nobody"])
def test_nobody_else_vouches_for_the_file_of_a_blob(signer: Keyring, cache: Cache) -> None:
    # As somebody would who may write into the folder: an altered array, and a note that it was verified.
    [blob] = [entry.name for entry in cache.store.entries("blobs/") if entry.nbytes > 100_000]
    content = bytearray(cache.store.get(blob).view)
    content[5_000] ^= 1
    cache.store.put(blob, [content])
    theirs = Cache.at(cache.location, keyring=signer)
    theirs._stamps.kept(key_of("large_a"), [blob.removeprefix("blobs/")])
    theirs.close()
    assert "is damaged: its Digest is" in str(version_in(opened(Path(cache.location)), "large_a"))


def test_a_record_under_another_key_is_not_served(cache: Cache, target: Path) -> None:
    cache.store.put(f"records/{key_of('tiny_b')}", [record(cache, "tiny_a")])
    assert use(cache, "tiny_b") is None


def test_sections_of_one_record_do_not_pass_for_those_of_another(cache: Cache) -> None:
    one, other = record(cache, "tiny_a"), record(cache, "small_a")
    line = evil.line_of(one)
    for part in ("sections", "outputs"):
        line["header"][part] = evil.line_of(other)["header"][part]
    cache.store.put(f"records/{key_of('tiny_a')}", [evil.with_line(other, line)])
    assert use(cache, "tiny_a") is None


def test_a_forgotten_record_that_comes_back_is_a_good_one_until_it_expires(cache: Cache) -> None:
    old = record(cache, "tiny_a")
    cache.forget(key_of("tiny_a"))
    cache.store.put(f"records/{key_of('tiny_a')}", [old])
    assert version_in(cache, "tiny_a") == 0


def test_what_lies_about_who_signed_it_is_not_listed_as_trusted(cache: Cache, target: Path) -> None:
    header = cache.header(key_of("tiny_a"))
    line = evil.line_of(evil.of_a_stranger(header, target))
    line["signature"]["signer"] = KEYRING.signer
    data = evil.with_line(evil.of_a_stranger(header, target), line)
    cache.store.put(f"records/{header.key}", [data])
    cache.catalogue.rebuild()
    [row] = cache.catalogue.rows(keys=[header.key])
    assert row.status == "untrusted"


def test_an_imported_record_of_a_stranger_is_listed_and_not_loaded(tmp_path: Path, target: Path) -> None:
    theirs = Cache.at(tmp_path / "theirs", keyring=evil.STRANGER)
    theirs.save(draft("tiny_a"))
    header = theirs.header(key_of("tiny_a"))
    theirs.store.put(f"records/{header.key}", [evil.of_a_stranger(header, target)])
    write_archive(theirs, [header.key], tmp_path / "gift.ckpts")
    theirs.close()
    mine = opened(tmp_path / "mine")
    read_archive(mine, tmp_path / "gift.ckpts")
    assert [row.status for row in mine.rows()] == ["untrusted"]
    assert use(mine, "tiny_a") is None
    assert not target.exists()
    mine.close()


def test_an_imported_record_that_says_we_signed_it_and_was_altered_is_refused(cache: Cache, tmp_path: Path) -> None:
    altered = record(cache, "tiny_a").replace(b'"seconds":1.5', b'"seconds":9.5')
    cache.store.put(f"records/{key_of('tiny_a')}", [altered])
    write_archive(cache, [key_of("tiny_a"), key_of("small_a")], tmp_path / "all.ckpts")
    mine = opened(tmp_path / "mine")
    done = read_archive(mine, tmp_path / "all.ckpts")
    assert done.refused == ((key_of("tiny_a"), "its header is not the one that was signed"),)
    assert [row.label for row in mine.rows()] == ["work.small_a"]
    mine.close()


@pytest.mark.parametrize(
    "name",
    ["../outside", "/tmp/outside", "records/../../outside", "records/" + "g" * 64, "blobs/" + "0" * 64 + "/../x",
     "small.sqlite", "records/" + "0" * 64 + "\0", "locks", "files/@new/x", "C:\\outside"],
)  # fmt: skip
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_an_archive_writes_nothing_but_entries_of_the_store(name: str, kind: bytes, cache: Cache, tmp_path: Path):
    write_archive(cache, [key_of("tiny_a")], tmp_path / "good.ckpts")
    with tarfile.open(tmp_path / "good.ckpts") as good, tarfile.open(tmp_path / "bad.ckpts", "w") as bad:
        for member in good.getmembers():
            bad.addfile(member, good.extractfile(member))
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        member.size = 4 if kind == tarfile.REGTYPE else 0
        bad.addfile(member, io.BytesIO(b"evil"))
    mine = opened(tmp_path / "deep" / "mine")
    before = {path for path in tmp_path.rglob("*") if "mine" not in path.parts}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        try:
            read_archive(mine, tmp_path / "bad.ckpts")
        except CheckpointError as problem:
            assert str(problem)  # noqa: PT017 - whether it is refused as a whole is up to the reader
    assert {path for path in tmp_path.rglob("*") if "mine" not in path.parts} - {tmp_path / "deep"} == before
    assert not [path for path in (tmp_path / "deep").rglob("*") if path.is_symlink() or b"evil" in _bytes(path)]
    mine.close()


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


class TestSavefiles:
    @pytest.fixture
    def data(self) -> bytes:
        return b"".join(pack({"return": 1}, label="x", keyring=KEYRING))

    @pytest.mark.parametrize("forgery", evil.FORGERIES)
    def test_a_forged_one_is_never_unpickled(self, forgery: str, data: bytes, tmp_path: Path, target: Path) -> None:
        from ipycheckpoint.record.format import read_header

        stored = read_header(data)
        bad = evil.of_a_stranger(stored.header, target)
        (tmp_path / "x.ckpt").write_bytes(evil.FORGERIES[forgery](bad, data, target))
        try:
            record = read(tmp_path / "x.ckpt", keyring=KEYRING)
            repr(record), record._repr_html_(), record.environment, record.code
            record.load()
        except CheckpointError:
            pass
        assert not target.exists()

    def test_what_is_attached_is_text_and_its_digest_must_agree(self, data: bytes, tmp_path: Path, target: Path):
        line = evil.line_of(data)
        line["attached"] = dict.fromkeys(line["attached"], evil.payload(target).decode("latin-1"))
        (tmp_path / "x.ckpt").write_bytes(evil.with_line(data, line))
        record = read(tmp_path / "x.ckpt", keyring=KEYRING)
        assert record.environment is None
        assert record["return"] == 1
        assert not target.exists()

    def test_a_stream_that_is_changed_in_the_file_after_it_was_verified_is_not_the_one_that_is_run(
        self, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from ipycheckpoint.cache import opened as opened_module

        path = tmp_path / "x.ckpt"
        save(path, {"return": "a" * 200_000}, keyring=KEYRING)
        decode = opened_module.decode

        def late(codec, stream, *rest, **options):
            whole = path.read_bytes()
            start = whole.index(bytes(stream[:100]))
            with path.open("r+b") as file:
                file.seek(start)
                file.write(evil.payload(target))
            return decode(codec, stream, *rest, **options)

        monkeypatch.setattr(opened_module, "decode", late)
        assert read(path, keyring=KEYRING)["return"] == "a" * 200_000
        assert not target.exists()


class TestPlaces:
    @pytest.mark.parametrize(
        "name", ["../x", "/etc/passwd", "a/../../x", "..", ".", "", "a//b", "a\\..\\b", "x\0y", "a/./b", "~/x", "%/.."]
    )  # fmt: skip
    def test_no_name_of_an_entry_leads_anywhere_else(self, name: str) -> None:
        with pytest.raises(UsageError):
            check_name(name)

    @pytest.mark.parametrize("text", ["../../x", "/etc/passwd", "..", "a\\b", "x\0y", "CON", "é/../..", "\ud800", "."])
    def test_no_tag_or_label_makes_a_savepoint_elsewhere(self, text: str, tmp_path: Path) -> None:
        from ipycheckpoint.cache.places import place_of

        path = place_of(f"Pkg.{text}", [(text, text)])
        LocalFiles(tmp_path / "in").write(path, [b"1"])
        assert [p.name for p in tmp_path.iterdir()] == ["in"]
        [entry] = index(tmp_path / "in", all_files=True)
        assert (text, text) in entry.tags

    @pytest.mark.parametrize("link", ["files", "files/@new", "files/blobs", "files/blobs/@ab"])
    def test_a_link_inside_a_store_is_not_followed_out_of_it(self, link: str, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "thesis.tex").write_text("mine")
        name = "ab" + "0" * 62
        (outside / name).write_text("mine, too")
        os.utime(outside / "thesis.tex", (0, 0))
        place = tmp_path / "cache" / link
        place.parent.mkdir(parents=True)
        place.symlink_to(outside)
        before = {path: path.stat().st_mtime_ns for path in outside.rglob("*")}
        store = DirectoryStore(tmp_path / "cache")
        with pytest.raises(StoreError, match="symbolic link"):
            store.put(f"blobs/{name}", [bytes(100_000)])
        try:
            store.remove(f"blobs/{name}")
        except StoreError as problem:
            assert "symbolic link" in str(problem)  # noqa: PT017 - only where the link is on the way
        assert list(store.entries()) == []
        assert {path: path.stat().st_mtime_ns for path in outside.rglob("*")} == before
        store.close()

    @pytest.mark.parametrize("what", ["link", "pipe", "folder", "dangling link", "device"])
    def test_what_is_no_file_in_place_of_an_entry_is_an_error_and_no_hang(self, what: str, tmp_path: Path) -> None:
        store = DirectoryStore(tmp_path / "cache", inline_nbytes=0)
        name = "ab" + "0" * 62
        store.put(f"blobs/{name}", [b"1"])
        path = tmp_path / "cache/files/blobs/@ab" / name
        path.unlink()
        if what == "pipe":
            os.mkfifo(path)
        elif what == "folder":
            path.mkdir()
        else:
            path.symlink_to({"link": "/etc/passwd", "device": "/dev/zero"}.get(what, "/nowhere"))
        with pytest.raises(StoreError):
            store.get(f"blobs/{name}")
        assert list(store.entries()) == []

    @pytest.mark.parametrize("name", ["small.sqlite", "catalogue.sqlite", "locks", "small-3.sqlite"])
    def test_a_database_of_somebody_else_behind_a_link_is_left_alone(self, name: str, tmp_path: Path) -> None:
        theirs = tmp_path / "history.sqlite"
        with sqlite3.connect(theirs) as connection:
            connection.execute("CREATE TABLE visits (url TEXT)")
            connection.execute("INSERT INTO visits VALUES ('mine')")
            connection.execute("PRAGMA user_version=1")
        connection.close()
        before = theirs.read_bytes()
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / name).symlink_to(theirs)
        cache = opened(tmp_path / "cache")
        cache.save(draft("tiny_a"))
        assert version_in(cache, "tiny_a") == 0
        assert [row.label for row in cache.rows()] == ["work.tiny_a"]
        cache.close()
        assert theirs.read_bytes() == before
        assert [p.name for p in tmp_path.glob("history*")] == ["history.sqlite"]


class TestDatabases:
    VIEW = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS name, x AS data FROM c"

    @pytest.mark.parametrize("stem", ["small", "catalogue"])
    @pytest.mark.parametrize("trick", ["endless view", "trigger", "generated column", "other table"])
    def test_one_with_other_tables_than_ours_is_moved_aside(self, stem: str, trick: str, tmp_path: Path) -> None:
        cache = opened(tmp_path / "cache")
        cache.save(draft("tiny_a"))
        cache.close()
        path = tmp_path / "cache" / f"{stem}.sqlite"
        table = {"small": "entries", "catalogue": "records"}[stem]
        connection = sqlite3.connect(path)
        if trick == "endless view":
            connection.execute(f"DROP TABLE {table}")
            connection.execute(f"CREATE VIEW {table} AS {self.VIEW}")
        elif trick == "trigger":
            connection.execute(f"CREATE TRIGGER t AFTER INSERT ON {table} BEGIN DELETE FROM {table}; END")
        elif trick == "generated column":
            connection.execute(f"ALTER TABLE {table} ADD COLUMN big BLOB AS (zeroblob(100000000))")
        else:
            connection.execute("CREATE TABLE other (x)")
        connection.commit()
        connection.close()
        cache = opened(tmp_path / "cache")
        with pytest.warns(CheckpointWarning, match="damaged"):
            assert (version_in(cache, "tiny_a"), len(cache.rows())) in {(0, 1), (None, 1), (None, 0)}
        cache.save(draft("tiny_a"))
        assert version_in(cache, "tiny_a") == 0
        verify(cache, fix=True)
        assert verify(cache).is_good
        cache.close()


SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'`&"


def test_whatever_a_header_says_is_text_in_html(tmp_path: Path) -> None:
    values = {f"v{SCRIPT}": SCRIPT}
    save(tmp_path / "x.ckpt", values, label=SCRIPT, tags=[(SCRIPT, SCRIPT)], keyring=evil.STRANGER)
    record = read(tmp_path / "x.ckpt", keyring=KEYRING)
    for text in [record._repr_html_(), index(tmp_path)._repr_html_()]:
        assert "<script" not in text
        assert "<img" not in text


def test_a_stranger_puts_no_option_into_the_command_that_is_shown() -> None:
    there = Environment(
        "3.11.4; rm -rf /", "cpython", "linux", "x86_64", {"-r evil": "1", "--index-url": "x", "numpy": "1;id"}
    )
    command = there.rebuild_command(tool="pip")
    assert "evil" not in command
    assert "--index-url" not in command
    assert "'numpy==1;id'" in command
    assert "'python3.11'" in command or "python3.11 " in command


def test_json_that_names_classes_stays_json(tmp_path: Path, target: Path) -> None:
    trick = {"py/object": "builtins.open", "__reduce__": ["os.system", [f"touch {target}"]], "$float": "nan"}
    save(tmp_path / "x.ckpt", {"x": trick}, codec="json", keyring=KEYRING)
    assert json.dumps(read(tmp_path / "x.ckpt", keyring=KEYRING)["x"]) == json.dumps(trick)
    assert not target.exists()


class TestWhatIsShown:
    ESCAPE = "\x1b]0;evil\x07\x1b[2J"

    @pytest.fixture
    def hostile(self, tmp_path: Path):
        """A cache with a record of a stranger, all names of which are tricks."""
        theirs = Cache.at(tmp_path / "cache", keyring=evil.STRANGER)
        trick = SCRIPT + self.ESCAPE
        ingredients = (Ingredient("code", trick, digest("x", b"1"), preview=trick, source=trick),)
        values = {trick: 1}
        theirs.save(
            Draft(
                Identity("call", trick, ingredients), (Output(trick, "result"),), values, tuple(encode(values)),
                seconds=1.5, tags=((trick, trick),), notes=(trick,),
            )
        )  # fmt: skip
        theirs.fail(theirs.rows()[0].key, LoadFailure(trick, ValueError(trick), b"", Environment.current(), None))
        theirs.close()
        mine = opened(tmp_path / "cache")
        yield mine
        mine.close()

    def test_in_the_panel(self, hostile: Cache) -> None:
        from ipycheckpoint.surfaces.panel import pages

        seen = pages.facts(hostile)
        assert "evil" in pages.as_text(seen)
        assert "\x1b" not in pages.as_text(seen)
        assert "<script" not in pages.as_html(seen)
        assert "<img" not in pages.as_html(seen)

    def test_in_the_line_under_a_cell(self) -> None:
        from ipycheckpoint.record.outcome import Computed, Refused
        from ipycheckpoint.surfaces import badge

        told = Explanation("miss", SCRIPT, SCRIPT + self.ESCAPE)
        for outcome in (Computed(1, told, 1.0), Refused(1, told, 1.0, CheckpointError(SCRIPT + self.ESCAPE))):
            shown = badge.bundle(outcome)
            assert "<script" not in shown["text/html"]
            assert "<img" not in shown["text/html"]

    @pytest.mark.parametrize("command", ["ls", "show *", "verify", "prune --older-than 1d --dry-run", "why *"])
    def test_in_a_terminal(self, command: str, hostile: Cache, capsys: pytest.CaptureFixture[str]) -> None:
        from ipycheckpoint.surfaces.cli import main

        with suppress(SystemExit):
            main([*command.replace("*", hostile.rows()[0].key).split(), "--cache", hostile.location])
        shown = capsys.readouterr()
        assert "\x1b" not in shown.out
        assert "\x1b" not in shown.err
