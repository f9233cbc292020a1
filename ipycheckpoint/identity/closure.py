"""What a function reaches: followed through everything that is the user's, by name elsewhere.

A function is a value like any other: its Shape is its code and, in order of appearance, what its code
reaches (globals, closure cells, attributes of local modules). So the walker of `values` follows helpers of
helpers, dicts of functions and recursion without knowing what a function is.
"""

from __future__ import annotations

import builtins
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from importlib.util import find_spec, resolve_name
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from ipycheckpoint.identity import code
from ipycheckpoint.identity.ownership import is_shells_own, is_users, is_users_file
from ipycheckpoint.identity.registry import shapes_of
from ipycheckpoint.identity.scopes import READS_FRAMES, READS_GLOBALS, READS_NAMES
from ipycheckpoint.identity.shapes import Shape
from ipycheckpoint.identity.sighting import Attributes, Variable

if TYPE_CHECKING:
    import functools
    from collections.abc import Callable, Iterator, Mapping

    from ipycheckpoint.identity.code import Reference
    from ipycheckpoint.identity.scopes import Use
    from ipycheckpoint.identity.sighting import Holder, Sighting


class Named(NamedTuple):
    """A thing that is known by its name alone: it is not the user's, or it isn't there at all."""

    name: str


class Reached(NamedTuple):
    """One thing that code reaches: its path as the code writes it, and what is found there."""

    path: str
    value: object
    """`Named`, or the live object."""
    place: tuple[int, str]
    """The identity of the namespace that holds it, and its path in there: the same place is the same thing."""
    use: Use = "passed"
    """What the code does with it."""

    def is_called_one_of(self, names: frozenset[str]) -> bool:
        """Whether `names` has its path, or the global that this begins with."""
        return bool(names) and not names.isdisjoint((self.path, self.path.partition(".")[0]))


UNBOUND = Named("")
"""Nothing has this name now; a run would raise NameError or bind it first."""

_SHELLS = {"IPython", "ipykernel"}

_ignored: ContextVar[frozenset[str]] = ContextVar("ignored", default=frozenset())


@contextmanager
def ignoring(names: frozenset[str]) -> Iterator[None]:
    """Let globals of these `names` count for nothing, wherever the functions inside a value reach them."""
    token = _ignored.set(names)
    try:
        yield
    finally:
        _ignored.reset(token)


def unwrap(value: object) -> object:
    """The function behind one of our own decorators; `value` itself otherwise."""
    while getattr(type(value), "__is_checkpoint__", False):
        value = value.__wrapped__  # type: ignore[attr-defined]  # a checkpoint has it
    return value


def is_users_function(value: object) -> TypeGuard[FunctionType]:
    """Whether `value` is a Python function whose code the user may edit."""
    return isinstance(value, FunctionType) and is_users(value.__globals__.get("__name__"))


def is_users_class(value: object) -> TypeGuard[type]:
    """Whether `value` is a class that the user may edit."""
    return isinstance(value, type) and is_users(value.__module__)


def references(
    function: FunctionType, form: code.CodeForm | None = None, sighting: Sighting | None = None
) -> Iterator[Reached]:
    """What the code of `function` reaches now, in order of appearance; the `sighting` is told where it was found."""
    form = form or code.of_function(function)
    namespace = function.__globals__
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for reference in form.references:
        cell = cells.get(reference.name) if reference.free else None
        if cell is not None:
            found = _contents(reference.name, cell)
            yield from resolve(reference, found, id(cell), sighting, Variable(cell))
        else:
            yield from resolve(reference, namespace, id(namespace), sighting)
    for reference in form.modules:
        yield from imported(reference, namespace, sighting)
    if sighting is not None:
        sighting.function(function)
        if _reaches_anything(form):
            sighting.doubt()
    if _reaches_anything(form):
        yield from _everything(namespace)


def _reaches_anything(form: code.CodeForm) -> bool:
    """Whether the code may read any global: it calls ``eval`` or the like, or looks at frames."""
    if not form.dynamic:
        return False
    names = {reference.name for reference in form.references}
    attributes = {name for reference in form.references for name in reference.attributes}
    # Code that only asks for its own variables (`"{a}".format(**locals())`) reaches no others.
    return bool(names & READS_GLOBALS or attributes & READS_FRAMES or not names & READS_NAMES)


def _everything(namespace: Mapping[str, object]) -> Iterator[Reached]:
    for name in sorted(namespace):
        value = namespace[name]
        machinery = type(getattr(value, "__self__", value)).__module__.partition(".")[0]
        if not is_shells_own(name) and machinery not in _SHELLS:
            yield Reached(name, by_name(unwrap(value)), (id(namespace), name))


def _contents(name: str, cell: Any) -> Mapping[str, object]:
    try:
        return {name: cell.cell_contents}
    except ValueError:  # an empty cell: its variable isn't bound yet
        return {name: UNBOUND}


def resolve(
    reference: Reference,
    namespace: Mapping[str, object],
    place: int,
    sighting: Sighting | None = None,
    holder: Holder | None = None,
) -> Iterator[Reached]:
    """Find what `reference` means in `namespace`: attributes are followed through modules only.

    An attribute of a function is one thing more that is reached, since code may count calls or keep state there; all
    are, where the code does anything with the function but call it. The `sighting` is told where everything was found;
    `holder`, where given, is what `namespace` is a picture of.
    """
    path = key = reference.name
    holder = namespace if holder is None else holder
    attributes = list(reference.attributes)
    if path in namespace:
        value = namespace[path]
    elif hasattr(builtins, path):
        value = Named(f"builtins.{path}")
    else:
        value = UNBOUND
    while attributes and isinstance(value, ModuleType):
        if sighting is not None:
            sighting.same(holder, key)
            _see_attributes(sighting, value, attributes)
        if not is_users(value.__name__):
            value = _patched(value, attributes) or Named(".".join((value.__name__, *attributes)))
            break
        holder, key = vars(value), attributes.pop(0)
        path = f"{path}.{key}"
        value = getattr(value, key, UNBOUND)
    behind = unwrap(value)
    reached = Reached(path, by_name(behind), (place, path), "passed" if attributes else reference.use)
    yield reached
    if sighting is not None:
        _see(sighting, holder, key, value, reached)
    if behind is not value:
        yield from _depends(value, path, place)
    if isinstance(behind, FunctionType):
        if sighting is not None and (attributes or reference.use == "passed"):
            sighting.bare(behind if value is behind else None)
        for name in attributes[:1] or (_own_attributes(behind) if reference.use == "passed" else []):
            if name in vars(value):
                yield Reached(f"{path}.{name}", by_name(unwrap(vars(value)[name])), (place, f"{path}.{name}"))


def _see(sighting: Sighting, holder: Holder, key: str, value: Any, reached: Reached) -> None:
    """Tell `sighting` of what was reached: known by name, code of the user's, or data."""
    behind = reached.value
    if isinstance(behind, Named):
        sighting.same(holder, key)
    elif is_users_function(behind) or is_users_class(behind):
        sighting.same(holder, key)
        if behind is not value:
            # One of our own decorators: it may be given another function, and what it watches isn't seen from here.
            sighting.same(Attributes(value), "__wrapped__")
            if value.__wrapped__ is not behind or value.depends():
                sighting.doubt()
    else:
        sighting.data(holder, key, reached.path, reached.place)


def _see_attributes(sighting: Sighting, module: ModuleType, attributes: list[str]) -> None:
    """Tell `sighting` of the attributes that lead on from a module."""
    if is_users(module.__name__):
        if attributes[0] not in vars(module):
            sighting.doubt()  # the module may make it when it is asked
        return
    found: object = module
    for attribute in attributes:
        if not isinstance(found, ModuleType):
            break
        # The user may have put something of his own there.
        sighting.same(vars(found), attribute)
        found = vars(found).get(attribute)


def _own_attributes(function: FunctionType) -> list[str]:
    """What code may have set, and reads where it is given the function or changes it."""
    return sorted(vars(function).keys() - {"__wrapped__"}) if is_users_function(function) else []


def _patched(module: ModuleType, attributes: list[str]) -> object | None:
    """What the user has put into an installed module under its own name: a function or class; None if nothing."""
    found: object = module
    for attribute in attributes:
        if not isinstance(found, ModuleType):
            return None
        found = unwrap(vars(found).get(attribute))  # not by getattr, which may import
    return found if is_users_function(found) or is_users_class(found) else None


def _depends(wrapper: Any, path: str, place: int) -> Iterator[Reached]:
    """What a checkpoint that is reached depends on besides its code: an outer one must not mask a change of it."""
    depends = wrapper.depends()
    if depends:
        path = f"{path}.<depends>"
        yield Reached(path, depends, (place, path))


def imported(
    reference: Reference, namespace: Mapping[str, object], sighting: Sighting | None = None
) -> Iterator[Reached]:
    """Find what an import inside the code of a function brings, whether the function has run before or not."""
    name = _absolute(reference.name, namespace)
    is_foreign = not _is_users_import(name)
    if sighting is not None:
        sighting.same(namespace, "__package__")
        sighting.same(sys.modules, name.partition(".")[0])
        if not is_foreign:
            sighting.doubt()
    if is_foreign:
        yield Reached(name, Named(".".join((name, *reference.attributes))), (id(sys.modules), name))
        return
    found = {name: _module_called(name, reference.attributes)}
    yield from resolve(reference._replace(name=name), found, id(sys.modules))


def _absolute(name: str, namespace: Mapping[str, object]) -> str:
    package = namespace.get("__package__")
    try:
        return resolve_name(name, package if isinstance(package, str) else None)
    except ImportError:  # no package to be relative to: the import will say so
        return name


def _is_users_import(name: str) -> bool:
    top = name.partition(".")[0]
    if top in sys.modules:
        return is_users(top)
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return False
    if spec is None or spec.origin in ("built-in", "frozen"):
        return False
    places = [spec.origin] if spec.origin is not None else list(spec.submodule_search_locations or ())
    return any(map(is_users_file, places))


def _module_called(name: str, attributes: tuple[str, ...]) -> object:
    # The code that will run can only be known by doing what the function itself does first.
    try:
        module = import_module(name)
        if attributes and not hasattr(module, attributes[0]) and hasattr(module, "__path__"):
            import_module(f"{name}.{attributes[0]}")
    except Exception:  # noqa: BLE001 - importing runs the user's code; if the function gets there, it will fail as well
        return sys.modules.get(name, UNBOUND)
    return module


def by_name(value: object) -> object:
    """`Named` for a module, class or function that is not the user's and holds nothing of the user's."""
    if isinstance(value, ModuleType):
        return value if is_users(value.__name__) else Named(value.__name__)
    if isinstance(value, type):
        return value if is_users(value.__module__) else Named(f"{value.__module__}.{value.__qualname__}")
    if isinstance(value, BuiltinFunctionType):
        owner = value.__self__
        if owner is None or isinstance(owner, ModuleType):
            return Named(f"{value.__module__}.{value.__qualname__}")
    if isinstance(value, FunctionType) and not is_users_function(value):
        if not value.__closure__:
            return Named(_foreign_name(value))
        if _is_installed(value):
            return Named(f"{value.__module__}.{value.__qualname__}")
    return value


def _foreign_name(function: FunctionType) -> str:
    # `functools.wraps` copies the module and name of what it wraps; the code knows whose it is.
    return f"{function.__globals__.get('__name__')}.{function.__code__.co_qualname}"


def _is_installed(function: FunctionType) -> bool:
    """Whether its name leads to it in an installed module, so that what it wraps is installed, too."""
    if is_users(function.__module__) or hasattr(function, "registry"):  # anyone may add to a `singledispatch`
        return False
    found: object = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function


class Wiring:
    """Collects which slot of a piece of code leads where, as fields of its encoding."""

    def __init__(self) -> None:
        self.fields: list[bytes] = []

    def name(self, named: Named) -> None:
        """The slot leads to something that is known by name."""
        self.fields.append(b"unbound" if named is UNBOUND else b"name:" + named.name.encode())

    def value(self, ordinal: int) -> None:
        """The slot leads to the value with this number."""
        self.fields.append(b"value:%d" % ordinal)

    def seen(self, function: FunctionType, use: Use) -> None:
        """What the code can tell of a function besides what it does: its parameters' names if it calls it by
        keywords, and its own name, too, if it does anything else with it.
        """
        if use != "called":
            self.fields += parameter_names(function)
        if use == "passed":
            self.fields.append(b"called:" + function.__name__.encode())

    def ignored(self) -> None:
        """The user said that what is there doesn't count."""
        self.fields.append(b"ignored")


def parameter_names(function: FunctionType) -> list[bytes]:
    """The names of the parameters, as fields of an encoding."""
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    return [b"parameter:" + name.encode() for name in code.co_varnames[:count]]


def _labelled(paths: list[str]) -> Callable[[int], str]:
    return lambda index: f".<{paths[index]}>"


@shapes_of("builtins.function")
def _function(function: FunctionType) -> Shape:
    if not is_users_function(function):
        return _foreign_function(function)
    form = code.of_function(function)
    wiring = Wiring()
    parts: list[object] = [function.__defaults__, function.__kwdefaults__]
    paths = ["defaults", "keyword defaults"]
    for reached in references(function, form):
        if reached.is_called_one_of(_ignored.get()):
            wiring.ignored()
        elif isinstance(reached.value, Named):
            wiring.name(reached.value)
        else:
            wiring.value(len(parts))
            parts.append(reached.value)
            paths.append(reached.path)
    # As a value it may be called in any way, and asked for its name and its attributes.
    wiring.seen(function, "passed")
    for name, value in _attributes(function):
        wiring.fields.append(b"attribute:" + name.encode())
        parts.append(by_name(unwrap(value)))
        paths.append(name)
    return Shape("function", (bytes.fromhex(form.digest), *wiring.fields), parts, _labelled(paths))


def _foreign_function(function: FunctionType) -> Shape:
    name = _foreign_name(function).encode()
    dispatched = getattr(function, "registry", None)
    if name.startswith(b"functools.singledispatch.") and dispatched is not None:
        by_type = sorted(dispatched.items(), key=lambda item: (item[0].__module__, item[0].__qualname__))
        kinds = [kind.__qualname__ for kind, _ in by_type]
        parts = [unwrap(part) for item in by_type for part in item]
        return Shape("singledispatch", (), parts, lambda index: f"[{kinds[index // 2]}]")
    cells = function.__closure__ or ()
    names = function.__code__.co_freevars
    held = {n: unwrap(c) for n, cell in zip(names, cells, strict=True) for c in _contents(n, cell).values()}
    return Shape("foreign function", (name,), list(held.values()), _labelled(list(held)))


@shapes_of("builtins.method")
def _method(method: MethodType) -> Shape:
    return Shape("method", (), [unwrap(method.__func__), method.__self__], lambda i: (".__func__", ".__self__")[i])


@shapes_of("builtins.staticmethod", "builtins.classmethod")
def _wrapping(method: staticmethod[..., Any] | classmethod[Any, ..., Any]) -> Shape:
    return Shape(type(method).__name__, (), [unwrap(method.__func__)], lambda _: ".__func__")


@shapes_of("functools.partial", "functools.partialmethod")
def _partial(partial: functools.partial[Any] | functools.partialmethod[Any]) -> Shape:
    attributes = _attributes(partial, besides=("func", "args", "keywords"))
    parts = [unwrap(partial.func), partial.args, partial.keywords, *(by_name(unwrap(value)) for _, value in attributes)]
    names = ["func", "args", "keywords", *(name for name, _ in attributes)]
    return Shape(type(partial).__name__, tuple(n.encode() for n in names[3:]), parts, lambda index: f".{names[index]}")


@shapes_of("functools._lru_cache_wrapper")
def _lru_cache(wrapper: Any) -> Shape:
    # What is cached in there follows from the function, and counts for nothing.
    attributes = _attributes(wrapper)
    names = ["__wrapped__", *(name for name, _ in attributes)]
    parts = [unwrap(wrapper.__wrapped__), *(by_name(unwrap(value)) for _, value in attributes)]
    return Shape("lru_cache", tuple(name.encode() for name in names[1:]), parts, lambda index: f".{names[index]}")


def _attributes(function: object, besides: tuple[str, ...] = ()) -> list[tuple[str, object]]:
    """What the user has set on a function, by name; not what `functools.wraps` has copied."""
    return [
        (name, vars(function)[name]) for name in sorted(vars(function)) if not is_special(name) and name not in besides
    ]


def is_special(name: str) -> bool:
    """Whether Python itself gives `name` a meaning."""
    return name.startswith("__") and name.endswith("__")


@shapes_of("builtins.module")
def _module(module: ModuleType) -> Shape:
    if not is_users(module.__name__):
        return Shape("module", (module.__name__.encode(),))
    names = sorted(name for name in vars(module) if not is_special(name))
    parts = [by_name(unwrap(vars(module)[name])) for name in names]
    return Shape("local module", tuple(n.encode() for n in names), parts, lambda index: f".{names[index]}")


@shapes_of(f"{Named.__module__}.{Named.__qualname__}")
def _named(named: Named) -> Shape:
    return Shape("name", (named.name.encode(),))
