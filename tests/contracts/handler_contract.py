"""What a handler that can prepare must do, and replace what it saved before. Each of ours inherits these tests."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ipycheckpoint.errors import CannotKeep

NOT_WRITABLE = {"x": 1, "lock": threading.Lock()}


class HandlerContract:
    """Inherit it, and provide `handler` and `seen`."""

    @pytest.fixture
    def handler(self) -> Any:
        """The handler under test, with nothing saved."""
        raise NotImplementedError

    def seen(self, handler: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, object]]:
        """The values that it has, by name and tags."""
        raise NotImplementedError

    def test_what_is_saved_is_there(self, handler: Any) -> None:
        handler.save("Pkg.foo", (("k", "v"),), {"x": [1], "y": "text"})
        assert self.seen(handler) == {("Pkg.foo", (("k", "v"),)): {"x": [1], "y": "text"}}

    def test_a_later_save_takes_the_place_of_an_earlier_one(self, handler: Any) -> None:
        handler.save("Pkg.foo", (), {"x": 1, "y": 1})
        handler.save("Pkg.foo", (), {"x": 2})
        assert self.seen(handler) == {("Pkg.foo", ()): {"x": 2}}

    def test_names_and_tags_are_kept_apart(self, handler: Any) -> None:
        keys = [
            ("Pkg.foo", ()),
            ("Pkg.foo", (("k", "v"),)),
            ("Pkg.foo", (("k", "v"), ("k", "v"))),
            ("Pkg.foo", (("k/v", "../.."),)),
            ("k=v.Pkg.foo", ()),
            ("Pkg./foo", ()),
            ("Pkg.f ö ✨", (("é", ""),)),
        ]
        for number, (name, tags) in enumerate(keys):
            handler.save(name, tags, {"number": number})
        assert self.seen(handler) == {key: {"number": number} for number, key in enumerate(keys)}

    def test_values_may_change_when_save_has_returned(self, handler: Any) -> None:
        values = [1]
        handler.save("foo", (), {"x": values})
        values.append(2)
        assert self.seen(handler) == {("foo", ()): {"x": [1]}}

    def test_what_is_prepared_is_seen_when_it_is_committed(self, handler: Any) -> None:
        pending = handler.prepare("foo", (), {"x": 1})
        assert self.seen(handler) == {}
        pending.commit()
        pending.discard()
        assert self.seen(handler) == {("foo", ()): {"x": 1}}

    def test_what_is_discarded_leaves_what_was_there(self, handler: Any) -> None:
        handler.save("foo", (), {"x": 1})
        handler.prepare("foo", (), {"x": 2}).discard()
        assert self.seen(handler) == {("foo", ()): {"x": 1}}

    @pytest.mark.parametrize("method", ["save", "prepare"])
    def test_what_cannot_be_saved_is_named_and_leaves_what_was_there(self, handler: Any, method: str) -> None:
        handler.save("foo", (), {"x": 1})
        with pytest.raises(CannotKeep, match="`lock`"):
            getattr(handler, method)("foo", (), NOT_WRITABLE)
        assert self.seen(handler) == {("foo", ()): {"x": 1}}

    def test_threads_may_save_at_once(self, handler: Any) -> None:
        barrier = threading.Barrier(4)

        def save(number: int) -> None:
            barrier.wait(30)
            for _ in range(5):
                handler.save("foo", (("thread", str(number)),), {"x": number})
                handler.save("shared", (), {"x": number, "y": number})

        threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen = self.seen(handler)
        shared = seen.pop(("shared", ()))
        assert shared["x"] == shared["y"]
        assert seen == {("foo", (("thread", str(number)),)): {"x": number} for number in range(4)}
