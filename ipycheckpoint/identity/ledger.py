"""The ledger of a cell: what is surely bound at a point of its run, what was read before, what is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipycheckpoint.identity.slots import Reference, is_transparent

if TYPE_CHECKING:
    import ast
    from collections.abc import Mapping

    from ipycheckpoint.identity.canonical import Canonical
    from ipycheckpoint.identity.scopes import Scope

    Variable = str | tuple[int, str]
    """A global by its name; a name in a class body by the identity of its scope, too."""
    Bound = set[Variable] | None
    """What is surely bound; None where the program can't be."""


class Ledger:
    """Is told of reads and bindings in the order in which they happen.

    A function reads nothing when it is defined: what its body reads is charged wherever its name is read, since there
    it may be called.
    """

    def __init__(self) -> None:
        self.bound: Bound = set()
        """What is surely bound now."""
        self.branches = 0
        """In how many statements we are that may not be run, or not to their end."""
        self.possible: set[Variable] = set()
        self.reads: dict[tuple[str, tuple[str, ...]], None] = {}
        self.maybe: dict[str, None] = {}
        self.binds: dict[str, None] = {}
        self.deletes: dict[str, None] = {}
        self.takes: dict[str, None] = {}
        """What is deleted where it isn't surely bound."""
        self.imports: dict[str, str] = {}
        self.star_imports: dict[str, None] = {}
        self.deferred: dict[Variable, dict[ast.AST, Canonical]] = {}
        """The functions behind a variable, whose bodies are run when it is used."""
        self.read_later: dict[str, dict[Reference, None]] = {}
        """What they read, for all that was ever defined at the top, even if it was bound to something else since."""

    def variable(self, name: str, scope: Scope) -> Variable | None:
        """The variable that `name` is in `scope`; None for one that ends with an expression or function."""
        owner = scope.owner(name)
        if owner is None:
            return name
        return (id(owner), name) if owner.kind == "class" else None

    def read(self, name: str, attributes: tuple[str, ...], scope: Scope) -> None:
        """The cell reads `name` and then the chain of `attributes`."""
        name = scope.mangle(name)
        attributes = tuple(map(scope.mangle, attributes))
        variable = self.variable(name, scope)
        if isinstance(variable, tuple):
            self.activate(variable)
            if self.bound is None or variable in self.bound or scope.outer_owner(name) is not None:
                return
            variable = name  # not bound in the class body yet, so it is looked for outside
        if variable is not None:
            self._charge(name, attributes)
            self.activate(variable)

    def _charge(self, name: str, attributes: tuple[str, ...]) -> None:
        if self.bound is None or name in self.bound or is_transparent(name):
            return
        self.reads.setdefault((name, attributes))
        if name in self.possible or self.star_imports:
            self.maybe.setdefault(name)

    def activate(self, variable: Variable) -> None:
        """Whatever `variable` holds may be called now: charge what it reads, and what that reads."""
        pending, seen = [variable], set()
        while pending:
            current = pending.pop()
            if current in seen:
                continue
            seen.add(current)
            for form in self.deferred.get(current, {}).values():
                self.possible.update(form.writes)
                for reference in form.references:
                    if not reference.free:
                        self._charge(reference.name, reference.attributes)
                        pending.append(reference.name)

    def bind(self, name: str, scope: Scope, statement: str = "") -> None:
        """The cell binds `name`; `statement` is the import that does, if one does."""
        name = scope.mangle(name)
        variable = self.variable(name, scope)
        if variable is None:
            return
        if self.bound is not None:
            self.bound.add(variable)
        self.possible.add(variable)
        if not self.branches:
            self.deferred.pop(variable, None)
        if isinstance(variable, str):
            self._leave_behind(name, statement)

    def _leave_behind(self, name: str, statement: str) -> None:
        self.binds.setdefault(name)
        if self.imports.setdefault(name, statement) != statement:
            self.imports[name] = ""
        if not self.branches:
            self.deletes.pop(name, None)

    def unbind(self, name: str, scope: Scope, *, deletes: bool = True) -> None:
        """`name` is not bound any more; `deletes`, whether the cell says so with ``del``."""
        name = scope.mangle(name)
        variable = self.variable(name, scope)
        if variable is None:
            return
        if deletes and isinstance(variable, str) and self.bound is not None and variable not in self.bound:
            self.takes.setdefault(name)
        if self.bound is not None:
            self.bound.discard(variable)
        if deletes and isinstance(variable, str):
            self.deletes.setdefault(name)
            if not self.branches:
                self.binds.pop(name, None)

    def defer(self, name: str, scope: Scope, forms: Mapping[ast.AST, Canonical]) -> None:
        """`name` now holds the functions `forms`, found by their nodes, or a class of which they are methods."""
        variable = self.variable(scope.mangle(name), scope)
        if variable is not None:
            self.deferred.setdefault(variable, {}).update(forms)
        for form in forms.values():
            for written in form.writes:
                self._leave_behind(written, "")
            if isinstance(variable, str):
                later = self.read_later.setdefault(variable, {})
                later.update(dict.fromkeys(reference for reference in form.references if not reference.free))

    def run(self, form: Canonical) -> None:
        """A function that has `form` may be called right now."""
        self.possible.update(form.writes)
        for reference in form.references:
            if not reference.free:
                self._charge(reference.name, reference.attributes)
                self.activate(reference.name)
        for written in form.writes:
            self._leave_behind(written, "")

    def take(self, place: int) -> dict[ast.AST, Canonical]:
        """All functions behind the variables of the class body whose scope has the identity `place`."""
        taken: dict[ast.AST, Canonical] = {}
        for variable in [v for v in self.deferred if isinstance(v, tuple) and v[0] == place]:
            taken |= self.deferred.pop(variable)
        return taken


def copy(bound: Bound) -> Bound:
    """A state that can be returned to."""
    return None if bound is None else set(bound)


def join(*ends: Bound) -> Bound:
    """What is bound whichever of the ways was taken; ways that come to no end don't count."""
    reached = [end for end in ends if end is not None]
    return set.intersection(*reached) if reached else None
