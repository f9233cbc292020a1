"""What an IPython shell shows, on its way to the user: recorded on a tape, and played again."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ipycheckpoint.engine.tape import Tape

if TYPE_CHECKING:
    from collections.abc import Callable


class Recording:
    """Records all that `shell` shows from its making until `stop`, while it is shown."""

    def __init__(self, shell: Any) -> None:
        self.tape = Tape()
        self._shell = shell
        self._undo: list[Callable[[], None]] = []
        self._undo_streams = [self._tee(name) for name in ("stdout", "stderr")]
        self._watch(shell.display_pub, "publish", self._published)
        self._watch(shell.display_pub, "clear_output", self._cleared)
        self._watch(shell.displayhook, "compute_format_data", self._formatted, after=True)

    def _tee(self, name: str) -> Callable[[], None]:
        stream = getattr(sys, name)
        tee = _Tee(stream, lambda text: self.tape.stream(name, text))
        setattr(sys, name, tee)

        def undo() -> None:
            if getattr(sys, name) is tee:  # unless the cell put another stream there
                setattr(sys, name, stream)
            tee.stop()

        return undo

    def _watch(self, owner: Any, name: str, record: Callable[..., None], *, after: bool = False) -> None:
        original = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            if after:
                result = original(*args, **kwargs)
                record(result)
                return result
            record(*args, **kwargs)
            return original(*args, **kwargs)

        own = name in vars(owner)
        setattr(owner, name, watched)

        def undo() -> None:
            if vars(owner).get(name) is watched:
                if own:
                    setattr(owner, name, original)
                else:
                    delattr(owner, name)

        self._undo.append(undo)

    def _published(
        self, data: dict[str, Any], metadata: dict[str, Any] | None = None, *_: Any, update: bool = False, **more: Any
    ) -> None:
        self.tape.display(dict(data), dict(metadata or {}), dict(more.get("transient") or {}), update=update)

    def _cleared(self, wait: bool = False) -> None:
        self.tape.clear(wait=wait)

    def _formatted(self, formatted: tuple[dict[str, Any], dict[str, Any]]) -> None:
        data, metadata = formatted
        self.tape.result = {"data": dict(data), "metadata": dict(metadata)}

    def stop_streams(self) -> None:
        """Leave stdout and stderr as they were."""
        while self._undo_streams:
            self._undo_streams.pop()()

    def stop(self) -> Tape:
        """Leave the shell as it was; returns the tape."""
        self.stop_streams()
        while self._undo:
            self._undo.pop()()
        return self.tape


class _Tee:
    """A text stream that says what is written to it, and is the stream in everything else."""

    def __init__(self, stream: Any, record: Callable[[str], None]) -> None:
        self._stream = stream
        self._record: Callable[[str], None] | None = record

    def write(self, text: str) -> Any:
        if self._record is not None:
            self._record(text)
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def stop(self) -> None:
        # Whoever took hold of this object while the cell ran writes on to the stream itself.
        self._record = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Any:
        return iter(self._stream)


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

    def display(self, data: dict[str, Any], metadata: dict[str, Any], transient: dict[str, Any], *, update: bool) -> None:
        """Show a bundle, or update one that was shown before."""
        self._shell.display_pub.publish(data, metadata, transient=transient, update=update)

    def clear(self, *, wait: bool) -> None:
        """Clear what was shown so far."""
        self._shell.display_pub.clear_output(wait=wait)

    def format_next_result_as(self, result: dict[str, Any]) -> Callable[[], None]:
        """Let the value that is shown next look as it was recorded; returns what undoes this."""
        hook = self._shell.displayhook

        def recorded(value: object) -> tuple[dict[str, Any], dict[str, Any]]:
            undo()
            return dict(result["data"]), dict(result["metadata"])

        def undo() -> None:
            if vars(hook).get("compute_format_data") is recorded:
                del hook.compute_format_data

        hook.compute_format_data = recorded
        return undo
