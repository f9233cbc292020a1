"""The names of a cell: what it reads before it binds it, and what it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ipycheckpoint.digest import Digest, digest
from ipycheckpoint.identity.canonical import canonical_form
from ipycheckpoint.identity.flow import Flow
from ipycheckpoint.identity.scopes import Scopes
from ipycheckpoint.identity.slots import Reference

if TYPE_CHECKING:
    import ast
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CellForm:
    """What a cell is as code: its Digest, what it reads, and what it leaves behind."""

    digest: Digest
    reads: tuple[Reference, ...]
    """The inputs: what is read before the cell has surely bound it, in order of appearance."""
    maybe: tuple[str, ...]
    """Those names in `reads` that the cell itself may have bound before."""
    binds: tuple[str, ...]
    """Every name that may be bound when it ends, those that its functions bind through ``global`` among them."""
    deletes: tuple[str, ...]
    imports: Mapping[str, str]
    """Names that nothing but one import binds, with a statement that binds them again."""
    star_imports: tuple[str, ...]
    defines: Mapping[str, str]
    """The dedented source of each function and class at its top."""
    dynamic: bool
    """It may read and write names that can't be told: it calls ``exec`` or the like."""
    deferred: Mapping[str, tuple[Reference, ...]] = field(default_factory=dict)
    """What each function and class that it defines reads when it is used. They are among `reads` as far as the cell
    itself uses them; a function from elsewhere may call them, too."""
    modules: tuple[Reference, ...] = ()
    """What it reads of modules that it imports itself; the name is the module's, with leading dots if relative."""
    surely: frozenset[str] = frozenset()
    """Those names in `binds` that are bound whenever it comes to its end."""
    takes: tuple[str, ...] = ()
    """The names that it may delete without having bound them."""


def of_cell(tree: ast.Module, source: str = "", quiet: bool = False) -> CellForm:
    """The form of a cell. `source` is the text of `tree`; `quiet`, whether a semicolon hides what it ends with.

    >>> import ast
    >>> form = of_cell(ast.parse("y = x + 1; z = y"))
    >>> [read.name for read in form.reads], form.binds
    (['x'], ('y', 'z'))
    """
    scopes = Scopes(tree)
    canonical = canonical_form(tree, scopes)
    flow = Flow(scopes, source.splitlines(keepends=True))
    flow.block(tree.body, scopes.module)
    ledger = flow.ledger
    uses = {(reference.name, reference.attributes): reference for reference in canonical.references}
    return CellForm(
        digest=digest("cell", canonical.form, b"quiet" if quiet else b"shown"),
        reads=tuple(uses.get(read) or Reference(*read) for read in ledger.reads),
        maybe=tuple(ledger.maybe),
        binds=tuple(ledger.binds),
        deletes=tuple(ledger.deletes),
        imports={name: text for name, text in ledger.imports.items() if text},
        star_imports=tuple(ledger.star_imports),
        defines=flow.defines,
        dynamic=canonical.dynamic,
        deferred={name: tuple(references) for name, references in ledger.read_later.items()},
        modules=canonical.modules,
        surely=frozenset(name for name in ledger.binds if name in (ledger.bound or ())),
        takes=tuple(ledger.takes),
    )
