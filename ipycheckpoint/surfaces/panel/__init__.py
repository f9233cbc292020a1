"""The cache browser: `state` is what is looked at, `model` and `details` what is to be seen of it, `actions` what can
be done; `widget` shows it live, `pages` as plain HTML and text.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipycheckpoint.surfaces.panel.widget import Panel
    from ipycheckpoint.surfaces.plugging import Place

_WIDGET = f"{__name__}.widget"


def panel(store: Place | None = None) -> Panel:
    """The cache browser, a live widget: of the current cache, or of the one at `store`.

    Each cache has one panel, which may be shown in many places. Where no widget can be shown, it is a table in plain
    HTML, or in text. Of a cache of your own, it shows what this process knows.

    >>> import tempfile
    >>> panel(tempfile.mkdtemp()).close()  # in a notebook, the last expression of a cell
    """
    from ipycheckpoint.surfaces.panel.widget import Panel
    from ipycheckpoint.surfaces.plugging import listing_at

    return Panel.of(listing_at(store))


def close_panels() -> None:
    """Close all panels there are; those that are shown stay as pictures of what was."""
    if _WIDGET in sys.modules:
        sys.modules[_WIDGET].Panel.close_panels()
