"""What a run shows, written down while it is shown, in bounded memory: the making of a tape."""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from ipycheckpoint.engine.tape import Tape, plain
from ipycheckpoint.engine.terminal import Scroll, left_out

if TYPE_CHECKING:
    from collections.abc import Callable

    Bundle = dict[str, Any]
    """What is shown, by MIME type."""
    Face = Callable[[Bundle], Bundle | None]
    """Makes of what is live a bundle that stands for itself; None where nothing is to be seen of it any more."""

MOST = 50_000_000
"""Characters of one tape: about as many as a notebook may have that still opens."""

MOST_SHOWN = 25_000_000
"""Characters of one display. matplotlib embeds animations of up to 20 MiB in a page."""

_OVERHEAD = 500
"""What an event weighs beside its text, so that very many small ones come to an end as well."""


class _Event:
    """One thing that was shown, and what it weighs."""

    def __init__(self, what: dict[str, Any], weight: int = 0, scroll: Scroll | None = None) -> None:
        self.what = what
        self.weight = weight + _OVERHEAD
        self.scroll = scroll
        self.is_late = False
        """It stands in the part that gives way."""
        self.is_gap = False
        """It stands for those that gave way, in a line of its own."""


class Recorder:
    """Events in order. Texts of one stream in a row are one event; a display keeps its latest state only.

    Where they come to more than `most` characters, those in the middle are left out. It may be used from many
    threads.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.RLock()
        self._forget()
        self._result: dict[str, Any] | None = None
        self._clears: bool | None = None
        """Whether with the next event; None where nothing is to be cleared."""
        self._cleared = False

    def _forget(self) -> None:
        self._streams_to = ""
        """The stream that the last event is of, if it is of one."""
        self._scroll = Scroll()
        self._head: list[_Event] = []
        self._tail: deque[_Event] = deque()
        self._weights = [0, 0]
        self._by_identifier: dict[str, list[_Event]] = {}
        self._left_out = 0
        self._characters_left_out = 0

    def stream(self, name: str, text: str) -> None:
        """Text has gone to stdout or stderr."""
        with self._lock:
            if name != self._streams_to or self._clears is not None:
                if not text:
                    return
                self._begin_stream(name)
            self._scroll.write(text)

    def _begin_stream(self, name: str) -> None:
        self._come_to_clear()
        last = self._last()
        if last is None or last.scroll is None or last.what["name"] != name:
            last = _Event({"event": "stream", "name": name}, scroll=Scroll())
            self._add(last)
        assert last.scroll is not None
        self._streams_to, self._scroll = name, last.scroll

    def display(self, data: Bundle, metadata: Bundle, transient: Bundle, *, update: bool) -> None:
        """Something has been displayed, or updated."""
        with self._lock:
            self._come_to_clear()
            data, weight = _bounded(data)
            metadata, transient = dict(metadata), dict(transient)
            identifier = transient.get("display_id")
            shown = {"event": "display", "data": data, "metadata": metadata, "transient": transient, "update": update}
            known = self._by_identifier.get(identifier) if isinstance(identifier, str) else None
            if update and known is not None:
                for event in known:
                    self._change(event, data, metadata, weight)
                return
            event = _Event(shown, weight)
            self._add(event)
            if isinstance(identifier, str):
                self._by_identifier.setdefault(identifier, []).append(event)

    def result(self, data: Bundle, metadata: Bundle) -> None:
        """The value of an expression in the middle has been shown."""
        with self._lock:
            self._come_to_clear()
            data, weight = _bounded(data)
            self._add(_Event({"event": "result", "data": data, "metadata": dict(metadata)}, weight))

    def last_result(self, data: Bundle, metadata: Bundle) -> None:
        """The value of the last expression has been shown."""
        with self._lock:
            self._come_to_clear()
            self._result = {"data": _bounded(data)[0], "metadata": dict(metadata)}

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """A traceback has been shown, and the run went on."""
        with self._lock:
            self._come_to_clear()
            what = {"event": "error", "name": name, "value": value, "traceback": traceback}
            self._add(_Event(what, sum(map(len, traceback))))

    def clear(self, *, wait: bool) -> None:
        """The output so far is cleared, now or when something else is shown."""
        with self._lock:
            self._clears = wait
            if not wait:
                self._come_to_clear()

    @property
    def has_cleared(self) -> bool:
        """Whether what stood there before has been cleared away."""
        return self._cleared

    def tape(self, face: Face | None = None) -> Tape:
        """The tape so far; `face` is asked for each display that is live."""
        with self._lock:
            self._weigh()
            self._trim()
            events: list[dict[str, Any]] = []
            for event in (*self._head, *self._gap_event(), *self._tail):
                shown = _shown(event, events, face)
                if shown is not None:
                    events.append(shown)
            result = self._result
            if result is not None and face is not None:
                data = face(result["data"])
                result = None if data is None else {**result, "data": data}
            return Tape(events, result, self._notes())

    def _notes(self) -> tuple[str, ...]:
        scrolls = [event.scroll for event in (*self._head, *self._tail) if event.scroll is not None]
        gone = self._characters_left_out + sum(scroll.characters_left_out for scroll in scrolls)
        gone += sum(_too_large(event.what.get("data", {})) for event in (*self._head, *self._tail))
        gone += _too_large((self._result or {}).get("data", {}))
        return (f"{left_out(0, '', gone)} of what it showed is not kept",) if gone else ()

    def _gap_event(self) -> list[_Event]:
        if not self._left_out:
            return []
        gap = Scroll()
        gap.write(f"… {left_out(self._left_out, 'output', self._characters_left_out)} not kept …\n")
        event = _Event({"event": "stream", "name": "stdout"}, scroll=gap)
        event.is_gap = True
        return [event]

    def _last(self) -> _Event | None:
        if self._tail:
            return self._tail[-1]
        return self._head[-1] if self._head and not self._left_out else None

    def _come_to_clear(self) -> None:
        """What nobody can see any more is dropped."""
        if self._clears is not None:
            self._forget()
            self._cleared = True
            self._head = [_Event({"event": "clear", "wait": self._clears})]
            self._clears = None

    def _add(self, event: _Event) -> None:
        self._weigh()
        self._streams_to = ""
        if not self._tail and not self._left_out and self._weights[0] + event.weight <= self._most // 2:
            self._head.append(event)
            self._weights[0] += event.weight
        else:
            event.is_late = True
            self._tail.append(event)
            self._weights[1] += event.weight
            self._trim()

    def _weigh(self) -> None:
        """Weigh the last event, which may have grown."""
        last = self._last()
        if last is not None and last.scroll is not None:
            self._set_weight(last, last.scroll.size)

    def _set_weight(self, event: _Event, weight: int) -> None:
        weight += _OVERHEAD
        self._weights[event.is_late] += weight - event.weight
        event.weight = weight

    def _change(self, event: _Event, data: Bundle, metadata: Bundle, weight: int) -> None:
        if not event.is_late and self._weights[0] + weight - event.weight > self._most:
            data, weight = _note(weight), 0
        event.what["data"], event.what["metadata"] = data, metadata
        self._set_weight(event, weight)
        self._trim()

    def _trim(self) -> None:
        while self._tail and sum(self._weights) > self._most:
            gone = self._tail.popleft()
            self._streams_to = ""  # it may be what is gone
            self._weights[1] -= gone.weight
            self._left_out += 1
            self._characters_left_out += gone.weight - _OVERHEAD
            if gone.scroll is not None:
                self._characters_left_out += gone.scroll.characters_left_out
            identifier = gone.what.get("transient", {}).get("display_id")
            if identifier in self._by_identifier:
                self._by_identifier[identifier].remove(gone)


def _shown(event: _Event, before: list[dict[str, Any]], face: Face | None) -> dict[str, Any] | None:
    """The event as it goes on the tape; None if nothing is seen of it."""
    if event.scroll is not None:
        text = event.scroll.text()
        if before and not before[-1].get("text", "\n").endswith("\n"):
            if event.scroll.begins_with_return:
                text = "\r" + text
            elif event.is_gap:
                text = "\n" + text
        return {**event.what, "text": text} if text else None
    if face is None or "data" not in event.what:
        return event.what
    data = face(event.what["data"])
    return None if data is None else {**event.what, "data": data}


def _bounded(data: Bundle) -> tuple[Bundle, int]:
    """The bundle as Jupyter sends it, so that nobody can change it any more, and its size; a note if it's too large."""
    kept, size = {}, 0
    for mime, value in data.items():
        if isinstance(value, bytes):
            value = plain(value)
        if not isinstance(value, str):
            text = json.dumps(value, default=plain)
            size += len(text)
            value = json.loads(text)
        else:
            size += len(value)
        kept[mime] = value
    return (kept, size) if size <= MOST_SHOWN else (_note(size), 0)


_NOTE = "text/vnd.ipycheckpoint.not-kept"


def _note(size: int) -> Bundle:
    return {"text/plain": f"… {left_out(0, '', size)} not kept …", _NOTE: str(size)}


def _too_large(data: Bundle) -> int:
    return int(data.get(_NOTE, 0))
