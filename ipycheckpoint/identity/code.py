"""What a live function is, as code: a Digest that moves only with what it does, and what it reaches.

The code that counts is the code that will run. Where the source at hand doesn't compile to it, the code object itself
is read; and a code object that was digested once keeps its Digest, whatever happens to its file.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, NamedTuple

from ipycheckpoint.digest import Digest, digest
from ipycheckpoint.identity.canonical import Canonical, canonical_form
from ipycheckpoint.identity.slots import Reference
from ipycheckpoint.identity.source import locate

if TYPE_CHECKING:
    from types import CodeType, FunctionType
    from typing import Any

__all__ = ["CodeForm", "Reference", "of_code", "of_function"]


class CodeForm(NamedTuple):
    """The code of one function. Its Digest says what each slot is used for, `references` what the slots mean."""

    digest: Digest
    references: tuple[Reference, ...]
    """Unique by name and attributes, in order of first appearance."""
    writes: tuple[str, ...]
    """Globals that it binds or deletes."""
    dynamic: bool
    """It may read and write names that can't be told: it calls ``eval`` or the like."""
    source: str | None
    """Dedented text, for explanations; None where only the code object is known."""
    name: str
    """The qualified name."""
    modules: tuple[Reference, ...] = ()
    """What it reads of modules that it imports itself; the name is the module's, with leading dots if relative."""


_forms: dict[int, tuple[weakref.ref[CodeType], CodeForm]] = {}


def of_function(function: FunctionType) -> CodeForm:
    """The form of a live function: from its source where that is provably what runs, else from its code object.

    >>> def twice(x):
    ...     return x * 2
    >>> of_function(twice).name, of_function(twice).references
    ('twice', ())
    """
    code = function.__code__
    known = _forms.get(id(code))
    if known is not None and known[0]() is code:
        return known[1]
    form = _form(code, function.__globals__)
    _remember(code, form)
    return form


def of_code(code: CodeType) -> CodeForm:
    """The form of a code object as such, on this minor version of Python; its source is not looked for."""
    from ipycheckpoint.identity.bytecode import form_of_code  # most code has its source

    return _of(form_of_code(code), "bytecode", None, code.co_qualname)


def _form(code: CodeType, module_globals: dict[str, Any]) -> CodeForm:
    located = locate(code, module_globals)
    if located is None:
        return of_code(code)
    return _of(canonical_form(located.node, located.scopes), "code", located.text, code.co_qualname)


def _of(canonical: Canonical, kind: str, source: str | None, name: str) -> CodeForm:
    return CodeForm(
        digest=digest(kind, canonical.form),
        references=canonical.references,
        writes=canonical.writes,
        dynamic=canonical.dynamic,
        source=source,
        name=name,
        modules=canonical.modules,
    )


def _remember(code: CodeType, form: CodeForm) -> None:
    # By identity, since code objects of different files may be equal; weakly, since a notebook makes many.
    place = id(code)

    def forget(reference: weakref.ref[CodeType]) -> None:
        known = _forms.get(place)
        if known is not None and known[0] is reference:
            del _forms[place]

    _forms[place] = (weakref.ref(code, forget), form)
