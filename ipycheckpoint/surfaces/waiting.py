"""How far it is with what comes from afar, for who waits where nothing else would tell: a bar on stderr."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ipycheckpoint.surfaces.badge import progress_in_words
from ipycheckpoint.surfaces.pace import FIRST_SECONDS, Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipycheckpoint.progress import Progress


@contextmanager
def waiting() -> Iterator[Callable[[Progress], None]]:
    """Shows what it is told, by tqdm where that can be imported, else as a line; it is gone when the block ends."""
    show: _Bar | _Line = _Line() if _tqdm() is None else _Bar()

    def tell(progress: Progress) -> None:
        if progress.total:
            with suppress(Exception):  # what can't be shown must not cost what is loaded
                show.show(progress)

    try:
        yield tell
    finally:
        with suppress(Exception):
            show.close()


def _tqdm() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm


class _Bar:
    def __init__(self) -> None:
        self._bar: Any = None

    def show(self, progress: Progress) -> None:
        if self._bar is None or self._bar.desc.rstrip(": ") != progress.what:
            self.close()
            self._bar = _tqdm()(
                desc=progress.what, total=progress.total, unit="B", unit_scale=True, delay=FIRST_SECONDS, leave=False
            )
        self._bar.update(progress.done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _Line:
    def __init__(self) -> None:
        self._pace = Pace()
        self._width = 0
        is_kernels = type(sys.stderr).__module__.startswith("ipykernel")
        self._is_live = is_kernels or bool(getattr(sys.stderr, "isatty", bool)())

    def show(self, progress: Progress) -> None:
        if self._is_live and self._pace.is_due(progress):
            words = progress_in_words(progress, self._pace.seconds_left(progress))
            self._write(words)

    def close(self) -> None:
        if self._width:
            self._write("")
            sys.stderr.write("\r")

    def _write(self, words: str) -> None:
        sys.stderr.write(f"\r{words:{self._width}}")
        sys.stderr.flush()
        self._width = max(self._width, len(words))
