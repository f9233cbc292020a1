"""The flow of a cell: its statements in the order in which they run, told to the `Ledger`.

A name counts as bound only where that is certain on every path that leads there.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ipycheckpoint.identity.canonical import canonical_form
from ipycheckpoint.identity.ledger import Ledger, copy, join
from ipycheckpoint.identity.mentions import mentions
from ipycheckpoint.identity.source import text_of
from ipycheckpoint.identity.syntax import (
    Comprehension,
    Function,
    arguments_of,
    chain_of,
    decorator_name,
    import_target,
    is_ours,
    stored_root,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ipycheckpoint.identity.ledger import Bound
    from ipycheckpoint.identity.scopes import Scope, Scopes

NEVER_SWALLOW = frozenset(
    "open catch_warnings errstate option_context no_grad inference_mode Lock RLock TemporaryDirectory"
    " NamedTemporaryFile TemporaryFile ThreadPoolExecutor ProcessPoolExecutor Pool closing"
    " redirect_stdout redirect_stderr tqdm rc_context localcontext nullcontext ZipFile ExcelWriter".split()
)
"""Context managers, by the last part of their name, that let every exception of their body out."""

LAZY_DECORATORS = frozenset(
    "checkpoint dataclass property cached_property staticmethod classmethod abstractmethod overload override final"
    " setter getter deleter cache lru_cache wraps total_ordering contextmanager asynccontextmanager singledispatch"
    " njit jit".split()
)
"""Decorators, by the last part of their name, that don't call what they decorate."""


@dataclass(slots=True)
class _Loop:
    """What is bound where a loop is left or taken up again early."""

    breaks: list[Bound] = field(default_factory=list)
    continues: list[Bound] = field(default_factory=list)


class _Bind(NamedTuple):
    name: str


_Step = ast.AST | _Bind | Literal["enter", "leave"]
"""What is left to do of an expression; what is between `enter` and `leave` may not be run."""


class Flow:
    """Follows a cell once, statement by statement."""

    def __init__(self, scopes: Scopes, lines: list[str]) -> None:
        self.scopes, self.lines = scopes, lines
        self.ledger = Ledger()
        self.defines: dict[str, str] = {}
        self.loops: list[_Loop] = []

    def evaluate(self, scope: Scope, *expressions: ast.AST | None) -> None:
        """Follow expressions in order of evaluation, however deep they are."""
        pending: list[tuple[_Step, Scope]] = [(e, scope) for e in reversed(expressions) if e is not None]
        saved: list[Bound] = []
        while pending:
            step, scope = pending.pop()
            if step == "enter":
                saved.append(copy(self.ledger.bound))
                self.ledger.branches += 1
            elif step == "leave":
                self.ledger.bound = saved.pop()
                self.ledger.branches -= 1
            elif isinstance(step, _Bind):
                self.ledger.bind(step.name, scope)
            elif isinstance(step, ast.AST):
                pending.extend(reversed(self._expression(step, scope)))

    def _expression(self, node: ast.AST, scope: Scope) -> list[tuple[_Step, Scope]]:
        match node:
            case ast.Name(id=name):
                self.ledger.read(name, (), scope)
                return []
            case ast.Attribute() if (chain := chain_of(node)) is not None:
                self.ledger.read(chain[0].id, chain[1], scope)
                return []
            case ast.BoolOp(values=[first, *rest]):
                return _steps(scope, first, "enter", *rest, "leave")
            case ast.Compare(left=left, comparators=[first, *rest]):
                return _steps(scope, left, first, "enter", *rest, "leave")
            case ast.IfExp():
                return _steps(scope, node.test, "enter", node.body, "leave", "enter", node.orelse, "leave")
            case ast.NamedExpr(target=target, value=value):
                return _steps(scope, value, _Bind(target.id))
            case ast.Dict():
                pairs = zip(node.keys, node.values, strict=True)
                return _steps(scope, *(part for pair in pairs for part in pair if part is not None))
            case ast.Lambda():
                self.ledger.run(canonical_form(node, self.scopes))
                return _steps(scope, *_defaults(node))
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                return self._comprehension(node, scope)
            case ast.Call():
                for name in mentions(node).names:
                    self.ledger.read(name, (), scope)
                return _steps(scope, node.func, *node.args, *(keyword.value for keyword in node.keywords))
        return _steps(scope, *ast.iter_child_nodes(node))

    def _comprehension(self, node: Comprehension, scope: Scope) -> list[tuple[_Step, Scope]]:
        inner = self.scopes.of(node)
        first, *rest = node.generators
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        clauses: list[_Step] = [*first.ifs]
        for generator in rest:
            clauses += [generator.iter, *generator.ifs]
        return [(first.iter, scope), *_steps(inner, "enter", *clauses, *results, "leave")]

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Follow statements one after the other."""
        for statement in body:
            self._statement(statement, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                self._assign(targets, value, scope)
            case ast.AnnAssign():
                if scope.kind == "class":
                    self.evaluate(scope, node.annotation)
                if node.value is not None:
                    self._assign([node.target], node.value, scope)
            case ast.AugAssign(target=target, value=value):
                if isinstance(target, ast.Name):
                    self.ledger.read(target.id, (), scope)
                    self.evaluate(scope, value)
                    self.ledger.bind(target.id, scope)
                else:
                    self._store(target, scope)
                    self.evaluate(scope, value)
            case ast.Delete(targets=targets):
                for deleted in targets:
                    self._store(deleted, scope, delete=True)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node, scope)
            case ast.ClassDef():
                self._class(node, scope)
            case ast.Import() | ast.ImportFrom():
                self._import(node, scope)
            case ast.If():
                self._if(node, scope)
            case ast.For() | ast.AsyncFor() | ast.While():
                self._loop(node, scope)
            case ast.Try() | ast.TryStar():
                self._try(node, scope)
            case ast.With() | ast.AsyncWith():
                self._with(node, scope)
            case ast.Match():
                self._match(node, scope)
            case ast.Raise():
                self.evaluate(scope, node.exc, node.cause)
                self.ledger.bound = None
            case ast.Break() | ast.Continue():
                if self.loops:
                    loop = self.loops[-1]
                    (loop.breaks if isinstance(node, ast.Break) else loop.continues).append(self.ledger.bound)
                self.ledger.bound = None
            case ast.Assert():
                # Under -O it isn't run.
                self._maybe(lambda: self.evaluate(scope, node.test, node.msg))
            case ast.Expr(value=value):
                self.evaluate(scope, value)
            case ast.Global() | ast.Nonlocal() | ast.Pass():
                pass
            case _:
                self._other(node, scope)

    def _other(self, node: Any, scope: Scope) -> None:
        if type(node).__name__ == "TypeAlias":
            self.evaluate(self.scopes.around(node, scope), *node.type_params, node.value)
            self.ledger.bind(node.name.id, scope)
        else:
            self.evaluate(scope, *ast.iter_child_nodes(node))

    def _maybe(self, run: Callable[[], None]) -> None:
        """What `run` follows may not happen."""
        before = copy(self.ledger.bound)
        self._branch(run)
        self.ledger.bound = join(self.ledger.bound, before)

    def _branch(self, run: Callable[[], None]) -> Bound:
        self.ledger.branches += 1
        run()
        self.ledger.branches -= 1
        return self.ledger.bound

    def _assign(self, targets: Sequence[ast.expr], value: ast.expr, scope: Scope) -> None:
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if isinstance(value, ast.Lambda) and len(names) == len(targets):
            self.evaluate(scope, *_defaults(value))
            for name in names:
                self.ledger.bind(name, scope)
                self.ledger.defer(name, scope, {value: canonical_form(value, self.scopes)})
            return
        self.evaluate(scope, value)
        for target in targets:
            self._store(target, scope)

    def _store(self, target: ast.expr, scope: Scope, *, delete: bool = False) -> None:
        match target:
            case ast.Name(id=name):
                if delete:
                    self.ledger.unbind(name, scope)
                else:
                    self.ledger.bind(name, scope)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._store(part, scope, delete=delete)
            case ast.Starred(value=rest):
                self._store(rest, scope)
            case ast.Attribute() | ast.Subscript():
                root = stored_root(target)
                if root is not None:
                    self.ledger.read(root.id, (), scope)
                self.evaluate(scope, *ast.iter_child_nodes(target))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        decorators = [decorator for decorator in node.decorator_list if not is_ours(decorator)]
        self.evaluate(scope, *decorators, *_defaults(node))
        if decorators:
            annotations = [argument.annotation for argument in arguments_of(node.args)]
            self.evaluate(self.scopes.around(node, scope), *annotations, node.returns)
        if not _is_lazy(node.decorator_list):
            self.ledger.run(canonical_form(node, self.scopes))
        self.ledger.bind(node.name, scope)
        self.ledger.defer(node.name, scope, {node: canonical_form(node, self.scopes)})
        self._define(node, scope)

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        inner = self.scopes.of(node)
        self.evaluate(scope, *(decorator for decorator in node.decorator_list if not is_ours(decorator)))
        self.evaluate(self.scopes.around(node, scope), *node.bases, *(keyword.value for keyword in node.keywords))
        self.block(node.body, inner)
        methods = self.ledger.take(id(inner))
        self.ledger.bind(node.name, scope)
        self.ledger.defer(node.name, scope, methods)
        if not _is_lazy(node.decorator_list):
            self.ledger.activate(self.ledger.variable(scope.mangle(node.name), scope) or node.name)
        self._define(node, scope)

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scope: Scope) -> None:
        if self.lines and scope.kind == "module":
            self.defines[node.name] = text_of(node, self.lines)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        for alias in node.names:
            name = import_target(node, alias)[0]
            single: ast.stmt = ast.Import([alias])
            if isinstance(node, ast.ImportFrom):
                single = ast.ImportFrom(node.module, [alias], node.level)
            statement = ast.unparse(single)
            if name == "*":
                self.ledger.star_imports.setdefault(statement)
            else:
                self.ledger.bind(name, scope, statement)

    def _if(self, node: ast.If, scope: Scope) -> None:
        ends: list[Bound] = []
        self.ledger.branches += 1
        while True:  # an `elif` is no deeper than its `if`
            self.evaluate(scope, node.test)
            otherwise = copy(self.ledger.bound)
            self.block(node.body, scope)
            ends.append(self.ledger.bound)
            self.ledger.bound = otherwise
            if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
                node = node.orelse[0]
                continue
            self.block(node.orelse, scope)
            break
        self.ledger.branches -= 1
        self.ledger.bound = join(self.ledger.bound, *ends)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, scope: Scope) -> None:
        endless = False
        runs = False
        if isinstance(node, ast.While):
            self.evaluate(scope, node.test)
            endless = runs = isinstance(node.test, ast.Constant) and bool(node.test.value)
        else:
            self.evaluate(scope, node.iter)
            runs = isinstance(node, ast.For) and _is_surely_nonempty(node.iter)
        entry = copy(self.ledger.bound)
        loop = _Loop()
        self.loops.append(loop)
        self.ledger.branches += 1
        known = self._known_functions()
        self._turn(node, scope)
        if self._known_functions() != known:
            # A later turn may call what this one has defined.
            self.ledger.bound = copy(entry)
            self._turn(node, scope)
        self.loops.pop()
        if endless:
            self.ledger.bound = None
        else:
            self.ledger.bound = join(self.ledger.bound, *loop.continues, *([] if runs else [entry]))
        self.block(node.orelse, scope)
        self.ledger.branches -= 1
        self.ledger.bound = join(self.ledger.bound, *loop.breaks)

    def _turn(self, node: ast.For | ast.AsyncFor | ast.While, scope: Scope) -> None:
        if not isinstance(node, ast.While):
            self._store(node.target, scope)
        self.block(node.body, scope)
        if isinstance(node, ast.While):
            self._maybe(lambda: self.evaluate(scope, node.test))

    def _known_functions(self) -> int:
        return sum(map(len, self.ledger.deferred.values()))

    def _try(self, node: ast.Try | ast.TryStar, scope: Scope) -> None:
        self.ledger.branches += 1
        # Wherever the body stops, this is bound.
        least = self._without(copy(self.ledger.bound), node.body, scope)
        self.block(node.body, scope)
        self.block(node.orelse, scope)
        ends = [self.ledger.bound]
        for handler in node.handlers:
            self.ledger.bound = copy(least)
            self.evaluate(scope, handler.type)
            if handler.name is not None:
                self._catch(handler.name, scope)
            self.block(handler.body, scope)
            if handler.name is not None:
                self.ledger.unbind(handler.name, scope, deletes=False)
            ends.append(self.ledger.bound)
        after = join(*ends)
        if node.finalbody:
            rest = [*node.orelse, *(statement for handler in node.handlers for statement in handler.body)]
            least = self._without(least, rest, scope)
            self.ledger.bound = copy(least)
            self.block(node.finalbody, scope)
            if self.ledger.bound is None or after is None or least is None:
                after = None
            else:
                after = self._without(after | (self.ledger.bound - least), node.finalbody, scope)
        self.ledger.bound = after
        self.ledger.branches -= 1

    def _catch(self, name: str, scope: Scope) -> None:
        """A handler binds a name only for as long as it runs."""
        variable = self.ledger.variable(scope.mangle(name), scope)
        if variable is not None:
            self.ledger.possible.add(variable)
            if self.ledger.bound is not None:
                self.ledger.bound.add(variable)

    def _without(self, bound: Bound, body: Sequence[ast.stmt], scope: Scope) -> Bound:
        """`bound` less all that `body` may delete."""
        if bound is None:
            return None
        return bound - {self.ledger.variable(scope.mangle(name), scope) for name in _deleted(body)}

    def _with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> None:
        for item in node.items:
            self.evaluate(scope, item.context_expr)
            if item.optional_vars is not None:
                self._store(item.optional_vars, scope)
        if all(
            isinstance(item.context_expr, ast.Call) and decorator_name(item.context_expr) in NEVER_SWALLOW
            for item in node.items
        ):
            self.block(node.body, scope)
        else:
            swallowed = self._without(copy(self.ledger.bound), node.body, scope)
            self._branch(lambda: self.block(node.body, scope))
            self.ledger.bound = join(self.ledger.bound, swallowed)

    def _match(self, node: ast.Match, scope: Scope) -> None:
        self.evaluate(scope, node.subject)
        ends: list[Bound] = []
        self.ledger.branches += 1
        for case in node.cases:
            otherwise = copy(self.ledger.bound)
            for part in ast.walk(case.pattern):
                if isinstance(part, ast.MatchValue):
                    self.evaluate(scope, part.value)
                elif isinstance(part, ast.MatchMapping):
                    self.evaluate(scope, *part.keys)
                elif isinstance(part, ast.MatchClass):
                    self.evaluate(scope, part.cls)
            for name in _captures(case.pattern):
                self.ledger.bind(name, scope)
            self.evaluate(scope, case.guard)
            self.block(case.body, scope)
            ends.append(self.ledger.bound)
            always = isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None
            self.ledger.bound = None if always else otherwise
        self.ledger.branches -= 1
        self.ledger.bound = join(self.ledger.bound, *ends)


def _steps(scope: Scope, *steps: _Step) -> list[tuple[_Step, Scope]]:
    return [(step, scope) for step in steps]


def _defaults(node: Function) -> list[ast.expr]:
    return [default for default in (*node.args.defaults, *node.args.kw_defaults) if default is not None]


def _is_lazy(decorators: Iterable[ast.expr]) -> bool:
    return all(decorator_name(decorator) in LAZY_DECORATORS for decorator in decorators)


def _captures(pattern: ast.pattern) -> list[str]:
    parts = ast.walk(pattern)
    names = [getattr(part, "rest" if isinstance(part, ast.MatchMapping) else "name", None) for part in parts]
    return [name for name in names if name is not None]


def _deleted(body: Sequence[ast.stmt]) -> set[str]:
    names: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del):
                names.add(node.id)
            elif isinstance(node, ast.ExceptHandler) and node.name is not None:
                names.add(node.name)
    return names


def _is_surely_nonempty(node: ast.expr) -> bool:
    """Whether a loop over `node` has at least one turn: a display, or ``range`` of constants."""
    match node:
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return any(not isinstance(item, ast.Starred) for item in items)
        case ast.Dict(keys=keys):
            return any(key is not None for key in keys)
        case ast.Constant(value=str() | bytes() as value):
            return len(value) > 0
        case ast.Call(func=ast.Name(id="range"), args=arguments, keywords=[]):
            try:
                return len(range(*map(ast.literal_eval, arguments))) > 0
            except (ValueError, TypeError):
                return False
    return False
