from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ipycheckpoint.cache.catalogue import Catalogue
from ipycheckpoint.cache.listing import MOMENT_SECONDS, ORDERS, STRANGER, Listed, Row, Totals
from ipycheckpoint.digest import digest
from ipycheckpoint.errors import CheckpointWarning, StoreError, UsageError
from ipycheckpoint.identity.identity import Key
from ipycheckpoint.record.record import BufferRef, Header, Output, SectionRef

ROOT = Path(__file__).parents[3]
D = digest("nothing")


def key_of(number: int) -> Key:
    return Key(digest("key", str(number).encode()))


def header_of(
    number: int,
    label: str = "train",
    tags: tuple[tuple[str, str], ...] = (),
    outputs: tuple[str, ...] = ("model",),
    created: float | None = None,
) -> Header:
    return Header(
        kind="call" if number % 2 else "cell",
        label=label,
        key=key_of(number),
        created=1_700_000_000.0 + number if created is None else created,
        seconds=number / 10,
        ingredients=(),
        outputs=tuple(Output(name, "bound") for name in outputs),
        sections=(SectionRef("pickle", D, 100 * number, 0, (BufferRef(D, 7),)),),
        environment=D,
        tags=tags,
    )


class Shelf:
    """What stands in for the store: its headers, and how often they were all read."""

    def __init__(self) -> None:
        self.headers: dict[Key, Header] = {}
        self.readings = 0

    def add(self, *headers: Header) -> None:
        self.headers.update((header.key, header) for header in headers)

    def __call__(self) -> Iterable[Listed]:
        self.readings += 1
        return list(map(Listed, self.headers.values()))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "catalogue.sqlite"


@pytest.fixture(params=["file", "memory"])
def catalogue(request: pytest.FixtureRequest, path: Path, shelf: Shelf) -> Iterator[Catalogue]:
    catalogue = Catalogue(path if request.param == "file" else None, shelf, clock=lambda: 1_800_000_000.0)
    yield catalogue
    catalogue.close()


def fill(catalogue: Catalogue, shelf: Shelf, *headers: Header) -> None:
    for header in headers:
        shelf.add(header)
        catalogue.add(Listed(header))


def numbers(rows: list[Row], count: int = 100) -> list[int]:
    order = {key_of(number): number for number in range(count)}
    return [order[row.key] for row in rows]


class TestListing:
    def test_a_row_says_what_the_header_says(self, catalogue: Catalogue, shelf: Shelf) -> None:
        header = header_of(3, "fit", (("date", "2017-01-01"), ("tag", 'a"b')), ("x", "größe"))
        fill(catalogue, shelf, header)
        assert catalogue.rows() == [
            Row(header.key, "call", "fit", 1_700_000_003.0, 0.3, 307, header.tags, ("x", "größe"), 0, 1_700_000_003.0,
                0.0)
        ]  # fmt: skip

    def test_the_newest_is_first(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(catalogue, shelf, *map(header_of, [2, 1, 3]))
        assert numbers(catalogue.rows()) == [3, 2, 1]

    @pytest.mark.parametrize("order", sorted(ORDERS))
    def test_every_order_can_be_had_with_filters_and_without(
        self, catalogue: Catalogue, shelf: Shelf, order: str
    ) -> None:
        fill(catalogue, shelf, *map(header_of, range(6)))
        for wanted in ({}, {"search": "train"}):
            rising = catalogue.rows(order=order, descending=False, **wanted)
            assert len(rising) == 6
            assert catalogue.rows(order=order, **wanted) == rising[::-1]
            pages = [catalogue.rows(order=order, limit=2, offset=offset, **wanted) for offset in (0, 2, 4)]
            assert [row for page in pages for row in page] == rising[::-1]

    @pytest.mark.parametrize("order", ["created", "seconds", "nbytes"])
    def test_rows_come_in_order_and_in_pages(self, catalogue: Catalogue, shelf: Shelf, order: str) -> None:
        fill(catalogue, shelf, *map(header_of, [2, 1, 4, 3]))
        assert numbers(catalogue.rows(order=order, descending=False)) == [1, 2, 3, 4]
        assert numbers(catalogue.rows(order=order, limit=2, offset=1)) == [3, 2]

    def test_an_unknown_order_is_refused(self, catalogue: Catalogue) -> None:
        with pytest.raises(UsageError, match=r"can't order by 'key; DROP'.* saved_seconds"):
            catalogue.rows(order="key; DROP")

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({"label": "train"}, [1, 2]),
            ({"kind": "call"}, [1, 3]),
            ({"tag": ("a", "b")}, [2]),
            ({"tag": ("a", "b%")}, [3]),
            ({"tag": ("b", "a")}, []),
            ({"search": "TRA"}, [1, 2]),
            ({"search": "tra x"}, [2]),
            ({"search": "100%"}, [3]),
            ({"search": "_"}, [3]),
            ({"search": "scores"}, [3]),
            ({"search": key_of(2)[:9]}, [2]),
            ({"search": key_of(2)[1:9]}, []),
            ({"search": "  "}, [1, 2, 3]),
            ({"label": "train", "kind": "call"}, [1]),
        ],
    )
    def test_a_filter_finds_what_fits(
        self, catalogue: Catalogue, shelf: Shelf, wanted: dict[str, str], found: list[int]
    ) -> None:
        fill(
            catalogue,
            shelf,
            header_of(1, "train"),
            header_of(2, "train", (("a", "b"), ("x", "c"))),
            header_of(3, "100% done", (("a", "b%"), ("y", '"a", "b"')), ("scores_",)),
        )
        assert sorted(numbers(catalogue.rows(**wanted))) == found
        assert catalogue.count(**wanted) == len(found)

    @pytest.mark.parametrize("label", ["train", "Train", "TRAIN", "Straße", "İstanbul", "fit_model"])
    def test_a_label_is_found_whatever_the_letters_it_is_looked_for_in(
        self, catalogue: Catalogue, shelf: Shelf, label: str
    ) -> None:
        fill(catalogue, shelf, header_of(1, label), header_of(2, "another"))
        for word in (label, label.lower(), label.upper(), label.casefold(), label[:4]):
            assert numbers(catalogue.rows(search=word)) == [1]
        assert catalogue.rows(search=f"{label}model") == []

    @pytest.mark.parametrize("wanted", [{}, {"search": "train"}, {"kind": "call"}, {"status": "kept"}])
    def test_pages_together_are_all_rows(self, catalogue: Catalogue, shelf: Shelf, wanted: dict[str, str]) -> None:
        fill(catalogue, shelf, *map(header_of, range(7)), header_of(8, "other"))
        rows = catalogue.rows(order="seconds", **wanted)
        pages = [catalogue.page(number, 3, order="seconds", **wanted) for number in range(4)]
        assert [row for page, _ in pages for row in page] == rows
        assert {count for _, count in pages} == {len(rows)}

    def test_a_page_shows_what_has_changed_since_the_one_before(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(catalogue, shelf, *map(header_of, range(4)))
        assert catalogue.page(0, 2, search="train")[1] == 4
        fill(catalogue, shelf, header_of(5))
        catalogue.remove(key_of(0))
        rows, count = catalogue.page(0, 2, search="train")
        assert (numbers(rows), count) == ([5, 3], 4)

    def test_what_expires_between_two_pages_is_expired(self, path: Path, shelf: Shelf) -> None:
        now = [1_800_000_000.0]
        catalogue = Catalogue(path, shelf, clock=lambda: now[0])
        catalogue.add(Listed(replace(header_of(1), expires=1_800_000_010.0)))
        assert catalogue.page(0, 5, status="expired")[1] == 0
        now[0] += 11
        assert catalogue.page(0, 5, status="expired")[1] == 1
        catalogue.close()

    def test_keys_of_a_label_are_the_newest_first(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(catalogue, shelf, *map(header_of, [2, 1, 3]), header_of(4, "other"))
        assert catalogue.keys_of("train") == [key_of(3), key_of(2), key_of(1)]
        assert catalogue.keys_of("train", limit=1) == [key_of(3)]
        assert catalogue.keys_of("nothing") == []

    def test_labels_are_listed_once_and_in_order(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(catalogue, shelf, header_of(1, "b"), header_of(2, "a"), header_of(3, "b"))
        assert catalogue.labels() == ["a", "b"]

    def test_what_is_removed_is_listed_no_more(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(catalogue, shelf, *map(header_of, [1, 2]))
        catalogue.hit(key_of(1), 1.0)
        catalogue.remove(key_of(1))
        catalogue.remove(key_of(99))
        assert numbers(catalogue.rows()) == [2]

    def test_a_record_made_again_has_one_row_and_keeps_its_counts(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(catalogue, shelf, header_of(1))
        catalogue.hit(key_of(1), 2.0)
        catalogue.flush()
        fill(catalogue, shelf, header_of(1, "renamed"))
        (row,) = catalogue.rows()
        assert (row.label, row.hits, row.saved_seconds) == ("renamed", 1, 2.0)


class TestStatus:
    """What a row says of its record: the worst of it first."""

    @pytest.fixture
    def catalogue(self, path: Path, shelf: Shelf) -> Iterator[Catalogue]:
        clock, signers = (lambda: 1_800_000_000.0), (lambda: ("us", "friend"))
        catalogue = Catalogue(path, shelf, signers=signers, clock=clock)
        catalogue.add(Listed(header_of(1), "us"))
        yield catalogue
        catalogue.close()

    def status(self, catalogue: Catalogue) -> str:
        [row] = catalogue.rows()
        assert catalogue.rows(status=row.status) == [row]
        assert catalogue.count(status=row.status) == 1
        return row.status

    def test_it_is_kept_at_first(self, catalogue: Catalogue) -> None:
        assert self.status(catalogue) == "kept"

    def test_one_that_had_a_hit_is_restored(self, catalogue: Catalogue) -> None:
        catalogue.hit(key_of(1), 1.0)
        catalogue.flush()
        assert self.status(catalogue) == "restored"

    def test_one_whose_time_is_over_is_expired(self, catalogue: Catalogue) -> None:
        catalogue.hit(key_of(1), 1.0)
        catalogue.add(Listed(replace(header_of(1), expires=1_799_999_999.0), "us"))
        assert self.status(catalogue) == "expired"

    def test_one_that_could_not_be_loaded_is_failed_until_that_is_taken_back(self, catalogue: Catalogue) -> None:
        catalogue.fail(key_of(1), "x: ModuleNotFoundError: No module named 'Gone'")
        assert self.status(catalogue) == "failed"
        assert catalogue.rows(search="GONE") == catalogue.rows()
        catalogue.fail(key_of(1), "")
        assert self.status(catalogue) == "kept"

    @pytest.mark.parametrize(
        ("signer", "status"), [("us", "kept"), ("friend", "kept"), ("other", "untrusted"), (STRANGER, "untrusted")]
    )
    def test_whose_signature_is_accepted_is_trusted(self, catalogue: Catalogue, signer: str, status: str) -> None:
        catalogue.add(Listed(header_of(1), signer))
        catalogue.fail(key_of(1), "")
        assert self.status(catalogue) == status

    def test_a_pin_stays_when_the_record_is_made_again(self, catalogue: Catalogue) -> None:
        catalogue.pin(key_of(1), True)
        catalogue.add(Listed(header_of(1, created=1.0), "us"))
        assert catalogue.rows()[0].pinned
        catalogue.pin(key_of(1), False)
        assert not catalogue.rows()[0].pinned


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1e300, 1e300, -5.0])
def test_numbers_that_cannot_be_do_no_harm_to_the_listing(catalogue: Catalogue, shelf: Shelf, number: float) -> None:
    """A stranger's header may say anything."""
    section = SectionRef("pickle", D, 10**30, 0)
    header = replace(header_of(1), created=number, seconds=number, expires=number, sections=(section,))
    fill(catalogue, shelf, header, header_of(2))
    row = next(row for row in catalogue.rows() if row.key == key_of(1))
    assert 0 <= row.created < 3e11
    assert 0 <= row.seconds < 3e11
    assert row.nbytes > 10**18
    assert catalogue.totals().records == 2


class TestTotals:
    def test_they_add_up(self, path: Path, shelf: Shelf) -> None:
        catalogue = Catalogue(path, shelf, signers=lambda: ("us",))
        for number in (1, 2, 3):
            catalogue.add(Listed(header_of(number), "us" if number < 3 else STRANGER))
        catalogue.hit(key_of(1), 5.0, 0.5)
        catalogue.hit(key_of(1), 5.0, 0.5)
        catalogue.fail(key_of(2), "no")
        catalogue.pin(key_of(2), True)
        totals = catalogue.totals()
        assert totals == Totals(
            records=3, nbytes=621, hits=2, misses=3, saved_seconds=10.0, failed=1, untrusted=1, pinned=1
        )
        catalogue.flush()
        assert catalogue.totals() == totals
        catalogue.close()

    def test_of_nothing_they_are_nothing(self, catalogue: Catalogue) -> None:
        assert catalogue.totals() == Totals(0, 0, 0, 0, 0.0, 0, 0, 0)


class TestUse:
    def test_a_record_that_is_computed_again_counts_another_miss(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(catalogue, shelf, header_of(1, created=1.0))
        assert catalogue.rows()[0].misses == 1
        fill(catalogue, shelf, header_of(1, created=2.0))
        assert catalogue.rows()[0].misses == 2
        catalogue.rebuild()
        assert catalogue.rows()[0].misses == 2

    def test_a_hit_takes_so_long_on_average(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(catalogue, shelf, header_of(1), header_of(2))
        catalogue.hit(key_of(1), 1.0, 0.25)
        catalogue.hit(key_of(1), 1.0, 0.75)
        catalogue.flush()
        newest, oldest = catalogue.rows(order="restored", descending=False)
        assert (newest.restored, oldest.restored) == (None, 0.5)

    def test_restores_are_counted_by_when_they_were(self, path: Path, shelf: Shelf) -> None:
        now = [1_800_000_000.0]
        catalogue = Catalogue(path, shelf, clock=lambda: now[0])
        catalogue.add(Listed(header_of(1)))
        for later in (0, 1, MOMENT_SECONDS):
            now[0] += later
            catalogue.hit(key_of(1), 1.0)
        first = 1_800_000_000 // MOMENT_SECONDS
        expected = {key_of(1): {first: 2, first + 1: 1}, key_of(2): {}}
        assert catalogue.restores([key_of(1), key_of(2)]) == expected
        catalogue.flush()
        assert catalogue.restores([key_of(1), key_of(2)]) == expected
        catalogue.remove(key_of(1))
        assert catalogue.restores([key_of(1)]) == {key_of(1): {}}
        catalogue.close()

    def test_all_tags_are_listed_once(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(
            catalogue,
            shelf,
            header_of(1, tags=(("b", "2"), ("a", "1"))),
            header_of(2, tags=(("a", "1"),)),
            header_of(3),
        )
        assert catalogue.tags() == [("a", "1"), ("b", "2")]

    def test_rows_are_found_by_their_keys(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(catalogue, shelf, *map(header_of, range(5)))
        assert numbers(catalogue.rows(keys=[key_of(3), key_of(1), key_of(99)])) == [3, 1]


class TestStamp:
    def test_what_others_add_is_counted_at_once(self, path: Path, shelf: Shelf) -> None:
        ours, theirs = Catalogue(path, shelf), Catalogue(path, shelf)
        ours.add(Listed(header_of(1)))
        for number in range(2, 12):
            assert (ours.count(), ours.totals().records) == (number - 1, number - 1)
            theirs.add(Listed(header_of(number, tags=(("run", str(number)),))))
            assert len(ours.tags()) == number - 1
        ours.close()
        theirs.close()

    def test_it_stays_while_nothing_happens(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(catalogue, shelf, header_of(1))
        before = catalogue.stamp()
        catalogue.rows()
        assert catalogue.stamp() == before

    @pytest.mark.parametrize("change", ["add", "hit", "remove", "fail"])
    def test_what_this_process_changes_shows(self, catalogue: Catalogue, shelf: Shelf, change: str) -> None:
        fill(catalogue, shelf, header_of(1))
        catalogue.hit(key_of(1), 1.0)  # within the second, the next one is only kept in mind
        before = catalogue.stamp()
        arguments = {
            "add": (Listed(header_of(2)),),
            "hit": (key_of(1), 1.0),
            "remove": (key_of(1),),
            "fail": (key_of(1), "no"),
        }
        getattr(catalogue, change)(*arguments[change])
        assert catalogue.stamp() != before

    def test_what_others_change_shows(self, path: Path, shelf: Shelf) -> None:
        ours, theirs = Catalogue(path, shelf), Catalogue(path, shelf)
        ours.add(Listed(header_of(1)))
        ours.rows()
        before = ours.stamp()
        theirs.add(Listed(header_of(2)))
        assert ours.stamp() != before
        ours.close()
        theirs.close()


# Python warns of what we test: forks while other threads are there.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
class TestCounts:
    def test_hits_add_up_at_once(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(catalogue, shelf, header_of(1), header_of(2))
        for _ in range(5):
            catalogue.hit(key_of(1), 2.0)
        rows = {row.key: row for row in catalogue.rows()}
        assert (rows[key_of(1)].hits, rows[key_of(1)].saved_seconds) == (5, 10.0)
        assert rows[key_of(1)].last_used == 1_800_000_000.0
        assert rows[key_of(2)].hits == 0
        catalogue.flush()
        assert {row.key: row for row in catalogue.rows()} == rows

    def test_hits_are_written_at_the_end_of_the_process(self, path: Path, shelf: Shelf) -> None:
        shelf.add(header_of(1))
        Catalogue(path, shelf).rebuild()
        code = f"""
from pathlib import Path
from ipycheckpoint.cache.catalogue import Catalogue
catalogue = Catalogue(Path({str(path)!r}), list)
for _ in range(7):
    catalogue.hit({key_of(1)!r}, 0.5)
"""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=environment)
        (row,) = Catalogue(path, shelf).rows()
        assert (row.hits, row.saved_seconds) == (7, 3.5)

    def test_hits_are_written_when_the_catalogue_is_dropped(self, path: Path, shelf: Shelf) -> None:
        shelf.add(header_of(1))
        catalogue = Catalogue(path, shelf)
        catalogue.rebuild()
        for _ in range(3):
            catalogue.hit(key_of(1), 0.5)
        del catalogue
        gc.collect()
        assert Catalogue(path, shelf).rows()[0].hits == 3

    def test_a_fork_does_not_write_the_hits_of_its_parent(self, path: Path, shelf: Shelf) -> None:
        shelf.add(header_of(1))
        catalogue = Catalogue(path, shelf)
        catalogue.rebuild()
        for _ in range(3):
            catalogue.hit(key_of(1), 1.0)
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                catalogue.hit(key_of(1), 1.0)
                catalogue.close()
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        catalogue.close()
        assert Catalogue(path, shelf).rows()[0].hits == 4

    def test_threads_lose_no_hit(self, catalogue: Catalogue, shelf: Shelf) -> None:
        fill(catalogue, shelf, header_of(1))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: catalogue.hit(key_of(1), 1.0), range(400)))
        assert catalogue.rows()[0].hits == 400


class TestRebuilding:
    def test_a_query_of_a_catalogue_that_is_not_there_answers_and_writes_nothing(
        self, path: Path, shelf: Shelf, tmp_path: Path
    ) -> None:
        shelf.add(header_of(1), header_of(2))
        catalogue = Catalogue(path, shelf)
        assert numbers(catalogue.rows()) == [2, 1]
        assert catalogue.count() == 2
        assert catalogue.labels() == ["train"]
        assert catalogue.keys_of("train") == [key_of(2), key_of(1)]
        catalogue.close()
        assert list(tmp_path.iterdir()) == []
        assert shelf.readings == 1

    def test_a_query_of_a_catalogue_that_is_there_writes_nothing(self, path: Path, shelf: Shelf) -> None:
        shelf.add(header_of(1))
        first = Catalogue(path, shelf)
        first.rebuild()
        first.close()
        before = {p: p.stat().st_mtime_ns for p in [path.parent, *path.parent.iterdir()]}
        second = Catalogue(path, shelf)
        assert numbers(second.rows()) == [1]
        assert {p: p.stat().st_mtime_ns for p in [path.parent, *path.parent.iterdir()]} == before
        assert shelf.readings == 1
        second.close()

    def test_the_first_addition_lists_all_that_was_there_before(self, path: Path, shelf: Shelf) -> None:
        shelf.add(header_of(1), header_of(2))
        first = Catalogue(path, shelf)
        fill(first, shelf, header_of(3))
        first.close()
        second = Catalogue(path, shelf)
        assert numbers(second.rows()) == [3, 2, 1]
        assert shelf.readings == 1

    @pytest.mark.parametrize("damage", ["lost", "garbage", "cut", "other version", "empty"])
    def test_a_lost_or_damaged_file_is_made_again(self, path: Path, shelf: Shelf, damage: str) -> None:
        catalogue = Catalogue(path, shelf)
        fill(catalogue, shelf, *map(header_of, range(50)))
        catalogue.close()
        if damage == "lost":
            shutil.rmtree(path.parent)
        elif damage == "garbage":
            path.write_bytes(os.urandom(10_000))
        elif damage == "cut":
            path.write_bytes(path.read_bytes()[:5000])
        elif damage == "empty":
            path.write_bytes(b"")
        else:
            other = sqlite3.connect(path)
            other.execute("DROP TABLE records")
            other.execute("CREATE TABLE records (a, b)")
            other.execute("PRAGMA user_version=77")
            other.close()
        again = Catalogue(path, shelf)
        if damage in {"garbage", "cut"}:
            with pytest.warns(CheckpointWarning, match="catalogue.sqlite is damaged"):
                assert numbers(again.rows()) == list(range(49, -1, -1))
        else:
            assert numbers(again.rows()) == list(range(49, -1, -1))
        fill(again, shelf, header_of(50))
        again.close()
        reads = shelf.readings
        third = Catalogue(path, shelf)
        assert numbers(third.rows()) == list(range(50, -1, -1))
        assert shelf.readings == reads

    def test_rebuilding_finds_what_was_added_and_lost_elsewhere_and_keeps_the_counts(
        self, catalogue: Catalogue, shelf: Shelf
    ) -> None:
        fill(catalogue, shelf, *map(header_of, [1, 2]))
        catalogue.hit(key_of(1), 3.0)
        catalogue.flush()
        del shelf.headers[key_of(2)]
        shelf.add(header_of(5))
        assert catalogue.rebuild() == 2
        assert numbers(catalogue.rows()) == [5, 1]
        assert catalogue.rows()[1].hits == 1

    def test_rebuilding_keeps_what_others_add_meanwhile(self, path: Path, shelf: Shelf) -> None:
        catalogue, other = Catalogue(path, shelf), Catalogue(path, list)
        fill(catalogue, shelf, header_of(1))

        def records() -> Iterable[Listed]:
            yield Listed(header_of(1))
            other.add(Listed(header_of(60)))

        catalogue._tables.records = records
        catalogue.rebuild()
        assert numbers(catalogue.rows()) == [60, 1]
        catalogue.close()
        other.close()

    def test_a_store_that_cant_be_read_is_an_error_of_the_query_only(self, path: Path) -> None:
        def records() -> Iterable[Listed]:
            raise StoreError("somewhere", "list", "no")

        catalogue = Catalogue(path, records)
        with pytest.warns(CheckpointWarning, match="can't list somewhere"):
            catalogue.add(Listed(header_of(1)))
        with pytest.raises(StoreError):
            catalogue.rows()


class TestTrouble:
    def test_where_it_cant_be_written_it_goes_on_in_memory_with_one_warning(self, path: Path, shelf: Shelf) -> None:
        path.parent.write_text("in the way")
        catalogue = Catalogue(path, shelf)
        with pytest.warns(CheckpointWarning, match="results are kept as ever"):
            fill(catalogue, shelf, header_of(1))
        fill(catalogue, shelf, header_of(2))
        catalogue.hit(key_of(1), 1.0)
        assert numbers(catalogue.rows()) == [2, 1]
        fill(catalogue, shelf, header_of(3))
        catalogue.remove(key_of(2))
        assert numbers(catalogue.rows()) == [3, 1]
        assert catalogue.rows()[1].hits == 1
        catalogue.close()

    def test_what_couldnt_be_written_is_written_later(self, path: Path, shelf: Shelf) -> None:
        catalogue = Catalogue(path, shelf)
        fill(catalogue, shelf, header_of(1))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.warns(CheckpointWarning, match="locked"):
            fill(catalogue, shelf, header_of(2))
        assert numbers(catalogue.rows()) == [2, 1]
        other.execute("ROLLBACK")
        other.close()
        catalogue.close()
        second = Catalogue(path, list)
        assert numbers(second.rows()) == [2, 1]
        second.close()

    def test_processes_that_begin_at_once_lose_nothing(self, path: Path, tmp_path: Path, shelf: Shelf) -> None:
        (tmp_path / "store").mkdir()
        code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.unit.cache.test_catalogue import header_of, key_of
from ipycheckpoint.cache.catalogue import Catalogue
from ipycheckpoint.cache.listing import Listed
store = Path({str(tmp_path)!r}) / "store"
catalogue = Catalogue(Path({str(path)!r}), lambda: [Listed(header_of(int(path.name))) for path in store.iterdir()])
for number in range(int(sys.argv[1]), 80, 4):
    (store / str(number)).touch()
    catalogue.add(Listed(header_of(number)))
    catalogue.hit(key_of(number), 1.0)
"""
        processes = [
            subprocess.Popen([sys.executable, "-W", "error", "-c", code, str(n)], stderr=subprocess.PIPE, text=True)
            for n in range(4)
        ]
        for process in processes:
            assert process.communicate()[1] == ""
        catalogue = Catalogue(path, shelf)
        assert sorted(numbers(catalogue.rows())) == list(range(80))
        assert sum(row.hits for row in catalogue.rows()) == 80
        catalogue.close()
