"""The Work of a cell: its code, and every name that it reads before it binds it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ipycheckpoint.identity.closure import resolve
from ipycheckpoint.identity.code import Reference
from ipycheckpoint.identity.work import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ipycheckpoint.identity.identity import Ingredient
    from ipycheckpoint.identity.names import CellForm
    from ipycheckpoint.identity.work import Fingerprints, Work


def identify_cell(
    form: CellForm,
    source: str,
    namespace: Mapping[str, object],
    label: str,
    *,
    inputs: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    fingerprints: Fingerprints | None = None,
    extra: Iterable[Ingredient] = (),
    users_names: Iterable[str] = (),
) -> Work:
    """The Work of a cell in `namespace`. Raises Unidentifiable with the path to the offender.

    `inputs`, where given, are the only names whose values count. `users_names` are all names of the user's: a cell
    that calls ``exec`` or ``globals`` may read any of them.
    """
    reads = list(form.reads)
    if form.dynamic:
        known = {reference.name for reference in reads}
        reads += [Reference(name, (), free=False) for name in sorted(users_names) if name not in known]
    ignored = set(ignore)
    if inputs is not None:
        chosen = set(inputs)
        ignored |= {reference.name for reference in reads} - chosen
        known = {reference.name for reference in reads}
        reads += [Reference(name, (), free=False) for name in sorted(chosen - known)]
    while True:
        collector = Collector(ignore=ignored, fingerprints=fingerprints)
        reached = [item for reference in reads for item in resolve(reference, namespace, id(namespace))]
        # What the cell imports itself is reached through the module, whatever name it is bound to.
        reached += [item for reference in form.modules for item in resolve(reference, sys.modules, id(sys.modules))]
        collector.add_code(label, form.digest, source, reached, "input")
        # A function from elsewhere may call one that this cell defines: then what that one reads is an input, too.
        called = [name for name in form.deferred if (id(namespace), name) in collector.roots]
        more = [reference for name in called for reference in form.deferred[name] if reference not in reads]
        if not more:
            break
        reads += dict.fromkeys(more)
    for ingredient in extra:
        collector.add(ingredient)
    return collector.work("cell", label)
