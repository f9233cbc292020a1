"""What griffe calls for each docstring of the reference (see mkdocs.yml): examples become blocks of code."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", flags=re.MULTILINE)


class Doctests(griffe.Extension):
    """Puts examples into fences, which Markdown would take for quotations."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Change the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """The docstring `text` with each example, up to an empty line, in a fence."""
    return _EXAMPLE.sub(lambda match: f"```pycon\n{match[0]}\n```", text)
