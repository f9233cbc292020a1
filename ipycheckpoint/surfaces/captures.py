"""What goes into Output widgets while a cell runs.

A notebook takes what is shown inside ``with output:`` away from the cell and puts it into the widget, in the browser;
the kernel hears of that when the cell is over. So it is recorded for each widget apart.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ipycheckpoint.engine.recorder import Recorder
from ipycheckpoint.surfaces.faces import loaded_widgets
from ipycheckpoint.surfaces.wrapping import undo_all, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MODULE = "ipywidgets.widgets.widget_output"

_MOST = 5_000_000
"""Characters of one widget."""


class _Capture:
    """What goes into one widget."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self.before = widget.outputs
        self.recorder = Recorder(_MOST)
        self.is_seen = False


class Captures:
    """What goes into each Output widget, from the making of this until `stop`."""

    def __init__(self) -> None:
        self._captures: dict[int, _Capture] = {}
        self._entered: list[Any] = []
        self._undo: list[Callable[[], None]] = []
        self._listen()

    def _listen(self) -> None:
        module = sys.modules.get(_MODULE)
        output = getattr(module, "Output", None)
        if output is not None:
            self._undo += [wrap(output, "__enter__", self._enter), wrap(output, "__exit__", self._exit)]
            self._entered += [w for w in loaded_widgets().values() if isinstance(w, output) and w.msg_id]

    def _enter(self, enter: Callable[..., Any], widget: Any) -> Any:
        entered = enter(widget)
        if widget.msg_id:  # else there is no notebook, and what is written is just written
            self._entered.append(widget)
        return entered

    def _exit(self, leave: Callable[..., Any], widget: Any, *args: Any) -> Any:
        try:
            return leave(widget, *args)
        finally:
            for place in reversed(range(len(self._entered))):
                if self._entered[place] is widget:
                    del self._entered[place]
                    break

    def are_idle(self) -> bool:
        """Whether nothing goes into a widget just now."""
        return not self._entered and (bool(self._undo) or _MODULE not in sys.modules)

    def current(self) -> Recorder | None:
        """Where what is shown just now goes, if it goes into a widget."""
        if not self._undo:
            self._listen()  # the cell itself may have imported them
        if not self._entered:
            return None
        widget = self._entered[-1]
        capture = self._captures.get(id(widget))
        if capture is None:
            capture = self._captures[id(widget)] = _Capture(widget)
        return capture.recorder

    def of(self, widget: Any) -> list[Mapping[str, Any]]:
        """All outputs that are seen in `widget`, in the format of a notebook."""
        capture = self._captures.get(id(widget))
        if capture is None:
            return list(widget.outputs)
        capture.is_seen = True
        if widget.outputs != capture.before:  # the browser has told, or the cell has set them itself
            return list(widget.outputs)
        before = [] if capture.recorder.has_cleared else list(capture.before)
        return before + [_as_output(event) for event in capture.recorder.tape().events if event["event"] != "clear"]

    def notes(self) -> tuple[str, ...]:
        """What the user should know, once all displays of the cell have been asked for."""
        if all(capture.is_seen for capture in self._captures.values()):
            return ()
        return ("what went into a widget of another cell is not kept",)

    def stop(self) -> None:
        """Leave ipywidgets as it was."""
        undo_all(self._undo)


def _as_output(event: Mapping[str, Any]) -> Mapping[str, Any]:
    if event["event"] == "stream":
        return {"output_type": "stream", "name": event["name"], "text": event["text"]}
    if event["event"] == "error":
        return {"output_type": "stream", "name": "stderr", "text": "\n".join(event["traceback"])}
    return {"output_type": "display_data", "data": event["data"], "metadata": event["metadata"]}
