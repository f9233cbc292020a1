"""What an IPython shell shows, on its way to the user: recorded on a tape, and played again."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ipycheckpoint.engine.tape import Tape

if TYPE_CHECKING:
    from collections.abc import Callable


class Recording:
    """Records all that `shell` shows from its making until `stop`, while it is shown.

    It listens to the very streams and publishers that are there, so whoever got hold of them before, such as a
    logging handler, is heard as well.
    """

    def __init__(self, shell: Any) -> None:
        self.tape = Tape()
        self._at_the_end = False
        self._undo: list[Callable[[], None]] = []
        self._undo_streams: list[Callable[[], None]] = []
        for name in ("stdout", "stderr"):
            self._listen(name, getattr(sys, name))
        self._undo.append(_watch(shell.display_pub, "publish", before=self._published))
        self._undo.append(_watch(shell.display_pub, "clear_output", before=self._cleared))
        self._undo.append(_watch(shell.displayhook, "compute_format_data", after=self._formatted))

    def _listen(self, name: str, stream: Any) -> None:
        self._undo_streams.append(_watch(stream, "write", before=lambda text: self.tape.stream(name, text)))

    def _published(
        self, data: dict[str, Any], metadata: dict[str, Any] | None = None, *_: Any, update: bool = False, **more: Any
    ) -> None:
        self.tape.display(dict(data), dict(metadata or {}), dict(more.get("transient") or {}), update=update)

    def _cleared(self, wait: bool = False) -> None:
        self.tape.clear(wait=wait)

    def _formatted(self, formatted: tuple[dict[str, Any], dict[str, Any]]) -> None:
        data, metadata = formatted
        if self._at_the_end:
            self.tape.result = {"data": dict(data), "metadata": dict(metadata)}
        else:
            # Of a nested cell, or of an expression in the middle where the shell shows those, too.
            self.tape.display(dict(data), dict(metadata), {}, update=False)

    def reach_the_end(self) -> None:
        """The last expression has its value; what is written from here on is the shell's (``Out[3]:``)."""
        self._at_the_end = True
        _undo_all(self._undo_streams)

    def stop(self) -> Tape:
        """Leave the shell as it was; returns the tape."""
        _undo_all(self._undo_streams)
        _undo_all(self._undo)
        return self.tape


def _watch(
    owner: Any, name: str, *, before: Callable[..., None] | None = None, after: Callable[[Any], None] | None = None
) -> Callable[[], None]:
    """Hear of each call of a method: of its arguments `before`, of its result `after`. Returns what undoes this."""
    original = getattr(owner, name)
    own = name in getattr(owner, "__dict__", {})

    def watched(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            before(*args, **kwargs)
        result = original(*args, **kwargs)
        if after is not None:
            after(result)
        return result

    try:
        setattr(owner, name, watched)
    except AttributeError:  # a stream made in C, without attributes of its own
        return lambda: None

    def undo() -> None:
        if vars(owner).get(name) is watched:
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)

    return undo


def _undo_all(undo: list[Callable[[], None]]) -> None:
    while undo:
        undo.pop()()


class ShellScreen:
    """Plays tapes on `shell`."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def stream(self, name: str, text: str) -> None:
        """Write to stdout or stderr."""
        stream = getattr(sys, name)
        stream.write(text)
        with suppress(Exception):  # flushing is a courtesy
            stream.flush()

    def display(
        self, data: dict[str, Any], metadata: dict[str, Any], transient: dict[str, Any], *, update: bool
    ) -> None:
        """Show a bundle, or update one that was shown before."""
        self._shell.display_pub.publish(data, metadata, transient=transient, update=update)

    def clear(self, *, wait: bool) -> None:
        """Clear what was shown so far."""
        self._shell.display_pub.clear_output(wait=wait)

    def format_next_result_as(self, result: dict[str, Any]) -> Callable[[], None]:
        """Let the value that is shown next look as it was recorded; returns what undoes this."""
        hook = self._shell.displayhook

        def recorded(_: object) -> tuple[dict[str, Any], dict[str, Any]]:
            undo()
            return dict(result["data"]), dict(result["metadata"])

        def undo() -> None:
            if vars(hook).get("compute_format_data") is recorded:
                del hook.compute_format_data

        hook.compute_format_data = recorded
        return undo
