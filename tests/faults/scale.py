"""How often: a little in `make test`, very often in `make torture`."""

from __future__ import annotations

import os

TORTURE = bool(os.environ.get("TORTURE"))


def rounds(few: int, many: int) -> range:
    """As many rounds as there is time for."""
    return range(many if TORTURE else few)
