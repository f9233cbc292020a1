"""A cell that is about to run, and what its record calls the things that are no variables."""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

from ipycheckpoint.engine.ambient.saying import Code
from ipycheckpoint.identity.closure import resolve, unwrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipycheckpoint.identity.names import CellForm
    from ipycheckpoint.identity.work import Work

SHOWN = "="
"""The name, in a record, of the value of the last expression: no variable can be called so."""

AMBIENT = "~"
"""What the name of an aspect of the ambient state begins with in a record, and where a Trace tells of them."""

ASSUMED = "assumed"
"""Where a Trace tells what names were, of which nobody knows whether the cell bound them to that again."""

SHARING = "sharing"
"""Where a Trace tells what the inputs had in common."""

TAKEN = "taken"
"""Where a Trace tells which names a function deleted."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is about to run: its form, its Work, and the namespace it runs in."""

    form: CellForm
    work: Work
    namespace: dict[str, Any]
    is_users_name: Callable[[str], bool]
    """Whether a name is the user's, not the shell's own (``In``, ``_``, ``get_ipython``)."""
    outputs: frozenset[str] | None = None
    """Where given, the only names to keep."""
    exclude: frozenset[str] = frozenset()

    def live(self) -> dict[int | str, object]:
        """The live objects that outputs may be linked to: inputs by position, functions and classes by slot.

        Those that are only reached through others go by their place among all the code that is reached.
        """
        roots: dict[int | str, object] = {}
        roots.update(self.work.values.items())
        place = id(self.namespace)
        for slot, reference in enumerate(self.form.reads):
            for reached in resolve(reference, self.namespace, place):
                if isinstance(reached.value, type | FunctionType):
                    roots[f"slot {slot}"] = self.namespace.get(reference.name, reached.value)
        if self.form.dynamic:
            # It may read any name, and none can be called otherwise without its being another cell.
            names = {name: value for name, value in self.namespace.items() if self.is_users_name(name)}
            callables = sorted((n, v) for n, v in names.items() if isinstance(unwrap(v), type | FunctionType))
            roots.update((f"name {name}", value) for name, value in callables)
        roots.update((f"code {position}", value) for position, value in enumerate(self.work.code))
        return roots

    def holders(self) -> list[tuple[str, object]]:
        """The functions, classes and modules that the cell reaches, and the classes of its other inputs, by name."""
        names = [reference.name for reference in self.form.reads if reference.name in self.namespace]
        ingredients = self.work.identity.ingredients
        classes = [(ingredients[position].name, type(value)) for position, value in self.work.values.items()]
        code = [(getattr(value, "__qualname__", "code"), value) for value in self.work.code]
        return [*code, *classes, *((name, self.namespace[name]) for name in names)]  # the last name is the one to tell

    def code(self) -> Code:
        """What its code says, and that of its helpers."""
        return Code.of(self.form, self.work, self.namespace)

    def keeps(self, name: str) -> bool:
        """Whether the user wants `name` among the outputs."""
        return name not in self.exclude and (self.outputs is None or name in self.outputs)

    def run_import(self, statement: str) -> dict[str, Any]:
        """What an import statement of the cell binds, without binding it."""
        scratch = {name: self.namespace.get(name) for name in ("__name__", "__package__", "__spec__")}
        given = set(scratch)
        exec(statement, scratch)  # noqa: S102 - an import statement of the cell itself or of a signed record
        return {name: value for name, value in scratch.items() if name not in given and name != "__builtins__"}
