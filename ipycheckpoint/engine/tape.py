"""The tape: what the user saw of a run, in order, so that a hit shows it again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Protocol


class Screen(Protocol):
    """Where a tape is played: a notebook or a terminal."""

    def stream(self, name: str, text: str) -> None:
        """Write `text` to stdout or stderr."""
        ...

    def display(
        self, data: dict[str, Any], metadata: dict[str, Any], transient: dict[str, Any], *, update: bool
    ) -> None:
        """Show a bundle of MIME types, or update one that was shown before."""
        ...

    def clear(self, *, wait: bool) -> None:
        """Clear what was shown so far."""
        ...


@dataclass
class Tape:
    """Events in order. Texts of one stream in a row are one event; a display keeps its latest state only."""

    events: list[dict[str, Any]] = field(default_factory=list)
    result: dict[str, Any] | None = None
    """The MIME bundle and metadata of the last expression: ``{"data": …, "metadata": …}``."""

    def stream(self, name: str, text: str) -> None:
        """Record text that went to stdout or stderr."""
        if not text:
            return
        last = self.events[-1] if self.events else None
        if last is not None and last["event"] == "stream" and last["name"] == name:
            last["text"] += text
        else:
            self.events.append({"event": "stream", "name": name, "text": text})

    def display(
        self, data: dict[str, Any], metadata: dict[str, Any], transient: dict[str, Any], *, update: bool
    ) -> None:
        """Record a display, or the update of one."""
        shown = {"event": "display", "data": data, "metadata": metadata, "transient": transient, "update": update}
        identifier = transient.get("display_id")
        if update and identifier is not None:
            displays = (event for event in self.events if event["event"] == "display")
            earlier = [event for event in displays if event["transient"].get("display_id") == identifier]
            for event in earlier:
                event["data"], event["metadata"] = data, metadata
            if earlier:
                return
        self.events.append(shown)

    def clear(self, *, wait: bool) -> None:
        """Record that the output so far was cleared; what nobody can see any more is dropped."""
        self.events = [{"event": "clear", "wait": wait}]

    def play(self, screen: Screen) -> None:
        """Show everything again, in order. The last expression is the caller's to show."""
        for event in self.events:
            if event["event"] == "stream":
                screen.stream(event["name"], event["text"])
            elif event["event"] == "clear":
                screen.clear(wait=event["wait"])
            else:
                screen.display(event["data"], event["metadata"], event["transient"], update=event["update"])

    def to_bytes(self) -> bytes:
        """The tape as JSON."""
        return json.dumps({"events": self.events, "result": self.result}, default=_plain).encode()

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Tape:
        """The tape that `to_bytes` wrote."""
        content = json.loads(bytes(data))
        return cls(content["events"], content["result"])


def _plain(value: Any) -> Any:
    # What a display holds and JSON doesn't know (bytes of an image, a numpy scalar) is what Jupyter sends, too.
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode("ascii")
    item = getattr(value, "item", None)
    return item() if callable(item) else repr(value)
