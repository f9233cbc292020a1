"""Whose variable is a name? The scopes of a syntax tree, by the rules of the language.

A tree is analysed once; what a name means at a place is then asked of the `Scope` of that place. The analysis is
ours and not that of `symtable`, since that one differs between Python versions and works on text only.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Literal

from ipycheckpoint.identity.mentions import mentions
from ipycheckpoint.identity.syntax import Comprehension, Function, arguments_of, import_target

if TYPE_CHECKING:
    from collections.abc import Iterator

Use = Literal["called", "keywords", "passed"]
"""How code uses what a name stands for: it only calls it with positional arguments; it calls it with keywords, too, so
the names of its parameters count; or it does anything else with it, so its own name may count as well."""

USES: tuple[Use, ...] = ("called", "keywords", "passed")

_TYPE_PARAMETERS = {"TypeVar", "ParamSpec", "TypeVarTuple"}  # 3.12; 3.11 has no such nodes to name
READS_NAMES = frozenset({"locals", "vars", "eval", "exec", "dir", "globals"})
"""Builtins that read or write the names around them."""
READS_GLOBALS = frozenset({"eval", "exec", "globals"})
"""Those of them that, inside of a function, reach more than its own variables."""
READS_FRAMES = frozenset({"_getframe", "currentframe", "user_ns", "user_global_ns", "user_module"})
"""Attributes through which the names of any caller, or all those of the notebook, can be reached."""
NOTEBOOK = "__main__"
"""The module whose names are the notebook's: code that imports it may read and write any of them."""


class Scope:
    """The namespace of a module, class, function, comprehension or list of type parameters.

    `private` is the class whose name mangles ``__private`` names here.
    """

    def __init__(
        self,
        kind: Literal["module", "class", "function", "comprehension", "types"],
        parent: Scope | None = None,
        private: str = "",
    ) -> None:
        self.kind, self.parent, self.private = kind, parent, private
        self.bound: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.imports: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        """For a name bound by an import: modules, each with the attributes that lead from it to what is bound."""
        self.uses: dict[str, Use] = {}
        """How names are used in this scope, whoever owns them."""
        self.users: dict[str, Use] = {}
        """How the names that this scope owns are used, in it and in the scopes inside."""
        self.reflective = False
        """Something here reads names that no analysis can tell: a frame, or code in a string."""
        self.children: list[Scope] = []

    def owner(self, name: str) -> Scope | None:
        """The scope whose variable `name` is here; None for a global (or builtin).

        For ``__class__``, and so for ``super()``, it is the scope of the class.
        """
        if name in self.globals or self.kind == "module":
            return None
        if name in self.bound and name not in self.nonlocals:
            return self
        return self.outer_owner(name)

    def outer_owner(self, name: str) -> Scope | None:
        """The same, passing over what this scope itself binds."""
        adjacent = self.kind == "types"  # type parameters are the only ones to see the class around them
        crossing = self.kind != "class"
        scope = self.parent
        while scope is not None and scope.kind != "module":
            if scope.kind == "class":
                if crossing and name == "__class__":
                    return scope
                if adjacent and name in scope.bound:
                    return scope
            elif name in scope.globals:
                return None
            elif name in scope.bound and name not in scope.nonlocals:
                return scope
            crossing = crossing or scope.kind != "class"
            adjacent = adjacent and scope.kind == "types"
            scope = scope.parent
        return None

    def subtree(self) -> Iterator[Scope]:
        """This scope and all scopes inside it."""
        pending = [self]
        while pending:
            scope = pending.pop()
            yield scope
            pending.extend(scope.children)

    def mangle(self, name: str) -> str:
        """`name` as it is at run time: ``__x`` in class ``C`` is ``_C__x``."""
        return mangle(name, self.private) if self.private else name

    def note(self, name: str, use: Use) -> None:
        """Remember a use of `name`, unless a stronger one is known."""
        self.uses[name] = stronger(self.uses.get(name), use)


def stronger(known: Use | None, use: Use) -> Use:
    """The one of two uses that lets more be seen."""
    return use if known is None else max(known, use, key=USES.index)


def mangle(name: str, private: str) -> str:
    """`name` as the body of the class `private` has it.

    >>> mangle("__x", "_Tree"), mangle("__init__", "Tree")
    ('_Tree__x', '__init__')
    """
    stem = private.lstrip("_")
    if not stem or not name.startswith("__") or name.endswith("__") or "." in name:
        return name
    return f"_{stem}{name}"


class Scopes:
    """The scopes of a whole tree, each found by the node that opens it."""

    def __init__(self, tree: ast.AST) -> None:
        self.module = Scope("module")
        self._opened: dict[ast.AST, Scope] = {}
        self._types: dict[ast.AST, Scope] = {}
        _Analysis(self._opened, self._types).run(tree, self.module)
        for scope in self.module.subtree():
            for name, use in scope.uses.items():
                owner = scope.owner(name)
                if owner is not None:
                    owner.users[name] = stronger(owner.users.get(name), use)

    def of(self, node: ast.AST) -> Scope:
        """The scope that `node` opens: a function, class, comprehension, or the module itself."""
        return self.module if isinstance(node, ast.Module) else self._opened[node]

    def around(self, node: ast.AST, outer: Scope) -> Scope:
        """Where annotations and bases of `node` are evaluated: the scope of its type parameters, else `outer`."""
        return self._types.get(node, outer)


def use_of(call: ast.Call) -> Use:
    """How a call uses what it calls."""
    return "keywords" if call.keywords else "called"


class _Analysis:
    """One pass over a tree, without recursion: what is inside a node is put on a stack with its scope."""

    def __init__(self, opened: dict[ast.AST, Scope], types: dict[ast.AST, Scope]) -> None:
        self.opened, self.types = opened, types
        self.pending: list[tuple[ast.AST, Scope]] = []

    def run(self, tree: ast.AST, module: Scope) -> None:
        self.pending.append((tree, module))
        while self.pending:
            node, scope = self.pending.pop()
            self._visit(node, scope)

    def _later(self, scope: Scope, *nodes: ast.AST | None) -> None:
        self.pending.extend((node, scope) for node in nodes if node is not None)

    def _bind(self, name: str | None, scope: Scope) -> None:
        if name is not None:
            scope.bound.add(scope.mangle(name))

    def _open(self, node: ast.AST, kind: Any, parent: Scope, private: str | None = None) -> Scope:
        scope = Scope(kind, parent, parent.private if private is None else private)
        parent.children.append(scope)
        (self.types if kind == "types" else self.opened)[node] = scope
        return scope

    def _visit(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.Name():
                self._name(node, scope)
            case ast.Call():
                self._call(node, scope)
            case ast.Attribute(attr=attr):
                scope.reflective |= attr in READS_FRAMES
                self._later(scope, node.value)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._function(node, scope)
            case ast.ClassDef():
                self._bind(node.name, scope)
                self._later(scope, *node.decorator_list)
                around = self._type_parameters(node, scope)
                self._later(around, *node.bases, *node.keywords)
                self._later(self._open(node, "class", around, node.name), *node.body)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node, scope)
            case ast.NamedExpr(target=target, value=value):
                holder = scope
                while holder.kind == "comprehension" and holder.parent is not None:
                    holder = holder.parent
                self._later(holder, target)
                self._later(scope, value)
            case ast.Global(names=names):
                scope.globals.update(map(scope.mangle, names))
            case ast.Nonlocal(names=names):
                scope.nonlocals.update(map(scope.mangle, names))
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    name, module, attributes = import_target(node, alias)
                    scope.reflective |= module == NOTEBOOK
                    if name != "*":
                        self._bind(name, scope)
                        scope.imports.setdefault(scope.mangle(name), []).append((module, attributes))
            case _:
                self._other(node, scope)

    def _other(self, node: ast.AST, scope: Scope) -> None:
        kind = type(node).__name__
        if kind == "TypeAlias":
            around = self._type_parameters(node, scope, always=True)
            self._later(scope, node.name)  # type: ignore[attr-defined]  # 3.12 has it
            self._later(around, node.value)  # type: ignore[attr-defined]
            return
        if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) or kind in _TYPE_PARAMETERS:
            self._bind(node.name, scope)  # type: ignore[attr-defined]  # all of these have it
        elif isinstance(node, ast.MatchMapping):
            self._bind(node.rest, scope)
        self._later(scope, *ast.iter_child_nodes(node))

    def _name(self, node: ast.Name, scope: Scope) -> None:
        if isinstance(node.ctx, ast.Load):
            scope.note(scope.mangle(node.id), "passed")
        else:
            self._bind(node.id, scope)

    def _call(self, node: ast.Call, scope: Scope) -> None:
        self._later(scope, *node.args, *node.keywords)
        scope.reflective |= mentions(node).anything
        if not isinstance(node.func, ast.Name):
            self._later(scope, node.func)
            return
        name = scope.mangle(node.func.id)
        if name in {"vars", "dir"} and node.args and not isinstance(node.args[0], ast.Starred):
            return  # it looks at its argument, not at the names around it
        scope.note(name, use_of(node))

    def _type_parameters(self, node: Any, scope: Scope, *, always: bool = False) -> Scope:
        parameters = getattr(node, "type_params", ())
        if not parameters and not always:
            return scope
        around = self._open(node, "types", scope)
        self._later(around, *parameters)
        return around

    def _function(self, node: Function, scope: Scope) -> None:
        arguments = node.args
        around = scope
        if not isinstance(node, ast.Lambda):
            self._bind(node.name, scope)
            self._later(scope, *node.decorator_list)
            around = self._type_parameters(node, scope)
            self._later(around, node.returns)
        self._later(scope, *arguments.defaults, *arguments.kw_defaults)
        inner = self._open(node, "function", around)
        for argument in arguments_of(arguments):
            self._bind(argument.arg, inner)
            self._later(around, argument.annotation)
        self._later(inner, *(node.body if isinstance(node.body, list) else [node.body]))

    def _comprehension(self, node: Comprehension, scope: Scope) -> None:
        inner = self._open(node, "comprehension", scope)
        first, *rest = node.generators
        self._later(scope, first.iter)  # the one part that is evaluated outside
        self._later(inner, first.target, *first.ifs, *rest)
        self._later(inner, *((node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)))


def is_dynamic(root: Scope) -> bool:
    """Whether anything in `root` may read or write names that no analysis can tell."""
    return any(
        scope.reflective or any(scope.uses.get(name) and scope.owner(name) is None for name in READS_NAMES)
        for scope in root.subtree()
    )
