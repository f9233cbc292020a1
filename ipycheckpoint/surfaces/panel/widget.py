"""The live panel: an anywidget that draws what the kernel sends, and sends back what the user asks for.

Messages may come in a thread of their own while a cell runs, and so may news. So all that changes the panel is done
under one lock, and who brings news never waits for it: showing something must not hold up the work.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets
from IPython.core.getipython import get_ipython
from IPython.display import display

from ipycheckpoint import workspace
from ipycheckpoint.surfaces.panel import pages
from ipycheckpoint.surfaces.panel.actions import Actions
from ipycheckpoint.surfaces.panel.activity import Activity
from ipycheckpoint.surfaces.panel.details import details
from ipycheckpoint.surfaces.panel.model import view
from ipycheckpoint.surfaces.panel.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.cache.cache import Cache
    from ipycheckpoint.cache.news import Event
    from ipycheckpoint.surfaces.panel.model import View

_BESIDE = Path(__file__).parent

UPDATE_SECONDS = 0.25
"""News are shown at most so often."""

_WAITING_SECONDS = 1.0
"""So often it is looked whether what waits for a shared store has been sent."""

_MEASURE_SECONDS = 10.0
"""So often at most the store is asked how much room it takes."""

_VIEW = "application/vnd.jupyter.widget-view+json"
_VIEW_VERSION = {"version_major": 2, "version_minor": 0}

_ANNOUNCED = {"kept": "kept", "failed": "could not be loaded"}


class Panel(anywidget.AnyWidget):
    """A live view of `cache`, for one or many places in a notebook."""

    _esm = (_BESIDE / "panel.js").read_text(encoding="utf-8")
    _css = (_BESIDE / "panel.css").read_text(encoding="utf-8")

    _open: ClassVar[dict[Cache, Panel]] = {}

    view = traitlets.Dict().tag(sync=True)
    details = traitlets.Dict().tag(sync=True)

    def __init__(self, cache: Cache) -> None:
        super().__init__()
        shell = get_ipython()
        self._cache, self._news = cache, cache.news
        self._activity = None if shell is None else Activity(shell)
        self._actions = Actions(cache, shell, self._activity)
        self._state = State()
        self._lock = threading.RLock()
        self._places = 0
        """In how many places it is shown, as far as front ends say when they show it no more."""
        self._unsubscribe: Callable[[], None] | None = None
        self._said = ""
        self._timer: threading.Timer | None = None
        self._shown = float("-inf")
        self._disk_nbytes: int | None = None
        self._measured: tuple[Any, float] = (None, float("-inf"))
        self.on_msg(self._receive)
        self._show()
        self._open[cache] = self

    @classmethod
    def of(cls, cache: Cache) -> Panel:
        """The panel of `cache` that is open, or a new one."""
        return cls._open.get(cache) or cls(cache)

    @classmethod
    def close_panels(cls) -> None:
        """Close all that are open."""
        for each in list(cls._open.values()):
            each.close()

    def _receive(self, _: object, content: Any, __: object) -> None:
        """A message of the front end: an intent, with a number that is sent back when it is done."""
        if not isinstance(content, dict):
            return
        with self._lock:
            match content.get("do"):
                case "hello":
                    self._listen(self._places + 1)
                case "bye":
                    self._listen(self._places - 1)
                case "look":
                    pass  # somebody turns to it: what others have done meanwhile is to be seen
                case _:
                    self._state = self._actions.act(self._state, content)
            self._show()
        self.send({"done": content.get("number")})
        self._measure()

    def _listen(self, places: int) -> None:
        """Listen to news while it is shown anywhere."""
        self._places = max(places, 0)
        if self._places and self._unsubscribe is None:
            self._unsubscribe = self._news.subscribe(self._hear)
        elif not self._places and self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _hear(self, event: Event) -> None:
        """Show what happened, soon; whoever tells it does not wait."""
        if event.what in _ANNOUNCED:
            self._said = f"{event.label} {_ANNOUNCED[event.what]}."
        if self._timer is not None:
            return
        wait = self._shown + UPDATE_SECONDS - time.monotonic()
        if wait <= 0 and self._lock.acquire(blocking=False):
            try:
                self._show()
            finally:
                self._lock.release()
        else:
            self._show_in(max(wait, UPDATE_SECONDS / 5))

    def _show_in(self, seconds: float) -> None:
        if self._timer is None:
            # Not on the kernel's own loop: while a cell runs, that stands still.
            self._timer = threading.Timer(seconds, self._show_later)
            self._timer.daemon = True
            self._timer.start()

    def _show_later(self) -> None:
        self._timer = None
        with self._lock:
            self._show()
        self._measure()

    def _show(self) -> None:
        self._cache.catalogue.flush()
        self._shown = time.monotonic()
        said, self._said = self._said, ""
        if said:
            self._state = self._state.saying(said)
        self.view = view(self._cache, self._state, running=self._news.running(), disk_nbytes=self._disk_nbytes)
        label = self.details.get("label")
        explanation = workspace.current().explanation(label) if label else None
        self.details = details(self._cache, self._state, explanation)
        if self.view["waiting"] and self._places:
            self._show_in(_WAITING_SECONDS)  # nobody tells when it has been sent

    def _measure(self) -> None:
        """Find out, in a thread of its own, how much room the store takes, unless that is known."""
        stamp = self._cache.catalogue.stamp()
        if self._measured[0] == stamp or time.monotonic() < self._measured[1] + _MEASURE_SECONDS:
            return
        self._measured = (stamp, time.monotonic())

        def measure() -> None:
            self._disk_nbytes = pages.disk_nbytes(self._cache)
            with self._lock:
                self._show()

        threading.Thread(target=measure, name="ipycheckpoint-panel", daemon=True).start()

    def close(self) -> None:
        """Take the panel off the front end, and leave the news and the shell alone."""
        if self in self._open.values():
            del self._open[self._cache]
            self._listen(0)
            if self._activity is not None:
                self._activity.close()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self._bundle(pages.facts(self._cache), **kwargs)

    def _bundle(self, facts: View, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        # ipywidgets 7 makes no bundle, nor did anywidget in its place at first.
        bundle = getattr(super(), "_repr_mimebundle_", None)
        found: Any = bundle(**kwargs) if bundle else {_VIEW: {**_VIEW_VERSION, "model_id": self.model_id}}
        data, metadata = found if isinstance(found, tuple) else (found, {})
        return {**data, "text/html": pages.as_html(facts), "text/plain": pages.as_text(facts)}, metadata

    def _ipython_display_(self) -> None:
        """Display it as a notebook keeps it best: the facts behind a line, then what needs a widget manager.

        A notebook that is opened again has no widget, and then the facts are what is left.
        """
        facts = pages.facts(self._cache)
        if hasattr(get_ipython(), "kernel"):
            display(pages.closed(facts), raw=True)  # type: ignore[no-untyped-call]  # IPython's own
            data, metadata = self._bundle(facts)
            display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]  # IPython's own
        else:
            display({"text/plain": pages.as_text(facts)}, raw=True)  # type: ignore[no-untyped-call]  # IPython's own
