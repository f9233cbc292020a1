"""One checkpointed cell, from its transformation to the end of its execution."""

from __future__ import annotations

import time
import warnings
from collections import deque
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError as ShellUsageError

from ipycheckpoint import tagging, workspace
from ipycheckpoint.digest import digest
from ipycheckpoint.engine.ambient.ambience import generator_ingredients
from ipycheckpoint.engine.call import Terms
from ipycheckpoint.engine.cell import Cell
from ipycheckpoint.engine.cellhit import CellHit
from ipycheckpoint.engine.cellrun import CellRun
from ipycheckpoint.engine.lookup import Miss
from ipycheckpoint.engine.sources import pinned, watched
from ipycheckpoint.errors import CheckpointFailedError, CheckpointWarning, Unidentifiable, UsageError
from ipycheckpoint.identity.cells import identify_cell
from ipycheckpoint.identity.context import CellContext
from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.identity.identity import Ingredient
from ipycheckpoint.identity.ownership import is_shells_own
from ipycheckpoint.identity.work import tag_ingredients
from ipycheckpoint.record.outcome import Refused
from ipycheckpoint.surfaces.forms import form_of
from ipycheckpoint.surfaces.options import CellOptions, parse_options
from ipycheckpoint.surfaces.pluggedcells import identified, look_up, plugged_by
from ipycheckpoint.surfaces.reading import label_of
from ipycheckpoint.surfaces.screen import Recording, ShellScreen
from ipycheckpoint.surfaces.transform import mark_the_end, only_call

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable

    from ipycheckpoint.cache.base import Records
    from ipycheckpoint.engine.tape import Tape
    from ipycheckpoint.identity.names import CellForm
    from ipycheckpoint.identity.work import Work
    from ipycheckpoint.record.outcome import Outcome
    from ipycheckpoint.surfaces.line import Line
    from ipycheckpoint.surfaces.pluggedcells import Plugged
    from ipycheckpoint.surfaces.transform import Marked


class CheckpointedCell:
    """Looks the cell up when it is transformed, then is called by the transformed cell, and finishes after it.

    `number` is what the transformed cell calls it by, `line` what is said of it.
    """

    def __init__(self, shell: Any, number: int, line: Line, *, least_seconds: float = 0.0) -> None:
        self._shell = shell
        self._number = number
        self.line = line
        self._least_seconds = least_seconds
        self._began = time.perf_counter()
        self.is_automatic = False
        """It has no magic of its own; every cell is a checkpoint just now."""
        self._run: CellRun | None = None
        self._hit: CellHit | None = None
        self._error: BaseException | None = None
        self._recording: Recording | None = None
        self._tape: Tape | None = None
        self._reached_end = False
        self._shown: object = None
        self._outcome: Outcome | None = None
        self._undo: Callable[[], None] | None = None
        self._ended: Callable[[], None] = lambda: None
        """Tells whoever wants to know that the run is over."""
        self._scope = ExitStack()
        """What holds while the cell runs: its tags."""
        self._turn = ExitStack()
        """That it is our turn, until what the run left is kept."""
        self.options = CellOptions()

    def tree(self, marked: Marked) -> ast.Module:
        """What is to run in place of the cell. Raises nothing: what stands in the way is raised by the tree."""
        try:
            return self._tree(marked)
        except UsageError as problem:
            self._error = ShellUsageError(str(problem))
        except CheckpointFailedError as problem:  # the settings say that it is raised
            self._error = problem
        except KeyboardInterrupt as interrupt:  # nothing has been touched: the cell ends as any interrupted one
            self._error = interrupt
        except Exception as fault:  # noqa: BLE001 - a fault of ours must not cost the user the run
            _warn(f"%%checkpoint failed, so the cell just runs: {type(fault).__name__}: {fault}")
            self._run = self._hit = None
            return marked.body
        return only_call("fail", self._number)

    def _tree(self, marked: Marked) -> ast.Module:
        self.is_automatic = marked.automatic
        self.options = options = parse_options(marked.line)
        self.line.is_quiet |= options.quiet
        if options.tags:
            self._scope.enter_context(tagging.tags(*options.tags))
        if not marked.automatic:
            _check_body(marked.source)
        here = workspace.current()
        mode = "refresh" if options.rerun else here.mode
        if mode == "off" or not marked.body.body:
            return marked.body
        form = form_of(marked, self._shell.transform_cell)
        label = options.name or label_of(form, marked.source)
        terms = Terms(mode, tagging.current_tags(), options.expires_seconds, _warn, watch=not options.no_watch)
        plugged = plugged_by(options, self._shell.user_ns)
        if plugged.identifier is not None:
            terms = replace(terms, watch=False)  # what it leaves out is none of ours to look for
        with self.line.looking():
            try:
                cell, cache = self._cell(form, marked.source, label, terms, plugged)
            except CheckpointFailedError as problem:
                if here.on_error == "raise" and not isinstance(problem, Unidentifiable):
                    raise
                self._outcome = Refused(None, Explanation("refused", label, str(problem)), 0.0, problem)
                return marked.body
            found = look_up(cache, cell, terms)
            if mode == "on" and not marked.automatic and isinstance(found, Miss) and self._waited(found, cache):
                found = look_up(cache, cell, terms)
            if isinstance(found, CellHit):
                self._hit = found
                return only_call("apply", self._number)
            self._run = CellRun(cache, cell, terms, found)
            self._ended = here.news.begin(label, cell.work.identity.key, "cell")
        interactivity = getattr(self._shell, "ast_node_interactivity", "last_expr")
        body = mark_the_end(marked.body, self._number, shows_assignments=interactivity == "last_expr_or_assign")
        self._recording = Recording(self._shell)
        return self._run.witnessed(body)

    def _waited(self, miss: Miss, cache: Records) -> bool:
        """Hold the cell's Key from now on; whether another kernel has held it since it was looked up."""
        identity, waits = miss.work.identity, deque[float](maxlen=1)
        flights = workspace.current().flights(cache)
        self._turn.enter_context(flights.alone(identity.key, label=identity.label, on_wait=waits.append))
        return bool(waits) or (miss.is_new and cache.find(identity.key) is not None)

    def _cell(self, form: CellForm, source: str, label: str, terms: Terms, plugged: Plugged) -> tuple[Cell, Records]:
        """The cell, and where its record is. Raises Unidentifiable, or what the user's identifier failed with."""
        namespace, options, records = self._shell.user_ns, self.options, plugged.records
        extra = [
            *tag_ingredients(terms.tags),
            *watched(options.watch),
            *pinned(options.pin),
            *(generator_ingredients() if options.rng == "strict" else ()),
            *_choices(options),
        ]

        def identify() -> Work:
            names = [name for name in namespace if self._is_users_name(name)] if form.dynamic else ()
            return identify_cell(form, source, namespace, label, inputs=options.inputs, extra=extra, users_names=names)

        if plugged.identifier is None:
            work = identify()
        else:
            context = CellContext(form, source, namespace, label, identify, tags=terms.tags)
            work, records = identified(plugged, context, extra)
        outputs = None if options.outputs is None else frozenset(options.outputs)
        return Cell(form, work, namespace, self._is_users_name, outputs, frozenset(options.exclude)), records

    def _is_users_name(self, name: str) -> bool:
        if is_shells_own(name):
            return False
        hidden = self._shell.user_ns_hidden
        return name not in hidden or self._shell.user_ns.get(name) is not hidden[name]

    def ran(self, value: object) -> object:
        """The last expression of the cell has been evaluated to `value`."""
        self._reached_end, self._shown = True, value
        if self._run is not None:
            self._run.ran()
        if self._recording is not None:
            self._recording.reach_the_end()
        return value

    def apply(self) -> object:
        """Restore the cell; returns the value of its last expression."""
        assert self._hit is not None
        tape, screen = self._hit.tape, ShellScreen(self._shell)
        tape.play(screen)
        self._outcome = outcome = self._hit.apply()
        if tape.result is not None:
            if outcome.value is not None:
                self._undo = screen.format_next_result_as(tape.result)
            else:
                screen.result(tape.result["data"], tape.result["metadata"])
        return outcome.value

    def fail(self) -> None:
        """Raise what stood in the way of the cell."""
        assert self._error is not None
        raise self._error

    def end(self) -> None:
        """The execution has ended, in whatever way: what is shown from here on isn't the cell's."""
        self._scope.close()
        if self._recording is not None:
            self._tape = self._recording.stop()
        if self._undo is not None:
            self._undo()

    def abandon(self) -> None:
        """Keep nothing: the extension goes while the cell runs."""
        if self._recording is not None:
            self._recording.stop()
        if self._run is not None:
            self._run.abandon()
        self._run = self._hit = None
        self._turn.close()

    def finish(self) -> Outcome | None:
        """Keep what the execution left, once it has ended; returns what happened, if that is worth a word."""
        with self._turn:
            self._finish()
        is_quick = self._hit is None and time.perf_counter() - self._began < self._least_seconds
        # They hold what was there before, and the user may have let go of it.
        self._run = self._hit = self._shown = None
        return None if is_quick else self._outcome

    def _finish(self) -> None:
        if self._run is not None and self._tape is not None:
            if self._reached_end and self._run.seconds >= self._least_seconds:
                with self.line.keeping():
                    self._outcome = self._run.finish(self._shown, self._tape)
            else:
                self._run.abandon()
        self._ended()


def _choices(options: CellOptions) -> list[Ingredient]:
    """An Ingredient for each option that leaves names out: without it, a hit would have to leave them, too."""
    found = []
    for option, names in (("--outputs", options.outputs), ("--exclude", options.exclude or None)):
        if names is not None:
            chosen = sorted(set(names))
            content = digest("option", option.encode(), *(name.encode() for name in chosen))
            found.append(Ingredient("option", option, content, " ".join(chosen)))
    return found


def _check_body(source: str) -> None:
    if not source.strip():
        raise UsageError("%%checkpoint keeps the cell below it, and there is none; the line magic is %checkpoint")
    if source.lstrip().startswith("%%"):
        magic = source.split(maxsplit=1)[0]
        raise UsageError(f"{magic} can't be inside of %%checkpoint: put it above, or in a cell of its own")


def _warn(message: str) -> None:
    # No line of ours stands below it: it is told of the cell.
    warnings.warn_explicit(message, CheckpointWarning, "%%checkpoint", 1)
