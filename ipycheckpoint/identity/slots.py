"""Slots: variables as numbers in order of first appearance, with a note of what each stands for."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, NamedTuple

from ipycheckpoint.identity.scopes import Scope, Scopes, Use, is_dynamic, stronger
from ipycheckpoint.identity.tokens import frame

if TYPE_CHECKING:
    from collections.abc import Iterable

_TRANSPARENT = {"get_ipython"}


class Reference(NamedTuple):
    """A global, or a free variable, that code reaches."""

    name: str
    """As the namespace has it: private names are mangled."""
    attributes: tuple[str, ...]
    """The longest chain of attributes that is read: ``config.db.HOST`` gives ``("db", "HOST")``."""
    free: bool = False
    """A closure cell of the function rather than a global."""
    use: Use = "passed"
    """What the code does with it, at its most revealing: the same thing is reached, whatever is done with it."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self._reached == other._reached

    def __hash__(self) -> int:
        return hash(self._reached)

    @property
    def _reached(self) -> tuple[str, tuple[str, ...], bool]:
        return self.name, self.attributes, self.free


class Variable(NamedTuple):
    """One appearance of a variable."""

    name: str
    attributes: tuple[str, ...] = ()
    """The chain that is read from it."""
    reads: bool = False
    use: Use = "passed"


def is_transparent(name: str) -> bool:
    """Whether `name` belongs to the machinery that runs the code and is no input to it."""
    return name in _TRANSPARENT or name.startswith("__ipycheckpoint__")


class Slots:
    """The variables of the code at `root`, which has `scope`."""

    def __init__(self, scopes: Scopes, root: ast.AST) -> None:
        inside = list(scopes.of(root).subtree())
        self.module = scopes.module
        self.inside = set(map(id, inside))
        self.dynamic = is_dynamic(scopes.of(root))
        self.written = {name for scope in inside for name in scope.bound & scope.globals}
        if isinstance(root, ast.Module):
            self.written |= scopes.module.bound
        self.references: dict[tuple[str, tuple[str, ...], bool], Reference] = {}
        self.modules: dict[Reference, Reference] = {}
        self.writes: dict[str, None] = {}
        self.silent = False
        """Whether what is reached from here on counts for nothing."""
        self.settled: set[tuple[int, str]] = set()
        self._numbers: dict[tuple[bytes, int, str], int] = {}
        self._counts = {b"L": 0, b"F": 0, b"G": 0}

    def write(self, variable: Variable, scope: Scope) -> bytes:
        """The token of `variable` where it appears in `scope`; what it reaches is noted."""
        name = scope.mangle(variable.name)
        owner = scope.owner(name)
        token = self._token(name, owner)
        if variable.reads:
            self._read(name, tuple(map(scope.mangle, variable.attributes)), scope, owner, variable.use)
        elif owner is None:
            if not _is_top(scope):
                self.writes.setdefault(name)
        elif id(owner) not in self.inside:
            self._refer(name, (), owner, "passed")
        return token

    def change(self, name: str, scope: Scope) -> None:
        """The object that `name` stands for is read as a whole and changed."""
        name = scope.mangle(name)
        self._refer(name, (), scope.owner(name), "passed")

    def settle(self, names: Iterable[str], scope: Scope) -> None:
        """From here on `names` are surely bound in the class body `scope`."""
        self.settled.update((id(scope), scope.mangle(name)) for name in names)

    def _read(self, name: str, attributes: tuple[str, ...], scope: Scope, owner: Scope | None, use: Use) -> None:
        self._refer(name, attributes, owner, use)
        if owner is scope and scope.kind == "class" and (id(scope), name) not in self.settled:
            # What a class body reads before it binds it comes from outside.
            self._refer(name, attributes, scope.outer_owner(name), use)
        if name == "super" and owner is None and (cell := scope.owner("__class__")) is not None:
            self._refer("__class__", (), cell, "passed")

    def _token(self, name: str, owner: Scope | None) -> bytes:
        if owner is None:
            if name in self.written or self.dynamic or is_transparent(name):
                return frame(b"g", name.encode())
            return self._numbered(b"G", 0, name)
        if id(owner) in self.inside:
            if owner.kind == "class":
                return frame(b"a", name.encode())
            return self._numbered(b"L", id(owner), name)
        return self._numbered(b"F", id(owner), name)

    def _numbered(self, kind: bytes, place: int, name: str) -> bytes:
        slot = (kind, place, name)
        if slot not in self._numbers:
            self._numbers[slot] = self._counts[kind]
            self._counts[kind] += 1
        shown = f":{name}" if self.dynamic else ""
        return frame(kind, f"{self._numbers[slot]}{shown}".encode())

    def _refer(self, name: str, attributes: tuple[str, ...], owner: Scope | None, use: Use) -> None:
        if self.silent:
            return
        holder = owner or self.module
        if id(holder) in self.inside:
            for module, path in holder.imports.get(name, ()):
                imported = Reference(module, path + attributes, use=use)
                _strengthen(self.modules, imported, imported)
        is_free = owner is not None and id(owner) not in self.inside
        if is_free or (owner is None and not is_transparent(name)):
            reference = Reference(name, attributes, is_free, use)
            _strengthen(self.references, (name, attributes, is_free), reference)

    def imports(self, module: str) -> None:
        """All names of `module` are imported."""
        imported = Reference(module, ())
        _strengthen(self.modules, imported, imported)


def _strengthen(known: dict[Any, Reference], key: Any, reference: Reference) -> None:
    before = known.get(key)
    use = stronger(before.use if before else None, reference.use)
    known[key] = reference._replace(use=use)


def _is_top(scope: Scope) -> bool:
    """Whether what is bound in `scope` is bound at the top of the module: comprehensions there bind by ``:=``."""
    while scope.kind == "comprehension" and scope.parent is not None:
        scope = scope.parent
    return scope.kind == "module"
