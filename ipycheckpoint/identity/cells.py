"""The Work of a cell: its code, and every name that it reads before it binds it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from ipycheckpoint.digest import digest
from ipycheckpoint.identity.closure import Named, Reached, resolve
from ipycheckpoint.identity.code import Reference
from ipycheckpoint.identity.ownership import is_users_file
from ipycheckpoint.identity.work import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
    known = {reference.name for reference in reads}
    ignored = set(ignore)
    more_names = set(users_names) if form.dynamic else set()
    if inputs is not None:
        more_names = set(inputs)
        ignored |= known - more_names
    unnamed = sorted(more_names - known)
    reads += [Reference(name, (), free=False) for name in unnamed]
    # A dynamic cell finds what it reads by its name, when it runs; a ``del`` finds its name or fails.
    details = [name.encode() for name in unnamed if form.dynamic]
    details += [b"there" if name in namespace else b"not there" for name in form.takes]
    form_digest = digest("cell in place", bytes.fromhex(form.digest), *details) if details else form.digest
    package = namespace.get("__package__")
    imported = [item for reference in form.modules for item in _imported(reference, package)]
    while True:
        collector = Collector(ignore=ignored, fingerprints=fingerprints)
        reached = [item for reference in reads for item in resolve(reference, namespace, id(namespace))]
        collector.add_code(label, form_digest, source, [*reached, *imported], "input")
        # A function from elsewhere may call one that this cell defines: then what that one reads is an input, too.
        called = [name for name in form.deferred if (id(namespace), name) in collector.roots]
        more = [reference for name in called for reference in form.deferred[name] if reference not in reads]
        if not more:
            break
        reads += dict.fromkeys(more)
    for ingredient in extra:
        collector.add(ingredient)
    return collector.work("cell", label)


def _imported(reference: Reference, package: Any) -> Iterator[Reached]:
    """What the cell reaches of a module that it imports itself, whatever name it binds that to.

    The user's own module is imported now, as the cell is about to do, since its code counts; one that can't be
    is left for the cell to fail with. Any other is known by its name, whether it has been imported or not.
    """
    name = reference.name
    try:
        name = importlib.util.resolve_name(name, package or None)
        if not _is_users_module(name):
            yield Reached(name, Named(".".join((name, *reference.attributes))), (id(sys.modules), name))
            return
        importlib.import_module(name)
    except Exception:  # noqa: BLE001 - importing a module of the user's runs it
        yield Reached(name, Named(f"not imported: {name}"), (id(sys.modules), name))
        return
    yield from resolve(Reference(name, reference.attributes, use=reference.use), sys.modules, id(sys.modules))


def _is_users_module(name: str) -> bool:
    spec = importlib.util.find_spec(name.partition(".")[0])  # of the outermost package: nothing is run for that
    if spec is None or spec.origin in ("built-in", "frozen"):
        return False
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return any(is_users_file(place) for place in places)
