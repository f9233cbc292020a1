"""What an IPython shell shows, on its way to the user: recorded on a tape, and played again."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ipycheckpoint.engine.recorder import Recorder
from ipycheckpoint.engine.tape import Tape
from ipycheckpoint.surfaces.captures import Captures
from ipycheckpoint.surfaces.descriptors import (
    Drain,
    command_name,
    ended_children,
    goes_to_the_terminal,
    overheard,
    writes_to_ours,
)
from ipycheckpoint.surfaces.faces import static
from ipycheckpoint.surfaces.wrapping import replace, undo_all, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Recording:
    """Records all that `shell` shows from its making until `stop`, while it is shown.

    It listens to the very streams and publishers that are there, so whoever got hold of them before, such as a
    logging handler, is heard as well.
    """

    def __init__(self, shell: Any) -> None:
        self._recorder = Recorder()
        self._captures = Captures()
        self._drain = Drain()
        self._forks, self._made = _Forks.count, _Forks.made
        self._child_wrote = mmap.mmap(-1, 1)
        """A byte that forked processes share."""
        self._at_the_end = False
        self._owed_clear: Callable[[], None] | None = None
        self._own = _Own()
        self._notes: dict[str, None] = {}
        self._undo: list[Callable[[], None]] = []
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if hasattr(stream, "write"):
                self._undo.append(replace(stream, "write", self._heard(name, stream.write)))
        self._wrap(shell.display_pub, "publish", self._published)
        self._wrap(shell.display_pub, "clear_output", self._cleared)
        hook = shell.displayhook
        self._wrap(hook, "start_displayhook", partial(self._shell_writes, True))
        self._wrap(hook, "finish_displayhook", partial(self._shell_writes, False))
        self._wrap(hook, "compute_format_data", self._formatted)
        self._wrap(shell, "_showtraceback", self._failed)
        self._wrap(shell, "system", self._called_system)
        self._overhears = False
        self._ended_children: object = None
        """Those of before, in a terminal, until one is started in a way that we know."""
        if goes_to_the_terminal(getattr(shell, "system", None)):
            self._ended_children = ended_children()
            self._wrap(subprocess.Popen, "__init__", self._started)

    def _wrap(self, owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
        if hasattr(owner, name):
            self._undo.append(wrap(owner, name, wrapper))

    def _hear(self, event: str, *args: Any, **kwargs: Any) -> None:
        """Write down what was shown. It has been shown already, so nothing may go wrong any more."""
        if self._forks != _Forks.count:
            self._child_wrote[0] = 1  # nobody plays the tape of a fork
            return
        try:
            getattr(self._captures.current() or self._recorder, event)(*args, **kwargs)
        except Exception as problem:  # noqa: BLE001 - it must not cost the user the run
            self._not_heard(problem)

    def _not_heard(self, problem: Exception) -> None:
        self._notes[f"something that it showed could not be kept ({type(problem).__name__}: {problem})"] = None

    def _heard(self, name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        """A stream's `write`, heard. A line that is printed passes here twice, so each step counts."""
        own, drain, captures, stream = self._own, self._drain, self._captures, self._recorder.stream

        def written(text: Any, *more: Any, **named: Any) -> Any:
            if drain.is_marked:
                text = drain.caught(name, text)
            if self._owed_clear is not None and text != "":
                self._pay_clear()
            result = write(text, *more, **named) if more or named else write(text)
            if (own.is_formatting if self._at_the_end else not own.is_writing) and isinstance(text, str):
                if self._forks == _Forks.count and captures.are_idle():
                    try:
                        stream(name, text)
                    except Exception as problem:  # noqa: BLE001 - as below
                        self._not_heard(problem)
                else:
                    self._hear("stream", name, text)
            if drain.is_marked:
                drain.handed_on(name)
            return result

        return written

    def _published(self, publish: Callable[..., Any], data: Any, metadata: Any = None, *args: Any, **more: Any) -> Any:
        self._pay_clear()
        with self._own.writing():  # a terminal's publisher prints
            published = publish(data, metadata, *args, **more)
        self._hear("display", data, metadata or {}, more.get("transient") or {}, update=bool(more.get("update")))
        return published

    def _cleared(self, clear: Callable[..., Any], wait: bool = False) -> None:
        is_ours = self._captures.current() is None
        if is_ours:
            # Held back until something is shown, which is what waiting means. Else our line under the cell would
            # be that something, and clear away the last picture of an animation.
            self._owed_clear = partial(clear, wait=True) if wait else None
        if not is_ours or not wait:
            with self._own.writing():
                clear(wait)
        self._hear("clear", wait=wait)

    def _pay_clear(self) -> None:
        if self._owed_clear is not None and self._captures.current() is None:
            clear, self._owed_clear = self._owed_clear, None
            with self._own.writing():
                clear()

    def _shell_writes(self, starts: bool, original: Callable[[], Any]) -> Any:
        if starts:
            self._pay_clear()
            self._own.is_writing += 1
            return original()
        try:
            return original()
        finally:
            self._own.is_writing = 0

    def _formatted(self, formatted: Callable[..., Any], value: object) -> Any:
        self._pay_clear()
        with self._own.formatting():  # what a `repr` prints is the user's again
            data, metadata = formatted(value)
        if self._at_the_end:
            self._hear("last_result", data, metadata)  # without data, where it has displayed itself
        elif data:  # of a nested cell, or in the middle where the shell shows those, too
            self._hear("result", data, metadata)
        return data, metadata

    def _failed(self, show: Callable[..., Any], kind: type, value: object, traceback: list[str]) -> Any:
        self._pay_clear()
        if self._own.counts(self._at_the_end):
            self._hear("error", kind.__name__, str(value), list(traceback))
        with self._own.writing():
            return show(kind, value, traceback)

    def _called_system(self, system: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._pay_clear()
        if not goes_to_the_terminal(system):
            return system(*args, **kwargs)
        self._ended_children = None
        with overheard(partial(self._hear, "stream")):
            self._overhears = True
            try:
                return system(*args, **kwargs)
            finally:
                self._overhears = False

    def _started(self, start: Callable[..., None], process: Any, *args: Any, **kwargs: Any) -> None:
        start(process, *args, **kwargs)
        self._ended_children = None
        if not self._overhears and writes_to_ours(*args, **kwargs):
            self._notes[f"what the command {command_name(process.args)} wrote to the terminal is not kept"] = None

    def reach_the_end(self) -> None:
        """The last expression has its value; what is written from here on is the shell's (``Out[3]:``)."""
        self._drain.wait()
        self._at_the_end = True

    def stop(self) -> Tape:
        """Leave the shell as it was; returns the tape."""
        undo_all(self._undo)
        self._captures.stop()
        try:
            tape = self._recorder.tape(lambda data: static(data, self._captures.of))
        except Exception as problem:  # noqa: BLE001 - the variables can be kept all the same
            tape = Tape(notes=(f"what it showed could not be kept ({type(problem).__name__}: {problem})",))
        if self._ended_children not in (None, ended_children()) and self._made == _Forks.made:
            self._notes["what a command of os.system wrote to the terminal is not kept"] = None
        if self._child_wrote[0]:
            self._notes["what its child processes printed is not kept"] = None
        tape.notes += (*self._captures.notes(), *self._notes)
        return tape


class _Forks:
    """Those that made this process, and those that it made. To ask for its number at every write would take longer."""

    count = 0
    made = 0

    @classmethod
    def in_child(cls) -> None:
        cls.count += 1

    @classmethod
    def in_parent(cls) -> None:
        cls.made += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Forks.in_child, after_in_parent=_Forks.in_parent)


class _Own(threading.local):
    """What a thread writes just now that isn't the user's: the shell shows a result, or prints what it publishes."""

    is_writing = 0
    is_formatting = False

    def counts(self, at_the_end: bool) -> bool:
        """Whether a write is the user's: after the end of the cell, only what formatting its value prints."""
        return self.is_formatting if at_the_end else not self.is_writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Writes inside are the shell's."""
        self.is_writing += 1
        is_formatting, self.is_formatting = self.is_formatting, False
        try:
            yield
        finally:
            self.is_writing = max(self.is_writing - 1, 0)
            self.is_formatting = is_formatting

    @contextmanager
    def formatting(self) -> Iterator[None]:
        """Writes inside are the user's."""
        is_writing, self.is_writing = self.is_writing, 0
        self.is_formatting = True
        try:
            yield
        finally:
            self.is_writing, self.is_formatting = is_writing, False


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

    def result(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Show a bundle as the value of an expression."""
        hook = self._shell.displayhook
        hook.start_displayhook()
        hook.write_output_prompt()
        hook.write_format_data(data, metadata)
        hook.finish_displayhook()

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """Show a traceback."""
        self._shell._showtraceback(type(name, (Exception,), {}), value, traceback)

    def format_next_result_as(self, result: dict[str, Any]) -> Callable[[], None]:
        """Let the value that is shown next look as it was recorded; returns what undoes this."""

        def recorded(*_: object, **__: object) -> tuple[dict[str, Any], dict[str, Any]]:
            undo()
            return dict(result["data"]), dict(result["metadata"])

        # Below the hook that shows it, so that a recording around us hears of it.
        undo = wrap(self._shell.display_formatter, "format", recorded)
        return undo
