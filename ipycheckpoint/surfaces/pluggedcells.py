"""Cells with an identifier or a cache of the user's: what `surfaces.checkpointed` asks about them."""

from __future__ import annotations

import warnings
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint import workspace
from ipycheckpoint.cache.plugged import Plug
from ipycheckpoint.engine.cellhit import CellHit, look_up_cell
from ipycheckpoint.engine.lookup import Miss
from ipycheckpoint.errors import CheckpointFailedError, CheckpointFailedWarning, Unidentifiable, UsageError
from ipycheckpoint.identity.explain import Explanation
from ipycheckpoint.identity.identifier import work_of_id
from ipycheckpoint.surfaces.plugging import ask, check_identifier, check_place, identifies_as_we_do, records_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ipycheckpoint.cache.base import Records
    from ipycheckpoint.engine.call import Terms
    from ipycheckpoint.engine.cell import Cell
    from ipycheckpoint.identity.context import CellContext
    from ipycheckpoint.identity.identity import Ingredient
    from ipycheckpoint.identity.work import Work
    from ipycheckpoint.surfaces.options import CellOptions


class Plugged(NamedTuple):
    """Where a cell's record lives, and who says which cells are the same; None is we."""

    records: Records
    identifier: Any


def plugged_by(options: CellOptions, namespace: Mapping[str, object]) -> Plugged:
    """What `options` name in `namespace`, else what the settings say. Raises UsageError for what can't be."""
    here = workspace.current()
    place = check_place(_named("--cache", options.cache, namespace), f"--cache {options.cache}")
    identifier = check_identifier(
        _named("--identifier", options.identifier, namespace), f"--identifier {options.identifier}"
    )
    if identifier is None:
        identifier = here.identifier
    records = records_at(place, whole=True)
    if identifier is None or identifies_as_we_do(identifier):
        return Plugged(records, None)
    useless: dict[str, object] = {"--inputs": options.inputs}
    if isinstance(records, Plug):
        useless |= {"--tags": options.tags, "--watch": options.watch, "--pin": options.pin, "--rng": options.rng}
    for option, given in useless.items():
        if given:
            raise UsageError(
                f"%%checkpoint: {option} has no meaning beside {type(identifier).__name__}: its ContextId alone counts"
            )
    return Plugged(records, identifier)


def identified(plugged: Plugged, context: CellContext, extra: Iterable[Ingredient]) -> tuple[Work, Records]:
    """The Work that the user's identifier makes of a cell, and where its record is. Raises CheckpointFailedError."""
    records, identifier = plugged
    name = type(identifier).__name__
    context_id = ask(identifier, context)
    try:
        if isinstance(records, Plug):
            # To a cache of the user's, the ContextId goes as it is: then it alone decides.
            work = work_of_id("cell", context.name, name, context_id, strictly=True)
            return work, records.under(context_id)
        return work_of_id("cell", context.name, name, context_id, extra, strictly=True), records
    except Unidentifiable as refusal:
        raise CheckpointFailedError(f"the ContextId that {name} gives can't be told apart: {refusal}") from refusal


def look_up(records: Records, cell: Cell, terms: Terms) -> CellHit | Miss:
    """As `look_up_cell`, but that what fails in the user's cache follows ``on_error``."""
    try:
        return look_up_cell(records, cell, terms)
    except CheckpointFailedError as problem:
        label = cell.work.identity.label
        reason = f"looking it up failed: {problem}"
        on_error = workspace.current().on_error
        if on_error == "raise":
            raise
        if on_error == "warn":
            warnings.warn(f"{label} runs again: {reason}", CheckpointFailedWarning, stacklevel=2)
        return Miss(Explanation("miss", label, reason), cell.work)


def _named(option: str, name: str | None, namespace: Mapping[str, object]) -> object:
    if name is None:
        return None
    if name not in namespace:
        near = get_close_matches(name, [known for known in namespace if not known.startswith("_")], n=1)
        told = f" (did you mean {near[0]}?)" if near else ""
        raise UsageError(f"%%checkpoint: {option} names a variable, and there is no {name!r}{told}")
    return namespace[name]
