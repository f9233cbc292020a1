"""What every place of whole files promises. The test class of each implementation inherits it."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipycheckpoint.errors import UsageError
from ipycheckpoint.store.files import Files

NAMES = st.sampled_from(["a", "b/a", "b/c.ckpt", "b/d/e f.ckpt", "é✓", "x=1/50%25/-_+.y", ".hidden", "…", "a b"])
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NAMES, st.binary(max_size=60)), st.tuples(st.just("remove"), NAMES, st.just(b""))
    ),
    max_size=15,
)


def names_in(files: Files) -> list[str]:
    return sorted(entry.name for entry in files.entries())


def content_of(files: Files, name: str) -> bytes | None:
    content = files.read(name)
    return None if content is None else bytes(content.view)


class FilesContract:
    def open(self, path: Path) -> Files:
        """A place of its own for each `path`, where nothing is yet."""
        raise NotImplementedError

    @pytest.fixture
    def files(self, tmp_path: Path) -> Files:
        return self.open(tmp_path / "place")

    def test_what_was_never_written_is_not_there(self, files: Files) -> None:
        assert files.read("a/b") is None
        assert not files.remove("a/b")
        assert names_in(files) == []

    @settings(suppress_health_check=[HealthCheck.differing_executors], max_examples=40)
    @given(actions=ACTIONS)
    def test_it_behaves_like_a_dict(self, actions: list[tuple[str, str, bytes]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            files = self.open(Path(folder) / "place")
            model: dict[str, bytes] = {}
            for action, name, value in actions:
                if action == "write":
                    files.write(name, [value])
                    model[name] = value
                else:
                    assert files.remove(name) == (model.pop(name, None) is not None)
            assert {name: content_of(files, name) for name in model} == model
            assert {entry.name: entry.nbytes for entry in files.entries()} == {n: len(v) for n, v in model.items()}

    @pytest.mark.parametrize("nbytes", [0, 1, 65535, 65536, 65537, 3_000_000])
    def test_bytes_come_back_exactly(self, files: Files, nbytes: int) -> None:
        value = os.urandom(nbytes)
        files.write("a/b.ckpt", [value])
        assert content_of(files, "a/b.ckpt") == value

    def test_chunks_of_any_layout_are_written_one_after_the_other(self, files: Files) -> None:
        grid = np.arange(30_000, dtype="<i4").reshape(100, 300)
        files.write("a", [b"<", memoryview(grid), memoryview(np.empty((0, 3))), memoryview(bytearray(b">"))])
        assert content_of(files, "a") == b"<" + grid.tobytes() + b">"

    def test_no_chunks_are_an_empty_file(self, files: Files) -> None:
        files.write("a", [])
        assert content_of(files, "a") == b""

    @pytest.mark.parametrize("nbytes", [10, 1_000_000])
    def test_what_is_read_is_private_and_writable(self, files: Files, nbytes: int) -> None:
        files.write("a", [b"x" * nbytes])
        first, second = files.read("a"), files.read("a")
        assert first is not None
        assert second is not None
        first.view[:2] = b"!!"
        assert bytes(second.view) == content_of(files, "a") == b"x" * nbytes

    @pytest.mark.parametrize("nbytes", [10, 1_000_000])
    def test_what_was_read_outlives_its_replacement_and_removal(self, files: Files, nbytes: int) -> None:
        files.write("a", [b"1" * nbytes])
        content = files.read("a")
        files.write("a", [b"2" * nbytes])
        files.remove("a")
        assert content is not None
        assert bytes(content.view) == b"1" * nbytes

    def test_a_stamp_changes_with_the_bytes_and_not_without(self, files: Files) -> None:
        files.write("a", [b"1"])
        first, again = files.read("a"), files.read("a")
        files.write("a", [b"2"])
        changed = files.read("a")
        assert first is not None
        assert again is not None
        assert changed is not None
        if first.stamp is not None:
            assert first.stamp == again.stamp
            assert first.stamp != changed.stamp

    def test_a_listing_tells_when_a_file_was_written(self, files: Files) -> None:
        files.write("a/b", [b"1"])
        (entry,) = files.entries()
        assert entry.modified > 1_600_000_000

    @pytest.mark.parametrize(
        "name",
        ["", "/", "/etc/passwd", "a/", "a//b", "..", "../x", "a/../b", ".", "a/./b", "a\0b", ".ipycheckpoint-new-x"],
    )
    def test_a_path_that_leads_out_is_refused_by_every_method(self, files: Files, name: str) -> None:
        for call in [files.read, files.remove, lambda n: files.write(n, [b"1"])]:
            with pytest.raises(UsageError):
                call(name)
        assert names_in(files) == []

    def test_threads_never_see_a_torn_or_missing_file(self, files: Files) -> None:
        values = [bytes([i]) * n for i, n in enumerate([20, 70_000, 40, 200_000])]
        files.write("a", [values[0]])
        done = threading.Event()
        wrong: list[object] = []

        def look() -> None:
            while not done.is_set():
                seen = content_of(files, "a")
                if seen not in values:
                    wrong.append(seen)

        def write() -> None:
            try:
                for i in range(20):
                    files.write("a", [values[i % len(values)]])
            except Exception as error:
                wrong.append(error)

        reader, writers = threading.Thread(target=look), [threading.Thread(target=write) for _ in range(3)]
        for thread in [reader, *writers]:
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        reader.join()
        assert wrong == []
        assert names_in(files) == ["a"]
