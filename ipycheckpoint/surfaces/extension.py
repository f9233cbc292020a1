"""The extension of one IPython shell: all of its state, and its way in and out."""

from __future__ import annotations

import ast
import builtins
import io
import itertools
import re
import tokenize
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError as ShellUsageError

from ipycheckpoint import workspace
from ipycheckpoint.engine.call import Terms
from ipycheckpoint.engine.cell import Cell, CellHit, CellRun, look_up_cell
from ipycheckpoint.engine.sources import pinned, watched
from ipycheckpoint.errors import CheckpointWarning, Unidentifiable, UsageError
from ipycheckpoint.identity.cells import identify_cell
from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.identity.names import of_cell
from ipycheckpoint.identity.work import tag_ingredients
from ipycheckpoint.record.outcome import Refused
from ipycheckpoint.surfaces import badge
from ipycheckpoint.surfaces.options import CellOptions, parse_options
from ipycheckpoint.surfaces.screen import Recording, ShellScreen
from ipycheckpoint.surfaces.transform import (
    MARKER,
    MarkerTransformer,
    mark_the_end,
    only_call,
    show_magic_in_tracebacks,
    take_off,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.identity.names import CellForm
    from ipycheckpoint.record.outcome import Outcome
    from ipycheckpoint.surfaces.transform import Marked

_SHELLS_OWN = re.compile(r"_+|_\d+|_i\d*|_ii|_iii|_ih|_oh|_dh|In|Out|_exit_code|__\w+__|__vsc_ipynb_file__")


@dataclass
class _Running:
    """One checkpointed cell between its transformation and the end of its execution."""

    options: CellOptions
    run: CellRun | None = None
    hit: CellHit | None = None
    error: BaseException | None = None
    recording: Recording | None = None
    reached_end: bool = False
    shown: object = None
    outcome: Outcome | None = None
    undo: Callable[[], None] | None = None


@dataclass
class _Frame:
    """One execution of a cell, as IPython's events announce it. A cell that runs cells has frames inside."""

    info: object
    running: list[_Running] = field(default_factory=list)


class Extension:
    """Checkpoints in one shell, from ``%load_ext`` to ``%unload_ext``."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._frames: list[_Frame] = []
        self._running: dict[int, _Running] = {}
        self._numbers = itertools.count(1)
        self._transformer = MarkerTransformer(self._begin)
        self.quiet = False
        """No line under any cell."""

    def load(self) -> None:
        """Hook into the shell."""
        notebook = self._shell.user_ns.get("__vsc_ipynb_file__")  # set by VS Code
        if notebook:
            workspace.current().notebook = Path(notebook)
        setattr(builtins, MARKER, Hook(self))
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
        if hasattr(builtins, MARKER):
            delattr(builtins, MARKER)

    # --- what the transformed cell calls, through the hook ---

    def ran(self, number: int, value: object) -> object:
        """The last expression of a cell has been evaluated to `value`."""
        running = self._running[number]
        running.reached_end, running.shown = True, value
        if running.run is not None:
            running.run.ran()
        if running.recording is not None:
            # What is written from here on is the shell's: a terminal's `Out[3]:`, what %%time tells.
            running.recording.stop_streams()
        return value

    def apply(self, number: int) -> object:
        """Restore a cell; returns the value of its last expression."""
        running = self._running[number]
        assert running.hit is not None
        tape, screen = running.hit.tape, ShellScreen(self._shell)
        tape.play(screen)
        running.outcome = outcome = running.hit.apply()
        if tape.result is not None:
            if outcome.value is not None:
                running.undo = screen.format_next_result_as(tape.result)
            else:
                screen.display(tape.result["data"], tape.result["metadata"], {}, update=False)
        return outcome.value

    def fail(self, number: int) -> None:
        """Raise what stood in the way of the cell."""
        error = self._running[number].error
        assert error is not None
        raise error

    # --- before and after ---

    def _before_cell(self, info: object) -> None:
        self._frames.append(_Frame(info))

    def _begin(self, marked: Marked) -> ast.Module:
        if not self._frames:
            return marked.body  # a silent execution: nothing is announced, so its end would not be either
        number = next(self._numbers)
        running = self._running[number] = _Running(CellOptions())
        self._frames[-1].running.append(running)
        show_magic_in_tracebacks(marked.line)
        try:
            return self._tree(marked, number, running)
        except UsageError as problem:
            running.error = ShellUsageError(str(problem))
        except KeyboardInterrupt as interrupt:  # nothing has been touched: the cell ends as any interrupted one
            running.error = interrupt
        except Exception as problem:  # noqa: BLE001 - a fault of ours must not cost the user the run
            warnings.warn(
                f"%%checkpoint failed, so the cell just runs: {type(problem).__name__}: {problem}", CheckpointWarning, stacklevel=2
            )
            running.run = running.hit = None
            return marked.body
        return only_call("fail", number)

    def _tree(self, marked: Marked, number: int, running: _Running) -> ast.Module:
        running.options = options = parse_options(marked.line)
        if marked.source.lstrip().startswith("%%"):
            magic = marked.source.split()[0]
            raise UsageError(f"{magic} can't be inside of %%checkpoint: put it above, where it works, or in a cell of its own")
        here = workspace.current()
        mode = "refresh" if options.rerun else here.mode
        if mode == "off":
            return marked.body
        form = of_cell(marked.body, "\n" + marked.source, quiet=_is_quiet(marked.source))
        label = options.name or _label_of(form, marked.source)
        tags = workspace.current_tags() + options.tags
        terms = Terms(mode, tags, options.expires_seconds, _warn)
        try:
            cell = self._cell(form, marked.source, label, options, tags)
        except Unidentifiable as problem:
            running.outcome = Refused(None, Explanation("refused", label, str(problem)), 0.0, problem)
            return marked.body
        cache = here.cache()
        found = look_up_cell(cache, cell, terms)
        if isinstance(found, CellHit):
            running.hit = found
            return only_call("apply", number)
        running.run = CellRun(cache, cell, terms, found)
        running.recording = Recording(self._shell)
        interactivity = getattr(self._shell, "ast_node_interactivity", "last_expr")
        return mark_the_end(marked.body, number, shows_assignments=interactivity == "last_expr_or_assign")

    def _cell(
        self, form: CellForm, source: str, label: str, options: CellOptions, tags: tuple[tuple[str, str], ...]
    ) -> Cell:
        namespace = self._shell.user_ns
        work = identify_cell(
            form,
            source,
            namespace,
            label,
            inputs=options.inputs,
            extra=[*tag_ingredients(tags), *watched(options.watch), *pinned(options.pin)],
            users_names=[name for name in namespace if self._is_users_name(name)] if form.dynamic else (),
        )
        outputs = None if options.outputs is None else frozenset(options.outputs)
        return Cell(form, work, namespace, self._is_users_name, outputs, frozenset(options.exclude))

    def _is_users_name(self, name: str) -> bool:
        if _SHELLS_OWN.fullmatch(name):
            return False
        hidden = self._shell.user_ns_hidden
        return name not in hidden or self._shell.user_ns.get(name) is not hidden[name]

    def _after_cell(self, result: Any) -> None:
        info = getattr(result, "info", None)
        if not any(frame.info is info for frame in self._frames):
            return
        while self._frames:
            frame = self._frames.pop()
            for running in frame.running:
                self._finish(running)
            if frame.info is info:
                break
        if not self._frames:
            self._running.clear()

    def _finish(self, running: _Running) -> None:
        tape = running.recording.stop() if running.recording is not None else None
        if running.undo is not None:
            running.undo()
        if running.run is not None and tape is not None:
            if running.reached_end:
                running.outcome = running.run.finish(running.shown, tape)
            else:
                running.run.abandon()
        outcome = running.outcome
        if outcome is None:
            return
        workspace.current().remember(outcome.explanation)
        if not (running.options.quiet or self.quiet):
            self._shell.display_pub.publish(badge.bundle(outcome), {})

    def why(self, label: str | None) -> Explanation:
        """The latest Explanation of `label`, or of the last checkpoint."""
        found = workspace.current().explanation(label)
        if found is not None:
            return found
        known = ", ".join(workspace.current().labels()) or "none has run yet"
        raise UsageError(f"no checkpoint called {label!r} has run in this kernel; there are: {known}")


class Hook:
    """What a transformed cell calls. Called as it is, it does nothing: then the cell runs without a checkpoint."""

    def __init__(self, extension: Extension) -> None:
        self._extension = extension

    def __call__(self, line: str, source: str) -> None:
        """The marker itself, where nobody transformed it."""

    def ran(self, number: int, value: object = None) -> object:
        """See `Extension.ran`."""
        return self._extension.ran(number, value)

    def apply(self, number: int) -> object:
        """See `Extension.apply`."""
        return self._extension.apply(number)

    def fail(self, number: int) -> None:
        """See `Extension.fail`."""
        self._extension.fail(number)


def _warn(message: str) -> None:
    warnings.warn(message, CheckpointWarning, stacklevel=2)


def _label_of(form: CellForm, source: str) -> str:
    """What a cell without a name goes by: the names that it binds, else its first line."""
    if form.binds:
        return ", ".join(form.binds[:3]) + (", …" if len(form.binds) > 3 else "")
    first = next((line.strip() for line in source.splitlines() if line.strip()), "empty cell")
    return first if len(first) <= 40 else first[:39] + "…"


def _is_quiet(source: str) -> bool:
    """Whether a semicolon at the end keeps the last value from being shown, as IPython reads it."""
    ignored = {tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER, tokenize.DEDENT}
    last = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type not in ignored:
                last = token.string
    except (tokenize.TokenError, SyntaxError):  # shell syntax below: the tokenizer knows Python only
        return source.rstrip().endswith(";")
    return last == ";"


