"""``%load_ext ipycheckpoint``: the magics, their completion, and the settings for ``%config Checkpoint``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError as ShellUsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class
from traitlets import Any as Anything
from traitlets import Bool, Enum, TraitError, Unicode, observe, validate
from traitlets.config import Configurable

from ipycheckpoint import workspace
from ipycheckpoint.engine.lookup import MODES
from ipycheckpoint.errors import UsageError
from ipycheckpoint.record.trust import paths_in
from ipycheckpoint.surfaces.badge import bytes_in_words, seconds_in_words
from ipycheckpoint.surfaces.commands.asking import ASKED, ask
from ipycheckpoint.surfaces.commands.place import Place
from ipycheckpoint.surfaces.defaults import defaults
from ipycheckpoint.surfaces.extension import Extension
from ipycheckpoint.surfaces.options import OPTIONS, help_text
from ipycheckpoint.surfaces.panel import close_panels, panel
from ipycheckpoint.surfaces.plugging import listing_at
from ipycheckpoint.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

_COMMANDS = tuple(dict.fromkeys(("panel", "why", "list", "forget", "auto", *(command.name for command in ASKED))))
_AUTO_SECONDS = 1.0
_ATTRIBUTE = "_ipycheckpoint_extension"


class Checkpoint(Configurable):
    """Settings: ``%config Checkpoint.mode = "off"``, or ``c.Checkpoint.mode = "off"`` in a configuration file."""

    directory = Unicode("", help="Where the cache is; empty: .ipycheckpoint beside the notebook.").tag(config=True)
    mode = Enum([*MODES, ""], "", help="on, off, read or refresh; empty: IPYCHECKPOINT_MODE, else on.").tag(config=True)
    quiet = Bool(False, help="No line under the cells.").tag(config=True)
    store = Unicode("", help="The URL of a store that others share, such as s3://team/cache.").tag(config=True)
    max_bytes = Unicode("", help="What a cache is pruned to after a save, such as 5GB; empty: no limit.").tag(
        config=True
    )
    accept = Unicode("", help="Secrets of others whose records are trusted: files or folders, as in a PATH.").tag(
        config=True
    )
    cache = Anything(None, help="A cache of your own, as for --cache.").tag(config=True)
    identifier = Anything(None, help="An identifier of your own, as for --identifier.").tag(config=True)

    def __init__(self, extension: Extension, **kwargs: Any) -> None:
        self._extension = extension
        super().__init__(**kwargs)
        self._apply()

    @validate("max_bytes")
    def _check_size(self, proposal: Any) -> str:
        try:
            parse_size(proposal["value"] or 0)
        except UsageError as problem:
            raise TraitError(str(problem)) from None
        return str(proposal["value"])

    @observe("directory", "store", "mode", "quiet", "max_bytes", "accept")
    def _changed(self, _: Any) -> None:
        self._apply()

    @observe("cache", "identifier")
    def _plugged(self, change: Any) -> None:
        # One by one: what `defaults` says of the other stays.
        defaults[f"checkpoint.{change.name}"] = change.new

    def withdraw(self) -> None:
        """Leave the workspace as if nobody had set anything."""
        here = workspace.current()
        here.directory, here.store, here.mode = None, None, None
        here.plugged, here.identifier = None, None
        here.max_bytes, here.accept = None, ()

    def _apply(self) -> None:
        here = workspace.current()
        here.directory = Path(self.directory).expanduser().absolute() if self.directory else None
        here.store = self.store or None
        here.mode = self.mode or None
        here.max_bytes = parse_size(self.max_bytes) if self.max_bytes else None
        here.accept = paths_in(self.accept)
        self._extension.quiet = self.quiet


@magics_class
class CheckpointMagics(Magics):
    """``%%checkpoint`` keeps a cell, ``%checkpoint`` tells of it."""

    def __init__(self, shell: Any, extension: Extension) -> None:
        super().__init__(shell)
        self._extension = extension

    @line_cell_magic
    def checkpoint(self, line: str, cell: str | None = None) -> object:
        """Never run this cell twice for the same inputs; see below for options."""
        if cell is not None:
            # Reached by `run_cell_magic` only: in a cell, the line is taken off before magics are looked at.
            self._extension.run_cell(f"%%checkpoint {line}\n{cell}")
            return None
        command, _, rest = line.strip().partition(" ")
        try:
            return self._command(command or "panel", rest.strip())
        except UsageError as problem:
            raise ShellUsageError(str(problem)) from None

    def _command(self, command: str, rest: str) -> object:
        if command == "why" and (not rest or rest in workspace.current().labels()):
            return self._extension.why(rest or None)
        if command == "auto":
            self._auto(rest)
            return None
        if command == "panel" and not rest and hasattr(self.shell, "kernel"):
            return panel()
        cache = listing_at()
        if command == "list" or (command == "panel" and not rest):
            rows = cache.rows()
            print(  # noqa: T201 - what a line magic is for
                f"{len(rows)} record{'' if len(rows) == 1 else 's'} in {cache.location},"
                f" {bytes_in_words(sum(row.nbytes for row in rows))}"
            )
            for row in rows:
                size, seconds = bytes_in_words(row.nbytes), seconds_in_words(row.seconds)
                times = {0: "not restored yet", 1: "restored once"}.get(row.hits, f"restored {row.hits} times")
                print(f"  {row.label}: {seconds}, {size}, {times}")  # noqa: T201 - as above
            return None
        if command == "forget" and rest in cache.catalogue.labels():  # it may have spaces in it
            count = cache.forget_label(rest)
            print(f"forgot {count} record{'' if count == 1 else 's'} of {rest}")  # noqa: T201 - as above
            return None
        if command not in _COMMANDS:
            raise UsageError(f"%checkpoint {command}: no such command; there are {', '.join(_COMMANDS)}")
        here = workspace.current()
        answer = ask(f"{command} {rest}", cache, Place(cache.directory, here.why_there()), here.cache)
        if answer is not None:
            print(answer.to_json() if "--json" in rest.split() else answer)  # noqa: T201 - as above
        return None

    def _auto(self, rest: str) -> None:
        match rest.split():
            case ["off"]:
                self._extension.auto_seconds = None
            case []:
                self._extension.auto_seconds = _AUTO_SECONDS
            case ["--min-seconds", text]:
                self._extension.auto_seconds = _seconds(text)
            case _:
                raise UsageError(f"%checkpoint auto {rest}: write auto, auto --min-seconds 1, or auto off")


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"%checkpoint auto: {text!r} is no number of seconds") from None


CheckpointMagics.checkpoint.__doc__ = f"""Never run this cell twice for the same inputs.

{help_text()}
As a line magic:
  %checkpoint                the cache browser: what is kept, and what can be done with it
  %checkpoint why [NAME]     why the last run was a hit or a miss
  %checkpoint list           what is kept
  %checkpoint ls, show, verify, prune, pin, trust, export and more: as `ipycheckpoint` in a shell;
                             %checkpoint ls --help tells of one
  %checkpoint forget NAME    forget the records of a checkpoint
  %checkpoint auto           from now on every cell is a checkpoint, kept if it takes a second
                             or more (auto --min-seconds 10); auto off ends it
"""


def load(shell: Any) -> None:
    """What ``%load_ext ipycheckpoint`` does; twice is once."""
    if getattr(shell, _ATTRIBUTE, None) is not None:
        return
    extension = Extension(shell)
    try:
        settings = Checkpoint(extension, parent=shell)
    except TraitError as problem:
        raise ShellUsageError(f"the configuration of Checkpoint: {problem}") from None
    extension.load()
    shell.configurables.append(settings)
    magics = CheckpointMagics(shell, extension)
    shell.register_magics(magics)
    shell.set_hook("complete_command", _completer(shell), str_key="%%checkpoint")
    shell.set_hook("complete_command", _completer(shell), str_key="%checkpoint")
    setattr(shell, _ATTRIBUTE, (extension, settings, magics))


def unload(shell: Any) -> None:
    """What ``%unload_ext ipycheckpoint`` does."""
    loaded = getattr(shell, _ATTRIBUTE, None)
    if loaded is None:
        return
    close_panels()
    extension, settings, magics = loaded
    extension.unload()
    settings.withdraw()
    shell.configurables[:] = [c for c in shell.configurables if c is not settings and c is not magics]
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("checkpoint", None)
    shell.magics_manager.registry.pop(CheckpointMagics.__name__, None)
    for key in ("%%checkpoint", "%checkpoint"):
        shell.strdispatchers["complete_command"].strs.pop(key, None)
    delattr(shell, _ATTRIBUTE)


def _completer(shell: Any) -> Callable[[Any, Any], list[str]]:
    def complete(_: Any, event: Any) -> list[str]:
        words = event.line.split()
        symbol = event.symbol
        if words[:1] == ["%checkpoint"]:
            if words[1:2] and words[1] in ("why", "forget") and (len(words) > 2 or not symbol or symbol != words[1]):
                return _labels(symbol)
            return [command for command in _COMMANDS if command.startswith(symbol)]
        if symbol.startswith("-"):
            return [option for option in OPTIONS if option.startswith(symbol)]
        before = words[:-1] if symbol else words
        option = next((word for word in reversed(before) if word.startswith("--")), None)
        if option in ("--inputs", "--outputs", "--exclude", "--identifier", "--cache"):
            return sorted(name for name in shell.user_ns if name.startswith(symbol) and not name.startswith("_"))
        return [*_labels(symbol), *([] if symbol else OPTIONS)]

    return complete


def _labels(symbol: str) -> list[str]:
    return [label for label in workspace.current().labels() if label.startswith(symbol)]
