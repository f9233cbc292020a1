"""The canonical form of a syntax tree: the same bytes for code that does the same under other names and layout.

A form is a sequence of framed tokens in the order of a walk, and no two different trees (up to what is left out on
purpose) have the same one: a node says its type and how many of its fields follow, a list how many items, a string how
many bytes. Empty fields are not written, so a field that a later Python adds changes nothing.

A variable is written as a slot, numbered in order of first appearance; slots of locals, of closure cells and of globals
are counted apart. A name is kept where it can be seen at run time: attributes, keywords, names in class bodies, globals
that the code binds, classes, functions and parameters of functions that do more inside the code than being called,
and everything where the code asks for names (`is_dynamic`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ipycheckpoint.identity.mentions import mentions
from ipycheckpoint.identity.scopes import Scope, Scopes, Use, use_of
from ipycheckpoint.identity.slots import Reference, Slots, Variable
from ipycheckpoint.identity.syntax import (
    Comprehension,
    Function,
    arguments_of,
    body_of,
    certainly_bound,
    chain_of,
    import_target,
    is_ours,
    pieces_of,
    stored_root,
)
from ipycheckpoint.identity.tokens import constant, frame, text

_UNWRITTEN = {"ctx", "kind", "type_comment", "type_ignores"}


class Canonical(NamedTuple):
    """A canonical form, and what its slots stand for."""

    form: bytes
    references: tuple[Reference, ...]
    """Unique by name and attributes, in order of first appearance."""
    writes: tuple[str, ...]
    """Globals that functions bind or delete through ``global``."""
    modules: tuple[Reference, ...]
    """What is read of modules that the code itself imports; the name is the module's as written, dots included."""
    dynamic: bool


def canonical_form(node: ast.AST, scopes: Scopes | None = None) -> Canonical:
    """The canonical form of a module (a cell), class or function.

    `scopes` are those of the whole tree that holds `node`. A function stands for what it does when called: its name,
    the values of its defaults and what its decorators refer to are not in it, as its definition has settled them.

    >>> first = canonical_form(ast.parse("def f(x): return x * 2  # doubles").body[0])
    >>> second = canonical_form(ast.parse("def g(y: int): return (y * 2)").body[0])
    >>> first.form == second.form
    True
    """
    if scopes is None:
        scopes = Scopes(node)
    return _Writer(scopes, node).canonical()


class _Token(NamedTuple):
    """Bytes to be written as they are."""

    content: bytes


class _Settled(NamedTuple):
    """From here on the names are surely bound in the class body."""

    names: tuple[str, ...]


class _Silence(NamedTuple):
    """Whether references are to be left out from here on."""

    on: bool


Item = ast.AST | list[Any] | str | int | None | _Token | Variable | _Settled | _Silence
Items = Iterable[tuple[Item, Scope]]


class _Writer:
    """Writes one form. What is still to be written is on a stack, so that depth is no matter."""

    def __init__(self, scopes: Scopes, root: ast.AST) -> None:
        self.scopes, self.root = scopes, root
        self.scope = scopes.of(root)
        self.slots = Slots(scopes, root)
        self.out: list[bytes] = []
        self.kept: set[ast.AST] = set()

    def canonical(self) -> Canonical:
        outer = self.scope.parent or self.scope
        stack: list[tuple[Item, Scope]] = [(self.root, outer)]
        while stack:
            item, scope = stack.pop()
            items = list(self._write(item, scope))
            stack.extend(reversed(items))
        return Canonical(
            b"".join(self.out),
            tuple(self.slots.references.values()),
            tuple(self.slots.writes),
            tuple(self.slots.modules.values()),
            self.slots.dynamic,
        )

    def _write(self, item: Item, scope: Scope) -> Items:
        match item:
            case ast.AST():
                handler = _HANDLERS.get(type(item).__name__, _Writer._node)
                return handler(self, item, scope)
            case _Token(content):
                self.out.append(content)
            case Variable():
                self.out.append(self.slots.write(item, scope))
            case _Settled(names):
                self.slots.settle(names, scope)
            case _Silence(on):
                self.slots.silent = on
            case list():
                return self._list(item, scope)
            case str():
                self.out.append(text(item))
            case _:
                self.out.append(constant(item))
        return ()

    def _open(self, name: str, count: int) -> None:
        self.out.append(frame(b"(", f"{name} {count}".encode()))

    def _node(self, node: ast.AST, scope: Scope, **instead: Item) -> Items:
        fields = {
            name: instead.get(name, value)
            for name, value in ast.iter_fields(node)
            if name not in _UNWRITTEN and value is not None and value != []
        }
        self._open(type(node).__name__, len(fields))
        return [(item, scope) for name, value in fields.items() for item in (name, value)]

    def _list(self, items: list[Any], scope: Scope) -> Items:
        kept = [item for item in items if not _is_idle(item, scope)]
        self.out.append(frame(b"[", str(len(kept)).encode()))
        return [(item, scope) for item in kept]

    def _constant(self, node: ast.Constant, _scope: Scope) -> Items:
        self.out.append(constant(node.value))
        return ()

    def _match_singleton(self, node: ast.MatchSingleton, _scope: Scope) -> Items:
        self._open("MatchSingleton", 1)
        self.out.append(constant(node.value))
        return ()

    def _joined(self, node: ast.JoinedStr, scope: Scope) -> Items:
        # Where the pieces of text are cut, and whether empty ones are there, differs between versions.
        pieces = pieces_of(node)
        self._open("JoinedStr", len(pieces))
        return [(_Token(constant(piece)) if isinstance(piece, str) else piece, scope) for piece in pieces]

    def _formatted(self, node: ast.FormattedValue, scope: Scope) -> Items:
        form = node.format_spec
        written = form is not None and not (isinstance(form, ast.JoinedStr) and not pieces_of(form))
        self._open("FormattedValue", 2 + written)
        items: list[Item] = [node.value, node.conversion, *([form] if written else [])]
        return [(item, scope) for item in items]

    def _name(self, node: ast.Name, scope: Scope) -> Items:
        reads = isinstance(node.ctx, ast.Load)
        return [(Variable(node.id, reads=reads), scope)]

    def _attribute(self, node: ast.Attribute, scope: Scope, use: Use = "passed") -> Items:
        if isinstance(node.ctx, ast.Load) and (chain := chain_of(node)) is not None:
            root, attributes = chain
            self._open("chain", len(attributes))
            self.out.extend(text(scope.mangle(attribute)) for attribute in attributes)
            return [(Variable(root.id, attributes, reads=True, use=use), scope)]
        self._change(node, scope)
        return self._node(node, scope, attr=scope.mangle(node.attr))

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Items:
        self._change(node, scope)
        return self._node(node, scope)

    def _change(self, node: ast.Attribute | ast.Subscript, scope: Scope) -> None:
        root = None if isinstance(node.ctx, ast.Load) else stored_root(node)
        if root is not None:
            self.slots.change(root.id, scope)

    def _augmented(self, node: ast.AugAssign, scope: Scope) -> Items:
        if isinstance(node.target, ast.Name):
            self.slots.change(node.target.id, scope)
        return self._node(node, scope)

    def _call(self, node: ast.Call, scope: Scope) -> Items:
        mentioned = mentions(node).names
        self._open("Call", 3 + bool(mentioned))
        callee: Items
        if isinstance(node.func, ast.Name):
            callee = [(Variable(node.func.id, reads=True, use=use_of(node)), scope)]
        elif isinstance(node.func, ast.Attribute) and chain_of(node.func) is not None:
            callee = self._attribute(node.func, scope, use_of(node))
        else:
            callee = [(node.func, scope)]
        items: list[tuple[Item, Scope]] = [*callee, (node.args, scope), (node.keywords, scope)]
        if mentioned:
            # The string keeps the name, so the slot that it means is written beside it.
            items.append((_Token(frame(b"[", str(len(mentioned)).encode())), scope))
            for name in mentioned:
                items += [(_Token(text(name)), scope), (Variable(name, reads=True), scope)]
        return items

    def _keyword(self, node: ast.keyword, scope: Scope) -> Items:
        return self._node(node, scope, **({"arg": scope.mangle(node.arg)} if node.arg else {}))

    # Statements that bind names

    def _named(self, node: Any, scope: Scope) -> Items:
        """A handler, pattern or type parameter: its `name` or `rest` is a variable."""
        label = "rest" if isinstance(node, ast.MatchMapping) else "name"
        name = getattr(node, label)
        return self._node(node, scope, **({label: Variable(name)} if name is not None else {}))

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> Items:
        self._open(type(node).__name__, len(node.names))
        if isinstance(node, ast.ImportFrom):
            self.out += [text(node.module or ""), constant(node.level)]
        items: list[tuple[Item, Scope]] = []
        for alias in node.names:
            name, module, _ = import_target(node, alias)
            # `import a.b as c` binds another module than `import a.b` does.
            whole = isinstance(node, ast.Import) and alias.asname is None
            items += [(_Token(text(alias.name) + constant(whole)), scope)]
            if name == "*":
                self.slots.imports(module)
            else:
                items.append((Variable(name), scope))
        return items

    def _annotated(self, node: ast.AnnAssign, scope: Scope) -> Items:
        if scope.kind == "class" or node.value is None:
            return self._node(node, scope)
        self._open("Assign", 2)
        self._keep_lambda(node.value, scope)
        items: list[Item] = ["targets", [node.target], "value", node.value]
        return [(item, scope) for item in items]

    def _assign(self, node: ast.Assign, scope: Scope) -> Items:
        self._keep_lambda(node.value, scope)
        return self._node(node, scope)

    def _keep_lambda(self, value: ast.expr, scope: Scope) -> None:
        # What a cell leaves behind may be called with keywords by any other.
        if scope.kind == "module":
            self.kept.add(value)

    def _alias(self, node: Any, scope: Scope) -> Items:
        around = self.scopes.around(node, scope)
        self._open("TypeAlias", 3)
        return [(node.name, scope), (node.type_params, around), (node.value, around)]

    def _class(self, node: ast.ClassDef, scope: Scope) -> Items:
        inner = self.scopes.of(node)
        around = self.scopes.around(node, scope)
        self._open("ClassDef", 6)
        head: list[tuple[Item, Scope]] = []
        if node is not self.root:
            head = [(node.name, scope), (Variable(node.name), scope)]
        decorators = [decorator for decorator in node.decorator_list if not is_ours(decorator)]
        body = [statement for statement in body_of(node) if not _is_idle(statement, inner)]
        inside: list[tuple[Item, Scope]] = [(_Token(frame(b"[", str(len(body)).encode())), inner)]
        for statement in body:
            inside += [(statement, inner), (_Settled(tuple(certainly_bound(statement))), inner)]
        return [
            *head,
            (decorators, scope),
            (list(getattr(node, "type_params", ())), around),
            (node.bases, around),
            (node.keywords, around),
            *inside,
        ]

    def _module(self, node: ast.Module, _scope: Scope) -> Items:
        self._open("Module", 1)
        return [(body_of(node), self.scopes.module)]

    def _comprehension(self, node: Comprehension, scope: Scope) -> Items:
        inner = self.scopes.of(node)
        self._open(type(node).__name__, len(node.generators))
        items: list[tuple[Item, Scope]] = []
        for index, generator in enumerate(node.generators):
            items += [
                (generator.iter, scope if index == 0 else inner),
                (generator.target, inner),
                (generator.ifs, inner),
                (generator.is_async, inner),
            ]
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        return [*items, *((result, inner) for result in results)]

    # Functions

    def _function(self, node: Function, scope: Scope) -> Items:
        inner = self.scopes.of(node)
        around = self.scopes.around(node, scope)
        is_root = node is self.root
        self._open(type(node).__name__, 0)
        items: list[tuple[Item, Scope]] = [(_Silence(True), scope)] if is_root else []
        decorated = False
        if not isinstance(node, ast.Lambda):
            decorators = [decorator for decorator in node.decorator_list if not is_ours(decorator)]
            decorated = bool(decorators)
            if not is_root:
                items += [(_Token(constant(self._seen_name(node, scope, decorated))), scope)]
                items += [(Variable(node.name), scope)]
            items += [(decorators, scope), (list(getattr(node, "type_params", ())), around)]
        keep = not is_root and self._shows_parameters(node, scope, decorated)
        items += self._parameters(node, scope, inner, keep=keep)
        if decorated:
            # A decorator may look at annotations; without one nothing is known to.
            annotations = [argument.annotation for argument in arguments_of(node.args)]
            items += [([*annotations, getattr(node, "returns", None)], around)]
        if is_root:
            items.append((_Silence(False), scope))
        items.append((body_of(node) if not isinstance(node, ast.Lambda) else node.body, inner))
        return items

    def _seen_name(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope, decorated: bool) -> str | None:
        """The name of a function where code may see it as ``__name__``."""
        owner = scope.owner(scope.mangle(node.name))
        use = owner.users.get(scope.mangle(node.name)) if owner is not None and owner.kind != "class" else "passed"
        return node.name if decorated or use == "passed" else None

    def _shows_parameters(self, node: Function, scope: Scope, decorated: bool) -> bool:
        """Whether the names of parameters can matter: someone may call by keyword or look at the signature."""
        if isinstance(node, ast.Lambda):
            return node in self.kept or len(arguments_of(node.args)) > 1
        owner = scope.owner(scope.mangle(node.name))
        if decorated or owner is None or owner.kind == "class":
            return True
        return owner.users.get(scope.mangle(node.name)) in {"keywords", "passed"}

    def _parameters(self, node: Function, scope: Scope, inner: Scope, *, keep: bool) -> Items:
        arguments = node.args
        shape = [
            len(arguments.posonlyargs),
            len(arguments.args),
            int(arguments.vararg is not None),
            len(arguments.kwonlyargs),
            int(arguments.kwarg is not None),
            len(arguments.defaults),
        ]
        items: list[tuple[Item, Scope]] = [(_Token(frame(b"p", " ".join(map(str, shape)).encode())), inner)]
        for argument in arguments_of(arguments):
            items.append((Variable(argument.arg), inner))
            if keep:
                items.append((_Token(text(argument.arg)), inner))
        if node is self.root:
            # The values of the defaults are seen on the live function; here it counts that they are there.
            present = [int(default is not None) for default in arguments.kw_defaults]
            return [*items, (_Token(frame(b"d", bytes(present))), inner)]
        return [*items, (list(arguments.defaults), scope), (list(arguments.kw_defaults), scope)]


_Handler = Callable[[_Writer, Any, Scope], Items]

_HANDLERS: dict[str, _Handler] = {
    "AnnAssign": _Writer._annotated,
    "Assign": _Writer._assign,
    "AsyncFunctionDef": _Writer._function,
    "Attribute": _Writer._attribute,
    "AugAssign": _Writer._augmented,
    "Call": _Writer._call,
    "ClassDef": _Writer._class,
    "Constant": _Writer._constant,
    "DictComp": _Writer._comprehension,
    "ExceptHandler": _Writer._named,
    "FormattedValue": _Writer._formatted,
    "FunctionDef": _Writer._function,
    "GeneratorExp": _Writer._comprehension,
    "Import": _Writer._import,
    "ImportFrom": _Writer._import,
    "JoinedStr": _Writer._joined,
    "Lambda": _Writer._function,
    "ListComp": _Writer._comprehension,
    "MatchAs": _Writer._named,
    "MatchMapping": _Writer._named,
    "MatchSingleton": _Writer._match_singleton,
    "MatchStar": _Writer._named,
    "Module": _Writer._module,
    "Name": _Writer._name,
    "ParamSpec": _Writer._named,
    "SetComp": _Writer._comprehension,
    "Subscript": _Writer._subscript,
    "TypeAlias": _Writer._alias,
    "TypeVar": _Writer._named,
    "TypeVarTuple": _Writer._named,
    "keyword": _Writer._keyword,
}


def _is_idle(item: Any, scope: Scope) -> bool:
    """Whether a statement does nothing when it is run: it only told whose a name is, or of what type."""
    if isinstance(item, ast.AnnAssign):
        return item.value is None and isinstance(item.target, ast.Name) and scope.kind != "class"
    return isinstance(item, ast.Global | ast.Nonlocal)
