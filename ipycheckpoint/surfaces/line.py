"""The line under a cell while it is on its way: progress where something takes long, and the last word.

What the user sees of us is one display. A save shows its progress in it, below the output of the cell, and the last
word takes its place. A look-up comes before the output: its progress is gone when the body of the cell begins or the
tape is played, and the last word is shown below, as ever. Where it stayed, the line would stand above the output of
slow cells and below that of quick ones.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from IPython.core.displaypub import DisplayPublisher

from ipycheckpoint.progress import told_to
from ipycheckpoint.surfaces import badge
from ipycheckpoint.surfaces.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipycheckpoint.progress import Progress
    from ipycheckpoint.record.outcome import Outcome


class Line:
    """What is said of one checkpointed cell in `shell`.

    `is_first`: nobody can have shown anything in this cell yet. `is_inner`: the cell is run by another one, and what is
    shown now is that one's output.
    """

    def __init__(
        self, shell: Any, *, is_first: bool = False, is_inner: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shell = shell
        self._is_first = is_first
        self._is_inner = is_inner
        self._clock = clock
        self._display: _Display = (_Terminal if _is_terminal(shell) else _Notebook)(shell)
        self.is_quiet = False
        """Nothing is said."""

    @property
    def is_up(self) -> bool:
        """Whether progress is shown just now."""
        return self._display.is_up

    @contextmanager
    def looking(self) -> Iterator[None]:
        """The block looks the cell up. When it ends, nothing is left of what was said of it."""
        if not self._is_live:
            yield
            return
        others = _Others(self._shell, self._display.id)
        try:
            with self._told("looking at the inputs"):
                yield
        finally:
            others.stop()
            self._display.take_away(is_alone=self._is_first and not others.heard)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """The block keeps what the cell left; `say` has the last word then."""
        if not self._is_live:
            yield
            return
        try:
            with self._told("looking at the results"):
                yield
        except BaseException:
            self._display.take_away()
            raise

    def say(self, outcome: Outcome) -> None:
        """Say what happened."""
        self._display.end(badge.bundle(outcome))

    @property
    def _is_live(self) -> bool:
        # What is shown inside of another cell belongs to that one: %%capture above a checkpoint would capture it.
        return self._display.is_live and not self._is_inner and not self.is_quiet

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        pace = Pace(self._clock)
        shown = ""

        def tell(progress: Progress) -> None:
            nonlocal shown
            if pace.is_due(progress):
                words = badge.progress_in_words(progress, pace.seconds_left(progress))
                if words != shown:
                    shown = words
                    with suppress(Exception):  # what can't be shown must not cost what is kept
                        self._display.show(words)

        with told_to(tell, what):
            yield


class _Others:
    """Notices whether anyone but the display `own` shows something in `shell`, until `stop`."""

    def __init__(self, shell: Any, own: str) -> None:
        self.heard = False
        self._own = own
        self._undo: list[Callable[[], None]] = []
        for owner, name in ((sys.stdout, "write"), (sys.stderr, "write"), (shell.display_pub, "publish")):
            self._listen(owner, name)

    def _listen(self, owner: Any, name: str) -> None:
        original = getattr(owner, name, None)
        if original is None:  # a program without a console has no streams
            return
        earlier = vars(owner).get(name) if hasattr(owner, "__dict__") else None

        def listening(*args: Any, **more: Any) -> Any:
            self.heard |= (more.get("transient") or {}).get("display_id") != self._own
            return original(*args, **more)

        def undo() -> None:
            if vars(owner).get(name) is listening:
                delattr(owner, name)
                if earlier is not None:
                    setattr(owner, name, earlier)

        try:
            setattr(owner, name, listening)
        except AttributeError:  # a stream made in C, without attributes of its own
            self.heard = True
        else:
            self._undo.append(undo)

    def stop(self) -> None:
        while self._undo:
            self._undo.pop()()


class _Display(Protocol):
    """Where the line is shown."""

    id: str
    is_up: bool
    is_live: bool
    """Whether progress can be shown at all."""

    def __init__(self, shell: Any) -> None: ...

    def show(self, words: str) -> None: ...

    def take_away(self, *, is_alone: bool = False) -> None:
        """Leave nothing of what was shown. `is_alone`: nobody has shown anything else in this cell."""
        ...

    def end(self, bundle: dict[str, Any]) -> None: ...


class _Notebook:
    """A front end that can update what it shows, and keeps it in its place."""

    is_live = True

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.id = _new_id()
        self.is_up = False

    def show(self, words: str) -> None:
        self._publish(badge.progress_bundle(words))
        self.is_up = True

    def take_away(self, *, is_alone: bool = False) -> None:
        if not self.is_up:
            return
        with suppress(Exception):
            if is_alone:
                self._shell.display_pub.clear_output()
            else:
                self._publish({})  # what others have shown, or may have, isn't ours to clear; this takes no room
        self.is_up = False
        self.id = _new_id()  # what is shown under the old one from now on would be shown up there, too

    def end(self, bundle: dict[str, Any]) -> None:
        self._publish(bundle)
        self.is_up = False

    def _publish(self, bundle: dict[str, Any]) -> None:
        self._shell.display_pub.publish(bundle, {}, transient={"display_id": self.id}, update=self.is_up)


class _Terminal:
    """A terminal, which can't go back to what it has shown: one line on stderr, written over, then erased."""

    id = ""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.is_live = bool(getattr(sys.stderr, "isatty", bool)())
        self.is_up = False

    def show(self, words: str) -> None:
        columns = shutil.get_terminal_size().columns
        if not self.is_up:
            # The cell may have left a line without an end. A line's worth of blanks leads to a new one from there,
            # and at the beginning of a line it just stays in it.
            sys.stdout.flush()
            sys.stderr.write(" " * columns)
        sys.stderr.write(f"\r\x1b[2K{words[: columns - 1]}")
        sys.stderr.flush()
        self.is_up = True

    def take_away(self, *, is_alone: bool = False) -> None:  # noqa: ARG002 - it erases its own line only
        if self.is_up:
            self.is_up = False
            with suppress(Exception):
                sys.stderr.write("\r\x1b[2K")
                sys.stderr.flush()

    def end(self, bundle: dict[str, Any]) -> None:
        self.take_away()
        self._shell.display_pub.publish(bundle, {})


def _is_terminal(shell: Any) -> bool:
    # IPython's own publisher prints the text. Who can do more has one of its own.
    publish: object = type(shell.display_pub).publish
    return publish is DisplayPublisher.publish


def _new_id() -> str:
    return f"ipycheckpoint-{os.urandom(8).hex()}"
