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

    def result(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Show a bundle as the shell shows the value of an expression."""
        ...

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """Show a traceback, of an error that did not end the run."""
        ...

    def clear(self, *, wait: bool) -> None:
        """Clear what was shown so far."""
        ...


@dataclass
class Tape:
    """Events in order, as `engine.recorder` wrote them down."""

    events: list[dict[str, Any]] = field(default_factory=list)
    result: dict[str, Any] | None = None
    """The MIME bundle and metadata of the last expression: ``{"data": …, "metadata": …}``."""
    notes: tuple[str, ...] = ()
    """What the user should know of what is on it; they are kept in the record's header."""

    def play(self, screen: Screen) -> None:
        """Show everything again, in order. The last expression is the caller's to show."""
        for event in self.events:
            if event["event"] == "stream":
                screen.stream(event["name"], event["text"])
            elif event["event"] == "clear":
                screen.clear(wait=event["wait"])
            elif event["event"] == "result":
                screen.result(event["data"], event["metadata"])
            elif event["event"] == "error":
                screen.error(event["name"], event["value"], event["traceback"])
            else:
                screen.display(event["data"], event["metadata"], event["transient"], update=event["update"])

    def to_bytes(self) -> bytes:
        """The tape as JSON."""
        return json.dumps({"events": self.events, "result": self.result}, default=plain).encode()

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Tape:
        """The tape that `to_bytes` wrote."""
        content = json.loads(bytes(data))
        return cls(content["events"], content["result"])


def plain(value: Any) -> Any:
    """What a display holds and JSON doesn't know (bytes of an image, a numpy scalar), as Jupyter sends it."""
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode("ascii")
    item = getattr(value, "item", None)
    return item() if callable(item) else repr(value)
