"""The forms of cells that were analysed before: a cell that is run again is the same tree, as a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipycheckpoint.identity.names import of_cell
from ipycheckpoint.surfaces.reading import is_quiet, written_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.identity.names import CellForm
    from ipycheckpoint.surfaces.transform import Marked

_MOST = 200

_known: dict[tuple[object, ...], CellForm] = {}


def form_of(marked: Marked, transform: Callable[[str], str]) -> CellForm:
    """The form of a cell; `transform` makes Python of what stands behind a ``%time`` in it."""
    known = None if marked.parsed is None else _known.get(marked.parsed)
    if known is not None:
        return known
    body = written_out(marked.body, transform)
    form = of_cell(body, marked.text, quiet=is_quiet(marked.source))
    # What stands behind a `%time` is transformed by whatever the shell has learned meanwhile.
    if marked.parsed is not None and body is marked.body:
        if len(_known) >= _MOST:
            _known.clear()
        _known[marked.parsed] = form
    return form
