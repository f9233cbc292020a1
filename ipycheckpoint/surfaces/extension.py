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
from ipycheckpoint.surfaces.checkpointed import CheckpointedCell
from ipycheckpoint.surfaces.line import Line
from ipycheckpoint.surfaces.reading import has_line_magic
from ipycheckpoint.surfaces.transform import (
    MAGIC,
    MARKER,
    Marked,
    MarkerTransformer,
    show_magic_in_tracebacks,
    take_off,
    whole_of,
)

if TYPE_CHECKING:
    import ast

    from ipycheckpoint.identity.explain import Explanation
    from ipycheckpoint.record.outcome import Outcome


@dataclass
class _Frame:
    """One execution of a cell, as IPython's events announce it. A cell that runs cells has frames inside."""

    info: Any
    cells: list[CheckpointedCell] = field(default_factory=list)
    trees: int = 0
    """How many trees were transformed; all but the first are run by the code of the cell."""


class Extension:
    """Checkpoints in one shell, from ``%load_ext`` to ``%unload_ext``."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._frames: list[_Frame] = []
        self._cells: dict[int, CheckpointedCell] = {}
        self._unsaid: list[tuple[Line, Outcome]] = []
        self._is_first_cell = True
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
        self._ask_for_the_notebook()
        setattr(builtins, MARKER, self._hook)
        self._shell.input_transformers_cleanup.append(take_off)
        self._transform(True)
        self._shell.events.register("pre_execute", self._before_execution)
        self._shell.events.register("post_execute", self._after_execution)
        self._shell.events.register("pre_run_cell", self._before_cell)
        self._shell.events.register("post_run_cell", self._after_cell)

    def _ask_for_the_notebook(self) -> None:
        notebook = self._shell.user_ns.get("__vsc_ipynb_file__")  # set by VS Code
        if notebook:
            workspace.current().notebook = Path(notebook)

    def unload(self) -> None:
        """Leave no trace in the shell. A cell that does so itself runs on, and isn't kept."""
        for cell in self._cells.values():
            cell.abandon()
        self._shell.events.unregister("pre_execute", self._before_execution)
        self._shell.events.unregister("post_execute", self._after_execution)
        self._shell.events.unregister("pre_run_cell", self._before_cell)
        self._shell.events.unregister("post_run_cell", self._after_cell)
        self._transform(False)
        self._shell.input_transformers_cleanup.remove(take_off)
        if self._cells:
            self._shell.events.register("post_run_cell", self._leave)  # the cell that runs calls the hook at its end
        else:
            self._take_hook_away()

    def _leave(self, result: Any) -> None:
        if not self._frames or self._frames[0].info is getattr(result, "info", None):
            self._shell.events.unregister("post_run_cell", self._leave)
            self._take_hook_away()

    def _take_hook_away(self) -> None:
        if getattr(builtins, MARKER, None) is self._hook:
            delattr(builtins, MARKER)

    def _transform(self, wanted: bool) -> None:
        """Have trees transformed, or not: the shell goes through every node of them where anyone does that."""
        transformers = self._shell.ast_transformers
        if wanted and self._transformer not in transformers:
            transformers.append(self._transformer)
        elif not wanted and self._transformer in transformers:
            transformers.remove(self._transformer)

    def _before_execution(self) -> None:
        self._frames.append(_Frame(None))
        self._transform(True)

    def _before_cell(self, info: object) -> None:
        self._frames[-1].info = info
        if self._is_first_cell:
            # Where a startup file has loaded us, VS Code had not said yet which notebook it is.
            self._is_first_cell = False
            self._ask_for_the_notebook()
        self._transform(self.auto_seconds is not None or MAGIC in str(getattr(info, "raw_cell", "")))

    def _after_execution(self) -> None:
        """The end of a silent execution, as ``ipython notebook.ipynb`` and ``%run`` make them; others are announced."""
        if self._frames and self._frames[-1].info is None:
            self._end(self._frames[-1])

    def _mark(self, tree: ast.Module) -> Marked | None:
        """Make a checkpoint of a cell without a magic, where every cell is to be one."""
        if not self._frames:
            return None
        frame = self._frames[-1]
        frame.trees += 1
        if self.auto_seconds is None or frame.cells:
            return None
        source = str(getattr(frame.info, "raw_cell", ""))
        if source.lstrip().startswith("%%") or has_line_magic(tree):
            return None  # what a magic does is its own affair: `%cd`, `%matplotlib`, `%load_ext`
        return Marked("", source, tree, automatic=True)

    def _begin(self, marked: Marked) -> ast.Module:
        if not self._frames or _is_timing():
            return marked.body  # a silent execution is not announced, so its end would not be either
        frame = self._frames[-1]
        if not marked.automatic:  # the others are counted
            frame.trees += 1
        number = next(self._numbers)
        least = self.auto_seconds if marked.automatic and self.auto_seconds is not None else 0.0
        is_alone = self._shell.events.callbacks["pre_run_cell"] == [self._before_cell]  # autoreload complains in one
        is_inner = len(self._frames) > 1 or bool(frame.cells)
        line = Line(self._shell, is_first=is_alone and frame.trees == 1, is_inner=is_inner)
        line.is_quiet = self.quiet
        cell = self._cells[number] = CheckpointedCell(self._shell, number, line, least_seconds=least)
        frame.cells.append(cell)
        text = show_magic_in_tracebacks(marked.line)
        if self._shell.ast_transformers[:1] == [self._transformer]:  # else others may have changed the tree before
            marked = whole_of(marked, text, self._shell.compile)
        return cell.tree(marked)

    def _after_cell(self, result: Any) -> None:
        frame = self._frame_of(getattr(result, "info", None))
        if frame is not None:
            self._end(frame)

    def _end(self, frame: _Frame) -> None:
        while True:
            ended = self._frames.pop()
            for cell in ended.cells:
                cell.end()
            self._say()
            for cell in ended.cells:
                outcome = self._finish(cell)
                if outcome is not None:
                    self._unsaid.append((cell.line, outcome))
                self._say()
            if ended is frame:
                break
        if not self._frames:
            self._cells.clear()

    def _say(self) -> None:
        """Say what is unsaid, unless a cell runs: what is shown then belongs to it, and %%capture would capture it."""
        while self._unsaid and not self._frames:
            line, outcome = self._unsaid.pop(0)
            line.say(outcome)

    def _frame_of(self, info: Any) -> _Frame | None:
        """The execution that ended; an interrupted one is announced with a copy of what it began with."""
        for frame in reversed(self._frames):
            if frame.info is info:
                return frame
        text = getattr(info, "raw_cell", None)
        return next((f for f in reversed(self._frames) if text and getattr(f.info, "raw_cell", None) == text), None)

    def _finish(self, cell: CheckpointedCell) -> Outcome | None:
        cell.line.is_quiet = cell.options.quiet or self.quiet
        outcome = cell.finish()
        if outcome is None:
            return None
        workspace.current().remember(outcome.explanation)
        if cell.line.is_quiet:
            return None
        if cell.is_automatic and isinstance(outcome, Refused):
            # In a notebook where every cell is a checkpoint, what can't be kept is told once.
            told = outcome.explanation.label in self._listed
            self._listed.add(outcome.explanation.label)
            return None if told and not cell.line.is_up else outcome
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
