"""What is written past Python, to the descriptors of stdout and stderr: heard, and shown as it would be.

A kernel reads its descriptors in a thread and hands on what comes to its streams, so that is heard there, once that
thread has come to the end (`Drain`). In a terminal nobody reads them, but for the time of a ``!command`` we do.
"""

from __future__ import annotations

import codecs
import os
import select
import stat
import sys
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DESCRIPTORS = {"stdout": 1, "stderr": 2}

_MARK = "\x1b[0m\x1b[00m\x1b[000m"
"""Written behind all else, so that whoever reads it has read that as well. A terminal shows nothing of it."""

_PATIENCE_SECONDS = 2.0


class _Marked:
    """Text with a mark somewhere in it, which may come in parts."""

    def __init__(self) -> None:
        self.is_found = False
        self._is_read = threading.Event()
        self._rest = ""

    def without(self, text: str) -> str:
        """The text without the mark; what may be a part of it is held back until the next one."""
        if self.is_found:
            return text
        text, self._rest = self._rest + text, ""
        before, mark, behind = text.partition(_MARK)
        if mark:
            self.is_found = True
            return before + behind
        for length in range(min(len(_MARK) - 1, len(text)), 0, -1):
            if _MARK.startswith(text[-length:]):
                self._rest = text[-length:]
                return text[:-length]
        return text

    def handed_on(self) -> None:
        """What `without` returned has been heard and shown."""
        if self.is_found:
            self._is_read.set()

    def write(self, descriptor: int) -> bool:
        """Write the mark; returns whether it, and so what was written before it, has been handed on."""
        with suppress(OSError):
            os.write(descriptor, _MARK.encode())
            return self._is_read.wait(_PATIENCE_SECONDS)
        return False


class Drain:
    """Waits for what a kernel has not read yet of its descriptors, such as the last lines of a command."""

    def __init__(self) -> None:
        self.is_marked = False
        """Something may be on its way that the user is not to see."""
        self._readers: dict[str, _Reader] = {}
        for name, descriptor in _DESCRIPTORS.items():
            thread = getattr(getattr(sys, name), "watch_fd_thread", None)
            if thread is not None and thread.is_alive() and (pipe := _pipe(descriptor)) is not None:
                self._readers[name] = _Reader(thread, descriptor, pipe)

    def wait(self) -> None:
        """Return when all that has been written so far has been handed on."""
        for reader in self._readers.values():
            with suppress(OSError):  # the cell has closed it
                if reader.has_news():
                    self.is_marked = True
                    reader.wait()

    def caught(self, name: str, text: Any) -> Any:
        """What the user is to see of a text that is on its way to a stream."""
        reader = self._readers.get(name)
        if reader is None or reader.mark is None or not isinstance(text, str):
            return text
        return reader.mark.without(text)

    def handed_on(self, name: str) -> None:
        """What `caught` returned has been heard and shown."""
        reader = self._readers.get(name)
        if reader is not None and reader.mark is not None:
            reader.mark.handed_on()


class _Reader:
    """A kernel's thread that reads one of its descriptors."""

    def __init__(self, thread: threading.Thread, descriptor: int, pipe: tuple[int, int]) -> None:
        self._thread = thread
        self._descriptor = descriptor
        self._pipe = pipe
        self._clock = _clock_of(thread)
        self._ran = self._clock()
        self.mark: _Marked | None = None

    def has_news(self) -> bool:
        """Whether somebody may have written what it hasn't handed on."""
        if _is_waiting(self._descriptor):
            return self._thread not in _stuck
        # Asked in this order: what no longer waits has made the thread run. A kernel may log what comes here, so
        # there is no mark without need.
        now = self._clock()
        return now is None or now != self._ran

    def wait(self) -> None:
        """Return when it has handed on what has been written so far, or clearly won't."""
        if _pipe(self._descriptor) != self._pipe:  # the cell has put something in its place
            return
        self.mark = _Marked()
        if _has_room(self._descriptor) and self.mark.write(self._descriptor):
            _stuck.discard(self._thread)
        else:
            _stuck.add(self._thread)


_stuck: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
"""Those that can't hand on what they read, since nobody reads what the kernel logs. They aren't waited for again."""


def _clock_of(thread: threading.Thread) -> Callable[[], int | None]:
    """What tells for how long a thread has run, in nanoseconds; None where nobody knows, as on macOS."""
    if thread.ident is None or not hasattr(time, "pthread_getcpuclockid"):
        return lambda: None
    return partial(time.clock_gettime_ns, time.pthread_getcpuclockid(thread.ident))


def _has_room(descriptor: int) -> bool:
    """Whether a pipe takes a few bytes at once; a write to a full one may wait for ever."""
    return bool(select.select([], [descriptor], [], _PATIENCE_SECONDS)[1])


def _is_waiting(descriptor: int) -> bool:
    """Whether a pipe holds what nobody has read."""
    import fcntl
    import termios

    try:
        return fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4) != b"\0" * 4
    except OSError:
        return False


def _pipe(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISFIFO(status.st_mode) else None


def goes_to_the_terminal(system: Callable[..., Any] | None) -> bool:
    """Whether `system`, a shell's ``!command``, lets the command write to our own descriptors."""
    return getattr(system, "__name__", "") == "system_raw" and os.name == "posix"


def writes_to_ours(*args: Any, **kwargs: Any) -> bool:
    """Whether a process that `subprocess.Popen` starts with these arguments writes to our own descriptors."""
    given = dict(zip(("args", "bufsize", "executable", "stdin", "stdout", "stderr"), args, strict=False)) | kwargs
    return given.get("stdout") is None or given.get("stderr") is None


def ended_children() -> object:
    """What changes when a child process has ended."""
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN)


def command_name(args: Any) -> str:
    """What a process goes by: the name of its program.

    >>> command_name(["/bin/ls", "-l"]), command_name("make all")
    ('ls', 'make')
    """
    words = args.split() if isinstance(args, str) else [args] if isinstance(args, (bytes, os.PathLike)) else list(args)
    return os.path.basename(os.fsdecode(words[0])) if words else ""


@contextmanager
def overheard(hear: Callable[[str, str], None]) -> Iterator[None]:
    """Tell `hear` the stream and the text of all that is written to the descriptors inside, while it is shown."""
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    taps: list[_Tap] = []
    try:
        try:
            # What goes to one terminal must stay in order.
            together = os.path.sameopenfile(1, 2) and os.isatty(1)
            taps.append(_Tap("stdout", (1, 2) if together else (1,), hear))
            if not together:
                taps.append(_Tap("stderr", (2,), hear))
        except OSError:  # there is nothing to write to, or no terminal to be had: then nothing is heard
            pass
        yield
    finally:
        for tap in taps:
            tap.close()


class _Tap:
    """A pipe, or a terminal where there was one, in the place of descriptors, and a thread that hands on what comes."""

    def __init__(self, name: str, descriptors: tuple[int, ...], hear: Callable[[str, str], None]) -> None:
        self._name = name
        self._hear = hear
        self._descriptors = descriptors
        self._mark = _Marked()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._reading, self._writing = _like_terminal(descriptors[0]) if os.isatty(descriptors[0]) else os.pipe()
        self._shown = os.dup(descriptors[0])
        self._saved = [os.dup(descriptor) for descriptor in descriptors]
        for descriptor in descriptors:
            os.dup2(self._writing, descriptor)
        threading.Thread(target=self._hand_on, daemon=True, name="ipycheckpoint-tap").start()

    def close(self) -> None:
        """Put the descriptors back. What a command in the background writes later is still shown."""
        for descriptor, saved in zip(self._descriptors, self._saved, strict=True):
            os.dup2(saved, descriptor)
            os.close(saved)
        self._mark.write(self._writing)
        os.close(self._writing)

    def _hand_on(self) -> None:
        with suppress(OSError):  # a terminal that nobody writes to any more is an error
            while data := os.read(self._reading, 1 << 16):
                is_over = self._mark.is_found
                text = self._mark.without(self._decoder.decode(data))
                _write_all(self._shown, data if is_over else text.encode("utf-8", "surrogateescape"))
                if text and not is_over:
                    self._hear(self._name, text)
                self._mark.handed_on()
        os.close(self._reading)
        os.close(self._shown)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _like_terminal(descriptor: int) -> tuple[int, int]:
    """The two ends of a terminal as large as the one at `descriptor`, which leaves line ends to that one."""
    import fcntl
    import pty
    import termios

    reading, writing = pty.openpty()
    attributes = termios.tcgetattr(writing)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(writing, termios.TCSANOW, attributes)
    with suppress(OSError):
        fcntl.ioctl(writing, termios.TIOCSWINSZ, fcntl.ioctl(descriptor, termios.TIOCGWINSZ, b"\0" * 8))
    return reading, writing
