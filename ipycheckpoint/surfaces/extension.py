"""The extension of one IPython shell: all of its state, and its way in and out."""

from __future__ import annotations

import builtins
import itertools
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipycheckpoint import workspace
from ipycheckpoint.errors import UsageError
from ipycheckpoint.record.outcome import Refused
from ipycheckpoint.surfaces import badge
from ipycheckpoint.surfaces.checkpointed import CheckpointedCell
from ipycheckpoint.surfaces.reading import has_line_magic
from ipycheckpoint.surfaces.transform import MARKER, Marked, MarkerTransformer, show_magic_in_tracebacks, take_off

if TYPE_CHECKING:
    import ast

    from ipycheckpoint.identity.explain import Explanation
    from ipycheckpoint.record.outcome import Outcome


@dataclass
class _Frame:
    """One execution of a cell, as IPython's events announce it. A cell that runs cells has frames inside."""

    info: Any
    cells: list[CheckpointedCell] = field(default_factory=list)


class Extension:
    """Checkpoints in one shell, from ``%load_ext`` to ``%unload_ext``."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._frames: list[_Frame] = []
        self._cells: dict[int, CheckpointedCell] = {}
        self._unsaid: list[Outcome] = []
        self._numbers = itertools.count(1)
        self._listed: set[str] = set()
        self._transformer = MarkerTransformer(self._begin, self._mark)
        self._hook = Hook(self._cells)
        self.quiet = False
        """No line under any cell."""
        self.auto_seconds: float | None = None
        """Where given, every cell is a checkpoint, and kept if it takes that long."""

    def load(self) -> None:
        """Hook into the shell."""
        notebook = self._shell.user_ns.get("__vsc_ipynb_file__")  # set by VS Code
        if notebook:
            workspace.current().notebook = Path(notebook)
        setattr(builtins, MARKER, self._hook)
        self._shell.input_transformers_cleanup.append(take_off)
        self._shell.ast_transformers.append(self._transformer)
        self._shell.events.register("pre_run_cell", self._before_cell)
        self._shell.events.register("post_run_cell", self._after_cell)

    def unload(self) -> None:
        """Leave no trace in the shell."""
        self._shell.events.unregister("pre_run_cell", self._before_cell)
        self._shell.events.unregister("post_run_cell", self._after_cell)
        self._shell.ast_transformers.remove(self._transformer)
        self._shell.input_transformers_cleanup.remove(take_off)
        if getattr(builtins, MARKER, None) is self._hook:
            delattr(builtins, MARKER)

    def _before_cell(self, info: object) -> None:
        self._frames.append(_Frame(info))

    def _mark(self, tree: ast.Module) -> Marked | None:
        """Make a checkpoint of a cell without a magic, where every cell is to be one."""
        if self.auto_seconds is None or not self._frames or self._frames[-1].cells:
            return None
        source = str(getattr(self._frames[-1].info, "raw_cell", ""))
        if source.lstrip().startswith("%%") or has_line_magic(tree):
            return None  # what a magic does is its own affair: `%cd`, `%matplotlib`, `%load_ext`
        return Marked("", source, tree, automatic=True)

    def _begin(self, marked: Marked) -> ast.Module:
        if not self._frames or _is_timing():
            return marked.body  # a silent execution is not announced, so its end would not be either
        number = next(self._numbers)
        least = self.auto_seconds if marked.automatic and self.auto_seconds is not None else 0.0
        cell = self._cells[number] = CheckpointedCell(self._shell, number, least_seconds=least)
        self._frames[-1].cells.append(cell)
        show_magic_in_tracebacks(marked.line)
        return cell.tree(marked)

    def _after_cell(self, result: Any) -> None:
        frame = self._frame_of(getattr(result, "info", None))
        if frame is None:
            return
        while True:
            ended = self._frames.pop()
            self._unsaid += [outcome for cell in ended.cells if (outcome := self._finish(cell)) is not None]
            if ended is frame:
                break
        if not self._frames:
            self._cells.clear()
            # What is shown while a cell runs belongs to it: %%capture above a checkpoint would capture our line.
            for outcome in self._unsaid:
                self._shell.display_pub.publish(badge.bundle(outcome), {})
            self._unsaid.clear()

    def _frame_of(self, info: Any) -> _Frame | None:
        """The execution that ended; an interrupted one is announced with a copy of what it began with."""
        for frame in reversed(self._frames):
            if frame.info is info:
                return frame
        text = getattr(info, "raw_cell", None)
        return next((f for f in reversed(self._frames) if text and getattr(f.info, "raw_cell", None) == text), None)

    def _finish(self, cell: CheckpointedCell) -> Outcome | None:
        outcome = cell.finish()
        if outcome is None:
            return None
        workspace.current().remember(outcome.explanation)
        if cell.options.quiet or self.quiet:
            return None
        if cell.is_automatic and isinstance(outcome, Refused):
            # In a notebook where every cell is a checkpoint, what can't be kept is told once.
            told = outcome.explanation.label in self._listed
            self._listed.add(outcome.explanation.label)
            return None if told else outcome
        return outcome

    def run_cell(self, text: str) -> None:
        """Run `text` as the shell runs a cell, nested in the one that is running."""
        self._shell.run_cell(text)

    def why(self, label: str | None) -> Explanation:
        """The latest Explanation of `label`, or of the last checkpoint."""
        found = workspace.current().explanation(label)
        if found is not None:
            return found
        known = ", ".join(workspace.current().labels())
        if label is None or not known:
            raise UsageError("no checkpoint has run in this kernel yet")
        raise UsageError(f"no checkpoint called {label!r} has run in this kernel; there are: {known}")


def _is_timing() -> bool:
    """Whether we are called by ``%%timeit``, which puts a cell into a function and calls that many times."""
    frame = sys._getframe()
    while (caller := frame.f_back) is not None:
        frame = caller
        if frame.f_code.co_name == "timeit" and frame.f_globals.get("__name__") == "IPython.core.magics.execution":
            return True
    return False


class Hook:
    """What a transformed cell calls. Called as it is, it does nothing: then the cell runs without a checkpoint."""

    def __init__(self, cells: dict[int, CheckpointedCell]) -> None:
        self._cells = cells

    def __call__(self, line: str, source: str) -> None:
        """The marker itself, where nobody transformed it."""

    def ran(self, number: int, value: object = None) -> object:
        """See `CheckpointedCell.ran`. A cell that reloads the extension isn't known any more at its end."""
        cell = self._cells.get(number)
        return value if cell is None else cell.ran(value)

    def apply(self, number: int) -> object:
        """See `CheckpointedCell.apply`."""
        return self._cells[number].apply()

    def fail(self, number: int) -> None:
        """See `CheckpointedCell.fail`."""
        self._cells[number].fail()
